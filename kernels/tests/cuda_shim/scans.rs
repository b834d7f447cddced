//! Scans with top-k against the CPU's own kernels and against brute force.

use indago_core::Cancel;
use indago_kernels::cuda::{DeviceError, MAX_K, Rows, SparseRows};
use indago_kernels::quantize::{Quantized, push_row_bits};
use indago_kernels::scan::{Scored, top_k_f32_where, top_k_i8_where};
use indago_kernels::{AnyRows, Placed, RowsBits, RowsF16, RowsF32, RowsI8};
use proptest::prelude::*;

use super::anywhere::Host;

const HOST: Host = Host {
    order: 0,
    blocks: 3,
};

/// Values that are exact in 16 bits and whose sums are exact in 32, so that every order of adding
/// gives the same score, with many ties, and now and then something that is no number.
fn values(n: usize, odd: bool) -> impl Strategy<Value = Vec<f32>> {
    let value = (0_u32..12_000).prop_map(move |x| match x {
        0..10 if odd => f32::NAN,
        10..15 if odd => f32::INFINITY,
        15..20 if odd => f32::NEG_INFINITY,
        _ => (x % 9) as f32 * 0.25 - 1.0,
    });
    prop::collection::vec(value, n)
}

fn filter_of(n: usize, keep: impl Fn(usize) -> bool) -> Vec<u32> {
    let mut words = vec![0; n.div_ceil(32)];
    (0..n)
        .filter(|&r| keep(r))
        .for_each(|r| words[r / 32] |= 1 << (r % 32));
    words
}

fn brute(
    rows: &[f32],
    queries: &[f32],
    dim: usize,
    k: usize,
    keep: impl Fn(usize) -> bool,
    score: impl Fn(&[f32], &[f32]) -> f32,
) -> Vec<Vec<Scored>> {
    queries
        .chunks_exact(dim)
        .map(|query| {
            let mut all: Vec<Scored> = rows
                .chunks_exact(dim)
                .enumerate()
                .filter(|&(row, _)| keep(row))
                .map(|(row, values)| Scored {
                    row,
                    score: match score(values, query) {
                        none if none.is_nan() => f32::NEG_INFINITY,
                        score => score + 0.0,
                    },
                })
                .collect();
            all.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
            all.truncate(k);
            all
        })
        .collect()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[derive(Clone, Debug)]
struct Case {
    dim: usize,
    rows: Vec<f32>,
    queries: Vec<f32>,
    k: usize,
    order: u32,
    blocks: u32,
    /// Rows whose number is a multiple of this are filtered out; 0 for no filter.
    without: usize,
}

impl Case {
    fn host(&self) -> Host {
        Host {
            order: self.order,
            blocks: self.blocks,
        }
    }

    fn keeps(&self, row: usize) -> bool {
        self.without == 0 || !row.is_multiple_of(self.without)
    }

    fn filter(&self) -> Option<Vec<u32>> {
        let n = self.rows.len() / self.dim;
        (self.without > 0).then(|| filter_of(n, |row| self.keeps(row)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Numbers {
    Only,
    /// In every other case a value in a thousand is NaN or infinite.
    OrNone,
}

/// Lengths 0, 1, a prime, just past a tile; k of 0, 1 and beyond the number of rows.
fn case(most_queries: usize, numbers: Numbers) -> impl Strategy<Value = Case> {
    (
        prop::sample::select(vec![1_usize, 3, 8, 17, 31, 33, 64, 100]),
        prop::sample::select(vec![0_usize, 1, 2, 13, 64, 129, 257]),
        1..=most_queries,
        prop::sample::select(vec![0_usize, 1, 2, 10, 300]),
        0_u32..5,
        1_u32..4,
        0_usize..4,
        any::<bool>(),
    )
        .prop_flat_map(move |(dim, n, q, k, order, blocks, without, odd)| {
            let odd = odd && numbers == Numbers::OrNone;
            (values(dim * n, odd), values(dim * q, odd)).prop_map(move |(rows, queries)| Case {
                dim,
                rows,
                queries,
                k,
                order,
                blocks,
                without,
            })
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn f32_equals_the_cpu(case in case(6, Numbers::OrNone)) {
        let host = case.host();
        let rows = RowsF32::new(&case.rows, case.dim).unwrap();
        let cancel = Cancel::new();
        let expected =
            top_k_f32_where(rows, &case.queries, case.k, |r| case.keeps(r), &cancel).unwrap();
        let found = Rows::f32(&host, rows).unwrap()
            .top_k(&host, &case.queries, case.k, case.filter().as_deref(), &cancel).unwrap();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn f16_equals_brute_force_by_rows_and_by_the_matrix_units(case in case(70, Numbers::OrNone)) {
        let host = case.host();
        let rows = RowsF32::new(&case.rows, case.dim).unwrap();
        let expected =
            brute(&case.rows, &case.queries, case.dim, case.k, |r| case.keeps(r), dot);
        let found = Rows::f16(&host, rows).unwrap()
            .top_k(&host, &case.queries, case.k, case.filter().as_deref(), &Cancel::new()).unwrap();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn int8_equals_the_cpu_bit_for_bit(case in case(6, Numbers::OrNone), seed in any::<u64>()) {
        let host = case.host();
        let codes: Vec<i8> = case.rows.iter().enumerate()
            .map(|(i, x)| ((x * 127.0) as i64 ^ (seed >> (i % 57)) as i64 & 3) as i8).collect();
        let scales: Vec<f32> =
            (0..codes.len() / case.dim).map(|r| 0.001 + (r % 5) as f32 * 0.37e-3).collect();
        let rows = RowsI8::new(&codes, &scales, case.dim).unwrap();
        let cancel = Cancel::new();
        let expected =
            top_k_i8_where(rows, &case.queries, case.k, |r| case.keeps(r), &cancel).unwrap();
        let found = Rows::i8(&host, rows).unwrap()
            .top_k(&host, &case.queries, case.k, case.filter().as_deref(), &cancel).unwrap();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn signs_equal_brute_force(case in case(6, Numbers::OrNone)) {
        let host = case.host();
        let rows = RowsF32::new(&case.rows, case.dim).unwrap();
        let sign = |x: f32| if x > 0.0 { 1.0 } else { -1.0 };
        let expected = brute(&case.rows, &case.queries, case.dim, case.k, |r| case.keeps(r), |a, b| {
            a.iter().zip(b).map(|(&a, &b)| sign(a) * sign(b)).sum()
        });
        let found = Rows::binary(&host, rows).unwrap()
            .top_k(&host, &case.queries, case.k, case.filter().as_deref(), &Cancel::new()).unwrap();
        prop_assert_eq!(found, expected);
    }

    /// One call, wherever the rows are, for every kind of row.
    #[test]
    fn rows_that_are_placed_here_and_there_give_the_same(case in case(6, Numbers::OrNone)) {
        let rows = RowsF32::new(&case.rows, case.dim).unwrap();
        let halves: Vec<u16> =
            case.rows.iter().map(|&x| half::f16::from_f32(x).to_bits()).collect();
        let codes = Quantized::of(rows);
        let mut words = Vec::new();
        case.rows.chunks_exact(case.dim).for_each(|row| push_row_bits(row, &mut words));
        let kinds = [
            AnyRows::F32(rows),
            AnyRows::F16(RowsF16::new(&halves, case.dim).unwrap()),
            AnyRows::I8(codes.rows().unwrap()),
            AnyRows::Bits(RowsBits::new(&words, case.dim).unwrap()),
        ];
        for kind in kinds {
            let (filter, cancel) = (case.filter(), Cancel::new());
            let search = |filter: Option<&[u32]>, cancel: &Cancel| {
                let here: Placed<'_> = Placed::Here(kind);
                let there = Placed::on(case.host(), kind).unwrap();
                (
                    here.top_k(&case.queries, case.k, filter, cancel),
                    there.top_k(&case.queries, case.k, filter, cancel),
                )
            };
            let (here, there) = search(filter.as_deref(), &cancel);
            prop_assert_eq!(here.unwrap(), there.unwrap());
            let wrong = vec![0; rows.len().div_ceil(32) + 1];
            let (here, there) = search(Some(&wrong), &cancel);
            prop_assert_eq!(here.unwrap_err(), there.unwrap_err());
            cancel.cancel();
            let (here, there) = search(None, &cancel);
            prop_assert_eq!(here.unwrap_err(), there.unwrap_err());
        }
    }

    #[test]
    fn sparse_rows_equal_brute_force(case in case(1, Numbers::Only)) {
        let host = case.host();
        let n = case.rows.len() / case.dim;
        let (mut starts, mut terms, mut weights) = (vec![0_u64], Vec::new(), Vec::new());
        for row in case.rows.chunks_exact(case.dim) {
            for (term, &weight) in row.iter().enumerate().filter(|&(_, &w)| w > 0.0) {
                terms.push(term as u32);
                weights.push(weight);
            }
            starts.push(terms.len() as u64);
        }
        let dense: Vec<f32> = case.rows.iter().map(|w| w.max(0.0)).collect();
        let mut expected =
            brute(&dense, &case.queries, case.dim, n, |r| case.keeps(r), dot).remove(0);
        expected.retain(|scored| scored.score != 0.0);
        expected.truncate(case.k);
        let found = SparseRows::new(&host, &starts, &terms, &weights, case.dim).unwrap()
            .top_k(&host, &case.queries, case.k, case.filter().as_deref(), &Cancel::new()).unwrap();
        prop_assert_eq!(found, expected);
    }
}

/// Every chunk overflows its list when the scores rise, and the answer is still exact.
#[test]
fn rows_in_ascending_order_overflow_and_are_scanned_again() {
    let rows: Vec<f32> = (0..9000).map(|i| i as f32).collect();
    let view = RowsF32::new(&rows, 1).unwrap();
    let found = Rows::f32(&HOST, view)
        .unwrap()
        .top_k(&HOST, &[1.0], 5, None, &Cancel::new())
        .unwrap();
    let best: Vec<usize> = found[0].iter().map(|scored| scored.row).collect();
    assert_eq!(best, [8999, 8998, 8997, 8996, 8995]);
}

#[test]
fn what_is_no_number_counts_as_minus_infinity() {
    let rows = [f32::NAN, 1.0, f32::NEG_INFINITY, f32::INFINITY, -0.0, 0.0];
    let view = RowsF32::new(&rows, 1).unwrap();
    let expected = top_k_f32_where(view, &[1.0], 6, |_| true, &Cancel::new()).unwrap();
    let found = Rows::f32(&HOST, view)
        .unwrap()
        .top_k(&HOST, &[1.0], 6, None, &Cancel::new())
        .unwrap();
    assert_eq!(found, expected);
}

#[test]
fn a_k_beyond_the_lists_and_a_filter_of_another_length_are_refused() {
    let rows = vec![1.0; MAX_K + 10];
    let view = RowsF32::new(&rows, 1).unwrap();
    let rows = Rows::f32(&HOST, view).unwrap();
    let cancel = Cancel::new();
    let error = rows
        .top_k(&HOST, &[1.0], MAX_K + 1, None, &cancel)
        .unwrap_err();
    assert_eq!(
        error,
        DeviceError::TooMany {
            asked: MAX_K + 1,
            most: MAX_K
        }
    );
    assert!(matches!(
        rows.top_k(&HOST, &[1.0], 1, Some(&[0]), &cancel),
        Err(DeviceError::Shape(_))
    ));
    cancel.cancel();
    assert!(matches!(
        rows.top_k(&HOST, &[1.0], 1, None, &cancel),
        Err(DeviceError::Cancelled(_))
    ));
}
