//! The order in which passages are read.
//!
//! Only the last call of a search reorders: before it, passages stay where they were first shown,
//! so that prompts begin with each other's bytes.

use indago_core::ports::{BoxFuture, TaskError};

use super::Operator;
use super::state::SearchState;
use crate::model::Ports;

/// Retrieval reordering (Jin et al., 2024): ranks 1, 3, 5, ... first and ..., 6, 4, 2 last, so that
/// the strongest stand at both ends. Only from ten passages on, where it pays.
#[derive(Clone, Copy, Debug)]
pub struct Edges {
    /// Passages from which it reorders.
    pub from: usize,
}

impl Default for Edges {
    fn default() -> Self {
        Self { from: 10 }
    }
}

/// `items` with the first at the start, the second at the end, the third behind the first, ...
pub fn edges<T: Clone>(items: &[T]) -> Vec<T> {
    let odd = items.iter().step_by(2);
    let even: Vec<&T> = items.iter().skip(1).step_by(2).collect();
    odd.chain(even.into_iter().rev()).cloned().collect()
}

impl Operator for Edges {
    fn name(&self) -> &'static str {
        "edges"
    }

    fn apply<'a>(
        &'a self,
        _ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(async move {
            let read = state.reading();
            if read.len() >= self.from {
                state.order = edges(&read);
            }
            Ok(())
        })
    }
}

/// Chain order (Huang et al., 2025, on multi-hop contexts): evidence of earlier rounds before that
/// of later ones, as the reasoning goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chain;

impl Operator for Chain {
    fn name(&self) -> &'static str {
        "chain"
    }

    fn apply<'a>(
        &'a self,
        _ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(async move {
            let mut read = state.reading();
            let round = |n: u32| {
                let shown = state.evidence.iter().find(|s| s.n == n);
                shown.map_or(u32::MAX, |s| s.round)
            };
            read.sort_by_key(|n| round(*n));
            state.order = read;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_stand_at_both_ends() {
        let of = |k: u32| edges(&(1..=k).collect::<Vec<_>>());
        assert_eq!(of(1), [1]);
        assert_eq!(of(2), [1, 2]);
        assert_eq!(of(3), [1, 3, 2]);
        assert_eq!(of(4), [1, 3, 4, 2]);
        assert_eq!(of(5), [1, 3, 5, 4, 2]);
        assert_eq!(of(6), [1, 3, 5, 6, 4, 2]);
        assert_eq!(of(7), [1, 3, 5, 7, 6, 4, 2]);
    }
}
