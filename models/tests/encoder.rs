//! How the encoder behaves, whatever its weights say.

use indago_core::Cancel;
use indago_core::ports::{EncodeError, Encoder, PairScorer, Role};
use indago_kernels::dot_f32;
use indago_models::MiniLm;
use indago_models::weights::container::{Container, ContainerWriter};

const TEXTS: &[&str] = &[
    "A short one.",
    "",
    "The quick brown fox jumps over the lazy dog, and then over another one, twice a day.",
    " \n",
    "42",
];

#[test]
fn a_vector_does_not_depend_on_its_company() {
    let model = MiniLm::embedded().unwrap();
    let together = model.encode(TEXTS, Role::Passage, &Cancel::new()).unwrap();
    assert_eq!((together.rows, together.dim), (TEXTS.len(), model.dim()));
    for (i, text) in TEXTS.iter().enumerate() {
        let alone = model.encode(&[text], Role::Query, &Cancel::new()).unwrap();
        assert_eq!(alone.row(0), together.row(i), "{text:?}");
    }
}

#[test]
fn rows_have_length_1_or_are_zeros_for_texts_without_tokens() {
    let model = MiniLm::embedded().unwrap();
    let rows = model.encode(TEXTS, Role::Passage, &Cancel::new()).unwrap();
    for (i, text) in TEXTS.iter().enumerate() {
        let length = dot_f32(rows.row(i), rows.row(i)).sqrt();
        let expected = if text.trim().is_empty() { 0.0 } else { 1.0 };
        assert!((length - expected).abs() < 1e-5, "{text:?}: {length}");
    }
    assert_eq!(
        model
            .encode(&[], Role::Passage, &Cancel::new())
            .unwrap()
            .rows,
        0
    );
}

#[test]
fn what_lies_beyond_256_tokens_is_not_read() {
    let model = MiniLm::embedded().unwrap();
    let kept = "word ".repeat(model.max_tokens());
    let longer = format!("{kept} and something else entirely");
    let rows = model
        .encode(&[&kept, &longer], Role::Passage, &Cancel::new())
        .unwrap();
    assert_eq!(rows.row(0), rows.row(1));
}

#[test]
fn a_cancelled_encoding_is_an_error() {
    let cancel = Cancel::new();
    cancel.cancel();
    let outcome = MiniLm::embedded()
        .unwrap()
        .encode(&["text"], Role::Query, &cancel);
    assert!(matches!(outcome, Err(EncodeError::Cancelled(_))));
}

#[test]
fn texts_about_the_same_thing_score_higher() {
    let model = MiniLm::embedded().unwrap();
    let texts = [
        "Berlin is the capital of Germany.",
        "Bake the bread for forty minutes.",
    ];
    let scores = model.score(
        "Which city is Germany's seat of government?",
        &texts,
        &Cancel::new(),
    );
    let scores = scores.unwrap();
    assert!(scores[0] > 0.5 && scores[1] < 0.3, "{scores:?}");
}

#[test]
fn the_fingerprint_is_that_of_the_weights() {
    let (one, two) = (MiniLm::embedded().unwrap(), MiniLm::embedded().unwrap());
    assert_eq!(one.fingerprint(), two.fingerprint());
    assert!(one.fingerprint().starts_with("all-MiniLM-L6-v2/int8@"));
}

#[test]
fn a_file_that_is_no_model_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.bin");
    std::fs::write(&path, b"something else").unwrap();
    let error = MiniLm::open(&path).unwrap_err().to_string();
    assert!(
        error.contains("model.bin") && error.contains("no indago model file"),
        "{error}"
    );
    let error = MiniLm::open(&folder.path().join("none"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("cannot read"), "{error}");
    let error = MiniLm::open(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("vocab.txt") && error.contains("cannot be used"),
        "{error}"
    );
}

#[test]
fn a_model_file_with_odd_sizes_is_refused() {
    for dims in [
        [0, 1, 1, 1, 8, 3],
        [8, 3, 8, 1, 8, 3],
        [8, 2, 8, 1, u32::MAX, 3],
    ] {
        let mut file = ContainerWriter::default();
        file.add_numbers("dims", &dims).unwrap();
        file.add_floats("eps", &[1e-12]).unwrap();
        file.add("vocabulary", "[UNK]\n[CLS]\n[SEP]").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("odd");
        let bytes = file.finish();
        assert!(Container::read("odd", bytes.clone()).is_ok());
        std::fs::write(&path, bytes).unwrap();
        let error = MiniLm::open(&path).unwrap_err().to_string();
        assert!(error.contains("odd sizes"), "{error}");
    }
}

#[test]
fn token_vectors_have_length_one_and_do_not_depend_on_company() {
    use indago_core::ports::{TokenCounter as _, TokenEncoder as _};
    let model = MiniLm::embedded().expect("the embedded model opens");
    let cancel = Cancel::new();
    let texts = [
        "The lighthouse was built in 1888.",
        "",
        "Bread needs flour, water, salt and yeast.",
    ];
    let together = model
        .encode_tokens(&texts, Role::Passage, &cancel)
        .expect("texts encode");
    for (text, matrix) in texts.iter().zip(&together) {
        assert_eq!(matrix.rows, model.count(text), "a row a word piece");
        let alone = model
            .encode_tokens(&[text], Role::Query, &cancel)
            .expect("a text encodes");
        assert_eq!(alone[0].data, matrix.data);
        for row in matrix.data.chunks_exact(384) {
            let length: f32 = row.iter().map(|x| x * x).sum();
            assert!((length - 1.0).abs() < 1e-4);
        }
    }
    assert!(Encoder::tokens(&model).is_some());
}
