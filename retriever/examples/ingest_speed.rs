//! Prints how fast files are loaded and cut into passages, on one thread:
//! `cargo run --release -p indago-retriever --example ingest_speed -- PATH...`
//!
//! Bytes are those of the decoded text. A format whose files are few or small is timed too short to
//! mean much. The last line counts processor time where the system states it (Linux), which a busy
//! machine does not stretch.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use indago_retriever::ingest::{
    ChunkOptions, LoadLimits, TokenEstimate, WalkError, WalkOptions, chunk, load, walk,
};

#[derive(Default)]
struct Tally {
    files: u64,
    documents: u64,
    passages: u64,
    bytes: u64,
    loading: Duration,
    chunking: Duration,
}

fn main() -> Result<(), WalkError> {
    let roots: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let found = walk(&roots, &WalkOptions::default())?;
    let (limits, options) = (LoadLimits::default(), ChunkOptions::default());
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut skipped: BTreeMap<&str, u64> = BTreeMap::new();
    for file in &found.files {
        let begun = Instant::now();
        let loaded = match load(file, &limits) {
            Ok(loaded) => loaded,
            Err(left_out) => {
                *skipped.entry(left_out.reason.label()).or_default() += 1;
                continue;
            }
        };
        let mut chunking = Duration::ZERO;
        let mut tally = Tally {
            files: 1,
            ..Tally::default()
        };
        let mut kind = String::new();
        for parsed in loaded {
            let Ok(parsed) = parsed else {
                *skipped.entry("records").or_default() += 1;
                continue;
            };
            let chunking_begun = Instant::now();
            let passages = chunk(&parsed.document, &parsed.outline, &options, &TokenEstimate);
            chunking += chunking_begun.elapsed();
            tally.documents += 1;
            tally.passages += passages.len() as u64;
            tally.bytes += parsed.document.text.len() as u64;
            if kind.is_empty() {
                kind = format!("{:?}", parsed.document.kind);
            }
        }
        let total = tallies.entry(kind).or_default();
        total.files += tally.files;
        total.documents += tally.documents;
        total.passages += tally.passages;
        total.bytes += tally.bytes;
        total.chunking += chunking;
        total.loading += begun.elapsed().saturating_sub(chunking);
    }
    println!("kind          files documents  passages       MB  load MB/s chunk MB/s  both MB/s");
    for (kind, tally) in &tallies {
        let megabytes = tally.bytes as f64 / 1e6;
        let (load_s, chunk_s) = (tally.loading.as_secs_f64(), tally.chunking.as_secs_f64());
        println!(
            "{kind:<12}{:>7}{:>10}{:>10}{megabytes:>9.1}{:>11.1}{:>11.1}{:>11.1}",
            tally.files,
            tally.documents,
            tally.passages,
            megabytes / load_s,
            megabytes / chunk_s,
            megabytes / (load_s + chunk_s)
        );
    }
    println!(
        "skipped: {skipped:?}, folders and links: {}",
        found.skipped.len()
    );
    let bytes: u64 = tallies.values().map(|tally| tally.bytes).sum();
    if let Some(seconds) = processor_seconds() {
        let rate = bytes as f64 / 1e6 / seconds;
        println!("all: {rate:.1} MB per second of processor time ({seconds:.2} s)");
    }
    Ok(())
}

/// Processor time of this process, from `/proc/self/stat`, in whose fields 14 and 15 it stands in
/// hundredths of a second.
fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in brackets and may hold spaces.
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks = |n: usize| fields.split(' ').nth(n - 3)?.parse::<f64>().ok();
    let seconds = (ticks(14)? + ticks(15)?) / 100.0;
    (seconds > 0.0).then_some(seconds)
}
