//! BERT's relatives against transformers, on tiny random checkpoints (`tiny/make_families.py`,
//! `tiny/make_deberta.py`).

#[path = "families/int8.rs"]
mod int8;
mod tiny;
#[path = "tiny/vectors.rs"]
mod vectors;

use indago_core::Cancel;
use indago_core::ports::{Encoder, PairScorer, Role, TokenCounter};
use indago_models::{CrossEncoder, FolderKind, SentenceEncoder, runs_on_devices};
use serde_json::{Value, json};
use tiny::{copy_of, folder, scores_are_those_of_transformers, weights_are_those_of_transformers};
use vectors::{vectors_are_those_of_transformers, with_settings};

#[test]
fn vectors_of_a_cased_bert() {
    vectors_are_those_of_transformers(&folder("cased"), "cased");
    let model = SentenceEncoder::open(&folder("cased")).unwrap();
    let case = model
        .encode(&["Bread", "bread"], Role::Passage, &Cancel::new())
        .unwrap();
    assert_ne!(case.row(0), case.row(1));
}

#[test]
fn a_list_of_pieces_with_settings_is_as_good_as_a_tokenizer() {
    let files = [
        "config.json",
        "model.safetensors",
        "vocab.txt",
        "tokenizer_config.json",
    ];
    let listed = copy_of("cased", &files);
    vectors_are_those_of_transformers(listed.path(), "cased");

    // Cut in a way that a list does not tell.
    let settings = json!({"do_lower_case": false, "strip_accents": true}).to_string();
    std::fs::write(listed.path().join("tokenizer_config.json"), settings).unwrap();
    let error = SentenceEncoder::open(listed.path())
        .unwrap_err()
        .to_string();
    assert!(error.contains("tokenizer.json"), "{error}");
}

#[test]
fn accents_are_kept_where_the_tokenizer_says_so() {
    let files = ["config.json", "model.safetensors", "tokenizer.json"];
    let copy = copy_of("encoder", &files);
    let same = || {
        let model = SentenceEncoder::open(copy.path()).unwrap();
        let texts = ["caf\u{e9}", "cafe"];
        let vectors = model.encode(&texts, Role::Passage, &Cancel::new()).unwrap();
        vectors.row(0) == vectors.row(1)
    };
    assert!(same());
    let path = copy.path().join("tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    tokenizer["normalizer"]["strip_accents"] = json!(false);
    std::fs::write(&path, tokenizer.to_string()).unwrap();
    assert!(!same());
}

#[test]
fn vectors_of_an_xlm_roberta_with_unigrams_in_16_bit_weights() {
    vectors_are_those_of_transformers(&folder("xlm-roberta"), "xlm-roberta");
}

#[test]
fn vectors_of_an_mpnet_whose_attention_depends_on_distance() {
    vectors_are_those_of_transformers(&folder("mpnet"), "mpnet");
}

#[test]
fn vectors_of_a_deberta_whose_buckets_of_distances_widen() {
    vectors_are_those_of_transformers(&folder("deberta"), "deberta");
}

/// As `all-mpnet-base-v2` and `all-distilroberta-v1` are published.
#[test]
fn a_model_that_pools_is_a_sentence_encoder_whatever_it_was_trained_from() {
    let class = |config: &mut Value| config["architectures"] = json!(["MPNetForMaskedLM"]);
    let published = with_settings("mpnet", class);
    let kind = || FolderKind::of(published.path()).unwrap();
    assert_eq!(kind(), FolderKind::SparseEncoder);
    let steps = ["Transformer", "Pooling", "Normalize"]
        .map(|step| json!({"type": format!("sentence_transformers.models.{step}")}));
    std::fs::write(
        published.path().join("modules.json"),
        json!(steps).to_string(),
    )
    .unwrap();
    assert_eq!(kind(), FolderKind::Encoder);
    vectors_are_those_of_transformers(published.path(), "mpnet");
}

#[test]
fn tokens_of_a_prefix_have_no_vectors() {
    let copy = copy_of(
        "xlm-roberta",
        &["config.json", "model.safetensors", "tokenizer.json"],
    );
    let plain = SentenceEncoder::open(copy.path()).unwrap();
    let marked = SentenceEncoder::open(&folder("xlm-roberta")).unwrap();
    let rows = |model: &SentenceEncoder| {
        let tokens = Encoder::tokens(model).unwrap();
        let text = ["Bread and light"];
        let vectors = tokens.encode_tokens(&text, Role::Query, &Cancel::new());
        vectors.unwrap()[0].rows
    };
    assert_eq!(rows(&plain), plain.count("Bread and light"));
    assert_eq!(rows(&marked), rows(&plain));
}

#[test]
fn texts_that_are_put_in_lower_case_first_are_refused_where_case_counts() {
    for (name, lower_case, refused) in [
        ("cased", json!(true), true),
        ("cased", json!(null), false),
        ("encoder", json!(true), false),
    ] {
        let copy = copy_of(
            name,
            &["config.json", "model.safetensors", "tokenizer.json"],
        );
        let path = copy.path().join("sentence_bert_config.json");
        std::fs::write(path, json!({"do_lower_case": lower_case}).to_string()).unwrap();
        let opened = SentenceEncoder::open(copy.path());
        assert_eq!(opened.is_err(), refused, "{name}");
    }
}

#[test]
fn scores_of_cross_encoders_of_every_family() {
    for name in ["roberta", "distilbert-cross", "electra", "deberta-cross"] {
        assert_eq!(
            FolderKind::of(&folder(name)).unwrap(),
            FolderKind::CrossEncoder
        );
        scores_are_those_of_transformers(name, 0.05);
    }
}

#[test]
fn weights_of_sparse_encoders_of_every_family() {
    for name in ["distilbert", "roberta-sparse", "deberta-sparse"] {
        weights_are_those_of_transformers(name);
    }
}

#[test]
fn what_gpus_compute_is_told_by_the_folder() {
    for (name, runs) in [
        ("cased", true),
        ("xlm-roberta", true),
        ("roberta", true),
        ("mpnet", false),
        ("distilbert-cross", false),
        ("electra", false),
        ("deberta", false),
        ("deberta-cross", false),
        ("no-such-model", false),
    ] {
        assert_eq!(runs_on_devices(&folder(name)), runs, "{name}");
    }
}

#[test]
fn special_tokens_in_a_text_are_only_text() {
    for (name, mark) in [("xlm-roberta", "</s>"), ("cased", "[SEP]")] {
        let model = SentenceEncoder::open(&folder(name)).unwrap();
        let vectors = |text: &str| {
            let text = [text];
            model
                .encode(&text, Role::Passage, &Cancel::new())
                .unwrap()
                .data
        };
        // As one special token it would count one more than the words.
        assert!(
            model.count(&format!("Bread {mark}")) > model.count("Bread") + 1,
            "{name}"
        );
        assert_ne!(
            vectors(&format!("Bread {mark} house")),
            vectors("Bread house")
        );
    }
}

#[test]
fn what_is_of_no_known_family_is_named() {
    for (name, change, says) in [
        (
            "cased",
            json!({"model_type": "gpt2"}),
            "models of type `gpt2` are not known",
        ),
        (
            "mpnet",
            json!({"num_attention_heads": 2}),
            "relative_attention_bias",
        ),
        (
            "electra",
            json!({"embedding_size": 12}),
            "as wide as the layers",
        ),
        (
            "deberta",
            json!({"pos_att_type": "c2p"}),
            "both of `c2p|p2c`",
        ),
        (
            "deberta",
            json!({"conv_kernel_size": 3}),
            "conv_kernel_size",
        ),
        ("deberta", json!({"position_buckets": 9}), "rel_embeddings"),
        (
            "xlm-roberta",
            json!({"position_embedding_type": "relative_key"}),
            "absolute and rotary positions",
        ),
        (
            "roberta",
            json!({"architectures": ["RobertaForCausalLM"]}),
            "`ForCausalLM` is not a known",
        ),
        ("xlm-roberta", json!({"pad_token_id": 33}), "odd sizes"),
        ("xlm-roberta", json!({"vocab_size": 12}), "word_embeddings"),
    ] {
        let copy = with_settings(name, |config| {
            for (key, value) in change.as_object().unwrap() {
                config[key] = value.clone();
            }
        });
        let error = match FolderKind::of(copy.path()) {
            Ok(FolderKind::Encoder) => SentenceEncoder::open(copy.path()).unwrap_err().to_string(),
            Ok(kind) => panic!("{name}: {kind:?}"),
            Err(error) => error.to_string(),
        };
        assert!(error.contains(says), "{name}: {error}");
    }
}

#[test]
fn a_damaged_tokenizer_is_refused_or_used_and_nothing_panics() {
    for name in ["xlm-roberta", "roberta", "cased"] {
        let copy = copy_of(
            name,
            &["config.json", "model.safetensors", "tokenizer.json"],
        );
        let path = copy.path().join("tokenizer.json");
        let whole = std::fs::read_to_string(&path).unwrap();
        let open = || match FolderKind::of(copy.path()).unwrap() {
            FolderKind::CrossEncoder => CrossEncoder::open(copy.path())
                .map(|m| m.score("a", &["b c"], &Cancel::new()).unwrap()),
            _ => SentenceEncoder::open(copy.path()).map(|m| {
                m.encode(&["b c \u{e9}"], Role::Query, &Cancel::new())
                    .unwrap()
                    .data
            }),
        };
        open().unwrap();
        let mut refused = 0;
        for (from, to) in [
            ("<s>", "<x>"),
            ("[CLS]", "[ABC]"),
            ("\"Unigram\"", "\"Bigram\""),
            ("\"BPE\"", "\"WordPiece\""),
            ("\"vocab\"", "\"vocabulary\""),
            ("\"unk_id\":", "\"unk_id\":99"),
            ("</s>", ""),
        ] {
            std::fs::write(&path, whole.replace(from, to)).unwrap();
            refused += usize::from(open().is_err());
        }
        assert!(refused > 1, "{name}: {refused}");
        // Cut anywhere, or with another number in any place.
        for part in 1..12 {
            let end = whole.floor_char_boundary(whole.len() * part / 12);
            std::fs::write(&path, &whole[..end]).unwrap();
            assert!(open().is_err(), "{name}");
            let (head, tail) = whole.split_at(end);
            let tail = tail.replacen(|c: char| c.is_ascii_digit(), "987654", 1);
            std::fs::write(&path, format!("{head}{tail}")).unwrap();
            let _ = open();
        }
    }
}
