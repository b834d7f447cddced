//! Scores the extractive reasoner's search for whole questions over the product's own indexes, and
//! writes what its coefficients are fitted on (`agents/calibration`).
//!
//! `cargo run --release --example calibrate -- --data DIR --sets hotpotqa,2wiki --work DIR
//!  [--half dev|report] [--no-titles] [--lexical] [--dump FILE] [--spans FILE] [--evidence FILE]
//!  [--answers FILE] [--removed] [--show]`
//!
//! `--lexical` leaves vectors out, as in a corpus that is not encoded yet; such rows stand under
//! `SET-lexical`.
//!
//! `--work` names a folder that keeps the indexes, the one of `indago eval`.
#![allow(clippy::print_stdout, reason = "prints its table")]

#[path = "../agents/tests/support/mod.rs"]
mod support;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indago::eval::Workplace;
use indago::eval::answers::{exact_match, f1};
use indago::eval::data::{self, Changes, Half, Question};
use indago::wire;
use indago_agents::{Limits, SearchInput, calibration, search_sub_question};
use indago_core::ports::Library;
use indago_core::{Cancel, DocumentId, Filters, NodeId, StopReason};
use support::PlainCtx;
use tokio::runtime::Runtime;

type Failure = Box<dyn std::error::Error>;

struct Options {
    data: PathBuf,
    sets: Vec<String>,
    work: PathBuf,
    titles: bool,
    lexical: bool,
    dump: Option<PathBuf>,
    show: bool,
    removed: bool,
    /// Only the questions of this half.
    half: Half,
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
    let workplace = Workplace::new(Some(&options.work))?;
    let cancel = Cancel::new();
    for set in data::read(&options.data, &options.sets)? {
        let changes = Changes {
            no_titles: !options.titles,
            ..Changes::default()
        };
        let variant = match (options.titles, options.lexical) {
            (true, false) => "whole",
            (false, false) => "no-titles",
            (true, true) => "lexical",
            (false, true) => "no-titles-lexical",
        };
        let encoders: &[String] = if options.lexical {
            &[]
        } else {
            &["minilm".to_owned()]
        };
        let threads = std::thread::available_parallelism()?.get();
        let project = workplace.prepare(
            &set,
            variant,
            &changes,
            encoders,
            threads,
            &mut |_| {},
            &cancel,
        )?;
        let corpus = indago::open(&project, "default")?;
        let library = wire::library(&corpus, threads)?;
        let mut questions = set.questions;
        questions.retain(|q| q.is_in(options.half));
        let set = if options.lexical {
            format!("{}-lexical", set.name)
        } else {
            set.name
        };
        let outcomes = answer_all(
            &library,
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
                        "{set}\t{}\t{}\t{}\t{}\t{}\t{}",
                        question.id,
                        u8::from(question.is_dev()),
                        row.round,
                        u8::from(gold),
                        row.document,
                        tabbed(&row.features)
                    )?;
                }
            }
        }
        if let Some(file) = &mut evidence {
            for (question, outcome) in questions.iter().zip(&outcomes) {
                write_evidence(file, &set, question, outcome)?;
            }
        }
        if let Some(file) = &mut answers {
            for (question, outcome) in questions.iter().zip(&outcomes) {
                write_answer(file, &set, question, outcome)?;
            }
        }
        if let Some(file) = &mut spans {
            for (question, outcome) in questions.iter().zip(&outcomes) {
                write_spans(file, &set, question, outcome)?;
            }
        }
        report(&set, &questions, &outcomes, options.show);
    }
    Ok(())
}

fn tabbed(values: &[f64]) -> String {
    let values: Vec<String> = values.iter().map(|x| format!("{x:.6}")).collect();
    values.join("\t")
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
        writeln!(
            file,
            "{set}\t{}\t{right:.2}\t{}\t{}",
            question.id,
            text.replace(['\t', '\n'], " "),
            tabbed(features)
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
    let mut line = |kind: &str, label: u8, evidence: &[f64]| {
        let dev = u8::from(question.is_dev());
        writeln!(
            file,
            "{set}\t{}\t{dev}\t{kind}\t{label}\t{}",
            question.id,
            tabbed(evidence)
        )
    };
    if question.gold.is_empty() {
        line("null", 0, &outcome.examined.evidence)?;
    } else if outcome.has_all(question) {
        line("complete", 1, &outcome.examined.evidence)?;
    }
    if let Some((_, evidence)) = &outcome.removed {
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
    writeln!(
        file,
        "{set}\t{}\t{right}\t{f1:.3}\t{:.4}\t{}",
        question.id,
        outcome.confidence,
        tabbed(&outcome.examined.evidence)
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
    /// Whether it abstained, and the evidence, when the needed documents are taken out.
    removed: Option<(bool, Vec<f64>)>,
}

impl Outcome {
    fn found(&self, question: &Question) -> usize {
        let quoted = |id: &&String| self.documents.contains(id);
        question.gold.iter().filter(quoted).count()
    }

    fn has_all(&self, question: &Question) -> bool {
        self.found(question) == question.gold.len()
    }

    fn is_right(&self, question: &Question) -> bool {
        let answer = self.answer.as_ref().filter(|_| !self.abstained);
        answer.is_some_and(|answer| exact_match(answer, &question.answers))
    }
}

fn answer_all(
    library: &Arc<dyn Library>,
    questions: &[Question],
    examine: bool,
    remove: bool,
) -> Result<Vec<Outcome>, Failure> {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism()?.get();
    let work = || -> Result<Vec<(usize, Outcome)>, String> {
        let runtime = runtime().map_err(|e| e.to_string())?;
        let mut done = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(question) = questions.get(i) else {
                return Ok(done);
            };
            done.push((
                i,
                answer_one(&runtime, library.as_ref(), question, examine, remove)
                    .map_err(|e| e.to_string())?,
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
    runtime: &Runtime,
    library: &dyn Library,
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
    let searched = runtime.block_on(search_sub_question(&mut cx, library, &input))?;
    let examined = if examine {
        runtime.block_on(calibration::examine(&mut cx, library, &input))?
    } else {
        calibration::Examined::default()
    };
    let mut removed = None;
    if remove && !question.gold.is_empty() {
        let mut without = input.clone();
        without.filters.except = question
            .gold
            .iter()
            .map(|id| DocumentId::new(id.as_str()))
            .collect();
        let searched = runtime.block_on(search_sub_question(&mut cx, library, &without))?;
        let evidence = if examine {
            runtime
                .block_on(calibration::examine(&mut cx, library, &without))?
                .evidence
        } else {
            Vec::new()
        };
        let abstained = searched.finding.stop == StopReason::NothingFound;
        removed = Some((abstained, evidence));
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
    })
}

/// One line a half: what the search alone does, without the parts that a plan would add.
fn report(set: &str, questions: &[Question], outcomes: &[Outcome], show: bool) {
    for dev in [true, false] {
        let half: Vec<(&Question, &Outcome)> = questions
            .iter()
            .zip(outcomes)
            .filter(|(q, _)| q.is_dev() == dev)
            .collect();
        let (judged, null): (Vec<_>, Vec<_>) = half.iter().partition(|(q, _)| !q.gold.is_empty());
        let has_all: Vec<_> = judged.iter().filter(|(q, o)| o.has_all(q)).collect();
        let percent = |n: usize, of: usize| 100.0 * n as f64 / of.max(1) as f64;
        let right = judged.iter().filter(|(q, o)| o.is_right(q)).count();
        let gold: usize = judged.iter().map(|(q, o)| o.found(q)).sum();
        let quoted: usize = judged.iter().map(|(_, o)| o.documents.len()).sum();
        let removed = judged.iter().filter_map(|(_, o)| o.removed.as_ref());
        let abstained = has_all.iter().filter(|(_, o)| o.abstained).count();
        println!(
            "{set} {}: {} judged, all gold quoted {:.1}, gold of quoted {:.1}, exact {:.1}; abstained: \
             all gold quoted {:.1}, no gold {} of {}, gold removed {}",
            if dev { "dev" } else { "report" },
            judged.len(),
            percent(has_all.len(), judged.len()),
            percent(gold, quoted),
            percent(right, judged.len()),
            percent(abstained, has_all.len()),
            null.iter().filter(|(_, o)| o.abstained).count(),
            null.len(),
            removed.filter(|(abstained, _)| *abstained).count(),
        );
        for (q, o) in half.iter().filter(|_| show && dev) {
            println!(
                "{} {} {} | {:?} | {:?}",
                if o.is_right(q) { "=" } else { "!" },
                if o.has_all(q) { "+" } else { "-" },
                q.text,
                q.answers,
                o.answer,
            );
        }
    }
}

fn options() -> Result<Options, Failure> {
    let mut options = Options {
        data: PathBuf::new(),
        sets: Vec::new(),
        work: PathBuf::new(),
        titles: true,
        lexical: false,
        dump: None,
        show: false,
        removed: false,
        half: Half::All,
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
            "--work" => options.work = value()?.into(),
            "--dump" => options.dump = Some(value()?.into()),
            "--no-titles" => options.titles = false,
            "--lexical" => options.lexical = true,
            "--removed" => options.removed = true,
            "--half" => {
                options.half = match value()?.as_str() {
                    "dev" => Half::Dev,
                    "report" => Half::Report,
                    other => return Err(format!("no half `{other}`: dev or report").into()),
                };
            }
            "--answers" => options.answers = Some(value()?.into()),
            "--evidence" => options.evidence = Some(value()?.into()),
            "--spans" => options.spans = Some(value()?.into()),
            "--show" => options.show = true,
            other => return Err(format!("unknown argument `{other}`").into()),
        }
    }
    let folders = [&options.data, &options.work];
    if options.sets.is_empty() || folders.iter().any(|f| f.as_os_str().is_empty()) {
        return Err("give --data DIR, --sets NAME,NAME and --work DIR".into());
    }
    Ok(options)
}

fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}
