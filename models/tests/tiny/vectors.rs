//! Vectors of fixtures against those of transformers, and fixtures with other settings.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;

use indago_core::Cancel;
use indago_core::ports::{Encoder, Role, TokenCounter};
use indago_models::SentenceEncoder;
use serde_json::Value;

use crate::tiny::{close, copy_of, expected, floats, folder, texts};

/// Compares the vectors of the model in `path`, and where it cuts texts, with those of the fixture
/// `name`.
pub(crate) fn vectors_are_those_of_transformers(path: &Path, name: &str) {
    let model = SentenceEncoder::open(path).unwrap();
    let reference = expected(name);
    let texts = texts(&reference);
    for (role, key) in [(Role::Query, "query"), (Role::Passage, "passage")] {
        let vectors = model.encode(&texts, role, &Cancel::new()).unwrap();
        for (i, text) in texts.iter().enumerate() {
            if text.is_empty() {
                assert!(vectors.row(i).iter().all(|x| *x == 0.0));
            } else {
                close(vectors.row(i), &floats(&reference[key][i]), text);
            }
        }
    }
    for (text, ids) in texts.iter().zip(reference["ids"].as_array().unwrap()) {
        let ids = ids.as_array().unwrap().len();
        // Longer texts are cut by the model, not by the counter.
        assert!(ids == 32 || model.count(text) == ids - 2, "{text}");
    }
}

/// The fixture `name` with other settings.
pub(crate) fn with_settings(name: &str, change: impl FnOnce(&mut Value)) -> tempfile::TempDir {
    let copy = copy_of(
        name,
        &["config.json", "model.safetensors", "tokenizer.json"],
    );
    let path = copy.path().join("config.json");
    let mut config: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut config);
    std::fs::write(&path, config.to_string()).unwrap();
    let prompts = "config_sentence_transformers.json";
    if folder(name).join(prompts).exists() {
        std::fs::copy(folder(name).join(prompts), copy.path().join(prompts)).unwrap();
    }
    copy
}
