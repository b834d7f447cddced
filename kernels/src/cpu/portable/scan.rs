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

pub(crate) fn dot_i8(a: &[i8], b: &[i8]) -> i32 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| i32::from(a) * i32::from(b))
        .sum()
}
