//! Attention, with everything that distances may change, against its twin.

use std::ops::Range;

use super::{close, values};
use crate::attention::{Heads, Queries};
use crate::cpu::attention;
use crate::{ByContent, ByDistance, Isa, reference};

pub(super) fn check_attention(len: usize, heads: Heads, seed: u64) {
    let width = heads.width();
    let qkv = values(len * 3 * width, seed);
    let some = 1 + seed as usize % len.max(1);
    let bias = values(heads.count * (2 * len + 5), !seed);
    for (seen, bias, reach) in [
        (len, None, usize::MAX),
        (some, None, usize::MAX),
        (len, Some(bias.as_slice()), usize::MAX),
        (len, None, seed as usize % 7),
        (some, Some(&bias), seed as usize % 30),
    ] {
        let by = ByDistance {
            bias,
            reach,
            content: None,
        };
        let seen = seen.min(len);
        let expected = reference::attention(&qkv, heads, seen, by);
        let keys = &qkv[..seen * 3 * width];
        for &isa in Isa::available() {
            // Content left over from another call must not show.
            let mut scratch = vec![f32::NAN; 7];
            let mut of = |first: usize, rows: &[f32], out: &mut [f32]| {
                attention(
                    isa,
                    Queries { rows, first, by },
                    keys,
                    heads,
                    &mut scratch,
                    out,
                );
            };
            let mut out = vec![f32::NAN; len * width];
            of(0, &qkv, &mut out);
            close(&out, &expected, 3e-6, isa.name());
            // Threads that share a sequence get the bits that one gets.
            let split = seed as usize % (len + 1);
            let mut parts = vec![f32::NAN; out.len()];
            let (front, back) = parts.split_at_mut(split * width);
            let (first, second) = qkv.split_at(split * 3 * width);
            of(0, first, front);
            of(split, second, back);
            assert_eq!(parts, out, "{}", isa.name());
        }
        // In blocks, where not all keys count.
        if seen > 0 {
            let mut out = vec![f32::NAN; len * width];
            crate::attention(&qkv, heads, seen, 0..len, by, &mut Vec::new(), &mut out);
            close(&out, &expected, 3e-6, "in blocks");
        }
    }
}

fn by_content<'a>(
    queries: &'a [f32],
    (keys, buckets, count): (&'a [f32], &'a [u16], usize),
) -> ByDistance<'a> {
    let content = ByContent {
        queries,
        keys,
        count,
        buckets,
    };
    ByDistance {
        content: Some(content),
        ..ByDistance::NOTHING
    }
}

pub(super) fn check_attention_by_content(len: usize, heads: Heads, seed: u64) {
    let width = heads.width();
    let qkv = values(len * 3 * width, seed);
    let (seen, count) = (1 + seed as usize % len, 1 + seed as usize % 9);
    let buckets: Vec<u16> = (0..=2 * len as u16)
        .map(|i| (i * 7 + 3) % count as u16)
        .collect();
    let keys = values(heads.count * seen * count, !seed);
    let all = values(heads.count * len * count, seed ^ 5);
    // Of some rows, as the threads that share a sequence have them.
    let queries_of = |rows: Range<usize>| -> Vec<f32> {
        let of_head = |head: &[f32]| head[rows.start * count..rows.end * count].to_vec();
        all.chunks_exact(len * count).flat_map(of_head).collect()
    };
    let rest = (keys.as_slice(), buckets.as_slice(), count);
    let expected = reference::attention(&qkv, heads, seen, by_content(&all, rest));
    for &isa in Isa::available() {
        let mut scratch = Vec::new();
        let mut of = |rows: Range<usize>, out: &mut [f32]| {
            let queries = queries_of(rows.clone());
            let queries = Queries {
                rows: &qkv[rows.start * 3 * width..rows.end * 3 * width],
                first: rows.start,
                by: by_content(&queries, rest),
            };
            let keys = &qkv[..seen * 3 * width];
            attention(isa, queries, keys, heads, &mut scratch, out);
        };
        let mut out = vec![f32::NAN; len * width];
        of(0..len, &mut out);
        close(&out, &expected, 3e-6, isa.name());
        let split = seed as usize % (len + 1);
        let mut parts = vec![f32::NAN; out.len()];
        let (front, back) = parts.split_at_mut(split * width);
        of(0..split, front);
        of(split..len, back);
        assert_eq!(parts, out, "{}", isa.name());
    }
    let mut out = vec![f32::NAN; len * width];
    let mut scratch = Vec::new();
    crate::attention(
        &qkv,
        heads,
        seen,
        0..len,
        by_content(&all, rest),
        &mut scratch,
        &mut out,
    );
    close(&out, &expected, 3e-6, "whole");
}

#[test]
fn attention_by_content_agrees_on_awkward_shapes() {
    for (len, count, dim) in [(1, 1, 1), (5, 2, 3), (13, 1, 32), (70, 3, 16), (129, 2, 64)] {
        check_attention_by_content(len, Heads { count, dim }, 3 * len as u64 + 1);
    }
}

#[test]
fn attention_agrees_on_awkward_shapes() {
    let heads = |count, dim| Heads { count, dim };
    for (len, heads) in [
        (0, heads(1, 1)),
        (1, heads(2, 3)),
        (5, heads(3, 16)),
        (17, heads(2, 17)),
        (128, heads(2, 32)),
        (67, heads(12, 32)),
        // More than two blocks of rows.
        (150, heads(2, 16)),
    ] {
        for seed in [11, 27, 4] {
            check_attention(len, heads, seed);
        }
    }
}
