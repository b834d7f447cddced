//! Word pieces: each word is cut greedily into the longest pieces of the vocabulary.

use std::ops::Range;

use super::normalize::{Kind, normalize};
use super::vocabulary::Vocabulary;
use crate::ModelError;

/// Words of more characters become one unknown token, as in the reference.
const MAX_WORD_CHARS: usize = 100;

/// BERT's uncased tokenizer.
#[derive(Clone, Debug)]
pub struct WordPiece {
    vocabulary: Vocabulary,
    unknown: u32,
    begin: u32,
    end: u32,
}

impl WordPiece {
    /// The pieces that stand before and behind a text.
    pub(crate) const FRAME: (&str, &str) = ("[CLS]", "[SEP]");

    /// A tokenizer over `vocabulary`.
    ///
    /// # Errors
    /// When the vocabulary lacks `[UNK]`, `[CLS]` or `[SEP]`.
    pub fn new(vocabulary: Vocabulary) -> Result<Self, ModelError> {
        let special = |piece: &str| {
            vocabulary.id(piece).ok_or_else(|| ModelError::Format {
                what: "vocabulary".to_owned(),
                reason: format!("it lacks `{piece}`"),
            })
        };
        let (begin, end) = Self::FRAME;
        let (unknown, begin, end) = (special("[UNK]")?, special(begin)?, special(end)?);
        Ok(Self {
            vocabulary,
            unknown,
            begin,
            end,
        })
    }

    /// The pieces.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The id that stands for words outside the vocabulary.
    pub fn unknown(&self) -> u32 {
        self.unknown
    }

    /// The id that stands before a text.
    pub fn begin(&self) -> u32 {
        self.begin
    }

    /// The id that stands behind a text.
    pub fn end(&self) -> u32 {
        self.end
    }

    /// Ids of `text` without special tokens, at most `limit`. Reads no further than needed.
    pub fn tokens(&self, text: &str, limit: usize) -> Vec<u32> {
        let mut ids = Vec::new();
        self.for_each(text, |id, _| {
            if ids.len() < limit {
                ids.push(id);
            }
            ids.len() < limit
        });
        ids
    }

    /// As [`Self::tokens`] of the whole text, each with the bytes of the word that it is of.
    pub fn tokens_in_place(&self, text: &str) -> Vec<(u32, Range<usize>)> {
        let mut tokens = Vec::new();
        self.for_each(text, |id, word| {
            tokens.push((id, word.clone()));
            true
        });
        tokens
    }

    /// Number of tokens in `text`, without special tokens.
    pub fn count(&self, text: &str) -> usize {
        let mut n = 0;
        self.for_each(text, |_, _| {
            n += 1;
            true
        });
        n
    }

    /// Calls `take` for each id, with the bytes of its word, until it returns false.
    fn for_each(&self, text: &str, mut take: impl FnMut(u32, &Range<usize>) -> bool) {
        let mut word = Word::default();
        for (at, c) in text.char_indices() {
            let bytes = at..at + c.len_utf8();
            let mut wants_more = true;
            normalize(c, |kind, c| {
                if !wants_more {
                    return;
                }
                if kind == Kind::Letter {
                    word.push(c, &bytes);
                    return;
                }
                wants_more = self.flush(&mut word, &mut take);
                if wants_more && kind == Kind::Alone {
                    word.push(c, &bytes);
                    wants_more = self.flush(&mut word, &mut take);
                }
            });
            if !wants_more {
                return;
            }
        }
        self.flush(&mut word, &mut take);
    }

    /// Hands out the pieces of `word` and clears it. False once `take` wants no more.
    fn flush(&self, word: &mut Word, take: &mut impl FnMut(u32, &Range<usize>) -> bool) -> bool {
        if word.n_chars == 0 {
            return true;
        }
        let whole = word.n_chars <= MAX_WORD_CHARS && self.cut(word);
        let wants_more = if whole {
            word.pieces.iter().all(|&id| take(id, &word.bytes))
        } else {
            take(self.unknown, &word.bytes)
        };
        word.text.clear();
        word.n_chars = 0;
        wants_more
    }

    /// Fills in the pieces of `word`; false when some part of it is in no piece.
    fn cut(&self, word: &mut Word) -> bool {
        word.pieces.clear();
        let mut at = 0;
        while at < word.text.len() {
            let Some((id, len)) = self.vocabulary.longest_prefix(&word.text[at..], at > 0) else {
                return false;
            };
            word.pieces.push(id);
            at += len;
        }
        true
    }
}

/// The word being read, with room for its pieces.
#[derive(Default)]
struct Word {
    text: String,
    n_chars: usize,
    /// Where it stands.
    bytes: Range<usize>,
    pieces: Vec<u32>,
}

impl Word {
    /// Takes in `c`, which was made of what stands at `bytes`.
    fn push(&mut self, c: char, bytes: &Range<usize>) {
        if self.n_chars == 0 {
            self.bytes.start = bytes.start;
        }
        self.bytes.end = bytes.end;
        self.n_chars += 1;
        // A longer word is unknown whatever it is: keep no more of it.
        if self.n_chars <= MAX_WORD_CHARS {
            self.text.push(c);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenizer() -> WordPiece {
        let text = "[UNK]\n[CLS]\n[SEP]\nun\n##aff\n##able\n!\ncafe\n\u{4e2d}\n##s\n[\n]\nsep\n";
        WordPiece::new(Vocabulary::new(text).unwrap()).unwrap()
    }

    fn check(text: &str, expected: &[u32]) {
        assert_eq!(tokenizer().tokens(text, 100), expected, "{text:?}");
        assert_eq!(tokenizer().count(text), expected.len(), "{text:?}");
    }

    #[test]
    fn words_are_cut_into_the_longest_pieces() {
        check("UnAffable!", &[3, 4, 5, 6]);
        check("caf\u{e9}s cafe\u{301}", &[7, 9, 7]);
        check("un\u{4e2d}un", &[3, 8, 3]);
        check("a\u{0}un", &[0]);
        check("un\u{0}affable\u{ad}", &[3, 4, 5]);
        check(" \t\n", &[]);
        check("", &[]);
    }

    #[test]
    fn a_word_with_an_unknown_part_is_one_unknown_token() {
        check("unx un", &[0, 3]);
        check(&"un".repeat(51), &[0]);
    }

    #[test]
    fn tokens_know_the_bytes_of_their_word() {
        let tokens = tokenizer().tokens_in_place("Unable!  caf\u{e9}s \u{4e2d}unx");
        let expected = [
            (3, 0..6),
            (5, 0..6),
            (6, 6..7),
            (7, 9..15),
            (9, 9..15),
            (8, 16..19),
            (0, 19..22),
        ];
        assert_eq!(tokens, expected);
    }

    #[test]
    fn special_tokens_in_a_text_are_only_text() {
        check("[SEP]", &[10, 12, 11]);
    }

    #[test]
    fn no_more_is_read_than_asked_for() {
        let long = "un ".repeat(1000);
        assert_eq!(tokenizer().tokens(&long, 3), [3, 3, 3]);
        assert!(tokenizer().tokens(&long, 0).is_empty());
        assert_eq!(tokenizer().tokens("unaffable", 2), [3, 4]);
    }

    #[test]
    fn a_vocabulary_without_special_tokens_is_refused() {
        let error = WordPiece::new(Vocabulary::new("a\nb").unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "vocabulary cannot be used: it lacks `[UNK]`"
        );
    }
}
