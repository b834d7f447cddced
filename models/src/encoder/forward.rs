//! The forward pass: token ids of several sequences in, one vector each out.
//!
//! Sequences stand end to end without padding: linear layers see one long matrix, attention sees
//! one sequence at a time. Everything but attention runs on blocks of rows that stay in the second
//! cache, and all memory is reused from call to call.

use indago_kernels::{Heads, add_layer_norm, attention, l2_normalize, mean_rows};

use super::network::{Codes, Layer, Network};

/// Rows per block: a multiple of the register tiles' 6 (and 12). Larger blocks read the weights less
/// often from the third cache, smaller ones keep the inner activations (96 x 1536) nearer; 96 was a
/// few per cent faster than 48 on a busy machine.
const BLOCK: usize = 96;

/// Memory of one forward pass, kept between passes.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    hidden: Vec<f32>,
    qkv: Vec<f32>,
    context: Vec<f32>,
    inner: Vec<f32>,
    block: Vec<f32>,
    codes: Codes,
    attention: Vec<f32>,
}

/// Encodes `sequences` (each with its special tokens, at least one and at most `positions` ids,
/// all below the vocabulary's size) into `out`, one row of `hidden` values each, of length 1.
pub(super) fn forward(
    network: &Network,
    sequences: &[&[u32]],
    workspace: &mut Workspace,
    out: &mut [f32],
) {
    let width = network.dims.hidden;
    states(network, sequences, None, workspace);
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
    workspace: &mut Workspace,
) -> Vec<Vec<f32>> {
    let width = network.dims.hidden;
    let mut rest = states(network, sequences, None, workspace);
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
/// text's type: `hidden` values.
#[derive(Clone, Copy)]
pub(super) struct Second<'a> {
    pub starts: &'a [usize],
    pub vector: &'a [f32],
}

/// The last layer's vectors of all tokens, one sequence after the other; see [`forward`].
pub(super) fn states<'w>(
    network: &Network,
    sequences: &[&[u32]],
    second: Option<Second<'_>>,
    workspace: &'w mut Workspace,
) -> &'w [f32] {
    embed(network, sequences, second, workspace);
    for layer in &network.layers {
        attend(network, layer, sequences, workspace);
        feed_forward(network, layer, workspace);
    }
    &workspace.hidden
}

/// Word vectors plus positions, normalised.
fn embed(
    network: &Network,
    sequences: &[&[u32]],
    second: Option<Second<'_>>,
    workspace: &mut Workspace,
) {
    let width = network.dims.hidden;
    let n_tokens: usize = sequences.iter().map(|ids| ids.len()).sum();
    let hidden = &mut workspace.hidden;
    hidden.resize(n_tokens * width, 0.0);
    let mut rows = hidden.chunks_exact_mut(width);
    let norm = &network.embedding_norm;
    for (s, ids) in sequences.iter().enumerate() {
        let start = second.and_then(|second| second.starts.get(s).copied());
        for (at, ((&id, position), row)) in ids
            .iter()
            .zip(network.positions.chunks_exact(width))
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

/// `hidden = norm(hidden + out(attention(qkv(hidden))))`
fn attend(network: &Network, layer: &Layer, sequences: &[&[u32]], workspace: &mut Workspace) {
    let width = network.dims.hidden;
    let Workspace {
        hidden,
        qkv,
        context,
        block,
        codes,
        attention: scratch,
        ..
    } = workspace;
    qkv.resize(3 * hidden.len(), 0.0);
    context.resize(hidden.len(), 0.0);
    let blocks = hidden
        .chunks(BLOCK * width)
        .zip(qkv.chunks_mut(BLOCK * 3 * width));
    for (hidden, qkv) in blocks {
        layer.qkv.apply(hidden, codes, qkv);
    }

    let heads = Heads {
        count: network.dims.heads,
        dim: width / network.dims.heads,
    };
    let mut at = 0;
    for ids in sequences {
        let end = at + ids.len() * width;
        attention(&qkv[3 * at..3 * end], heads, scratch, &mut context[at..end]);
        at = end;
    }

    for (hidden, context) in hidden
        .chunks_mut(BLOCK * width)
        .zip(context.chunks(BLOCK * width))
    {
        block.resize(hidden.len(), 0.0);
        layer.out.apply(context, codes, block);
        let norm = &layer.out_norm;
        add_layer_norm(hidden, block, &norm.gain, &norm.bias, network.dims.eps);
    }
}

/// `hidden = norm(hidden + down(gelu(up(hidden))))`
fn feed_forward(network: &Network, layer: &Layer, workspace: &mut Workspace) {
    let width = network.dims.hidden;
    let Workspace {
        hidden,
        inner,
        block,
        codes,
        ..
    } = workspace;
    for hidden in hidden.chunks_mut(BLOCK * width) {
        inner.resize(hidden.len() / width * layer.up.outputs(), 0.0);
        block.resize(hidden.len(), 0.0);
        layer.up.apply(hidden, codes, inner);
        layer.down.apply_to_gelu(inner, codes, block);
        let norm = &layer.down_norm;
        add_layer_norm(hidden, block, &norm.gain, &norm.bias, network.dims.eps);
    }
}
