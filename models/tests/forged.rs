//! Models whose files are wrong under checksums that are right: an error that says so, or vectors.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use indago_core::Cancel;
use indago_core::ports::{Encoder, PairScorer, Role, SparseEncoder, TokenEncoder};
use indago_models::{CrossEncoder, MiniLm, SentenceEncoder, Splade, StaticEncoder};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use xxhash_rust::xxh3::xxh3_64;

const TEXTS: [&str; 3] = [
    "the quick brown fox",
    "",
    "a b c d e f g h i j k l m n o p q r s t u v",
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tiny")
        .join(name)
}

fn copy(name: &str) -> tempfile::TempDir {
    let to = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(folder(name).join(file), to.path().join(file)).unwrap();
    }
    to
}

/// Encodes in every way in which a folder can be opened.
fn use_folder(path: &Path) {
    let cancel = Cancel::new();
    if let Ok(encoder) = SentenceEncoder::open(path) {
        let vectors = encoder.encode(&TEXTS, Role::Query, &cancel).unwrap();
        assert_eq!(vectors.data.len(), TEXTS.len() * Encoder::dim(&encoder));
    }
    if let Ok(encoder) = CrossEncoder::open(path) {
        assert_eq!(
            encoder.score("fox", &TEXTS, &cancel).unwrap().len(),
            TEXTS.len()
        );
    }
    if let Ok(encoder) = Splade::open(path) {
        for vector in encoder.encode(&TEXTS, Role::Passage, &cancel).unwrap() {
            assert!(
                vector
                    .iter()
                    .all(|(term, _)| (*term as usize) < encoder.vocabulary())
            );
        }
    }
}

fn use_file(path: &Path) {
    let cancel = Cancel::new();
    if let Ok(model) = MiniLm::open(path)
        && let Ok(vectors) = model.encode(&TEXTS, Role::Query, &cancel)
    {
        assert_eq!(vectors.rows, TEXTS.len());
        assert_eq!(
            model
                .encode_tokens(&TEXTS, Role::Query, &cancel)
                .unwrap()
                .len(),
            TEXTS.len()
        );
    }
}

/// The JSON value before which `left` others stand.
fn nth<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, left)),
        Value::Object(fields) => fields.values_mut().find_map(|field| nth(field, left)),
        _ => None,
    }
}

fn odd_value() -> impl Strategy<Value = Value> {
    let numbers = [0, 1, 2, 3, 23, 25, 1 << 31, u64::MAX]
        .map(Value::from)
        .to_vec();
    prop_oneof![
        prop::sample::select(numbers),
        Just(Value::Null),
        Just(Value::from("")),
        Just(Value::from("F64")),
        Just(Value::from(f64::MAX)),
        Just(Value::from(-1)),
        Just(Value::Array(Vec::new())),
    ]
}

/// Changes bytes of `table` at a place.
fn put(table: &mut [u8], at: Index, bytes: &[u8]) {
    let at = at.index(table.len().max(1));
    for (old, new) in table.iter_mut().skip(at).zip(bytes) {
        *old = *new;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_folder_whatever_its_settings_say(
        which in 0..2_usize,
        name in prop::sample::select(vec!["encoder", "cross", "splade"]),
        at in 0..40_usize,
        value in odd_value(),
    ) {
        let copy = copy(name);
        let path = copy.path().join(["config.json", "tokenizer.json"][which]);
        let mut json: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        if let Some(place) = nth(&mut json, &mut at.clone()) {
            *place = value;
        }
        fs::write(&path, json.to_string()).unwrap();
        use_folder(copy.path());
    }

    #[test]
    fn a_folder_whatever_its_table_of_tensors_says(
        name in prop::sample::select(vec!["encoder", "cross", "splade"]),
        at in any::<Index>(),
        value in odd_value(),
        data in prop::option::of((any::<Index>(), prop::collection::vec(any::<u8>(), 1..9))),
    ) {
        let copy = copy(name);
        let path = copy.path().join("model.safetensors");
        let mut bytes = fs::read(&path).unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let mut tensors = bytes.split_off(8 + length);
        if let Some((at, new)) = data {
            put(&mut tensors, at, &new);
        } else {
            let mut json: Value = serde_json::from_slice(&bytes[8..]).unwrap();
            if let Some(place) = nth(&mut json, &mut at.index(200)) {
                *place = value;
            }
            let header = json.to_string();
            bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend(header.as_bytes());
        }
        bytes.extend(tensors);
        fs::write(&path, bytes).unwrap();
        use_folder(copy.path());
    }

    /// The table of sections and what they hold, under a checksum over them as they are.
    #[test]
    fn a_model_file_whatever_its_sections_say(
        places in prop::collection::vec(
            (any::<bool>(), any::<Index>(), prop::collection::vec(any::<u8>(), 1..9)),
            1..4,
        ),
        number in prop::option::of((
            any::<Index>(),
            prop::sample::select(vec![0, 1, 64, 1 << 31, u64::MAX - 63, u64::MAX]),
        )),
        cut in prop::option::of(any::<Index>()),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m");
        let mut bytes = model_file();
        let sections = u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
        let table = 32..32 + 48 * sections;
        for (in_table, at, new) in places {
            let range = if in_table { table.clone() } else { table.end..bytes.len() };
            put(&mut bytes[range], at, &new);
        }
        if let Some((at, number)) = number {
            // Where a section begins, or its length.
            let at = table.start + 48 * (at.index(2 * sections) / 2) + 32 + 8 * (at.index(2 * sections) % 2);
            bytes[at..at + 8].copy_from_slice(&u64::to_le_bytes(number));
        }
        if let Some(cut) = cut {
            bytes.truncate(32 + cut.index(bytes.len() - 32));
        }
        seal(&mut bytes);
        fs::write(&path, bytes).unwrap();
        use_file(&path);
    }
}

/// The tiny encoder as a model file.
fn model_file() -> Vec<u8> {
    let copy = copy("encoder");
    // The list of pieces that a folder of this family has.
    let text = fs::read_to_string(copy.path().join("tokenizer.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let pieces = json["model"]["vocab"].as_object().unwrap();
    let mut pieces: Vec<(&String, u64)> = pieces
        .iter()
        .map(|(piece, id)| (piece, id.as_u64().unwrap()))
        .collect();
    pieces.sort_by_key(|piece| piece.1);
    let lines: Vec<&str> = pieces.iter().map(|piece| piece.0.as_str()).collect();
    fs::write(copy.path().join("vocab.txt"), lines.join("\n")).unwrap();
    let out = copy.path().join("model.int8");
    indago_models::quantize(copy.path(), &out).unwrap();
    fs::read(out).unwrap()
}

/// Makes length and checksum right.
fn seal(bytes: &mut [u8]) {
    let length = bytes.len() as u64;
    bytes[16..24].copy_from_slice(&length.to_le_bytes());
    let sum = xxh3_64(&bytes[32..]);
    bytes[24..32].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn sections_that_share_bytes_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m");
    let mut bytes = model_file();
    seal(&mut bytes);
    fs::write(&path, &bytes).unwrap();
    MiniLm::open(&path).unwrap();
    // The second section begins where the first does.
    let first: [u8; 8] = bytes[64..72].try_into().unwrap();
    bytes[112..120].copy_from_slice(&first);
    seal(&mut bytes);
    fs::write(&path, &bytes).unwrap();
    let error = MiniLm::open(&path).unwrap_err().to_string();
    assert!(error.contains("overlap"), "{error}");
}

#[test]
fn weights_of_no_numbers_are_named() {
    let copy = copy("encoder");
    let path = copy.path().join("model.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let error = SentenceEncoder::open(copy.path()).unwrap_err().to_string();
    assert!(error.contains("no number"), "{error}");
}

#[test]
fn a_table_of_word_vectors_whatever_it_says() {
    let model = MiniLm::embedded().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t");
    let whole = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/static-minilm.int8"));
    let whole = whole.unwrap();
    for at in (32..400).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&[0xff; 4]);
        seal(&mut bytes);
        fs::write(&path, bytes).unwrap();
        if let Ok(encoder) = StaticEncoder::open(&path, model.tokenizer().clone()) {
            encoder.encode(&TEXTS, Role::Query, &Cancel::new()).unwrap();
        }
    }
}
