//! A published BERT-type model of any family, size and head: `config.json`, `tokenizer.json` (or
//! `vocab.txt`), `model.safetensors`, and what sentence-transformers writes beside them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, Dims};
use super::config::Config;
use super::family::{Activation, Family, kind_of};
use super::late::{self, LateInteraction};
use super::tensors::{DenseTensors, NormTensors, Tensors};
use crate::ModelError;
use crate::tokenizer::Tokenizer;

/// What a folder's model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
    /// Of the model in `folder`: by the files that late-interaction models have beside it, and else by
    /// the class that its configuration names. That of `ForMaskedLM` is a sentence encoder where the
    /// files state that it pools: published ones often name the class that they were trained from,
    /// as `all-mpnet-base-v2` does `MPNetForMaskedLM`.
    ///
    /// # Errors
    /// When there is no configuration of a BERT-type model.
    pub fn of(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join("config.json");
        let (config, family) = architecture(folder)?;
        let class = family.class(&config);
        if late::is_late_interaction(folder, config.class())? {
            return Ok(Self::TokenEncoder);
        }
        let pools = |step: &String| step_name(step) == "Pooling";
        if class == "ForMaskedLM" && steps(folder)?.iter().any(pools) {
            return Ok(Self::Encoder);
        }
        kind_of(class).ok_or_else(|| {
            let reason = format!(
                "`{class}` is not a known class of models; known are Model, \
                 ForSequenceClassification and ForMaskedLM"
            );
            ModelError::format(path.display().to_string(), reason)
        })
    }
}

/// Whether the model in `folder` is of a kind that GPUs compute too; others run on the CPU.
pub fn runs_on_devices(folder: &Path) -> bool {
    let Ok((_, family)) = architecture(folder) else {
        return false;
    };
    let in_full = own_settings(folder).is_ok_and(|own| own.precision != Some(Precision::Int8));
    let scores = FolderKind::of(folder).is_ok_and(|kind| kind == FolderKind::CrossEncoder);
    in_full
        && family.has_plain_layers()
        && (!scores || family.classifier.activation == Activation::Tanh)
}

/// A model's configuration, and the family it is of.
fn architecture(folder: &Path) -> Result<(Config, &'static Family), ModelError> {
    let config = Config::read(folder)?;
    let family = Family::of(&config).map_err(|reason| unfit(folder, reason))?;
    Ok((config, family))
}

/// What is wrong with the configuration of a folder.
fn unfit(folder: &Path, reason: String) -> ModelError {
    ModelError::format(folder.join("config.json").display().to_string(), reason)
}

/// How the vectors of tokens become the vector of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pooling {
    Mean,
    Cls,
    Max,
}

/// In what the linear layers of a folder's model are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// As the model is published.
    #[default]
    F32,
    /// Weights, word vectors and activations in 8 bits: about twice as fast or more, in less than half
    /// of the memory, and nearly the same vectors (`docs/guide/encoders.md`).
    Int8,
}

impl std::str::FromStr for Precision {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "f32" => Ok(Self::F32),
            "int8" => Ok(Self::Int8),
            _ => Err("known are f32 and int8".to_owned()),
        }
    }
}

/// What stands before texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prefixes {
    pub query: String,
    pub passage: String,
}

/// What stands on top of the encoder.
#[derive(Debug)]
pub(crate) enum Head {
    None,
    /// `classifier(norm(activation(pooler(token))))` of the first token or of the mean of all.
    Classifier {
        of: Pooling,
        pooler: DenseTensors,
        activation: Activation,
        norm: Option<NormTensors>,
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
    pub tokenizer: Tokenizer,
    /// End tokens between two texts.
    pub between: usize,
    pub head: Head,
    pub pooling: Pooling,
    pub prefixes: Prefixes,
    pub precision: Precision,
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
        let (config, family) = architecture(folder)?;
        let own = own_settings(folder)?;
        let path = folder.join("sentence_bert_config.json");
        let texts: Texts = json(&path)?.unwrap_or_default();
        let around: Vec<_> = family.frames.iter().map(|frame| frame.around).collect();
        let tokenizer = Tokenizer::read(folder, &around)?;
        let begin = Some(tokenizer.begin());
        let mut frames = family.frames.iter();
        let frame = frames.find(|frame| tokenizer.id(frame.around.0) == begin);
        if texts.do_lower_case == Some(true) && !tokenizer.is_uncased() {
            let reason = "it puts texts in lower case, which is known of uncased word pieces only";
            return Err(ModelError::format(path.display().to_string(), reason));
        }
        let (model, head) = Checkpoint::read_with(
            folder,
            &config,
            family,
            texts.max_seq_length.unwrap_or(MAX_TOKENS),
            |tensors, dims| read_head(folder, kind, (&config, family), tensors, dims),
        )?;
        Ok(Self {
            model,
            tokenizer,
            between: frame.map_or(1, |frame| frame.between),
            head,
            pooling: pooling(folder)?,
            prefixes: prefixes(folder, &own)?,
            precision: own.precision.unwrap_or_default(),
            idf: json(&folder.join("idf.json"))?,
        })
    }
}

/// What sentence-transformers does to texts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Texts {
    max_seq_length: Option<usize>,
    do_lower_case: Option<bool>,
}

fn read_head(
    folder: &Path,
    kind: FolderKind,
    (config, family): (&Config, &Family),
    tensors: &Tensors,
    dims: Dims,
) -> Result<Head, ModelError> {
    let hidden = dims.hidden;
    Ok(match kind {
        FolderKind::Encoder => Head::None,
        FolderKind::CrossEncoder => {
            let names = &family.classifier;
            let labels = tensors.rows(&format!("{}.weight", names.classifier));
            if labels != 1 {
                let reason = format!("it has {labels} labels; a reranker has one");
                return Err(ModelError::format("the classifier", reason));
            }
            let norm = names.norm.map(|norm| tensors.norm(norm, hidden));
            Head::Classifier {
                of: scored(config).map_err(|reason| unfit(folder, reason))?,
                pooler: tensors.dense(names.pooler, hidden, hidden)?,
                activation: names.activation,
                norm: norm.transpose()?,
                classifier: tensors.dense(names.classifier, 1, hidden)?,
            }
        }
        FolderKind::SparseEncoder => Head::Vocabulary {
            transform: tensors.dense(family.vocabulary.transform, hidden, hidden)?,
            norm: tensors.norm(family.vocabulary.norm, hidden)?,
            bias: tensors.bias(family.vocabulary.bias, dims.vocabulary)?,
        },
        FolderKind::TokenEncoder => {
            let settings = LateInteraction::read(folder)?;
            let projection = late::projection(folder, tensors, hidden)?;
            Head::Projection(projection, settings)
        }
    })
}

/// Which tokens a classifier sees.
fn scored(config: &Config) -> Result<Pooling, String> {
    let activation = config.get::<String>(&["classifier_activation"])?;
    if activation.is_some_and(|name| name != "gelu") {
        return Err("only classifiers with the activation `gelu` are known".to_owned());
    }
    match config.get::<String>(&["classifier_pooling"])?.as_deref() {
        None | Some("cls") => Ok(Pooling::Cls),
        Some("mean") => Ok(Pooling::Mean),
        Some(other) => Err(format!("classifiers with pooling `{other}` are not known")),
    }
}

/// The bytes of a file of settings; `None` when it is not there.
pub(crate) fn settings(path: &Path) -> Result<Option<Vec<u8>>, ModelError> {
    let length = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(ModelError::io(path)(e)),
    };
    if length > MAX_JSON_BYTES {
        let what = path.display().to_string();
        return Err(ModelError::format(what, "it is larger than 256 MB"));
    }
    fs::read(path).map(Some).map_err(ModelError::io(path))
}

/// The content of a file of settings; `None` when it is not there.
pub(crate) fn json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ModelError> {
    let Some(bytes) = settings(path)? else {
        return Ok(None);
    };
    let value = serde_json::from_slice(&bytes);
    value.map_err(|error| ModelError::format(path.display().to_string(), error.to_string()))
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

/// Prefixes as sentence-transformers names them; the user's go first.
fn prefixes(folder: &Path, own: &OwnSettings) -> Result<Prefixes, ModelError> {
    if own.query.is_some() || own.passage.is_some() {
        let text = |prefix: &Option<String>| prefix.clone().unwrap_or_default();
        return Ok(Prefixes {
            query: text(&own.query),
            passage: text(&own.passage),
        });
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

/// What a user says of a model, in [`OWN_SETTINGS`] beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OwnSettings {
    /// What stands before passages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passage: Option<String>,
    /// In what it is computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// What stands before queries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
}

/// The file of [`OwnSettings`].
pub(crate) const OWN_SETTINGS: &str = "indago.json";

/// What the user says of the model in `folder`; nothing without the file.
pub(crate) fn own_settings(folder: &Path) -> Result<OwnSettings, ModelError> {
    Ok(json(&folder.join(OWN_SETTINGS))?.unwrap_or_default())
}
