//! Question: what do recall and time of approximate search look like beside the exact scan?
//!
//! `cargo bench -p indago-retriever --bench approximate -- serve FILE DIM QUERIES` reads rows and,
//! behind them, queries from a file of f32 values, builds a graph over the rows' 8-bit codes, prints
//! the seconds that took and the memory on top of the rows in KiB, and then answers commands: `search BEAM K` by the seconds that all
//! queries took one by one on one thread; `exact K` the same for the exact scan of 8-bit codes on
//! all threads; `ids BEAM K` by the rows found for each query, after scoring with the f32 rows. So
//! takes `benches/dense_approximate_side_by_side.py` turns with other programs. Without arguments
//! it compares both on synthetic rows.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::io::BufRead as _;
use std::time::Instant;

use indago_core::Cancel;
use indago_kernels::quantize::Quantized;
use indago_kernels::scan::top_k_i8;
use indago_kernels::{RowsF32, RowsI8, dot_f32};
use indago_retriever::vamana::{self, Graph, Params, Walker};

#[path = "../../kernels/benches/measured/mod.rs"]
mod measured;
use measured::measured;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

struct Index {
    data: Vec<f32>,
    queries: Vec<f32>,
    codes: Quantized,
    graph: Graph,
    dim: usize,
}

impl Index {
    fn new(mut data: Vec<f32>, dim: usize, n_queries: usize, params: Params) -> Outcome<Self> {
        let at = data.len().saturating_sub(n_queries * dim);
        let queries = data.split_off(at);
        let (made, seconds, more) = measured(|| -> Outcome<_> {
            let codes = Quantized::of(RowsF32::new(&data, dim)?);
            let members: Vec<u32> = (0..(data.len() / dim) as u32).collect();
            let graph = vamana::build(codes.rows()?, &members, params, &Cancel::new())?;
            Ok((codes, graph))
        });
        let (codes, graph) = made?;
        println!("{seconds} {more}");
        Ok(Self {
            data,
            queries,
            codes,
            graph,
            dim,
        })
    }

    fn rows(&self) -> Outcome<RowsI8<'_>> {
        Ok(self.codes.rows()?)
    }

    /// The best `k`, scored again with the f32 rows.
    fn search(
        &self,
        query: &[f32],
        beam: usize,
        k: usize,
        walker: &mut Walker,
    ) -> Outcome<Vec<u32>> {
        let entries = &self.graph.entries;
        let found = vamana::search(self.rows()?, &self.graph, entries, query, beam, walker)?;
        let mut exact: Vec<(f32, u32)> = found
            .iter()
            .take(2 * k + 8)
            .map(|near| (dot_f32(self.row(near.row), query), near.row))
            .collect();
        exact.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        exact.truncate(k);
        Ok(exact.into_iter().map(|(_, row)| row).collect())
    }

    fn row(&self, row: u32) -> &[f32] {
        &self.data[row as usize * self.dim..][..self.dim]
    }

    fn seconds(&self, beam: usize, k: usize) -> Outcome<f64> {
        let mut walker = Walker::default();
        let begin = Instant::now();
        for query in self.queries.chunks_exact(self.dim) {
            std::hint::black_box(self.search(query, beam, k, &mut walker)?);
        }
        Ok(begin.elapsed().as_secs_f64())
    }

    fn exact_seconds(&self, k: usize) -> Outcome<f64> {
        let begin = Instant::now();
        for query in self.queries.chunks_exact(self.dim) {
            std::hint::black_box(top_k_i8(self.rows()?, query, k, &Cancel::new())?);
        }
        Ok(begin.elapsed().as_secs_f64())
    }

    fn answer(&self, line: &str) -> Outcome<String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        Ok(match words.as_slice() {
            ["search", beam, k] => self.seconds(beam.parse()?, k.parse()?)?.to_string(),
            ["exact", k] => self.exact_seconds(k.parse()?)?.to_string(),
            ["ids", beam, k] => {
                let mut walker = Walker::default();
                let mut out = String::new();
                for query in self.queries.chunks_exact(self.dim) {
                    for row in self.search(query, beam.parse()?, k.parse()?, &mut walker)? {
                        out.push_str(&format!("{row} "));
                    }
                }
                out
            }
            _ => return Err(format!("unknown command `{line}`").into()),
        })
    }
}

fn params() -> Outcome<Params> {
    let mut params = Params::default();
    if let Ok(text) = std::env::var("GRAPH") {
        let words: Vec<&str> = text.split(',').collect();
        if let [degree, beam, alpha] = words.as_slice() {
            params = Params {
                degree: degree.parse()?,
                beam: beam.parse()?,
                alpha: alpha.parse()?,
            };
        }
    }
    Ok(params)
}

/// The f32 values of a file, in little-endian order.
fn read(path: &str) -> Outcome<Vec<f32>> {
    let bytes = std::fs::read(path)?;
    let (values, _) = bytes.as_chunks::<4>();
    Ok(values.iter().map(|&b| f32::from_le_bytes(b)).collect())
}

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    if let ["serve", file, dim, n_queries] = words.as_slice() {
        let data = read(file)?;
        let index = Index::new(data, dim.parse()?, n_queries.parse()?, params()?)?;
        for line in std::io::stdin().lock().lines() {
            println!("{}", index.answer(&line?)?);
        }
        return Ok(());
    }
    let (n, dim, n_queries) = (20_000, 384, 200);
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    };
    let centres: Vec<f32> = (0..140 * dim).map(|_| next()).collect();
    let mut data = Vec::with_capacity((n + n_queries) * dim);
    for i in 0..n + n_queries {
        let centre = &centres[(i * 37 % 140) * dim..][..dim];
        let row: Vec<f32> = centre.iter().map(|c| c + next()).collect();
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        data.extend(row.iter().map(|x| x / length));
    }
    let index = Index::new(data, dim, n_queries, params()?)?;
    println!(
        "beam  recall@10  ms a query   exact {:.3} ms",
        1e3 * index.exact_seconds(10)? / f64::from(n_queries as u32)
    );
    for beam in [16, 32, 64, 128, 256] {
        let mut walker = Walker::default();
        let mut hits = 0;
        for query in index.queries.chunks_exact(dim) {
            let mut all: Vec<(f32, u32)> = (0..n as u32)
                .map(|row| (dot_f32(index.row(row), query), row))
                .collect();
            all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let found = index.search(query, beam, 10, &mut walker)?;
            hits += all[..10]
                .iter()
                .filter(|(_, row)| found.contains(row))
                .count();
        }
        let recall = hits as f64 / (10 * n_queries) as f64;
        println!(
            "{beam:4}  {recall:.4}  {:.3}",
            1e3 * index.seconds(beam, 10)? / n_queries as f64
        );
    }
    Ok(())
}
