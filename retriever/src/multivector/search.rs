//! From a query's token vectors to passages.

use std::collections::HashMap;

use indago_core::Cancel;
use indago_core::ports::Matrix;
use indago_kernels::maxsim::{Ragged, maxsim_f32};
use indago_kernels::product::{PackedF32, linear_f32};
use indago_kernels::quantize::codes_of_bytes;
use indago_kernels::scan::{ScanError, top_k_i8_where};
use indago_kernels::unpack::WORDS;
use indago_kernels::{RowsF32, RowsI8, ShapeError};
use rayon::prelude::*;

use super::Index;
use super::score::ByCodes;

/// Passages that are decoded together.
const GROUP: usize = 16;
/// Passages that are scored by centroids alone between two looks at whether that was cancelled.
const CHEAP_GROUP: usize = 256;
/// Most centroids of a query token that are kept in order while centroids are looked through.
const FEW: usize = 64;

/// A passage's number and its score, the mean over query tokens.
type Scored = (u32, f32);

/// How much of the index is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Centroids whose tokens are looked at, for each token of the query.
    pub probes: usize,
    /// Passages scored in full ([`Index::plaid`], where the scores of centroids alone choose if more
    /// are reached, and [`Index::muvera`]); tokens kept for each token of the query
    /// ([`Index::xtr`]).
    pub candidates: usize,
}

impl Scope {
    /// Enough for `k` hits.
    pub fn plaid(k: usize) -> Self {
        Self {
            probes: 8,
            candidates: k.saturating_mul(8).max(1024),
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

/// Passages that are decoded and scored again for `k` hits.
fn decoded(k: usize) -> usize {
    k.saturating_mul(2).saturating_add(16)
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

    /// The best `k` passages of those given by their full scores: by codes first, the best few of
    /// which are decoded.
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
        let table = if passages.len() > decoded(k) {
            self.centroid_scores(query)?
        } else {
            Vec::new()
        };
        self.rank_with(query, &table, passages, k, cancel)
    }

    /// [`Self::rank`] with the scores of centroids.
    fn rank_with(
        &self,
        query: &Matrix,
        table: &[f32],
        passages: &[u32],
        k: usize,
        cancel: &Cancel,
    ) -> Result<Vec<Scored>, ScanError> {
        let mut chosen = passages.to_vec();
        if passages.len() > decoded(k) && !table.is_empty() {
            let mut scored = ByCodes::new(self, query, table)?.scores(passages, cancel)?;
            cut(&mut scored, decoded(k));
            chosen = scored.into_iter().map(|(passage, _)| passage).collect();
        }
        let scores = self.max_sim(query, &chosen, cancel)?;
        let mut scored: Vec<Scored> = chosen.into_iter().zip(scores).collect();
        scored.retain(|(_, score)| score.is_finite());
        scored.sort_unstable_by(best_first);
        scored.truncate(k);
        Ok(scored)
    }

    /// `[centroids, query tokens]`: the score of each centroid.
    pub(super) fn centroid_scores(&self, query: &Matrix) -> Result<Vec<f32>, ScanError> {
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
        if probes > FEW {
            let of_token = |q: usize| {
                let scores = table.iter().skip(q).step_by(n_query);
                let mut all: Vec<Scored> = (0..).zip(scores.copied()).collect();
                cut(&mut all, probes);
                all.sort_unstable_by(best_first);
                all
            };
            return (0..n_query).map(of_token).collect();
        }
        let mut best: Vec<Vec<Scored>> = vec![Vec::with_capacity(probes + 1); n_query];
        // What a centroid has to exceed.
        let bar = if probes == 0 {
            f32::INFINITY
        } else {
            f32::NEG_INFINITY
        };
        let mut bars = vec![bar; n_query];
        for (centroid, scores) in (0..).zip(table.chunks_exact(n_query.max(1))) {
            for (q, (&score, bar)) in scores.iter().zip(&mut bars).enumerate() {
                if score > *bar {
                    let best = &mut best[q];
                    let at = best.partition_point(|(_, other)| *other >= score);
                    best.insert(at, (centroid, score));
                    best.truncate(probes);
                    if let Some(last) = best.get(probes - 1) {
                        *bar = last.1;
                    }
                }
            }
        }
        best
    }

    fn list(&self, centroid: u32) -> &[u32] {
        let i = centroid as usize;
        match (self.lists.get(i), self.lists.get(i + 1)) {
            (Some(&start), Some(&end)) => &self.list_tokens[start as usize..end as usize],
            _ => &[],
        }
    }

    /// The passages that `keep` allows of those that have a token of the probed centroids.
    fn reached(&self, probed: &[Vec<Scored>], keep: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut centroids: Vec<u32> = probed.iter().flatten().map(|(c, _)| *c).collect();
        centroids.sort_unstable();
        centroids.dedup();
        let mut seen = vec![false; self.len()];
        let mut passages: Vec<u32> = Vec::new();
        for centroid in centroids {
            for &token in self.list(centroid) {
                let passage = self.passage_of(token);
                if let Some(seen) = seen.get_mut(passage as usize)
                    && !*seen
                {
                    *seen = true;
                    if keep(passage) {
                        passages.push(passage);
                    }
                }
            }
        }
        // In the order in which their tokens stand.
        passages.sort_unstable();
        passages
    }

    /// The `n` best of `passages` with centroids in the place of tokens.
    fn by_centroids(
        &self,
        table: &[f32],
        n_query: usize,
        passages: &[u32],
        n: usize,
        cancel: &Cancel,
    ) -> Result<Vec<u32>, ScanError> {
        let score = |best: &mut Vec<f32>, &passage: &u32| -> Scored {
            best.clear();
            best.resize(n_query, f32::NEG_INFINITY);
            for &code in &self.codes[self.tokens(passage)] {
                let scores = &table[code as usize * n_query..][..n_query];
                for (best, &score) in best.iter_mut().zip(scores) {
                    *best = if score > *best { score } else { *best };
                }
            }
            (passage, best.iter().sum())
        };
        let groups: Vec<Vec<Scored>> = passages
            .par_chunks(CHEAP_GROUP)
            .map_init(Vec::new, |best, group| {
                cancel.check()?;
                Ok(group.iter().map(|passage| score(best, passage)).collect())
            })
            .collect::<Result<_, ScanError>>()?;
        let mut scored = groups.concat();
        cut(&mut scored, n);
        let mut chosen: Vec<u32> = scored.into_iter().map(|(passage, _)| passage).collect();
        chosen.sort_unstable();
        Ok(chosen)
    }

    /// The best `k` passages that `keep` allows: candidates share a centroid with a token of the
    /// query, are cut by the scores of centroids in the place of tokens where there are too many, and
    /// scored in full.
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
        let table = self.centroid_scores(query)?;
        let probed = self.probed(&table, query.rows, scope.probes);
        let mut candidates = self.reached(&probed, keep);
        let wanted = scope.candidates.max(k);
        if candidates.len() > wanted {
            candidates = self.by_centroids(&table, query.rows, &candidates, wanted, cancel)?;
        }
        self.rank_with(query, &table, &candidates, k, cancel)
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
            let products = self.codec.products(query.row(q));
            let (products, _) = products.as_chunks::<WORDS>();
            let mut tokens: Vec<Scored> = Vec::new();
            for (centroid, of_centroid) in centroids {
                cancel.check()?;
                for &token in self.list(centroid) {
                    let at = token as usize..token as usize + 1;
                    let pairs = products.iter().zip(self.residuals(at.clone()));
                    let of_shape: f32 = pairs.map(|(all, &byte)| all[usize::from(byte)]).sum();
                    let factors = self.factors(at).first().copied().unwrap_or_default();
                    let [a, b] = self.codec.factors(factors);
                    tokens.push((token, a * of_centroid + b * of_shape));
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
            .filter(|(_, score)| score.is_finite())
            .collect();
        scored.sort_unstable_by(best_first);
        scored.truncate(k);
        Ok(scored)
    }
}
