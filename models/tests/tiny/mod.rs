//! The fixtures in this folder, and how near to them results have to be.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::{Path, PathBuf};

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
