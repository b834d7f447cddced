//! AVX-512 with VNNI: one 512-bit vector holds a whole panel of sums, and `vpdpwssd` multiplies
//! pairs and adds them in one step. `vpdpbusd` does the same with fours of
//! bytes. Products and attention have a path here; the rest runs as AVX2.
//!
//! Seen in the generated code: with its generic tuning the compiler splits most of the
//! `vpdpwssd` of the full tile into `vpmaddwd` and `vpaddd` again (same integers, one more step).
//!
//! CPUs differ in what they make of these instructions more than in any other that is used here, so
//! the paths are taken only after [`agrees`] has compared them on the machine at hand: integers must
//! be the same, and results equal to the AVX2 path's bit for bit.

mod attention;
mod product;
mod product_f32;
mod tile;
mod w8a8;

pub(super) use attention::attention;
pub(super) use product::linear_i8;
pub(super) use product_f32::linear_f32;
pub(super) use w8a8::linear_w8a8;

use crate::Isa;
use crate::attention::{ByDistance, Heads, Queries};
use crate::product::{PackedF32, PackedI8, QuantizedRows};
use crate::w8a8::{PackedW8, RowsU8};

/// Whether the products give on this CPU what the AVX2 paths give: full and ragged tiles and
/// panels, odd lengths, extreme codes.
///
/// # Safety
/// The CPU must have AVX2, FMA, AVX-512 F, BW, VL and VNNI.
pub(super) unsafe fn agrees() -> bool {
    let products = [(1, 1, 1), (12, 16, 2), (13, 17, 7), (29, 40, 64)]
        .into_iter()
        .all(|(m, n, k)| {
            let codes: Vec<i8> = (0..n * k).map(|i| (i * 89 % 256) as u8 as i8).collect();
            let scales: Vec<f32> = (0..n).map(|j| 0.01 + j as f32 * 1e-4).collect();
            let bias: Vec<f32> = (0..n).map(|j| j as f32 - 3.0).collect();
            let x: Vec<f32> = (0..m * k)
                .map(|i| ((i * 53) % 101) as f32 / 50.0 - 1.0)
                .collect();
            let Ok(weights) = PackedI8::pack(&codes, &scales, k) else {
                return false;
            };
            let Ok(narrow) = PackedW8::pack(&codes, &scales, k, 255) else {
                return false;
            };
            let floats: Vec<f32> = codes.iter().map(|&code| 0.01 * f32::from(code)).collect();
            let Ok(wide) = PackedF32::pack(&floats, k) else {
                return false;
            };
            let mut rows = QuantizedRows::default();
            rows.fill_portable(&x, k);
            let mut bytes = RowsU8::default();
            bytes.fill_on(Isa::Portable, &x, k, 255);
            let (mut found, mut expected) = (vec![0.0; m * n], vec![0.0; m * n]);
            let (mut found8, mut expected8) = (found.clone(), expected.clone());
            let (mut found32, mut expected32) = (found.clone(), expected.clone());
            // SAFETY: the caller vouches for the CPU's features; shapes fit by construction.
            unsafe {
                linear_i8(&rows, &weights, &bias, &mut found);
                super::avx2::linear_i8(&rows, &weights, &bias, &mut expected);
                linear_w8a8(&bytes, &narrow, &bias, &mut found8);
                super::avx2::linear_w8a8(&bytes, &narrow, &bias, &mut expected8);
                linear_f32(&x, &wide, &bias, &mut found32);
                super::avx2::linear_f32(&x, &wide, &bias, &mut expected32);
            }
            found == expected && found8 == expected8 && found32 == expected32
        });
    let attentions = [(1, 1, 3), (13, 2, 16), (39, 1, 33)]
        .into_iter()
        .all(|(len, count, dim)| {
            let heads = Heads { count, dim };
            let qkv: Vec<f32> = (0..len * 3 * heads.width())
                .map(|i| ((i * 53) % 101) as f32 / 50.0 - 1.0)
                .collect();
            let (mut found, mut scratch) = (vec![0.0; len * heads.width()], Vec::new());
            let mut expected = found.clone();
            let queries = Queries {
                rows: &qkv,
                first: 0,
                by: ByDistance::NOTHING,
            };
            // SAFETY: as above.
            unsafe {
                attention(queries, &qkv, heads, &mut scratch, &mut found);
                super::avx2::attention(queries, &qkv, heads, &mut scratch, &mut expected);
            }
            found == expected
        });
    products && attentions
}
