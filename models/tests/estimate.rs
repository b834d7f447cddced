//! The estimate of token counts against the tokenizer, on real prose and code.
#![expect(clippy::print_stdout, reason = "says how close the estimate is")]

use indago_core::ports::TokenCounter;
use indago_models::MiniLm;
use indago_models::text_estimate::ByteTokenCounter;

fn check(text: &str, what: &str) {
    let exact = MiniLm::embedded()
        .expect("the embedded model is sound")
        .count(text);
    let estimate = ByteTokenCounter.count(text);
    let ratio = estimate as f64 / exact as f64;
    println!("{what}: {estimate} for {exact}, {ratio:.2}");
    assert!((0.75..1.35).contains(&ratio), "{what}: {ratio}");
}

#[test]
fn the_estimate_is_within_a_third_on_prose_code_and_tables() {
    check(include_str!("../weights/README.md"), "Markdown");
    check(include_str!("../src/encoder/minilm.rs"), "Rust");
    check(include_str!("parity/make_reference.py"), "Python");
    check(include_str!("../../LICENSE-MIT"), "prose");
}

#[test]
fn gaps_count_nothing_and_every_sign_counts() {
    assert_eq!(ByteTokenCounter.count(""), 0);
    assert_eq!(ByteTokenCounter.count(" \t\r\n"), 0);
    assert_eq!(ByteTokenCounter.count("one two, three"), 4);
    assert_eq!(ByteTokenCounter.count("\u{4e2d}\u{6587}"), 2);
    assert_eq!(ByteTokenCounter.count("internationalisation"), 3);
}
