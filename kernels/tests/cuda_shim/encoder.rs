//! The encoder's forward pass against the references of its pieces.

use indago_core::Cancel;
use indago_kernels::cuda::{
    Arithmetic, EncoderLayer, EncoderShape, EncoderWeights, Float16, GpuEncoder, Launcher as _,
    Linear, Norm, Pooling, Products, ScoreHead, Sequence, in_batches,
};
use indago_kernels::{ByDistance, Heads, reference};
use proptest::prelude::*;

use super::anywhere::Host;

/// Longest sequence.
const POSITIONS: usize = 131;

/// Both formats, each by our own kernels and, on a device that has one, by its library.
fn arithmetics() -> Vec<Arithmetic> {
    let host = Host {
        order: 0,
        blocks: 1,
    };
    let ways = match host.library() {
        Ok(_) => vec![Products::Own, Products::Library],
        Err(_) => vec![Products::Own],
    };
    let formats = [Float16::F16, Float16::Bf16];
    let all = formats.into_iter().flat_map(|format| {
        let ways = ways.iter();
        ways.map(move |&products| Arithmetic { format, products })
    });
    all.collect()
}

/// How far from 1 a cosine may be: activations of 11 bits, or of 8.
fn apart(arithmetic: Arithmetic) -> f32 {
    match arithmetic.format {
        Float16::F16 => 1e-4,
        Float16::Bf16 => 4e-3,
    }
}

/// A small generator, so that the weights are the same everywhere.
struct Random(u64);

impl Random {
    /// `n` values around zero, rounded to 16 bits as the device keeps them.
    fn values(&mut self, n: usize, size: f32) -> Vec<f32> {
        (0..n)
            .map(|_| {
                self.0 = self
                    .0
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let unit = (self.0 >> 40) as f32 / (1_u64 << 24) as f32 - 0.5;
                half::f16::from_f32(2.0 * size * unit).to_f32()
            })
            .collect()
    }

    fn linear(&mut self, outputs: usize, inputs: usize) -> Linear<Vec<f32>> {
        Linear {
            weights: self.values(outputs * inputs, 1.0 / (inputs as f32).sqrt()),
            bias: self.values(outputs, 0.1),
        }
    }

    fn norm(&mut self, width: usize) -> Norm<Vec<f32>> {
        Norm {
            gain: self.values(width, 0.2).iter().map(|x| 1.0 + x).collect(),
            bias: self.values(width, 0.1),
        }
    }
}

fn weights(shape: EncoderShape, layers: usize) -> EncoderWeights<Vec<f32>> {
    let mut random = Random(7);
    let h = shape.hidden;
    EncoderWeights {
        words: random.values(50 * h, 0.5),
        positions: random.values(shape.types * POSITIONS * h, 0.2),
        norm: random.norm(h),
        layers: (0..layers)
            .map(|_| EncoderLayer {
                qkv: random.linear(3 * h, h),
                out: random.linear(h, h),
                out_norm: random.norm(h),
                up: random.linear(shape.inner, h),
                down: random.linear(h, shape.inner),
                down_norm: random.norm(h),
            })
            .collect(),
    }
}

fn single(values: Vec<f64>) -> Vec<f32> {
    values.into_iter().map(|x| x as f32).collect()
}

fn apply(layer: &Linear<Vec<f32>>, x: &[f32]) -> Vec<f32> {
    let inputs = layer.weights.len() / layer.bias.len();
    single(reference::linear_f32(
        x,
        &layer.weights,
        inputs,
        &layer.bias,
    ))
}

/// The same pass in 32 bits, from the references of this crate: the last layer's token vectors.
fn states(
    shape: EncoderShape,
    weights: &EncoderWeights<Vec<f32>>,
    Sequence { ids, second }: Sequence<'_>,
) -> Vec<f32> {
    let h = shape.hidden;
    let add_norm = |x: &[f32], added: &[f32], norm: &Norm<Vec<f32>>| {
        let rows = x.chunks_exact(h).zip(added.chunks_exact(h));
        let normed = rows.flat_map(|(x, added)| {
            reference::add_layer_norm(x, added, &norm.gain, &norm.bias, shape.eps)
        });
        single(normed.collect())
    };
    let words: Vec<f32> = ids
        .iter()
        .flat_map(|&id| weights.words[id as usize * h..][..h].to_vec())
        .collect();
    let places: Vec<f32> = (0..ids.len())
        .flat_map(|i| {
            let row = if i < second { i } else { POSITIONS + i };
            weights.positions[row * h..][..h].to_vec()
        })
        .collect();
    let mut x = add_norm(&words, &places, &weights.norm);
    let heads = Heads {
        count: shape.heads,
        dim: h / shape.heads,
    };
    for layer in &weights.layers {
        let context = single(reference::attention(
            &apply(&layer.qkv, &x),
            heads,
            ids.len(),
            ByDistance::NOTHING,
        ));
        x = add_norm(&x, &apply(&layer.out, &context), &layer.out_norm);
        let inner = apply(&layer.up, &x)
            .into_iter()
            .map(reference::gelu)
            .collect();
        x = add_norm(&x, &apply(&layer.down, &single(inner)), &layer.down_norm);
    }
    x
}

fn plain(
    shape: EncoderShape,
    weights: &EncoderWeights<Vec<f32>>,
    ids: &[u32],
    pooling: Pooling,
) -> Vec<f32> {
    let x = states(shape, weights, ids.into());
    let pooled = match pooling {
        Pooling::Mean => single(reference::mean_rows(&x, shape.hidden)),
        Pooling::First => x[..shape.hidden].to_vec(),
        Pooling::Max => (0..shape.hidden)
            .map(|c| x[c..].iter().step_by(shape.hidden))
            .map(|column| column.copied().fold(f32::NEG_INFINITY, f32::max))
            .collect(),
    };
    single(reference::l2_normalize(&pooled))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Lengths 0, 1, a prime, just past a warp and a tile of 64 rows; widths below and just past a
    /// tile of 128 columns.
    #[test]
    fn the_forward_pass_equals_its_pieces_in_every_shape(
        (hidden, heads) in prop::sample::select(vec![(8, 1), (24, 3), (64, 2), (72, 3), (136, 2)]),
        inner in prop::sample::select(vec![8_usize, 40, 136]),
        lengths in prop::collection::vec(
            prop::sample::select(vec![0_usize, 1, 2, 13, 31, 33, 65]), 0..4),
        pooling in prop::sample::select(vec![Pooling::Mean, Pooling::First, Pooling::Max]),
        order in 0_u32..5,
        blocks in 1_u32..3,
        arithmetic in prop::sample::select(arithmetics()),
    ) {
        let shape = EncoderShape { hidden, heads, inner, types: 1, eps: 1e-12 };
        let weights = weights(shape, 1);
        let host = Host { order, blocks };
        let ids: Vec<Vec<u32>> = lengths.iter()
            .map(|&n| (0..n as u32).map(|i| i * 7 % 50).collect()).collect();
        let sequences: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
        let encoder = GpuEncoder::new(&host, shape, &weights, arithmetic).unwrap();
        let found = encoder.encode(&host, &texts(&sequences), pooling).unwrap();
        prop_assert_eq!(found.len(), ids.len() * hidden);
        for (ids, vector) in ids.iter().zip(found.chunks_exact(hidden)) {
            if ids.is_empty() {
                prop_assert!(vector.iter().all(|&x| x == 0.0));
                continue;
            }
            let expected = plain(shape, &weights, ids, pooling);
            let cosine: f32 = expected.iter().zip(vector).map(|(a, b)| a * b).sum();
            let least = 1.0 - apart(arithmetic);
            prop_assert!(cosine > least, "{} {}: {}", encoder.describe(), ids.len(), cosine);
        }
    }
}

/// `ids` as sequences of one text.
fn texts<'a>(ids: &[&'a [u32]]) -> Vec<Sequence<'a>> {
    ids.iter().map(|&ids| ids.into()).collect()
}

#[test]
fn the_forward_pass_equals_its_pieces() {
    let shapes = [(64, 2, 136), (96, 3, 64)];
    let cases = arithmetics()
        .into_iter()
        .flat_map(|a| shapes.map(|s| (a, s)));
    for (arithmetic, (hidden, heads, inner)) in cases {
        let shape = EncoderShape {
            hidden,
            heads,
            inner,
            types: 1,
            eps: 1e-12,
        };
        let weights = weights(shape, 2);
        for order in [0, 1, 7] {
            let host = Host { order, blocks: 2 };
            let encoder = GpuEncoder::new(&host, shape, &weights, arithmetic).unwrap();
            let long: Vec<u32> = (0..37).map(|i| i * 11 % 50).collect();
            let sequences: [&[u32]; 4] = [&[3, 1, 4, 1, 5], &[9], &[], &long];
            let found = encoder
                .encode(&host, &texts(&sequences), Pooling::Mean)
                .unwrap();
            for (ids, vector) in sequences.iter().zip(found.chunks_exact(hidden)) {
                if ids.is_empty() {
                    assert!(vector.iter().all(|&x| x == 0.0));
                    continue;
                }
                let expected = plain(shape, &weights, ids, Pooling::Mean);
                let cosine: f32 = expected.iter().zip(vector).map(|(a, b)| a * b).sum();
                let (least, how) = (1.0 - apart(arithmetic) / 2.0, encoder.describe());
                assert!(
                    cosine > least,
                    "{how} {hidden} {order} {}: {cosine}",
                    ids.len()
                );
            }
        }
    }
}

#[test]
fn ids_and_lengths_beyond_the_model_are_refused() {
    let shape = EncoderShape {
        hidden: 32,
        heads: 1,
        inner: 32,
        types: 1,
        eps: 1e-12,
    };
    let host = Host {
        order: 0,
        blocks: 1,
    };
    let encoder = GpuEncoder::new(&host, shape, &weights(shape, 1), Arithmetic::default()).unwrap();
    assert!(
        encoder
            .encode(&host, &texts(&[&[50]]), Pooling::Mean)
            .is_err()
    );
    assert!(
        encoder
            .encode(&host, &texts(&[&[1; POSITIONS + 1]]), Pooling::Mean)
            .is_err()
    );
    assert!(
        encoder
            .encode(&host, &[], Pooling::Mean)
            .unwrap()
            .is_empty()
    );
    let odd = EncoderShape {
        hidden: 33,
        ..shape
    };
    assert!(GpuEncoder::new(&host, odd, &weights(shape, 1), Arithmetic::default()).is_err());
}

#[test]
fn pairs_are_scored_as_their_pieces_say() {
    arithmetics().into_iter().for_each(pairs_are_scored);
}

fn pairs_are_scored(arithmetic: Arithmetic) {
    let shape = EncoderShape {
        hidden: 64,
        heads: 2,
        inner: 72,
        types: 2,
        eps: 1e-12,
    };
    let weights = weights(shape, 2);
    let mut random = Random(11);
    let head = ScoreHead {
        pooler: Some(random.linear(64, 64)),
        classifier: random.linear(1, 64),
    };
    let ids = [
        vec![3_u32, 1, 4, 1, 5, 9, 2],
        vec![7],
        (0..33).map(|i| i * 7 % 50).collect::<Vec<_>>(),
    ];
    let pairs: Vec<Sequence<'_>> = ids
        .iter()
        .zip([3, 1, 20])
        .map(|(ids, second)| Sequence { ids, second })
        .collect();
    let host = Host {
        order: 3,
        blocks: 2,
    };
    let encoder = GpuEncoder::new(&host, shape, &weights, arithmetic).unwrap();
    for with_pooler in [true, false] {
        let head = ScoreHead {
            pooler: head.pooler.clone().filter(|_| with_pooler),
            ..head.clone()
        };
        let on_device = encoder.head(&host, &head).unwrap();
        let found = in_batches(&pairs, 20, &Cancel::new(), |batch| {
            encoder.score(&host, &on_device, batch)
        })
        .unwrap();
        for (pair, found) in pairs.iter().zip(found) {
            let x = states(shape, &weights, *pair);
            let mut first = x[..64].to_vec();
            if let Some(pooler) = &head.pooler {
                first = apply(pooler, &first).iter().map(|x| x.tanh()).collect();
            }
            let expected = apply(&head.classifier, &first)[0];
            // Activations through two layers: about 11 bits a value, or 8.
            let most = match arithmetic.format {
                Float16::F16 => 4e-3,
                Float16::Bf16 => 4e-2,
            };
            assert!(
                (found - expected).abs() < most,
                "{arithmetic:?} {found} {expected}"
            );
        }
    }
    // The second text's type shows.
    let as_one: Vec<Sequence<'_>> = ids.iter().map(|ids| ids.as_slice().into()).collect();
    let on_device = encoder.head(&host, &head).unwrap();
    let (two, one) = (
        encoder.score(&host, &on_device, &pairs).unwrap(),
        encoder.score(&host, &on_device, &as_one).unwrap(),
    );
    assert!((two[0] - one[0]).abs() > 1e-4);
    assert_eq!(two[1], one[1]);
}

/// f16 ends at 65,504: what overflows there is no number from then on, and in bf16 it is.
#[test]
fn values_beyond_f16_are_numbers_in_bf16() {
    let shape = EncoderShape {
        hidden: 64,
        heads: 2,
        inner: 72,
        types: 1,
        eps: 1e-12,
    };
    let mut weights = weights(shape, 1);
    let large = 2.0_f32.powi(18);
    let Linear { weights: up, bias } = &mut weights.layers[0].up;
    for x in up.iter_mut().chain(bias) {
        *x *= large;
    }
    let down = &mut weights.layers[0].down.weights;
    for x in down {
        *x /= large;
    }
    let host = Host {
        order: 0,
        blocks: 2,
    };
    let ids: Vec<u32> = (0..9).collect();
    for arithmetic in arithmetics() {
        let encoder = GpuEncoder::new(&host, shape, &weights, arithmetic).unwrap();
        let found = encoder
            .encode(&host, &texts(&[&ids]), Pooling::Mean)
            .unwrap();
        let expected = plain(shape, &weights, &ids, Pooling::Mean);
        let cosine: f32 = expected.iter().zip(&found).map(|(a, b)| a * b).sum();
        let alike = cosine > 1.0 - apart(arithmetic);
        assert_eq!(
            alike,
            arithmetic.format == Float16::Bf16,
            "{arithmetic:?} {cosine}"
        );
    }
}
