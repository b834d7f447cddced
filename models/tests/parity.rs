//! Our encoder against the published model in torch: `parity/make_reference.py` made the vectors.
#![expect(
    clippy::print_stdout,
    reason = "says how close each text came, and what was skipped"
)]

use std::path::Path;

use indago_core::Cancel;
use indago_core::ports::{Encoder, Role, TokenCounter};
use indago_kernels::dot_f32;
use indago_models::MiniLm;

#[derive(serde::Deserialize)]
struct Reference {
    items: Vec<Item>,
}

#[derive(serde::Deserialize)]
struct Item {
    text: String,
    ids: Vec<u32>,
    vector: Vec<f32>,
}

fn reference() -> Vec<Item> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/reference.json");
    let text = std::fs::read_to_string(path).expect("the fixture is in the repository");
    serde_json::from_str::<Reference>(&text)
        .expect("the fixture is valid")
        .items
}

/// Smallest cosine between our vectors and the published ones.
fn worst_cosine(model: &MiniLm) -> f32 {
    let items = reference();
    let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
    let vectors = model
        .encode(&texts, Role::Passage, &Cancel::new())
        .expect("texts encode");
    let mut worst = f32::INFINITY;
    for (i, item) in items.iter().enumerate() {
        let cosine =
            dot_f32(vectors.row(i), &item.vector) / dot_f32(&item.vector, &item.vector).sqrt();
        println!("{cosine:.6} {:.40}", item.text);
        worst = worst.min(cosine);
    }
    println!("worst cosine of {}: {worst:.6}", Encoder::name(model));
    worst
}

#[test]
fn token_ids_are_those_of_the_published_tokenizer() {
    let model = MiniLm::embedded().unwrap();
    for item in reference() {
        let pieces = model.tokenizer().tokens(&item.text, model.max_tokens());
        assert_eq!(pieces, item.ids[1..item.ids.len() - 1], "{:?}", item.text);
        if item.ids.len() < 256 {
            assert_eq!(model.count(&item.text), pieces.len());
        }
    }
}

#[test]
fn int8_vectors_are_close_to_the_published_ones() {
    assert!(worst_cosine(&MiniLm::embedded().unwrap()) >= 0.995);
}

/// Needs the published weights, which the repository does not hold: a folder with `config.json`,
/// `vocab.txt` and `model.safetensors`, named by `INDAGO_MINILM_F32`.
#[test]
fn f32_vectors_equal_the_published_ones() {
    let Some(folder) = std::env::var_os("INDAGO_MINILM_F32") else {
        println!("skipped: INDAGO_MINILM_F32 does not name the folder with the f32 weights");
        return;
    };
    assert!(worst_cosine(&MiniLm::open(Path::new(&folder)).unwrap()) >= 0.9999);
}
