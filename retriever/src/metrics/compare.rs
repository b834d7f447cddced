//! Is one system better than another, and how sure are we of a mean?
//!
//! The paired randomisation test (Fisher; Smucker, Allan and Carterette, CIKM 2007): under the
//! null hypothesis the two values of a query might as well have been swapped. Random numbers come
//! from a seed, so that equal inputs give equal answers.

use std::collections::BTreeMap;

/// Rounds of randomisation and resampling: a p-value near 0.05 has a standard error of 0.002.
const ROUNDS: u32 = 10_000;

/// What a paired comparison found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Queries that both have.
    pub queries: usize,
    /// Mean of the first minus mean of the second, over those.
    pub difference: f64,
    /// Probability of a difference at least as large in either direction, were the systems alike.
    pub p_value: f64,
}

/// Compares two systems' values per query.
pub fn compare(a: &BTreeMap<String, f64>, b: &BTreeMap<String, f64>, seed: u64) -> Comparison {
    let pairs = a
        .iter()
        .filter_map(|(query, x)| b.get(query).map(|y| x - y));
    let differences: Vec<f64> = pairs.collect();
    let n = differences.len();
    let observed: f64 = differences.iter().sum();
    let mut random = SplitMix(seed);
    let mut as_large = 1u32;
    for _ in 0..ROUNDS {
        let sum: f64 = differences
            .iter()
            .map(|d| if random.next() & 1 == 0 { *d } else { -d })
            .sum();
        // Sums of the same numbers in another order differ in the last bits.
        as_large += u32::from(sum.abs() >= observed.abs() - 1e-9);
    }
    Comparison {
        queries: n,
        difference: if n == 0 { 0.0 } else { observed / n as f64 },
        p_value: f64::from(as_large) / f64::from(ROUNDS + 1),
    }
}

/// A mean with the range that holds it with 95% confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// 2.5th percentile of the resampled means.
    pub low: f64,
    /// 97.5th percentile of the resampled means.
    pub high: f64,
}

/// The percentile bootstrap over queries (Efron 1979).
pub fn bootstrap(values: &BTreeMap<String, f64>, seed: u64) -> Interval {
    let values: Vec<f64> = values.values().copied().collect();
    let n = values.len();
    if n == 0 {
        return Interval {
            mean: 0.0,
            low: 0.0,
            high: 0.0,
        };
    }
    let mut random = SplitMix(seed);
    let mut means: Vec<f64> = (0..ROUNDS)
        .map(|_| (0..n).map(|_| values[random.below(n)]).sum::<f64>() / n as f64)
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| means[((means.len() - 1) as f64 * share).round() as usize];
    Interval {
        mean: values.iter().sum::<f64>() / n as f64,
        low: at(0.025),
        high: at(0.975),
    }
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): enough for shuffling signs.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; the bias of the multiplication is under 2^-32 for any `n` used here.
    fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(of: impl Fn(u32) -> f64) -> BTreeMap<String, f64> {
        (0..200).map(|i| (format!("q{i}"), of(i))).collect()
    }

    #[test]
    fn a_clear_difference_is_significant_and_noise_is_not() {
        let noisy = |i: u32| f64::from(i * 7919 % 101) / 101.0;
        let a = values(noisy);
        let better = values(|i| noisy(i) + if i % 5 == 0 { -0.05 } else { 0.1 });
        let shuffled = values(|i| noisy(i) + if i % 2 == 0 { 0.1 } else { -0.1 });
        let found = compare(&better, &a, 1);
        assert!(
            found.p_value < 0.001 && (found.difference - 0.07).abs() < 1e-9,
            "{found:?}"
        );
        assert!(compare(&shuffled, &a, 1).p_value > 0.5);
        assert_eq!(compare(&a, &a, 1).p_value, 1.0);
        assert_eq!(compare(&a, &BTreeMap::new(), 1).queries, 0);
    }

    #[test]
    fn an_interval_is_as_wide_as_theory_says() {
        let coin = values(|i| f64::from(i % 2));
        let interval = bootstrap(&coin, 7);
        // Standard error of a share of one half over 200 queries: 0.0354.
        assert_eq!(interval.mean, 0.5);
        assert!(
            (interval.high - interval.low - 2.0 * 1.96 * 0.0354).abs() < 0.02,
            "{interval:?}"
        );
        assert_eq!(bootstrap(&BTreeMap::new(), 7).mean, 0.0);
    }
}
