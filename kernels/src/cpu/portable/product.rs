//! Panel products, one row by one panel at a time.

use crate::product::{PANEL, PackedF32, PackedI8, QuantizedRows};

pub(crate) fn linear_i8(x: &QuantizedRows, w: &PackedI8, bias: &[f32], out: &mut [f32]) {
    let (n, stride) = (w.outputs(), x.stride());
    for ((codes, &scale), out) in x
        .codes()
        .chunks_exact(stride)
        .zip(x.scales())
        .zip(out.chunks_exact_mut(n))
    {
        let columns = out.chunks_mut(PANEL).zip(bias.chunks(PANEL));
        let panels = w
            .panels()
            .chunks_exact(stride * PANEL)
            .zip(w.scales().chunks(PANEL));
        for ((out, bias), (panel, scales)) in columns.zip(panels) {
            let mut sums = [0_i32; PANEL];
            let (pairs, _) = codes.as_chunks::<2>();
            let (steps, _) = panel.as_chunks::<{ 2 * PANEL }>();
            for (pair, step) in pairs.iter().zip(steps) {
                let [a, b] = pair.map(i32::from);
                for (j, sum) in sums.iter_mut().enumerate() {
                    let products = a * i32::from(step[2 * j]) + b * i32::from(step[2 * j + 1]);
                    *sum = sum.wrapping_add(products);
                }
            }
            for (j, out) in out.iter_mut().enumerate() {
                *out = sums[j] as f32 * (scale * scales[j]) + bias[j];
            }
        }
    }
}

pub(crate) fn linear_f32(x: &[f32], w: &PackedF32, bias: &[f32], out: &mut [f32]) {
    let (n, k) = (w.outputs(), w.inputs());
    for (x, out) in x.chunks_exact(k).zip(out.chunks_exact_mut(n)) {
        let columns = out.chunks_mut(PANEL).zip(bias.chunks(PANEL));
        for ((out, bias), panel) in columns.zip(w.panels().chunks_exact(k * PANEL)) {
            let mut sums = [0.0_f32; PANEL];
            let (steps, _) = panel.as_chunks::<PANEL>();
            for (x, step) in x.iter().zip(steps) {
                for (sum, w) in sums.iter_mut().zip(step) {
                    *sum += x * w;
                }
            }
            for (j, out) in out.iter_mut().enumerate() {
                *out = sums[j] + bias[j];
            }
        }
    }
}
