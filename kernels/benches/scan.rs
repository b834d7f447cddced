//! Question: how far is the exact scan from memory bandwidth, and what does a batch of queries gain?
//!
//! Rows: 100,000 synthetic vectors of 384 values (154 MB in f32, 38 MB as int8), k = 10, warm, all
//! threads; the best of the runs that fit 1 s. Bound: a plain sum over the same rows.
//!
//! Run: `cargo bench -p indago-kernels --bench scan`. With the arguments `serve FILE DIM QUERIES` it
//! reads rows and, behind them, queries from a file of f32 values, and then commands from its input:
//! `FORMAT BATCH` (f32, f16, i8, i8x4, bits or sum) is answered by the seconds that all queries took in
//! batches of that size, `ids FORMAT K` by the rows found for each query. So takes
//! `benches/dense_exact_side_by_side.py` turns with other programs.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::hint::black_box;
use std::time::Instant;

use indago_core::Cancel;
use indago_kernels::quantize::{Quantized, push_row_bits};
use indago_kernels::scan::{Scored, rescore, top_k_bits, top_k_f16, top_k_f32, top_k_i8};
use indago_kernels::{Isa, RowsBits, RowsF16, RowsF32, dot_f32};
use rayon::prelude::*;

mod measured;
use measured::measured;

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

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The same rows in every format.
struct Rows {
    data: Vec<f32>,
    halves: Vec<u16>,
    codes: Quantized,
    bits: Vec<u64>,
    dim: usize,
}

impl Rows {
    fn of(data: Vec<f32>, dim: usize) -> Outcome<Self> {
        let mut bits = Vec::new();
        data.chunks_exact(dim)
            .for_each(|row| push_row_bits(row, &mut bits));
        Ok(Self {
            halves: data
                .iter()
                .map(|x| half::f16::from_f32(*x).to_bits())
                .collect(),
            codes: Quantized::of(RowsF32::new(&data, dim)?),
            bits,
            data,
            dim,
        })
    }

    fn search(&self, format: &str, queries: &[f32], k: usize) -> Outcome<Vec<Vec<Scored>>> {
        let (dim, cancel) = (self.dim, Cancel::new());
        Ok(match format {
            "f32" => top_k_f32(RowsF32::new(&self.data, dim)?, queries, k, &cancel)?,
            "f16" => top_k_f16(
                RowsF16::new(&self.halves, dim)?,
                queries,
                k,
                |_| true,
                &cancel,
            )?,
            "i8" => top_k_i8(self.codes.rows()?, queries, k, &cancel)?,
            // Four times as many candidates, scored again exactly.
            "i8x4" => {
                let near = top_k_i8(self.codes.rows()?, queries, 4 * k, &cancel)?;
                self.exactly(near, queries, k)
            }
            // Sixteen times as many candidates, scored again exactly.
            "bits" => {
                let mut codes = Vec::new();
                queries
                    .chunks_exact(dim)
                    .for_each(|query| push_row_bits(query, &mut codes));
                let rows = RowsBits::new(&self.bits, dim)?;
                let near = RowsBits::new(&codes, dim)?;
                let near = top_k_bits(rows, near, 16 * k, |_| true, &cancel)?;
                self.exactly(near, queries, k)
            }
            other => return Err(format!("no format `{other}`").into()),
        })
    }

    /// The best `k` of each query's candidates by their f32 rows.
    fn exactly(&self, near: Vec<Vec<Scored>>, queries: &[f32], k: usize) -> Vec<Vec<Scored>> {
        let row = |row: usize| &self.data[row * self.dim..(row + 1) * self.dim];
        let queries = queries.chunks_exact(self.dim);
        let near = near.into_iter().zip(queries);
        near.map(|(near, query)| rescore(near, k, |at| dot_f32(row(at), query)))
            .collect()
    }
}

/// Answers commands from the input; see the top of the file.
fn serve(arguments: &[String]) -> Outcome<()> {
    let [file, dim, n_queries] = arguments else {
        return Err("serve FILE DIM QUERIES".into());
    };
    let (dim, n_queries): (usize, usize) = (dim.parse()?, n_queries.parse()?);
    let bytes = std::fs::read(file)?;
    let (values, _) = bytes.as_chunks::<4>();
    let mut data: Vec<f32> = values.iter().map(|b| f32::from_le_bytes(*b)).collect();
    drop(bytes);
    let queries = data.split_off(data.len() - n_queries * dim);
    let (rows, seconds, more) = measured(|| Rows::of(data, dim));
    let rows = rows?;
    println!("ready {seconds} {more}");
    for line in std::io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["ids", format, k] => {
                for hits in rows.search(format, &queries, k.parse()?)? {
                    let ids: Vec<String> = hits.iter().map(|hit| hit.row.to_string()).collect();
                    println!("{}", ids.join(" "));
                }
            }
            // What memory gives: as many bytes as the codes have, read once for each query by a
            // sum of whole words, which costs less than what it waits for.
            ["sum", _] => {
                let words = &rows.data[..rows.codes.codes.len() / 4];
                let begin = Instant::now();
                for _ in 0..n_queries {
                    let add = |sum: u32, x: &f32| sum.wrapping_add(x.to_bits());
                    let sum = |part: &[f32]| part.iter().fold(0, add);
                    let sums = words.par_chunks(1 << 16).map(sum);
                    black_box(sums.reduce(|| 0, u32::wrapping_add));
                }
                println!("{}", begin.elapsed().as_secs_f64());
            }
            [format, batch] => {
                let batch: usize = batch.parse()?;
                let begin = Instant::now();
                for queries in queries.chunks(batch * dim) {
                    black_box(rows.search(format, queries, 10)?);
                }
                println!("{}", begin.elapsed().as_secs_f64());
            }
            _ => return Err(format!("no command `{line}`").into()),
        }
    }
    Ok(())
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "serve") {
        return serve(&arguments[at + 1..]);
    }
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
