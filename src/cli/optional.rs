//! Indexes that a corpus has when they were asked for once, and that follow it from then on.

use indago_core::Cancel;
use indago_retriever::{PhrasesBuilt, SubstringsBuilt};

use super::args::Whether;
use super::printer::Printer;
use super::progress::{Meter, Unit, megabytes};

/// Makes the index of substrings, does away with it, or brings the one that is there up to date.
pub(super) fn substrings(
    project: &crate::Project,
    corpus: &str,
    wanted: Option<Whether>,
    printer: Printer,
    cancel: &Cancel,
) -> Result<Option<SubstringsBuilt>, crate::Error> {
    let mut meter: Option<Meter> = None;
    let mut progress = |done, all| {
        meter
            .get_or_insert_with(|| Meter::start(printer, "sorting", Unit::Bytes, all))
            .set(done);
    };
    let whether = wanted.map(|wanted| wanted == Whether::On);
    let built = crate::index_substrings(project, corpus, whether, &mut progress, cancel)?;
    drop(meter);
    if let Some(built) = &built
        && (wanted.is_some() || built.sorted_bytes > 0 || built.documents < built.of)
    {
        let SubstringsBuilt {
            documents,
            of,
            sorted_bytes,
            ..
        } = *built;
        let rest = if documents < of {
            "; the others are too large for it and are read"
        } else {
            ""
        };
        printer.note(&format!(
            "substrings of {documents} of {of} documents are indexed, {} sorted now{rest}",
            megabytes(sorted_bytes)
        ));
    }
    Ok(built)
}

/// Stores the graph of passages and phrases, does away with it, or brings the one that is there up to
/// date.
pub(super) fn phrases(
    project: &crate::Project,
    corpus: &str,
    wanted: Option<Whether>,
    printer: Printer,
    cancel: &Cancel,
) -> Result<Option<PhrasesBuilt>, crate::Error> {
    let mut meter: Option<Meter> = None;
    let mut progress = |done, all| {
        let unit = Unit::Things("passages");
        meter
            .get_or_insert_with(|| Meter::start(printer, "phrases", unit, all))
            .set(done);
    };
    let whether = wanted.map(|wanted| wanted == Whether::On);
    let built = crate::index_phrases(project, corpus, whether, &mut progress, cancel)?;
    drop(meter);
    if let Some(built) = &built
        && (wanted.is_some() || built.read > 0)
    {
        let PhrasesBuilt {
            passages,
            read,
            phrases,
            edges,
        } = *built;
        printer.note(&format!(
            "graph of {passages} passages and {phrases} phrases with {edges} edges is stored, {read} \
             texts read now"
        ));
    }
    Ok(built)
}
