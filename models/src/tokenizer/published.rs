//! Tokenizers of other kinds than BERT's uncased word pieces (byte-level BPE, SentencePiece's
//! unigrams, cased word pieces), through the library that defines the format of `tokenizer.json`.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;
use tokenizers::Tokenizer as Library;

use super::WordPiece;
use crate::ModelError;

/// What a tokenizer is tried on: letters, a character that no vocabulary has, an end token as text.
const PROBE: &str = "A caf\u{e9} \u{10fffd} </s>[SEP]\n\u{4e2d}";

/// A published tokenizer.
#[derive(Clone)]
pub(crate) struct Published {
    library: Library,
    begin: u32,
    end: u32,
    /// One more than the largest id.
    ids: usize,
}

impl std::fmt::Debug for Published {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Published[{} ids]", self.ids)
    }
}

impl Published {
    /// The tokenizer in the content of a `tokenizer.json`, between the tokens of the first of `frames`
    /// that it has.
    ///
    /// # Errors
    /// When it is damaged, lacks the tokens that frame a text, or cannot tokenise.
    pub(super) fn new(json: &[u8], frames: &[(&str, &str)]) -> Result<Self, ModelError> {
        Self::of(guarded(|| Library::from_bytes(json))?, frames)
    }

    /// Cased word pieces, one a line, cut as BERT does.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(super) fn cased_word_pieces(vocabulary: &str) -> Result<Self, ModelError> {
        let pieces: BTreeMap<&str, u32> = vocabulary.lines().zip(0..).collect();
        let file = json!({
            "version": "1.0",
            "added_tokens": [],
            "normalizer": {
                "type": "BertNormalizer",
                "clean_text": true,
                "handle_chinese_chars": true,
                "strip_accents": null,
                "lowercase": false,
            },
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "model": {
                "type": "WordPiece",
                "unk_token": "[UNK]",
                "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": pieces,
            },
        });
        Self::new(file.to_string().as_bytes(), &[WordPiece::FRAME])
    }

    fn of(mut library: Library, frames: &[(&str, &str)]) -> Result<Self, ModelError> {
        guarded(|| library.with_truncation(None).map(|_| ()))?;
        library.with_padding(None);
        // What a document holds is text, whatever it looks like.
        library.set_encode_special_tokens(true);
        let id = |token: &str| library.token_to_id(token);
        let ids = |frame: &(&str, &str)| Some((id(frame.0)?, id(frame.1)?));
        let (begin, end) = frames.iter().find_map(ids).ok_or_else(|| {
            let names: Vec<String> = frames
                .iter()
                .map(|(a, b)| format!("`{a}` and `{b}`"))
                .collect();
            unfit(&format!("it lacks {}", names.join(", or ")))
        })?;
        let largest = library.get_vocab(true).into_values().max();
        let this = Self {
            ids: largest.map_or(0, |id| id as usize + 1),
            library,
            begin,
            end,
        };
        this.encode(PROBE)?;
        Ok(this)
    }

    pub(super) fn begin(&self) -> u32 {
        self.begin
    }

    pub(super) fn end(&self) -> u32 {
        self.end
    }

    pub(super) fn ids(&self) -> usize {
        self.ids
    }

    pub(super) fn id(&self, piece: &str) -> Option<u32> {
        self.library.token_to_id(piece)
    }

    /// Ids of `text` without special tokens; none where the library fails, which is logged.
    pub(super) fn tokens(&self, text: &str) -> Vec<u32> {
        self.encode(text).unwrap_or_else(|error| {
            tracing::warn!(%error, "a text has no tokens");
            Vec::new()
        })
    }

    fn encode(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let encoding = guarded(|| self.library.encode_fast(text, false))?;
        Ok(encoding.get_ids().to_vec())
    }
}

/// What `call` gives; an error where it panics too, as the library does on some damaged files.
fn guarded<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, ModelError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(unfit(&error.to_string())),
        Err(_) => Err(unfit("it is damaged")),
    }
}

fn unfit(reason: &str) -> ModelError {
    ModelError::format("tokenizer", reason)
}
