//! Attention that depends on how far apart two tokens stand (Shaw et al., NAACL 2018; in MPNet's form).
//!
//! A plain loop over dot products: next to the linear layers it is a small part of such a model's
//! work, and only models that users bring have it.

use std::ops::Range;

use indago_kernels::{Heads, dot_f32};

/// As [`indago_kernels::attention`], with `bias[head][key - query]` added to each score:
/// `bias` is `[heads, 2 * positions - 1]`, the key that stands furthest before the query first.
pub(super) fn attention_by_distance(
    qkv: &[f32],
    heads: Heads,
    seen: usize,
    rows: Range<usize>,
    bias: &[f32],
    scores: &mut Vec<f32>,
    out: &mut [f32],
) {
    let Heads { count, dim } = heads;
    let width = count * dim;
    let distances = bias.len() / count;
    let part = |row: usize, part: usize, head: usize| {
        let at = (3 * row + part) * width + head * dim;
        &qkv[at..at + dim]
    };
    let scale = 1.0 / (dim as f32).sqrt();
    scores.resize(seen, 0.0);
    let first = rows.start;
    for row in rows {
        let out = &mut out[(row - first) * width..][..width];
        for (head, out) in out.chunks_exact_mut(dim).enumerate() {
            // The key at 0 stands `row` before the query.
            let bias = &bias[head * distances + distances / 2 - row..][..seen];
            let query = part(row, 0, head);
            for (key, (score, bias)) in scores.iter_mut().zip(bias).enumerate() {
                *score = dot_f32(query, part(key, 1, head)) * scale + bias;
            }
            let best = scores.iter().copied().fold(f32::MIN, f32::max);
            let mut sum = 0.0;
            for score in scores.iter_mut() {
                *score = (*score - best).exp();
                sum += *score;
            }
            out.fill(0.0);
            for (key, score) in scores.iter().enumerate() {
                let share = score / sum;
                let values = part(key, 2, head).iter();
                out.iter_mut()
                    .zip(values)
                    .for_each(|(x, v)| *x += share * v);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use indago_kernels::attention;

    use super::*;

    #[test]
    fn without_a_bias_it_is_attention() {
        let heads = Heads { count: 2, dim: 3 };
        let qkv: Vec<f32> = (0..5 * 18).map(|i| ((i * 37 % 19) as f32).sin()).collect();
        let (mut ours, mut theirs) = (vec![0.0; 3 * 6], vec![0.0; 3 * 6]);
        let mut scratch = Vec::new();
        attention(&qkv, heads, 4, 1..4, &mut scratch, &mut theirs);
        let none = vec![0.0; 2 * 13];
        attention_by_distance(&qkv, heads, 4, 1..4, &none, &mut scratch, &mut ours);
        for (a, b) in ours.iter().zip(&theirs) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    #[test]
    fn a_large_bias_points_at_one_distance() {
        let heads = Heads { count: 1, dim: 2 };
        let qkv: Vec<f32> = (0..4 * 6).map(|i| i as f32 / 10.0).collect();
        // Seven positions: places 0 to 12, of which 7 is the next token.
        let mut bias = vec![0.0; 13];
        bias[7] = 100.0;
        let mut out = vec![0.0; 2 * 2];
        attention_by_distance(&qkv, heads, 4, 0..2, &bias, &mut Vec::new(), &mut out);
        let values = |row: usize| &qkv[6 * row + 4..6 * row + 6];
        let wanted = [values(1), values(2)].concat();
        for (a, b) in out.iter().zip(&wanted) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }
}
