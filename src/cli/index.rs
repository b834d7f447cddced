//! `indago index`: lexical first, vectors behind.

use std::path::PathBuf;
use std::time::Instant;

use indago_core::{Cancel, IndexCoverage};
use indago_retriever::ingest::{SkipReason, Skipped};
use indago_retriever::{PhrasesBuilt, Stage, SubstringsBuilt, VectorsBuilt};
use serde::Serialize;

use super::args::IndexArgs;
use super::language::{Calls, limit_reached};
use super::printer::Printer;
use super::progress::{Meter, Unit, megabytes};
use super::settings::Settings;
use super::table::Table;
use super::{Exit, device, optional, project};
use crate::{Compute, IndexRequest, Indexed, Progress, Work, wire};

/// Lines of the table of unreadable files, unless all are asked for.
const TABLE_LINES: usize = 20;

/// The command's outcome as JSON.
#[derive(Serialize)]
struct Summary<'a> {
    #[serde(flatten)]
    indexed: &'a Indexed,
    vectors: Option<VectorsBuilt>,
    lexical_seconds: f64,
    vector_seconds: Option<f64>,
    device: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    substrings: Option<SubstringsBuilt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phrases: Option<PhrasesBuilt>,
}

pub(super) fn run(
    args: &IndexArgs,
    settings: &Settings,
    json: bool,
    printer: Printer,
    cancel: &Cancel,
) -> anyhow::Result<Exit> {
    let project = project(settings);
    let corpus = &settings.corpus.value;
    let started = Instant::now();
    // First of all: a GPU that was named and cannot be used is said before anything is read.
    let compute = if args.vectors_only || settings.index_vectors.value {
        Some(device::choose(settings, Work::Encoding, printer, cancel)?)
    } else {
        None
    };
    if let (true, Some(compute)) = (args.vectors_only, &compute) {
        leave_out(&project, corpus, args, printer, cancel)?;
        let built = vectors(settings, corpus, compute, args.into(), printer, cancel)?;
        if json {
            printer.json(&built)?;
        } else {
            printer.note(&format!("corpus `{corpus}`: {}", covered(built)));
        }
        return Ok(Exit::Done);
    }
    let request = IndexRequest {
        rebuild: args.rebuild,
        threads: settings.threads.value,
        language: settings.language(),
        ..IndexRequest::new(corpus, args.paths.clone())
    };
    let mut meter = None;
    let list_all = args.list_all;
    let indexed = crate::index(
        &project,
        &request,
        &mut |progress| show(progress, &mut meter, printer, list_all),
        cancel,
    )?;
    drop(meter);
    let lexical_seconds = started.elapsed().as_secs_f64();
    if !json {
        tell(&indexed, args, lexical_seconds, printer);
    }
    // The corpus can be searched from here on.
    let behind = fill_in(args, settings, compute.as_ref(), printer, cancel);
    let behind = behind.inspect_err(|error| {
        if error.downcast_ref().is_some_and(crate::Error::is_busy) {
            printer.note("the documents are indexed; `indago index` completes the other indexes");
        }
    })?;
    if json {
        let summary = Summary {
            indexed: &indexed,
            vectors: behind.vectors,
            lexical_seconds,
            vector_seconds: behind.vector_seconds,
            device: compute.map(|compute| compute.describe().to_owned()),
            substrings: behind.substrings,
            phrases: behind.phrases,
        };
        printer.json(&summary)?;
    } else if let (Some(built), Some(seconds)) = (behind.vectors, behind.vector_seconds) {
        printer.note(&format!("{} ({seconds:.1} s)", covered(built)));
    }
    let unread = indexed
        .skipped
        .iter()
        .any(|skipped| is_failure(skipped.reason));
    Ok(if args.strict && unread {
        Exit::Partial
    } else {
        Exit::Done
    })
}

/// What filled in behind the documents.
#[derive(Default)]
struct Behind {
    substrings: Option<SubstringsBuilt>,
    vectors: Option<VectorsBuilt>,
    vector_seconds: Option<f64>,
    phrases: Option<PhrasesBuilt>,
}

/// Makes the other indexes that are wanted, and brings those that are there up to date. Each takes
/// the corpus's lock for itself, so that another process may come in between.
fn fill_in(
    args: &IndexArgs,
    settings: &Settings,
    compute: Option<&Compute>,
    printer: Printer,
    cancel: &Cancel,
) -> anyhow::Result<Behind> {
    let project = project(settings);
    let corpus = &settings.corpus.value;
    let substrings = optional::substrings(&project, corpus, args.substrings, printer, cancel)?;
    leave_out(&project, corpus, args, printer, cancel)?;
    let mut behind = Behind {
        substrings,
        ..Behind::default()
    };
    if let Some(compute) = compute {
        let began = Instant::now();
        match vectors(settings, corpus, compute, args.into(), printer, cancel) {
            Ok(built) => behind.vectors = Some(built),
            Err(error) if error.is_cancelled() => {
                printer.note(
                    "the documents are indexed; `indago index --vectors-only` completes the vectors",
                );
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        }
        behind.vector_seconds = Some(began.elapsed().as_secs_f64());
    }
    if let Some(name) = &args.graph_extractor {
        extract(name, args.graph_calls, settings, corpus, printer, cancel)?;
    } else {
        note_facts(&project, corpus, printer)?;
    }
    // Behind the facts, which go into it.
    behind.phrases = optional::phrases(&project, corpus, args.phrase_graph, printer, cancel)?;
    if let Some(name) = &args.sparse {
        if name != "bm25" && compute.is_some_and(Compute::is_gpu) {
            printer.note("note: sparse vectors are encoded on this CPU, not on the GPU");
        }
        optional::sparse(&project, corpus, name, printer, cancel)?;
    }
    if !args.no_vectors {
        optional::follow_sparse(&project, corpus, printer, cancel)?;
    }
    Ok(behind)
}

/// Brings a corpus up to date with `paths`, vectors included, and says little about it.
pub(super) fn update(
    settings: &Settings,
    corpus: &str,
    paths: Vec<PathBuf>,
    printer: Printer,
    cancel: &Cancel,
) -> Result<(), crate::Error> {
    match try_update(settings, corpus, paths, printer, cancel) {
        // Somebody else brings it up to date; what is there can be read meanwhile.
        Err(error) if error.is_busy() && crate::open(&project(settings), corpus).is_ok() => {
            printer.note(&format!("note: {error}; asking what is there"));
            Ok(())
        }
        other => other,
    }
}

fn try_update(
    settings: &Settings,
    corpus: &str,
    paths: Vec<PathBuf>,
    printer: Printer,
    cancel: &Cancel,
) -> Result<(), crate::Error> {
    let request = IndexRequest {
        threads: settings.threads.value,
        language: settings.language(),
        ..IndexRequest::new(corpus, paths)
    };
    let mut meter = None;
    let mut on_progress = |progress: Progress<'_>| show(progress, &mut meter, printer, false);
    let Indexed {
        added,
        changed,
        removed,
        documents,
        skipped,
        ..
    } = crate::index(&project(settings), &request, &mut on_progress, cancel)?;
    if added + changed + removed > 0 {
        printer.note(&format!("corpus `{corpus}`: {documents} documents"));
        unreadable(&skipped, false, printer);
    }
    optional::substrings(&project(settings), corpus, None, printer, cancel)?;
    optional::phrases(&project(settings), corpus, None, printer, cancel)?;
    if settings.index_vectors.value {
        let compute = device::choose(settings, Work::Encoding, printer, cancel)?;
        vectors(
            settings,
            corpus,
            &compute,
            Wanted::default(),
            printer,
            cancel,
        )?;
        optional::follow_sparse(&project(settings), corpus, printer, cancel)?;
    }
    Ok(())
}

/// Has the model `name` read names and facts off passages, or goes back to `rules`.
fn extract(
    name: &str,
    most: Option<u64>,
    settings: &Settings,
    corpus: &str,
    printer: Printer,
    cancel: &Cancel,
) -> anyhow::Result<()> {
    let project = project(settings);
    if name == "rules" {
        crate::extract_facts(&project, corpus, None, 1, &mut |_, _| {}, cancel)?;
        return Ok(());
    }
    let Some(config) = settings.models.get(name) else {
        anyhow::bail!(
            "`{name}` is no configured model: `indago.toml` wants `[models.{name}]`, or give `rules`"
        );
    };
    let calls = Calls::open(name, settings)?;
    let extractor = wire::fact_extractor(calls.model.as_ref(), calls.at_most(most));
    let mut meter: Option<Meter> = None;
    let mut progress = |done, all| {
        let unit = Unit::Things("passages");
        meter
            .get_or_insert_with(|| Meter::start(printer, "reading facts", unit, all))
            .set(done);
    };
    let done = crate::extract_facts(
        &project,
        corpus,
        Some(extractor.as_ref()),
        config.concurrent,
        &mut progress,
        cancel,
    )?;
    drop(meter);
    let (tokens, micros) = calls.spent();
    printer.note(&format!(
        "`{name}` has read names and facts off {} of {} passages, {} of them now: {} calls, {tokens} \
         tokens, ${:.4}",
        done.extracted,
        done.passages,
        done.read,
        calls.made(),
        micros as f64 / 1e6
    ));
    for (document, reason) in &done.failures {
        printer.warn(&super::table::printable(&format!("{document}: {reason}")));
    }
    if done.failed > 0 {
        printer.note(&format!(
            "{} passages go on being read by rules; the same command tries them again",
            done.failed
        ));
    }
    match done.stopped {
        Some(stopped) if most.is_some_and(|most| stopped.to_string().contains(&limit_reached(most))) => {
            printer.note("the limit of --graph-calls is reached; the same command goes on from here");
            Ok(())
        }
        Some(stopped) => Err(anyhow::Error::new(stopped).context(
            "the facts of some passages are missing; what came is kept, and the same command goes on",
        )),
        None => Ok(()),
    }
}

/// Says so when passages came that nobody has read facts off.
fn note_facts(
    project: &crate::Project,
    corpus: &str,
    printer: Printer,
) -> Result<(), crate::Error> {
    let opened = crate::open(project, corpus)?;
    let passages = opened.summary().passages;
    if let Some((name, extracted)) = opened.extraction()
        && extracted < passages
    {
        printer.note(&format!(
            "note: `{name}` has read names and facts off {extracted} of {passages} passages (`indago \
             index --graph-extractor {name}` completes them)"
        ));
    }
    Ok(())
}

/// How far vectors are, in words, and what was spared.
fn covered(built: VectorsBuilt) -> String {
    let IndexCoverage {
        passages,
        embedded,
        left_out,
    } = built.coverage;
    let mut said = format!("{embedded} of {passages} passages have vectors");
    if left_out > 0 {
        said += &format!(", {left_out} are left out");
    }
    if built.borrowed + built.cut > 0 {
        said += &format!("; {} encoded now", built.encoded);
    }
    if built.borrowed > 0 {
        said += &format!(", {} copied from other corpora", built.borrowed);
    }
    if built.cut > 0 {
        said += &format!(", {} cut from longer ones", built.cut);
    }
    said
}

/// Says which passages get no vectors, where that was asked for.
fn leave_out(
    project: &crate::Project,
    corpus: &str,
    args: &IndexArgs,
    printer: Printer,
    cancel: &Cancel,
) -> Result<(), crate::Error> {
    if let Some(per_mille) = args.prune {
        let passages = crate::prune(project, corpus, per_mille, cancel)?;
        printer.note(&format!(
            "{passages} passages that say least get no vectors; words still find them"
        ));
    }
    Ok(())
}

/// Which vectors, and whether near ones are linked.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    encoder: &'a str,
    approximate: bool,
    tokens: bool,
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Self {
            encoder: "minilm",
            approximate: false,
            tokens: false,
        }
    }
}

impl<'a> From<&'a IndexArgs> for Wanted<'a> {
    fn from(args: &'a IndexArgs) -> Self {
        Self {
            encoder: &args.encoder,
            approximate: args.approximate,
            tokens: args.tokens,
        }
    }
}

fn vectors(
    settings: &Settings,
    corpus: &str,
    compute: &Compute,
    wanted: Wanted<'_>,
    printer: Printer,
    cancel: &Cancel,
) -> Result<VectorsBuilt, crate::Error> {
    let encoder = compute.encoder_named(wanted.encoder)?;
    let project = project(settings);
    if encoder.dim() == 0 && !wanted.approximate {
        // A model of token vectors alone: there is nothing else that it could be named for.
        let made = tokens(&project, corpus, wanted.encoder, true, printer, cancel)?;
        return Ok(VectorsBuilt {
            coverage: made.unwrap_or_default(),
            ..VectorsBuilt::default()
        });
    }
    let mut meter: Option<Meter> = None;
    let built = crate::embed(
        &project,
        corpus,
        encoder.as_ref(),
        &mut |progress| {
            if let Progress::Vectors(coverage) = progress {
                let unit = Unit::Things("passages");
                meter
                    .get_or_insert_with(|| {
                        Meter::start(printer, "encoding", unit, coverage.wanted())
                    })
                    .set(coverage.embedded);
            }
        },
        cancel,
    )?;
    drop(meter);
    let linked = crate::link(
        &project,
        corpus,
        encoder.as_ref(),
        wanted.approximate,
        cancel,
    )?;
    if let (Some(linked), true) = (linked, wanted.approximate) {
        printer.note(&format!(
            "approximate search finds {:.1}% of the exact 10 neighbours of {} sampled vectors, with \
             {} in view",
            100.0 * linked.recall,
            linked.sampled,
            linked.beam
        ));
    }
    let (name, asked) = (wanted.encoder, wanted.tokens);
    tokens(&project, corpus, name, asked, printer, cancel)?;
    Ok(built)
}

/// Vectors of tokens by the encoder `name`, where they are wanted or the corpus has some.
fn tokens(
    project: &crate::Project,
    corpus: &str,
    name: &str,
    wanted: bool,
    printer: Printer,
    cancel: &Cancel,
) -> Result<Option<IndexCoverage>, crate::Error> {
    let mut meter: Option<Meter> = None;
    let mut told = |progress: Progress<'_>| {
        if let Progress::Vectors(coverage) = progress {
            let unit = Unit::Things("passages");
            meter
                .get_or_insert_with(|| Meter::start(printer, "tokens", unit, coverage.wanted()))
                .set(coverage.embedded);
        }
    };
    // Devices give no vectors of tokens.
    let encoder = wire::encoder_named(name)?;
    crate::embed_tokens(project, corpus, encoder.as_ref(), wanted, &mut told, cancel)
}

fn show(progress: Progress<'_>, meter: &mut Option<Meter>, printer: Printer, list_all: bool) {
    match progress {
        Progress::Planned { bytes, files, .. } if files > 0 => {
            *meter = Some(Meter::start(printer, "reading", Unit::Bytes, bytes));
        }
        Progress::File { bytes, .. } => {
            if let Some(meter) = meter {
                meter.add(bytes);
            }
        }
        Progress::Stage(Stage::Documents) => *meter = None,
        Progress::Unreadable(skipped) => unreadable(skipped, list_all, printer),
        Progress::Listing
        | Progress::Planned { .. }
        | Progress::Stage(_)
        | Progress::Vectors(_) => {}
    }
}

/// A file without text or of a kind nobody reads is no failure of reading.
fn is_failure(reason: SkipReason) -> bool {
    !matches!(reason, SkipReason::Binary | SkipReason::Empty)
}

fn tell(indexed: &Indexed, args: &IndexArgs, seconds: f64, printer: Printer) {
    for warning in indexed
        .warnings
        .iter()
        .take(if args.list_all { usize::MAX } else { 5 })
    {
        printer.warn(&super::table::printable(&warning.to_string()));
    }
    if indexed.warnings.len() > 5 && !args.list_all {
        printer.note(&format!(
            "... and {} more warnings",
            indexed.warnings.len() - 5
        ));
    }
    unreadable(&indexed.skipped, args.list_all, printer);
    let Indexed {
        corpus,
        added,
        changed,
        unchanged,
        removed,
        documents,
        passages,
        ..
    } = indexed;
    printer.note(&format!(
        "corpus `{corpus}`: {documents} documents, {passages} passages; files: {added} new, \
         {changed} changed, {unchanged} unchanged, {removed} removed; read {} in {seconds:.1} s",
        megabytes(indexed.read_bytes)
    ));
}

/// What could not be read, why, and what to do about each kind.
fn unreadable(skipped: &[Skipped], list_all: bool, printer: Printer) {
    if skipped.is_empty() {
        return;
    }
    let mut ordered: Vec<&Skipped> = skipped.iter().collect();
    // Failures first: they are what somebody may want to repair.
    ordered.sort_by_key(|s| (!is_failure(s.reason), s.reason, s.path.as_str()));
    let shown = if list_all {
        ordered.len()
    } else {
        ordered.len().min(TABLE_LINES)
    };
    let mut table = Table::new(&["not indexed", "why", "detail"]);
    for one in &ordered[..shown] {
        table.row([
            one.path.clone(),
            one.reason.label().to_owned(),
            one.detail.clone(),
        ]);
    }
    printer.note(table.to_string().trim_end());
    if shown < ordered.len() {
        printer.note(&format!(
            "... and {} more (--list-all shows them)",
            ordered.len() - shown
        ));
    }
    let mut reasons: Vec<SkipReason> = ordered.iter().map(|s| s.reason).collect();
    reasons.dedup();
    for reason in reasons.into_iter().filter(|r| is_failure(*r)) {
        printer.note(&format!("hint: {}: {}", reason.label(), reason.advice()));
    }
}
