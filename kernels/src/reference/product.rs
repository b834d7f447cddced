//! Twins of the linear layers and of attention.

use super::layer::softmax;
use super::scan::dot_f32;
use crate::product::QuantizedRows;
use crate::w8a8::RowsU8;
use crate::{ByDistance, Heads};

/// Twin of [`crate::product::linear_i8`] on unpacked weights (`[n, k]`); the sums in i64.
pub fn linear_i8(x: &QuantizedRows, codes: &[i8], scales: &[f32], bias: &[f32]) -> Vec<f64> {
    let k = x.dim();
    let mut out = Vec::with_capacity(x.len() * scales.len());
    for (x_codes, &x_scale) in x
        .codes()
        .chunks_exact(k.next_multiple_of(2))
        .zip(x.scales())
    {
        for ((w, &scale), &bias) in codes.chunks_exact(k).zip(scales).zip(bias) {
            let sum: i64 = x_codes
                .iter()
                .zip(w)
                .map(|(&x, &w)| i64::from(x) * i64::from(w))
                .sum();
            out.push(sum as f64 * (f64::from(x_scale) * f64::from(scale)) + f64::from(bias));
        }
    }
    out
}

/// Twin of [`crate::w8a8::linear_w8a8`] on the unpacked weights that are multiplied
/// ([`crate::w8a8::PackedW8::codes`], `[n, k]`); the sums in i64.
pub fn linear_w8a8(x: &RowsU8, codes: &[i8], scales: &[f32], bias: &[f32]) -> Vec<f64> {
    let k = x.dim();
    let mut out = Vec::with_capacity(x.len() * scales.len());
    let rows = x.codes().chunks_exact(x.stride());
    for ((x_codes, &x_scale), &zero) in rows.zip(x.scales()).zip(x.zeros()) {
        for ((w, &scale), &bias) in codes.chunks_exact(k).zip(scales).zip(bias) {
            let sum: i64 = x_codes
                .iter()
                .zip(w)
                .map(|(&x, &w)| (i64::from(x) - i64::from(zero)) * i64::from(w))
                .sum();
            out.push(sum as f64 * (f64::from(x_scale) * f64::from(scale)) + f64::from(bias));
        }
    }
    out
}

/// Twin of [`crate::product::linear_f32`] on unpacked weights (`[n, k]`).
pub fn linear_f32(x: &[f32], weights: &[f32], k: usize, bias: &[f32]) -> Vec<f64> {
    let mut out = Vec::new();
    for x in x.chunks_exact(k) {
        for (w, &bias) in weights.chunks_exact(k).zip(bias) {
            out.push(dot_f32(x, w) + f64::from(bias));
        }
    }
    out
}

/// Twin of [`crate::attention()`], for all rows.
pub fn attention(qkv: &[f32], heads: Heads, seen: usize, by: ByDistance<'_>) -> Vec<f64> {
    let width = heads.width();
    let rows: Vec<&[f32]> = qkv.chunks_exact(3 * width).collect();
    let part = |row: usize, which: usize, head: usize| {
        let at = which * width + head * heads.dim;
        &rows[row][at..at + heads.dim]
    };
    let mut out = vec![0.0; rows.len() * width];
    for head in 0..heads.count {
        for i in 0..rows.len() {
            let keys: Vec<usize> = (0..seen).filter(|j| j.abs_diff(i) <= by.reach).collect();
            let score = |&j: &usize| {
                let added = by.bias.map_or(0.0, |bias| {
                    let distances = bias.len() / heads.count;
                    bias[head * distances + distances / 2 + j - i]
                });
                let content = by.content.map_or(0.0, |content| {
                    let bucket = usize::from(content.buckets[content.buckets.len() / 2 + j - i]);
                    let of = |values: &[f32], n: usize, at: usize| {
                        f64::from(values[(head * n + at) * content.count + bucket])
                    };
                    of(content.queries, rows.len(), i) + of(content.keys, seen, j)
                });
                let product = dot_f32(part(i, 0, head), part(j, 1, head)) + content;
                (product + f64::from(added) / f64::from(heads.scale())) as f32
            };
            let scores: Vec<f32> = keys.iter().map(score).collect();
            for (&j, weight) in keys.iter().zip(softmax(&scores, heads.scale())) {
                for (c, &value) in part(j, 2, head).iter().enumerate() {
                    out[i * width + head * heads.dim + c] += weight * f64::from(value);
                }
            }
        }
    }
    out
}
