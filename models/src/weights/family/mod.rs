//! What differs between the families of BERT-type models: how their files call things, what their
//! layers are made of, and how texts are framed. A new family is one more entry of [`table`].

mod table;

use super::config::Config;
use super::folder::FolderKind;
pub(crate) use table::BERT;

/// One family.
#[derive(Debug)]
pub(crate) struct Family {
    /// `model_type` in its configurations.
    types: &'static [&'static str],
    /// What class names begin with.
    classes: &'static [&'static str],
    /// What tensors of its encoder may be under in files that hold a head too.
    pub prefixes: &'static [&'static str],
    pub embeddings: EmbeddingNames,
    pub layer: LayerNames,
    /// Whether positions begin behind that of padding, as fairseq numbers them.
    counts_from_padding: bool,
    /// Name of the weights by which attention depends on the distance of two tokens.
    pub distances: Option<&'static str>,
    /// Whether what a distance adds to attention depends on what stands at its ends.
    pub is_disentangled: bool,
    /// Where positions turn queries and keys instead of being added to words.
    pub rotary: Option<Rotary>,
    /// Where one half of the wide layer's values is multiplied with the other.
    pub gate: Option<Gate>,
    /// Names that configurations have for the activation.
    pub activations: &'static [&'static str],
    /// The norm behind the last layer, where a layer's own come before its parts (Xiong et al., ICML
    /// 2020, "Pre-LN") and the first layer's input has that of the embeddings.
    pub last_norm: Option<&'static str>,
    /// Whether some of its models have layers without biases.
    pub lacks_biases: bool,
    pub classifier: ClassifierNames,
    pub vocabulary: VocabularyNames,
    /// What its tokenizers put around texts: the first that a tokenizer has the tokens of.
    pub frames: &'static [Frame],
}

/// Names of what tokens enter the first layer as.
#[derive(Debug)]
pub(crate) struct EmbeddingNames {
    pub words: &'static str,
    pub norm: &'static str,
    pub types: Types,
}

/// Whether tokens of a first and a second text have vectors of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Types {
    None,
    Stored,
    /// In some of the family's models.
    IfStored,
}

/// Names of a layer's parts, behind [`Self::at`] and the layer's number.
#[derive(Debug)]
pub(crate) struct LayerNames {
    pub at: &'static str,
    /// Query, key and value, or one name of all three.
    pub qkv: &'static [&'static str],
    pub out: &'static str,
    /// The norm of what enters the wide layer.
    pub out_norm: &'static str,
    /// The wide layer, in one or more parts.
    pub up: &'static [&'static str],
    pub down: &'static str,
    /// The norm of what leaves the layer, or with [`Family::last_norm`] of what enters the layer of
    /// that number.
    pub down_norm: &'static str,
}

/// Rotary positions of models that do not say more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rotary {
    /// How much slower each pair of values turns.
    pub base: f32,
    /// The same in layers that look at near tokens only, in families that have some.
    pub local_base: Option<f32>,
}

/// A gated layer (Shazeer 2020, "GLU variants improve transformer").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gate {
    /// What the gate's half goes through.
    pub activation: Activation,
    pub order: Order,
}

/// Which half of a gated layer's values is the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    GateFirst,
    GateLast,
}

/// Names of the layers that make a score of the first token or of the mean of all, and what is between
/// them.
#[derive(Debug)]
pub(crate) struct ClassifierNames {
    pub pooler: &'static str,
    pub activation: Activation,
    pub norm: Option<&'static str>,
    pub classifier: &'static str,
}

/// Names of the layers that make a weight for each piece of the vocabulary.
#[derive(Debug)]
pub(crate) struct VocabularyNames {
    pub transform: &'static str,
    pub norm: &'static str,
    pub bias: &'static str,
}

/// What stands around texts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// The tokens before and behind a text.
    pub around: (&'static str, &'static str),
    /// End tokens between two texts.
    pub between: usize,
}

/// What values go through between two layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    Tanh,
    Relu,
    Gelu,
    Silu,
}

/// Settings under which a model computes something else than is known here.
const NOT_KNOWN: [&str; 9] = [
    "causal",
    "conv_kernel_size",
    "logn_attention_scale",
    "num_experts",
    "parallel_block",
    "prenorm",
    "rotary_emb_interleaved",
    "rotary_emb_scale_base",
    "use_rms_norm",
];

impl Family {
    /// The family that a configuration names; BERT's where it names none.
    ///
    /// # Errors
    /// Why the model cannot be used.
    pub(super) fn of(config: &Config) -> Result<&'static Self, String> {
        let name = config.get::<String>(&["model_type"])?;
        let name = name.as_deref().unwrap_or("bert");
        let families = &table::FAMILIES;
        let family = families.iter().find(|family| family.types.contains(&name));
        let family = family.ok_or_else(|| {
            let known: Vec<&str> = families.iter().flat_map(|f| f.types).copied().collect();
            let known = known.join(", ");
            format!("models of type `{name}` are not known, only of {known}")
        })?;
        let positions = config.get::<String>(&["position_embedding_type"])?;
        let absolute = |kind: &str| kind == "absolute" || family.rotary.is_some() && kind == "rope";
        if positions.is_some_and(|kind| !absolute(&kind)) {
            return Err("only absolute and rotary positions are known".to_owned());
        }
        let hidden = config.get::<usize>(&["hidden_size"])?;
        let words = config.get::<usize>(&["embedding_size"])?;
        if words.is_some() && words != hidden {
            return Err("only embeddings as wide as the layers are known".to_owned());
        }
        match NOT_KNOWN.iter().find(|name| config.is_on(name)) {
            Some(name) => Err(format!("models with `{name}` are not known")),
            None => Ok(family),
        }
    }

    /// The class that the configuration names, without the family's name: `Model` and the like.
    pub(super) fn class<'c>(&self, config: &'c Config) -> &'c str {
        let class = config.class().unwrap_or("Model");
        let stripped = self
            .classes
            .iter()
            .find_map(|name| class.strip_prefix(name));
        stripped.unwrap_or(class)
    }

    /// Positions before that of the first token.
    ///
    /// # Errors
    /// When the configuration has something else than a number there.
    pub(super) fn first_position(&self, config: &Config) -> Result<usize, String> {
        if !self.counts_from_padding {
            return Ok(0);
        }
        let padding = config.get::<usize>(&["pad_token_id"])?;
        Ok(padding.unwrap_or(1).saturating_add(1))
    }

    /// Whether its layers are those of the first BERT, which GPUs compute too.
    pub(super) fn has_plain_layers(&self) -> bool {
        self.distances.is_none()
            && self.rotary.is_none()
            && self.gate.is_none()
            && !self.is_disentangled
    }
}

/// What the class `class` of a family is for.
pub(super) fn kind_of(class: &str) -> Option<FolderKind> {
    match class {
        "Model" => Some(FolderKind::Encoder),
        "ForSequenceClassification" => Some(FolderKind::CrossEncoder),
        "ForMaskedLM" => Some(FolderKind::SparseEncoder),
        _ => None,
    }
}
