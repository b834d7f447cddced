//! Times the GPU kernels: what `benches/gpu.py` runs. Prints a JSON object a line.
//!
//! `gpu count [ROWS ...]`: the bytes that each case has to move and the operations it has to do. Needs
//! no GPU. `gpu [cuda:N] [ROWS ...]`: the same with the median and the 99th percentile in seconds.
//! ROWS are those of the large scans, 10 and 100 million unless given.
#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(unsafe_code, reason = "times a copy from page-locked memory")]

use std::sync::Arc;
use std::time::Instant;

use indago_core::Cancel;
use indago_kernels::cuda::{
    CodeIndex, EncoderLayer, EncoderShape, EncoderWeights, Gpu, GpuEncoder, HostRows,
    Launcher as _, Linear, Norm, Owner, Pooling, Rows, Sequence, Staging as _, Streamed, TokenRows,
};
use indago_kernels::{Device, RowsF32, RowsI8, ShapeError, pick};
use rayon::prelude::*;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const DIM: usize = 256;

fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1).peekable();
    let only_count = args.next_if(|arg| arg == "count").is_some();
    let name = args
        .next_if(|arg| arg.starts_with("cuda"))
        .unwrap_or_else(|| "cuda:0".to_owned());
    let mut sizes = args
        .map(|arg| arg.parse())
        .collect::<Result<Vec<usize>, _>>()?;
    if sizes.is_empty() {
        sizes = vec![10_000_000, 100_000_000];
    }
    let cases = cases(&sizes);
    if only_count {
        for case in &cases {
            println!("{{{}}}", case.counted());
        }
        return Ok(());
    }
    let Device::Cuda(gpu) = pick(name.parse()?)?.device else {
        return Err(format!("`{name}` names no GPU").into());
    };
    println!("{{\"device\": \"{}\"}}", gpu.name());
    floors(&gpu, &cases)?;
    small(&gpu, &cases)?;
    for rows in sizes {
        scans(&gpu, &cases, rows)?;
    }
    Ok(())
}

/// What is timed, with what it costs at least.
struct Case {
    name: String,
    /// Bytes of device memory, or of the link where that is what is streamed over.
    bytes: u64,
    operations: u64,
}

impl Case {
    fn counted(&self) -> String {
        let Self {
            name,
            bytes,
            operations,
        } = self;
        format!("\"case\": \"{name}\", \"bytes\": {bytes}, \"operations\": {operations}")
    }
}

const COPIED: usize = 4 << 30;
const LINKED: usize = 1 << 30;
/// Candidates of late interaction, tokens of each, their dim, tokens of the query.
const LATE: [usize; 4] = [1000, 128, 128, 32];
const LAYERS: usize = 6;
/// Texts of 128 tokens that are encoded at once.
const BATCHES: [usize; 3] = [1, 32, 256];
/// Queries and k of the scans of 8-bit codes.
const CODE_SCANS: [(usize, usize); 3] = [(1, 10), (1, 1000), (4, 10)];
/// Twice the bytes on the device and four times on the host: 16-bit scans only where the index is
/// small.
const MOST_HALVES: usize = 20_000_000;

/// All cases, counted before anything is timed.
fn cases(sizes: &[usize]) -> Vec<Case> {
    let case = |name: String, bytes: usize, operations: usize| Case {
        name,
        bytes: bytes as u64,
        operations: operations as u64,
    };
    let [texts, tokens, dim, query] = LATE;
    let mut all = vec![
        // Read and written.
        case("copy".to_owned(), 2 * COPIED, 0),
        case("link".to_owned(), LINKED, 0),
        case(
            "maxsim 1000 x 128, 32 query tokens, dim 128".to_owned(),
            2 * texts * tokens * dim,
            2 * texts * tokens * dim * query,
        ),
    ];
    let (hidden, inner) = (384, 1536);
    for batch in BATCHES {
        let n = batch * 128;
        // Sixteen-bit weights once, and what a token's activations are read and written: products (in
        // and out), attention, both sums with their norms.
        let values = (hidden + 3 * hidden)
            + (3 * hidden + hidden)
            + 2 * hidden
            + 2 * (hidden + inner)
            + 2 * 3 * hidden;
        let weights = LAYERS * 12 * hidden * hidden;
        // The products (12 hidden^2 a token and layer) and attention.
        let per_text = LAYERS * (2 * 12 * hidden * hidden * 128 + 4 * 128 * 128 * hidden);
        all.push(case(
            format!("minilm {batch} x 128 tokens"),
            2 * (weights + LAYERS * n * values),
            batch * per_text,
        ));
    }
    for &n in sizes {
        let million = n / 1_000_000;
        // A code a value and a scale a row.
        let bytes = n * (DIM + 4);
        for (q, k) in CODE_SCANS {
            let name = format!("int8 scan {million} M x {DIM}, {q} queries, k {k}");
            all.push(case(name, bytes, 2 * q * n * DIM));
        }
        let operations = 2 * n * DIM;
        let name = format!("search {million} M x {DIM}, k 60");
        all.push(case(name, bytes, operations));
        let name = format!("streamed int8 scan {million} M x {DIM}, 1 query, k 10");
        all.push(case(name, bytes, operations));
        if n <= MOST_HALVES {
            for k in [10, 1000] {
                let name = format!("f16 scan {million} M x {DIM}, 64 queries, k {k}");
                all.push(case(name, 2 * n * DIM, 2 * 64 * n * DIM));
            }
        }
    }
    all
}

/// Runs `run` until 2 seconds or 200 runs are over, three times at least, and prints a line.
fn time(cases: &[Case], name: &str, mut run: impl FnMut() -> Outcome<()>) -> Outcome<()> {
    let Some(case) = cases.iter().find(|case| case.name == name) else {
        return Err(format!("`{name}` was not counted").into());
    };
    run()?;
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.len() < 3 || (times.len() < 200 && begin.elapsed().as_secs_f64() < 2.0) {
        let since = Instant::now();
        run()?;
        times.push(since.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let at = |q: usize| times[(times.len() - 1) * q / 100];
    println!(
        "{{{}, \"p50\": {:.9}, \"p99\": {:.9}, \"runs\": {}}}",
        case.counted(),
        at(50),
        at(99),
        times.len()
    );
    Ok(())
}

/// Bandwidth within the device and over the link.
fn floors(gpu: &Gpu, cases: &[Case]) -> Outcome<()> {
    let (from, to) = (gpu.alloc(COPIED)?, gpu.alloc(COPIED)?);
    time(cases, "copy", || Ok(gpu.copy(&from, &to, COPIED)?))?;
    let mut pinned = gpu.pinned(LINKED)?;
    gpu.bytes(&mut pinned)?.fill(1);
    time(cases, "link", || {
        // SAFETY: both live until the copy is finished, and nothing else uses them.
        let copy = unsafe { gpu.start_copy(&pinned, LINKED, &to) }?;
        Ok(gpu.finish_copy(copy)?)
    })
}

/// What needs no large index: late interaction, the encoder.
fn small(gpu: &Gpu, cases: &[Case]) -> Outcome<()> {
    let [texts, tokens, dim, query] = LATE;
    let values = floats(texts * tokens * dim, 1);
    let starts: Vec<usize> = (0..=texts).map(|i| i * tokens).collect();
    let rows = TokenRows::new(gpu, RowsF32::new(&values, dim)?, &starts)?;
    let asked = floats(query * dim, 2);
    let all: Vec<usize> = (0..texts).collect();
    time(cases, "maxsim 1000 x 128, 32 query tokens, dim 128", || {
        rows.score(gpu, &asked, &all)?;
        Ok(())
    })?;

    let shape = EncoderShape {
        hidden: 384,
        heads: 12,
        inner: 1536,
        types: 1,
        eps: 1e-12,
    };
    let encoder = GpuEncoder::new(gpu, shape, &weights(shape))?;
    let ids: Vec<u32> = (0..128).map(|i| i * 37 % 30_000).collect();
    for batch in BATCHES {
        let sequences: Vec<Sequence<'_>> = (0..batch).map(|_| ids.as_slice().into()).collect();
        let case = format!("minilm {batch} x 128 tokens");
        time(cases, &case, || {
            encoder.encode(gpu, &sequences, Pooling::Mean)?;
            Ok(())
        })?;
    }
    Ok(())
}

struct Codes {
    codes: Vec<i8>,
    scales: Vec<f32>,
}

impl HostRows for Codes {
    fn rows(&self) -> Result<RowsI8<'_>, ShapeError> {
        RowsI8::new(&self.codes, &self.scales, DIM)
    }
}

fn scans(gpu: &Gpu, cases: &[Case], n: usize) -> Outcome<()> {
    let cancel = Cancel::new();
    let million = n / 1_000_000;
    let codes = Arc::new(Codes {
        codes: (0..n * DIM)
            .into_par_iter()
            .map(|i| (mix(i as u64) >> 56) as i8)
            .collect(),
        scales: vec![0.01; n],
    });
    let queries = floats(64 * DIM, 3);
    {
        let rows = Rows::i8(gpu, codes.rows()?)?;
        for (q, k) in CODE_SCANS {
            let case = format!("int8 scan {million} M x {DIM}, {q} queries, k {k}");
            time(cases, &case, || {
                rows.top_k(gpu, &queries[..q * DIM], k, None, &cancel)?;
                Ok(())
            })?;
        }
    }
    // End to end: through the owning thread, as a search does it.
    let shared = gpu.clone();
    let owner = Owner::start(gpu.name(), move || Ok(shared))?;
    let index = CodeIndex::place(&[owner], codes.clone(), &cancel)?;
    let mut at = 0;
    time(cases, &format!("search {million} M x {DIM}, k 60"), || {
        at = (at + 1) % 64;
        index.top_k(&queries[at * DIM..(at + 1) * DIM], 60, None, &cancel)?;
        Ok(())
    })?;
    drop(index);
    let mut streamed = Streamed::i8(gpu, DIM, 1_000_000)?;
    time(
        cases,
        &format!("streamed int8 scan {million} M x {DIM}, 1 query, k 10"),
        || {
            streamed.top_k(gpu, codes.rows()?, &queries[..DIM], 10, None, &cancel)?;
            Ok(())
        },
    )?;
    drop(streamed);
    if n <= MOST_HALVES {
        let values: Vec<f32> = codes
            .codes
            .par_iter()
            .map(|&code| f32::from(code) / 128.0)
            .collect();
        let rows = Rows::f16(gpu, RowsF32::new(&values, DIM)?)?;
        drop(values);
        for k in [10_usize, 1000] {
            let case = format!("f16 scan {million} M x {DIM}, 64 queries, k {k}");
            time(cases, &case, || {
                rows.top_k(gpu, &queries, k, None, &cancel)?;
                Ok(())
            })?;
        }
    }
    Ok(())
}

fn weights(shape: EncoderShape) -> EncoderWeights<Vec<f32>> {
    let (h, inner) = (shape.hidden, shape.inner);
    let small = |n: usize, seed: u64| floats(n, seed).into_iter().map(|x| x * 0.05).collect();
    let linear = |outputs: usize, inputs: usize, seed| Linear {
        weights: small(outputs * inputs, seed),
        bias: vec![0.0; outputs],
    };
    let norm = || Norm {
        gain: vec![1.0; h],
        bias: vec![0.0; h],
    };
    EncoderWeights {
        words: small(30_522 * h, 4),
        positions: small(512 * h, 5),
        norm: norm(),
        layers: (0..6)
            .map(|i| EncoderLayer {
                qkv: linear(3 * h, h, 10 + i),
                out: linear(h, h, 20 + i),
                out_norm: norm(),
                up: linear(inner, h, 30 + i),
                down: linear(h, inner, 40 + i),
                down_norm: norm(),
            })
            .collect(),
    }
}

/// Values from -1 to 1, always the same.
fn floats(n: usize, seed: u64) -> Vec<f32> {
    (0..n)
        .into_par_iter()
        .map(|i| (mix(i as u64 ^ seed << 40) >> 40) as f32 / (1_u64 << 23) as f32 - 1.0)
        .collect()
}

/// SplitMix64 (Steele et al. 2014).
fn mix(i: u64) -> u64 {
    let x = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
