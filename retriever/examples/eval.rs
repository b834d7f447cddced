//! Scores retrievers on a folder of BEIR-format data sets.
//!
//! `cargo run --release -p indago-retriever --example eval -- DATA [--vectors DIR] [SET...]`
//!
//! DATA/SET holds `corpus.jsonl.gz`, `queries.jsonl` and `qrels.tsv`. Every document is one
//! passage. `--vectors DIR` names ready-made vectors: DIR/SET.npy and DIR/SET.q.npy, 32-bit
//! floats in the order of the files.

#![expect(clippy::print_stdout, reason = "a report is printed")]

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use indago_core::ports::{EncodeError, Encoder, Matrix, Retriever, Role};
use indago_core::{
    Cancel, ContentHash, Document, DocumentId, DocumentKind, Location, Passage, PassageId, Query,
};
use indago_retriever::metrics::{Measure, Run, compare, evaluate, mean, read_qrels};
use indago_retriever::{Corpus, CorpusWriter, FileState, WriterOptions, indexed_text, prepare};
use serde_json::Value;

/// Looks vectors up that were made elsewhere.
struct Known {
    passages: HashMap<ContentHash, Vec<f32>>,
    queries: HashMap<String, Vec<f32>>,
    dim: usize,
}

impl Encoder for Known {
    fn name(&self) -> &'static str {
        "known"
    }

    fn fingerprint(&self) -> &'static str {
        "known"
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn encode(&self, texts: &[&str], role: Role, _: &Cancel) -> Result<Matrix, EncodeError> {
        let mut matrix = Matrix::zeros(texts.len(), self.dim);
        for (row, text) in matrix.data.chunks_exact_mut(self.dim).zip(texts) {
            let known = match role {
                Role::Query => self.queries.get(*text),
                Role::Passage => self.passages.get(&ContentHash::of(text.as_bytes())),
            };
            let known = known.ok_or_else(|| EncodeError::Model {
                model: "known".into(),
                reason: format!(
                    "no vector for `{}`",
                    text.chars().take(60).collect::<String>()
                ),
            })?;
            row.copy_from_slice(known);
        }
        Ok(matrix)
    }
}

/// A two-dimensional numpy array of little-endian 32-bit floats.
fn read_npy(path: &Path) -> Result<(Vec<Vec<f32>>, usize)> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    ensure!(
        bytes.starts_with(b"\x93NUMPY\x01"),
        "{} is no npy file",
        path.display()
    );
    let header_len = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8_lossy(&bytes[10..10 + header_len]).into_owned();
    ensure!(header.contains("'<f4'"), "{}: {header}", path.display());
    let shape = header
        .split('(')
        .nth(1)
        .and_then(|s| s.split(')').next())
        .context("no shape")?;
    let shape: Vec<usize> = shape
        .split(',')
        .filter_map(|n| n.trim().parse().ok())
        .collect();
    let dim = *shape.get(1).context("not a matrix")?;
    let values: Vec<f32> = bytes[10 + header_len..]
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    Ok((values.chunks_exact(dim).map(<[f32]>::to_vec).collect(), dim))
}

fn lines(reader: impl Read) -> impl Iterator<Item = Result<Value>> {
    BufReader::new(reader)
        .lines()
        .map(|line| Ok(serde_json::from_str(&line?)?))
}

fn text_of(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

struct Set {
    /// Id, title, text.
    documents: Vec<(String, String, String)>,
    queries: Vec<(String, String)>,
    qrels: indago_retriever::metrics::Qrels,
}

fn load(dir: &Path) -> Result<Set> {
    let corpus = File::open(dir.join("corpus.jsonl.gz"))?;
    let documents = lines(GzDecoder::new(corpus))
        .map(|line| {
            line.map(|v| {
                (
                    text_of(&v, "_id"),
                    text_of(&v, "title"),
                    text_of(&v, "text"),
                )
            })
        })
        .collect::<Result<_>>()?;
    let queries = lines(File::open(dir.join("queries.jsonl"))?)
        .map(|line| line.map(|v| (text_of(&v, "_id"), text_of(&v, "text"))))
        .collect::<Result<_>>()?;
    let qrels = read_qrels(BufReader::new(File::open(dir.join("qrels.tsv"))?))?;
    Ok(Set {
        documents,
        queries,
        qrels,
    })
}

fn as_passage(id: &str, title: &str, text: &str) -> (Document, Vec<Passage>) {
    let document = Document {
        id: DocumentId::new(id),
        path: "corpus.jsonl".into(),
        title: title.into(),
        text: text.into(),
        kind: DocumentKind::JsonRecord,
        date: None,
        metadata: BTreeMap::new(),
        pages: Vec::new(),
        hash: ContentHash::of(text.as_bytes()),
    };
    let passage = Passage {
        id: PassageId::of(&document.id, 0, text.len() as u64, text),
        document: document.id.clone(),
        title: title.into(),
        span: 0..text.len() as u64,
        text: text.into(),
        ordinal: 0,
        location: Location::default(),
        date: None,
        metadata: BTreeMap::new(),
    };
    (document, vec![passage])
}

fn build(dir: &Path, set: &Set, encoder: Option<&Known>) -> Result<Corpus> {
    let options = WriterOptions {
        settings: "eval".into(),
        threads: 2,
    };
    let mut writer = CorpusWriter::open(dir, &options)?;
    let start = Instant::now();
    let mut next = writer.build(&[])?;
    next.file(FileState {
        path: "corpus.jsonl".into(),
        bytes: 0,
        modified_ns: 0,
        hash: None,
    });
    for (id, title, text) in &set.documents {
        let (document, passages) = as_passage(id, title, text);
        next.add(&prepare(document, passages)?)?;
    }
    let committed = next.commit(true, |_| Ok(()))?;
    let seconds = start.elapsed().as_secs_f64();
    let megabytes = committed.text_bytes as f64 / 1e6;
    print!("{megabytes:.1} MB indexed in {seconds:.2} s; ");
    if let Some(encoder) = encoder {
        writer.embed_missing(encoder, |_| (), &Cancel::new())?;
    }
    drop(writer);
    Corpus::open(dir)?.context("nothing was published")
}

fn search(corpus: &Corpus, retriever: &dyn Retriever, set: &Set, k: usize) -> Result<(Run, f64)> {
    let mut run = Run::new();
    let start = Instant::now();
    for (id, text) in &set.queries {
        let hits = retriever.search(&Query::new(text.as_str()), k, &Cancel::new())?;
        let mut ranked = Vec::with_capacity(hits.len());
        for (i, hit) in hits.iter().enumerate() {
            let source = corpus
                .source_of(hit.passage)?
                .context("hit without a document")?;
            ranked.push((source.document.as_str().to_owned(), -(i as f32)));
        }
        run.insert(id.clone(), ranked);
    }
    Ok((
        run,
        start.elapsed().as_secs_f64() / set.queries.len() as f64,
    ))
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let data = PathBuf::from(args.next().context("which folder of data sets?")?);
    let mut vectors = None;
    let mut names = Vec::new();
    while let Some(arg) = args.next() {
        if arg == "--vectors" {
            vectors = Some(PathBuf::from(args.next().context("--vectors DIR")?));
        } else {
            names.push(arg);
        }
    }
    let measures = [
        Measure::Recall(2),
        Measure::Recall(5),
        Measure::Recall(10),
        Measure::NdcgBinary(10),
        Measure::ReciprocalRank(10),
        Measure::AllRecall(5),
        Measure::AllRecall(10),
        Measure::Recall(100),
        Measure::AveragePrecision,
    ];
    for name in names {
        let set = load(&data.join(&name))?;
        print!("{name}: {} documents, ", set.documents.len());
        let known = vectors
            .as_ref()
            .filter(|dir| dir.join(format!("{name}.npy")).is_file())
            .map(|dir| known(dir, &name, &set))
            .transpose()?
            .map(Arc::new);
        let dir = tempfile::tempdir()?;
        let corpus = build(dir.path(), &set, known.as_deref())?;
        println!("{} names", corpus.n_names());
        let mut lexical = BTreeMap::new();
        let retrievers: &[&str] = if known.is_some() {
            &["bm25", "dense", "fused"]
        } else {
            &["bm25"]
        };
        for retriever in retrievers {
            let encoder = known.clone().map(|known| known as Arc<dyn Encoder>);
            let by_name = corpus.retriever(retriever, encoder)?;
            let (run, seconds) = search(&corpus, by_name.as_ref(), &set, 100)?;
            print!("| {name}: {retriever} |");
            for measure in measures {
                print!(
                    " {:.1} |",
                    100.0 * mean(&evaluate(&run, &set.qrels, measure))
                );
            }
            let ndcg = evaluate(&run, &set.qrels, Measure::NdcgBinary(10));
            let against = compare(&ndcg, &lexical, 1);
            print!(" {:.2} ms", 1e3 * seconds);
            if *retriever == "bm25" {
                lexical = ndcg;
                println!();
            } else {
                println!(
                    ", {:+.1} nDCG (p {:.3})",
                    100.0 * against.difference,
                    against.p_value
                );
            }
        }
        if let Some(known) = &known {
            report_recall(&corpus, known, &set)?;
        }
    }
    Ok(())
}

fn known(dir: &Path, name: &str, set: &Set) -> Result<Known> {
    let (passages, dim) = read_npy(&dir.join(format!("{name}.npy")))?;
    let (queries, _) = read_npy(&dir.join(format!("{name}.q.npy")))?;
    ensure!(passages.len() == set.documents.len() && queries.len() == set.queries.len());
    let key = |(_, title, text): &(String, String, String)| {
        ContentHash::of(indexed_text(title, &[], text).as_bytes())
    };
    Ok(Known {
        passages: set.documents.iter().map(key).zip(passages).collect(),
        queries: set
            .queries
            .iter()
            .map(|(_, text)| text.trim().to_owned())
            .zip(queries)
            .collect(),
        dim,
    })
}

/// How many of the exact first ten the dense retriever finds.
fn report_recall(corpus: &Corpus, known: &Arc<Known>, set: &Set) -> Result<()> {
    let dense = corpus.retriever("dense", Some(known.clone()))?;
    let (mut found, mut wanted) = (0, 0);
    for (_, text) in &set.queries {
        let Some(query) = known.queries.get(text.trim()) else {
            continue;
        };
        let mut exact: Vec<(f32, &str)> = set
            .documents
            .iter()
            .map(|(id, title, text)| {
                let key = ContentHash::of(indexed_text(title, &[], text).as_bytes());
                let vector = &known.passages[&key];
                (
                    vector.iter().zip(query).map(|(a, b)| a * b).sum(),
                    id.as_str(),
                )
            })
            .collect();
        exact.sort_by(|a, b| b.0.total_cmp(&a.0));
        let hits = dense.search(&Query::new(text.as_str()), 10, &Cancel::new())?;
        let mut ids = Vec::new();
        for hit in &hits {
            ids.extend(corpus.source_of(hit.passage)?.map(|source| source.document));
        }
        wanted += 10.min(exact.len());
        // Documents that tie with the tenth are as good.
        let bar = exact.get(9).map_or(f32::MIN, |tenth| tenth.0 - 1e-6);
        let good: std::collections::HashSet<&str> = exact
            .iter()
            .take_while(|(score, _)| *score >= bar)
            .map(|(_, id)| *id)
            .collect();
        found += ids.iter().filter(|id| good.contains(id.as_str())).count();
    }
    println!("dense against exact f32: {found} of {wanted} of the first ten");
    Ok(())
}
