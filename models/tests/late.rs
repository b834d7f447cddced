//! Vectors of tokens against transformers and torch, on tiny random checkpoints (`tiny/make.py`).
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use indago_core::Cancel;
use indago_core::ports::{Encoder, Matrix, Role, TokenEncoder};
use indago_models::{ColBert, FolderKind, SentenceEncoder};
use safetensors::SafeTensors;
use serde_json::{Value, json};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tiny")
        .join(name)
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn write(path: &Path, value: &Value) {
    std::fs::write(path, value.to_string()).unwrap();
}

fn expected() -> Value {
    read(&folder("late").join("expected.json"))
}

fn texts() -> Vec<String> {
    serde_json::from_value(expected()["texts"].clone()).unwrap()
}

fn rows(value: &Value) -> Vec<Vec<f32>> {
    serde_json::from_value(value.clone()).unwrap()
}

/// A copy of the late-interaction fixture that a test may change.
fn copy() -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in [
        "config.json",
        "artifact.metadata",
        "tokenizer.json",
        "model.safetensors",
    ] {
        std::fs::copy(folder("late").join(file), to.path().join(file)).unwrap();
    }
    to
}

/// Changes one value of a JSON file.
fn set(path: &Path, key: &str, to: Value) {
    let mut value = read(path);
    value[key] = to;
    write(path, &value);
}

fn encode(model: &dyn TokenEncoder, texts: &[String], role: Role) -> Vec<Matrix> {
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    model.encode_tokens(&texts, role, &Cancel::new()).unwrap()
}

/// As many rows, each value within 1e-4: both sides add up f32 in different orders.
fn close(ours: &[Matrix], theirs: &Value) {
    let theirs = theirs.as_array().unwrap();
    for (text, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let theirs = rows(theirs);
        assert_eq!(ours.rows, theirs.len(), "rows of text {text}");
        for (i, theirs) in theirs.iter().enumerate() {
            assert_eq!(ours.row(i).len(), theirs.len());
            for (a, b) in ours.row(i).iter().zip(theirs) {
                assert!((a - b).abs() <= 1e-4, "text {text}, row {i}: {a} {b}");
            }
        }
    }
}

#[test]
fn late_interaction_matrices_are_those_of_the_published_arithmetic() {
    let model = ColBert::open(&folder("late")).unwrap();
    let texts = texts();
    assert_eq!(TokenEncoder::dim(&model), 8);
    let queries = encode(&model, &texts, Role::Query);
    close(&queries, &expected()["query"]);
    assert!(queries.iter().all(|query| query.rows == 12), "filled up");
    let passages = encode(&model, &texts, Role::Passage);
    close(&passages, &expected()["passage"]);

    let scores = rows(&expected()["scores"]);
    for (query, theirs) in queries.iter().zip(&scores) {
        for (passage, theirs) in passages.iter().zip(theirs) {
            let best = |q: usize| {
                let dot = |p: usize| -> f32 {
                    let pairs = query.row(q).iter().zip(passage.row(p));
                    pairs.map(|(a, b)| a * b).sum()
                };
                (0..passage.rows).map(dot).fold(f32::MIN, f32::max)
            };
            let ours: f32 = (0..query.rows).map(best).sum();
            assert!((ours - theirs).abs() <= 1e-3, "{ours} {theirs}");
        }
    }
    let spread = scores[0].iter().copied().fold(f32::MIN, f32::max)
        - scores[0].iter().copied().fold(f32::MAX, f32::min);
    assert!(spread > 0.1, "scores that hardly differ prove nothing");
}

#[test]
fn a_text_has_the_same_vectors_alone_and_among_others() {
    let model = ColBert::open(&folder("late")).unwrap();
    let texts = texts();
    for role in [Role::Query, Role::Passage] {
        let together = encode(&model, &texts, role);
        for (i, text) in texts.iter().enumerate() {
            let alone = encode(&model, std::slice::from_ref(text), role);
            let theirs: Vec<&[f32]> = (0..together[i].rows).map(|r| together[i].row(r)).collect();
            close(&alone, &json!([theirs]));
        }
    }
}

#[test]
fn texts_without_pieces_have_no_rows_and_whole_texts_no_vector() {
    let model = ColBert::open(&folder("late")).unwrap();
    let nothing = [String::new(), " \n".to_owned()];
    for role in [Role::Query, Role::Passage] {
        assert!(encode(&model, &nothing, role).iter().all(|m| m.rows == 0));
    }
    // Punctuation alone has a frame, whose vectors stay.
    assert_eq!(encode(&model, &["?!".to_owned()], Role::Passage)[0].rows, 3);
    assert!(encode(&model, &[], Role::Query).is_empty());
    assert_eq!(Encoder::dim(&model), 0);
    let error = model.encode(&["bread"], Role::Query, &Cancel::new());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("none of whole texts"), "{error}");
    let cancelled = Cancel::new();
    cancelled.cancel();
    let stopped = model.encode_tokens(&["bread"], Role::Query, &cancelled);
    assert!(stopped.unwrap_err().to_string().contains("cancel"));
}

#[test]
fn settings_decide_what_is_seen_and_what_has_vectors() {
    let model = |key: &str, to: Value| {
        let copy = copy();
        set(&copy.path().join("artifact.metadata"), key, to);
        ColBert::open(copy.path()).unwrap()
    };
    let texts = &texts()[..3];
    let attending = model("attend_to_mask_tokens", json!(true));
    close(
        &encode(&attending, texts, Role::Query),
        &expected()["attending"],
    );
    let punctuated = model("mask_punctuation", json!(false));
    close(
        &encode(&punctuated, texts, Role::Passage),
        &expected()["punctuated"],
    );
    let plain = ColBert::open(&folder("late")).unwrap();
    for other in [&attending, &punctuated] {
        assert_ne!(Encoder::fingerprint(&plain), Encoder::fingerprint(other));
    }
    // The lengths, too, and never beyond what the model has positions for.
    let long = model("query_maxlen", json!(4000));
    assert_eq!(encode(&long, texts, Role::Query)[0].rows, 32);
}

/// The fixture in the layout of sentence-transformers, as PyLate writes it.
fn pylate(settings: &Value) -> tempfile::TempDir {
    let copy = copy();
    let at = |name: &str| copy.path().join(name);
    std::fs::remove_file(at("artifact.metadata")).unwrap();
    set(&at("config.json"), "architectures", json!(["BertModel"]));
    let modules = json!([
        {"idx": 0, "type": "sentence_transformers.models.Transformer", "path": ""},
        {"idx": 1, "type": "pylate.models.Dense.Dense", "path": "1_Dense"},
    ]);
    write(&at("modules.json"), &modules);
    write(&at("config_sentence_transformers.json"), settings);
    std::fs::create_dir(at("1_Dense")).unwrap();
    let dense = json!({"in_features": 24, "out_features": 8, "bias": false,
        "activation_function": "torch.nn.modules.linear.Identity"});
    write(&at("1_Dense/config.json"), &dense);
    let bytes = std::fs::read(at("model.safetensors")).unwrap();
    let weights = SafeTensors::deserialize(&bytes).unwrap();
    let linear = weights.tensor("linear.weight").unwrap();
    let written = safetensors::serialize([("linear.weight", linear)], None).unwrap();
    std::fs::write(at("1_Dense/model.safetensors"), written).unwrap();
    // Markers are added behind the vocabulary there.
    let mut tokenizer = read(&at("tokenizer.json"));
    let vocabulary = tokenizer["model"]["vocab"].as_object_mut().unwrap();
    let markers = [("[unused0]", "[Q] "), ("[unused1]", "[D] ")]
        .map(|(old, new)| json!({"id": vocabulary.remove(old).unwrap(), "content": new}));
    tokenizer["added_tokens"] = json!(markers);
    write(&at("tokenizer.json"), &tokenizer);
    copy
}

#[test]
fn the_layout_of_sentence_transformers_gives_the_same_matrices() {
    let lengths = json!({"query_length": 12, "document_length": 20});
    let copy = pylate(&lengths);
    assert_eq!(
        FolderKind::of(copy.path()).unwrap(),
        FolderKind::TokenEncoder
    );
    let model = ColBert::open(copy.path()).unwrap();
    let texts = texts();
    close(&encode(&model, &texts, Role::Query), &expected()["query"]);
    close(
        &encode(&model, &texts, Role::Passage),
        &expected()["passage"],
    );

    let mut short = lengths.clone();
    short["do_query_expansion"] = json!(false);
    short["skiplist_words"] = json!([]);
    let copy = pylate(&short);
    let model = ColBert::open(copy.path()).unwrap();
    let first = &texts[..3];
    close(&encode(&model, first, Role::Query), &expected()["short"]);
    close(
        &encode(&model, first, Role::Passage),
        &expected()["punctuated"],
    );

    let dense = copy.path().join("1_Dense/config.json");
    set(&dense, "activation_function", json!("torch.nn.Tanh"));
    let error = ColBert::open(copy.path()).unwrap_err().to_string();
    assert!(error.contains("without activation"), "{error}");
}

#[test]
fn kinds_are_told_apart_and_odd_folders_refused_by_name() {
    assert_eq!(
        FolderKind::of(&folder("late")).unwrap(),
        FolderKind::TokenEncoder
    );
    assert!(ColBert::open(&folder("encoder")).is_err());
    let error = SentenceEncoder::open(&folder("late")).unwrap_err();
    assert!(error.to_string().contains("none of whole texts"), "{error}");

    let refused = |change: &dyn Fn(&Path)| {
        let copy = copy();
        change(copy.path());
        let error = ColBert::open(copy.path()).unwrap_err().to_string();
        assert!(
            error.contains(&copy.path().display().to_string()),
            "{error}"
        );
        error
    };
    let metadata = |key: &'static str, to: Value| {
        refused(&move |folder| set(&folder.join("artifact.metadata"), key, to.clone()))
    };
    let error = metadata("dim", json!(16));
    assert!(
        error.contains("`linear.weight` is of shape [8, 24]"),
        "{error}"
    );
    assert!(error.contains("has to be [16, 24]"), "{error}");
    let error = metadata("query_token_id", json!("[query]"));
    assert!(error.contains("lacks `[query]`"), "{error}");
    let error = metadata("doc_maxlen", json!(3));
    assert!(error.contains("hold no text"), "{error}");
    let error = refused(&|to| {
        write(
            &to.join("sentence_bert_config.json"),
            &json!({"max_seq_length": 3}),
        );
    });
    assert!(error.contains("its 3 positions hold no text"), "{error}");
    let error = metadata("interaction", json!("flipr"));
    assert!(error.contains("`flipr` is not known"), "{error}");
    // An encoder with no more than the settings of the other kind.
    let error = refused(&|to| {
        for file in ["config.json", "tokenizer.json", "model.safetensors"] {
            std::fs::copy(folder("encoder").join(file), to.join(file)).unwrap();
        }
    });
    assert!(error.contains("`linear.weight` is missing"), "{error}");
}

#[test]
fn damaged_weights_are_refused_and_never_panic() {
    let bytes = std::fs::read(folder("late").join("model.safetensors")).unwrap();
    let copy = copy();
    let path = copy.path().join("model.safetensors");
    for at in (0..600).step_by(11) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x5a;
        std::fs::write(&path, damaged).unwrap();
        // Damage in a tensor's name or place is noticed; in a number it is not.
        let _ = ColBert::open(copy.path());
    }
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(ColBert::open(copy.path()).is_err());
}

#[test]
fn a_sentence_encoder_gives_the_states_of_a_texts_own_pieces() {
    let model = SentenceEncoder::open(&folder("encoder")).unwrap();
    let theirs = read(&folder("encoder_tokens.json"));
    let texts: Vec<String> = texts().into_iter().take(5).collect();
    let tokens = Encoder::tokens(&model).unwrap();
    close(&encode(tokens, &texts[..3], Role::Query), &theirs["query"]);
    close(&encode(tokens, &texts, Role::Passage), &theirs["passage"]);
    let nothing = encode(tokens, &[String::new()], Role::Query);
    assert_eq!((nothing[0].rows, nothing[0].dim), (0, 24));
}

#[test]
fn a_folder_is_added_with_all_that_it_needs() {
    use indago_models::registry::{FolderOptions, ModelKind, Registry};
    let home = tempfile::tempdir().unwrap();
    let registry = Registry::new(home.path().join("models"));
    let lengths = json!({"query_length": 12, "document_length": 20});
    let other = pylate(&lengths);
    for (name, from) in [("own", folder("late")), ("steps", other.path().to_owned())] {
        let options = FolderOptions {
            name: Some(name.to_owned()),
            ..FolderOptions::default()
        };
        let added = registry.add_folder(&from, &options).unwrap();
        let kind = registry.verify(name).unwrap().kind;
        assert_eq!(kind, ModelKind::Folder(FolderKind::TokenEncoder));
        let model = ColBert::open(&added).unwrap();
        close(&encode(&model, &texts(), Role::Query), &expected()["query"]);
    }
}
