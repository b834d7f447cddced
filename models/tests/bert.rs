//! Models from folders against transformers, on tiny random checkpoints (`tiny/make.py`).

mod tiny;

use std::path::Path;

use indago_core::Cancel;
use indago_core::ports::{Encoder, Role, SparseEncoder};
use indago_models::{CrossEncoder, FolderKind, SentenceEncoder, Splade};
use serde_json::json;
use tiny::{
    close, copy_of, expected, floats, folder, scores_are_those_of_transformers, texts,
    weights_are_those_of_transformers,
};

/// A copy of a fixture that a test may change.
fn copy(name: &str) -> tempfile::TempDir {
    copy_of(
        name,
        &["config.json", "tokenizer.json", "model.safetensors"],
    )
}

#[test]
fn sentence_vectors_are_those_of_transformers_in_every_pooling() {
    let reference = expected("encoder");
    let texts = texts(&reference);
    for pooling in ["cls", "mean", "max"] {
        let copy = copy("encoder");
        let config = "config_sentence_transformers.json";
        std::fs::copy(folder("encoder").join(config), copy.path().join(config)).unwrap();
        std::fs::create_dir(copy.path().join("1_Pooling")).unwrap();
        let modes = ["cls_token", "mean_tokens", "max_tokens"];
        let modes = modes.map(|mode| (format!("pooling_mode_{mode}"), mode.starts_with(pooling)));
        let modes: std::collections::BTreeMap<_, _> = modes.into_iter().collect();
        let path = copy.path().join("1_Pooling/config.json");
        std::fs::write(path, json!(modes).to_string()).unwrap();
        let model = SentenceEncoder::open(copy.path()).unwrap();
        for (role, key) in [(Role::Query, "query"), (Role::Passage, "passage")] {
            let vectors = model.encode(&texts, role, &Cancel::new()).unwrap();
            let theirs = &reference["vectors"][format!("{key}.{pooling}")];
            for (i, text) in texts.iter().enumerate() {
                if text.is_empty() {
                    assert!(vectors.row(i).iter().all(|x| *x == 0.0));
                } else {
                    close(vectors.row(i), &floats(&theirs[i]), text);
                }
                let alone = model.encode(&[text], role, &Cancel::new()).unwrap();
                close(alone.row(0), vectors.row(i), "alone");
            }
        }
    }
}

#[test]
fn prefixes_of_the_user_go_first_and_change_the_fingerprint() {
    let copy = copy("encoder");
    let plain = SentenceEncoder::open(copy.path()).unwrap();
    let own = json!({"query": "query: ", "passage": "passage: "}).to_string();
    std::fs::write(copy.path().join("indago.json"), own).unwrap();
    let marked = SentenceEncoder::open(copy.path()).unwrap();
    assert_ne!(plain.fingerprint(), marked.fingerprint());
    let encode = |model: &SentenceEncoder, text: &str, role| {
        model.encode(&[text], role, &Cancel::new()).unwrap()
    };
    let theirs = floats(&expected("encoder")["vectors"]["query.mean"][2]);
    close(
        encode(&marked, "Bread!", Role::Query).row(0),
        &theirs,
        "with",
    );
    close(
        encode(&plain, "query: Bread!", Role::Passage).row(0),
        &theirs,
        "by hand",
    );
}

#[test]
fn cross_encoder_scores_are_those_of_transformers() {
    scores_are_those_of_transformers("cross", 0.1);
}

#[test]
fn sparse_weights_are_those_of_transformers() {
    weights_are_those_of_transformers("splade");
}

#[test]
fn queries_of_an_inference_free_model_come_from_its_table() {
    let copy = copy("splade");
    let table = json!({"house": 2.5, "the": 0.25, "bread": 0.0, "nowhere": 3.0}).to_string();
    std::fs::write(copy.path().join("idf.json"), table).unwrap();
    let model = Splade::open(copy.path()).unwrap();
    let encode = |role| {
        model
            .encode(&["The house, the bread"], role, &Cancel::new())
            .unwrap()
    };
    let mut weights: Vec<f32> = encode(Role::Query)[0].iter().map(|(_, w)| *w).collect();
    weights.sort_by(f32::total_cmp);
    assert_eq!(weights, [0.25, 2.5]);
    assert!(encode(Role::Passage)[0].len() > 4);
}

#[test]
fn kinds_are_told_apart_and_others_refused() {
    assert_eq!(
        FolderKind::of(&folder("encoder")).unwrap(),
        FolderKind::Encoder
    );
    assert_eq!(
        FolderKind::of(&folder("cross")).unwrap(),
        FolderKind::CrossEncoder
    );
    assert_eq!(
        FolderKind::of(&folder("splade")).unwrap(),
        FolderKind::SparseEncoder
    );
    assert!(CrossEncoder::open(&folder("encoder")).is_err());
    assert!(Splade::open(&folder("cross")).is_err());
    assert!(SentenceEncoder::open(Path::new("no/such/folder")).is_err());

    let refused = |file: &str, from: &str, to: &str| {
        let copy = copy("encoder");
        let path = copy.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        SentenceEncoder::open(copy.path()).unwrap_err().to_string()
    };
    let error = refused("config.json", "\"bert\"", "\"t5\"");
    assert!(
        error.contains("models of type `t5` are not known"),
        "{error}"
    );
    let error = refused("config.json", "\"gelu\"", "\"relu\"");
    assert!(error.contains("activation"), "{error}");
    let error = refused("config.json", "\"hidden_size\": 24", "\"hidden_size\": 48");
    assert!(error.contains("of shape"), "{error}");
}

#[test]
fn a_folder_is_added_verified_found_and_removed() {
    use indago_models::registry::{FolderOptions, ModelKind, Registry};
    let home = tempfile::tempdir().unwrap();
    let registry = Registry::new(home.path().join("models"));
    let options = FolderOptions {
        name: Some("tiny".to_owned()),
        query_prefix: Some("query: ".to_owned()),
        passage_prefix: Some("passage: ".to_owned()),
        ..FolderOptions::default()
    };
    let target = registry.add_folder(&folder("encoder"), &options).unwrap();
    assert_eq!(
        registry.add_folder(&folder("encoder"), &options).unwrap(),
        target
    );
    assert_eq!(registry.folder_of("tiny").unwrap(), target);
    let kind = registry.verify("tiny").unwrap().kind;
    assert_eq!(kind, ModelKind::Folder(FolderKind::Encoder));
    let model = SentenceEncoder::open(&target).unwrap();
    let ours = model
        .encode(&["Bread!"], Role::Query, &Cancel::new())
        .unwrap();
    close(
        ours.row(0),
        &floats(&expected("encoder")["vectors"]["query.cls"][2]),
        "added",
    );

    // Another model does not take its place, and damage is named.
    let error = registry
        .add_folder(&folder("cross"), &options)
        .unwrap_err()
        .to_string();
    assert!(error.contains("other content"), "{error}");
    let weights = target.join("model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let error = registry.verify("tiny").unwrap_err().to_string();
    assert!(error.contains("model.safetensors is damaged"), "{error}");

    registry.remove("tiny").unwrap();
    assert!(registry.folder_of("tiny").is_none());
    assert!(registry.remove("tiny").is_err());
    assert!(registry.remove("../models").is_err());
    assert!(
        registry
            .add_folder(home.path(), &FolderOptions::default())
            .is_err()
    );
}
