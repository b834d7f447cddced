//! Distances of binary codes.

/// `out[q * n + r]`: in how many bits `rows[r]` and `queries[q]` differ.
#[inline(always)]
pub(in crate::cpu) fn hamming(rows: &[u64], queries: &[u64], words: usize, out: &mut [u32]) {
    let n = rows.len() / words;
    if n == 0 {
        return;
    }
    for (query, out) in queries.chunks_exact(words).zip(out.chunks_exact_mut(n)) {
        for (row, out) in rows.chunks_exact(words).zip(out) {
            let bits = row.iter().zip(query).map(|(a, b)| (a ^ b).count_ones());
            *out = bits.sum();
        }
    }
}
