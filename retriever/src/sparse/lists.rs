//! Inverted lists of the largest weights, and the sums that a query's lists give.
//!
//! Of a list only the largest weights are kept, and what a search finds there it scores again by
//! whole vectors, as in Seismic (Bruch, Nardini, Rulli and Venturini, SIGIR 2024). Other than there,
//! lists are not cut into blocks with summaries but added up term by term: to read a
//! list takes less than to read what its blocks promise.

use std::cell::RefCell;

use indago_core::ports::SparseVector;
use indago_kernels::sums::{GROUP, GROUPS, groups_above};

use super::weights::Weights;
use crate::disk::bytes::{f32_at, u32_at};

/// Rows that a posting tells apart: lists stand window by window.
pub(crate) const WINDOW: usize = 1 << 16;
/// Above the rounding of a sum of a thousand weights.
const SLACK: f32 = 1.0 + 1e-3;

/// How lists are pruned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Most postings of a list: those of the largest weights.
    pub postings: usize,
}

impl Default for Cut {
    fn default() -> Self {
        // Corpora up to as many passages are not pruned at all.
        Self { postings: WINDOW }
    }
}

/// Lists of `terms` terms: `starts[w * terms + t]..` the next is where the postings of term `t` in
/// window `w` stand in `members`, their rows less the window's first, ascending, and in `codes`.
///
/// A weight is at most its code times its term's scale; a weight that was left out at most `floor`
/// times that.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Lists {
    pub(crate) starts: Vec<u32>,
    pub(crate) members: Vec<u16>,
    pub(crate) codes: Vec<u8>,
    pub(crate) scales: Vec<f32>,
    pub(crate) floors: Vec<u8>,
}

/// What stays of a list.
#[derive(Clone, Copy, Default)]
struct Kept {
    /// Number of weights.
    all: u32,
    largest: f32,
    /// The least weight that stays, and how many that are equal to it.
    least: f32,
    equal: u32,
    /// The largest weight that goes.
    gone: f32,
}

/// A weight rounded up, so that sums of codes are bounds.
fn code_of(weight: f32, scale: f32) -> u8 {
    if scale > 0.0 {
        (weight / scale).ceil().clamp(1.0, 255.0) as u8
    } else {
        1
    }
}

impl Lists {
    /// The lists of `n` rows, whose `vector`s have terms below `terms`.
    ///
    /// Weights that are not positive numbers are left out.
    pub(crate) fn of(
        n: usize,
        terms: usize,
        vector: impl Fn(usize, &mut SparseVector),
        cut: Cut,
    ) -> Self {
        let mut kept = vec![Kept::default(); terms];
        let mut room = SparseVector::new();
        let mut each = |row: usize, with: &mut dyn FnMut(usize, f32)| {
            room.clear();
            vector(row, &mut room);
            for &(term, weight) in &room {
                if (term as usize) < terms && weight > 0.0 && weight.is_finite() {
                    with(term as usize, weight);
                }
            }
        };
        for row in 0..n {
            each(row, &mut |term, weight| {
                let kept = &mut kept[term];
                kept.all += 1;
                kept.largest = kept.largest.max(weight);
            });
        }
        prune(&mut kept, cut, |with| {
            (0..n).for_each(|row| each(row, with));
        });
        let scale = |kept: &Kept| kept.largest / 255.0;
        let mut lists = Self {
            starts: vec![0],
            floors: kept
                .iter()
                .map(|kept| {
                    if kept.gone > 0.0 {
                        code_of(kept.gone, scale(kept))
                    } else {
                        0
                    }
                })
                .collect(),
            // Rounding of the quotient must not take the bound away.
            scales: kept.iter().map(|kept| scale(kept) * (1.0 + 1e-6)).collect(),
            ..Self::default()
        };
        let mut postings: Vec<(u32, u16, u8)> = Vec::new();
        let mut at = vec![0_u32; terms];
        for first in (0..n).step_by(WINDOW) {
            postings.clear();
            at.fill(0);
            for row in first..n.min(first + WINDOW) {
                each(row, &mut |term, weight| {
                    let kept = &mut kept[term];
                    if weight < kept.least || (weight <= kept.least && kept.equal == 0) {
                        return;
                    }
                    if weight <= kept.least {
                        kept.equal -= 1;
                    }
                    at[term] += 1;
                    let code = code_of(weight, scale(kept));
                    postings.push((term as u32, (row - first) as u16, code));
                });
            }
            let before = lists.codes.len();
            let mut end = before as u32;
            for count in &mut at {
                let start = end;
                end += *count;
                *count = start;
                lists.starts.push(end);
            }
            lists.members.resize(end as usize, 0);
            lists.codes.resize(end as usize, 0);
            for &(term, member, code) in &postings {
                let at = &mut at[term as usize];
                lists.members[*at as usize] = member;
                lists.codes[*at as usize] = code;
                *at += 1;
            }
        }
        lists
    }
}

/// Finds what stays of each list: its `cut.postings` largest weights, of equal ones the first.
fn prune(kept: &mut [Kept], cut: Cut, each: impl FnOnce(&mut dyn FnMut(usize, f32))) {
    let most = u32::try_from(cut.postings).unwrap_or(u32::MAX);
    let mut long: Vec<Vec<f32>> = Vec::new();
    // Where a long list's weights are collected, from 1.
    let mut slots: Vec<u32> = vec![0; kept.len()];
    for (kept, slot) in kept.iter_mut().zip(&mut slots) {
        if kept.all > most {
            long.push(Vec::with_capacity(kept.all as usize));
            *slot = long.len() as u32;
        } else {
            kept.equal = u32::MAX;
        }
    }
    if long.is_empty() {
        return;
    }
    each(&mut |term, weight| {
        if let Some(slot) = (slots[term] as usize).checked_sub(1) {
            long[slot].push(weight);
        }
    });
    for (kept, slot) in kept.iter_mut().zip(&slots) {
        let Some(slot) = (*slot as usize).checked_sub(1) else {
            continue;
        };
        let weights = &mut long[slot];
        let Some(last) = cut.postings.checked_sub(1) else {
            (kept.least, kept.gone) = (f32::INFINITY, kept.largest);
            continue;
        };
        let (above, least, below) = weights.select_nth_unstable_by(last, |a, b| b.total_cmp(a));
        kept.least = *least;
        kept.gone = below.iter().copied().fold(0.0, f32::max);
        kept.equal = 1 + above.iter().filter(|weight| **weight <= *least).count() as u32;
    }
}

/// Lists as they stand in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// As in [`Lists`], little-endian.
    pub(crate) starts: &'a [u8],
    pub(crate) members: &'a [u8],
    pub(crate) codes: &'a [u8],
    pub(crate) scales: &'a [u8],
    pub(crate) floors: &'a [u8],
}

/// A term of a query whose list is added up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walked {
    term: u32,
    /// Of a code's part in a sum.
    factor: f32,
}

impl View<'_> {
    pub(crate) fn terms(&self) -> usize {
        self.floors.len()
    }

    /// Whether tables of `rows` rows fit each other.
    pub(crate) fn fits(&self, rows: usize) -> bool {
        let lists = rows.div_ceil(WINDOW) * self.terms();
        let (starts, rest) = self.starts.as_chunks::<4>();
        let ascend = starts.is_sorted_by_key(|start| u32::from_le_bytes(*start));
        let end = u32_at(self.starts, 4 * lists) as usize;
        // Rows of the last window; where there are more, none is beyond.
        let last = lists.saturating_sub(self.terms());
        let members = self
            .members
            .get(2 * u32_at(self.starts, 4 * last) as usize..);
        let (members, _) = members.unwrap_or_default().as_chunks::<2>();
        let in_window = rows.saturating_sub(1) % WINDOW;
        let within = |member: &[u8; 2]| usize::from(u16::from_le_bytes(*member)) <= in_window;
        ascend
            && rest.is_empty()
            && starts.len() == lists + 1
            && self.scales.len() == 4 * self.terms()
            && self.codes.len() == end
            && self.members.len() == 2 * end
            && members.iter().all(within)
    }

    /// The `most` terms of a query that can add most to a score, and what all that is left out can
    /// add at most: the lists of other terms, and what was cut off from these.
    pub(crate) fn walk(&self, query: &Weights, most: usize) -> (Vec<Walked>, f32) {
        let known = query
            .iter()
            .filter(|(term, weight)| (*term as usize) < self.terms() && *weight > 0.0);
        let scaled = known.map(|(term, weight)| Walked {
            term,
            factor: weight * f32_at(self.scales, 4 * term as usize),
        });
        let mut walked: Vec<Walked> = scaled.collect();
        walked.sort_unstable_by(|a, b| b.factor.total_cmp(&a.factor).then(a.term.cmp(&b.term)));
        let left = walked.split_off(most.min(walked.len()));
        let floor = |walked: &Walked| {
            let floor = self.floors.get(walked.term as usize);
            walked.factor * f32::from(floor.copied().unwrap_or(0))
        };
        let rest = walked.iter().map(floor).sum::<f32>()
            + left.iter().map(|left| left.factor * 255.0).sum::<f32>();
        (walked, rest)
    }

    /// Adds a term's part to the sums of a window's rows, of which there is room for [`WINDOW`].
    pub(crate) fn add(&self, window: usize, walked: Walked, sums: &mut [f32]) {
        // So many that no row of two bytes is beyond.
        let Some(sums) = sums.first_chunk_mut::<WINDOW>() else {
            return;
        };
        let list = 4 * (window * self.terms() + walked.term as usize);
        let start = u32_at(self.starts, list) as usize;
        let end = u32_at(self.starts, list + 4) as usize;
        let members = self.members.get(2 * start..2 * end).unwrap_or_default();
        let codes = self.codes.get(start..end).unwrap_or_default();
        for (member, code) in members.as_chunks::<2>().0.iter().zip(codes) {
            let sum = &mut sums[usize::from(u16::from_le_bytes(*member))];
            *sum += walked.factor * f32::from(*code);
        }
    }
}

thread_local! {
    /// All zero between searches: a search takes away again what it has written, so that none has to
    /// ask the system for zeros.
    static SPARE: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Hands over the sums of one window, all zero. `with` leaves them so where it does not fail.
pub(crate) fn with_sums<T, E>(with: impl FnOnce(&mut [f32]) -> Result<T, E>) -> Result<T, E> {
    let mut room = SPARE.take();
    room.resize(WINDOW, 0.0);
    let out = with(&mut room)?;
    SPARE.set(room);
    Ok(out)
}

/// The rows of the largest sums that `keep` lets through.
#[derive(Debug)]
pub(crate) struct Candidates {
    most: usize,
    /// What a sum must be above to be among them.
    bar: f32,
    found: Vec<(f32, u32)>,
}

impl Candidates {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            bar: 0.0,
            found: Vec::new(),
        }
    }

    /// Takes the sums of a window whose first row is `first`, and makes them zero.
    pub(crate) fn take(&mut self, first: u32, sums: &mut [f32], keep: &impl Fn(u32) -> bool) {
        let (full, rest) = sums.as_chunks_mut::<{ GROUP * GROUPS }>();
        let mut at = first;
        for groups in full {
            let mut above = groups_above(groups, self.bar);
            while above != 0 {
                let i = above.trailing_zeros() as usize;
                above &= above - 1;
                let group = &mut groups[GROUP * i..][..GROUP];
                self.offer(at + (GROUP * i) as u32, group, keep);
                group.fill(0.0);
            }
            at += groups.len() as u32;
        }
        self.offer(at, rest, keep);
        rest.fill(0.0);
    }

    fn offer(&mut self, first: u32, sums: &[f32], keep: &impl Fn(u32) -> bool) {
        for (row, sum) in (first..).zip(sums) {
            if *sum > self.bar && keep(row) {
                self.found.push((*sum, row));
                if self.found.len() >= self.most.saturating_mul(2).max(64) {
                    self.shrink();
                }
            }
        }
    }

    fn shrink(&mut self) {
        if self.found.len() <= self.most {
            return;
        }
        let Some(last) = self.most.checked_sub(1) else {
            (self.bar, self.found) = (f32::INFINITY, Vec::new());
            return;
        };
        let by_sum = |a: &(f32, u32), b: &(f32, u32)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        let (_, least, _) = self.found.select_nth_unstable_by(last, by_sum);
        self.bar = least.0;
        self.found.truncate(self.most);
    }

    /// The rows of the largest sums with the most that they can score, best first. `rest` is what
    /// sums lack at most.
    pub(crate) fn into_bounds(mut self, rest: f32) -> impl Iterator<Item = (f32, u32)> {
        self.shrink();
        self.found
            .sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let bound = move |(sum, row): (f32, u32)| ((sum + rest) * SLACK, row);
        self.found.into_iter().map(bound)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lists(vectors: &[SparseVector], postings: usize) -> Lists {
        let vector = |row: usize, out: &mut SparseVector| out.clone_from(&vectors[row]);
        Lists::of(vectors.len(), 20, vector, Cut { postings })
    }

    fn vectors() -> impl Strategy<Value = Vec<SparseVector>> {
        // Few values, so that many are equal.
        let weight = prop_oneof![(1u8..5).prop_map(f32::from), 0.01f32..4.0];
        let vector = prop::collection::btree_map(0u32..20, weight, 0..9);
        prop::collection::vec(vector.prop_map(|v| v.into_iter().collect()), 0..60)
    }

    proptest! {
        #[test]
        fn lists_keep_the_largest_weights_and_codes_are_bounds(
            vectors in vectors(),
            postings in 0usize..20,
        ) {
            let lists = lists(&vectors, postings);
            for term in 0..20 {
                let mut all: Vec<(u16, f32)> = (0..).zip(&vectors)
                    .filter_map(|(row, v)| Some((row, v.iter().find(|e| e.0 == term)?.1)))
                    .collect();
                all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
                let gone = all.split_off(postings.min(all.len()));
                all.sort_by_key(|e| e.0);
                let (at, scale) = (term as usize, lists.scales[term as usize]);
                let span = |at: usize| lists.starts[at] as usize..lists.starts[at + 1] as usize;
                let span = if vectors.is_empty() { 0..0 } else { span(at) };
                let rows: Vec<u16> = all.iter().map(|e| e.0).collect();
                prop_assert_eq!(&lists.members[span.clone()], &rows);
                for (code, (_, weight)) in lists.codes[span].iter().zip(&all) {
                    let bound = f32::from(*code) * scale;
                    prop_assert!(bound >= *weight && bound <= weight + 1.001 * scale);
                }
                let floor = f32::from(lists.floors[at]) * scale;
                prop_assert!(gone.iter().all(|(_, weight)| floor >= *weight));
                prop_assert!(!gone.is_empty() || lists.floors[at] == 0);
            }
        }

        #[test]
        fn candidates_are_the_largest_sums_and_leave_zeros(
            sums in prop::collection::vec(prop_oneof![Just(0.0f32), 0.0f32..2.0], 0..300),
            most in 0usize..50,
            modulus in 1u32..4,
        ) {
            let keep = |row: u32| row.is_multiple_of(modulus);
            let mut candidates = Candidates::new(most);
            let mut first = 0;
            for window in sums.chunks(130) {
                let mut window = window.to_vec();
                candidates.take(first, &mut window, &keep);
                first += window.len() as u32;
                prop_assert!(window.iter().all(|sum| *sum == 0.0));
            }
            let found: Vec<f32> = candidates.into_bounds(0.0).map(|c| sums[c.1 as usize]).collect();
            let kept = (0..).zip(&sums).filter(|(row, sum)| keep(*row) && **sum > 0.0);
            let mut expected: Vec<f32> = kept.map(|(_, sum)| *sum).collect();
            expected.sort_by(|a, b| b.total_cmp(a));
            expected.truncate(most);
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn lists_of_several_windows_stand_one_after_another() {
        let vector = |row: usize, out: &mut SparseVector| {
            if row % 1000 == 7 {
                out.push((1, 1.0 + (row / WINDOW) as f32));
            }
        };
        let n = 2 * WINDOW + 10_000;
        let lists = Lists::of(n, 3, vector, Cut::default());
        let rows: Vec<usize> = (0..n).filter(|row| row % 1000 == 7).collect();
        let read: Vec<usize> = (0..3)
            .flat_map(|window| {
                let list = window * 3 + 1;
                let span = lists.starts[list] as usize..lists.starts[list + 1] as usize;
                let members = lists.members[span].iter();
                members.map(move |member| window * WINDOW + usize::from(*member))
            })
            .collect();
        assert_eq!(read, rows);
        assert_eq!(lists.starts.len(), 3 * 3 + 1);
        assert_eq!((lists.codes[0], lists.codes[rows.len() - 1]), (85, 255));
    }
}
