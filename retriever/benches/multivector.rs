//! Question: what do recall and time of late interaction look like beside scoring every passage?
//!
//! `cargo bench -p indago-retriever --bench multivector -- serve FILE` reads token vectors of
//! passages and queries (`benches/multivector_side_by_side.py` writes them), builds an index with 4
//! bits a value, prints the seconds that took, its bytes without and of fixed dimensional encodings,
//! and the most memory that the program took, and then answers commands: `search WAY
//! PROBES CANDIDATES K` by the seconds that all queries took one by one, WAY being `plaid`, `muvera`
//! or `xtr`; `ids WAY PROBES CANDIDATES K` by what they found. Without arguments it times random
//! vectors.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::io::BufRead as _;
use std::time::Instant;

use indago_core::Cancel;
use indago_core::ports::Matrix;
use indago_retriever::multivector::{Codec, Index, IndexBuilder, Scope};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const BITS: usize = 4;
/// Passages whose tokens centroids are made from.
const SAMPLE: usize = 1024;

struct Searches {
    index: Index,
    queries: Vec<Matrix>,
}

/// Takes `n` matrices off the front: each its number of rows, then the values.
fn matrices(words: &mut &[[u8; 4]], n: usize, dim: usize) -> Outcome<Vec<Matrix>> {
    let mut out = Vec::with_capacity(n);
    for _ in 0..n {
        let (rows, rest) = words.split_first().ok_or("the file ends early")?;
        let rows = u32::from_le_bytes(*rows) as usize;
        if rest.len() < rows * dim {
            return Err("the file ends early".into());
        }
        let (values, rest) = rest.split_at(rows * dim);
        let data = values.iter().map(|value| f32::from_le_bytes(*value));
        out.push(Matrix {
            rows,
            dim,
            data: data.collect(),
        });
        *words = rest;
    }
    Ok(out)
}

impl Searches {
    fn new(passages: &[Matrix], queries: Vec<Matrix>, dim: usize) -> Outcome<Self> {
        let cancel = Cancel::new();
        let step = (passages.len() / SAMPLE).max(1);
        let sample: Vec<f32> = passages
            .iter()
            .step_by(step)
            .flat_map(|passage| passage.data.iter().copied())
            .collect();
        let expected = passages.iter().map(|passage| passage.rows).sum();
        let codec = Codec::train(&sample, dim, BITS, expected, &cancel)?;
        let mut builder = IndexBuilder::new(codec);
        for batch in passages.chunks(64) {
            let batch: Vec<&[f32]> = batch.iter().map(|p| p.data.as_slice()).collect();
            builder.push(&batch, &cancel)?;
        }
        let index = builder.finish();
        Ok(Self { index, queries })
    }

    fn search(&self, query: &Matrix, way: &str, scope: Scope, k: usize) -> Outcome<Vec<u32>> {
        let cancel = Cancel::new();
        let all = |_: u32| true;
        let found = match way {
            "plaid" => self.index.plaid(query, k, scope, all, &cancel)?,
            "muvera" => self.index.muvera(query, k, scope, all, &cancel)?,
            "xtr" => self.index.xtr(query, k, scope, all, &cancel)?,
            _ => return Err(format!("there is no way `{way}`").into()),
        };
        Ok(found.into_iter().map(|(passage, _)| passage).collect())
    }

    fn answer(&self, line: &str) -> Outcome<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [command, way, probes, candidates, k] = words.as_slice() else {
            return Err(format!("unknown command `{line}`").into());
        };
        let scope = Scope {
            probes: probes.parse()?,
            candidates: candidates.parse()?,
        };
        let k = k.parse()?;
        let begin = Instant::now();
        let mut out = String::new();
        for query in &self.queries {
            let mut rows = self.search(query, way, scope, k)?;
            rows.resize(k, u32::MAX);
            if *command == "ids" {
                for row in rows {
                    out.push_str(&format!("{row} "));
                }
            }
        }
        Ok(match *command {
            "ids" => out,
            _ => begin.elapsed().as_secs_f64().to_string(),
        })
    }
}

fn read(path: &str) -> Outcome<(Vec<Matrix>, Vec<Matrix>, usize)> {
    let bytes = std::fs::read(path)?;
    let (words, _) = bytes.as_chunks::<4>();
    let [n, n_queries, dim, rest @ ..] = words else {
        return Err("the file has no header".into());
    };
    let count = |word: &[u8; 4]| u32::from_le_bytes(*word) as usize;
    let dim = count(dim);
    let mut rest = rest;
    let passages = matrices(&mut rest, count(n), dim)?;
    let queries = matrices(&mut rest, count(n_queries), dim)?;
    Ok((passages, queries, dim))
}

/// Random unit vectors, for a run without a file.
fn made(n: usize, rows: usize, dim: usize, state: &mut u64) -> Vec<Matrix> {
    let mut next = || {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (*state >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    };
    (0..n)
        .map(|_| {
            let mut data: Vec<f32> = (0..rows * dim).map(|_| next()).collect();
            for row in data.chunks_exact_mut(dim) {
                let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
                for x in row.iter_mut() {
                    *x /= length;
                }
            }
            Matrix { rows, dim, data }
        })
        .collect()
}

/// Most memory that this process had in use; 0 where the system does not tell.
fn peak_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.map_or(0, |kib: usize| kib * 1024)
}

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let serve = match args.as_slice() {
        [serve, file] if serve == "serve" => Some(file),
        _ => None,
    };
    let (passages, queries, dim) = match serve {
        Some(file) => read(file)?,
        None => (made(500, 60, 64, &mut 1), made(10, 12, 64, &mut 2), 64),
    };
    let begin = Instant::now();
    let searches = Searches::new(&passages, queries, dim)?;
    drop(passages);
    println!(
        "{} {} {} {}",
        begin.elapsed().as_secs_f64(),
        searches.index.bytes(),
        searches.index.fixed_bytes(),
        peak_bytes()
    );
    if serve.is_none() {
        for way in ["plaid 8 1024 10", "muvera 0 200 10", "xtr 32 2000 10"] {
            println!("{way}: {} s", searches.answer(&format!("search {way}"))?);
        }
        return Ok(());
    }
    for line in std::io::stdin().lock().lines() {
        println!("{}", searches.answer(&line?)?);
    }
    Ok(())
}
