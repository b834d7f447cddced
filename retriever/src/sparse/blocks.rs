//! Inverted lists cut into blocks of similar passages, each with a summary (Bruch, Nardini, Rulli
//! and Venturini, SIGIR 2024: Seismic).

use std::collections::HashMap;

use indago_core::ports::SparseVector;

/// How lists are pruned, cut and summed up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cut {
    /// Most postings of a list: those of the largest weights.
    pub postings: usize,
    /// Blocks of a list, as a share of its postings.
    pub centroids: f32,
    /// Passages up to which a block is dissolved.
    pub least: usize,
    /// Share of a block's maxima, by their sum, that its summary keeps.
    pub energy: f32,
}

impl Default for Cut {
    fn default() -> Self {
        Self {
            postings: 4000,
            centroids: 0.1,
            least: 2,
            energy: 0.5,
        }
    }
}

/// Components of a passage that it is compared with centroids by.
const COMPARED: usize = 15;

/// Lists of blocks of passages. `lists[t]..lists[t + 1]` are the blocks of term `t`,
/// `members[starts[b]..starts[b + 1]]` the rows of block `b`, and likewise its summary.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    pub(crate) lists: Vec<u32>,
    pub(crate) starts: Vec<u32>,
    pub(crate) members: Vec<u32>,
    pub(crate) summaries: Vec<u32>,
    pub(crate) terms: Vec<u32>,
    pub(crate) codes: Vec<u8>,
    pub(crate) scales: Vec<f32>,
}

/// Cuts the lists of `vectors`, whose terms are below `vocabulary`.
pub(crate) fn cut(vectors: &[SparseVector], vocabulary: usize, cut: Cut) -> Blocks {
    let mut lists: Vec<Vec<(u32, f32)>> = vec![Vec::new(); vocabulary];
    for (row, vector) in vectors.iter().enumerate() {
        for &(term, weight) in vector {
            if let Some(list) = lists.get_mut(term as usize) {
                list.push((row as u32, weight));
            }
        }
    }
    let tops: Vec<SparseVector> = vectors.iter().map(largest).collect();
    let mut out = Blocks {
        lists: vec![0],
        starts: vec![0],
        summaries: vec![0],
        ..Blocks::default()
    };
    for (term, mut list) in lists.into_iter().enumerate() {
        list.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        list.truncate(cut.postings);
        let mut rows: Vec<u32> = list.into_iter().map(|(row, _)| row).collect();
        rows.sort_unstable();
        for block in clusters(&rows, &tops, term as u64, cut) {
            out.push(&block, vectors, cut.energy);
        }
        out.lists.push(out.scales.len() as u32);
    }
    out
}

/// The components of the largest weights.
fn largest(vector: &SparseVector) -> SparseVector {
    let mut top = vector.clone();
    top.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    top.truncate(COMPARED);
    top
}

/// Rows grouped by the drawn row that each is most like.
fn clusters(rows: &[u32], tops: &[SparseVector], seed: u64, cut: Cut) -> Vec<Vec<u32>> {
    let n = ((rows.len() as f32 * cut.centroids) as usize).max(1);
    if n == 1 {
        return if rows.is_empty() {
            Vec::new()
        } else {
            vec![rows.to_vec()]
        };
    }
    let mut drawn: Vec<u32> = rows.to_vec();
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    for i in 0..n {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let j = i + (state >> 11) as usize % (drawn.len() - i);
        drawn.swap(i, j);
    }
    drawn.truncate(n);
    let groups = assign(rows, &drawn, tops);
    let kept: Vec<u32> = groups
        .iter()
        .zip(&drawn)
        .filter(|(group, _)| group.len() > cut.least)
        .map(|(_, centroid)| *centroid)
        .collect();
    if kept.is_empty() {
        return vec![rows.to_vec()];
    }
    let mut groups = if kept.len() == drawn.len() {
        groups
    } else {
        assign(rows, &kept, tops)
    };
    groups.retain(|group| !group.is_empty());
    groups
}

/// For each centroid the rows whose product with it is largest, ties to the first.
fn assign(rows: &[u32], centroids: &[u32], tops: &[SparseVector]) -> Vec<Vec<u32>> {
    let mut inverted: HashMap<u32, Vec<(usize, f32)>> = HashMap::new();
    for (c, row) in centroids.iter().enumerate() {
        for &(term, weight) in &tops[*row as usize] {
            inverted.entry(term).or_default().push((c, weight));
        }
    }
    let mut groups = vec![Vec::new(); centroids.len()];
    let mut sums = vec![0.0_f32; centroids.len()];
    for &row in rows {
        sums.fill(0.0);
        for (term, weight) in &tops[row as usize] {
            for (c, other) in inverted.get(term).into_iter().flatten() {
                sums[*c] += weight * other;
            }
        }
        let mut best = 0;
        for (c, sum) in sums.iter().enumerate() {
            if *sum > sums[best] {
                best = c;
            }
        }
        groups[best].push(row);
    }
    groups
}

/// Largest weight of each term over the rows, cut to the share `energy` of their sum; ascending.
pub(crate) fn summary(rows: &[u32], vectors: &[SparseVector], energy: f32) -> SparseVector {
    let mut maxima: HashMap<u32, f32> = HashMap::new();
    for row in rows {
        for &(term, weight) in &vectors[*row as usize] {
            let most = maxima.entry(term).or_default();
            *most = most.max(weight);
        }
    }
    let mut sorted: SparseVector = maxima.into_iter().collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let all: f64 = sorted.iter().map(|(_, weight)| f64::from(*weight)).sum();
    let mut sum = 0.0;
    let mut kept = 0;
    for (_, weight) in &sorted {
        if sum >= all * f64::from(energy) {
            break;
        }
        sum += f64::from(*weight);
        kept += 1;
    }
    sorted.truncate(kept);
    sorted.sort_by_key(|(term, _)| *term);
    sorted
}

impl Blocks {
    fn push(&mut self, rows: &[u32], vectors: &[SparseVector], energy: f32) {
        self.members.extend(rows);
        self.starts.push(self.members.len() as u32);
        let kept = summary(rows, vectors, energy);
        let most = kept.iter().map(|(_, weight)| *weight).fold(0.0, f32::max);
        let scale = most / 255.0;
        for (term, weight) in kept {
            self.terms.push(term);
            // Upwards, so that a whole summary stays a bound.
            let code = if scale > 0.0 {
                (weight / scale).ceil().min(255.0)
            } else {
                0.0
            };
            self.codes.push(code as u8);
        }
        // Rounding of the quotient must not take the bound away either.
        self.scales.push(scale * (1.0 + 1e-6));
        self.summaries.push(self.terms.len() as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_keeps_maxima_until_their_share_is_reached() {
        let vectors = vec![vec![(0, 4.0), (1, 1.0)], vec![(0, 2.0), (2, 3.0)]];
        assert_eq!(
            summary(&[0, 1], &vectors, 1.0),
            [(0, 4.0), (1, 1.0), (2, 3.0)]
        );
        assert_eq!(summary(&[0, 1], &vectors, 0.5), [(0, 4.0)]);
        assert_eq!(summary(&[0, 1], &vectors, 0.6), [(0, 4.0), (2, 3.0)]);
    }
}
