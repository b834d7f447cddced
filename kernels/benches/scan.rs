//! Question: how far is the exact scan from memory bandwidth, and what does a batch of queries gain?
//!
//! Rows: 100,000 synthetic vectors of 384 values (154 MB in f32, 38 MB as int8), k = 10, warm, all
//! threads; the best of the runs that fit 1 s. Bound: a plain sum over the same rows.
//!
//! Run: `cargo bench -p indago-kernels --bench scan`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::hint::black_box;
use std::time::Instant;

use indago_core::Cancel;
use indago_kernels::quantize::Quantized;
use indago_kernels::scan::{top_k_f32, top_k_i8};
use indago_kernels::{Isa, RowsF32};
use rayon::prelude::*;

const ROWS: usize = 100_000;
const DIM: usize = 384;

fn best(mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut best = f64::INFINITY;
    while start.elapsed().as_secs_f64() < 1.0 {
        let begin = Instant::now();
        run();
        best = best.min(begin.elapsed().as_secs_f64());
    }
    best
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data: Vec<f32> = (0..ROWS * DIM)
        .map(|i| ((i * 7919) % 20_011) as f32 / 10_005.5 - 1.0)
        .collect();
    let rows = RowsF32::new(&data, DIM)?;
    let codes = Quantized::of(rows);
    println!("instructions: {}", Isa::active().name());
    println!(
        "{:<24} {:>9} {:>12} {:>14}",
        "scan", "ms", "GB/s", "ms a query"
    );
    let report = |name: &str, seconds: f64, bytes: usize, queries: usize| {
        let gigabytes = bytes as f64 / 1e9 / seconds;
        let each = seconds * 1e3 / queries as f64;
        println!(
            "{name:<24} {:>9.2} {gigabytes:>12.1} {each:>14.2}",
            seconds * 1e3
        );
    };
    let sum = best(|| {
        let sum: f32 = data
            .par_chunks(1 << 16)
            .map(|x| x.iter().sum::<f32>())
            .sum();
        black_box(sum);
    });
    report("plain sum, f32", sum, 4 * ROWS * DIM, 1);
    for queries in [1, 4, 32] {
        let vectors = &data[DIM..(queries + 1) * DIM];
        let cancel = Cancel::new();
        let seconds = best(|| {
            black_box(top_k_f32(rows, vectors, 10, &cancel).ok());
        });
        report(
            &format!("f32, {queries} queries"),
            seconds,
            4 * ROWS * DIM,
            queries,
        );
        let int8 = codes.rows()?;
        let seconds = best(|| {
            black_box(top_k_i8(int8, vectors, 10, &cancel).ok());
        });
        report(
            &format!("int8, {queries} queries"),
            seconds,
            ROWS * DIM,
            queries,
        );
    }
    Ok(())
}
