//! What differs between the families of BERT-type models: how their files call things, and how texts
//! are framed. A new family is one more entry of [`FAMILIES`].

use serde::Deserialize;

use super::folder::FolderKind;
use crate::tokenizer::WordPiece;

/// One family.
#[derive(Debug)]
pub(crate) struct Family {
    /// `model_type` in its configurations.
    types: &'static [&'static str],
    /// What class names begin with.
    classes: &'static [&'static str],
    /// What tensors of its encoder are under in files that hold a head too.
    pub prefix: &'static str,
    pub layer: LayerNames,
    /// Whether tokens of a first and a second text have vectors of their own.
    pub has_types: bool,
    /// Whether positions begin behind that of padding, as fairseq numbers them.
    counts_from_padding: bool,
    pub classifier: ClassifierNames,
    pub vocabulary: VocabularyNames,
    /// The tokens before and behind a text.
    pub frame: (&'static str, &'static str),
    /// End tokens between two texts.
    pub between: usize,
    /// Name of the weights by which attention depends on the distance of two tokens.
    pub distances: Option<&'static str>,
}

/// Names of a layer's parts, behind [`Self::at`] and the layer's number.
#[derive(Debug)]
pub(crate) struct LayerNames {
    pub at: &'static str,
    /// Query, key and value.
    pub qkv: [&'static str; 3],
    pub out: &'static str,
    pub out_norm: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    pub down_norm: &'static str,
}

/// Names of the layers that make a score of the first token, and what is between them.
#[derive(Debug)]
pub(crate) struct ClassifierNames {
    pub pooler: &'static str,
    pub activation: Activation,
    pub classifier: &'static str,
}

/// Names of the layers that make a weight for each piece of the vocabulary.
#[derive(Debug)]
pub(crate) struct VocabularyNames {
    pub transform: &'static str,
    pub norm: &'static str,
    pub bias: &'static str,
}

/// What a pooled token goes through before the classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    Tanh,
    Relu,
    Gelu,
}

const BERT_LAYER: LayerNames = LayerNames {
    at: "encoder.layer",
    qkv: [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
    ],
    out: "attention.output.dense",
    out_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    down_norm: "output.LayerNorm",
};

const BERT_VOCABULARY: VocabularyNames = VocabularyNames {
    transform: "cls.predictions.transform.dense",
    norm: "cls.predictions.transform.LayerNorm",
    bias: "cls.predictions.bias",
};

const FAIRSEQ_CLASSIFIER: ClassifierNames = ClassifierNames {
    pooler: "classifier.dense",
    activation: Activation::Tanh,
    classifier: "classifier.out_proj",
};

const FAIRSEQ_VOCABULARY: VocabularyNames = VocabularyNames {
    transform: "lm_head.dense",
    norm: "lm_head.layer_norm",
    bias: "lm_head.bias",
};

const TAGS: (&str, &str) = ("<s>", "</s>");

/// BERT (Devlin et al., NAACL 2019), cased and uncased, and what was trained from it: MiniLM, E5,
/// BGE, GTE.
pub(crate) const BERT: Family = Family {
    types: &["bert"],
    classes: &["Bert"],
    prefix: "bert",
    layer: BERT_LAYER,
    has_types: true,
    counts_from_padding: false,
    classifier: ClassifierNames {
        pooler: "pooler.dense",
        activation: Activation::Tanh,
        classifier: "classifier",
    },
    vocabulary: BERT_VOCABULARY,
    frame: WordPiece::FRAME,
    between: 1,
    distances: None,
};

/// Every family that is known.
static FAMILIES: [Family; 5] = [
    BERT,
    // RoBERTa (Liu et al. 2019) and XLM-R (Conneau et al., ACL 2020): multilingual E5, BGE-M3.
    Family {
        types: &["roberta", "xlm-roberta", "camembert"],
        classes: &["Roberta", "XLMRoberta", "Camembert"],
        prefix: "roberta",
        layer: BERT_LAYER,
        has_types: true,
        counts_from_padding: true,
        classifier: FAIRSEQ_CLASSIFIER,
        vocabulary: FAIRSEQ_VOCABULARY,
        frame: TAGS,
        between: 2,
        distances: None,
    },
    // MPNet (Song et al., NeurIPS 2020).
    Family {
        types: &["mpnet"],
        classes: &["MPNet"],
        prefix: "mpnet",
        layer: LayerNames {
            at: "encoder.layer",
            qkv: ["attention.attn.q", "attention.attn.k", "attention.attn.v"],
            out: "attention.attn.o",
            out_norm: "attention.LayerNorm",
            up: "intermediate.dense",
            down: "output.dense",
            down_norm: "output.LayerNorm",
        },
        has_types: false,
        counts_from_padding: true,
        classifier: FAIRSEQ_CLASSIFIER,
        vocabulary: FAIRSEQ_VOCABULARY,
        frame: TAGS,
        between: 2,
        distances: Some("encoder.relative_attention_bias.weight"),
    },
    // DistilBERT (Sanh et al. 2019).
    Family {
        types: &["distilbert"],
        classes: &["DistilBert"],
        prefix: "distilbert",
        layer: LayerNames {
            at: "transformer.layer",
            qkv: ["attention.q_lin", "attention.k_lin", "attention.v_lin"],
            out: "attention.out_lin",
            out_norm: "sa_layer_norm",
            up: "ffn.lin1",
            down: "ffn.lin2",
            down_norm: "output_layer_norm",
        },
        has_types: false,
        counts_from_padding: false,
        classifier: ClassifierNames {
            pooler: "pre_classifier",
            activation: Activation::Relu,
            classifier: "classifier",
        },
        vocabulary: VocabularyNames {
            transform: "vocab_transform",
            norm: "vocab_layer_norm",
            bias: "vocab_projector.bias",
        },
        frame: WordPiece::FRAME,
        between: 1,
        distances: None,
    },
    // ELECTRA's discriminators (Clark et al., ICLR 2020) whose embeddings are as wide as their layers.
    Family {
        types: &["electra"],
        classes: &["Electra"],
        prefix: "electra",
        layer: BERT_LAYER,
        has_types: true,
        counts_from_padding: false,
        classifier: ClassifierNames {
            pooler: "classifier.dense",
            activation: Activation::Gelu,
            classifier: "classifier.out_proj",
        },
        vocabulary: BERT_VOCABULARY,
        frame: WordPiece::FRAME,
        between: 1,
        distances: None,
    },
];

/// The part of a configuration that says which family a model is of.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Architecture {
    pub architectures: Vec<String>,
    model_type: Option<String>,
    position_embedding_type: Option<String>,
    hidden_size: Option<usize>,
    embedding_size: Option<usize>,
    pad_token_id: Option<usize>,
}

impl Architecture {
    /// The family; of BERT's where nothing is said.
    ///
    /// # Errors
    /// Why the model cannot be used.
    pub(super) fn family(&self) -> Result<&'static Family, String> {
        let name = self.model_type.as_deref().unwrap_or("bert");
        let family = FAMILIES.iter().find(|family| family.types.contains(&name));
        let family = family.ok_or_else(|| {
            let known: Vec<&str> = FAMILIES.iter().flat_map(|f| f.types).copied().collect();
            format!(
                "models of type `{name}` are not known, only of {}",
                known.join(", ")
            )
        })?;
        let positions = self.position_embedding_type.as_deref();
        if positions.is_some_and(|kind| kind != "absolute") {
            return Err("only absolute positions are known".to_owned());
        }
        if self
            .embedding_size
            .is_some_and(|size| Some(size) != self.hidden_size)
        {
            return Err("only embeddings as wide as the layers are known".to_owned());
        }
        Ok(family)
    }

    /// The class that the configuration names, without the family's name: `Model` and the like.
    pub(super) fn class(&self, family: &Family) -> &str {
        let class = self.architectures.first().map_or("Model", String::as_str);
        let stripped = family
            .classes
            .iter()
            .find_map(|name| class.strip_prefix(name));
        stripped.unwrap_or(class)
    }

    /// Positions before that of the first token.
    pub(super) fn first_position(&self, family: &Family) -> usize {
        if family.counts_from_padding {
            self.pad_token_id.unwrap_or(1).saturating_add(1)
        } else {
            0
        }
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
