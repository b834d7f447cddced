//! Late-interaction encoders: a vector a token, made to be compared token by token (Khattab and
//! Zaharia, SIGIR 2020, "ColBERT", section 3.2; Santhanam et al., NAACL 2022, "ColBERTv2").

use std::path::Path;

use indago_core::Cancel;
use indago_core::ports::{EncodeError, Encoder, Matrix, Role, TokenEncoder};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::bert::{Bert, HeadLayer, Sequence};
use super::token_rows::token_rows;
use crate::ModelError;
use crate::weights::{Folder, Head, LateInteraction};

/// Bumped when the arithmetic changes enough to show in vectors; part of the fingerprint.
const FORWARD_VERSION: u32 = 1;

/// A ColBERT-type model, in f32, from a folder: BERT, a linear layer, length 1.
///
/// A query is `[CLS] [Q] pieces [SEP]`, filled up with `[MASK]` to the model's length of queries;
/// each token of all that has a vector. The `[MASK]`s attend to the query, which does not attend to
/// them (nor do they to each other) unless the model's settings say so. A passage is
/// `[CLS] [D] pieces [SEP]`, cut at the model's length of passages; punctuation has no vectors
/// there. Unlike in ColBERT's own code a text without pieces has none either.
///
/// It makes no vectors of whole texts: [`Encoder::encode`] says so, and [`Encoder::dim`] is 0.
#[derive(Debug)]
pub struct ColBert {
    body: Bert,
    projection: HeadLayer,
    dim: usize,
    query: Frame,
    passage: Frame,
    /// What queries are filled up with, and whether it is seen.
    mask: Option<(u32, Seen)>,
    /// Pieces without vectors in passages, ascending.
    skipped: Vec<u32>,
    fingerprint: String,
}

/// What stands around a text.
#[derive(Debug)]
struct Frame {
    /// What stands behind `[CLS]`.
    marker: Option<u32>,
    /// Longest sequence.
    tokens: usize,
}

impl Frame {
    /// Tokens beside those of the text: `[CLS]`, the marker and `[SEP]`.
    fn around(&self) -> usize {
        2 + usize::from(self.marker.is_some())
    }
}

/// Whether other tokens attend to what a query is filled up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Yes,
    No,
}

impl ColBert {
    /// The model in `folder`: `config.json`, `tokenizer.json` or `vocab.txt`, `model.safetensors`,
    /// and either `artifact.metadata` (ColBERT's own layout, `linear.weight` among the weights) or
    /// `modules.json`, `1_Dense` and `config_sentence_transformers.json` (PyLate's).
    ///
    /// # Errors
    /// When a file is missing or of a kind that is not known, or the projection has another shape
    /// than the settings say.
    pub fn open(folder: &Path) -> Result<Self, EncodeError> {
        Self::read(folder).map_err(|error| error.of_model(&folder.display().to_string()))
    }

    fn read(folder: &Path) -> Result<Self, ModelError> {
        let Folder {
            model,
            tokenizer,
            head,
            precision,
            ..
        } = Folder::read(folder)?;
        let Head::Projection(projection, settings) = head else {
            let reason = "it is no late-interaction encoder (`HF_ColBERT`)";
            return Err(ModelError::format(folder.display().to_string(), reason));
        };
        let body = Bert::new(folder, model, tokenizer, precision)?;
        let frame = |marker: &str, tokens: usize| {
            let marker = (!marker.is_empty()).then(|| token(&body, &settings, marker));
            let frame = Frame {
                marker: marker.transpose()?,
                tokens: tokens.min(body.dims.positions),
            };
            if frame.tokens <= frame.around() {
                let reason = format!("its {} positions hold no text", frame.tokens);
                return Err(ModelError::format(folder.display().to_string(), reason));
            }
            Ok::<_, ModelError>(frame)
        };
        let query = frame(&settings.query_marker, settings.query_tokens)?;
        let passage = frame(&settings.passage_marker, settings.passage_tokens)?;
        let seen = if settings.attends_to_masks {
            Seen::Yes
        } else {
            Seen::No
        };
        let mask = settings
            .augments_queries
            .then(|| Ok::<_, ModelError>((token(&body, &settings, "[MASK]")?, seen)));
        let mut skipped: Vec<u32> = settings
            .skipped
            .iter()
            .filter_map(|piece| body.tokenizer.id(piece))
            .collect();
        skipped.sort_unstable();
        // Everything beside the body's weights that decides what a text's vectors are.
        let mut others = Xxh3::new();
        for x in projection.weights.iter().chain(&projection.bias) {
            others.update(&x.to_le_bytes());
        }
        let said = format!("{query:?} {passage:?} {mask:?} {skipped:?}");
        others.update(&xxh3_64(said.as_bytes()).to_le_bytes());
        let (name, weights) = (&body.name, body.checksum);
        Ok(Self {
            fingerprint: format!(
                "{name}@{weights:016x}-{:08x}/{FORWARD_VERSION}",
                others.digest() as u32
            ),
            dim: projection.bias.len(),
            projection: HeadLayer::new(projection)?,
            mask: mask.transpose()?,
            query,
            passage,
            skipped,
            body,
        })
    }

    /// Token ids of `text` in the frame of its role; none for a text without pieces.
    fn sequence(&self, text: &str, role: Role) -> Sequence {
        let frame = match role {
            Role::Query => &self.query,
            Role::Passage => &self.passage,
        };
        let tokenizer = &self.body.tokenizer;
        let pieces = tokenizer.tokens(text, frame.tokens - frame.around());
        if pieces.is_empty() {
            return Sequence::of_one(Vec::new());
        }
        let mut ids = vec![tokenizer.begin()];
        ids.extend(frame.marker);
        ids.extend(pieces);
        ids.push(tokenizer.end());
        let text = ids.len();
        let Some((mask, seen)) = self.mask.filter(|_| role == Role::Query) else {
            return Sequence::of_one(ids);
        };
        ids.resize(frame.tokens, mask);
        let whole = Sequence::of_one(ids);
        match seen {
            Seen::Yes => whole,
            Seen::No => Sequence {
                seen: text,
                ..whole
            },
        }
    }
}

/// The id of a piece that is no part of texts: of the vocabulary, or added to it.
fn token(body: &Bert, settings: &LateInteraction, piece: &str) -> Result<u32, ModelError> {
    let known = body.tokenizer.id(piece);
    let known = known.or_else(|| settings.added.get(piece).copied());
    known
        .filter(|&id| (id as usize) < body.dims.vocabulary)
        .ok_or_else(|| {
            let reason = format!("it lacks `{piece}`, which the model's settings name");
            ModelError::format(format!("the vocabulary of `{}`", body.name), reason)
        })
}

impl Encoder for ColBert {
    fn name(&self) -> &str {
        &self.body.name
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        0
    }

    fn encode(&self, _: &[&str], _: Role, _: &Cancel) -> Result<Matrix, EncodeError> {
        Err(EncodeError::Model {
            model: self.body.name.clone(),
            reason: "it makes vectors of tokens, none of whole texts".to_owned(),
        })
    }

    fn tokens(&self) -> Option<&dyn TokenEncoder> {
        Some(self)
    }
}

impl TokenEncoder for ColBert {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn encode_tokens(
        &self,
        texts: &[&str],
        role: Role,
        cancel: &Cancel,
    ) -> Result<Vec<Matrix>, EncodeError> {
        let sequences: Vec<_> = texts.iter().map(|t| self.sequence(t, role)).collect();
        let project =
            |states: &[f32], out: &mut [f32]| out.copy_from_slice(&self.projection.apply(states));
        let keeps = |text: usize, token: usize| {
            let id = &sequences[text].ids[token];
            role == Role::Query || self.skipped.binary_search(id).is_err()
        };
        token_rows(&self.body, &sequences, self.dim, project, keeps, cancel)
    }
}
