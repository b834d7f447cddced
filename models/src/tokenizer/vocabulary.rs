//! A list of word pieces that answers "which is the longest piece this text begins with".

use std::borrow::Cow;

use crate::ModelError;

/// Largest vocabulary taken: ids and table slots stay far inside 32 bits.
const MAX_PIECES: usize = 1 << 20;

/// Slots that are looked at for a piece. In tables at most half full, hashes that spread leave no run
/// of a tenth of that; a list made to collide would take hours.
const MAX_PROBES: usize = 1024;

/// Marks a piece that continues a word.
const CONTINUES: &str = "##";

/// Word pieces by id, with a hash table from piece to id.
///
/// The text of the pieces is borrowed where it is part of the program, so that opening the
/// embedded vocabulary (30,522 pieces) allocates two tables and nothing else.
#[derive(Clone)]
pub struct Vocabulary {
    text: Cow<'static, str>,
    /// Where each piece begins in `text`; one more entry than pieces, each piece ends one byte
    /// (its newline) before the next begins.
    starts: Vec<u32>,
    /// Open addressing with linear probing: id + 1, or 0 for a free slot. At most half full.
    slots: Vec<u32>,
    longest: usize,
}

impl Vocabulary {
    /// Reads one piece per line; the line number, from 0, is the id.
    ///
    /// # Errors
    /// When there are no or too many pieces.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Result<Self, ModelError> {
        let text = text.into();
        let unfit = |reason: &str| ModelError::Format {
            what: "vocabulary".to_owned(),
            reason: reason.to_owned(),
        };
        let body = text.strip_suffix('\n').unwrap_or(&text);
        if body.is_empty() {
            return Err(unfit("it holds no pieces"));
        }
        if text.len() > u32::MAX as usize / 2 {
            return Err(unfit("it is larger than 2 GB"));
        }
        let mut starts = vec![0];
        let mut longest = 0;
        for line in body.split('\n') {
            let start = starts.last().copied().unwrap_or_default();
            starts.push(start + line.len() as u32 + 1);
            longest = longest.max(line.len());
            if starts.len() > MAX_PIECES {
                return Err(unfit("it holds more than a million pieces"));
            }
        }
        let mut vocabulary = Self {
            text,
            starts,
            slots: Vec::new(),
            longest,
        };
        if vocabulary.fill_slots() {
            Ok(vocabulary)
        } else {
            Err(unfit("too many of its pieces have the same hash"))
        }
    }

    /// Puts every piece into a slot, the first of equal ones; whether there was one for each.
    fn fill_slots(&mut self) -> bool {
        let mut slots = vec![0; (2 * self.len()).next_power_of_two()];
        let mask = slots.len() - 1;
        for id in 0..self.len() as u32 {
            let piece = self.piece(id);
            let mut slot = finish(hash(START, piece.as_bytes())) & mask;
            let mut probes = 0;
            let mut is_known = false;
            while slots[slot] != 0 && !is_known {
                is_known = self.piece(slots[slot] - 1) == piece;
                slot = (slot + 1) & mask;
                probes += 1;
            }
            if probes > MAX_PROBES {
                return false;
            }
            if !is_known {
                slots[slot] = id + 1;
            }
        }
        self.slots = slots;
        true
    }

    /// Number of pieces.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Whether there are no pieces; never true.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces, one a line.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The piece with this id, without a carriage return that a Windows editor left.
    ///
    /// # Panics
    /// When there is none.
    pub fn piece(&self, id: u32) -> &str {
        let (start, end) = (self.starts[id as usize], self.starts[id as usize + 1] - 1);
        let line = &self.text[start as usize..end as usize];
        line.strip_suffix('\r').unwrap_or(line)
    }

    /// The id of this piece, `##` included.
    pub fn id(&self, piece: &str) -> Option<u32> {
        self.find(hash(START, piece.as_bytes()), "", piece.as_bytes())
    }

    /// The longest piece that `word` begins with, and its length in bytes. Inside a word
    /// (`continues`) only pieces that begin with `##` count, which is not counted in the length.
    pub(super) fn longest_prefix(&self, word: &str, continues: bool) -> Option<(u32, usize)> {
        let prefix = if continues { CONTINUES } else { "" };
        let bytes = &word.as_bytes()[..word.len().min(self.longest)];
        // The hash of every prefix in one pass, since each extends the one before it.
        let mut hashes = [0_u64; MAX_PREFIX];
        let mut state = hash(START, prefix.as_bytes());
        let n = bytes.len().min(MAX_PREFIX);
        for (hash_so_far, byte) in hashes.iter_mut().zip(bytes) {
            state = step(state, *byte);
            *hash_so_far = state;
        }
        (1..=n)
            .rev()
            .filter(|&len| word.is_char_boundary(len))
            .find_map(|len| Some((self.find(hashes[len - 1], prefix, &bytes[..len])?, len)))
    }

    /// The id of `prefix` followed by `rest`, whose hash is `state`.
    fn find(&self, state: u64, prefix: &str, rest: &[u8]) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut slot = finish(state) & mask;
        loop {
            let id = self.slots[slot].checked_sub(1)?;
            let piece = self.piece(id).as_bytes();
            if piece
                .strip_prefix(prefix.as_bytes())
                .is_some_and(|piece| piece == rest)
            {
                return Some(id);
            }
            slot = (slot + 1) & mask;
        }
    }
}

impl std::fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vocabulary[{}]", self.len())
    }
}

/// Pieces longer than this many bytes are never found by prefix. BERT's longest has 18.
const MAX_PREFIX: usize = 128;

/// FNV-1a: a byte at a time, so that hashes of prefixes come for free.
const START: u64 = 0xcbf2_9ce4_8422_2325;

fn step(state: u64, byte: u8) -> u64 {
    (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
}

fn hash(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |state, byte| step(state, *byte))
}

/// Mixes the high bits down, which FNV leaves better than its low ones.
fn finish(state: u64) -> usize {
    (state ^ (state >> 29) ^ (state >> 47)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_piece_wins_and_continuations_are_apart() {
        let vocabulary = Vocabulary::new("un\n##aff\n##able\nunaff\n##a\r\n").unwrap();
        assert_eq!(vocabulary.len(), 5);
        assert_eq!(vocabulary.longest_prefix("unaffable", false), Some((3, 5)));
        assert_eq!(vocabulary.longest_prefix("able", true), Some((2, 4)));
        assert_eq!(vocabulary.longest_prefix("able", false), None);
        assert_eq!(vocabulary.longest_prefix("ax", true), Some((4, 1)));
        assert_eq!(vocabulary.id("##aff"), Some(1));
        assert_eq!(vocabulary.id("aff"), None);
        assert_eq!(vocabulary.longest_prefix("", false), None);
    }

    #[test]
    fn every_piece_is_found_under_its_own_id() {
        let pieces: Vec<String> = (0..5000).map(|i| format!("p{i}")).collect();
        let vocabulary = Vocabulary::new(pieces.join("\n")).unwrap();
        for id in 0..5000 {
            assert_eq!(vocabulary.id(vocabulary.piece(id)), Some(id));
        }
    }

    #[test]
    fn pieces_that_are_equal_or_collide_take_no_longer_than_others() {
        let equal = Vocabulary::new("a\n".repeat(1 << 19)).unwrap();
        assert_eq!((equal.len(), equal.id("a")), (1 << 19, Some(0)));
        let mask = 8191;
        let slot = |piece: &str| finish(hash(START, piece.as_bytes())) & mask;
        let pieces = (0..)
            .map(|i| format!("p{i}"))
            .filter(|piece| slot(piece) == 7);
        let pieces: Vec<String> = pieces.take(4096).collect();
        assert!(Vocabulary::new(pieces.join("\n")).is_err());
    }

    #[test]
    fn an_empty_vocabulary_is_refused() {
        assert!(Vocabulary::new("").is_err());
        assert!(Vocabulary::new("\n").is_err());
    }
}
