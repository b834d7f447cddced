//! Searching over a graph, and making the graph of a matrix.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use indago_core::ports::RetrieveError;
use indago_core::{Cancel, PassageId};
use indago_kernels::gather::{QueryCodes, scores_i8_at};
use indago_kernels::scan::ScanError;

use super::links::{self, Links};
use super::matrix::SPARE;
use super::{FOLDER, Vectors, misfit, stem};
use crate::error::IndexError;
use crate::filter::Allowed;
use crate::manifest::{LinkSet, VectorSet};
use crate::store::Store;
use crate::vamana::{self, Params};

/// Vectors of the corpus that are looked for again, to see what a beam finds.
const SAMPLE: usize = 200;
/// Neighbours that are compared.
const SAMPLE_K: usize = 10;
/// Beams that are tried, least first, until one finds [`TARGET`] of the neighbours.
const BEAMS: [u32; 9] = [24, 32, 48, 64, 96, 128, 192, 256, 512];
/// Part of the exact neighbours that the default beam finds.
const TARGET: f64 = 0.99;
/// Where more than this part of all rows is in view, scanning them is cheaper than walking.
const MAX_VIEW: usize = 8;

impl Vectors {
    /// As [`Vectors::search`], over the graph where there is one. With a filter, all that it allows
    /// is scored, so that nothing is missed.
    pub(crate) fn search_near(
        &self,
        query: &[f32],
        k: usize,
        allowed: Option<&Allowed>,
        cancel: &Cancel,
    ) -> Result<Vec<(PassageId, f32)>, RetrieveError> {
        cancel.check()?;
        if let Some(allowed) = allowed {
            return self.search_allowed(query, k, allowed, cancel);
        }
        let wanted = k.saturating_add(k / 4 + SPARE);
        match &self.links {
            Some(links) if wanted.max(links.beam) < self.len() / MAX_VIEW => {
                self.walk(links, query, k, wanted.max(links.beam))
            }
            _ => self.search(query, k, None, cancel),
        }
    }

    /// What a walk with `beam` rows in view finds.
    fn walk(
        &self,
        links: &Links,
        query: &[f32],
        k: usize,
        beam: usize,
    ) -> Result<Vec<(PassageId, f32)>, RetrieveError> {
        let graph = links.bytes();
        let found = links.with_walker(|walker| {
            let entries = &links.entries;
            vamana::search(self.codes()?, &graph, entries, query, beam, walker)
                .map_err(|e| misfit(links.path(), &e.to_string()))
        })?;
        let wanted = k.saturating_add(k / 4 + SPARE);
        let found = found.into_iter().take(wanted).map(|near| near.row);
        let rows = found.flat_map(|row| {
            let twins = links.twins.get(&row).map_or(&[][..], Vec::as_slice);
            std::iter::once(row).chain(twins.iter().copied())
        });
        self.exactly(rows, query, k)
    }

    /// The best of the rows that a filter allows, all of which are scored.
    fn search_allowed(
        &self,
        query: &[f32],
        k: usize,
        allowed: &Allowed,
        cancel: &Cancel,
    ) -> Result<Vec<(PassageId, f32)>, RetrieveError> {
        let rows: Vec<u32> = (0..self.len() as u32)
            .filter(|&i| allowed.row(self.row(i as usize)))
            .collect();
        cancel.check()?;
        let (mut scores, mut sums) = (vec![0.0; rows.len()], Vec::new());
        scores_i8_at(
            self.codes()?,
            &QueryCodes::of(query),
            &rows,
            &mut sums,
            &mut scores,
        )
        .map_err(|e| misfit(self.path(), &e.to_string()))?;
        let mut order: Vec<(f32, u32)> = scores.into_iter().zip(rows).collect();
        let best_first = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        let wanted = k.saturating_add(k / 4 + SPARE);
        if wanted < order.len() {
            order.select_nth_unstable_by(wanted, best_first);
            order.truncate(wanted);
        }
        self.exactly(order.into_iter().map(|(_, row)| row), query, k)
    }

    /// Part of the exact neighbours of sampled vectors that a walk with each of [`BEAMS`] finds, up
    /// to the first that finds enough; the last beam with its recall, and how many were sampled.
    fn recall(&self, links: &Links, cancel: &Cancel) -> Result<(u32, f64, u32), RetrieveError> {
        let n = self.len();
        let step = n.div_ceil(SAMPLE).max(1);
        let mut exact = Vec::new();
        for row in (0..n).step_by(step) {
            let vector = self.vector(row)?;
            let found = self.search(&vector, SAMPLE_K + 1, None, cancel)?;
            exact.push((vector, self.passage(row), found));
        }
        let mut best = (BEAMS[BEAMS.len() - 1], 0.0);
        for beam in BEAMS {
            cancel.check()?;
            let (mut hits, mut of) = (0, 0);
            for (vector, itself, expected) in &exact {
                // By score, so that passages of equal text are worth the same.
                let found = self.walk(links, vector, SAMPLE_K + 1, beam as usize)?;
                let worst = expected.last().map_or(f32::INFINITY, |hit| hit.1);
                let ids: HashSet<_> = expected.iter().map(|hit| hit.0).collect();
                let of_these = |hit: &&(PassageId, f32)| {
                    hit.0 != *itself && (ids.contains(&hit.0) || hit.1 >= worst)
                };
                hits += found.iter().filter(of_these).count();
                of += expected.iter().filter(|hit| hit.0 != *itself).count();
            }
            best = (
                beam,
                if of == 0 {
                    1.0
                } else {
                    hits as f64 / of as f64
                },
            );
            if best.1 >= TARGET {
                break;
            }
        }
        Ok((best.0, best.1.min(1.0), exact.len() as u32))
    }
}

/// Makes the graph of a published matrix, from the graph it had before where that still serves, and
/// returns its entry for the manifest.
pub(crate) fn link(
    dir: &Path,
    store: &Arc<Store>,
    set: &VectorSet,
    edition: u64,
    cancel: &Cancel,
) -> Result<LinkSet, IndexError> {
    let bare = VectorSet {
        links: None,
        ..set.clone()
    };
    let vectors = Vectors::open(dir, &bare, Arc::clone(store))?;
    let records: Vec<u32> = (0..vectors.len()).map(|i| vectors.record(i)).collect();
    let mut seen: HashMap<u32, u32> = HashMap::with_capacity(records.len());
    let mut members = Vec::new();
    for (row, &record) in records.iter().enumerate() {
        seen.entry(record).or_insert_with(|| {
            members.push(row as u32);
            row as u32
        });
    }
    let failed = |error| match error {
        ScanError::Cancelled(cancelled) => IndexError::Cancelled(cancelled),
        ScanError::Shape(e) => IndexError::Read(misfit(&dir.join(&set.matrix), &e.to_string())),
    };
    let params = Params::default();
    let before = set.links.as_ref().filter(|links| links.log == set.log);
    let before = before.and_then(|entry| match Links::open(dir, entry) {
        Ok(links) if links.degree == params.degree => Some(links),
        Ok(_) => None,
        Err(error) => {
            tracing::warn!(%error, "the graph of vectors is made again");
            None
        }
    });
    let codes = vectors.codes()?;
    let graph = match before {
        Some(old) => {
            let mut carried = HashSet::new();
            let now: Vec<Option<u32>> = old
                .records
                .iter()
                .map(|record| {
                    seen.get(record)
                        .copied()
                        .filter(|_| carried.insert(*record))
                })
                .collect();
            vamana::update(codes, &members, &old.graph(), &now, params, cancel).map_err(failed)?
        }
        None => vamana::build(codes, &members, params, cancel).map_err(failed)?,
    };
    let file = format!("{FOLDER}/{}-{edition}.links.bin", stem(&set.fingerprint));
    links::write(&dir.join(&file), &graph, &records)?;
    let mut entry = LinkSet {
        file,
        matrix: set.matrix.clone(),
        log: set.log.clone(),
        degree: graph.degree as u32,
        beam: 0,
        recall: 0.0,
        sampled: 0,
    };
    let written = Links::open(dir, &entry)?;
    (entry.beam, entry.recall, entry.sampled) = vectors.recall(&written, cancel)?;
    Ok(entry)
}
