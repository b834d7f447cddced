//! Times the GPU kernels: what `benches/gpu.py` runs. Prints a JSON object a line.
//!
//! `gpu count [tiny] [ROWS ...]`: the bytes that each case has to move and the operations it has to do.
//! Needs no GPU. `gpu [cuda:N] [tiny] [ROWS ...]`: the same with the median and the 99th percentile in
//! seconds. ROWS are those of the large scans, 10 and 100 million unless given. `tiny` takes sizes
//! that a driver without a device gets through (`.ci/cuda all`): it shows that all of it runs.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its output is its purpose"
)]
#![expect(unsafe_code, reason = "times a copy from page-locked memory")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use indago_core::Cancel;
use indago_kernels::cuda::{
    Arithmetic, Element, EncoderLayer, EncoderShape, EncoderWeights, Float16, Gpu, GpuEncoder,
    HostRows, Launcher as _, Linear, Norm, Owner, Pooling, Products, RowIndex, Rows, ScoreHead,
    Sequence, Staging as _, Streamed, TokenRows,
};
use indago_kernels::{AnyRows, Device, RowsF16, RowsF32, RowsI8, ShapeError, pick};
use rayon::prelude::*;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

const DIM: usize = 256;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let mut args = std::env::args().skip(1).peekable();
    let only_count = args.next_if(|arg| arg == "count").is_some();
    let name = args
        .next_if(|arg| arg != "tiny" && arg.parse::<usize>().is_err())
        .unwrap_or_else(|| "cuda:0".to_owned());
    let sizes = match args.next_if(|arg| arg == "tiny") {
        Some(_) => TINY,
        None => FULL,
    };
    let mut rows = args
        .map(|arg| match arg.parse() {
            Ok(rows @ 1..) => Ok(rows),
            _ => Err(format!("`{arg}` is no number of rows")),
        })
        .collect::<Result<Vec<usize>, _>>()?;
    if rows.is_empty() {
        rows = sizes.rows.to_vec();
    }
    let cases = cases(&sizes, &rows);
    if only_count {
        for case in &cases {
            println!("{{{}}}", case.counted());
        }
        return Ok(());
    }
    let Device::Cuda(gpu) = pick(name.parse()?)?.device else {
        return Err(format!("`{name}` names no GPU").into());
    };
    let library = gpu.library();
    let products = library.clone().unwrap_or_else(|error| error.to_string());
    println!(
        "{{\"device\": \"{}\", \"products\": \"{products}\"}}",
        gpu.name()
    );
    floors(&gpu, &sizes, &cases)?;
    late(&gpu, &sizes, &cases)?;
    passes(&gpu, &sizes, &cases)?;
    for n in rows {
        scans(&gpu, &sizes, &cases, n)?;
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

/// Sizes of everything.
struct Sizes {
    /// Bytes copied within the device, and over the link.
    copied: usize,
    linked: usize,
    /// Candidates of late interaction, tokens of each, their dim, tokens of the query.
    late: [usize; 4],
    /// Layers, width, heads and inner width of an encoder: MiniLM's.
    layers: usize,
    hidden: usize,
    heads: usize,
    inner: usize,
    /// Texts that are encoded at once, tokens of each.
    batches: &'static [usize],
    tokens: usize,
    /// Pairs that are scored at once, tokens of each.
    pairs: [usize; 2],
    rows: &'static [usize],
}

impl Sizes {
    fn shape(&self) -> EncoderShape {
        EncoderShape {
            hidden: self.hidden,
            heads: self.heads,
            inner: self.inner,
            types: 1,
            eps: 1e-12,
        }
    }
}

const FULL: Sizes = Sizes {
    copied: 4 << 30,
    linked: 1 << 30,
    late: [1000, 128, 128, 32],
    layers: 6,
    hidden: 384,
    heads: 12,
    inner: 1536,
    batches: &[1, 32, 256],
    tokens: 128,
    pairs: [100, 256],
    rows: &[10_000_000, 100_000_000],
};

const TINY: Sizes = Sizes {
    copied: 1 << 20,
    linked: 1 << 20,
    late: [10, 8, 16, 4],
    layers: 1,
    hidden: 64,
    heads: 2,
    inner: 128,
    batches: &[1],
    tokens: 4,
    pairs: [2, 6],
    rows: &[3000],
};

/// Queries and k of the scans of 8-bit codes.
const CODE_SCANS: [(usize, usize); 3] = [(1, 10), (1, 1000), (4, 10)];
/// Twice the bytes on the device and four times on the host: 16-bit scans only where the index is
/// small.
const MOST_HALVES: usize = 20_000_000;

/// What encoders are timed with.
const ARITHMETICS: [(&str, Arithmetic); 4] = [
    ("f16 library", with(Float16::F16, Products::Library)),
    ("f16 own", with(Float16::F16, Products::Own)),
    ("bf16 library", with(Float16::Bf16, Products::Library)),
    ("bf16 own", with(Float16::Bf16, Products::Own)),
];

const fn with(format: Float16, products: Products) -> Arithmetic {
    Arithmetic { format, products }
}

fn count_text(n: usize) -> String {
    if n >= 1_000_000 {
        return format!("{} M", n / 1_000_000);
    }
    n.to_string()
}

fn late_name([texts, tokens, dim, query]: [usize; 4]) -> String {
    format!("maxsim {texts} x {tokens}, {query} query tokens, dim {dim}")
}

fn pass_name(texts: usize, tokens: usize, how: &str) -> String {
    format!("minilm {texts} x {tokens} tokens, {how}")
}

fn pair_name([pairs, tokens]: [usize; 2], how: &str) -> String {
    format!("rerank {pairs} x {tokens} tokens, {how}")
}

/// Bytes and operations of a pass of `texts` of `tokens` through an encoder of MiniLM's sizes.
fn pass_costs(sizes: &Sizes, texts: usize, tokens: usize) -> (usize, usize) {
    let &Sizes {
        layers,
        hidden,
        inner,
        ..
    } = sizes;
    // Sixteen-bit weights once, and what a token's activations are read and written: products (in
    // and out), attention, both sums with their norms.
    let values = (hidden + 3 * hidden)
        + (3 * hidden + hidden)
        + 2 * hidden
        + 2 * (hidden + inner)
        + 2 * 3 * hidden;
    let weights = layers * (4 * hidden * hidden + 2 * hidden * inner);
    let bytes = 2 * (weights + layers * texts * tokens * values);
    let attention = layers * 4 * tokens * tokens * hidden;
    (bytes, texts * (2 * weights * tokens + attention))
}

/// All cases, counted before anything is timed.
fn cases(sizes: &Sizes, rows: &[usize]) -> Vec<Case> {
    let case = |name: String, bytes: usize, operations: usize| Case {
        name,
        bytes: bytes as u64,
        operations: operations as u64,
    };
    let [texts, tokens, dim, query] = sizes.late;
    let mut all = vec![
        // Read and written.
        case("copy".to_owned(), 2 * sizes.copied, 0),
        case("link".to_owned(), sizes.linked, 0),
        case(
            late_name(sizes.late),
            2 * texts * tokens * dim,
            2 * texts * tokens * dim * query,
        ),
    ];
    for (how, _) in ARITHMETICS {
        for &batch in sizes.batches {
            let (bytes, operations) = pass_costs(sizes, batch, sizes.tokens);
            all.push(case(pass_name(batch, sizes.tokens, how), bytes, operations));
        }
        let [pairs, tokens] = sizes.pairs;
        let (bytes, operations) = pass_costs(sizes, pairs, tokens);
        all.push(case(pair_name(sizes.pairs, how), bytes, operations));
    }
    for &n in rows {
        let count = count_text(n);
        // A code a value and a scale a row.
        let bytes = n * (DIM + 4);
        for (q, k) in CODE_SCANS {
            let name = format!("int8 scan {count} x {DIM}, {q} queries, k {k}");
            all.push(case(name, bytes, 2 * q * n * DIM));
        }
        let operations = 2 * n * DIM;
        for what in ["search", "sharded search", "streamed int8 scan"] {
            all.push(case(
                format!("{what} {count} x {DIM}, k 10"),
                bytes,
                operations,
            ));
        }
        if n <= MOST_HALVES {
            for k in [10, 1000] {
                let name = format!("f16 scan {count} x {DIM}, 64 queries, k {k}");
                all.push(case(name, 2 * n * DIM, 2 * 64 * n * DIM));
            }
            let name = format!("streamed f16 scan {count} x {DIM}, k 10");
            all.push(case(name, 2 * n * DIM, operations));
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
fn floors(gpu: &Gpu, sizes: &Sizes, cases: &[Case]) -> Outcome<()> {
    let &Sizes { copied, linked, .. } = sizes;
    let (from, to) = (gpu.alloc(copied)?, gpu.alloc(copied)?);
    time(cases, "copy", || Ok(gpu.copy(&from, &to, copied)?))?;
    let mut pinned = gpu.pinned(linked)?;
    gpu.bytes(&mut pinned)?.fill(1);
    time(cases, "link", || {
        // SAFETY: both live until the copy is finished, and nothing else uses them.
        let copy = unsafe { gpu.start_copy(&pinned, linked, &to) }?;
        Ok(gpu.finish_copy(copy)?)
    })
}

/// Late interaction.
fn late(gpu: &Gpu, sizes: &Sizes, cases: &[Case]) -> Outcome<()> {
    let [texts, tokens, dim, query] = sizes.late;
    let values = values(texts * tokens * dim, 1);
    let starts: Vec<usize> = (0..=texts).map(|i| i * tokens).collect();
    let rows = TokenRows::new(gpu, RowsF32::new(&values, dim)?, &starts)?;
    let asked = self::values(query * dim, 2);
    let all: Vec<usize> = (0..texts).collect();
    time(cases, &late_name(sizes.late), || {
        rows.score(gpu, &asked, &all)?;
        Ok(())
    })
}

/// Encoding and reranking, in both formats, by the library where there is one and by own kernels.
fn passes(gpu: &Gpu, sizes: &Sizes, cases: &[Case]) -> Outcome<()> {
    let shape = sizes.shape();
    let hidden = shape.hidden;
    let weights = weights(shape, sizes.layers);
    let small = |n, seed| values(n, seed).into_iter().map(|x| x * 0.05).collect();
    let head = ScoreHead {
        pooler: Some(Linear {
            weights: small(hidden * hidden, 6),
            bias: vec![0.0; hidden],
        }),
        classifier: Linear {
            weights: small(hidden, 7),
            bias: vec![0.0],
        },
    };
    for (how, arithmetic) in ARITHMETICS {
        if arithmetic.products == Products::Library && gpu.library().is_err() {
            continue;
        }
        let encoder = GpuEncoder::new(gpu, shape, &weights, arithmetic)?;
        let ids = |n: usize| -> Vec<u32> { (0..n as u32).map(|i| i * 37 % 30_000).collect() };
        let text = ids(sizes.tokens);
        for &batch in sizes.batches {
            let sequences = vec![Sequence::from(text.as_slice()); batch];
            time(cases, &pass_name(batch, sizes.tokens, how), || {
                encoder.encode(gpu, &sequences, Pooling::Mean)?;
                Ok(())
            })?;
        }
        let head = encoder.head(gpu, &head)?;
        let [pairs, tokens] = sizes.pairs;
        let pair = ids(tokens);
        let pairs = vec![Sequence::from(pair.as_slice()); pairs];
        time(cases, &pair_name(sizes.pairs, how), || {
            encoder.score(gpu, &head, &pairs)?;
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
    fn rows(&self) -> Result<AnyRows<'_>, ShapeError> {
        Ok(AnyRows::I8(RowsI8::new(&self.codes, &self.scales, DIM)?))
    }
}

fn scans(gpu: &Gpu, sizes: &Sizes, cases: &[Case], n: usize) -> Outcome<()> {
    let cancel = Cancel::new();
    let count = count_text(n);
    let codes = Arc::new(Codes {
        codes: (0..n * DIM)
            .into_par_iter()
            .map(|i| (mix(i as u64) >> 56) as i8)
            .collect(),
        scales: vec![0.01; n],
    });
    let queries = values(64 * DIM, 3);
    {
        let rows = Rows::of(gpu, codes.rows()?)?;
        for (q, k) in CODE_SCANS {
            let case = format!("int8 scan {count} x {DIM}, {q} queries, k {k}");
            time(cases, &case, || {
                rows.top_k(gpu, &queries[..q * DIM], k, None, &cancel)?;
                Ok(())
            })?;
        }
    }
    // End to end: through the owning thread, as a search does it; then over all devices.
    let shared = gpu.clone();
    let mut owners = vec![Owner::start(gpu.name(), move || Ok(shared))?];
    search(
        cases,
        &format!("search {count} x {DIM}, k 10"),
        &owners,
        sizes,
        &codes,
    )?;
    let devices = Gpu::list()?.len();
    if devices > 1 {
        owners.clear();
        for ordinal in 0..devices {
            owners.push(Owner::start(&format!("cuda:{ordinal}"), move || {
                Gpu::open(ordinal)
            })?);
        }
        let case = format!("sharded search {count} x {DIM}, k 10");
        search(cases, &case, &owners, sizes, &codes)?;
    }
    drop(owners);
    let chunk = 1_000_000.min(n.div_ceil(3));
    let mut streamed = Streamed::new(gpu, Element::I8, DIM, chunk)?;
    time(
        cases,
        &format!("streamed int8 scan {count} x {DIM}, k 10"),
        || {
            streamed.top_k(gpu, codes.rows()?, &queries[..DIM], 10, None, &cancel)?;
            Ok(())
        },
    )?;
    drop(streamed);
    if n <= MOST_HALVES {
        let halves: Vec<u16> = codes
            .codes
            .par_iter()
            .map(|&code| half::f16::from_f32(f32::from(code) / 128.0).to_bits())
            .collect();
        let here = AnyRows::F16(RowsF16::new(&halves, DIM)?);
        let rows = Rows::of(gpu, here)?;
        for k in [10_usize, 1000] {
            let case = format!("f16 scan {count} x {DIM}, 64 queries, k {k}");
            time(cases, &case, || {
                rows.top_k(gpu, &queries, k, None, &cancel)?;
                Ok(())
            })?;
        }
        drop(rows);
        let mut streamed = Streamed::new(gpu, Element::F16, DIM, chunk)?;
        time(
            cases,
            &format!("streamed f16 scan {count} x {DIM}, k 10"),
            || {
                streamed.top_k(gpu, here, &queries[..DIM], 10, None, &cancel)?;
                Ok(())
            },
        )?;
    }
    Ok(())
}

/// What a search does: encodes a query of 16 tokens on the first device, and scans on all.
fn search(
    cases: &[Case],
    case: &str,
    owners: &[Owner<Gpu>],
    sizes: &Sizes,
    codes: &Arc<Codes>,
) -> Outcome<()> {
    let (cancel, rows) = (Cancel::new(), Arc::clone(codes));
    let index = RowIndex::place(owners, rows, &cancel)?;
    let (shape, layers) = (sizes.shape(), sizes.layers);
    let first = owners.first().ok_or("no device")?;
    let encoder = first.keep(&cancel, move |gpu| {
        GpuEncoder::new(gpu, shape, &weights(shape, layers), Arithmetic::default())
    })?;
    let mut at = 0;
    time(cases, case, || {
        at += 1;
        let query: Vec<u32> = (at..at + 16).map(|i| i * 37 % 30_000).collect();
        let vector = encoder.with(&cancel, move |gpu, encoder| {
            encoder.encode(gpu, &[query.as_slice().into()], Pooling::Mean)
        })?;
        let vector: Vec<f32> = vector.into_iter().cycle().take(DIM).collect();
        index.top_k(&vector, 10, None, &cancel)?;
        Ok(())
    })
}

fn weights(shape: EncoderShape, layers: usize) -> EncoderWeights<Vec<f32>> {
    let (h, inner) = (shape.hidden, shape.inner);
    let small = |n: usize, seed: u64| values(n, seed).into_iter().map(|x| x * 0.05).collect();
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
        layers: (0..layers as u64)
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
fn values(n: usize, seed: u64) -> Vec<f32> {
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
