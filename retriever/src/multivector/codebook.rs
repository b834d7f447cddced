//! Codewords for the bytes of residuals.
//!
//! A byte holds the number of one of 256 codewords, each of 8, 4, 2 or 1 neighbouring values, so 1,
//! 2, 4 or 8 bits a value. Codewords start as all combinations of the levels that are best for single
//! values (Lloyd 1982, "Least squares quantization in PCM"; Max 1960, "Quantizing for minimum
//! distortion") and are moved to where the values are (Linde, Buzo and Gray 1980): as values of a bell
//! curve rarely are all large, fewer words are wasted on corners, at the same bits.

use indago_core::Cancel;
use indago_kernels::product::{PackedF32, linear_f32};
use indago_kernels::scan::ScanError;
use indago_kernels::unpack::WORDS;

/// Rounds over all values for the levels of single ones, and for codewords.
const ROUNDS: (usize, usize) = (100, 12);
/// Vectors that look for their codeword together.
const BATCH: usize = 64;

/// 256 codewords.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Codebook {
    /// Values of a codeword.
    pub(super) width: usize,
    /// `[256, width]`.
    pub(super) words: Vec<f32>,
}

/// The `n` levels that `sorted` values are rounded to with least squared error, as far as moving
/// levels to the means of what is nearest to them leads, from the means of equal shares.
pub(super) fn lloyd_max(sorted: &[f32], n: usize) -> Vec<f32> {
    let mut sums = Vec::with_capacity(sorted.len() + 1);
    let mut sum = 0.0_f64;
    sums.push(sum);
    for value in sorted {
        sum += f64::from(*value);
        sums.push(sum);
    }
    let mut ends: Vec<usize> = (1..=n).map(|i| i * sorted.len() / n).collect();
    let mut levels: Vec<f32> = (0..n)
        .map(|i| sorted.get(i * sorted.len() / n).copied().unwrap_or(0.0))
        .collect();
    for _ in 0..=ROUNDS.0 {
        let mut start = 0;
        for (level, &end) in levels.iter_mut().zip(&ends) {
            if end > start {
                *level = ((sums[end] - sums[start]) / (end - start) as f64) as f32;
            }
            start = end;
        }
        let last = ends.clone();
        for (end, pair) in ends.iter_mut().zip(levels.windows(2)) {
            let cut = f32::midpoint(pair[0], pair[1]);
            *end = sorted.partition_point(|value| *value <= cut);
        }
        if ends == last {
            break;
        }
    }
    levels
}

impl Codebook {
    /// Learns codewords of `8 / bits` values from `rows` (`[rows, dim]`).
    pub(super) fn train(
        rows: &[f32],
        dim: usize,
        bits: usize,
        cancel: &Cancel,
    ) -> Result<Self, ScanError> {
        let width = 8 / bits;
        let mut sorted = rows.to_vec();
        sorted.sort_unstable_by(f32::total_cmp);
        let levels = lloyd_max(&sorted, 1 << bits);
        let mask = levels.len() - 1;
        let level = |byte: usize, i: usize| levels[(byte >> (i * bits)) & mask];
        let mut book = Self {
            width,
            words: (0..WORDS)
                .flat_map(|byte| (0..width).map(move |i| (byte, i)))
                .map(|(byte, i)| level(byte, i))
                .collect(),
        };
        if width == 1 || rows.is_empty() {
            return Ok(book);
        }
        let mut vectors = Vec::with_capacity(rows.len().next_multiple_of(width));
        for row in rows.chunks_exact(dim) {
            // Ends of rows that fill no codeword say nothing about whole ones.
            vectors.extend_from_slice(&row[..dim / width * width]);
        }
        let mut least = f64::INFINITY;
        let mut best = book.clone();
        for round in 0..=ROUNDS.1 {
            let (error, next) = book.moved(&vectors, 2 * round < ROUNDS.1, cancel)?;
            if error < least {
                (least, best) = (error, book);
            }
            book = next;
        }
        Ok(best)
    }

    /// The squared error of the codewords, and each at the mean of what is nearest to it. Words that
    /// hardly any vector is nearest to go where the error is largest, where they may.
    fn moved(
        &self,
        vectors: &[f32],
        may_go: bool,
        cancel: &Cancel,
    ) -> Result<(f64, Self), ScanError> {
        let width = self.width;
        let mut bytes = Vec::with_capacity(vectors.len() / width);
        self.encode(vectors, &mut bytes, cancel)?;
        let mut sums = vec![0.0_f64; WORDS * width];
        let mut counts = [0_u32; WORDS];
        let mut errors = [0.0_f64; WORDS];
        for (vector, &byte) in vectors.chunks_exact(width).zip(&bytes) {
            let byte = usize::from(byte);
            counts[byte] += 1;
            let sums = &mut sums[byte * width..][..width];
            for ((sum, x), word) in sums.iter_mut().zip(vector).zip(self.word(byte as u8)) {
                *sum += f64::from(*x);
                errors[byte] += f64::from(x - word).powi(2);
            }
        }
        let mut next = self.clone();
        let means = sums.chunks_exact(width).zip(counts);
        for (word, (sum, count)) in next.words.chunks_exact_mut(width).zip(means) {
            if count > 0 {
                for (x, sum) in word.iter_mut().zip(sum) {
                    *x = (sum / f64::from(count)) as f32;
                }
            }
        }
        if may_go {
            let few = (bytes.len() / WORDS / 8) as u32;
            let mut wide: Vec<usize> = (0..WORDS).filter(|&i| counts[i] > 2 * few).collect();
            wide.sort_by(|&a, &b| errors[b].total_cmp(&errors[a]));
            let idle = (0..WORDS).filter(|&i| counts[i] <= few);
            for (to, from) in idle.zip(wide) {
                // Beside the mean, at the distance that errors there have.
                let apart = (errors[from] / f64::from(counts[from].max(1)) / width as f64).sqrt();
                for i in 0..width {
                    next.words[to * width + i] = next.words[from * width + i] + 0.5 * apart as f32;
                }
            }
        }
        Ok((errors.iter().sum(), next))
    }

    /// The values of a codeword.
    pub(super) fn word(&self, byte: u8) -> &[f32] {
        let at = usize::from(byte) * self.width;
        self.words.get(at..at + self.width).unwrap_or(&[])
    }

    /// Appends the number of the nearest codeword of each of `vectors` (`[n, width]`), the first of
    /// equals.
    pub(super) fn encode(
        &self,
        vectors: &[f32],
        bytes: &mut Vec<u8>,
        cancel: &Cancel,
    ) -> Result<(), ScanError> {
        let packed = PackedF32::pack(&self.words, self.width)?;
        // The nearest has the largest v . w - |w|^2 / 2.
        let words = self.words.chunks_exact(self.width);
        let half: Vec<f32> = words
            .map(|word| -0.5 * word.iter().map(|x| x * x).sum::<f32>())
            .collect();
        let mut scores = vec![0.0; BATCH * WORDS];
        for (i, batch) in vectors.chunks(BATCH * self.width).enumerate() {
            if i % 256 == 0 {
                cancel.check()?;
            }
            let scores = &mut scores[..batch.len() / self.width * WORDS];
            linear_f32(batch, &packed, &half, scores);
            let (rows, _) = scores.as_chunks::<WORDS>();
            bytes.extend(rows.iter().map(largest));
        }
        Ok(())
    }
}

/// The place of the largest value, the first of equals; 0 when none is a number.
fn largest(scores: &[f32; WORDS]) -> u8 {
    let (lanes, _) = scores.as_chunks::<16>();
    let mut best = [f32::NEG_INFINITY; 16];
    for lane in lanes {
        for (best, &x) in best.iter_mut().zip(lane) {
            *best = if x > *best { x } else { *best };
        }
    }
    let best = best.into_iter().fold(f32::NEG_INFINITY, f32::max);
    let lane = lanes.iter().position(|lane| lane.contains(&best));
    let lane = lane.unwrap_or(0);
    let within = lanes[lane].iter().position(|x| *x == best).unwrap_or(0);
    (16 * lane + within) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Values of the normal distribution at even steps of its share: no luck in it.
    fn normal(n: usize) -> Vec<f32> {
        let mut state = 7_u64;
        let mut unit = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
        };
        (0..n)
            .map(|_| {
                let radius = (-2.0 * unit().ln()).sqrt();
                (radius * (std::f64::consts::TAU * unit()).cos()) as f32
            })
            .collect()
    }

    fn error_of_levels(values: &[f32], levels: &[f32]) -> f64 {
        let nearest = |x: &f32| {
            let all = levels.iter().map(|level| f64::from(x - level).powi(2));
            all.fold(f64::INFINITY, f64::min)
        };
        values.iter().map(nearest).sum::<f64>() / values.len() as f64
    }

    fn error_of_words(values: &[f32], book: &Codebook) -> f64 {
        let mut bytes = Vec::new();
        book.encode(values, &mut bytes, &Cancel::new()).unwrap();
        let vectors = values.chunks_exact(book.width).zip(bytes);
        let squares = vectors.flat_map(|(vector, byte)| {
            let pairs = vector.iter().zip(book.word(byte));
            pairs.map(|(a, b)| f64::from(a - b).powi(2))
        });
        squares.sum::<f64>() / values.len() as f64
    }

    /// Each share of equal size is rounded to its mean.
    fn error_of_shares(sorted: &[f32], n: usize) -> f64 {
        let mut error = 0.0;
        for i in 0..n {
            let share = &sorted[i * sorted.len() / n..(i + 1) * sorted.len() / n];
            let mean = share.iter().sum::<f32>() / share.len().max(1) as f32;
            error += share
                .iter()
                .map(|x| f64::from(x - mean).powi(2))
                .sum::<f64>();
        }
        error / sorted.len() as f64
    }

    /// Max 1960, table I: 2, 4 and 16 levels of the normal distribution lose 0.3634, 0.1175 and
    /// 0.009497 of the variance; words of several values at the same bits lose less.
    #[test]
    fn levels_of_the_normal_distribution_lose_what_max_published_and_words_less() {
        let values = normal(1 << 17);
        let mut sorted = values.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        for (bits, published, of_words) in [
            (1, 0.3634, 0.34),
            (2, 0.1175, 0.105),
            (4, 0.009_497, 0.0084),
        ] {
            let levels = lloyd_max(&sorted, 1 << bits);
            let error = error_of_levels(&values, &levels);
            assert!((error / published - 1.0).abs() < 0.03, "{bits}: {error}");
            let book = Codebook::train(&values, 64, bits, &Cancel::new()).unwrap();
            let words = error_of_words(&values, &book);
            assert!(words < of_words, "{bits} bits: {words} beside {error}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn no_values_lose_more_than_in_equal_shares(
            values in prop::collection::vec(-2.0_f32..2.0, 1..300),
            power in 1..4_i32,
            bits in prop::sample::select(vec![1_usize, 2, 4, 8]),
        ) {
            let values: Vec<f32> = values.iter().map(|x| x.powi(power)).collect();
            let mut sorted = values.clone();
            sorted.sort_unstable_by(f32::total_cmp);
            let levels = lloyd_max(&sorted, 1 << bits);
            let error = error_of_levels(&values, &levels);
            let shares = error_of_shares(&sorted, 1 << bits);
            prop_assert!(error <= shares * 1.0001 + 1e-9, "{} above {}", error, shares);
            let width = 8 / bits;
            let whole = values.len() / width * width;
            if whole > 0 {
                let values = &values[..whole];
                let book = Codebook::train(values, width, bits, &Cancel::new()).unwrap();
                let mut sorted = values.to_vec();
                sorted.sort_unstable_by(f32::total_cmp);
                let error = error_of_levels(values, &lloyd_max(&sorted, 1 << bits));
                let words = error_of_words(values, &book);
                prop_assert!(words <= error * 1.0001 + 1e-6, "{} above {}", words, error);
            }
        }
    }
}
