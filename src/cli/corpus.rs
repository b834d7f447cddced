//! `indago corpus list|stats|rm`.

use std::collections::BTreeMap;
use std::io::IsTerminal;

use indago_core::IndexCoverage;
use indago_retriever::{Approximation, Corpus, PhraseGraphIndex, SubstringIndex, Summary};
use serde::Serialize;

use super::args::{CorpusArgs, CorpusCommand};
use super::printer::Printer;
use super::progress::megabytes;
use super::settings::Settings;
use super::table::Table;
use super::{Exit, project};
use crate::Error;

/// A corpus as listings show it.
#[derive(Serialize)]
struct Listed {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    documents: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    passages: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    complete: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A corpus in detail.
#[derive(Serialize)]
struct Described {
    name: String,
    documents: u64,
    passages: u64,
    text_bytes: u64,
    names: usize,
    complete: bool,
    roots: Vec<String>,
    /// Which language documents were taken to be in.
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    /// Documents by the code of their language.
    languages: BTreeMap<String, u64>,
    vectors: Vec<Vectors>,
    sparse: Vec<Sparse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<ExtractedBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    substrings: Option<SubstringIndex>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phrase_graph: Option<PhraseGraphIndex>,
}

/// Names and facts that were extracted.
#[derive(Serialize)]
struct ExtractedBy {
    extractor: String,
    /// Passages of the corpus whose facts are there.
    passages: u64,
}

/// A sparse index.
#[derive(Serialize)]
struct Sparse {
    encoder: String,
    /// Passages of the corpus that it has.
    passages: u64,
    /// Share of the exact ten best that it finds, on a sample, when it was made.
    recall: f32,
}

#[derive(Serialize)]
struct Vectors {
    encoder: String,
    #[serde(flatten)]
    coverage: IndexCoverage,
    #[serde(skip_serializing_if = "Option::is_none")]
    approximation: Option<Approximation>,
}

pub(super) fn run(
    args: &CorpusArgs,
    settings: &Settings,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Exit> {
    match &args.command {
        CorpusCommand::List => list(settings, json, printer),
        CorpusCommand::Stats { .. } => stats(settings, json, printer),
        CorpusCommand::Rm { name, yes } => remove(name, *yes, settings, printer),
    }
}

fn list(settings: &Settings, json: bool, printer: Printer) -> anyhow::Result<Exit> {
    let found = indago_retriever::list(&project(settings).corpora_dir()).map_err(Error::from)?;
    let listed: Vec<Listed> = found
        .into_iter()
        .map(|(name, summary)| match summary {
            Ok(Summary {
                documents,
                passages,
                text_bytes,
                complete,
                ..
            }) => Listed {
                name,
                documents: Some(documents),
                passages: Some(passages),
                text_bytes: Some(text_bytes),
                complete: Some(complete),
                error: None,
            },
            Err(error) => Listed {
                name,
                documents: None,
                passages: None,
                text_bytes: None,
                complete: None,
                error: Some(error.to_string()),
            },
        })
        .collect();
    if json {
        printer.json(&listed)?;
        return Ok(Exit::Done);
    }
    if listed.is_empty() {
        printer.note("no corpus yet; `indago index PATH` makes one");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["corpus", "documents", "passages", "text", "state"]);
    for one in listed {
        let number = |n: Option<u64>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
        let state = match (&one.error, one.complete) {
            (Some(error), _) => error.clone(),
            (None, Some(false)) => "interrupted; run `indago index` again".to_owned(),
            (None, _) => "ready".to_owned(),
        };
        let text = one.text_bytes.map_or_else(|| "-".to_owned(), megabytes);
        table.row([
            one.name,
            number(one.documents),
            number(one.passages),
            text,
            state,
        ]);
    }
    printer.data(&table.to_string())?;
    Ok(Exit::Done)
}

fn stats(settings: &Settings, json: bool, printer: Printer) -> anyhow::Result<Exit> {
    let name = settings.corpus.value.clone();
    let corpus = crate::open(&project(settings), &name)?;
    let described = describe(name, &corpus);
    if json {
        printer.json(&described)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["corpus", described.name.as_str()]);
    let mut row = |key: &str, value: String| table.row([key.to_owned(), value]);
    row("documents", described.documents.to_string());
    row("passages", described.passages.to_string());
    row("text", megabytes(described.text_bytes));
    row("names", described.names.to_string());
    row(
        "complete",
        if described.complete {
            "yes"
        } else {
            "no: run `indago index`"
        }
        .to_owned(),
    );
    row("languages", languages(&described));
    for root in &described.roots {
        row("from", root.clone());
    }
    for vectors in &described.vectors {
        let IndexCoverage {
            passages,
            embedded,
            left_out,
        } = vectors.coverage;
        let encoder = &vectors.encoder;
        let without = match left_out {
            0 => String::new(),
            n => format!(", {n} left out on purpose"),
        };
        row(
            "vectors",
            format!("{embedded} of {passages}{without}, by {encoder}"),
        );
        if let Some(found) = vectors.approximation {
            let Approximation {
                recall,
                sampled,
                beam,
            } = found;
            row(
                "approximate",
                format!("recall@10 {recall:.3} with {beam} in view, on {sampled} of these vectors"),
            );
        }
    }
    for sparse in &described.sparse {
        let Sparse {
            encoder,
            passages,
            recall,
        } = sparse;
        let recall = format!("recall@10 {recall:.3} on a sample");
        row(
            "sparse",
            if *passages == described.passages {
                format!("by {encoder}: {recall}")
            } else {
                let all = described.passages;
                format!("by {encoder}: {recall}; {passages} of {all} passages: `indago index`")
            },
        );
    }
    if let Some(ExtractedBy {
        extractor,
        passages,
    }) = &described.facts
    {
        let all = described.passages;
        row(
            "facts",
            format!("{passages} of {all} passages, by {extractor}"),
        );
    }
    if let Some(index) = &described.substrings {
        let SubstringIndex {
            documents: n,
            bytes,
            ..
        } = index;
        let all = described.documents;
        row(
            "substrings",
            format!("{n} of {all} documents, {}", megabytes(*bytes)),
        );
    }
    if let Some(graph) = &described.phrase_graph {
        let PhraseGraphIndex {
            phrases,
            edges,
            is_current,
        } = graph;
        let state = if *is_current {
            ""
        } else {
            "; out of date: `indago index`"
        };
        row(
            "phrase graph",
            format!("{phrases} phrases, {edges} edges{state}"),
        );
    }
    printer.data(&table.to_string())?;
    Ok(Exit::Done)
}

/// The languages of a corpus, those of most documents first.
fn languages(described: &Described) -> String {
    let mut counts: Vec<(&String, &u64)> = described.languages.iter().collect();
    counts.sort_by_key(|(code, n)| (std::cmp::Reverse(**n), *code));
    let shown: Vec<String> = counts
        .iter()
        .map(|(code, n)| format!("{code} {n}"))
        .collect();
    let how = match described.language.as_deref() {
        Some("auto") => String::new(),
        Some(_) => " (as `--language` says)".to_owned(),
        None => " (made before languages were told apart: `indago index --language auto` reads \
                 every file again)"
            .to_owned(),
    };
    shown.join(", ") + &how
}

fn describe(name: String, corpus: &Corpus) -> Described {
    let Summary {
        documents,
        passages,
        text_bytes,
        complete,
        notes,
    } = corpus.summary();
    let vectors = corpus.encoders().into_iter();
    Described {
        name,
        documents,
        passages,
        text_bytes,
        names: corpus.n_names(),
        complete,
        roots: crate::roots_of(&notes)
            .iter()
            .map(|r| r.display().to_string())
            .collect(),
        language: corpus.languages().map(|(choice, _)| choice.to_owned()),
        languages: corpus.languages().map_or_else(
            || BTreeMap::from([("en".to_owned(), documents)]),
            |(_, counts)| counts.clone(),
        ),
        vectors: vectors
            .map(|(encoder, fingerprint, coverage)| Vectors {
                encoder,
                coverage,
                approximation: corpus.approximation(&fingerprint),
            })
            .collect(),
        facts: corpus
            .extraction()
            .map(|(extractor, passages)| ExtractedBy {
                extractor,
                passages,
            }),
        substrings: corpus.substring_index(),
        phrase_graph: corpus.phrase_graph(),
        sparse: corpus
            .sparse_indexes()
            .into_iter()
            .map(|(encoder, passages, recall)| Sparse {
                encoder,
                passages,
                recall,
            })
            .collect(),
    }
}

fn remove(name: &str, yes: bool, settings: &Settings, printer: Printer) -> anyhow::Result<Exit> {
    let project = project(settings);
    let dir = project.corpus_dir(name)?;
    if !dir.is_dir() {
        let project = project.root().to_owned();
        return Err(Error::NoCorpus {
            name: name.to_owned(),
            project,
        }
        .into());
    }
    if !yes {
        if !std::io::stdin().is_terminal() {
            printer.error("removing a corpus wants a confirmation", Some("add --yes"));
            return Ok(Exit::Usage);
        }
        printer.note(&format!("remove the indexes of corpus `{name}`? [y/N]"));
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            printer.note("nothing removed");
            return Ok(Exit::Cancelled);
        }
    }
    crate::remove(&project, name)?;
    printer.note(&format!(
        "removed corpus `{name}`; the documents are untouched"
    ));
    Ok(Exit::Done)
}
