//! Inverted lists of the largest weights, and which parts of them a query reads.
//!
//! Of a list only the largest weights are kept, and what a search finds there it scores again by
//! whole vectors, as in Seismic (Bruch, Nardini, Rulli and Venturini, SIGIR 2024). Other than there,
//! lists are not cut into blocks with summaries but into parts by weight, and added up part by part,
//! those first that can add most, until enough postings were read, as in JASS (Lin and Trotman,
//! "Anytime Ranking for Impact-Ordered Indexes", ICTIR 2015): to read a part takes less than to read
//! what its blocks promise.

use super::weights::Weights;
use crate::disk::bytes::{f32_at, u32_at};

/// Rows that a posting tells apart: a part stands window by window.
pub(crate) const WINDOW: usize = 1 << 16;
/// Parts of a list.
pub(crate) const PARTS: usize = 3;

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

/// Lists of `terms` terms over `windows` windows: `starts[(t * PARTS + p) * windows + w]..` the next
/// is where the postings of part `p` of term `t` in window `w` stand in `members`, their rows less
/// the window's first, ascending, and in `codes`.
///
/// A weight is at most its code times its term's scale. `tops[t * (PARTS + 1) + p]` is the largest
/// code of a part, 0 where it is empty; the one behind the last part's stands for the weights that
/// were left out.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Lists {
    pub(crate) starts: Vec<u32>,
    pub(crate) members: Vec<u16>,
    pub(crate) codes: Vec<u8>,
    pub(crate) scales: Vec<f32>,
    pub(crate) tops: Vec<u8>,
}

/// Lists as they stand in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// As in [`Lists`], little-endian.
    pub(crate) starts: &'a [u8],
    pub(crate) members: &'a [u8],
    pub(crate) codes: &'a [u8],
    pub(crate) scales: &'a [u8],
    pub(crate) tops: &'a [u8],
}

/// A part of a query's list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walked {
    /// Which of the query's terms this is.
    nth: usize,
    /// Where in `starts` the part's windows begin.
    start: usize,
    postings: usize,
    /// Of a code's part in a sum.
    factor: f32,
    /// What the part adds to a sum at most.
    most: f32,
}

impl View<'_> {
    pub(crate) fn terms(&self) -> usize {
        self.scales.len() / 4
    }

    fn start(&self, at: usize) -> usize {
        u32_at(self.starts, 4 * at) as usize
    }

    /// Whether tables of `rows` rows fit each other.
    pub(crate) fn fits(&self, rows: usize) -> bool {
        let windows = rows.div_ceil(WINDOW);
        let lists = self.terms() * PARTS * windows;
        let (starts, rest) = self.starts.as_chunks::<4>();
        let ascend = starts.is_sorted_by_key(|start| u32::from_le_bytes(*start));
        let end = self.start(lists);
        // Rows of the last window; where there are more, none is beyond.
        let in_window = rows.saturating_sub(1) % WINDOW;
        let within = |member: &[u8; 2]| usize::from(u16::from_le_bytes(*member)) <= in_window;
        let last_within = |list: usize| {
            let span = 2 * self.start(list)..2 * self.start(list + 1);
            let members = self.members.get(span).unwrap_or_default();
            members.as_chunks::<2>().0.iter().all(within)
        };
        ascend
            && rest.is_empty()
            && starts.len() == lists + 1
            && self.tops.len() == (PARTS + 1) * self.terms()
            && self.scales.len() == 4 * self.terms()
            && self.codes.len() == end
            && self.members.len() == 2 * end
            && (1..=lists)
                .filter(|i| i % windows == 0)
                .all(|i| last_within(i - 1))
    }

    /// The parts of a query's lists that can add most to a score, as many as reach `postings`
    /// postings, and what all that is left out can add at most: other parts, and what was cut off.
    pub(crate) fn walk(&self, query: &Weights, postings: usize) -> (Vec<Walked>, f32) {
        let windows = (self.starts.len() / 4).saturating_sub(1) / (PARTS * self.terms()).max(1);
        let known = query
            .iter()
            .filter(|(term, weight)| (*term as usize) < self.terms() && *weight > 0.0);
        let mut parts: Vec<Walked> = Vec::new();
        // What each term can add beyond what is read of it.
        let mut beyond: Vec<f32> = Vec::new();
        for (nth, (term, weight)) in known.enumerate() {
            let factor = weight * f32_at(self.scales, 4 * term as usize);
            let top = |part: usize| {
                let code = self.tops.get(term as usize * (PARTS + 1) + part);
                factor * f32::from(code.copied().unwrap_or(0))
            };
            beyond.push(top(PARTS));
            parts.extend((0..PARTS).map(|part| {
                let start = (term as usize * PARTS + part) * windows;
                Walked {
                    nth,
                    start,
                    postings: self
                        .start(start + windows)
                        .saturating_sub(self.start(start)),
                    factor,
                    most: top(part),
                }
            }));
        }
        parts.sort_by(|a, b| b.most.total_cmp(&a.most));
        let mut read = 0_usize;
        let enough = |part: &Walked| {
            let enough = read >= postings;
            read = read.saturating_add(part.postings);
            enough
        };
        let left = parts.split_off(parts.iter().position(enough).unwrap_or(parts.len()));
        for part in left {
            beyond[part.nth] = part.most.max(beyond[part.nth]);
        }
        (parts, beyond.iter().sum())
    }

    /// Adds a part to the sums of a window's rows, of which there is room for [`WINDOW`].
    pub(crate) fn add(&self, window: usize, walked: Walked, sums: &mut [f32]) {
        // So many that no row of two bytes is beyond.
        let Some(sums) = sums.first_chunk_mut::<WINDOW>() else {
            return;
        };
        let start = self.start(walked.start + window);
        let end = self.start(walked.start + window + 1);
        let members = self.members.get(2 * start..2 * end).unwrap_or_default();
        let codes = self.codes.get(start..end).unwrap_or_default();
        for (member, code) in members.as_chunks::<2>().0.iter().zip(codes) {
            let sum = &mut sums[usize::from(u16::from_le_bytes(*member))];
            *sum += walked.factor * f32::from(*code);
        }
    }
}

#[cfg(test)]
mod tests {
    use indago_core::ports::SparseVector;

    use super::*;

    #[test]
    fn of_a_query_the_parts_that_add_most_are_read() {
        // Weights 1 to 24 of the first term, of the second a hundredth of that.
        let vector = |row: usize, out: &mut SparseVector| {
            let weight = (row + 1) as f32;
            out.extend([(0, weight), (1, weight / 100.0)]);
        };
        let lists = Lists::of(24, 2, vector, Cut::default());
        let bytes = |numbers: &[u32]| numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        let starts: Vec<u8> = bytes(&lists.starts);
        let scales: Vec<u32> = lists.scales.iter().map(|scale| scale.to_bits()).collect();
        let (scales, members): (Vec<u8>, Vec<u8>) = (
            bytes(&scales),
            lists.members.iter().flat_map(|m| m.to_le_bytes()).collect(),
        );
        let view = View {
            starts: &starts,
            members: &members,
            codes: &lists.codes,
            scales: &scales,
            tops: &lists.tops,
        };
        assert!(view.fits(24));
        let query = Weights::of_query(&vec![(0, 1.0), (1, 50.0)]);
        let read = |postings: usize| {
            let (parts, rest) = view.walk(&query, postings);
            let parts: Vec<_> = parts.iter().map(|p| (p.nth, p.postings)).collect();
            (parts, rest.round())
        };
        assert_eq!(read(0), (vec![], 36.0));
        assert_eq!(read(1), (vec![(0, 3)], 21.0 + 12.0));
        assert_eq!(read(4), (vec![(0, 3), (0, 5)], 16.0 + 12.0));
        assert_eq!(
            read(9),
            (vec![(0, 3), (0, 5), (0, 16)], 12.0),
            "the other's heaviest adds less"
        );
        assert_eq!(read(48).1, 0.0);
    }
}
