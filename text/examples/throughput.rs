//! How many megabytes per second each analysis reads, on a file or on generated text.
//!
//! `cargo run --release -p indago-text --example throughput [FILE]`

use std::hint::black_box;
use std::io::{self, Write};
use std::time::Instant;

const SAMPLE: &str = "In October 1969, the Harbour Commission of Port Ellery bought the steamer \
    \"Northern Lights\" from J. R. Caldwell & Sons for $1.5 million. Dr. Anna Benson's husband, \
    who was the chief engineer of the University of Eastmark, rebuilt it twice. However, the \
    running costs were higher than anyone expected; it was sold again three years later.\n\n";

fn main() -> io::Result<()> {
    let text = match std::env::args_os().nth(1) {
        Some(path) => String::from_utf8_lossy(&std::fs::read(path)?).into_owned(),
        None => SAMPLE.repeat(20_000),
    };
    let mut out = io::stdout().lock();
    let mut time = |name: &str, work: &dyn Fn(&str) -> usize| -> io::Result<()> {
        let mut best = f64::INFINITY;
        let mut items = 0;
        for _ in 0..3 {
            let start = Instant::now();
            items = black_box(work(black_box(&text)));
            best = best.min(start.elapsed().as_secs_f64());
        }
        let rate = text.len() as f64 / best / 1e6;
        writeln!(out, "{name:<16} {rate:>8.1} MB/s {items:>10} items")
    };
    time("for_each_term", &|t| {
        let mut n = 0;
        indago_text::for_each_term(t, |term, _| n += usize::from(!term.is_empty()));
        n
    })?;
    time("terms", &|t| indago_text::terms(t).len())?;
    time("words", &|t| indago_text::words(t).len())?;
    time("sentences", &|t| indago_text::sentences(t).len())?;
    time("names", &|t| indago_text::names(t).len())?;
    time("dates", &|t| indago_text::dates(t).len())?;
    time("numbers", &|t| indago_text::numbers(t).len())?;
    time("noun_phrases", &|t| indago_text::noun_phrases(t).len())?;
    time("normalize_name", &|t| {
        t.lines()
            .map(|l| indago_text::normalize_name(l).len())
            .sum()
    })
}
