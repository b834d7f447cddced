//! The forward pass: token ids of several sequences in, one vector each out.
//!
//! Sequences stand end to end without padding: linear layers see one long matrix, attention sees
//! one sequence at a time. Everything but attention runs on blocks of rows that stay in the second
//! cache, and all memory is reused from call to call.
//!
//! A pass may be shared among threads: each takes some of the rows through a whole layer and on to
//! the queries, keys and values of the next, which is the one place where a row needs the others.
//! So threads meet once a layer. Vectors do not depend on how many there are.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use indago_kernels::{ByDistance, add_layer_norm, attention, l2_normalize, mean_rows};
use rayon::prelude::*;

use super::gate::gated;
use super::network::{Codes, Layer, Network, Norm};
use super::relative::DistanceMemory;

/// Rows per block: a multiple of the register tiles' 6 (and 12). Larger blocks read the weights less
/// often from the third cache, smaller ones keep the inner activations (96 x 1536) nearer; 96 was a
/// few per cent faster than 48 on a busy machine.
const BLOCK: usize = 96;

/// Fewest rows that are worth a thread of their own: each thread reads all weights.
pub(super) const ROWS_A_THREAD: usize = 16;

/// Memory of one forward pass, kept between passes.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    hidden: Vec<f32>,
    /// Queries, keys and values of the layer at hand.
    qkv: Vec<f32>,
    /// Those of the layer behind it.
    next_qkv: Vec<f32>,
    /// One for each thread.
    shares: Vec<ShareMemory>,
}

/// Workspaces that no thread uses at the moment.
#[derive(Debug, Default)]
pub(super) struct Workspaces(Mutex<Vec<Workspace>>);

impl Workspaces {
    pub(super) fn take(&self) -> Workspace {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop().unwrap_or_default()
    }

    pub(super) fn give_back(&self, workspace: Workspace) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(workspace);
    }
}

/// What a thread needs for its rows.
#[derive(Debug, Default)]
struct ShareMemory {
    /// The sums of its rows, where the network keeps them beside what is normed.
    sums: Vec<f32>,
    context: Vec<f32>,
    inner: Vec<f32>,
    block: Vec<f32>,
    codes: Codes,
    attention: Vec<f32>,
    distances: DistanceMemory,
}

/// Encodes `sequences` (each with its special tokens, at least one and at most `positions` ids,
/// all below the vocabulary's size) into `out`, one row of `hidden` values each, of length 1.
pub(super) fn forward(
    network: &Network,
    sequences: &[&[u32]],
    threads: usize,
    workspace: &mut Workspace,
    out: &mut [f32],
) {
    let width = network.dims.hidden;
    states(network, sequences, None, threads, workspace);
    let mut rest = workspace.hidden.as_slice();
    for (ids, out) in sequences.iter().zip(out.chunks_exact_mut(width)) {
        let (rows, others) = rest.split_at(ids.len() * width);
        mean_rows(rows, out);
        l2_normalize(out);
        rest = others;
    }
}

/// As [`forward`], with the vector of each token instead of their mean: one row of `hidden` values
/// and length 1 for each id but the first and the last of its sequence, which are special.
pub(super) fn forward_tokens(
    network: &Network,
    sequences: &[&[u32]],
    threads: usize,
    workspace: &mut Workspace,
) -> Vec<Vec<f32>> {
    let width = network.dims.hidden;
    let mut rest = states(network, sequences, None, threads, workspace);
    let mut out = Vec::with_capacity(sequences.len());
    for ids in sequences {
        let (rows, others) = rest.split_at(ids.len() * width);
        let inner = ids.len().saturating_sub(2);
        let mut tokens = rows[width.min(rows.len())..][..inner * width].to_vec();
        tokens.chunks_exact_mut(width).for_each(l2_normalize);
        out.push(tokens);
        rest = others;
    }
    out
}

/// Where second texts begin, one for each sequence, and what their tokens get beside the first
/// text's type: `hidden` values. `seen` is the number of each sequence's leading tokens that are
/// attended to.
#[derive(Clone, Copy)]
pub(super) struct Second<'a> {
    pub starts: &'a [usize],
    pub vector: &'a [f32],
    pub seen: &'a [usize],
}

/// The last layer's vectors of all tokens, one sequence after the other; see [`forward`]. At most
/// `threads` of the rayon pool that this runs in share the work.
pub(super) fn states<'w>(
    network: &Network,
    sequences: &[&[u32]],
    second: Option<Second<'_>>,
    threads: usize,
    workspace: &'w mut Workspace,
) -> &'w [f32] {
    embed(network, sequences, second, &mut workspace.hidden);
    let width = network.dims.hidden;
    let Workspace {
        hidden,
        qkv,
        next_qkv,
        shares,
    } = workspace;
    let heads = network.heads();
    let n_rows = hidden.len() / width;
    let n_shares = threads.min(n_rows / ROWS_A_THREAD).max(1);
    let step = n_rows.div_ceil(n_shares).max(1);
    if shares.len() < n_shares {
        shares.resize_with(n_shares, ShareMemory::default);
    }
    qkv.resize(3 * hidden.len(), 0.0);
    next_qkv.resize(3 * hidden.len(), 0.0);
    let mut stage = |at: Option<&Layer>, following: Option<&Layer>| {
        let share = |i: usize, hidden: &mut [f32], next: &mut [f32], memory: &mut ShareMemory| {
            let first = i * step;
            let rows = first..first + hidden.len() / width;
            let own = || parts(sequences, second, rows.clone());
            if let Some(layer) = at {
                attend(network, layer, own(), qkv, hidden, memory);
                feed_forward(network, layer, hidden, memory);
            } else if network.keeps_sums {
                hidden.clone_into(&mut memory.sums);
            }
            if let Some(layer) = following {
                project(layer, hidden, memory, next);
                if let Some(turns) = &layer.turns {
                    for part in own() {
                        let rows = 3 * width * part.out.start..3 * width * part.out.end;
                        turns.apply(&mut next[rows], heads, part.own.start);
                    }
                }
            }
        };
        if n_shares == 1 {
            share(0, hidden, next_qkv, &mut shares[0]);
        } else {
            hidden
                .par_chunks_mut(step * width)
                .zip(next_qkv.par_chunks_mut(step * 3 * width))
                .zip(&mut shares[..n_shares])
                .enumerate()
                .with_max_len(1)
                .for_each(|(i, ((hidden, next), memory))| share(i, hidden, next, memory));
        }
        std::mem::swap(qkv, next_qkv);
    };
    stage(None, network.layers.first());
    for (i, layer) in network.layers.iter().enumerate() {
        stage(Some(layer), network.layers.get(i + 1));
    }
    &workspace.hidden
}

/// Word vectors plus positions, normalised.
fn embed(
    network: &Network,
    sequences: &[&[u32]],
    second: Option<Second<'_>>,
    hidden: &mut Vec<f32>,
) {
    let width = network.dims.hidden;
    let n_tokens: usize = sequences.iter().map(|ids| ids.len()).sum();
    hidden.resize(n_tokens * width, 0.0);
    let mut rows = hidden.chunks_exact_mut(width);
    let norm = &network.embedding_norm;
    for (s, ids) in sequences.iter().enumerate() {
        let start = second.and_then(|second| second.starts.get(s).copied());
        for (at, ((&id, position), row)) in ids
            .iter()
            .zip(network.positions.chunks_exact(width).cycle())
            .zip(&mut rows)
            .enumerate()
        {
            network.words.copy(id, row);
            if let Some(second) = second
                && start.is_some_and(|start| at >= start)
            {
                row.iter_mut().zip(second.vector).for_each(|(x, y)| *x += y);
            }
            add_layer_norm(row, position, &norm.gain, &norm.bias, network.dims.eps);
        }
    }
}

/// `qkv = qkv(hidden)`
fn project(layer: &Layer, hidden: &[f32], memory: &mut ShareMemory, qkv: &mut [f32]) {
    let width = layer.out.outputs();
    let blocks = hidden
        .chunks(BLOCK * width)
        .zip(qkv.chunks_mut(BLOCK * 3 * width));
    for (hidden, qkv) in blocks {
        layer.qkv.apply(hidden, &mut memory.codes, qkv);
    }
}

/// The part of a sequence that is among some of all rows.
struct Part {
    /// Rows of the whole sequence, among all.
    sequence: Range<usize>,
    /// How many of its leading tokens are attended to.
    seen: usize,
    /// The part's tokens, counted from the sequence's first.
    own: Range<usize>,
    /// The same counted from the first of the rows at hand.
    out: Range<usize>,
}

/// The parts of sequences that are among `rows`.
fn parts<'a>(
    sequences: &'a [&[u32]],
    second: Option<Second<'a>>,
    rows: Range<usize>,
) -> impl Iterator<Item = Part> + 'a {
    let mut first = 0;
    let part = move |(s, ids): (usize, &&[u32])| {
        let sequence = first..first + ids.len();
        first = sequence.end;
        let seen = second.and_then(|second| second.seen.get(s).copied());
        let (from, to) = (rows.start.max(sequence.start), rows.end.min(sequence.end));
        (from < to).then(|| Part {
            seen: seen.unwrap_or(ids.len()).min(ids.len()),
            own: from - sequence.start..to - sequence.start,
            out: from - rows.start..to - rows.start,
            sequence,
        })
    };
    sequences.iter().enumerate().filter_map(part)
}

/// `hidden = norm(hidden + out(attention(qkv)))` for some of all rows: `hidden` holds those, `qkv`
/// all. Where sums are kept, `sums += out(..); hidden = norm(sums)`.
fn attend(
    network: &Network,
    layer: &Layer,
    parts: impl Iterator<Item = Part>,
    qkv: &[f32],
    hidden: &mut [f32],
    memory: &mut ShareMemory,
) {
    let width = network.dims.hidden;
    let ShareMemory {
        sums,
        context,
        block,
        codes,
        attention: scratch,
        distances,
        ..
    } = memory;
    context.resize(hidden.len(), 0.0);
    let heads = network.heads();
    for part in parts {
        let qkv = &qkv[3 * width * part.sequence.start..3 * width * part.sequence.end];
        let out = &mut context[part.out.start * width..part.out.end * width];
        let content = layer.distances.as_ref().map(|layer| {
            let (buckets, own) = (&network.buckets, part.own.clone());
            layer.terms(buckets, qkv, own, part.seen, heads, distances)
        });
        let by = ByDistance {
            bias: network.distances.as_deref(),
            reach: layer.reach,
            content,
        };
        attention(qkv, heads, part.seen, part.own, by, scratch, out);
    }

    let mut sums = sums.chunks_mut(BLOCK * width);
    for (hidden, context) in hidden
        .chunks_mut(BLOCK * width)
        .zip(context.chunks(BLOCK * width))
    {
        block.resize(hidden.len(), 0.0);
        layer.out.apply(context, codes, block);
        add(network, &layer.out_norm, block, sums.next(), hidden);
    }
}

/// `hidden = norm(hidden + down(gelu(up(hidden))))`, or with a gated layer and kept sums what these
/// make of it.
fn feed_forward(network: &Network, layer: &Layer, hidden: &mut [f32], memory: &mut ShareMemory) {
    let width = network.dims.hidden;
    let ShareMemory {
        sums,
        inner,
        block,
        codes,
        ..
    } = memory;
    let mut sums = sums.chunks_mut(BLOCK * width);
    for hidden in hidden.chunks_mut(BLOCK * width) {
        inner.resize(hidden.len() / width * layer.up.outputs(), 0.0);
        block.resize(hidden.len(), 0.0);
        layer.up.apply(hidden, codes, inner);
        match network.gate {
            None => layer.down.apply_to_gelu(inner, codes, block),
            Some(gate) => {
                let inner = gated(gate.activation, network.dims.inner, inner);
                layer.down.apply(inner, codes, block);
            }
        }
        add(network, &layer.down_norm, block, sums.next(), hidden);
    }
}

/// `hidden = norm(hidden + block)`; with `sums`, `sums += block; hidden = norm(sums)`.
fn add(
    network: &Network,
    norm: &Norm,
    block: &[f32],
    sums: Option<&mut [f32]>,
    hidden: &mut [f32],
) {
    let eps = network.dims.eps;
    let Some(sums) = sums else {
        add_layer_norm(hidden, block, &norm.gain, &norm.bias, eps);
        return;
    };
    hidden.copy_from_slice(block);
    add_layer_norm(hidden, sums, &norm.gain, &norm.bias, eps);
    sums.iter_mut().zip(block).for_each(|(x, y)| *x += y);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::weights::{Folder, Precision};

    #[test]
    fn threads_that_share_a_pass_give_the_bits_of_one() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tiny/encoder");
        let network =
            Network::from_checkpoint(Folder::read(&folder).unwrap().model, Precision::F32).unwrap();
        let longest = network.dims.positions.min(61);
        let ids: Vec<u32> = (0..longest as u32).map(|i| i * 7 % 50).collect();
        // The shares' bounds fall into the sequences.
        let sequences = [ids.as_slice(), &ids[..1], &ids[..longest / 2], &ids];
        let mut workspace = Workspace::default();
        let alone = states(&network, &sequences, None, 1, &mut workspace).to_vec();
        assert!(alone.len() / network.dims.hidden >= 5 * ROWS_A_THREAD);
        for threads in 2..6 {
            // Memory that other sequences have used must not show.
            states(&network, &sequences[1..], None, threads, &mut workspace);
            let shared = states(&network, &sequences, None, threads, &mut workspace);
            assert_eq!(shared, alone, "{threads} threads");
        }
    }
}
