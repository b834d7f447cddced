//! From a query's token vectors to passages.

use std::collections::HashMap;

use indago_core::Cancel;
use indago_core::ports::Matrix;
use indago_kernels::maxsim::{Ragged, maxsim_f32};
use indago_kernels::product::{PackedF32, linear_f32};
use indago_kernels::quantize::codes_of_bytes;
use indago_kernels::scan::{ScanError, top_k_i8_where};
use indago_kernels::{RowsF32, RowsI8, ShapeError, dot_f32};
use rayon::prelude::*;

use super::Index;

/// Passages that are unpacked together.
const GROUP: usize = 16;

/// A passage's number and its score, the mean over query tokens.
type Scored = (u32, f32);

/// How much of the index is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Centroids whose tokens are looked at, for each token of the query.
    pub probes: usize,
    /// Passages scored by centroids alone ([`Index::plaid`]), a quarter of which is scored in full;
    /// passages scored in full ([`Index::muvera`]); tokens kept for each token of the query
    /// ([`Index::xtr`]).
    pub candidates: usize,
}

impl Scope {
    /// Enough for `k` hits.
    pub fn plaid(k: usize) -> Self {
        Self {
            probes: 8,
            candidates: k.saturating_mul(16).max(1024),
        }
    }

    /// Enough for `k` hits.
    pub fn muvera(k: usize) -> Self {
        Self {
            probes: 0,
            candidates: k.saturating_mul(4).max(200),
        }
    }

    /// Enough for `k` hits.
    pub fn xtr(k: usize) -> Self {
        Self {
            probes: 32,
            candidates: k.saturating_mul(20).max(2000),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "what sorting calls")]
fn best_first(a: &Scored, b: &Scored) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

fn cut(scored: &mut Vec<Scored>, n: usize) {
    if n < scored.len() {
        scored.select_nth_unstable_by(n, best_first);
        scored.truncate(n);
    }
}

impl Index {
    fn check(&self, query: &Matrix) -> Result<(), ShapeError> {
        let n = RowsF32::new(&query.data, self.codec.dim())?.len();
        if n == query.rows && query.dim == self.codec.dim() {
            return Ok(());
        }
        Err(ShapeError {
            what: "query token",
            found: query.dim,
            expected: self.codec.dim(),
        })
    }

    /// The full score of each of `passages`, in their order: minus infinity for one without tokens.
    ///
    /// # Errors
    /// When cancelled, or the query's vectors have another length.
    pub fn max_sim(
        &self,
        query: &Matrix,
        passages: &[u32],
        cancel: &Cancel,
    ) -> Result<Vec<f32>, ScanError> {
        self.check(query)?;
        let dim = self.codec.dim();
        let groups: Vec<Vec<f32>> = passages
            .par_chunks(GROUP)
            .map(|group| {
                cancel.check()?;
                let (mut data, mut bounds) = (Vec::new(), vec![0]);
                for &passage in group {
                    self.decode(passage, &mut data);
                    bounds.push((data.len() / dim) as u32);
                }
                let all: Vec<u32> = (0..group.len() as u32).collect();
                let at = Ragged::new(&bounds, data.len() / dim)?;
                maxsim_f32(&query.data, RowsF32::new(&data, dim)?, at, &all, cancel)
            })
            .collect::<Result<_, ScanError>>()?;
        let mut scores = groups.concat();
        let n = query.rows.max(1) as f32;
        for score in &mut scores {
            *score /= n;
        }
        Ok(scores)
    }

    /// The best `k` passages of those given by their full scores.
    ///
    /// # Errors
    /// As [`Self::max_sim`].
    pub fn rank(
        &self,
        query: &Matrix,
        passages: &[u32],
        k: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Scored>, ScanError> {
        let scores = self.max_sim(query, passages, cancel)?;
        let mut scored: Vec<Scored> = passages.iter().copied().zip(scores).collect();
        scored.retain(|(_, score)| score.is_finite());
        scored.sort_unstable_by(best_first);
        scored.truncate(k);
        Ok(scored)
    }

    /// `[centroids, query tokens]`: the score of each centroid.
    fn centroid_scores(&self, query: &Matrix) -> Result<Vec<f32>, ScanError> {
        self.check(query)?;
        let n = query.rows;
        if n == 0 || self.codec.n_centroids() == 0 {
            return Ok(Vec::new());
        }
        let packed = PackedF32::pack(&query.data, self.codec.dim())?;
        let mut table = vec![0.0; self.codec.n_centroids() * n];
        linear_f32(&self.codec.centroids, &packed, &vec![0.0; n], &mut table);
        Ok(table)
    }

    /// For each query token the `probes` best centroids, best first.
    fn probed(&self, table: &[f32], n_query: usize, probes: usize) -> Vec<Vec<Scored>> {
        let of_token = |q: usize| {
            let scores = table.iter().skip(q).step_by(n_query);
            let mut all: Vec<Scored> = (0..).zip(scores.copied()).collect();
            cut(&mut all, probes);
            all.sort_unstable_by(best_first);
            all
        };
        (0..n_query).map(of_token).collect()
    }

    fn list(&self, centroid: u32) -> &[u32] {
        let i = centroid as usize;
        match (self.lists.get(i), self.lists.get(i + 1)) {
            (Some(&start), Some(&end)) => &self.list_tokens[start as usize..end as usize],
            _ => &[],
        }
    }

    /// The best `k` passages that `keep` allows: candidates share a centroid with a token of the
    /// query, are cut by the scores of centroids in the place of tokens, and scored in full.
    ///
    /// # Errors
    /// As [`Self::max_sim`].
    pub fn plaid(
        &self,
        query: &Matrix,
        k: usize,
        scope: Scope,
        keep: impl Fn(u32) -> bool,
        cancel: &Cancel,
    ) -> Result<Vec<Scored>, ScanError> {
        cancel.check()?;
        let n = query.rows;
        let table = self.centroid_scores(query)?;
        let mut seen = vec![false; self.len()];
        let mut candidates: Vec<u32> = Vec::new();
        let mut centroids: Vec<u32> = self
            .probed(&table, n, scope.probes)
            .concat()
            .iter()
            .map(|(centroid, _)| *centroid)
            .collect();
        centroids.sort_unstable();
        centroids.dedup();
        for centroid in centroids {
            for &token in self.list(centroid) {
                let passage = self.passage_of(token);
                if let Some(seen) = seen.get_mut(passage as usize)
                    && !*seen
                {
                    *seen = true;
                    if keep(passage) {
                        candidates.push(passage);
                    }
                }
            }
        }
        let approximate = |&passage: &u32| -> Result<Scored, ScanError> {
            cancel.check()?;
            let mut best = vec![f32::NEG_INFINITY; n];
            for &code in &self.codes[self.tokens(passage)] {
                let scores = &table[code as usize * n..][..n];
                for (best, &score) in best.iter_mut().zip(scores) {
                    *best = best.max(score);
                }
            }
            Ok((passage, best.iter().sum()))
        };
        let mut scored: Vec<Scored> = candidates
            .par_iter()
            .with_min_len(64)
            .map(approximate)
            .collect::<Result<_, _>>()?;
        cut(&mut scored, (scope.candidates / 4).max(k));
        let chosen: Vec<u32> = scored.into_iter().map(|(passage, _)| passage).collect();
        self.rank(query, &chosen, k, cancel)
    }

    /// The best `k` passages that `keep` allows, candidates by their fixed dimensional encodings.
    ///
    /// # Errors
    /// As [`Self::max_sim`].
    pub fn muvera(
        &self,
        query: &Matrix,
        k: usize,
        scope: Scope,
        keep: impl Fn(u32) -> bool + Sync,
        cancel: &Cancel,
    ) -> Result<Vec<Scored>, ScanError> {
        self.check(query)?;
        let encoding = self.fixed.of_query(&query.data);
        let codes = codes_of_bytes(self.fixed_codes.get());
        let rows = RowsI8::new(codes, &self.fixed_scales, self.fixed.len())?;
        let keep = |i: usize| keep(i as u32);
        let wanted = scope.candidates.max(k);
        let found = top_k_i8_where(rows, &encoding, wanted, keep, cancel)?;
        let chosen: Vec<u32> = found.concat().iter().map(|s| s.row as u32).collect();
        self.rank(query, &chosen, k, cancel)
    }

    /// The best `k` passages that `keep` allows, by retrieved tokens alone: for each token of the
    /// query the best `candidates` tokens of the probed centroids; a passage without any of them gets
    /// the score of the last, which nothing unseen can exceed as far as the probes reach.
    ///
    /// # Errors
    /// As [`Self::max_sim`].
    pub fn xtr(
        &self,
        query: &Matrix,
        k: usize,
        scope: Scope,
        keep: impl Fn(u32) -> bool + Sync,
        cancel: &Cancel,
    ) -> Result<Vec<Scored>, ScanError> {
        let n = query.rows;
        let table = self.centroid_scores(query)?;
        let probed = self.probed(&table, n, scope.probes);
        let retrieve = |(q, centroids): (usize, Vec<Scored>)| -> Result<_, ScanError> {
            let token_vector = query.row(q);
            let mut vector = vec![0.0; self.codec.dim()];
            let mut tokens: Vec<Scored> = Vec::new();
            for (centroid, _) in centroids {
                cancel.check()?;
                for &token in self.list(centroid) {
                    self.decode_token(token as usize, &mut vector);
                    tokens.push((token, dot_f32(token_vector, &vector)));
                }
            }
            cut(&mut tokens, scope.candidates);
            let last = tokens.iter().map(|t| t.1).fold(f32::INFINITY, f32::min);
            let mut best: HashMap<u32, f32> = HashMap::new();
            for (token, score) in tokens {
                let passage = self.passage_of(token);
                let known = best.entry(passage).or_insert(f32::NEG_INFINITY);
                *known = known.max(score);
            }
            Ok((best, last))
        };
        let retrieved: Vec<(HashMap<u32, f32>, f32)> = probed
            .into_par_iter()
            .enumerate()
            .map(retrieve)
            .collect::<Result<_, _>>()?;
        // Where nothing was retrieved at all there is nothing to impute.
        let missing = |last: f32| if last.is_finite() { last } else { 0.0 };
        let floor: f32 = retrieved.iter().map(|(_, last)| missing(*last)).sum();
        let mut scores: HashMap<u32, f32> = HashMap::new();
        for (best, last) in &retrieved {
            for (&passage, score) in best {
                *scores.entry(passage).or_insert(floor) += score - missing(*last);
            }
        }
        let mut scored: Vec<Scored> = scores
            .into_iter()
            .filter(|(passage, _)| keep(*passage))
            .map(|(passage, score)| (passage, score / n.max(1) as f32))
            .collect();
        scored.sort_unstable_by(best_first);
        scored.truncate(k);
        Ok(scored)
    }
}
