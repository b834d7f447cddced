//! Question: what does an index of substrings cost, and what does it save over reading documents?
//!
//! `cargo bench -p indago-retriever --bench substrings -- FILE [MB]` takes the first MB megabytes of
//! texts (a JSONL file with `text` fields, as BEIR's corpora are), indexes them once with the index
//! and once without, and looks up pieces of them both ways in turns: quotes of whole words, parts of
//! words, pieces in other letter case, and quotes that stand nowhere.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use indago_core::{
    Cancel, ContentHash, Document, DocumentId, DocumentKind, Location, Passage, PassageId,
};
use indago_retriever::{Corpus, CorpusWriter, FileState, WriterOptions, prepare};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Quotes of each kind.
const QUOTES: usize = 40;

fn texts(path: &str, most: usize) -> Outcome<Vec<String>> {
    let mut texts = Vec::new();
    let mut bytes = 0;
    for line in std::fs::read_to_string(path)?.lines() {
        let record: serde_json::Value = serde_json::from_str(line)?;
        let text = record["text"].as_str().unwrap_or_default().trim();
        if text.is_empty() || bytes + text.len() > most {
            continue;
        }
        bytes += text.len();
        texts.push(text.to_owned());
    }
    Ok(texts)
}

/// Indexes each text as a document of one passage.
fn index(dir: &Path, texts: &[String]) -> Outcome<f64> {
    let started = Instant::now();
    let options = WriterOptions {
        settings: "bench".into(),
        threads: 2,
        language: None,
    };
    let mut writer = CorpusWriter::open(dir, &options)?;
    let mut next = writer.build(&[])?;
    next.file(FileState {
        path: "texts".into(),
        bytes: 0,
        modified_ns: 1,
        hash: None,
    });
    for (i, text) in texts.iter().enumerate() {
        let id = DocumentId::new(format!("d{i}"));
        let span = 0..text.len() as u64;
        let passage = Passage {
            id: PassageId::of(&id, span.start, span.end, text),
            document: id.clone(),
            title: String::new(),
            span,
            text: text.clone(),
            ordinal: 0,
            location: Location::default(),
            date: None,
            metadata: BTreeMap::new(),
        };
        let document = Document {
            id,
            path: "texts".into(),
            title: String::new(),
            text: Arc::from(text.as_str()),
            kind: DocumentKind::Text,
            date: None,
            metadata: BTreeMap::new(),
            pages: Vec::new(),
            hash: ContentHash::of(text.as_bytes()),
        };
        next.add(&prepare(
            document,
            vec![passage],
            indago_text::Language::English,
        )?)?;
    }
    next.commit(true, |_| Ok(()))?;
    Ok(started.elapsed().as_secs_f64())
}

/// Pieces of texts by a fixed series of numbers: whole words, parts of words, other letter case, and
/// pieces that stand nowhere.
fn quotes(texts: &[String]) -> [(&'static str, Vec<String>); 5] {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below.max(1)
    };
    let mut pick = |words: usize| {
        loop {
            let text = &texts[next(texts.len())];
            let all: Vec<&str> = text.split(' ').collect();
            if all.len() > words + 1 {
                let from = next(all.len() - words);
                return all[from..from + words].join(" ");
            }
        }
    };
    // The inner letters of a word, four and more.
    let mut inner = || -> String {
        loop {
            let word: Vec<char> = pick(1).chars().collect();
            if word.len() >= 8 && word.iter().all(|c| c.is_alphabetic()) {
                return word[2..word.len() - 2].iter().collect();
            }
        }
    };
    let parts: Vec<String> = (0..QUOTES).map(|_| inner()).collect();
    let nowhere = (0..QUOTES)
        .map(|_| format!("{}\u{2016}", inner()))
        .collect();
    let mut of = |words: usize| -> Vec<String> { (0..QUOTES).map(|_| pick(words)).collect() };
    [
        ("12 whole words", of(12)),
        ("4 whole words", of(4)),
        ("parts of words, 4 letters and more", parts),
        (
            "8 words in capitals",
            of(8).iter().map(|quote| quote.to_uppercase()).collect(),
        ),
        ("nowhere, no whole word", nowhere),
    ]
}

fn main() -> Outcome<()> {
    let mut args = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with("--"));
    let Some(path) = args.next() else {
        println!("give a JSONL file of texts");
        return Ok(());
    };
    let megabytes: usize = args.next().map_or(Ok(20), |mb| mb.parse())?;
    let texts = texts(&path, megabytes * 1_000_000)?;
    let bytes: usize = texts.iter().map(String::len).sum();
    let (with, without) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let lexical = index(with.path(), &texts)?;
    index(without.path(), &texts)?;
    let options = WriterOptions {
        settings: "bench".into(),
        threads: 1,
        language: None,
    };
    let started = Instant::now();
    let mut writer = CorpusWriter::open(with.path(), &options)?;
    let cancel = Cancel::new();
    let built = writer
        .build_substrings(true, |_, _| {}, &cancel)?
        .ok_or("no index")?;
    let seconds = started.elapsed().as_secs_f64();
    drop(writer);
    let indexed = Corpus::open(with.path())?.ok_or("no corpus")?;
    let read = Corpus::open(without.path())?.ok_or("no corpus")?;
    let size = indexed.substring_index().ok_or("no index")?;
    println!(
        "{} documents, {:.1} MB; {} segments; sorted at {:.1} MB/s on one thread (lexical index: \
         {:.1} MB/s on two); {:.2} bytes a byte of text",
        texts.len(),
        bytes as f64 / 1e6,
        built.segments,
        built.sorted_bytes as f64 / seconds / 1e6,
        bytes as f64 / lexical / 1e6,
        size.bytes as f64 / size.text_bytes as f64,
    );
    println!("| quotes | index, ms | reading, ms | reading / index | places |");
    println!("|---|---|---|---|---|");
    for (kind, quotes) in quotes(&texts) {
        let mut took = [Vec::new(), Vec::new()];
        let mut places = 0;
        for quote in &quotes {
            // The first time touches what later ones find in memory.
            for round in 0..2 {
                let mut found = Vec::new();
                for (corpus, took) in [&indexed, &read].into_iter().zip(&mut took) {
                    let started = Instant::now();
                    found.push(corpus.find(quote, &cancel)?);
                    if round == 1 {
                        took.push(started.elapsed().as_secs_f64() * 1e3);
                    }
                }
                if found[0] != found[1] {
                    return Err(format!("`{quote}` is found elsewhere by the index").into());
                }
                places += found[0].len() * round;
            }
        }
        let median = |took: &mut Vec<f64>| {
            took.sort_by(f64::total_cmp);
            took[took.len() / 2]
        };
        let [index, read] = &mut took;
        let (index, read) = (median(index), median(read));
        println!(
            "| {kind} | {index:.3} | {read:.3} | {:.0} | {places} |",
            read / index
        );
    }
    Ok(())
}
