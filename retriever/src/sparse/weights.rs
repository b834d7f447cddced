//! A query's weights by term, for products with many vectors.

use std::cell::RefCell;

use indago_core::ports::SparseVector;

/// Terms up to which a term is two bytes.
pub(crate) const NARROW: usize = 1 << 16;
/// Terms from here on are looked for in no vector: encoders' vocabularies are far smaller.
const MAX_TERM: u32 = 1 << 24;

thread_local! {
    /// All zero: a query writes its terms and takes them away again, so that none has to clear what
    /// it does not touch.
    static SPARE: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Every term's weight, at least [`NARROW`] of them. Of a term that a query has twice the last weight
/// counts; what is no finite number counts nothing.
pub(super) struct Weights {
    dense: Vec<f32>,
    terms: Vec<u32>,
}

impl Weights {
    pub(super) fn of_query(query: &SparseVector) -> Self {
        let mut dense = SPARE.take();
        let known = || {
            let known = query.iter();
            known.filter(|(term, weight)| *term < MAX_TERM && weight.is_finite())
        };
        let n = known().map(|(term, _)| *term as usize + 1).max();
        let n = n.unwrap_or(0).max(NARROW);
        if dense.len() < n {
            dense.resize(n, 0.0);
        }
        let mut terms = Vec::with_capacity(query.len());
        for (term, weight) in known() {
            if std::mem::replace(&mut dense[*term as usize], *weight) == 0.0 && *weight != 0.0 {
                terms.push(*term);
            }
        }
        Self { dense, terms }
    }

    pub(super) fn of(&self, term: u32) -> f32 {
        self.dense.get(term as usize).copied().unwrap_or(0.0)
    }

    /// Terms with their weights, each once.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, f32)> + '_ {
        self.terms.iter().map(|term| (*term, self.of(*term)))
    }

    /// The weights of all terms of two bytes.
    pub(super) fn narrow(&self) -> Option<&[f32; NARROW]> {
        self.dense.first_chunk()
    }
}

impl Drop for Weights {
    fn drop(&mut self) {
        for term in &self.terms {
            self.dense[*term as usize] = 0.0;
        }
        SPARE.set(std::mem::take(&mut self.dense));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_query_for_the_next() {
        drop(Weights::of_query(&vec![
            (7, 1.0),
            (70_000, 2.0),
            (u32::MAX, 3.0),
        ]));
        let outer = Weights::of_query(&vec![(8, 4.0)]);
        let inner = Weights::of_query(&vec![(9, 5.0)]);
        assert_eq!(
            [7, 8, 9, 70_000, u32::MAX].map(|t| outer.of(t)),
            [0.0, 4.0, 0.0, 0.0, 0.0]
        );
        assert_eq!([7, 8, 9].map(|t| inner.of(t)), [0.0, 0.0, 5.0]);
        assert_eq!(outer.narrow().map(|all| all[8]), Some(4.0));
    }
}
