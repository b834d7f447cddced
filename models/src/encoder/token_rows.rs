//! From a body's states to a matrix a text, for late interaction.

use indago_core::Cancel;
use indago_core::ports::{EncodeError, Matrix};
use indago_kernels::l2_normalize;

use super::bert::{Bert, Sequence};

/// Texts whose vectors are in memory at once: at 512 tokens of 768 values 50 MB.
const BLOCK: usize = 32;

/// A matrix `[tokens, dim]` for each sequence: what `project` makes of the states of its tokens
/// (`[tokens, hidden]` in, `[tokens, dim]` out), each row scaled to length 1, those tokens left out
/// for which `keeps(sequence, token)` is false. No rows for a sequence without ids.
pub(super) fn token_rows(
    body: &Bert,
    sequences: &[Sequence],
    dim: usize,
    project: impl Fn(&[f32], &mut [f32]) + Sync,
    keeps: impl Fn(usize, usize) -> bool,
    cancel: &Cancel,
) -> Result<Vec<Matrix>, EncodeError> {
    let hidden = body.dims.hidden;
    let mut matrices = Vec::with_capacity(sequences.len());
    for block in sequences.chunks(BLOCK) {
        let longest = block.iter().map(|s| s.ids.len()).max().unwrap_or(0);
        if longest == 0 {
            matrices.extend(block.iter().map(|_| Matrix::zeros(0, dim)));
            continue;
        }
        let each = |states: &[f32], out: &mut [f32]| {
            let rows = &mut out[..states.len() / hidden * dim];
            project(states, rows);
            rows.chunks_exact_mut(dim).for_each(l2_normalize);
        };
        let rows = body.map(block, longest * dim, each, cancel)?;
        for (sequence, rows) in block.iter().zip(rows.chunks_exact(longest * dim)) {
            let text = matrices.len();
            let kept = rows.chunks_exact(dim).take(sequence.ids.len());
            let kept = kept.enumerate().filter(|(token, _)| keeps(text, *token));
            let data: Vec<f32> = kept.flat_map(|(_, row)| row).copied().collect();
            matrices.push(Matrix {
                rows: data.len() / dim,
                dim,
                data,
            });
        }
    }
    Ok(matrices)
}
