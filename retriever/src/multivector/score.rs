//! Full scores from codes, without decoding tokens.
//!
//! A stored token is `a * centroid + b * shape`, so its product with a token of the query is `a`
//! times that centroid's, which is known once for all passages, plus `b` times the shape's. The
//! shape's is a product of 8-bit codes: the query's tokens rounded to 8 bits are the weights of
//! [`linear_w8a8`], and what the bytes of residuals stand for are its activations.

use indago_core::Cancel;
use indago_core::ports::Matrix;
use indago_kernels::quantize::push_row_i8;
use indago_kernels::scan::ScanError;
use indago_kernels::unpack::ByteCodes;
use indago_kernels::w8a8::{PackedW8, RowsU8, linear_w8a8};
use rayon::prelude::*;

use super::index::Index;

/// Largest code of shapes: groups of four full codes of the query rarely leave 16 bits with it.
const LEVELS: u8 = 127;
/// Passages between two looks at whether the search was cancelled.
const GROUP: usize = 64;
/// Fewest multiplications worth waking another thread for.
const GRAIN: usize = 1 << 23;

/// A query to be compared with codes.
pub(super) struct ByCodes<'a> {
    index: &'a Index,
    /// `[centroids, query tokens]`.
    table: &'a [f32],
    /// Tokens of the query.
    n: usize,
    weights: PackedW8,
    bytes: ByteCodes,
    no_bias: Vec<f32>,
}

/// Room that scores of one passage after another are made in.
#[derive(Default)]
struct Room {
    shapes: RowsU8,
    products: Vec<f32>,
    best: Vec<f32>,
}

impl<'a> ByCodes<'a> {
    /// `table` has the scores of centroids; there is at least one token in the query.
    pub(super) fn new(
        index: &'a Index,
        query: &Matrix,
        table: &'a [f32],
    ) -> Result<Self, ScanError> {
        let mut codes = Vec::with_capacity(query.data.len());
        let rows = query.data.chunks_exact(query.dim.max(1));
        let scales: Vec<f32> = rows.map(|row| push_row_i8(row, &mut codes)).collect();
        Ok(Self {
            index,
            table,
            n: query.rows,
            weights: PackedW8::pack(&codes, &scales, query.dim, LEVELS)?,
            bytes: ByteCodes::of(&index.codec.codebook.words, LEVELS)?,
            no_bias: vec![0.0; query.rows],
        })
    }

    /// The sum over query tokens of the best product with any token of a passage: minus infinity
    /// for one without tokens.
    fn score(&self, passage: u32, room: &mut Room) -> f32 {
        let index = self.index;
        let tokens = index.tokens(passage);
        room.best.clear();
        room.best.resize(self.n, f32::NEG_INFINITY);
        room.products.resize(tokens.len() * self.n, 0.0);
        let residuals = index.residuals(tokens.clone());
        room.shapes
            .unpack(residuals, index.codec.dim(), &self.bytes);
        linear_w8a8(
            &room.shapes,
            &self.weights,
            &self.no_bias,
            &mut room.products,
        );
        let products = room.products.chunks_exact(self.n);
        let codes = index.codes[tokens.clone()].iter();
        for ((products, &code), &factors) in products.zip(codes).zip(index.factors(tokens)) {
            let [a, b] = index.codec.factors(factors);
            let centroid = self.table.get(code as usize * self.n..).unwrap_or(&[]);
            let pairs = products.iter().zip(centroid);
            for (best, (product, centroid)) in room.best.iter_mut().zip(pairs) {
                let score = a * centroid + b * product;
                *best = if score > *best { score } else { *best };
            }
        }
        room.best.iter().sum()
    }

    /// Scores some passages, in their order.
    pub(super) fn scores(
        &self,
        passages: &[u32],
        cancel: &Cancel,
    ) -> Result<Vec<(u32, f32)>, ScanError> {
        let of_group = |room: &mut Room, group: &[u32]| -> Result<Vec<(u32, f32)>, ScanError> {
            cancel.check()?;
            let scored = group.iter().map(|&p| (p, self.score(p, room)));
            Ok(scored.collect())
        };
        let tokens: usize = passages.iter().map(|&p| self.index.tokens(p).len()).sum();
        let groups: Vec<Vec<(u32, f32)>> = if tokens * self.n * self.index.codec.dim() < GRAIN {
            let mut room = Room::default();
            let groups = passages.chunks(GROUP);
            groups
                .map(|group| of_group(&mut room, group))
                .collect::<Result<_, _>>()?
        } else {
            let groups = passages.par_chunks(GROUP);
            groups
                .map_init(Room::default, of_group)
                .collect::<Result<_, _>>()?
        };
        Ok(groups.concat())
    }
}

#[cfg(test)]
mod tests {
    use indago_kernels::dot_f32;
    use proptest::prelude::*;

    use super::*;
    use crate::multivector::{Codec, IndexBuilder};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// The query's rounding costs what it costs with the shape as it is, the shape's rounding
        /// one step of the rounded query's size at each value; the rest is f32 arithmetic.
        #[test]
        fn scores_by_codes_are_those_of_decoded_tokens_up_to_what_rounding_may_cost(
            bits in prop::sample::select(vec![1_usize, 2, 4, 8]),
            dim in prop::sample::select(vec![1_usize, 7, 8, 24, 33, 130]),
            n in 1_usize..20,
            sizes in prop::collection::vec(0_usize..9, 1..12),
            seed in any::<u64>(),
        ) {
            let mut state = seed | 1;
            let mut unit_row = || {
                let mut row: Vec<f32> = (0..dim)
                    .map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        (state >> 40) as f32 / 8_388_608.0 - 1.0
                    })
                    .collect();
                indago_kernels::l2_normalize(&mut row);
                row
            };
            let passages: Vec<Vec<f32>> = sizes
                .iter()
                .map(|&size| (0..size).flat_map(|_| unit_row()).collect())
                .collect();
            let data: Vec<f32> = (0..n).flat_map(|_| unit_row()).collect();
            let query = Matrix { rows: n, dim, data };
            let cancel = Cancel::new();
            let all = passages.concat();
            let codec = Codec::train(&all, dim, bits, all.len() / dim / 8, &cancel).unwrap();
            let mut builder = IndexBuilder::new(codec);
            let views: Vec<&[f32]> = passages.iter().map(Vec::as_slice).collect();
            builder.push(&views, &cancel).unwrap();
            let index = builder.finish();
            if index.codec.n_centroids() == 0 {
                return Ok(());
            }
            let table = index.centroid_scores(&query).unwrap();
            let by_codes = ByCodes::new(&index, &query, &table).unwrap();
            let numbers: Vec<u32> = (0..sizes.len() as u32).collect();
            let scores = by_codes.scores(&numbers, &cancel).unwrap();
            let exact = index.max_sim(&query, &numbers, &cancel).unwrap();
            let weights = by_codes.weights.codes();
            let rounded: Vec<Vec<f32>> = weights
                .chunks_exact(dim)
                .zip(by_codes.weights.scales())
                .map(|(codes, scale)| codes.iter().map(|&c| scale * f32::from(c)).collect())
                .collect();
            for ((&(passage, score), exact), size) in scores.iter().zip(exact).zip(&sizes) {
                if *size == 0 {
                    prop_assert_eq!((score, exact), (f32::NEG_INFINITY, f32::NEG_INFINITY));
                    continue;
                }
                let mut bound = 1e-4 * n as f32;
                for (q, rounded) in query.data.chunks_exact(dim).zip(&rounded) {
                    let mut worst = 0.0_f32;
                    for token in index.tokens(passage) {
                        let residual = index.residuals(token..token + 1);
                        let [_, b] = index.codec.factors(index.factors(token..token + 1)[0]);
                        let words = residual.iter().flat_map(|&x| index.codec.codebook.word(x));
                        let shape: Vec<f32> = words.copied().take(dim).collect();
                        let of_query = (dot_f32(q, &shape) - dot_f32(rounded, &shape)).abs();
                        let size: f32 = rounded.iter().map(|x| x.abs()).sum();
                        worst = worst.max(b.abs() * (of_query + size * by_codes.bytes.scale()));
                    }
                    bound += worst;
                }
                let apart = (score - exact * n as f32).abs();
                prop_assert!(apart <= bound, "{} apart, at most {}", apart, bound);
            }
        }
    }
}
