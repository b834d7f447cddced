/*
 * ringbuf.c - message buffer of the vehicle logger, firmware revision 4.2
 *
 * Varga Oceanics, published 2018-05-22 at the request of the Halvar Coast
 * Observatory Network. Author: Bence Varga.
 *
 * Revision 4.1 waited for space when the buffer was full. The writer was the
 * watchdog task. On 14 March 2018 the acoustic modem of Lutra lost contact and
 * produced an error message every 360 milliseconds; after 92 seconds the buffer
 * was full, the watchdog waited for a reader which waited for the modem, and
 * the ascend command was never given. Revision 4.2 never waits: when there is
 * no room the oldest message is dropped and counted.
 */

#include <stdint.h>
#include <string.h>

#define RB_SLOTS 256   /* power of two, so that the index can be masked */
#define RB_BYTES 96    /* one message, cut off if longer */

struct ringbuf {
    char     slot[RB_SLOTS][RB_BYTES];
    uint32_t head;     /* next slot to write */
    uint32_t tail;     /* next slot to read */
    uint32_t dropped;  /* messages lost since the last report */
};

/* Empties the buffer and forgets the count of dropped messages. */
void rb_init(struct ringbuf *rb)
{
    memset(rb, 0, sizeof *rb);
}

/* Number of messages waiting to be read. */
uint32_t rb_count(const struct ringbuf *rb)
{
    return rb->head - rb->tail;
}

/* Stores a message. Never blocks: a full buffer loses its oldest message. */
void rb_push(struct ringbuf *rb, const char *message)
{
    if (rb_count(rb) == RB_SLOTS) {
        rb->tail++;
        rb->dropped++;
    }
    char *slot = rb->slot[rb->head & (RB_SLOTS - 1)];
    strncpy(slot, message, RB_BYTES - 1);
    slot[RB_BYTES - 1] = '\0';
    rb->head++;
}

/* Takes the oldest message into out; returns 0 if there is none. */
int rb_pop(struct ringbuf *rb, char out[RB_BYTES])
{
    if (rb_count(rb) == 0) {
        return 0;
    }
    memcpy(out, rb->slot[rb->tail & (RB_SLOTS - 1)], RB_BYTES);
    rb->tail++;
    return 1;
}
