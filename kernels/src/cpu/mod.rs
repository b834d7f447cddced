//! The fast paths, one file for each set of instructions and kind of kernel, and the choice among
//! them. Entry points check shapes before they come here.
#![expect(
    unsafe_code,
    reason = "vector instructions: each block states what its caller checked"
)]

mod portable;

#[cfg(target_arch = "x86_64")]
mod avx2;

use crate::Isa;

/// Calls the path of `$isa`; x86 paths exist on x86-64 only.
macro_rules! dispatch {
    ($isa:expr, $kernel:ident ( $($arg:expr),* )) => {{
        let isa: Isa = $isa;
        debug_assert!(isa.is_available());
        match isa {
            // SAFETY: `Isa::available` lists a set only after the CPU was asked for each of its
            // features, and every `Isa` that reaches a kernel comes from that list.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 | Isa::Avx512 => unsafe { avx2::$kernel($($arg),*) },
            _ => portable::$kernel($($arg),*),
        }
    }};
}

/// `out[q * n + r] = rows[r] . queries[q]` for `n` rows; all slices checked by the caller.
pub(crate) fn scores_f32(isa: Isa, rows: &[f32], queries: &[f32], dim: usize, out: &mut [f32]) {
    assert_eq!((rows.len() / dim) * (queries.len() / dim), out.len());
    dispatch!(isa, scores_f32(rows, queries, dim, out));
}

/// `out[q * n + r] = rows[r] . queries[q]` for `n` rows of 8-bit codes and 16-bit queries within
/// [`crate::quantize::limit_i16`].
pub(crate) fn scores_i8(isa: Isa, rows: &[i8], queries: &[i16], dim: usize, out: &mut [i32]) {
    assert_eq!((rows.len() / dim) * (queries.len() / dim), out.len());
    dispatch!(isa, scores_i8(rows, queries, dim, out));
}

/// `a . b`, both of one length below 131,072.
pub(crate) fn dot_i8(isa: Isa, a: &[i8], b: &[i8]) -> i32 {
    assert_eq!(a.len(), b.len());
    dispatch!(isa, dot_i8(a, b))
}
