//! The question graph as cells of a terminal: layers of boxes, or a tree where room is short.

pub(crate) mod drawing;
pub(crate) mod tree;

pub(crate) use drawing::Drawing;
pub(crate) use tree::{Branch, branches};

use indago_core::Dependency;

/// Edges as pairs of node numbers: what is waited for, and what waits. Edges to nodes that do not
/// exist are left out.
pub(crate) fn pairs(n: usize, edges: &[Dependency]) -> Vec<(usize, usize)> {
    edges
        .iter()
        .map(|edge| (edge.on.0 as usize, edge.from.0 as usize))
        .filter(|&(on, from)| on < n && from < n && on != from)
        .collect()
}
