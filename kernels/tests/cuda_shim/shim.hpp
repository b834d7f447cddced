// Runs kernel sources on a CPU. Every thread of a block is a coroutine with its own stack; blocks run
// one after the other. A barrier or a warp exchange hands over to the next coroutine, in an order
// that the test chooses, so that a kernel whose result depends on the order of threads shows it. A
// block whose threads wait at different barriers is reported, as it would hang on a device.
#pragma once
#define INDAGO_HOST

#include <setjmp.h>
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
// One block at a time, so what a block shares may be static.
#define __shared__ static

struct uint4 {
    unsigned x, y, z, w;
};
struct Index {
    unsigned x, y, z;
};
static Index threadIdx, blockIdx, blockDim, gridDim;

namespace shim {

enum class Wait { Ready, Block, Warp, Done };

struct Thread {
    ucontext_t context;  // where it begins
    jmp_buf place;       // where it went on from
    bool begun = false;
    Wait wait = Wait::Ready;
    unsigned barrier = 0;  // line of the barrier it waits at
    Index index;
};

static const size_t STACK = 128 * 1024;
static jmp_buf scheduler;
static std::vector<Thread> threads;
static std::vector<char> stacks;
static std::vector<unsigned char> shared_bytes;
static size_t current;
static void (*body)(void **);
static void **arguments;
// What a lane hands to its warp.
static std::vector<uint64_t> lanes;
static std::vector<float> fragments;

static void yield(Wait wait, unsigned barrier) {
    Thread &self = threads[current];
    self.wait = wait;
    self.barrier = barrier;
    if (_setjmp(self.place) == 0) _longjmp(scheduler, 1);
    threadIdx = threads[current].index;
}

static void enter() {
    threadIdx = threads[current].index;
    body(arguments);
    threads[current].wait = Wait::Done;
    _longjmp(scheduler, 1);
}

// Lets a thread run until it waits. Jumps cost no system call, as swapcontext would.
static __attribute__((noinline)) void resume(Thread &thread) {
    if (_setjmp(scheduler) != 0) return;
    if (thread.begun) _longjmp(thread.place, 1);
    thread.begun = true;
    setcontext(&thread.context);
}

// Runs one block to its end. `order` 0: threads in order; 1: backwards; others: shuffled by it.
static void run_block(unsigned order) {
    const size_t n = threads.size();
    std::vector<size_t> turn(n);
    for (size_t i = 0; i < n; ++i) turn[i] = order == 1 ? n - 1 - i : i;
    uint64_t seed = order * 0x9e3779b97f4a7c15ull + blockIdx.x + 1;
    for (size_t i = 0; i < n; ++i) {
        Thread &thread = threads[i];
        thread.wait = Wait::Ready;
        thread.begun = false;
        thread.index = {unsigned(i % blockDim.x), unsigned(i / blockDim.x), 0};
        getcontext(&thread.context);
        thread.context.uc_stack.ss_sp = stacks.data() + i * STACK;
        thread.context.uc_stack.ss_size = STACK;
        thread.context.uc_link = nullptr;
        makecontext(&thread.context, enter, 0);
    }
    for (;;) {
        if (order > 1)
            for (size_t i = n; i > 1; --i) {
                seed = seed * 6364136223846793005ull + 1442695040888963407ull;
                std::swap(turn[i - 1], turn[(seed >> 33) % i]);
            }
        for (size_t i : turn)
            if (threads[i].wait == Wait::Ready) {
                current = i;
                resume(threads[i]);
            }
        // Everybody waits now or is done. A warp goes on when all of its threads that are not done
        // wait for it at one place; the block goes on when all that are not done wait for it.
        bool moved = false, waiting = false, all_at_block = true;
        for (size_t first = 0; first < n; first += 32) {
            bool at_warp = true, any = false;
            unsigned line = 0;
            for (size_t i = first; i < n && i < first + 32; ++i) {
                const Thread &thread = threads[i];
                if (thread.wait == Wait::Done) continue;
                waiting = true;
                all_at_block &= thread.wait == Wait::Block;
                at_warp &= thread.wait == Wait::Warp && (!any || thread.barrier == line);
                line = thread.barrier;
                any = true;
            }
            if (any && at_warp) {
                for (size_t i = first; i < n && i < first + 32; ++i)
                    if (threads[i].wait == Wait::Warp) threads[i].wait = Wait::Ready;
                moved = true;
            }
        }
        if (!waiting) return;
        if (all_at_block) {
            for (Thread &thread : threads)
                if (thread.wait == Wait::Block) thread.wait = Wait::Ready;
            moved = true;
        }
        if (!moved) throw std::runtime_error("threads of a block wait at different barriers");
    }
}

typedef void (*Launch)(void **);
static std::map<std::string, Launch> &kernels() {
    static std::map<std::string, Launch> all;
    return all;
}

template <auto F>
struct Caller;
template <class... A, void (*F)(A...)>
struct Caller<F> {
    template <size_t... I>
    static void with(void **args, std::index_sequence<I...>) {
        F(*static_cast<A *>(args[I])...);
    }
    static void call(void **args) { with(args, std::index_sequence_for<A...>()); }
};

struct Register {
    Register(const char *name, Launch launch) { kernels()[name] = launch; }
};

static inline unsigned lane() { return unsigned(current % 32); }

template <class T>
static T exchange(T mine, unsigned from, unsigned line) {
    static_assert(sizeof(T) <= 8, "a register pair at most");
    std::memcpy(&lanes[current], &mine, sizeof(T));
    yield(Wait::Warp, line);
    T theirs;
    std::memcpy(&theirs, &lanes[current / 32 * 32 + from % 32], sizeof(T));
    yield(Wait::Warp, line + 100000);
    return theirs;
}

}  // namespace shim

// Twice, so that a name that is a macro is replaced first.
#define KERNEL(name) KERNEL_CALLED(name)
#define KERNEL_CALLED(name) \
    static shim::Register register_##name(#name, shim::Caller<&name>::call);
#define DYNAMIC_SHARED(type, name) type *name = reinterpret_cast<type *>(shim::shared_bytes.data())
#define __syncthreads() shim::yield(shim::Wait::Block, __LINE__)
#define __syncwarp() shim::yield(shim::Wait::Warp, __LINE__)
#define __shfl_xor_sync(mask, x, offset) shim::exchange(x, shim::lane() ^ (offset), __LINE__)
#define __ldcs(p) (*(p))

static inline float __uint_as_float(unsigned bits) {
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
}
static inline float __int_as_float(unsigned bits) { return __uint_as_float(bits); }
static inline unsigned __float_as_uint(float x) {
    unsigned bits;
    std::memcpy(&bits, &x, 4);
    return bits;
}
static inline float __int2float_rn(int x) { return float(x); }
static inline float __fmul_rn(float a, float b) {
    volatile float product = a * b;
    return product;
}
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
static inline int __dp2a(int a, int b, int c, int shift) {
    for (int i = 0; i < 2; ++i)
        c += int(int16_t(unsigned(a) >> (16 * i))) * int(int8_t(unsigned(b) >> (8 * (i + shift))));
    return c;
}
static inline int __dp2a_lo(int a, int b, int c) { return __dp2a(a, b, c, 0); }
static inline int __dp2a_hi(int a, int b, int c) { return __dp2a(a, b, c, 2); }
static inline unsigned atomicAdd(unsigned *at, unsigned x) {
    const unsigned before = *at;
    *at += x;
    return before;
}

// f16 <-> f32 with round to nearest even, subnormals included.
static inline float half_to_float(unsigned short bits) {
    const unsigned sign = (bits & 0x8000u) << 16, exponent = bits >> 10 & 31, mantissa = bits & 1023;
    if (exponent == 31) return __uint_as_float(sign | 0x7f800000u | mantissa << 13);
    const float size = exponent ? std::ldexp(float(1024 + mantissa), int(exponent) - 25)
                                : std::ldexp(float(mantissa), -24);
    return sign ? -size : size;
}
static inline unsigned short float_to_half(float x) {
    const unsigned bits = __float_as_uint(x), sign = bits >> 16 & 0x8000u;
    const float size = std::fabs(x);
    if (!(size == size)) return sign | 0x7e00u;
    if (size >= 65520.0f) return sign | 0x7c00u;
    if (size < 6.103515625e-05f) return sign | unsigned(std::nearbyint(std::ldexp(size, 24)));
    int exponent;
    std::frexp(size, &exponent);
    const unsigned mantissa = unsigned(std::nearbyint(std::ldexp(size, 11 - exponent)));
    return sign | (unsigned(exponent + 14) * 1024 + mantissa - 1024);
}

// The matrix unit over a warp: every lane shows its fragments, then computes its four sums from
// those of its group. Layout as in the PTX ISA for "mma.m16n8k16".
template <class ToFloat>
static inline void mma_of(ToFloat to_float, float d[4], const unsigned a[4], const unsigned b[2]) {
    std::vector<float> &all = shim::fragments;
    const unsigned lane = shim::lane();
    float *mine = &all[shim::current * 12];
    for (int i = 0; i < 6; ++i) {
        const unsigned word = i < 4 ? a[i] : b[i - 4];
        mine[2 * i] = to_float((unsigned short)(word & 0xffffu));
        mine[2 * i + 1] = to_float((unsigned short)(word >> 16));
    }
    shim::yield(shim::Wait::Warp, 1000001);
    const float *warp = &all[shim::current / 32 * 32 * 12];
    for (int e = 0; e < 4; ++e) {
        const unsigned row = lane / 4 + (e / 2) * 8, column = lane % 4 * 2 + e % 2;
        float sum = d[e];
        for (unsigned k = 0; k < 16; ++k) {
            // A: a0,a1 row group, k member*2..; a2 (word 1) row + 8; words 2 and 3 the same at k + 8.
            const unsigned a_lane = row % 8 * 4 + k % 8 / 2;
            const unsigned a_word = (row >= 8 ? 1 : 0) + (k >= 8 ? 2 : 0);
            const unsigned b_lane = column * 4 + k % 8 / 2;
            const unsigned b_word = 4 + (k >= 8 ? 1 : 0);
            sum = std::fmaf(warp[a_lane * 12 + a_word * 2 + k % 2],
                            warp[b_lane * 12 + b_word * 2 + k % 2], sum);
        }
        d[e] = sum;
    }
    shim::yield(shim::Wait::Warp, 1000002);
}
static inline void mma_m16n8k16(float d[4], const unsigned a[4], const unsigned b[2]) {
    mma_of(half_to_float, d, a, b);
}
static inline void mma_m16n8k16_bf16(float d[4], const unsigned a[4], const unsigned b[2]) {
    mma_of([](unsigned short bits) { return __uint_as_float(unsigned(bits) << 16); }, d, a, b);
}

// Launches `name`; 0, or a message.
extern "C" const char *shim_launch(const char *name, const unsigned grid[3], const unsigned block[3],
                                   size_t shared, void **args, unsigned order) {
    static std::string message;
    const auto found = shim::kernels().find(name);
    if (found == shim::kernels().end()) return "no kernel of this name";
    const size_t n = size_t(block[0]) * block[1];
    shim::body = found->second;
    shim::arguments = args;
    shim::threads.assign(n, shim::Thread());
    shim::stacks.resize(n * shim::STACK);
    shim::lanes.assign(n + 32, 0);
    shim::fragments.assign((n + 32) * 12, 0.0f);
    blockDim = {block[0], block[1], 1};
    gridDim = {grid[0], grid[1], grid[2]};
    try {
        for (unsigned y = 0; y < grid[1]; ++y)
            for (unsigned x = 0; x < grid[0]; ++x) {
                blockIdx = {x, y, 0};
                // Shared memory holds anything at first: a value that no kernel would like.
                shim::shared_bytes.assign(shared + 16, 0xcd);
                shim::run_block(order);
            }
    } catch (const std::exception &error) {
        message = std::string(name) + ": " + error.what();
        return message.c_str();
    }
    return nullptr;
}
