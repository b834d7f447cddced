//! What corpora hold, in the model's words.

use std::path::PathBuf;
use std::time::Instant;

use indago_core::ports::DocumentStore as _;
use indago_core::{Cancel, DocumentId, Query, RunId};
use indago_models::FolderKind;
use indago_retriever::Stage;
use indago_workflows::journal::{Journal as _, SqliteJournal};

use super::model::Job;
use super::model::library::{CorpusRow, DocumentRow, HitList, HitRow, PassageRow};
use super::model::report::OpenDocument;
use super::text::{clean, clean_bounded};
use crate::remote::NetworkConfig;
use crate::{
    Compute, Corpus, Error, FolderOptions, IndexRequest, Progress, Project, Pulling, wire,
};

/// Documents that are listed.
const MAX_DOCUMENTS: usize = 5_000;
/// Passages that are listed of a document.
const MAX_PASSAGES: usize = 2_000;
/// Hits of each retriever.
const HITS: usize = 20;
/// Bytes of a document that are shown around a place in it.
const AROUND_BYTES: usize = 256 * 1024;

/// Corpora by name, with how they are.
pub(super) fn corpora(project: &Project) -> Result<Vec<CorpusRow>, Error> {
    let listed = indago_retriever::list(&project.corpora_dir())?;
    let rows = listed.into_iter().map(|(name, summary)| match summary {
        Ok(summary) => {
            let dir = project.corpora_dir().join(&name);
            let vectors = Corpus::open(&dir).ok().flatten();
            // What is left out on purpose is not waited for.
            let embedded = vectors.map_or(0, |corpus| {
                corpus
                    .encoders()
                    .iter()
                    .map(|(.., c)| c.passages - c.missing())
                    .max()
                    .unwrap_or(0)
            });
            CorpusRow {
                name,
                documents: summary.documents,
                passages: summary.passages,
                embedded,
                is_complete: summary.complete,
                problem: None,
            }
        }
        Err(error) => CorpusRow {
            name,
            problem: Some(clean_bounded(&error.to_string(), 200)),
            ..CorpusRow::default()
        },
    });
    Ok(rows.collect())
}

/// Documents in the order of the store, and how many more there are.
pub(super) fn documents(corpus: &Corpus) -> Result<(Vec<DocumentRow>, usize), Error> {
    let mut rows: Vec<DocumentRow> = Vec::new();
    let mut more = 0;
    let mut last: Option<DocumentId> = None;
    // Passages of a document follow each other in the store.
    for id in corpus.passage_ids() {
        if rows.len() == MAX_DOCUMENTS && more > 0 {
            break;
        }
        let Some(source) = corpus.source_of(id)? else {
            continue;
        };
        if last.as_ref() == Some(&source.document) {
            if let Some(row) = rows.last_mut() {
                row.passages += 1;
            }
            continue;
        }
        if rows.len() == MAX_DOCUMENTS {
            let total = usize::try_from(corpus.summary().documents).unwrap_or(usize::MAX);
            more = total.saturating_sub(MAX_DOCUMENTS).max(1);
            continue;
        }
        let title = if source.title.is_empty() {
            &source.path
        } else {
            &source.title
        };
        rows.push(DocumentRow {
            id: source.document.as_str().to_owned(),
            title: clean_bounded(title, 300),
            passages: 1,
        });
        last = Some(source.document);
    }
    Ok((rows, more))
}

/// Passages of a document.
pub(super) fn passages(corpus: &Corpus, document: &str) -> Result<Vec<PassageRow>, Error> {
    let ids = corpus
        .passages_of(&DocumentId::new(document))?
        .unwrap_or_default();
    let ids = &ids[..ids.len().min(MAX_PASSAGES)];
    let rows = corpus.passages(ids)?.into_iter().map(|passage| PassageRow {
        place: clean(&passage.location.to_string()),
        text: clean_bounded(&passage.text, 8_000),
        span: (passage.span.start, passage.span.end),
    });
    Ok(rows.collect())
}

/// One query against every registered retriever. `compute` keeps the encoders that it takes.
pub(super) fn search(
    corpus: &Corpus,
    query: &str,
    compute: &Compute,
    cancel: &Cancel,
) -> Vec<HitList> {
    indago_retriever::retrievers::names()
        .map(|name| {
            let since = Instant::now();
            let hits = search_one(corpus, name, query, compute, cancel);
            let hits = hits.map_err(|e| clean(&e.to_string()));
            HitList {
                retriever: name.to_owned(),
                hits,
                took_ms: u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX),
            }
        })
        .collect()
}

fn search_one(
    corpus: &Corpus,
    name: &str,
    query: &str,
    compute: &Compute,
    cancel: &Cancel,
) -> Result<Vec<HitRow>, Error> {
    let retriever = wire::retriever_on(corpus, name, compute)?;
    let hits = retriever.search(&Query::new(query), HITS, cancel)?;
    let mut rows = Vec::with_capacity(hits.len());
    for hit in hits {
        let Some(passage) = corpus.passage(hit.passage)? else {
            continue;
        };
        let why: Vec<String> = hit
            .why
            .iter()
            .map(|why| format!("{} #{} {:.3}", why.retriever, why.rank, why.score))
            .collect();
        let title = if passage.title.is_empty() {
            passage.document.as_str()
        } else {
            &passage.title
        };
        let source = format!("{title} · {}", passage.location);
        rows.push(HitRow {
            document: passage.document.as_str().to_owned(),
            source: clean(source.trim_end_matches([' ', '·'])),
            text: clean_bounded(&passage.text, 2_000),
            why: format!("{:.3}: {}", hit.score, why.join(", ")),
            span: (passage.span.start, passage.span.end),
        });
    }
    Ok(rows)
}

/// A document with some bytes marked; from what a run pinned where the corpus lacks it.
pub(super) fn document(
    corpus: Option<&Corpus>,
    pinned: Option<(&SqliteJournal, &RunId)>,
    document: &str,
    (start, end): (u64, u64),
) -> Result<OpenDocument, Error> {
    let id = DocumentId::new(document);
    if let Some(found) = corpus.map(|c| c.document(&id)).transpose()?.flatten() {
        let date = found.date.map(|date| date.to_string()).unwrap_or_default();
        let about = format!("{} {date} bytes {start} to {end}", found.path);
        let title = if found.title.is_empty() {
            &found.path
        } else {
            &found.title
        };
        return Ok(window(title, &about, &found.text, start, end));
    }
    let pins = match pinned {
        Some((journal, run)) => journal.pins(run)?,
        None => Vec::new(),
    };
    let holds = |span: &std::ops::Range<u64>| span.start <= start && end <= span.end;
    let pin = pins
        .into_iter()
        .find(|pin| pin.document == id && holds(&pin.span));
    match pin {
        Some(pin) => {
            let about = "not in the corpus any more; the passage as the run kept it";
            let (from, to) = (start - pin.span.start, end - pin.span.start);
            Ok(window(&pin.title, about, &pin.text, from, to))
        }
        None => Err(Error::NoDocument(document.to_owned())),
    }
}

/// The document, or of a long one the part around the mark.
fn window(title: &str, about: &str, text: &str, start: u64, end: u64) -> OpenDocument {
    let at = |offset: u64| {
        usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(text.len())
    };
    let (start, end) = (at(start), at(end));
    let floor = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let from = floor(start.saturating_sub(AROUND_BYTES));
    let to = floor(end.saturating_add(AROUND_BYTES).min(text.len()));
    let cut = if from > 0 || to < text.len() {
        " (a part of it)"
    } else {
        ""
    };
    let about = format!("{about}{cut}");
    OpenDocument::new(
        title,
        &about,
        &text[from..to],
        start - from..end.max(start) - from,
    )
}

/// Brings a corpus up to date, vectors included, and tells how it goes on.
pub(super) fn index(
    project: &Project,
    request: &IndexRequest,
    vectors: bool,
    tell: &mut dyn FnMut(Job),
    cancel: &Cancel,
) -> Result<String, Error> {
    let mut job = Job {
        name: request.corpus.clone(),
        what: "listing files".to_owned(),
        done: 0,
        total: 0,
        is_stopping: false,
    };
    tell(job.clone());
    let indexed = crate::index(
        project,
        request,
        &mut |progress| {
            match progress {
                Progress::Planned { bytes, files, .. } => {
                    job.what = format!("reading {files} files");
                    (job.done, job.total) = (0, bytes);
                }
                Progress::File { bytes, .. } => job.done += bytes,
                Progress::Stage(stage) => {
                    job.what = match stage {
                        Stage::Documents => "storing documents".to_owned(),
                        other => format!("{other:?}").to_lowercase(),
                    };
                }
                Progress::Listing | Progress::Unreadable(_) | Progress::Vectors(_) => {}
            }
            tell(job.clone());
        },
        cancel,
    )?;
    let mut said = format!(
        "{}: {} documents, {} passages",
        indexed.corpus, indexed.documents, indexed.passages
    );
    if !indexed.skipped.is_empty() {
        said.push_str(&format!(
            ", {} files could not be read",
            indexed.skipped.len()
        ));
    }
    "sorting texts".clone_into(&mut job.what);
    let mut sorting = |done, all| {
        (job.done, job.total) = (done, all);
        tell(job.clone());
    };
    crate::index_substrings(project, &request.corpus, None, &mut sorting, cancel)?;
    "reading phrases".clone_into(&mut job.what);
    let mut reading = |done, all| {
        (job.done, job.total) = (done, all);
        tell(job.clone());
    };
    crate::index_phrases(project, &request.corpus, None, &mut reading, cancel)?;
    if vectors {
        "making vectors".clone_into(&mut job.what);
        let encoder = wire::encoder()?;
        crate::embed(
            project,
            &request.corpus,
            encoder.as_ref(),
            &mut |progress| {
                if let Progress::Vectors(coverage) = progress {
                    (job.done, job.total) = (coverage.embedded, coverage.wanted());
                    tell(job.clone());
                }
            },
            cancel,
        )?;
    }
    Ok(said)
}

/// Downloads a model and tells how it goes on.
pub(super) fn pull(
    project: &Project,
    network: &NetworkConfig,
    model: &str,
    tell: &mut (dyn FnMut(Job) + Send),
    cancel: &Cancel,
) -> Result<String, Error> {
    let mut job = Job {
        name: clean_bounded(model, 120),
        what: "asking for its files".to_owned(),
        done: 0,
        total: 0,
        is_stopping: false,
    };
    tell(job.clone());
    let mut told = |pulling: Pulling<'_>| {
        job.what = match pulling.total {
            Some(total) => format!("fetching {}, {:.1} MB", pulling.file, total as f64 / 1e6),
            None => format!("fetching {}", pulling.file),
        };
        (job.done, job.total) = (pulling.done, pulling.total.unwrap_or(0));
        tell(job.clone());
    };
    let options = FolderOptions::default();
    let pulled = crate::pull(project, network, model, &options, &mut told, cancel)?;
    let name = &pulled.name;
    if pulled.was_there {
        return Ok(format!("`{name}` is there already"));
    }
    Ok(match pulled.kind {
        FolderKind::Encoder => {
            format!("added `{name}`: indago index --vectors-only --encoder {name} uses it")
        }
        FolderKind::CrossEncoder | FolderKind::TokenEncoder => {
            format!("added `{name}`: indago search --rerank {name} uses it")
        }
        FolderKind::SparseEncoder => {
            format!("added `{name}`: indago index --sparse {name} uses it")
        }
    })
}

/// What indexing is asked for.
pub(super) fn request(corpus: String, paths: Vec<PathBuf>, threads: usize) -> IndexRequest {
    IndexRequest {
        threads,
        ..IndexRequest::new(corpus, paths)
    }
}
