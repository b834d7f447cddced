//! Scores of rows against queries.

pub(crate) fn scores_f32(rows: &[f32], queries: &[f32], dim: usize, out: &mut [f32]) {
    let n = rows.len() / dim;
    for (r, row) in rows.chunks_exact(dim).enumerate() {
        for (q, query) in queries.chunks_exact(dim).enumerate() {
            out[q * n + r] = dot_f32(row, query);
        }
    }
}

/// Eight lanes, then pairwise: the order of the vector paths.
fn dot_f32(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_tail) = a.as_chunks::<8>();
    let (b, b_tail) = b.as_chunks::<8>();
    let mut lanes = [0.0_f32; 8];
    for (a, b) in a.iter().zip(b) {
        for i in 0..8 {
            lanes[i] += a[i] * b[i];
        }
    }
    for (lane, (a, b)) in lanes.iter_mut().zip(a_tail.iter().zip(b_tail)) {
        *lane += a * b;
    }
    let four = [0, 1, 2, 3].map(|i| lanes[i] + lanes[i + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

pub(crate) fn scores_f16(rows: &[u16], queries: &[f32], dim: usize, out: &mut [f32]) {
    let n = rows.len() / dim;
    let mut wide = vec![0.0; dim];
    for (r, row) in rows.chunks_exact(dim).enumerate() {
        for (wide, bits) in wide.iter_mut().zip(row) {
            *wide = f32_of_f16(*bits);
        }
        for (q, query) in queries.chunks_exact(dim).enumerate() {
            out[q * n + r] = dot_f32(&wide, query);
        }
    }
}

/// The value of a 16-bit float.
fn f32_of_f16(bits: u16) -> f32 {
    let sign = u32::from(bits & 0x8000) << 16;
    let rest = u32::from(bits & 0x7fff);
    let magnitude = match rest {
        // Too small for an exponent: counts 2^-24.
        0..0x400 => (rest as f32 * (1.0 / 16_777_216.0)).to_bits(),
        0x400..0x7c00 => (rest << 13) + 0x3800_0000,
        _ => 0x7f80_0000 | (rest & 0x3ff) << 13,
    };
    f32::from_bits(sign | magnitude)
}

pub(crate) fn hamming(rows: &[u64], queries: &[u64], words: usize, out: &mut [u32]) {
    crate::cpu::body::hamming(rows, queries, words, out);
}

pub(crate) fn scores_i8(rows: &[i8], queries: &[i16], dim: usize, out: &mut [i32]) {
    let n = rows.len() / dim;
    for (r, row) in rows.chunks_exact(dim).enumerate() {
        for (q, query) in queries.chunks_exact(dim).enumerate() {
            out[q * n + r] = row
                .iter()
                .zip(query)
                .map(|(&a, &b)| i32::from(a) * i32::from(b))
                .sum();
        }
    }
}

pub(crate) fn scores_i8_at(rows: &[i8], query: &[i16], at: &[u32], out: &mut [i32]) {
    let dim = query.len();
    for (&row, out) in at.iter().zip(out) {
        let row = &rows[row as usize * dim..(row as usize + 1) * dim];
        *out = row
            .iter()
            .zip(query)
            .map(|(&a, &b)| i32::from(a) * i32::from(b))
            .sum();
    }
}

pub(crate) fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| i32::from(a) * i32::from(b))
        .sum()
}
