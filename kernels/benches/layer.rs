//! Question: how close do the pieces of a transformer layer come to the CPU's multiply-add rate?
//!
//! Shapes: MiniLM's (width 384, inner 1536, 12 heads of 32), blocks of 48 and 128 rows. One thread,
//! warm, best of many runs. Bound: AVX2 can start two multiply-adds a cycle, so 16 f32 or 32 16-bit
//! products a cycle; at 3.4 GHz that is 54 and 109 G products/s for a core.
//!
//! Run: `cargo bench -p indago-kernels --bench layer`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its table")]

use std::hint::black_box;
use std::time::Instant;

use indago_kernels::product::{PackedF32, PackedI8, QuantizedRows, linear_f32, linear_i8};
use indago_kernels::w8a8::{PackedW8, RowsU8, linear_w8a8};
use indago_kernels::{ByDistance, Heads, Isa, add_layer_norm, attention, gelu, softmax_rows};

/// Shortest of the runs that fit 0.3 s, in seconds.
fn best(mut run: impl FnMut()) -> f64 {
    let start = Instant::now();
    let mut best = f64::INFINITY;
    while start.elapsed().as_secs_f64() < 0.3 {
        let begin = Instant::now();
        run();
        best = best.min(begin.elapsed().as_secs_f64());
    }
    best
}

fn values(n: usize) -> Vec<f32> {
    (0..n)
        .map(|i| ((i * 7919) % 2003) as f32 / 1001.5 - 1.0)
        .collect()
}

fn main() {
    println!("instructions: {}", Isa::active().name());
    println!("{:<34} {:>10} {:>14}", "kernel", "us", "G products/s");
    for (m, n, k) in [
        (48, 1152, 384),
        (128, 1152, 384),
        (48, 384, 384),
        (48, 1536, 384),
        (48, 384, 1536),
    ] {
        let x = values(m * k);
        let codes: Vec<i8> = (0..n * k).map(|i| (i * 31 % 255) as u8 as i8).collect();
        let (scales, bias) = (vec![0.01; n], vec![0.1; n]);
        let mut out = vec![0.0; m * n];
        let products = (m * n * k) as f64 / 1e9;

        let Ok(int8) = PackedI8::pack(&codes, &scales, k) else {
            return;
        };
        let mut rows = QuantizedRows::default();
        rows.fill(&x, k);
        let s = best(|| linear_i8(black_box(&rows), &int8, &bias, black_box(&mut out)));
        report(&format!("linear_i8 {m} x {n} x {k}"), s, products);

        let Ok(bytes) = PackedW8::pack(&codes, &scales, k, 255) else {
            return;
        };
        let mut narrow = RowsU8::default();
        narrow.fill(&x, k, 255);
        let s = best(|| linear_w8a8(black_box(&narrow), &bytes, &bias, black_box(&mut out)));
        report(&format!("linear_w8a8 {m} x {n} x {k}"), s, products);

        let Ok(float) = PackedF32::pack(&values(n * k), k) else {
            return;
        };
        let s = best(|| linear_f32(black_box(&x), &float, &bias, black_box(&mut out)));
        report(&format!("linear_f32 {m} x {n} x {k}"), s, products);

        let s = best(|| rows.fill(black_box(&x), k));
        report(&format!("quantize {m} x {k}"), s, (m * k) as f64 / 1e9);
    }
    let heads = Heads { count: 12, dim: 32 };
    for len in [16, 128, 256] {
        let qkv = values(len * 3 * 384);
        let (mut scratch, mut out) = (Vec::new(), vec![0.0; len * 384]);
        let s = best(|| {
            attention(
                black_box(&qkv),
                heads,
                len,
                0..len,
                ByDistance::NOTHING,
                &mut scratch,
                black_box(&mut out),
            );
        });
        report(
            &format!("attention {len}"),
            s,
            (2 * len * len * 384) as f64 / 1e9,
        );
    }
    println!("{:<34} {:>10} {:>14}", "kernel", "us", "G values/s");
    let source = values(12 * 1536);
    let mut x = source.clone();
    let s = best(|| {
        x.copy_from_slice(&source);
        gelu(black_box(&mut x));
    });
    report("gelu 12 x 1536 (and a copy)", s, x.len() as f64 / 1e9);
    let s = best(|| softmax_rows(black_box(&mut x), 128, 1.0));
    report("softmax 144 x 128", s, x.len() as f64 / 1e9);
    let (gain, bias) = (vec![1.0; 384], vec![0.0; 384]);
    let s = best(|| add_layer_norm(black_box(&mut x), &source, &gain, &bias, 1e-12));
    report("add_layer_norm 48 x 384", s, x.len() as f64 / 1e9);
}

fn report(name: &str, seconds: f64, giga: f64) {
    println!(
        "{name:<34} {:>10.1} {:>14.2}",
        seconds * 1e6,
        giga / seconds
    );
}
