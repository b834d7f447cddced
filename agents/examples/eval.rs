//! Scores the extractive reasoner on question sets in memory, without an index on disk.
//!
//! `cargo run --release -p indago-agents --example eval -- --data DIR --sets hotpotqa,2wiki
//!  [--vectors DIR] [--half dev|report] [--no-titles] [--dump FILE] [--spans FILE] [--evidence FILE]
//!  [--removed] [--show]`
//!
//! `--vectors` names a folder with `<set>.npy` (passages) and `<set>.q.npy` (questions), f32.
#![allow(clippy::print_stdout, reason = "prints its table")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indago_agents::evaluate::{Support, bootstrap, exact_match, f1, normalize_answer, support};
use indago_agents::{Limits, SearchInput, calibration, search_sub_question};
use indago_core::{ContentHash, Filters, NodeId, StopReason};
use support::{Corpus, Doc, MemoryLibrary, PlainCtx, block_on};

type Failure = Box<dyn std::error::Error>;

struct Question {
    id: String,
    text: String,
    answers: Vec<String>,
    kind: String,
    gold: BTreeSet<String>,
    dev: bool,
}

struct Options {
    data: PathBuf,
    sets: Vec<String>,
    vectors: Option<PathBuf>,
    titles: bool,
    dump: Option<PathBuf>,
    show: bool,
    removed: bool,
    /// Only the questions of this half: `Some(true)` for development.
    half: Option<bool>,
    spans: Option<PathBuf>,
    evidence: Option<PathBuf>,
    answers: Option<PathBuf>,
}

fn main() -> Result<(), Failure> {
    let options = options()?;
    let mut dump = options.dump.as_ref().map(fs::File::create).transpose()?;
    let mut spans = options.spans.as_ref().map(fs::File::create).transpose()?;
    let mut evidence = options
        .evidence
        .as_ref()
        .map(fs::File::create)
        .transpose()?;
    let mut answers = options.answers.as_ref().map(fs::File::create).transpose()?;
    for set in &options.sets {
        let folder = options.data.join(set);
        let docs = read_corpus(&folder.join("corpus.jsonl.gz"), options.titles)?;
        let mut questions = read_questions(&folder)?;
        let mut corpus = Corpus::new(&docs);
        if let Some(vectors) = &options.vectors {
            let (dim, rows) = read_npy(&vectors.join(format!("{set}.npy")))?;
            let (_, q) = read_npy(&vectors.join(format!("{set}.q.npy")))?;
            let queries: HashMap<String, Vec<f32>> = questions
                .iter()
                .zip(q.chunks_exact(dim))
                .map(|(question, row)| (question.text.trim().to_owned(), row.to_vec()))
                .collect();
            corpus = corpus.with_vectors(dim, rows, queries);
        }
        let corpus = Arc::new(corpus);
        questions.retain(|q| options.half.is_none_or(|dev| q.dev == dev));
        let outcomes = answer_all(
            &corpus,
            &questions,
            dump.is_some() || spans.is_some() || evidence.is_some() || answers.is_some(),
            evidence.is_some() || options.removed,
        )?;
        if let Some(file) = &mut dump {
            for (question, outcome) in questions.iter().zip(&outcomes) {
                for row in &outcome.examined.rows {
                    let gold = question.gold.contains(row.document.as_str());
                    writeln!(
                        file,
                        "{set}\t{}\t{}\t{}\t{}\t{}",
                        question.id,
                        u8::from(question.dev),
                        row.round,
                        u8::from(gold),
                        row.features
                            .iter()
                            .map(|x| format!("{x:.6}"))
                            .collect::<Vec<_>>()
                            .join("\t")
                    )?;
                }
            }
        }
        if let Some(file) = &mut evidence {
            for (question, outcome) in questions.iter().zip(&outcomes) {
                write_evidence(file, set, question, outcome)?;
            }
        }
        if let Some(file) = &mut answers {
            for (question, outcome) in questions.iter().zip(&outcomes) {
                write_answer(file, set, question, outcome)?;
            }
        }
        if let Some(file) = &mut spans {
            for (question, outcome) in questions.iter().zip(&outcomes) {
                write_spans(file, set, question, outcome)?;
            }
        }
        report(set, &questions, &outcomes, options.show);
    }
    Ok(())
}

/// One line for each possible answer of a question with its F1, which is 1 for an exact match only.
fn write_spans(
    file: &mut fs::File,
    set: &str,
    question: &Question,
    outcome: &Outcome,
) -> Result<(), Failure> {
    for (text, features) in &outcome.examined.spans {
        let right = if exact_match(text, &question.answers) {
            1.0
        } else {
            f1(text, &question.answers).min(0.99)
        };
        let values: Vec<String> = features.iter().map(|x| format!("{x:.5}")).collect();
        writeln!(
            file,
            "{set}\t{}\t{right:.2}\t{}\t{}",
            question.id,
            text.replace(['\t', '\n'], " "),
            values.join("\t")
        )?;
    }
    Ok(())
}

/// One line for the question, and one for the question with its documents taken out.
fn write_evidence(
    file: &mut fs::File,
    set: &str,
    question: &Question,
    outcome: &Outcome,
) -> Result<(), Failure> {
    let complete = support(&outcome.documents, &question.gold, 10).all;
    let mut line = |kind: &str, label: u8, evidence: &[f64]| {
        let values: Vec<String> = evidence.iter().map(|x| format!("{x:.6}")).collect();
        let dev = u8::from(question.dev);
        writeln!(
            file,
            "{set}\t{}\t{dev}\t{kind}\t{label}\t{}",
            question.id,
            values.join("\t")
        )
    };
    if question.gold.is_empty() {
        line("null", 0, &outcome.examined.evidence)?;
    } else if complete {
        line("complete", 1, &outcome.examined.evidence)?;
    }
    if let Some((_, _, evidence)) = &outcome.removed {
        line("removed", 0, evidence)?;
    }
    Ok(())
}

/// One line for a question that got an answer: whether it is right, its confidence, and the
/// evidence.
fn write_answer(
    file: &mut fs::File,
    set: &str,
    question: &Question,
    outcome: &Outcome,
) -> Result<(), Failure> {
    let Some(answer) = &outcome.answer else {
        return Ok(());
    };
    let right = u8::from(exact_match(answer, &question.answers));
    let f1 = f1(answer, &question.answers);
    let values = outcome.examined.evidence.iter();
    let values: Vec<String> = values.map(|x| format!("{x:.6}")).collect();
    writeln!(
        file,
        "{set}\t{}\t{right}\t{f1:.3}\t{:.4}\t{}",
        question.id,
        outcome.confidence,
        values.join("\t")
    )?;
    Ok(())
}

#[derive(Default)]
struct Outcome {
    documents: Vec<String>,
    answer: Option<String>,
    abstained: bool,
    confidence: f32,
    examined: calibration::Examined,
    /// Confidence and evidence when the needed documents are taken out.
    removed: Option<(f32, bool, Vec<f64>)>,
    micros: u128,
}

fn answer_all(
    corpus: &Arc<Corpus>,
    questions: &[Question],
    examine: bool,
    remove: bool,
) -> Result<Vec<Outcome>, Failure> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism()?.get();
    let work = || -> Result<Vec<(usize, Outcome)>, String> {
        let library = MemoryLibrary::new(corpus.clone());
        let mut done = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(question) = questions.get(i) else {
                return Ok(done);
            };
            done.push((
                i,
                answer_one(&library, question, examine, remove).map_err(|e| e.to_string())?,
            ));
        }
    };
    let mut all = Vec::new();
    std::thread::scope(|scope| -> Result<(), Failure> {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for handle in handles {
            all.extend(
                handle
                    .join()
                    .map_err(|panic| format!("a thread failed: {panic:?}"))??,
            );
        }
        Ok(())
    })?;
    all.sort_by_key(|(i, _)| *i);
    Ok(all.into_iter().map(|(_, outcome)| outcome).collect())
}

fn answer_one(
    library: &MemoryLibrary,
    question: &Question,
    examine: bool,
    remove: bool,
) -> Result<Outcome, Failure> {
    let input = SearchInput {
        node: NodeId(0),
        question: question.text.clone(),
        whole: question.text.clone(),
        parents: Vec::new(),
        parent_questions: Vec::new(),
        filters: Filters::default(),
        limits: Limits::default(),
    };
    let mut cx = PlainCtx::default();
    let began = std::time::Instant::now();
    let searched = block_on(search_sub_question(&mut cx, library, &input))?;
    let micros = began.elapsed().as_micros();
    let examined = if examine {
        block_on(calibration::examine(&mut cx, library, &input))?
    } else {
        calibration::Examined::default()
    };
    let mut removed = None;
    if remove && !question.gold.is_empty() {
        let mut without = MemoryLibrary::new(library.corpus.clone());
        without.without.clone_from(&question.gold);
        let searched = block_on(search_sub_question(&mut cx, &without, &input))?;
        let evidence = if examine {
            block_on(calibration::examine(&mut cx, &without, &input))?.evidence
        } else {
            Vec::new()
        };
        let abstained = searched.finding.stop == StopReason::NothingFound;
        removed = Some((searched.finding.confidence, abstained, evidence));
    }
    let mut documents: Vec<String> = Vec::new();
    for claim in &searched.finding.claims {
        for quote in claim.quotes() {
            let id = quote.document.to_string();
            if !documents.contains(&id) {
                documents.push(id);
            }
        }
    }
    Ok(Outcome {
        documents,
        answer: searched.finding.answer.map(|a| a.text),
        abstained: searched.finding.stop == StopReason::NothingFound,
        confidence: searched.finding.confidence,
        examined,
        removed,
        micros,
    })
}

fn report(set: &str, questions: &[Question], outcomes: &[Outcome], show: bool) {
    for dev in [true, false] {
        let of_half: Vec<(&Question, &Outcome)> = questions
            .iter()
            .zip(outcomes)
            .filter(|(q, _)| q.dev == dev)
            .collect();
        if of_half.is_empty() {
            continue;
        }
        let needed: Vec<_> = of_half.iter().filter(|(q, _)| !q.gold.is_empty()).collect();
        let supports: Vec<Support> = needed
            .iter()
            .map(|(q, o)| support(&o.documents, &q.gold, 10))
            .collect();
        let share = |of: &dyn Fn(&Support) -> f64| {
            let values: Vec<f64> = supports.iter().map(of).collect();
            let (mean, low, high) = bootstrap(&values, 1000, 7);
            format!(
                "{:5.1} [{:.0}, {:.0}]",
                100.0 * mean,
                100.0 * low,
                100.0 * high
            )
        };
        let n = needed.len().max(1) as f64;
        let sources = supports.iter().map(|s| s.documents as f64).sum::<f64>() / n;
        let mut majority: BTreeMap<String, usize> = BTreeMap::new();
        for (q, _) in &needed {
            let keys: BTreeSet<String> = q.answers.iter().map(|a| normalize_answer(a)).collect();
            for key in keys {
                *majority.entry(key).or_default() += 1;
            }
        }
        let (common, count) = majority
            .iter()
            .max_by_key(|(_, count)| **count)
            .map_or(("", 0), |(k, c)| (k, *c));
        let given = |o: &Outcome| {
            o.answer
                .clone()
                .filter(|_| !o.abstained)
                .unwrap_or_default()
        };
        let em = needed
            .iter()
            .filter(|(q, o)| exact_match(&given(o), &q.answers))
            .count() as f64
            / n;
        let mean_f1 = needed
            .iter()
            .map(|(q, o)| f1(&given(o), &q.answers))
            .sum::<f64>()
            / n;
        let complete: Vec<_> = needed
            .iter()
            .zip(&supports)
            .filter(|(_, s)| s.all)
            .map(|((_, o), _)| o)
            .collect();
        let wrong =
            complete.iter().filter(|o| o.abstained).count() as f64 / complete.len().max(1) as f64;
        let null: Vec<_> = of_half.iter().filter(|(q, _)| q.gold.is_empty()).collect();
        let right = null.iter().filter(|(_, o)| o.abstained).count();
        let taken: Vec<_> = needed
            .iter()
            .filter_map(|(_, o)| o.removed.as_ref())
            .collect();
        let noticed = taken.iter().filter(|(_, abstained, _)| *abstained).count() as f64
            / taken.len().max(1) as f64;
        let mut micros: Vec<u128> = of_half.iter().map(|(_, o)| o.micros).collect();
        micros.sort_unstable();
        let p50 = micros.get(micros.len() / 2).copied().unwrap_or(0) as f64 / 1000.0;
        println!(
            "{set:<22} {:<6} n {:>3}  AllR@10 {}  prec {}  sources {sources:4.1}  EM {:5.1}  F1 {:5.1}  majority {:5.1} ({common})  abstains: complete {:4.1}  null {right}/{}  removed {:4.1}  p50 {p50:.0} ms",
            if dev { "dev" } else { "report" },
            needed.len(),
            share(&|s| f64::from(u8::from(s.all))),
            share(&|s| s.precision),
            100.0 * em,
            100.0 * mean_f1,
            100.0 * count as f64 / n,
            100.0 * wrong,
            null.len(),
            100.0 * noticed,
        );
        if show && dev {
            let mut kinds: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
            for (q, o) in &of_half {
                let hit = exact_match(&given(o), &q.answers);
                let kind = kinds.entry(&q.kind).or_default();
                kind.0 += 1;
                kind.1 += usize::from(hit);
                let all = support(&o.documents, &q.gold, 10).all;
                println!(
                    "{} {} [{}] {} | {:?} | {:?} {:.2}",
                    if hit { "=" } else { "!" },
                    if all { "+" } else { "-" },
                    q.kind,
                    q.text,
                    q.answers,
                    o.answer,
                    o.confidence,
                );
            }
            println!("{kinds:?}");
        }
    }
}

fn options() -> Result<Options, Failure> {
    let mut options = Options {
        data: PathBuf::new(),
        sets: Vec::new(),
        vectors: None,
        titles: true,
        dump: None,
        show: false,
        removed: false,
        half: None,
        spans: None,
        evidence: None,
        answers: None,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("`{arg}` needs a value"));
        match arg.as_str() {
            "--data" => options.data = value()?.into(),
            "--sets" => options.sets = value()?.split(',').map(str::to_owned).collect(),
            "--vectors" => options.vectors = Some(value()?.into()),
            "--dump" => options.dump = Some(value()?.into()),
            "--no-titles" => options.titles = false,
            "--removed" => options.removed = true,
            "--half" => {
                options.half = Some(match value()?.as_str() {
                    "dev" => true,
                    "report" => false,
                    other => return Err(format!("no half `{other}`: dev or report").into()),
                });
            }
            "--answers" => options.answers = Some(value()?.into()),
            "--evidence" => options.evidence = Some(value()?.into()),
            "--spans" => options.spans = Some(value()?.into()),
            "--show" => options.show = true,
            other => return Err(format!("unknown argument `{other}`").into()),
        }
    }
    Ok(options)
}

fn read_corpus(path: &Path, titles: bool) -> Result<Vec<Doc>, Failure> {
    let reader = BufReader::new(flate2::read::GzDecoder::new(fs::File::open(path)?));
    let mut docs = Vec::new();
    for line in reader.lines() {
        let value: serde_json::Value = serde_json::from_str(&line?)?;
        let field = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let metadata: BTreeMap<String, String> = value["metadata"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(key, v)| Some((key.clone(), v.as_str()?.to_owned())))
            .collect();
        docs.push(Doc {
            id: field("_id"),
            title: if titles {
                field("title")
            } else {
                String::new()
            },
            text: field("text"),
            metadata,
        });
    }
    Ok(docs)
}

/// Questions with their gold documents. Everything but `_id` and `text` is for scoring only.
fn read_questions(folder: &Path) -> Result<Vec<Question>, Failure> {
    let mut gold: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in fs::read_to_string(folder.join("qrels.tsv"))?
        .lines()
        .skip(1)
    {
        let mut parts = line.split('\t');
        if let (Some(query), Some(document)) = (parts.next(), parts.next()) {
            gold.entry(query.to_owned())
                .or_default()
                .insert(document.to_owned());
        }
    }
    let mut questions = Vec::new();
    for line in fs::read_to_string(folder.join("queries.jsonl"))?.lines() {
        let value: serde_json::Value = serde_json::from_str(line)?;
        let id = value["_id"].as_str().unwrap_or_default().to_owned();
        questions.push(Question {
            text: value["text"].as_str().unwrap_or_default().to_owned(),
            answers: value["answers"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|a| a.as_str().map(str::to_owned))
                .collect(),
            kind: value["metadata"]["type"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            gold: gold.get(&id).cloned().unwrap_or_default(),
            dev: ContentHash::of(id.as_bytes()).0[0] & 1 == 0,
            id,
        });
    }
    Ok(questions)
}

/// The columns and values of a little-endian f32 matrix in NumPy's format 1.0.
fn read_npy(path: &Path) -> Result<(usize, Vec<f32>), Failure> {
    let bytes = fs::read(path)?;
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = std::str::from_utf8(&bytes[10..10 + length])?;
    let shape = header
        .split("'shape': (")
        .nth(1)
        .and_then(|s| s.split(')').next());
    let columns = shape
        .and_then(|s| s.split(',').nth(1))
        .ok_or("no shape in the header")?;
    let values = bytes[10 + length..]
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    Ok((columns.trim().parse()?, values))
}
