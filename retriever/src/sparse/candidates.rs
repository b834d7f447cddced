//! Sums by row, and the rows of the largest.

use std::cell::RefCell;

use indago_kernels::sums::{GROUP, GROUPS, groups_above};

use super::lists::WINDOW;

/// Above the rounding of a sum of a thousand weights.
const SLACK: f32 = 1.0 + 1e-3;

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

    proptest! {
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
}
