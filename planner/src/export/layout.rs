//! Places the nodes of a graph in layers.
//!
//! Sugiyama's method in its simplest useful form: a node's layer is the longest chain of
//! dependencies below it; within a layer nodes are ordered by the mean position of their
//! neighbours (barycentre), swept down and up a fixed number of times, ties by number. Edges that
//! span several layers pass through placeholder nodes, so that they do not run under boxes.

use indago_core::GraphView;

/// Sweeps over the layers; more did not change graphs of up to 40 nodes.
const SWEEPS: usize = 6;

/// One layer's slots, left to right.
#[derive(Debug)]
pub struct Layout {
    /// For each layer, top down, what stands there from left to right.
    pub layers: Vec<Vec<Slot>>,
    /// For each edge, the slots it passes, by number, from cause to dependent.
    pub routes: Vec<Vec<usize>>,
}

/// A place in a layer: a node, or the way of an edge through the layer.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Number of the slot in the layout.
    pub id: usize,
    /// The node; `None` for an edge passing through.
    pub node: Option<usize>,
}

/// Lays a view out; see [`layered`].
pub(crate) fn layout(view: &GraphView) -> Layout {
    let pairs: Vec<(usize, usize)> = view
        .edges
        .iter()
        .map(|edge| (edge.on.0 as usize, edge.from.0 as usize))
        .collect();
    layered(view.nodes.len(), &pairs)
}

/// Lays out `n` nodes. `pairs` has for each edge the node that is waited for and the one that
/// waits. Edges that name unknown nodes or would close a cycle are left out of the routes (their
/// route is empty); a graph from the planner has none. Time: O(n + edges) per sweep, and
/// O(n * edges) for the layers of a chain given in reverse.
pub fn layered(n: usize, pairs: &[(usize, usize)]) -> Layout {
    let edges: Vec<Option<(usize, usize)>> = pairs
        .iter()
        .map(|&(on, from)| (on < n && from < n && on != from).then_some((on, from)))
        .collect();
    let layer_of = layer_numbers(n, &edges);
    let depth = layer_of.iter().max().map_or(0, |deepest| deepest + 1);
    let mut layers: Vec<Vec<Slot>> = vec![Vec::new(); depth];
    for (node, &layer) in layer_of.iter().enumerate() {
        layers[layer].push(Slot {
            id: node,
            node: Some(node),
        });
    }
    let mut next_id = n;
    let mut links: Vec<(usize, usize)> = Vec::new();
    let routes: Vec<Vec<usize>> = edges
        .iter()
        .map(|edge| {
            let Some((on, from)) = *edge else {
                return Vec::new();
            };
            if layer_of[on] >= layer_of[from] {
                return Vec::new();
            }
            let mut route = vec![on];
            for layer in &mut layers[layer_of[on] + 1..layer_of[from]] {
                layer.push(Slot {
                    id: next_id,
                    node: None,
                });
                route.push(next_id);
                next_id += 1;
            }
            route.push(from);
            links.extend(route.windows(2).map(|pair| (pair[0], pair[1])));
            route
        })
        .collect();
    order(&mut layers, &links, next_id);
    Layout { layers, routes }
}

/// Longest chain below each node. Bounded rounds, so that a cycle from outside ends too.
fn layer_numbers(n: usize, edges: &[Option<(usize, usize)>]) -> Vec<usize> {
    let mut layer_of = vec![0; n];
    for _ in 0..n {
        let mut changed = false;
        for &(on, from) in edges.iter().flatten() {
            if layer_of[from] <= layer_of[on] && layer_of[on] + 1 < n {
                layer_of[from] = layer_of[on] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    layer_of
}

fn order(layers: &mut [Vec<Slot>], links: &[(usize, usize)], n_slots: usize) {
    let mut above = vec![Vec::new(); n_slots];
    let mut below = vec![Vec::new(); n_slots];
    for &(upper, lower) in links {
        above[lower].push(upper);
        below[upper].push(lower);
    }
    let mut place = vec![0.0_f64; n_slots];
    let set_places = |layer: &[Slot], place: &mut Vec<f64>| {
        for (i, slot) in layer.iter().enumerate() {
            // Centred, so that layers of different widths compare.
            place[slot.id] = i as f64 - (layer.len() - 1) as f64 / 2.0;
        }
    };
    for layer in layers.iter() {
        set_places(layer, &mut place);
    }
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        let neighbours = if down { &above } else { &below };
        let numbers: Vec<usize> = if down {
            (0..layers.len()).collect()
        } else {
            (0..layers.len()).rev().collect()
        };
        for number in numbers {
            let mut keyed: Vec<(f64, Slot)> = layers[number]
                .iter()
                .map(|slot| {
                    let near = &neighbours[slot.id];
                    let mean = if near.is_empty() {
                        place[slot.id]
                    } else {
                        near.iter().map(|&other| place[other]).sum::<f64>() / near.len() as f64
                    };
                    (mean, *slot)
                })
                .collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.id.cmp(&b.1.id)));
            layers[number] = keyed.into_iter().map(|(_, slot)| slot).collect();
            set_places(&layers[number], &mut place);
        }
    }
}
