//! Indexes that a corpus has when they were asked for once, and that follow it from then on.

use indago_core::Cancel;
use indago_retriever::{PhrasesBuilt, SubstringsBuilt};

use super::args::Whether;
use super::printer::Printer;
use super::progress::{Meter, Unit, megabytes};
use crate::wire;

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

/// Makes a sparse index by the encoder `name`, or by BM25's weights, and says what it is worth.
pub(super) fn sparse(
    project: &crate::Project,
    corpus: &str,
    name: &str,
    printer: Printer,
    cancel: &Cancel,
) -> Result<(), crate::Error> {
    let encoder = (name != "bm25").then(|| wire::sparse_encoder(name));
    let encoder = encoder.transpose()?;
    let opened = encoder.as_deref().map(|encoder| (encoder, name));
    let built = crate::index_sparse(project, corpus, opened, cancel)?;
    printer.note(&format!(
        "sparse index by `{name}`: {} passages, {} of them encoded now; finds {:.1}% of the exact \
         ten best of a sample",
        built.passages,
        built.encoded,
        100.0 * built.recall
    ));
    Ok(())
}

/// Brings the sparse indexes of encoders up to date.
pub(super) fn follow_sparse(
    project: &crate::Project,
    corpus: &str,
    printer: Printer,
    cancel: &Cancel,
) -> Result<(), crate::Error> {
    for name in crate::sparse_behind(project, corpus)? {
        match sparse(project, corpus, &name, printer, cancel) {
            // A model that is gone leaves its index as it is, and everything else up to date.
            Err(error @ (crate::Error::Encode(_) | crate::Error::NoWeights(_)))
                if !error.is_cancelled() =>
            {
                printer.note(&format!(
                    "note: the sparse index by `{name}` lacks what is new: {error}"
                ));
            }
            other => other?,
        }
    }
    Ok(())
}
