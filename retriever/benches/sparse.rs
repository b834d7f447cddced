//! Question: what do recall and time of the sparse index look like beside reading every vector?
//!
//! `cargo bench -p indago-retriever --bench sparse -- serve FILE` reads passages and queries as
//! sparse vectors (`benches/sparse_side_by_side.py` writes them), builds the index, prints the
//! seconds that took, its bytes and the KiB of memory that building took on top, and then answers commands: `search READ SPARE K` by the
//! seconds that all queries took one by one on one thread, `ids READ SPARE K` by what they found,
//! K numbers a query, and `exact K` and `exact-ids K` the same by reading every vector.
//! `postings=N` keeps more or fewer postings of a list than by default.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::io::BufRead as _;
use std::time::Instant;

use indago_core::Cancel;
use indago_core::ports::SparseVector;
use indago_retriever::sparse::{Content, Cut, Effort, SparseFile, write};

#[path = "../../kernels/benches/measured/mod.rs"]
mod measured;
use measured::measured;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

struct Index {
    file: SparseFile,
    queries: Vec<SparseVector>,
}

/// Takes `n` vectors off the front: each its number of entries, then terms and weights.
fn vectors(words: &mut &[[u8; 4]], n: usize) -> Outcome<Vec<SparseVector>> {
    let mut out = Vec::with_capacity(n);
    for _ in 0..n {
        let (length, rest) = words.split_first().ok_or("the file ends early")?;
        let length = u32::from_le_bytes(*length) as usize;
        if rest.len() < 2 * length {
            return Err("the file ends early".into());
        }
        let (entries, rest) = rest.split_at(2 * length);
        let entry = |e: &[[u8; 4]]| (u32::from_le_bytes(e[0]), f32::from_le_bytes(e[1]));
        out.push(entries.chunks_exact(2).map(entry).collect());
        *words = rest;
    }
    Ok(out)
}

fn read(path: &str) -> Outcome<(Vec<SparseVector>, Vec<SparseVector>, usize)> {
    let bytes = std::fs::read(path)?;
    let (words, _) = bytes.as_chunks::<4>();
    let [n, n_queries, vocabulary, rest @ ..] = words else {
        return Err("the file has no header".into());
    };
    let count = |word: &[u8; 4]| u32::from_le_bytes(*word) as usize;
    let mut rest = rest;
    let passages = vectors(&mut rest, count(n))?;
    let queries = vectors(&mut rest, count(n_queries))?;
    Ok((passages, queries, count(vocabulary)))
}

impl Index {
    fn search(&self, query: &SparseVector, effort: Option<Effort>, k: usize) -> Outcome<Vec<u32>> {
        let cancel = Cancel::new();
        let found = match effort {
            Some(effort) => self.file.search(query, k, effort, |_| true, &cancel)?,
            None => self.file.scan(query, k, &cancel)?,
        };
        Ok(found.into_iter().map(|(row, _)| row).collect())
    }

    fn seconds(&self, effort: Option<Effort>, k: usize) -> Outcome<String> {
        let begin = Instant::now();
        for query in &self.queries {
            std::hint::black_box(self.search(query, effort, k)?);
        }
        Ok(begin.elapsed().as_secs_f64().to_string())
    }

    /// The rows found, `u32::MAX` where there are fewer than `k`.
    fn ids(&self, effort: Option<Effort>, k: usize) -> Outcome<String> {
        let mut out = String::new();
        for query in &self.queries {
            let mut rows = self.search(query, effort, k)?;
            rows.resize(k, u32::MAX);
            for row in rows {
                out.push_str(&format!("{row} "));
            }
        }
        Ok(out)
    }

    fn answer(&self, line: &str) -> Outcome<String> {
        let effort = |postings: &str, spare: &str| -> Outcome<Option<Effort>> {
            Ok(Some(Effort {
                postings: postings.parse()?,
                spare: spare.parse()?,
            }))
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["search", postings, spare, k] => self.seconds(effort(postings, spare)?, k.parse()?),
            ["ids", postings, spare, k] => self.ids(effort(postings, spare)?, k.parse()?),
            ["exact", k] => self.seconds(None, k.parse()?),
            ["exact-ids", k] => self.ids(None, k.parse()?),
            _ => Err(format!("unknown command `{line}`").into()),
        }
    }
}

/// Passages and queries over a few topics' terms, for a run without a file.
fn made(n: usize, terms: u32, state: &mut u64) -> Vec<SparseVector> {
    let mut next = || {
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (*state >> 33) as u32
    };
    (0..n)
        .map(|_| {
            let topic = next() % 200 * 100;
            let mut vector: SparseVector = (0..terms)
                .map(|_| (topic + next() % 300, (1 + next() % 100) as f32 / 40.0))
                .collect();
            vector.sort_by_key(|(term, _)| *term);
            vector.dedup_by_key(|(term, _)| *term);
            vector
        })
        .collect()
}

/// `postings=N` in place of the default.
fn cut(args: &[String]) -> Outcome<Cut> {
    match args.iter().find_map(|arg| arg.strip_prefix("postings=")) {
        Some(postings) => Ok(Cut {
            postings: postings.parse()?,
        }),
        None => Ok(Cut::default()),
    }
}

fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let serve = match args.as_slice() {
        [serve, file, ..] if serve == "serve" => Some(file),
        _ => None,
    };
    let (passages, queries, vocabulary) = match serve {
        Some(file) => read(file)?,
        None => {
            let state = &mut 1;
            (made(10_000, 100, state), made(100, 30, state), 20_300)
        }
    };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("sparse.bin");
    let keys = vec![[0_u8; 16]; passages.len()];
    let content = Content {
        keys: &keys,
        vectors: &passages,
        lengths: None,
        vocabulary,
        words: &[],
    };
    let cut = cut(&args)?;
    let (written, seconds, more) = measured(|| write(&path, &content, cut));
    written?;
    let bytes = path.metadata()?.len();
    println!("{seconds} {bytes} {more}");
    let index = Index {
        file: SparseFile::open(&path)?,
        queries,
    };
    if serve.is_none() {
        println!(
            "all 100 queries, s: {}",
            index.seconds(Some(Effort::default()), 10)?
        );
        println!("reading every vector, s: {}", index.seconds(None, 10)?);
        return Ok(());
    }
    for line in std::io::stdin().lock().lines() {
        println!("{}", index.answer(&line?)?);
    }
    Ok(())
}
