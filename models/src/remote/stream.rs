//! Server-sent events: bytes in, data lines out (WHATWG HTML, section 9.2).

/// Longest line that is read; a longer one is no stream of a model.
const MAX_LINE: usize = 1 << 20;

/// Reads events, however the bytes are cut into pieces.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Vec<u8>,
    data: Vec<String>,
    /// A carriage return ended a line; the line feed after it belongs to it.
    after_return: bool,
    size: usize,
}

impl Events {
    /// Takes a piece; gives the data of every event that ended in it.
    ///
    /// # Errors
    /// What is wrong with the stream: a line without end, or no UTF-8.
    pub(super) fn push(&mut self, piece: &[u8]) -> Result<Vec<String>, String> {
        let mut events = Vec::new();
        for &byte in piece {
            match byte {
                b'\n' if self.after_return => self.after_return = false,
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    self.end_line(&mut events)?;
                }
                _ => {
                    self.after_return = false;
                    self.line.push(byte);
                    self.size += 1;
                    if self.size > MAX_LINE {
                        return Err(format!("an event of more than {MAX_LINE} bytes"));
                    }
                }
            }
        }
        Ok(events)
    }

    /// The end: an event without its empty line counts, because servers forget it.
    pub(super) fn finish(&mut self) -> Result<Vec<String>, String> {
        let mut events = Vec::new();
        self.end_line(&mut events)?;
        self.end_event(&mut events);
        Ok(events)
    }

    fn end_line(&mut self, events: &mut Vec<String>) -> Result<(), String> {
        let line = String::from_utf8(std::mem::take(&mut self.line))
            .map_err(|_bytes| "bytes that are no UTF-8".to_owned())?;
        if line.is_empty() {
            self.end_event(events);
        } else if let Some(rest) = line.strip_prefix("data:") {
            self.data
                .push(rest.strip_prefix(' ').unwrap_or(rest).to_owned());
        }
        // Comments (": keep-alive") and other fields mean nothing here.
        Ok(())
    }

    fn end_event(&mut self, events: &mut Vec<String>) {
        self.size = 0;
        if !self.data.is_empty() {
            events.push(std::mem::take(&mut self.data).join("\n"));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<String>, String> {
        let mut events = Events::default();
        let mut all = Vec::new();
        for piece in pieces {
            all.extend(events.push(piece)?);
        }
        all.extend(events.finish()?);
        Ok(all)
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        let stream = b": comment\r\ndata: a\r\rdata:b\ndata:  c\n\nevent: x\nid: 1\n\ndata: last";
        assert_eq!(read(&[stream]).unwrap(), ["a", "b\n c", "last"]);
        assert!(read(&[&vec![b'x'; MAX_LINE + 1]]).is_err());
        assert!(read(&[b"data: \xff\n\n"]).is_err());
    }

    #[test]
    fn an_event_of_many_lines_is_bounded_too() {
        let mut events = Events::default();
        let line = [b"data: ".as_slice(), &[b'x'; 1000], b"\n"].concat();
        assert!((0..2000).any(|_| events.push(&line).is_err()));
    }

    proptest! {
        #[test]
        fn cutting_a_stream_changes_nothing(bytes in prop::collection::vec(prop::sample::select(b"data: x\r\n\xc3\xa9".to_vec()), 0..60), cut in 0_usize..60) {
            let cut = cut.min(bytes.len());
            prop_assert_eq!(read(&[&bytes]), read(&[&bytes[..cut], &bytes[cut..]]));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            let _ = read(&[&bytes]);
        }
    }
}
