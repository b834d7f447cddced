//! `indago search`: passages with the reason why each was found.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use indago_core::ports::Reranker;
use indago_core::{Cancel, Filters, Hit, IndexCoverage, Location, PassageId, Provenance, Query};
use indago_retriever::rerank::{ByPairs, Judging, by_language_model};
use indago_retriever::{Corpus, metrics};

use rayon::prelude::*;
use serde::Serialize;

use super::args::{FilterArgs, SearchArgs};
use super::batch::{self, Item};
use super::language::Calls;
use super::printer::Printer;
use super::settings::Settings;
use super::table::printable;
use super::{Exit, device, folder, project};
use crate::remote::Remote;
use crate::{Compute, Error, Work, wire};

/// Longest excerpt of a passage, in characters, unless the whole is asked for.
const EXCERPT_CHARS: usize = 240;

/// A hit as JSON.
#[derive(Serialize)]
struct JsonHit {
    rank: usize,
    score: f32,
    document: String,
    title: String,
    path: String,
    passage: PassageId,
    start: u64,
    end: u64,
    location: Location,
    text: String,
    why: Vec<Provenance>,
    duplicates: Vec<PassageId>,
}

pub(super) fn run(
    args: &SearchArgs,
    settings: &Settings,
    json: bool,
    printer: Printer,
    cancel: &Cancel,
) -> anyhow::Result<Exit> {
    let project = project(settings);
    let corpus = crate::open(&project, &folder::resolve(settings, printer, cancel)?)?;
    let name = settings.search_retriever.value.as_str();
    let work = Work::Searching(corpus.n_vectors());
    let compute = device::choose(settings, work, printer, cancel)?;
    compute.search_in(&corpus);
    let mut retriever = wire::retriever_on(&corpus, name, &compute)?;
    let second = settings.rerank_model.value.as_str();
    if !second.is_empty() {
        let reranker = reranker(second, settings, &compute)?;
        retriever = wire::reranked(&corpus, retriever, reranker, settings.rerank_depth.value);
    }
    // With another encoder or none, other passages are meant.
    if name != "bm25" && !name.contains('@') {
        note_coverage(
            wire::coverage(&corpus, &compute).unwrap_or_default(),
            printer,
        );
    }
    let filters = filters(&args.filters);
    if let Some(file) = &args.batch {
        return run_batch(
            file,
            args,
            settings,
            &corpus,
            retriever.as_ref(),
            printer,
            cancel,
        );
    }
    let text = args.query.clone().unwrap_or_default();
    crate::check_question(&text)?;
    let query = Query {
        filters,
        ..Query::new(text)
    };
    let hits = retriever
        .search(&query, settings.search_k.value, cancel)
        .map_err(Error::from)?;
    let shown = describe(&corpus, &hits)?;
    if json {
        printer.json(&shown)?;
    } else {
        printer.data(&page(&shown, args.full))?;
    }
    if shown.is_empty() {
        printer.note("nothing found; try other words or fewer filters");
        return Ok(Exit::NotFound);
    }
    Ok(Exit::Done)
}

/// The reranker that is named: one of the configured models, else one on this machine. A language
/// model with the way it is asked behind a `:`, as in `writer:listwise`.
fn reranker(
    name: &str,
    settings: &Settings,
    compute: &Compute,
) -> anyhow::Result<Arc<dyn Reranker>> {
    if let Some((model, way)) = name.rsplit_once(':')
        && settings.models.contains_key(model)
    {
        let judging: Judging = way.parse().map_err(anyhow::Error::msg)?;
        let calls = Calls::open(model, settings)?;
        return Ok(by_language_model(model, judging, calls.complete()));
    }
    if !settings.models.contains_key(name) {
        return Ok(compute.reranker(name)?);
    }
    let configs = settings.models.clone();
    let remote = Remote::open(&project(settings), configs, &settings.network, false)?;
    Ok(Arc::new(ByPairs::new(Arc::new(
        remote.models.scorer(name)?,
    ))))
}

/// Says so when dense search sees only part of the corpus.
pub(super) fn note_coverage(coverage: IndexCoverage, printer: Printer) {
    if coverage.missing() > 0 {
        printer.note(&format!(
            "note: {} of {} passages have vectors; the rest is found by words only (`indago index \
             --vectors-only` completes them)",
            coverage.embedded, coverage.passages
        ));
    }
}

pub(super) fn filters(args: &FilterArgs) -> Filters {
    Filters {
        paths: args.paths.clone(),
        after: args.after,
        before: args.before,
        metadata: args.metadata.clone(),
        except: Vec::new(),
    }
}

fn describe(corpus: &Corpus, hits: &[Hit]) -> Result<Vec<JsonHit>, Error> {
    let mut shown = Vec::with_capacity(hits.len());
    for (i, hit) in hits.iter().enumerate() {
        let Some(passage) = corpus.passage(hit.passage)? else {
            continue;
        };
        let path = corpus
            .source_of(hit.passage)?
            .map(|s| s.path)
            .unwrap_or_default();
        shown.push(JsonHit {
            rank: i + 1,
            score: hit.score,
            document: passage.document.to_string(),
            title: passage.title,
            path,
            passage: hit.passage,
            start: passage.span.start,
            end: passage.span.end,
            location: passage.location,
            text: passage.text,
            why: hit.why.clone(),
            duplicates: hit.duplicates.clone(),
        });
    }
    Ok(shown)
}

fn page(hits: &[JsonHit], full: bool) -> String {
    let mut out = String::new();
    for hit in hits {
        let title = if hit.title.is_empty() {
            &hit.document
        } else {
            &hit.title
        };
        // Writing to a string cannot fail.
        let _ = write!(out, "{}. {}", hit.rank, printable(title));
        let location = hit.location.to_string();
        let _ = write!(out, "  {}", printable(&hit.document));
        if !location.is_empty() {
            let _ = write!(out, ", {}", printable(&location));
        }
        let why: Vec<String> = hit
            .why
            .iter()
            .map(|w| format!("{} #{} ({:.3})", w.retriever, w.rank, w.score))
            .collect();
        let _ = write!(out, "\n   score {:.4}: {}", hit.score, why.join(", "));
        if !hit.duplicates.is_empty() {
            let _ = write!(out, "; {} near-duplicates folded in", hit.duplicates.len());
        }
        let text = if full {
            hit.text.clone()
        } else {
            excerpt(&hit.text)
        };
        for line in text.lines() {
            let _ = write!(out, "\n   | {}", printable(line));
        }
        out.push_str("\n\n");
    }
    out
}

fn excerpt(text: &str) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(EXCERPT_CHARS) {
        None => flat,
        Some((cut, _)) => {
            let head = &flat[..cut];
            format!(
                "{} ...",
                head.rsplit_once(' ').map_or(head, |(whole, _)| whole)
            )
        }
    }
}

/// Many queries, one TREC run file.
fn run_batch(
    file: &Path,
    args: &SearchArgs,
    settings: &Settings,
    corpus: &Corpus,
    retriever: &dyn indago_core::ports::Retriever,
    printer: Printer,
    cancel: &Cancel,
) -> anyhow::Result<Exit> {
    let items = batch::read(file)?;
    let filters = filters(&args.filters);
    let mut out = Vec::new();
    let search = |item: &Item| {
        let query = Query {
            filters: filters.clone(),
            ..Query::new(item.text.clone())
        };
        crate::documents(corpus, retriever, &query, settings.search_k.value, cancel)
    };
    // In the order of the file, whichever thread is first.
    let rankings: Vec<_> = items.par_iter().map(search).collect::<Result<_, Error>>()?;
    for (Item { id, .. }, ranked) in items.iter().zip(rankings) {
        let ranked: Vec<_> = ranked
            .into_iter()
            .map(|(document, score)| (document.to_string(), score))
            .collect();
        metrics::write_run(&mut out, id, &ranked, retriever.name())?;
    }
    match &args.out {
        None => printer.data(&String::from_utf8(out)?)?,
        Some(path) => {
            std::fs::write(path, out).map_err(|e| Error::io("write", path, e))?;
            printer.note(&format!("{} queries: {}", items.len(), path.display()));
        }
    }
    Ok(Exit::Done)
}
