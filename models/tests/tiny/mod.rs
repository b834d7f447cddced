//! The fixtures in this folder, and how near to them results have to be.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

use indago_core::Cancel;
use indago_core::ports::{PairScorer, Role, SparseEncoder};
use indago_models::{CrossEncoder, Splade};
use serde_json::Value;

/// The folder of the fixture `name`.
pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tiny")
        .join(name)
}

/// What transformers makes of the fixture's texts.
pub(crate) fn expected(name: &str) -> Value {
    let text = std::fs::read_to_string(folder(name).join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn floats(value: &Value) -> Vec<f32> {
    let numbers = value.as_array().unwrap().iter();
    numbers.map(|x| x.as_f64().unwrap() as f32).collect()
}

pub(crate) fn texts(value: &Value) -> Vec<&str> {
    let texts = value["texts"].as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap()).collect()
}

/// Sums of the same numbers in another order: a few units of the last places that count.
pub(crate) fn close(ours: &[f32], theirs: &[f32], what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        let most = 2e-4 * b.abs().max(1.0);
        assert!((a - b).abs() <= most, "{what} {i}: {a} {b}");
    }
}

/// A copy of some files of a fixture that a test may change.
pub(crate) fn copy_of(name: &str, files: &[&str]) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in files {
        std::fs::copy(folder(name).join(file), to.path().join(file)).unwrap();
    }
    to
}

/// Compares a cross-encoder's scores; each query's have to be more than `least_spread` apart.
pub(crate) fn scores_are_those_of_transformers(name: &str, least_spread: f32) {
    let reference = expected(name);
    let model = CrossEncoder::open(&folder(name)).unwrap();
    let texts = texts(&reference);
    for (q, query) in reference["queries"].as_array().unwrap().iter().enumerate() {
        let query = query.as_str().unwrap();
        let scores = model.score(query, &texts, &Cancel::new()).unwrap();
        close(&scores, &floats(&reference["scores"][q]), name);
        let spread = scores.iter().copied().fold(f32::MIN, f32::max)
            - scores.iter().copied().fold(f32::MAX, f32::min);
        assert!(
            spread > least_spread,
            "scores that hardly differ prove nothing: {scores:?}"
        );
    }
}

/// Compares a sparse encoder's weights of passages.
pub(crate) fn weights_are_those_of_transformers(name: &str) {
    let reference = expected(name);
    let model = Splade::open(&folder(name)).unwrap();
    let texts = texts(&reference);
    let vectors = model.encode(&texts, Role::Passage, &Cancel::new()).unwrap();
    for (i, vector) in vectors.iter().enumerate() {
        if texts[i].is_empty() {
            assert!(vector.is_empty());
            continue;
        }
        assert!(vector.is_sorted_by(|a, b| a.0 < b.0));
        let mut dense = vec![0.0; model.vocabulary()];
        for (id, weight) in vector {
            assert!(*weight > 0.0);
            dense[*id as usize] = *weight;
        }
        close(&dense, &floats(&reference["weights"][i]), texts[i]);
    }
}
