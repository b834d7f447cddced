//! What late-interaction models have beside their encoder, in the two layouts they are published
//! in: that of ColBERT's own code (`artifact.metadata`, the projection among the weights), and that
//! of sentence-transformers as PyLate writes it (a step `Dense` behind the encoder, settings in
//! `config_sentence_transformers.json`).

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::folder::{json, step_name, steps};
use super::tensors::{DenseTensors, Tensors};
use crate::ModelError;

/// Settings of ColBERT's own code.
const METADATA: &str = "artifact.metadata";
/// Settings of sentence-transformers.
const SETTINGS: &str = "config_sentence_transformers.json";
/// The projection of sentence-transformers' layout.
const DENSE: &str = "1_Dense";
/// What both layouts leave out of passages unless they say otherwise.
const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
/// Longest vector of a token that a real model could have.
const MAX_DIM: usize = 8192;

/// How texts are put before the encoder, and what of them gets a vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LateInteraction {
    /// What stands behind `[CLS]`; nothing where it is empty.
    pub query_marker: String,
    /// The same for passages.
    pub passage_marker: String,
    /// Length to which queries are cut and filled up, in tokens, special ones and the marker
    /// included.
    pub query_tokens: usize,
    /// Length to which passages are cut, counted in the same way.
    pub passage_tokens: usize,
    /// Whether queries are filled up with `[MASK]` (query augmentation).
    pub augments_queries: bool,
    /// Whether other tokens attend to these `[MASK]`s.
    pub attends_to_masks: bool,
    /// Pieces without vectors in passages.
    pub skipped: Vec<String>,
    /// Pieces that the tokenizer knows beside its vocabulary.
    pub added: BTreeMap<String, u32>,
}

/// Whether a folder whose configuration names `class` holds a late-interaction model.
pub(super) fn is_late_interaction(folder: &Path, class: Option<&str>) -> Result<bool, ModelError> {
    if class.is_some_and(|class| class == "HF_ColBERT") || folder.join(METADATA).is_file() {
        return Ok(true);
    }
    // With a pooling before it the same step makes another vector of a text's.
    let steps = steps(folder)?;
    let has = |name: &str| steps.iter().any(|step| step_name(step) == name);
    Ok(has("Dense") && !has("Pooling"))
}

/// `artifact.metadata`; the defaults are those of ColBERT's own code.
#[derive(Deserialize)]
#[serde(default)]
struct Metadata {
    query_maxlen: usize,
    doc_maxlen: usize,
    mask_punctuation: bool,
    attend_to_mask_tokens: bool,
    query_token_id: String,
    doc_token_id: String,
    interaction: String,
    dim: Option<usize>,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            query_maxlen: 32,
            doc_maxlen: 220,
            mask_punctuation: true,
            attend_to_mask_tokens: false,
            query_token_id: "[unused0]".to_owned(),
            doc_token_id: "[unused1]".to_owned(),
            interaction: "colbert".to_owned(),
            dim: None,
        }
    }
}

/// PyLate's part of `config_sentence_transformers.json`, with its defaults.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Settings {
    query_prefix: Option<String>,
    document_prefix: Option<String>,
    query_length: Option<usize>,
    document_length: Option<usize>,
    do_query_expansion: Option<bool>,
    attend_to_expansion_tokens: Option<bool>,
    skiplist_words: Option<Vec<String>>,
}

impl LateInteraction {
    /// The settings in `folder`.
    pub(super) fn read(folder: &Path) -> Result<Self, ModelError> {
        let punctuation = || PUNCTUATION.chars().map(String::from).collect();
        let settings = if is_of_steps(folder)? {
            let read: Settings = json(&folder.join(SETTINGS))?.unwrap_or_default();
            let augments_queries = read.do_query_expansion.unwrap_or(true);
            Self {
                query_marker: read.query_prefix.unwrap_or_else(|| "[Q] ".to_owned()),
                passage_marker: read.document_prefix.unwrap_or_else(|| "[D] ".to_owned()),
                query_tokens: read.query_length.unwrap_or(32),
                passage_tokens: read.document_length.unwrap_or(180),
                augments_queries,
                attends_to_masks: augments_queries && read.attend_to_expansion_tokens == Some(true),
                skipped: read.skiplist_words.unwrap_or_else(punctuation),
                added: added_tokens(folder)?,
            }
        } else {
            let read: Metadata = json(&folder.join(METADATA))?.unwrap_or_default();
            if read.interaction != "colbert" {
                let reason = format!("the interaction `{}` is not known", read.interaction);
                let what = folder.join(METADATA).display().to_string();
                return Err(ModelError::format(what, reason));
            }
            Self {
                query_marker: read.query_token_id,
                passage_marker: read.doc_token_id,
                query_tokens: read.query_maxlen,
                passage_tokens: read.doc_maxlen,
                augments_queries: true,
                attends_to_masks: read.attend_to_mask_tokens,
                skipped: if read.mask_punctuation {
                    punctuation()
                } else {
                    Vec::new()
                },
                added: added_tokens(folder)?,
            }
        };
        let (query, passage) = (settings.query_tokens, settings.passage_tokens);
        // `[CLS]`, a marker and `[SEP]` stand around the first piece.
        if query < 4 || passage < 4 {
            let reason =
                format!("queries of {query} and passages of {passage} tokens hold no text");
            return Err(ModelError::format(folder.display().to_string(), reason));
        }
        Ok(settings)
    }
}

/// Whether the model is in sentence-transformers' layout.
fn is_of_steps(folder: &Path) -> Result<bool, ModelError> {
    Ok(steps(folder)?.iter().any(|step| step_name(step) == "Dense"))
}

#[derive(Deserialize)]
struct DenseConfig {
    #[serde(default)]
    activation_function: Option<String>,
    #[serde(default)]
    use_residual: bool,
}

/// The layer that turns states of `hidden` values into vectors of tokens.
pub(super) fn projection(
    folder: &Path,
    tensors: &Tensors,
    hidden: usize,
) -> Result<DenseTensors, ModelError> {
    if !is_of_steps(folder)? {
        let read: Metadata = json(&folder.join(METADATA))?.unwrap_or_default();
        return linear(tensors, hidden, read.dim);
    }
    let unfit = |reason: &str| {
        let what = folder.join("modules.json").display().to_string();
        Err(ModelError::format(what, reason))
    };
    let steps = steps(folder)?;
    if steps
        .iter()
        .filter(|step| step_name(step) == "Dense")
        .count()
        > 1
    {
        return unfit("only one step `Dense` behind the encoder is known");
    }
    let config: Option<DenseConfig> = json(&folder.join(DENSE).join("config.json"))?;
    let Some(config) = config else {
        return unfit("its step `Dense` has no 1_Dense/config.json");
    };
    let activation = config.activation_function.as_deref();
    let is_linear = activation.is_none_or(|name| name.ends_with(".Identity"));
    if config.use_residual || !is_linear {
        return unfit("only a step `Dense` without activation and residual is known");
    }
    let path = folder.join(DENSE).join("model.safetensors");
    linear(&Tensors::open(&path)?, hidden, None)
}

/// `linear.weight`, `[dim, hidden]`, and `linear.bias` where there is one.
fn linear(
    tensors: &Tensors,
    hidden: usize,
    dim: Option<usize>,
) -> Result<DenseTensors, ModelError> {
    let shape = tensors.shape("linear.weight");
    let fits = |&[n, k]: &[usize; 2]| {
        k == hidden && (1..=MAX_DIM).contains(&n) && dim.is_none_or(|dim| dim == n)
    };
    let found = shape.as_deref().and_then(|shape| shape.try_into().ok());
    let Some([n, k]) = found.filter(fits) else {
        let found = shape.map_or("missing".to_owned(), |shape| format!("of shape {shape:?}"));
        let rows = dim.map_or("dim".to_owned(), |dim| dim.to_string());
        let reason = format!(
            "its `linear.weight` is {found} and has to be [{rows}, {hidden}] for config.json and \
             {METADATA}; take all files of the folder from one published model"
        );
        return Err(ModelError::format(tensors.what(), reason));
    };
    let bias = if tensors.shape("linear.bias").is_some() {
        tensors.vector("linear.bias", n)?
    } else {
        vec![0.0; n]
    };
    let weights = tensors.matrix("linear.weight", n, k)?;
    Ok(DenseTensors { weights, bias })
}

#[derive(Deserialize)]
struct TokenizerFile {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
}

fn added_tokens(folder: &Path) -> Result<BTreeMap<String, u32>, ModelError> {
    let file: Option<TokenizerFile> = json(&folder.join("tokenizer.json"))?;
    let tokens = file.map(|file| file.added_tokens).unwrap_or_default();
    Ok(tokens.into_iter().map(|t| (t.content, t.id)).collect())
}
