//! Question: how many passages of 128 tokens does the encoder take in a second?
//!
//! Texts: synthetic, 126 known words each (128 tokens with the special ones), seed-free. Batches of
//! 1, 8 and 32 texts; warm; the rate is that of the fastest call within `SECONDS` (default 3), so
//! that other work on the machine shows less, with the mean beside it. Bound: 1.36 G products of
//! linear layers a passage, at the rate that `cargo bench -p indago-kernels` shows for a core.
//!
//! Run: `cargo bench -p indago-models --bench encode [-- MODEL]`, where MODEL is a folder with
//! published weights of any family, or a model file; without it the embedded int8 model is
//! measured. With the argument `serve` it reads batch sizes,
//! each with another number of tokens behind it or without, from its input and answers with the
//! seconds that one call took: how `benches/encoding_side_by_side.py` and
//! `benches/families_side_by_side.py` take turns with other programs. With the argument
//! `vectors` it reads a JSON string a line and writes the vectors, f32 in little-endian order: for
//! `benches/encoding_closeness.py`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::hint::black_box;
use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::time::Instant;

use indago_core::Cancel;
use indago_core::ports::{Encoder, Role};
use indago_models::{MiniLm, SentenceEncoder, StaticEncoder};

const TOKENS: usize = 128;
const SECONDS: f64 = 3.0;

/// A text of so many tokens: words that are one each, and the two around them.
fn text(seed: usize, tokens: usize) -> String {
    const WORDS: [&str; 11] = [
        "the", "river", "runs", "north", "of", "a", "small", "town", "and", "its", "bridge",
    ];
    let words: Vec<&str> = (0..tokens - 2)
        .map(|i| WORDS[(i * 7 + seed * 3) % WORDS.len()])
        .collect();
    words.join(" ")
}

fn seconds(encoder: &dyn Encoder, texts: &[&str]) -> Result<f64, Box<dyn std::error::Error>> {
    let begin = Instant::now();
    black_box(encoder.encode(texts, Role::Passage, &Cancel::new())?);
    Ok(begin.elapsed().as_secs_f64())
}

/// The vectors of the texts in the input, to the output.
fn write_vectors(model: &dyn Encoder) -> Result<(), Box<dyn std::error::Error>> {
    let lines: Vec<String> = std::io::stdin().lock().lines().collect::<Result<_, _>>()?;
    let texts: Vec<String> = lines
        .iter()
        .map(|line| serde_json::from_str(line))
        .collect::<Result<_, _>>()?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = model.encode(&texts, Role::Passage, &Cancel::new())?;
    let bytes: Vec<u8> = vectors.data.iter().flat_map(|x| x.to_le_bytes()).collect();
    std::io::stdout().write_all(&bytes)?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let serve = arguments.iter().any(|argument| argument == "serve");
    let vectors = arguments.iter().any(|argument| argument == "vectors");
    let path = arguments
        .iter()
        .find(|argument| *argument != "serve" && *argument != "vectors")
        .map(PathBuf::from);
    let begin = Instant::now();
    let model: Box<dyn Encoder> = match path {
        Some(path) if path.is_dir() => Box::new(SentenceEncoder::open(&path)?),
        Some(path) => Box::new(MiniLm::open(&path)?),
        None => Box::new(MiniLm::embedded()?),
    };
    let model = &*model;
    let opened = begin.elapsed();
    if vectors {
        return write_vectors(model);
    }
    let texts: Vec<String> = (0..64).map(|seed| text(seed, TOKENS)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let unpacked = seconds(model, &texts[..1])?;
    if serve {
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            let mut numbers = line.split_whitespace().map(str::parse::<usize>);
            let batch = numbers.next().ok_or("no batch size")??.min(texts.len());
            let tokens = numbers.next().transpose()?.unwrap_or(TOKENS);
            let texts: Vec<String> = (0..batch).map(|seed| text(seed, tokens)).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            println!("{}", seconds(model, &texts)?);
        }
        return Ok(());
    }

    println!("{}: {TOKENS} tokens a text", model.fingerprint());
    println!(
        "opened in {:.1} ms, first text in {:.1} ms",
        opened.as_secs_f64() * 1e3,
        unpacked * 1e3
    );
    println!("{:>8} {:>16} {:>16}", "batch", "passages/s best", "mean");
    for batch in [1, 8, 32] {
        let (mut best, mut calls) = (f64::INFINITY, 0);
        let begin = Instant::now();
        while begin.elapsed().as_secs_f64() < SECONDS {
            best = best.min(seconds(model, &texts[..batch])?);
            calls += 1;
        }
        let mean = (calls * batch) as f64 / begin.elapsed().as_secs_f64();
        println!("{batch:>8} {:>16.1} {mean:>16.1}", batch as f64 / best);
    }
    let table = StaticEncoder::embedded()?;
    let mut best = f64::INFINITY;
    for _ in 0..200 {
        best = best.min(seconds(&table, &texts)?);
    }
    println!(
        "{}: {:.0} passages/s at batch {}",
        table.name(),
        texts.len() as f64 / best,
        texts.len()
    );
    Ok(())
}
