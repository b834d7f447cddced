//! Added models in 8 bits beside the same in f32, on the fixtures of every family.
#![expect(clippy::unwrap_used, reason = "tests")]

use indago_core::Cancel;
use indago_core::ports::{Encoder, Matrix, PairScorer, Role, SparseEncoder, TokenEncoder};
use indago_models::{ColBert, CrossEncoder, SentenceEncoder, Splade, runs_on_devices};

use crate::tiny::{copy_of, expected, floats, folder, texts};

/// The fixture `name` with its settings, to be computed in 8 bits.
fn in_int8(name: &str) -> tempfile::TempDir {
    let files = std::fs::read_dir(folder(name)).unwrap();
    let files: Vec<String> = files
        .map(|file| file.unwrap())
        .filter(|file| file.path().is_file())
        .map(|file| file.file_name().into_string().unwrap())
        .collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let copy = copy_of(name, &files);
    std::fs::write(copy.path().join("indago.json"), r#"{"precision":"int8"}"#).unwrap();
    copy
}

fn cosine(x: &[f32], y: &[f32]) -> f32 {
    let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f32>();
    dot(x, y) / (dot(x, x) * dot(y, y)).sqrt()
}

/// Least cosine of rows that are not all zero.
fn least_cosine(ours: &Matrix, theirs: &Matrix) -> f32 {
    let rows = (0..ours.rows).filter(|&i| theirs.row(i).iter().any(|x| *x != 0.0));
    rows.map(|i| cosine(ours.row(i), theirs.row(i)))
        .fold(1.0, f32::min)
}

#[test]
fn vectors_of_every_family_are_near_those_in_f32() {
    for name in [
        "cased",
        "xlm-roberta",
        "mpnet",
        "deberta",
        "gte",
        "modernbert",
        "nomic",
    ] {
        let copy = in_int8(name);
        let (coarse, full) = (
            SentenceEncoder::open(copy.path()).unwrap(),
            SentenceEncoder::open(&folder(name)).unwrap(),
        );
        assert_ne!(Encoder::fingerprint(&coarse), Encoder::fingerprint(&full));
        let reference = expected(name);
        let texts = texts(&reference);
        for role in [Role::Query, Role::Passage] {
            let encode =
                |model: &SentenceEncoder| model.encode(&texts, role, &Cancel::new()).unwrap();
            let (coarse, full) = (encode(&coarse), encode(&full));
            assert_ne!(coarse, full, "{name}");
            let least = least_cosine(&coarse, &full);
            // Rounding shows more in vectors of 24 values than in published ones of several hundred.
            assert!(least > 0.98, "{name}: {least}");
        }
    }
}

#[test]
fn tokens_scores_and_weights_are_near_those_in_f32() {
    let copy = in_int8("late");
    let tokens = |model: ColBert| {
        model
            .encode_tokens(&["Bread and light"], Role::Passage, &Cancel::new())
            .unwrap()
            .remove(0)
    };
    let (coarse, full) = (
        tokens(ColBert::open(copy.path()).unwrap()),
        tokens(ColBert::open(&folder("late")).unwrap()),
    );
    let least = least_cosine(&coarse, &full);
    assert!(least > 0.98, "{least}");

    let copy = in_int8("cross");
    let model = CrossEncoder::open(copy.path()).unwrap();
    let reference = expected("cross");
    let texts = texts(&reference);
    let query = reference["queries"][0].as_str().unwrap();
    let scores = model.score(query, &texts, &Cancel::new()).unwrap();
    let full = floats(&reference["scores"][0]);
    for (coarse, full) in scores.iter().zip(full) {
        assert!((coarse - full).abs() < 0.1, "{coarse} {full}");
    }

    let copy = in_int8("splade");
    let weights = |model: Splade| {
        let vector = model
            .encode(&["Bread and light"], Role::Passage, &Cancel::new())
            .unwrap()
            .remove(0);
        let mut row = vec![0.0; model.vocabulary()];
        for (id, weight) in vector {
            row[id as usize] = weight;
        }
        row
    };
    let (coarse, full) = (
        weights(Splade::open(copy.path()).unwrap()),
        weights(Splade::open(&folder("splade")).unwrap()),
    );
    let cosine = cosine(&coarse, &full);
    assert!(cosine > 0.98, "{cosine}");
}

#[test]
fn a_model_keeps_its_own_prefixes_and_the_cpu() {
    let copy = in_int8("xlm-roberta");
    let files = ["config.json", "model.safetensors", "tokenizer.json"];
    let bare = copy_of("xlm-roberta", &files);
    std::fs::write(bare.path().join("indago.json"), r#"{"precision":"int8"}"#).unwrap();
    let fingerprint = |path| Encoder::fingerprint(&SentenceEncoder::open(path).unwrap()).to_owned();
    assert_ne!(fingerprint(copy.path()), fingerprint(bare.path()));
    assert!(runs_on_devices(&folder("xlm-roberta")) && !runs_on_devices(copy.path()));
}

#[test]
fn settings_that_are_not_known_are_refused() {
    let copy = in_int8("mpnet");
    for (settings, named) in [
        (r#"{"precision":"int4"}"#, "int4"),
        (r#"{"precison":"int8"}"#, "precison"),
        ("[", "indago.json"),
    ] {
        std::fs::write(copy.path().join("indago.json"), settings).unwrap();
        let error = SentenceEncoder::open(copy.path()).unwrap_err().to_string();
        assert!(
            error.contains(named) && error.contains("indago.json"),
            "{error}"
        );
        assert!(!runs_on_devices(copy.path()));
    }
}
