//! Every family that is known.

use super::{
    Activation, ClassifierNames, EmbeddingNames, Family, Frame, Gate, LayerNames, Order, Rotary,
    Types, VocabularyNames,
};
use crate::tokenizer::WordPiece;

const BERT_FRAME: Frame = Frame {
    around: WordPiece::FRAME,
    between: 1,
};
const TAGS: Frame = Frame {
    around: ("<s>", "</s>"),
    between: 2,
};

const BERT_EMBEDDINGS: EmbeddingNames = EmbeddingNames {
    words: "embeddings.word_embeddings",
    norm: "embeddings.LayerNorm",
    types: Types::Stored,
};

const BERT_LAYER: LayerNames = LayerNames {
    at: "encoder.layer",
    qkv: &[
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
    ],
    out: "attention.output.dense",
    out_norm: "attention.output.LayerNorm",
    up: &["intermediate.dense"],
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
    norm: None,
    classifier: "classifier.out_proj",
};

const FAIRSEQ_VOCABULARY: VocabularyNames = VocabularyNames {
    transform: "lm_head.dense",
    norm: "lm_head.layer_norm",
    bias: "lm_head.bias",
};

/// BERT (Devlin et al., NAACL 2019), cased and uncased, and what was trained from it: MiniLM, E5,
/// BGE, GTE.
pub(crate) const BERT: Family = Family {
    types: &["bert"],
    classes: &["Bert"],
    prefixes: &["bert"],
    embeddings: BERT_EMBEDDINGS,
    layer: BERT_LAYER,
    counts_from_padding: false,
    distances: None,
    is_disentangled: false,
    rotary: None,
    gate: None,
    activations: &["gelu"],
    last_norm: None,
    lacks_biases: false,
    classifier: ClassifierNames {
        pooler: "pooler.dense",
        activation: Activation::Tanh,
        norm: None,
        classifier: "classifier",
    },
    vocabulary: BERT_VOCABULARY,
    frames: &[BERT_FRAME],
};

/// RoBERTa (Liu et al. 2019) and XLM-R (Conneau et al., ACL 2020): multilingual E5, BGE-M3.
const ROBERTA: Family = Family {
    types: &["roberta", "xlm-roberta", "camembert"],
    classes: &["Roberta", "XLMRoberta", "Camembert"],
    prefixes: &["roberta"],
    counts_from_padding: true,
    classifier: FAIRSEQ_CLASSIFIER,
    vocabulary: FAIRSEQ_VOCABULARY,
    frames: &[TAGS],
    ..BERT
};

/// MPNet (Song et al., NeurIPS 2020).
const MPNET: Family = Family {
    types: &["mpnet"],
    classes: &["MPNet"],
    prefixes: &["mpnet"],
    embeddings: EmbeddingNames {
        types: Types::None,
        ..BERT_EMBEDDINGS
    },
    layer: LayerNames {
        qkv: &["attention.attn.q", "attention.attn.k", "attention.attn.v"],
        out: "attention.attn.o",
        out_norm: "attention.LayerNorm",
        ..BERT_LAYER
    },
    distances: Some("encoder.relative_attention_bias.weight"),
    ..ROBERTA
};

/// DistilBERT (Sanh et al. 2019).
const DISTILBERT: Family = Family {
    types: &["distilbert"],
    classes: &["DistilBert"],
    prefixes: &["distilbert"],
    embeddings: EmbeddingNames {
        types: Types::None,
        ..BERT_EMBEDDINGS
    },
    layer: LayerNames {
        at: "transformer.layer",
        qkv: &["attention.q_lin", "attention.k_lin", "attention.v_lin"],
        out: "attention.out_lin",
        out_norm: "sa_layer_norm",
        up: &["ffn.lin1"],
        down: "ffn.lin2",
        down_norm: "output_layer_norm",
    },
    classifier: ClassifierNames {
        pooler: "pre_classifier",
        activation: Activation::Relu,
        norm: None,
        classifier: "classifier",
    },
    vocabulary: VocabularyNames {
        transform: "vocab_transform",
        norm: "vocab_layer_norm",
        bias: "vocab_projector.bias",
    },
    ..BERT
};

/// ELECTRA's discriminators (Clark et al., ICLR 2020) whose embeddings are as wide as their layers.
const ELECTRA: Family = Family {
    types: &["electra"],
    classes: &["Electra"],
    prefixes: &["electra"],
    classifier: ClassifierNames {
        activation: Activation::Gelu,
        ..FAIRSEQ_CLASSIFIER
    },
    ..BERT
};

/// ModernBERT (Warner et al. 2024): its own models for retrieval, GTE's and Nomic's later ones.
const MODERNBERT: Family = Family {
    types: &["modernbert"],
    classes: &["ModernBert"],
    prefixes: &["model"],
    embeddings: EmbeddingNames {
        words: "embeddings.tok_embeddings",
        norm: "embeddings.norm",
        types: Types::None,
    },
    layer: LayerNames {
        at: "layers",
        qkv: &["attn.Wqkv"],
        out: "attn.Wo",
        out_norm: "mlp_norm",
        up: &["mlp.Wi"],
        down: "mlp.Wo",
        down_norm: "attn_norm",
    },
    rotary: Some(Rotary {
        base: 160_000.0,
        local_base: Some(10_000.0),
    }),
    gate: Some(Gate {
        activation: Activation::Gelu,
        order: Order::GateFirst,
    }),
    last_norm: Some("final_norm"),
    lacks_biases: true,
    classifier: ClassifierNames {
        pooler: "head.dense",
        activation: Activation::Gelu,
        norm: Some("head.norm"),
        classifier: "classifier",
    },
    vocabulary: VocabularyNames {
        transform: "head.dense",
        norm: "head.norm",
        bias: "decoder.bias",
    },
    ..BERT
};

/// GTE 1.5 and its multilingual models (Zhang et al., EMNLP 2024, "mGTE"), Snowflake's second.
const GTE: Family = Family {
    types: &["gte", "new"],
    classes: &["Gte", "New"],
    prefixes: &["new", "gte"],
    embeddings: EmbeddingNames {
        types: Types::IfStored,
        ..BERT_EMBEDDINGS
    },
    layer: LayerNames {
        qkv: &["attention.qkv_proj"],
        out: "attention.o_proj",
        out_norm: "attn_ln",
        up: &["mlp.up_gate_proj"],
        down: "mlp.down_proj",
        down_norm: "mlp_ln",
        ..BERT_LAYER
    },
    rotary: Some(Rotary {
        base: 10_000.0,
        local_base: None,
    }),
    gate: Some(Gate {
        activation: Activation::Gelu,
        order: Order::GateLast,
    }),
    lacks_biases: true,
    vocabulary: VocabularyNames {
        transform: "lm_head.dense",
        norm: "lm_head.norm",
        bias: "lm_head.decoder.bias",
    },
    // English ones have BERT's pieces, the others XLM-R's.
    frames: &[BERT_FRAME, TAGS],
    ..BERT
};

/// Nomic's BERT (Nussbaum et al. 2024): nomic-embed-text 1 and 1.5.
const NOMIC: Family = Family {
    types: &["nomic_bert"],
    classes: &["NomicBert"],
    prefixes: &["bert", "nomic_bert"],
    embeddings: EmbeddingNames {
        norm: "emb_ln",
        types: Types::IfStored,
        ..BERT_EMBEDDINGS
    },
    layer: LayerNames {
        at: "encoder.layers",
        qkv: &["attn.Wqkv"],
        out: "attn.out_proj",
        out_norm: "norm1",
        up: &["mlp.fc12", "mlp.fc11"],
        down: "mlp.fc2",
        down_norm: "norm2",
    },
    rotary: Some(Rotary {
        base: 10_000.0,
        local_base: None,
    }),
    gate: Some(Gate {
        activation: Activation::Silu,
        order: Order::GateFirst,
    }),
    activations: &["swiglu", "silu"],
    lacks_biases: true,
    vocabulary: VocabularyNames {
        transform: "cls.predictions.transform.dense",
        norm: "cls.predictions.transform.layer_norm",
        bias: "cls.predictions.decoder.bias",
    },
    ..BERT
};

/// DeBERTa's second and third version (He et al., ICLR 2021 and 2023): rerankers, entailment.
const DEBERTA: Family = Family {
    types: &["deberta-v2"],
    classes: &["DebertaV2"],
    prefixes: &["deberta"],
    embeddings: EmbeddingNames {
        types: Types::IfStored,
        ..BERT_EMBEDDINGS
    },
    layer: LayerNames {
        qkv: &[
            "attention.self.query_proj",
            "attention.self.key_proj",
            "attention.self.value_proj",
        ],
        ..BERT_LAYER
    },
    is_disentangled: true,
    classifier: ClassifierNames {
        activation: Activation::Gelu,
        ..BERT.classifier
    },
    ..BERT
};

pub(super) static FAMILIES: [Family; 9] = [
    BERT, ROBERTA, MPNET, DISTILBERT, ELECTRA, MODERNBERT, GTE, NOMIC, DEBERTA,
];
