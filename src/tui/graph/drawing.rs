//! Layers of boxes with lines between them.
//!
//! Where nodes stand comes from the planner's layout (Sugiyama's method); here layers become rows
//! of boxes, and edges become right-angled lines. Between two layers every edge source has a track
//! of its own where tracks would overlap, so that lines that run along each other stay apart.
//! A drawing is made when the graph changes and then only shown, so a frame costs what is in sight.

use indago_planner::export::{Layout, Slot, layered};

/// Rows of a box: border, head, text, border.
pub(crate) const BOX_ROWS: u16 = 4;
/// Columns of a box.
const NARROWEST: usize = 18;
const WIDEST: usize = 52;
/// Columns between two things in a layer.
const GAP: usize = 2;
/// Tracks between two layers; more edges share the last one.
const MAX_TRACKS: usize = 6;

const NORTH: u8 = 1;
const EAST: u8 = 2;
const SOUTH: u8 = 4;
const WEST: u8 = 8;

/// A node's box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// The node.
    pub(crate) node: usize,
    /// First column.
    pub(crate) x: u16,
    /// First row.
    pub(crate) y: u16,
    /// Columns.
    pub(crate) width: u16,
}

/// A graph drawn for some width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Drawing {
    /// Boxes, top down and left to right.
    pub(crate) boxes: Vec<Placed>,
    /// Rows in all.
    pub(crate) rows: u16,
    /// Line cells by row: column and character.
    lines: Vec<Vec<(u16, char)>>,
    /// Where lines meet boxes: column, row, and whether they lead into the box.
    pub(crate) ports: Vec<(u16, u16, bool)>,
}

impl Drawing {
    /// Draws `n` nodes in `width` columns; `None` when they do not fit side by side.
    /// `pairs`: what is waited for, and what waits.
    pub(crate) fn new(n: usize, pairs: &[(usize, usize)], width: u16) -> Option<Self> {
        let width = usize::from(width);
        let layout = layered(n, pairs);
        let mut widths = Vec::with_capacity(layout.layers.len());
        for layer in &layout.layers {
            let boxes = layer.iter().filter(|slot| slot.node.is_some()).count();
            let passing = layer.len() - boxes;
            let gaps = GAP * layer.len().saturating_sub(1);
            let room = width.checked_sub(gaps + passing)?;
            let each = room.checked_div(boxes).unwrap_or(WIDEST).min(WIDEST);
            if each < NARROWEST {
                return None;
            }
            widths.push(each);
        }
        // One width for all: a drawing, not a patchwork.
        let each = widths.into_iter().min()?;
        Self::place(&layout, pairs.len(), each, width)
    }

    fn place(layout: &Layout, n_edges: usize, each: usize, width: usize) -> Option<Self> {
        let n_slots = 1 + layout.layers.iter().flatten().map(|slot| slot.id).max()?;
        let mut centre = vec![0_usize; n_slots];
        for layer in &layout.layers {
            let wide = |slot: &Slot| if slot.node.is_some() { each } else { 1 };
            let total: usize = layer.iter().map(wide).sum::<usize>() + GAP * (layer.len() - 1);
            let mut x = width.saturating_sub(total) / 2;
            for slot in layer {
                centre[slot.id] = x + wide(slot) / 2;
                x += wide(slot) + GAP;
            }
        }
        let mut hops: Vec<Vec<(usize, usize)>> = vec![Vec::new(); layout.layers.len()];
        let layer_of = layer_of(layout, n_slots);
        for route in layout.routes.iter().take(n_edges) {
            for hop in route.windows(2) {
                hops[layer_of[hop[0]]].push((hop[0], hop[1]));
            }
        }
        let mut boxes = Vec::new();
        let mut ports = Vec::new();
        let mut rows: Vec<Vec<u8>> = Vec::new();
        for (number, layer) in layout.layers.iter().enumerate() {
            let y = u16::try_from(rows.len()).ok()?;
            rows.extend(vec![vec![0; width]; usize::from(BOX_ROWS)]);
            let leaves = |id| hops[number].iter().any(|(upper, _)| *upper == id);
            let arrives = |id| number > 0 && hops[number - 1].iter().any(|(_, lower)| *lower == id);
            for slot in layer {
                let middle = centre[slot.id];
                if slot.node.is_some() && arrives(slot.id) {
                    ports.push((middle as u16, y, true));
                }
                if slot.node.is_some() && leaves(slot.id) {
                    ports.push((middle as u16, y + BOX_ROWS - 1, false));
                }
                match slot.node {
                    Some(node) => boxes.push(Placed {
                        node,
                        x: (middle - each / 2) as u16,
                        y,
                        width: each as u16,
                    }),
                    None => {
                        for row in &mut rows[usize::from(y)..] {
                            row[middle] |= NORTH | SOUTH;
                        }
                    }
                }
            }
            if number + 1 < layout.layers.len() {
                connect(&mut rows, &hops[number], &centre, width);
            }
        }
        let lines = rows.iter().map(|row| characters(row)).collect();
        Some(Self {
            rows: u16::try_from(rows.len()).ok()?,
            boxes,
            lines,
            ports,
        })
    }

    /// The line cells of a row: column and character.
    pub(crate) fn line(&self, row: u16) -> &[(u16, char)] {
        self.lines.get(usize::from(row)).map_or(&[], Vec::as_slice)
    }

    /// The box of a node.
    pub(crate) fn find(&self, node: usize) -> Option<&Placed> {
        self.boxes.iter().find(|placed| placed.node == node)
    }
}

fn layer_of(layout: &Layout, n_slots: usize) -> Vec<usize> {
    let mut layer_of = vec![0; n_slots];
    for (number, layer) in layout.layers.iter().enumerate() {
        for slot in layer {
            layer_of[slot.id] = number;
        }
    }
    layer_of
}

/// Adds the rows between two layers with the lines of `hops` in them.
fn connect(rows: &mut Vec<Vec<u8>>, hops: &[(usize, usize)], centre: &[usize], width: usize) {
    // All edges of one source run in one track from the leftmost to the rightmost end.
    let mut spans: Vec<(usize, usize, usize)> = Vec::new();
    for &(upper, lower) in hops {
        let (a, b) = (centre[upper], centre[lower]);
        match spans.iter_mut().find(|(source, ..)| *source == upper) {
            Some((_, low, high)) => (*low, *high) = ((*low).min(b), (*high).max(b)),
            None => spans.push((upper, a.min(b), a.max(b))),
        }
    }
    spans.sort_unstable_by_key(|&(source, low, _)| (low, source));
    let mut track_of = Vec::new();
    let mut ends: Vec<usize> = Vec::new();
    for &(source, low, high) in &spans {
        let free = ends.iter().position(|&end| end + 1 < low);
        let track = free.unwrap_or_else(|| ends.len().min(MAX_TRACKS - 1));
        match ends.get_mut(track) {
            Some(end) => *end = high.max(*end),
            None => ends.push(high),
        }
        track_of.push((source, track));
    }
    let tracks = ends.len().max(1);
    let first = rows.len();
    rows.extend(vec![vec![0; width]; tracks]);
    for &(upper, lower) in hops {
        let (from, to) = (centre[upper], centre[lower]);
        let track = track_of
            .iter()
            .find(|(source, _)| *source == upper)
            .map_or(0, |(_, track)| *track);
        let bend = first + track;
        for row in &mut rows[first..bend] {
            row[from] |= NORTH | SOUTH;
        }
        rows[bend][from] |= NORTH;
        rows[bend][to] |= SOUTH;
        let (low, high) = (from.min(to), from.max(to));
        if low < high {
            rows[bend][low] |= EAST;
            rows[bend][high] |= WEST;
            for cell in &mut rows[bend][low + 1..high] {
                *cell |= EAST | WEST;
            }
        }
        for row in &mut rows[bend + 1..] {
            row[to] |= NORTH | SOUTH;
        }
    }
}

fn characters(row: &[u8]) -> Vec<(u16, char)> {
    let lines = row.iter().enumerate().filter(|(_, bits)| **bits != 0);
    lines
        .map(|(x, bits)| (x as u16, character(*bits)))
        .collect()
}

fn character(bits: u8) -> char {
    const CHARACTERS: [char; 16] = [
        ' ', '│', '─', '└', '│', '│', '┌', '├', '─', '┘', '─', '┴', '┐', '┤', '┬', '┼',
    ];
    CHARACTERS[usize::from(bits & 15)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn picture(drawing: &Drawing) -> Vec<String> {
        (0..drawing.rows)
            .map(|row| {
                let mut line = String::new();
                for &(x, c) in drawing.line(row) {
                    while line.chars().count() < usize::from(x) {
                        line.push(' ');
                    }
                    line.push(c);
                }
                line
            })
            .collect()
    }

    #[test]
    fn two_parents_join_above_their_child() {
        let drawing = Drawing::new(3, &[(0, 2), (1, 2)], 60).unwrap();
        assert_eq!(drawing.boxes.len(), 3);
        assert_eq!(drawing.find(2).unwrap().y, BOX_ROWS + 2);
        let shown = picture(&drawing);
        assert!(
            shown[4].contains('└') || shown[5].contains('└'),
            "{shown:#?}"
        );
    }

    #[test]
    fn what_does_not_fit_is_not_drawn() {
        assert!(Drawing::new(10, &[], 60).is_none());
        assert!(Drawing::new(3, &[], 60).is_some());
        assert!(Drawing::new(0, &[], 60).is_none());
    }

    proptest! {
        #[test]
        fn boxes_stay_inside_and_apart(n in 1usize..14, raw in prop::collection::vec((0usize..14, 0usize..14), 0..20), width in 10u16..220) {
            let pairs: Vec<_> = raw.into_iter().map(|(a, b)| (a % n, b % n)).filter(|(a, b)| a < b).collect();
            if let Some(drawing) = Drawing::new(n, &pairs, width) {
                prop_assert_eq!(drawing.boxes.len(), n);
                for (i, a) in drawing.boxes.iter().enumerate() {
                    prop_assert!(a.x + a.width <= width);
                    for b in &drawing.boxes[i + 1..] {
                        let apart = a.y != b.y || a.x + a.width <= b.x || b.x + b.width <= a.x;
                        prop_assert!(apart);
                    }
                }
            }
        }
    }
}
