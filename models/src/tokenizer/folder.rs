//! The tokenizer in a published model's folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::published::Published;
use super::{Vocabulary, WordPiece};
use crate::ModelError;
use crate::weights::{json, settings};

/// A model's tokenizer: our own for uncased word pieces as BERT cuts them, the library's for all
/// others.
#[derive(Clone, Debug)]
pub(crate) enum Tokenizer {
    WordPiece(WordPiece),
    Published(Box<Published>),
}

/// The parts of `tokenizer.json` that tell whether ours does the same.
#[derive(Deserialize)]
struct File {
    model: Model,
    normalizer: Option<Normalizer>,
    pre_tokenizer: Option<Kind>,
}

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "type")]
    kind: Option<String>,
    unk_token: Option<String>,
    continuing_subword_prefix: Option<String>,
    max_input_chars_per_word: Option<usize>,
}

#[derive(Deserialize)]
struct Normalizer {
    #[serde(rename = "type")]
    kind: Option<String>,
    clean_text: Option<bool>,
    handle_chinese_chars: Option<bool>,
    strip_accents: Option<bool>,
    lowercase: Option<bool>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// The vocabulary of ours, by piece.
#[derive(Deserialize)]
struct WithPieces {
    model: Pieces,
}

#[derive(Deserialize)]
struct Pieces {
    vocab: BTreeMap<String, usize>,
}

/// What models that have no `tokenizer.json` say of their vocabulary.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    do_lower_case: Option<bool>,
    strip_accents: Option<bool>,
    tokenize_chinese_chars: Option<bool>,
}

impl File {
    /// Whether the text is cleaned and cut as [`WordPiece`] does; what is not said is as in BERT.
    fn is_uncased_bert(&self) -> bool {
        let is = |kind: &Option<String>, name: &str| kind.as_deref().is_none_or(|k| k == name);
        let model = &self.model;
        let cleans = self.normalizer.as_ref().is_none_or(|n| {
            is(&n.kind, "BertNormalizer")
                && [
                    n.clean_text,
                    n.handle_chinese_chars,
                    n.strip_accents,
                    n.lowercase,
                ]
                .iter()
                .all(|choice| *choice != Some(false))
        });
        is(&model.kind, "WordPiece")
            && is(&model.unk_token, "[UNK]")
            && is(&model.continuing_subword_prefix, "##")
            && model.max_input_chars_per_word.is_none_or(|n| n == 100)
            && cleans
            && self
                .pre_tokenizer
                .as_ref()
                .is_none_or(|p| is(&p.kind, "BertPreTokenizer"))
    }
}

impl Tokenizer {
    /// The tokenizer of `tokenizer.json`, or of `vocab.txt` with `tokenizer_config.json`; texts stand
    /// between the tokens of the first of `frames` that it has.
    ///
    /// # Errors
    /// When there is neither, or it is damaged.
    pub(crate) fn read(folder: &Path, frames: &[(&str, &str)]) -> Result<Self, ModelError> {
        let path = folder.join("tokenizer.json");
        let of_file = |error: ModelError| match error {
            ModelError::Format { reason, .. } => {
                ModelError::format(path.display().to_string(), reason)
            }
            other => other,
        };
        let Some(bytes) = settings(&path)? else {
            return Self::of_list(folder, frames);
        };
        // Only what tells them apart is parsed at first: vocabularies of others are large. What has
        // another form may be the library's.
        let known: Option<File> = serde_json::from_slice(&bytes).ok();
        let is_ours = frames.contains(&WordPiece::FRAME);
        if !is_ours || !known.is_some_and(|file| file.is_uncased_bert()) {
            let tokenizer = Published::new(&bytes, frames).map_err(of_file)?;
            return Ok(Self::Published(Box::new(tokenizer)));
        }
        let file = serde_json::from_slice::<WithPieces>(&bytes);
        let file = file
            .map_err(|error| ModelError::format(path.display().to_string(), error.to_string()))?;
        let pieces = listed(&file.model.vocab).map_err(of_file)?;
        let tokenizer = WordPiece::new(Vocabulary::new(pieces)?).map_err(of_file)?;
        Ok(Self::WordPiece(tokenizer))
    }

    /// Word pieces, one a line.
    fn of_list(folder: &Path, frames: &[(&str, &str)]) -> Result<Self, ModelError> {
        let path = folder.join("vocab.txt");
        let text = fs::read_to_string(&path).map_err(ModelError::io(&path))?;
        let path = folder.join("tokenizer_config.json");
        let settings: Settings = json(&path)?.unwrap_or_default();
        let is_usual = settings.tokenize_chinese_chars != Some(false);
        if !is_usual || !frames.contains(&WordPiece::FRAME) || settings.strip_accents.is_some() {
            let reason = "it cuts texts in a way that is known with a tokenizer.json only";
            return Err(ModelError::format(path.display().to_string(), reason));
        }
        Ok(if settings.do_lower_case == Some(false) {
            Self::Published(Box::new(Published::cased_word_pieces(&text)?))
        } else {
            Self::WordPiece(WordPiece::new(Vocabulary::new(text)?)?)
        })
    }

    /// Whether upper and lower case are the same to it, as far as is known.
    pub(crate) fn is_uncased(&self) -> bool {
        matches!(self, Self::WordPiece(_))
    }

    /// The id that stands before a text.
    pub(crate) fn begin(&self) -> u32 {
        match self {
            Self::WordPiece(ours) => ours.begin(),
            Self::Published(theirs) => theirs.begin(),
        }
    }

    /// The id that stands behind a text.
    pub(crate) fn end(&self) -> u32 {
        match self {
            Self::WordPiece(ours) => ours.end(),
            Self::Published(theirs) => theirs.end(),
        }
    }

    /// One more than the largest id.
    pub(crate) fn ids(&self) -> usize {
        match self {
            Self::WordPiece(ours) => ours.vocabulary().len(),
            Self::Published(theirs) => theirs.ids(),
        }
    }

    /// The id of a piece.
    pub(crate) fn id(&self, piece: &str) -> Option<u32> {
        match self {
            Self::WordPiece(ours) => ours.vocabulary().id(piece),
            Self::Published(theirs) => theirs.id(piece),
        }
    }

    /// Ids of `text` without special tokens, at most `limit`.
    pub(crate) fn tokens(&self, text: &str, limit: usize) -> Vec<u32> {
        match self {
            Self::WordPiece(ours) => ours.tokens(text, limit),
            Self::Published(theirs) => {
                let mut ids = theirs.tokens(text);
                ids.truncate(limit);
                ids
            }
        }
    }

    /// Number of tokens in `text`, without special tokens.
    pub(crate) fn count(&self, text: &str) -> usize {
        match self {
            Self::WordPiece(ours) => ours.count(text),
            Self::Published(theirs) => theirs.tokens(text).len(),
        }
    }
}

/// Word pieces, one a line, by id.
fn listed(vocab: &BTreeMap<String, usize>) -> Result<String, ModelError> {
    let unfit = |reason: &str| ModelError::format("tokenizer", reason);
    let mut pieces = vec![None; vocab.len()];
    for (piece, id) in vocab {
        let slot = pieces.get_mut(*id).filter(|slot| slot.is_none());
        let slot = slot.ok_or_else(|| unfit("ids of pieces have gaps"))?;
        if piece.contains('\n') {
            return Err(unfit("a piece holds a line break"));
        }
        *slot = Some(piece.as_str());
    }
    Ok(pieces.into_iter().flatten().collect::<Vec<_>>().join("\n"))
}
