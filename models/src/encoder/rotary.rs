//! Positions as turns of queries and keys (Su et al. 2021, "RoFormer"): the product of two turned
//! vectors depends on how far apart they stand.

use indago_kernels::Heads;

/// Cosines and sines of each position's angles, `[positions, head / 2]`.
#[derive(Debug)]
pub(super) struct Turns {
    pairs: usize,
    cosines: Vec<f32>,
    sines: Vec<f32>,
}

impl Turns {
    /// Turns of `positions` places by `frequencies`, the angles from one place to the next.
    pub(super) fn new(frequencies: &[f32], positions: usize) -> Self {
        // The angle is rounded as models are trained with it, its functions are not.
        let angle = |at: usize| frequencies.iter().map(move |f| f64::from(f * at as f32));
        let all = |function: fn(f64) -> f64| {
            let angles = (0..positions).flat_map(angle);
            angles.map(|angle| function(angle) as f32).collect()
        };
        Self {
            pairs: frequencies.len(),
            cosines: all(f64::cos),
            sines: all(f64::sin),
        }
    }

    /// Turns the queries and keys in rows `[query, key, value]` of tokens that stand at `first` and
    /// the places behind it.
    pub(super) fn apply(&self, qkv: &mut [f32], heads: Heads, first: usize) {
        let Heads { count, dim } = heads;
        let places = self
            .cosines
            .chunks_exact(self.pairs)
            .zip(self.sines.chunks_exact(self.pairs))
            .skip(first);
        for (row, (cosines, sines)) in qkv.chunks_exact_mut(3 * count * dim).zip(places) {
            for head in row[..2 * count * dim].chunks_exact_mut(dim) {
                let (xs, ys) = head.split_at_mut(self.pairs);
                let angles = cosines.iter().zip(sines);
                for ((x, y), (cos, sin)) in xs.iter_mut().zip(ys).zip(angles) {
                    (*x, *y) = (*x * cos - *y * sin, *y * cos + *x * sin);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: Heads = Heads { count: 2, dim: 4 };

    #[test]
    fn a_quarter_turn_swaps_the_halves_of_a_head() {
        let turns = Turns::new(&[std::f32::consts::FRAC_PI_2, 0.0], 2);
        let row: Vec<f32> = (1..=24_u8).map(f32::from).collect();
        let mut turned = [row.clone(), row.clone()].concat();
        turns.apply(&mut turned, HEADS, 0);
        assert_eq!(turned[..24], row);
        let want = [
            -3.0, 2.0, 1.0, 4.0, -7.0, 6.0, 5.0, 8.0, -11.0, 10.0, 9.0, 12.0,
        ];
        for (got, want) in turned[24..].iter().zip(want) {
            assert!((got - want).abs() < 1e-5, "{got} {want}");
        }
        // Values stay.
        assert_eq!(turned[40..], row[16..]);
    }

    #[test]
    fn products_depend_on_the_distance_alone() {
        let turns = Turns::new(&[1.0, 0.03], 40);
        let row: Vec<f32> = (0..24).map(|i| (i as f32).sin()).collect();
        let at = |place: usize| {
            let mut row = row.clone();
            turns.apply(&mut row, HEADS, place);
            row
        };
        let product = |query: usize, key: usize| -> f32 {
            let (query, key) = (at(query), at(key));
            query[..4].iter().zip(&key[8..12]).map(|(x, y)| x * y).sum()
        };
        assert!((product(3, 10) - product(30, 37)).abs() < 1e-4);
        assert!((product(3, 10) - product(10, 3)).abs() > 1e-3);
    }
}
