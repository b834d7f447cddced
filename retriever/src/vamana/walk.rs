//! One walk towards a query. Memory is kept from walk to walk.

use indago_kernels::gather::{QueryCodes, scores_i8_at};
use indago_kernels::{RowsI8, ShapeError};

use super::{Adjacency, Near};

/// What a walk needs to remember; give each thread one.
#[derive(Debug, Default)]
pub struct Walker {
    /// One bit a row: whether it was scored.
    seen: Vec<u64>,
    /// Words of `seen` to clear.
    touched: Vec<u32>,
    /// Best first; `true` where the links were followed.
    beam: Vec<(Near, bool)>,
    /// Rows whose links were followed, in that order.
    followed: Vec<Near>,
    links: Vec<u32>,
    scores: Vec<f32>,
    sums: Vec<i32>,
}

impl Walker {
    /// Walks from the best of `entries` until the links of all rows in the beam were followed.
    ///
    /// # Errors
    /// When the query's length is not that of the rows, or a link leads nowhere.
    pub fn walk(
        &mut self,
        rows: RowsI8<'_>,
        graph: &impl Adjacency,
        entries: &[u32],
        query: &QueryCodes,
        beam: usize,
    ) -> Result<(), ShapeError> {
        for &word in &self.touched {
            self.seen[word as usize] = 0;
        }
        self.touched.clear();
        self.seen.resize(rows.len().div_ceil(64), 0);
        self.beam.clear();
        self.followed.clear();
        if beam == 0 {
            return Ok(());
        }
        self.links.clear();
        self.links.extend(entries);
        self.score(rows, query)?;
        let mut next = self.offer_all(beam).unwrap_or(0);
        while let Some((near, followed)) = self.beam.get_mut(next) {
            *followed = true;
            let near = *near;
            self.followed.push(near);
            graph.links(near.row, &mut self.links);
            self.score(rows, query)?;
            // The best row not followed yet stands at the first newcomer or behind this one.
            let first = self.offer_all(beam).unwrap_or(usize::MAX);
            next = first.min(next + 1);
            while self.beam.get(next).is_some_and(|(_, followed)| *followed) {
                next += 1;
            }
        }
        Ok(())
    }

    /// What is in view, best first.
    pub fn found(&self) -> impl Iterator<Item = Near> + '_ {
        self.beam.iter().map(|(near, _)| *near)
    }

    /// The rows whose links were followed.
    pub(super) fn followed(&self) -> &[Near] {
        &self.followed
    }

    /// Drops from `links` what was scored before and scores the rest.
    fn score(&mut self, rows: RowsI8<'_>, query: &QueryCodes) -> Result<(), ShapeError> {
        let (seen, touched) = (&mut self.seen, &mut self.touched);
        self.links.retain(|&row| {
            // A row beyond the last stays, for the kernel to refuse.
            seen.get_mut(row as usize / 64).is_none_or(|word| {
                let bit = 1 << (row % 64);
                let fresh = *word & bit == 0;
                if *word == 0 {
                    touched.push(row / 64);
                }
                *word |= bit;
                fresh
            })
        });
        self.scores.resize(self.links.len(), 0.0);
        scores_i8_at(rows, query, &self.links, &mut self.sums, &mut self.scores)
    }

    /// Puts what was scored last into the beam; gives the place of the best newcomer.
    fn offer_all(&mut self, beam: usize) -> Option<usize> {
        let mut first: Option<usize> = None;
        for (&row, &score) in self.links.iter().zip(&self.scores) {
            let near = Near { row, score };
            if self.beam.len() >= beam
                && self
                    .beam
                    .last()
                    .is_some_and(|(worst, _)| near.order(worst).is_ge())
            {
                continue;
            }
            let place = self
                .beam
                .partition_point(|(other, _)| other.order(&near).is_lt());
            self.beam.insert(place, (near, false));
            self.beam.truncate(beam);
            first = Some(first.map_or(place, |first| first.min(place)));
        }
        first
    }
}
