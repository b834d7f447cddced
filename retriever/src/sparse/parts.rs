//! Lists made from vectors: pruned, and cut into parts by weight.

use indago_core::ports::SparseVector;

use super::lists::{Cut, Lists, PARTS, WINDOW};

/// Which share of a list its first parts hold: the heaviest eighth, and the heaviest third.
const SHARES: [f32; PARTS - 1] = [1.0 / 8.0, 1.0 / 3.0];

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

impl Kept {
    fn scale(&self) -> f32 {
        self.largest / 255.0
    }

    /// Whether the next weight stays.
    fn takes(&mut self, weight: f32) -> bool {
        if weight > self.least {
            return true;
        }
        let takes = weight >= self.least && self.equal > 0;
        self.equal -= u32::from(takes);
        takes
    }
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
        let windows = n.div_ceil(WINDOW);
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
        // Where the next posting of each term goes; a list is as long as what stays of it.
        let mut end = 0;
        let mut next: Vec<usize> = Vec::with_capacity(terms);
        for kept in &kept {
            next.push(end);
            end += cut.postings.min(kept.all as usize);
        }
        let mut lists = Self {
            starts: Vec::with_capacity(terms * PARTS * windows + 1),
            members: vec![0; end],
            codes: vec![0; end],
            // Rounding of the quotient must not take the bound away.
            scales: kept.iter().map(|k| k.scale() * (1.0 + 1e-6)).collect(),
            tops: Vec::with_capacity(terms * (PARTS + 1)),
        };
        // Where each term's windows end, term by term.
        let mut ends = vec![0; terms * windows];
        let mut window = Window::new(terms);
        for (w, first) in (0..n).step_by(WINDOW).enumerate() {
            window.clear();
            for row in first..n.min(first + WINDOW) {
                each(row, &mut |term, weight| {
                    let kept = &mut kept[term];
                    if kept.takes(weight) {
                        let code = code_of(weight, kept.scale());
                        window.push(term, (row - first) as u16, code);
                    }
                });
            }
            window.sort();
            for (term, next) in next.iter_mut().enumerate() {
                let (members, codes) = window.of(term);
                lists.members[*next..][..members.len()].copy_from_slice(members);
                lists.codes[*next..][..codes.len()].copy_from_slice(codes);
                *next += members.len();
                ends[term * windows + w] = *next;
            }
        }
        lists.part(&kept, &ends, windows);
        lists
    }

    /// Brings lists whose windows stand one after another into parts.
    fn part(&mut self, kept: &[Kept], ends: &[usize], windows: usize) {
        let (mut members, mut codes) = (Vec::new(), Vec::new());
        let mut begin = 0;
        for (term, kept) in kept.iter().enumerate() {
            let ends = &ends[term * windows..][..windows];
            let end = ends.last().copied().unwrap_or(begin);
            let least = least_codes(&self.codes[begin..end]);
            let part_of = |code: u8| least.iter().filter(|least| code < **least).count();
            // Postings by part and window, then where those go.
            let mut places = vec![0; PARTS * windows];
            let mut tops = [0; PARTS + 1];
            let of_windows = |with: &mut dyn FnMut(usize, usize)| {
                let mut at = begin;
                for (window, end) in ends.iter().enumerate() {
                    (at..*end).for_each(|posting| with(window, posting));
                    at = *end;
                }
            };
            of_windows(&mut |window, posting| {
                let code = self.codes[posting];
                let part = part_of(code);
                places[part * windows + window] += 1;
                tops[part] = code.max(tops[part]);
            });
            let mut at = 0;
            for place in &mut places {
                self.starts.push((begin + at) as u32);
                at += std::mem::replace(place, at);
            }
            members.clear();
            members.extend_from_slice(&self.members[begin..end]);
            codes.clear();
            codes.extend_from_slice(&self.codes[begin..end]);
            of_windows(&mut |window, posting| {
                let code = codes[posting - begin];
                let place = &mut places[part_of(code) * windows + window];
                self.members[begin + *place] = members[posting - begin];
                self.codes[begin + *place] = code;
                *place += 1;
            });
            if kept.gone > 0.0 {
                tops[PARTS] = code_of(kept.gone, kept.scale());
            }
            self.tops.extend(tops);
            begin = end;
        }
        self.starts.push(begin as u32);
    }
}

/// Postings of one window, sorted by term.
struct Window {
    postings: Vec<(u32, u16, u8)>,
    /// Where the postings of each term begin, and the end. One place on while they are counted and
    /// sorted, so that each place can move from the beginning of its term to the end.
    starts: Vec<u32>,
    members: Vec<u16>,
    codes: Vec<u8>,
}

impl Window {
    fn new(terms: usize) -> Self {
        Self {
            postings: Vec::new(),
            starts: vec![0; terms + 2],
            members: Vec::new(),
            codes: Vec::new(),
        }
    }

    fn clear(&mut self) {
        self.postings.clear();
        self.starts.fill(0);
    }

    fn push(&mut self, term: usize, member: u16, code: u8) {
        self.starts[term + 2] += 1;
        self.postings.push((term as u32, member, code));
    }

    fn sort(&mut self) {
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        self.members.resize(self.postings.len(), 0);
        self.codes.resize(self.postings.len(), 0);
        for &(term, member, code) in &self.postings {
            let at = &mut self.starts[term as usize + 1];
            self.members[*at as usize] = member;
            self.codes[*at as usize] = code;
            *at += 1;
        }
    }

    /// Rows less the window's first, ascending, and codes of a term, once sorted.
    fn of(&self, term: usize) -> (&[u16], &[u8]) {
        let span = self.starts[term] as usize..self.starts[term + 1] as usize;
        (&self.members[span.clone()], &self.codes[span])
    }
}

/// The least code of each part but the last, so that a part holds its share of `codes`, and more
/// where many are equal.
fn least_codes(codes: &[u8]) -> [u8; PARTS - 1] {
    let mut times = [0_u32; 256];
    for code in codes {
        times[usize::from(*code)] += 1;
    }
    SHARES.map(|share| {
        let wanted = share * codes.len() as f32;
        let mut there = 0;
        let enough = |code: &u8| {
            there += times[usize::from(*code)];
            there as f32 >= wanted
        };
        (0..=255_u8).rev().find(enough).unwrap_or(0)
    })
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

    /// The postings of a list of one window, which may have no rows.
    fn part_of(lists: &Lists, at: usize) -> Vec<(u16, u8)> {
        let span = match lists.starts[..] {
            [_] => 0..0,
            _ => lists.starts[at] as usize..lists.starts[at + 1] as usize,
        };
        let members = lists.members[span.clone()].iter().copied();
        members.zip(lists.codes[span].iter().copied()).collect()
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
                let mut read: Vec<(u16, u8)> = Vec::new();
                let tops = &lists.tops[at * (PARTS + 1)..][..=PARTS];
                for (part, top) in tops[..PARTS].iter().enumerate() {
                    let of_part = part_of(&lists, at * PARTS + part);
                    prop_assert!(of_part.is_sorted());
                    prop_assert_eq!(of_part.iter().map(|p| p.1).max().unwrap_or(0), *top);
                    // A part is heavier than those behind it.
                    let least = read.iter().map(|p| p.1).min().unwrap_or(255);
                    prop_assert!(of_part.is_empty() || least > *top || read.is_empty());
                    read.extend(of_part);
                }
                read.sort_unstable();
                let rows = |all: &[(u16, f32)]| all.iter().map(|e| e.0).collect::<Vec<_>>();
                prop_assert_eq!(read.iter().map(|p| p.0).collect::<Vec<_>>(), rows(&all));
                for ((_, code), (_, weight)) in read.iter().zip(&all) {
                    let bound = f32::from(*code) * scale;
                    prop_assert!(bound >= *weight && bound <= weight + 1.001 * scale);
                }
                let beyond = f32::from(tops[PARTS]) * scale;
                prop_assert!(gone.iter().all(|(_, weight)| beyond >= *weight));
                prop_assert!(!gone.is_empty() || tops[PARTS] == 0);
            }
        }
    }

    #[test]
    fn parts_stand_window_by_window_the_heaviest_first() {
        let weight = |row: usize| 1.0 + (row / 1000 % 8) as f32;
        let vector = |row: usize, out: &mut SparseVector| {
            if row % 1000 == 7 {
                out.push((1, weight(row)));
            }
        };
        let n = 144_000;
        let lists = Lists::of(n, 3, vector, Cut::default());
        assert_eq!(lists.starts.len(), 3 * PARTS * 3 + 1);
        let rows: Vec<usize> = (0..n).filter(|row| row % 1000 == 7).collect();
        // Each of eight weights is an eighth of the list.
        let weights = [8.0..=8.0, 6.0..=7.0, 1.0..=5.0];
        for (part, weights) in weights.into_iter().enumerate() {
            let read: Vec<usize> = (0..3)
                .flat_map(|window| {
                    let list = (PARTS + part) * 3 + window;
                    let span = lists.starts[list] as usize..lists.starts[list + 1] as usize;
                    let members = lists.members[span].iter();
                    members.map(move |member| window * WINDOW + usize::from(*member))
                })
                .collect();
            let mut expected = rows.clone();
            expected.retain(|row| weights.contains(&weight(*row)));
            assert_eq!(read, expected, "part {part}");
        }
        assert_eq!(lists.tops[PARTS + 1..][..=PARTS], [255, 224, 160, 0]);
    }
}
