//! A published BERT-type model of any size and head: `config.json`, `tokenizer.json` (or
//! `vocab.txt`), `model.safetensors`, and what sentence-transformers writes beside them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::checkpoint::{Checkpoint, DenseTensors, Dims, NormTensors, Tensors};
use super::late::{self, LateInteraction};
use crate::ModelError;

/// What a folder's model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FolderKind {
    /// Sentence vectors: [`crate::SentenceEncoder`].
    Encoder,
    /// Scores of pairs: [`crate::CrossEncoder`].
    CrossEncoder,
    /// Sparse vectors over the vocabulary: [`crate::Splade`].
    SparseEncoder,
    /// A vector a token, for late interaction: [`crate::ColBert`].
    TokenEncoder,
}

impl FolderKind {
    /// Of the model in `folder`, by the class that its configuration names, or by the files that
    /// late-interaction models have beside it.
    ///
    /// # Errors
    /// When there is no configuration of a BERT-type model.
    pub fn of(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join("config.json");
        let config: Architecture = json(&path)?.ok_or_else(|| {
            ModelError::format(folder.display().to_string(), "it has no config.json")
        })?;
        let unfit = |reason: String| ModelError::format(path.display().to_string(), reason);
        if config.model_type.as_deref().is_some_and(|t| t != "bert") {
            return Err(unfit("only models of type `bert` are known".to_owned()));
        }
        let positions = config.position_embedding_type.as_deref();
        if positions.is_some_and(|kind| kind != "absolute") {
            return Err(unfit("only absolute positions are known".to_owned()));
        }
        let class = config.architectures.first();
        let class = class.map_or("BertModel", String::as_str);
        if late::is_late_interaction(folder, class)? {
            return Ok(Self::TokenEncoder);
        }
        match class {
            "BertModel" => Ok(Self::Encoder),
            "BertForSequenceClassification" => Ok(Self::CrossEncoder),
            "BertForMaskedLM" => Ok(Self::SparseEncoder),
            other => Err(unfit(format!("`{other}` is not a known class of models"))),
        }
    }
}

#[derive(Deserialize)]
struct Architecture {
    #[serde(default)]
    architectures: Vec<String>,
    model_type: Option<String>,
    position_embedding_type: Option<String>,
}

/// How the vectors of tokens become the vector of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    Mean,
    Cls,
    Max,
}

/// What stands before texts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Prefixes {
    pub query: String,
    pub passage: String,
}

/// What stands on top of the encoder.
#[derive(Debug)]
pub(crate) enum Head {
    None,
    /// `classifier(tanh(pooler(first token)))`.
    Classifier {
        pooler: DenseTensors,
        classifier: DenseTensors,
    },
    /// `words * norm(gelu(transform(token))) + bias`.
    Vocabulary {
        transform: DenseTensors,
        norm: NormTensors,
        bias: Vec<f32>,
    },
    /// `weights * token + bias`, with what texts are surrounded by.
    Projection(DenseTensors, LateInteraction),
}

/// A model as its folder has it.
#[derive(Debug)]
pub(crate) struct Folder {
    pub model: Checkpoint,
    pub head: Head,
    pub pooling: Pooling,
    pub prefixes: Prefixes,
    /// Weights of query tokens, for models whose queries need no network.
    pub idf: Option<BTreeMap<String, f32>>,
}

/// Longest text of a model that does not say.
const MAX_TOKENS: usize = 512;
/// Files of settings are small.
const MAX_JSON_BYTES: u64 = 256 << 20;

impl Folder {
    pub(crate) fn read(folder: &Path) -> Result<Self, ModelError> {
        let kind = FolderKind::of(folder)?;
        check_modules(folder, kind)?;
        let limit: Option<Limit> = json(&folder.join("sentence_bert_config.json"))?;
        let limit = limit.and_then(|limit| limit.max_seq_length);
        let (model, head) = Checkpoint::read_with(
            folder,
            limit.unwrap_or(MAX_TOKENS),
            vocabulary(folder)?,
            |tensors, dims| read_head(folder, kind, tensors, dims),
        )?;
        Ok(Self {
            model,
            head,
            pooling: pooling(folder)?,
            prefixes: prefixes(folder)?,
            idf: json(&folder.join("idf.json"))?,
        })
    }
}

#[derive(Deserialize)]
struct Limit {
    max_seq_length: Option<usize>,
}

fn read_head(
    folder: &Path,
    kind: FolderKind,
    tensors: &Tensors<'_>,
    dims: Dims,
) -> Result<Head, ModelError> {
    let hidden = dims.hidden;
    Ok(match kind {
        FolderKind::Encoder => Head::None,
        FolderKind::CrossEncoder => {
            let labels = tensors.rows("classifier.weight");
            if labels != 1 {
                let reason = format!("it has {labels} labels; a reranker has one");
                return Err(ModelError::format("the classifier", reason));
            }
            Head::Classifier {
                pooler: tensors.dense("pooler.dense", hidden, hidden)?,
                classifier: tensors.dense("classifier", 1, hidden)?,
            }
        }
        FolderKind::SparseEncoder => Head::Vocabulary {
            transform: tensors.dense("cls.predictions.transform.dense", hidden, hidden)?,
            norm: tensors.norm("cls.predictions.transform.LayerNorm", hidden)?,
            bias: tensors.vector("cls.predictions.bias", dims.vocabulary)?,
        },
        FolderKind::TokenEncoder => {
            let settings = LateInteraction::read(folder)?;
            let projection = late::projection(folder, tensors, hidden)?;
            Head::Projection(projection, settings)
        }
    })
}

/// The file's content; `None` when it is not there.
pub(super) fn json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ModelError> {
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(ModelError::io(path)(e)),
    };
    let what = || path.display().to_string();
    if length > MAX_JSON_BYTES {
        return Err(ModelError::format(what(), "it is larger than 256 MB"));
    }
    let text = fs::read_to_string(path).map_err(ModelError::io(path))?;
    let value = serde_json::from_str(&text);
    value.map_err(|error| ModelError::format(what(), error.to_string()))
}

#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
}

/// Names of the steps that sentence-transformers takes, in order; none without its file.
pub(super) fn steps(folder: &Path) -> Result<Vec<String>, ModelError> {
    let modules: Vec<Module> = json(&folder.join("modules.json"))?.unwrap_or_default();
    Ok(modules.into_iter().map(|module| module.kind).collect())
}

/// The last part of a step's name.
pub(super) fn step_name(step: &str) -> &str {
    step.rsplit('.').next().unwrap_or_default()
}

/// Refuses steps behind the encoder that are not known, rather than leaving them out.
fn check_modules(folder: &Path, kind: FolderKind) -> Result<(), ModelError> {
    let known = [
        "Transformer",
        "Pooling",
        "Normalize",
        "MLMTransformer",
        "SpladePooling",
    ];
    let is_known = |step: &String| {
        let name = step_name(step);
        known.contains(&name) || (kind == FolderKind::TokenEncoder && name == "Dense")
    };
    match steps(folder)?.iter().find(|step| !is_known(step)) {
        None => Ok(()),
        Some(step) => {
            let what = folder.join("modules.json").display().to_string();
            Err(ModelError::format(
                what,
                format!("`{step}` is not a known step"),
            ))
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PoolingConfig {
    pooling_mode_cls_token: bool,
    pooling_mode_mean_tokens: bool,
    pooling_mode_max_tokens: bool,
}

fn pooling(folder: &Path) -> Result<Pooling, ModelError> {
    let path = folder.join("1_Pooling/config.json");
    let Some(config) = json::<PoolingConfig>(&path)? else {
        return Ok(Pooling::Mean);
    };
    let modes = [
        (config.pooling_mode_cls_token, Pooling::Cls),
        (config.pooling_mode_mean_tokens, Pooling::Mean),
        (config.pooling_mode_max_tokens, Pooling::Max),
    ];
    let mut chosen = modes
        .into_iter()
        .filter(|(on, _)| *on)
        .map(|(_, mode)| mode);
    match (chosen.next(), chosen.next()) {
        (Some(mode), None) => Ok(mode),
        _ => Err(ModelError::format(
            path.display().to_string(),
            "only one of the poolings cls, mean and max is known",
        )),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Prompts {
    prompts: BTreeMap<String, String>,
}

/// Prefixes as sentence-transformers names them; `indago.json` beside them goes first.
fn prefixes(folder: &Path) -> Result<Prefixes, ModelError> {
    if let Some(own) = json::<Prefixes>(&folder.join(OWN_SETTINGS))? {
        return Ok(own);
    }
    let config: Prompts =
        json(&folder.join("config_sentence_transformers.json"))?.unwrap_or_default();
    let first = |names: &[&str]| {
        let found = names.iter().find_map(|name| config.prompts.get(*name));
        found.cloned().unwrap_or_default()
    };
    Ok(Prefixes {
        query: first(&["query"]),
        passage: first(&["passage", "document", "corpus"]),
    })
}

/// File with what a user says of a model: `query` and `passage`, the prefixes.
pub(crate) const OWN_SETTINGS: &str = "indago.json";

#[derive(Deserialize)]
struct TokenizerFile {
    model: TokenizerModel,
    normalizer: Option<Normalizer>,
}

#[derive(Deserialize)]
struct TokenizerModel {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    vocab: serde_json::Value,
}

#[derive(Deserialize)]
struct Normalizer {
    lowercase: Option<bool>,
}

/// The word pieces, one a line, by id.
fn vocabulary(folder: &Path) -> Result<String, ModelError> {
    let path = folder.join("tokenizer.json");
    let unfit = |reason: &str| ModelError::format(path.display().to_string(), reason);
    let Some(file) = json::<TokenizerFile>(&path)? else {
        let path = folder.join("vocab.txt");
        return fs::read_to_string(&path).map_err(ModelError::io(&path));
    };
    if file
        .model
        .kind
        .as_deref()
        .is_some_and(|kind| kind != "WordPiece")
    {
        return Err(unfit("only WordPiece tokenizers are known"));
    }
    if file.normalizer.and_then(|n| n.lowercase) == Some(false) {
        return Err(unfit("only uncased models are known"));
    }
    let vocab: BTreeMap<String, usize> =
        serde_json::from_value(file.model.vocab).map_err(|e| unfit(&e.to_string()))?;
    let mut pieces = vec![None; vocab.len()];
    for (piece, id) in &vocab {
        let slot = pieces.get_mut(*id).filter(|slot| slot.is_none());
        let slot = slot.ok_or_else(|| unfit("ids of pieces have gaps"))?;
        if piece.contains('\n') {
            return Err(unfit("a piece holds a line break"));
        }
        *slot = Some(piece.as_str());
    }
    Ok(pieces.into_iter().flatten().collect::<Vec<_>>().join("\n"))
}
