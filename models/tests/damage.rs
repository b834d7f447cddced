//! Flipped bytes anywhere in a folder of published weights are noticed, and the file is named.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::ops::Range;
use std::path::{Path, PathBuf};

use indago_core::ports::{Encoder, SparseEncoder};
use indago_models::registry::{FolderOptions, Registry};
use indago_models::{CrossEncoder, SentenceEncoder, Splade};
use proptest::prelude::*;
use proptest::sample::Index;

const KINDS: [&str; 3] = ["encoder", "cross", "splade"];
const WEIGHTS: &str = "model.safetensors";

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tiny")
        .join(name)
}

/// Length of the header, the header, and each tensor, as the header states them.
fn sections(bytes: &[u8]) -> Vec<(String, Range<usize>)> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let mut sections = vec![
        ("length".to_owned(), 0..8),
        ("header".to_owned(), 8..8 + length),
    ];
    for (name, tensor) in header.as_object().unwrap() {
        if let Some(offsets) = tensor.get("data_offsets") {
            let [start, end]: [usize; 2] = serde_json::from_value(offsets.clone()).unwrap();
            sections.push((name.clone(), 8 + length + start..8 + length + end));
        }
    }
    let covered: usize = sections.iter().map(|(_, range)| range.len()).sum();
    assert_eq!(covered, bytes.len(), "every byte is in a section");
    sections
}

/// What `flip` does to a place of `bytes` in `range`.
fn flipped(bytes: &[u8], range: &Range<usize>, at: Index, mask: u8) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    damaged[range.start + at.index(range.len())] ^= mask;
    damaged
}

/// The fingerprint of a model that is opened as its kind, or why it is not. Cross-encoders, whose
/// scores nobody keeps, have none.
fn opened(kind: &str, folder: &Path) -> Result<Option<String>, String> {
    let opened = match kind {
        "encoder" => SentenceEncoder::open(folder).map(|m| Some(m.fingerprint().to_owned())),
        "splade" => Splade::open(folder).map(|m| Some(m.fingerprint().to_owned())),
        _ => CrossEncoder::open(folder).map(|_| None),
    };
    opened.map_err(|error| error.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(6) })]
    #[test]
    fn a_flipped_byte_in_any_file_of_an_added_model_is_named(at in any::<Index>(), mask in 1u8..) {
        let home = tempfile::tempdir().unwrap();
        let registry = Registry::new(home.path().join("models"));
        for kind in KINDS {
            let target = registry.add_folder(&folder(kind), &FolderOptions::default()).unwrap();
            for file in ["config.json", "tokenizer.json", WEIGHTS] {
                let path = target.join(file);
                let whole = std::fs::read(&path).unwrap();
                std::fs::write(&path, flipped(&whole, &(0..whole.len()), at, mask)).unwrap();
                let error = registry.verify(kind).unwrap_err().to_string();
                prop_assert!(error.contains(&format!("{file} is damaged")), "{}", error);
                prop_assert!(error.contains(&path.display().to_string()), "{}", error);
                std::fs::write(&path, whole).unwrap();
            }
            registry.verify(kind).unwrap();
        }
    }

    #[test]
    fn weights_with_a_flipped_byte_in_any_section_are_refused_by_name_or_are_another_model(
        at in any::<Index>(),
        mask in 1u8..,
    ) {
        for kind in KINDS {
            let copy = tempfile::tempdir().unwrap();
            for file in ["config.json", "tokenizer.json", WEIGHTS] {
                std::fs::copy(folder(kind).join(file), copy.path().join(file)).unwrap();
            }
            let path = copy.path().join(WEIGHTS);
            let whole = std::fs::read(&path).unwrap();
            let fingerprint = opened(kind, copy.path()).unwrap();
            for (section, range) in sections(&whole) {
                std::fs::write(&path, flipped(&whole, &range, at, mask)).unwrap();
                match opened(kind, copy.path()) {
                    Err(error) => prop_assert!(error.contains(WEIGHTS), "{}: {}", section, error),
                    // Without checksums nobody can tell one number from another.
                    Ok(None) => {}
                    Ok(another) => prop_assert_ne!(&another, &fingerprint, "{}", section),
                }
                let length = range.start + at.index(range.len());
                std::fs::write(&path, &whole[..length]).unwrap();
                let error = opened(kind, copy.path()).unwrap_err();
                prop_assert!(error.contains(WEIGHTS), "{} cut: {}", section, error);
            }
        }
    }
}
