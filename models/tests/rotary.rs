//! BERT's successors with rotary positions and gated layers against transformers, on tiny random
//! checkpoints (`tiny/make_rotary.py`).
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod tiny;
#[path = "tiny/vectors.rs"]
mod vectors;

use indago_core::Cancel;
use indago_core::ports::{Encoder, Role, TokenEncoder};
use indago_models::{ColBert, CrossEncoder, FolderKind, SentenceEncoder, Splade, runs_on_devices};
use serde_json::{Value, json};
use tiny::{
    close, expected, floats, folder, scores_are_those_of_transformers, texts,
    weights_are_those_of_transformers,
};
use vectors::{vectors_are_those_of_transformers, with_settings};

#[test]
fn vectors_of_a_modernbert_some_of_whose_layers_look_at_near_tokens() {
    vectors_are_those_of_transformers(&folder("modernbert"), "modernbert");
}

#[test]
fn vectors_of_a_gte() {
    vectors_are_those_of_transformers(&folder("gte"), "gte");
}

#[test]
fn vectors_of_nomics() {
    vectors_are_those_of_transformers(&folder("nomic"), "nomic");
}

#[test]
fn scores_of_a_modernbert_with_biases_that_scores_the_mean_of_tokens() {
    assert_eq!(
        FolderKind::of(&folder("modernbert-cross")).unwrap(),
        FolderKind::CrossEncoder
    );
    scores_are_those_of_transformers("modernbert-cross", 0.05);
}

#[test]
fn scores_of_a_gte_in_the_frame_of_another_tokenizer() {
    scores_are_those_of_transformers("gte-cross", 0.05);
}

#[test]
fn weights_of_a_sparse_modernbert() {
    weights_are_those_of_transformers("modernbert-sparse");
}

/// Moves a setting to another name.
fn rename(config: &mut Value, from: &str, to: &str) {
    let value = config[from].take();
    config.as_object_mut().unwrap().remove(from);
    config[to] = value;
}

#[test]
fn settings_under_the_names_that_models_were_published_with() {
    let modern = with_settings("modernbert", |config| {
        for new in ["layer_types", "rope_parameters"] {
            config.as_object_mut().unwrap().remove(new);
        }
        config["global_attn_every_n_layers"] = json!(3);
        config["global_rope_theta"] = json!(160_000.0);
        config["local_rope_theta"] = json!(10_000.0);
        // Both are there in the published one.
        config["layer_norm_eps"] = json!(1e-5);
        config["position_embedding_type"] = json!("absolute");
    });
    vectors_are_those_of_transformers(modern.path(), "modernbert");

    let gte = with_settings("gte", |config| {
        config["model_type"] = json!("new");
        config["architectures"] = json!(["NewModel"]);
        config["position_embedding_type"] = json!("rope");
        config["rope_theta"] = json!(160_000);
        config["rope_scaling"] = json!(null);
        config["logn_attention_scale"] = json!(false);
        config.as_object_mut().unwrap().remove("rope_parameters");
    });
    vectors_are_those_of_transformers(gte.path(), "gte");

    let nomic = with_settings("nomic", |config| {
        for (new, old) in [
            ("hidden_size", "n_embd"),
            ("num_attention_heads", "n_head"),
            ("num_hidden_layers", "n_layer"),
            ("intermediate_size", "n_inner"),
            ("layer_norm_eps", "layer_norm_epsilon"),
        ] {
            rename(config, new, old);
        }
        for new in [
            "rope_parameters",
            "max_position_embeddings",
            "head_dim",
            "hidden_act",
        ] {
            config.as_object_mut().unwrap().remove(new);
        }
        config["activation_function"] = json!("swiglu");
        config["rotary_emb_base"] = json!(1000);
        config["rotary_emb_fraction"] = json!(1.0);
        config["rotary_emb_interleaved"] = json!(false);
        config["rotary_emb_scale_base"] = json!(null);
        config["rotary_scaling_factor"] = json!(null);
        config["n_positions"] = json!(8192);
        // Longer texts than those of the training are cut.
        config["max_trained_positions"] = json!(32);
    });
    vectors_are_those_of_transformers(nomic.path(), "nomic");
}

#[test]
fn stretched_positions_change_vectors_of_texts() {
    let vector = |path: &std::path::Path| {
        let model = SentenceEncoder::open(path).unwrap();
        let text = ["The Lighthouse was built in 1888."];
        model
            .encode(&text, Role::Passage, &Cancel::new())
            .unwrap()
            .data
    };
    let stretched = with_settings("gte", |config| {
        config["rope_scaling"] = json!({"type": "ntk", "factor": 8.0});
    });
    assert_ne!(vector(stretched.path()), vector(&folder("gte")));
}

#[test]
fn texts_far_beyond_the_window_have_vectors_that_do_not_depend_on_threads() {
    // 300 tokens, 8 times the window: the parts that threads take end within it.
    let long = with_settings("modernbert", |config| {
        config["max_position_embeddings"] = json!(300);
    });
    let model = SentenceEncoder::open(long.path()).unwrap();
    let text = "the house of the old harbour ".repeat(60);
    let texts = [text.as_str(), "Bread!", text.as_str()];
    let of = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let encode = || {
            model
                .encode(&texts[..1], Role::Passage, &Cancel::new())
                .unwrap()
        };
        pool.install(encode).data
    };
    let alone = of(1);
    assert!(alone.iter().all(|x| x.is_finite()));
    assert_eq!(of(3), alone);
    let all = model.encode(&texts, Role::Passage, &Cancel::new()).unwrap();
    assert_eq!(all.row(0), alone);
    assert_eq!(all.row(2), alone);
}

#[test]
fn they_run_on_the_cpu() {
    for name in [
        "modernbert",
        "modernbert-cross",
        "gte",
        "gte-cross",
        "nomic",
    ] {
        assert!(!runs_on_devices(&folder(name)), "{name}");
    }
}

#[test]
fn what_would_be_computed_wrongly_is_refused_by_name() {
    for (name, change, says) in [
        ("nomic", json!({"prenorm": true}), "`prenorm`"),
        ("nomic", json!({"num_experts": 8}), "`num_experts`"),
        (
            "nomic",
            json!({"rotary_emb_interleaved": true}),
            "`rotary_emb_interleaved`",
        ),
        ("nomic", json!({"rotary_emb_fraction": 0.5}), "as a whole"),
        ("nomic", json!({"head_dim": 4}), "share a token's values"),
        (
            "nomic",
            json!({"hidden_act": "gelu"}),
            "`swiglu` and `silu`",
        ),
        (
            "gte",
            json!({"logn_attention_scale": true}),
            "`logn_attention_scale`",
        ),
        (
            "gte",
            json!({"rope_scaling": {"type": "yarn", "factor": 4.0}}),
            "`yarn`",
        ),
        ("gte", json!({"num_attention_heads": 24}), "turned in pairs"),
        ("gte", json!({"num_hidden_layers": 3}), "encoder.layer.2"),
        (
            "modernbert",
            json!({"layer_types": ["full_attention"]}),
            "1 layer types for 4 layers",
        ),
        ("modernbert", json!({"hidden_activation": "silu"}), "`gelu`"),
        (
            "modernbert",
            json!({"intermediate_size": "wide"}),
            "`intermediate_size`",
        ),
        (
            "modernbert",
            json!({"vocab_size": null}),
            "missing field `vocab_size`",
        ),
        (
            "modernbert-cross",
            json!({"classifier_pooling": "last"}),
            "pooling `last`",
        ),
        (
            "modernbert-cross",
            json!({"classifier_activation": "silu"}),
            "`gelu`",
        ),
    ] {
        let copy = with_settings(name, |config| {
            for (key, value) in change.as_object().unwrap() {
                config[key] = value.clone();
            }
        });
        let opened = match FolderKind::of(copy.path()) {
            Ok(FolderKind::Encoder) => SentenceEncoder::open(copy.path()).map(drop),
            Ok(FolderKind::CrossEncoder) => CrossEncoder::open(copy.path()).map(drop),
            Ok(_) => Splade::open(copy.path()).map(drop),
            Err(error) => {
                assert!(error.to_string().contains(says), "{name}: {error}");
                continue;
            }
        };
        let error = opened.unwrap_err().to_string();
        assert!(error.contains(says), "{name}: {error}");
    }
}

#[test]
fn matrices_of_a_modernbert_for_late_interaction() {
    let path = folder("modernbert-late");
    assert_eq!(FolderKind::of(&path).unwrap(), FolderKind::TokenEncoder);
    let model = ColBert::open(&path).unwrap();
    let reference = expected("modernbert-late");
    let texts = texts(&reference);
    for (role, key) in [(Role::Query, "query"), (Role::Passage, "document")] {
        let found = model.encode_tokens(&texts, role, &Cancel::new()).unwrap();
        let theirs = reference[key].as_array().unwrap().iter();
        for ((found, theirs), text) in found.iter().zip(theirs).zip(&texts) {
            let theirs: Vec<f32> = theirs.as_array().unwrap().iter().flat_map(floats).collect();
            close(&found.data, &theirs, text);
        }
    }
}
