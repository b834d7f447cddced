//! Restrictions on path, date, metadata and single documents, worked out once per set of filters.

use std::sync::Arc;

use globset::{Glob, GlobSet, GlobSetBuilder};
use indago_core::ports::RetrieveError;
use indago_core::{Date, Filters, PassageId};

use crate::store::Store;
use crate::store::rows::{UNDATED, pack_date};

/// The documents that pass a set of filters.
pub(crate) struct Allowed {
    store: Arc<Store>,
    documents: Vec<bool>,
}

impl std::fmt::Debug for Allowed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let n = self.documents.iter().filter(|allowed| **allowed).count();
        write!(f, "Allowed({n} of {})", self.documents.len())
    }
}

impl Allowed {
    /// Compares every document with `filters`.
    pub(crate) fn new(store: &Arc<Store>, filters: &Filters) -> Result<Self, RetrieveError> {
        let globs = globs(&filters.paths)?;
        let after = filters.after.map(|date| pack_date(Some(date)));
        let before = filters
            .before
            .map(last_day)
            .map(|date| pack_date(Some(date)));
        let mut documents = Vec::with_capacity(store.n_documents() as usize);
        for row in 0..store.n_documents() {
            let date = store.document_row(row).date;
            let dated = date != UNDATED || (after.is_none() && before.is_none());
            let in_time = dated
                && after.is_none_or(|after| date >= after)
                && before.is_none_or(|before| date <= before);
            // Records are only read for what rows do not tell.
            let passes = in_time
                && (globs.is_none() && filters.metadata.is_empty() || {
                    let record = store.record(row)?;
                    globs
                        .as_ref()
                        .is_none_or(|globs| globs.is_match(&record.path))
                        && filters
                            .metadata
                            .iter()
                            .all(|(key, value)| record.metadata.get(key) == Some(value))
                });
            documents.push(passes);
        }
        for id in &filters.except {
            if let Some(row) = store.document_of(id)?
                && let Some(passes) = documents.get_mut(row as usize)
            {
                *passes = false;
            }
        }
        Ok(Self {
            store: Arc::clone(store),
            documents,
        })
    }

    /// Whether a passage's document passes.
    pub(crate) fn passage(&self, id: PassageId) -> bool {
        self.store.row_of(id).is_some_and(|row| self.row(row))
    }

    /// Whether the document of passage `row` passes.
    pub(crate) fn row(&self, row: u32) -> bool {
        let document = self.store.passage_row(row).document;
        self.documents
            .get(document as usize)
            .copied()
            .unwrap_or(false)
    }
}

/// The end of a date whose day or month is unknown: "before 2023" includes all of 2023.
fn last_day(date: Date) -> Date {
    let month = date.month.or(Some(12));
    Date {
        month,
        day: date.day.or(Some(31)),
        ..date
    }
}

fn globs(patterns: &[String]) -> Result<Option<GlobSet>, RetrieveError> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(Glob::new(pattern).map_err(|e| bad(pattern, &e))?);
    }
    set.build()
        .map(Some)
        .map_err(|e| bad(&patterns.join(" "), &e))
}

fn bad(pattern: &str, error: &globset::Error) -> RetrieveError {
    RetrieveError::BadFilter {
        filter: pattern.to_owned(),
        reason: error.kind().to_string(),
    }
}
