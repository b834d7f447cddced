//! Data in BEIR's layout: `corpus.jsonl[.gz]`, `queries.jsonl`, `qrels.tsv`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Write};
use std::path::{Path, PathBuf};

use indago_core::ContentHash;
use serde::Deserialize;
use serde_json::Value;

use crate::Error;

/// Longest record that is read: a packed file may hold a line of any length.
const MAX_LINE_BYTES: u64 = 64 << 20;

/// A data set, its corpus still on disk.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Name of its folder.
    pub name: String,
    /// The corpus file.
    pub corpus: PathBuf,
    /// Questions in the order of the file.
    pub questions: Vec<Question>,
    /// Hash of each file, by name.
    pub hashes: BTreeMap<String, ContentHash>,
}

/// A question with what is known about its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// `_id`.
    pub id: String,
    /// The only thing the system sees.
    pub text: String,
    /// Accepted answers; empty when none is known.
    pub answers: Vec<String>,
    /// Relevant documents.
    pub gold: BTreeSet<String>,
    /// Whether the data says that the corpus has no answer.
    pub unanswerable: bool,
}

/// A half of the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Half {
    /// For developing: may be looked at.
    Dev,
    /// For reporting.
    Report,
    /// Both.
    All,
}

impl Question {
    /// Whether the question is of the development half: even first byte of BLAKE3 of its `_id`.
    pub fn is_dev(&self) -> bool {
        ContentHash::of(self.id.as_bytes()).0[0] & 1 == 0
    }

    /// Whether the question is of `half`.
    pub fn is_in(&self, half: Half) -> bool {
        match half {
            Half::Dev => self.is_dev(),
            Half::Report => !self.is_dev(),
            Half::All => true,
        }
    }
}

#[derive(Deserialize)]
struct RawQuestion {
    #[serde(rename = "_id")]
    id: String,
    text: String,
    #[serde(default)]
    answers: Vec<String>,
    #[serde(default)]
    metadata: Value,
}

/// The data sets under `folder`: itself, or those of its folders that are data sets. `only` picks
/// some of them by name.
///
/// # Errors
/// When there is none, or a file cannot be read.
pub fn read(folder: &Path, only: &[String]) -> Result<Vec<Dataset>, Error> {
    let mut folders = Vec::new();
    if corpus_of(folder).is_some() {
        folders.push(folder.to_owned());
    } else {
        let entries = std::fs::read_dir(folder).map_err(|e| Error::io("read", folder, e))?;
        folders.extend(entries.flatten().map(|entry| entry.path()));
        folders.retain(|path| corpus_of(path).is_some() && path.join("qrels.tsv").is_file());
        folders.sort();
    }
    let name = |path: &Path| {
        let path = path.canonicalize().unwrap_or_else(|_gone| path.to_owned());
        path.file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    };
    folders.retain(|path| only.is_empty() || only.contains(&name(path)));
    if folders.is_empty() {
        return Err(Error::NoData {
            path: folder.to_owned(),
        });
    }
    folders
        .iter()
        .map(|path| read_set(path, name(path)))
        .collect()
}

fn corpus_of(folder: &Path) -> Option<PathBuf> {
    let names = ["corpus.jsonl.gz", "corpus.jsonl"];
    names
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

fn read_set(folder: &Path, name: String) -> Result<Dataset, Error> {
    let corpus = corpus_of(folder).ok_or_else(|| Error::NoData {
        path: folder.to_owned(),
    })?;
    let queries = folder.join("queries.jsonl");
    let qrels = folder.join("qrels.tsv");
    let mut hashes = BTreeMap::new();
    for path in [&corpus, &queries, &qrels] {
        let hash =
            crate::indexing::hash_file(path).map_err(|e| Error::io("read", path.clone(), e))?;
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        hashes.insert(name, hash);
    }
    let gold = read_qrels(&qrels)?;
    let text = std::fs::read_to_string(&queries).map_err(|e| Error::io("read", &queries, e))?;
    let mut questions = Vec::new();
    for (i, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let raw: RawQuestion = serde_json::from_str(line).map_err(|e| Error::BadBatch {
            path: queries.clone(),
            line: i + 1,
            reason: e.to_string(),
        })?;
        let kind = ["type", "question_type", "kind"]
            .iter()
            .find_map(|k| raw.metadata[k].as_str());
        let unanswerable = matches!(kind, Some("null_query" | "unanswerable"))
            || raw.metadata["answerable"].as_bool() == Some(false);
        questions.push(Question {
            gold: gold.get(&raw.id).cloned().unwrap_or_default(),
            id: raw.id,
            text: raw.text,
            answers: raw.answers,
            unanswerable,
        });
    }
    Ok(Dataset {
        name,
        corpus,
        questions,
        hashes,
    })
}

/// Relevant documents by question; the header and lines with score 0 are skipped.
fn read_qrels(path: &Path) -> Result<BTreeMap<String, BTreeSet<String>>, Error> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, e))?;
    let mut gold: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines() {
        let mut fields = line.split('\t');
        let (Some(query), Some(document), Some(score)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if score.trim().parse::<f64>().is_ok_and(|score| score > 0.0) {
            gold.entry(query.to_owned())
                .or_default()
                .insert(document.to_owned());
        }
    }
    Ok(gold)
}

/// How a corpus is changed before it is indexed.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Leave titles out.
    pub no_titles: bool,
    /// Leave these documents out.
    pub without: BTreeSet<String>,
}

/// Writes the corpus with `changes` to `out`, as JSONL with `_id`, `title`, `text`.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write_changed(dataset: &Dataset, changes: &Changes, out: &Path) -> Result<(), Error> {
    let source = File::open(&dataset.corpus).map_err(|e| Error::io("read", &dataset.corpus, e))?;
    let packed = dataset
        .corpus
        .extension()
        .is_some_and(|extension| extension == "gz");
    let mut reader: Box<dyn BufRead> = if packed {
        Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(source)))
    } else {
        Box::new(BufReader::new(source))
    };
    let target = File::create(out).map_err(|e| Error::io("write", out, e))?;
    let mut target = std::io::BufWriter::new(target);
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let mut start = (&mut reader).take(MAX_LINE_BYTES + 1);
        let read = start.read_until(b'\n', &mut bytes);
        let read = read.map_err(|e| Error::io("read", &dataset.corpus, e))?;
        let bad = |reason: String| Error::BadBatch {
            path: dataset.corpus.clone(),
            line,
            reason,
        };
        if read == 0 {
            break;
        }
        if read as u64 > MAX_LINE_BYTES {
            return Err(bad("it is longer than 64 MiB".to_owned()));
        }
        let mut record: serde_json::Map<String, Value> =
            serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        let id = record
            .get("_id")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if changes.without.contains(id) {
            continue;
        }
        if changes.no_titles {
            record.insert("title".to_owned(), Value::String(String::new()));
        }
        serde_json::to_writer(&mut target, &record)
            .map_err(|e| Error::io("write", out, e.into()))?;
        target
            .write_all(b"\n")
            .map_err(|e| Error::io("write", out, e))?;
    }
    target.flush().map_err(|e| Error::io("write", out, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (tempfile::TempDir, Dataset) {
        let folder = tempfile::tempdir().unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write(
            "corpus.jsonl",
            "{\"_id\":\"a\",\"title\":\"A\",\"text\":\"x\"}\n{\"_id\":\"b\",\"title\":\"B\",\"text\":\"y\"}\n",
        );
        write(
            "queries.jsonl",
            "{\"_id\":\"1\",\"text\":\"?\",\"answers\":[\"x\"]}\n\
             {\"_id\":\"2\",\"text\":\"?\",\"metadata\":{\"type\":\"null_query\"}}\n",
        );
        write(
            "qrels.tsv",
            "query-id\tcorpus-id\tscore\n1\ta\t1\n1\tb\t0\n",
        );
        let sets = read(folder.path(), &[]).unwrap();
        (folder, sets.into_iter().next().unwrap())
    }

    #[test]
    fn questions_come_with_their_gold_and_kind() {
        let (_folder, set) = sample();
        assert_eq!(set.questions.len(), 2);
        assert_eq!(set.questions[0].gold, BTreeSet::from(["a".to_owned()]));
        assert!(set.questions[1].unanswerable && !set.questions[0].unanswerable);
        assert_eq!(set.hashes.len(), 3);
    }

    #[test]
    fn a_corpus_can_be_written_without_titles_and_documents() {
        let (folder, set) = sample();
        let out = folder.path().join("out.jsonl");
        let without = BTreeSet::from(["b".to_owned()]);
        write_changed(
            &set,
            &Changes {
                no_titles: true,
                without,
            },
            &out,
        )
        .unwrap();
        let text = std::fs::read_to_string(out).unwrap();
        assert_eq!(text, "{\"_id\":\"a\",\"text\":\"x\",\"title\":\"\"}\n");
    }

    #[test]
    fn a_record_without_end_is_named_instead_of_unpacked() {
        let (folder, mut set) = sample();
        set.corpus = folder.path().join("corpus.jsonl.gz");
        let file = File::create(&set.corpus).unwrap();
        let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        packed.write_all(b"{\"_id\":\"a\"}\n").unwrap();
        for _ in 0..66 {
            packed.write_all(&vec![b' '; 1 << 20]).unwrap();
        }
        packed.finish().unwrap();
        let out = folder.path().join("out.jsonl");
        let error = write_changed(&set, &Changes::default(), &out).unwrap_err();
        assert!(matches!(error, Error::BadBatch { line: 2, .. }), "{error}");
    }

    #[test]
    fn every_question_is_in_exactly_one_half() {
        let (_folder, set) = sample();
        for question in &set.questions {
            assert_ne!(question.is_in(Half::Dev), question.is_in(Half::Report));
            assert!(question.is_in(Half::All));
        }
    }
}
