//! Sparse dot products over compressed lists against their twin.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use indago_core::Cancel;
use indago_kernels::reference;
use indago_kernels::sparse::{Postings, PostingsError, encode, top_k};
use proptest::prelude::*;

/// Deterministic numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n.max(1)
    }
}

/// About `len` postings below `n`.
fn list(numbers: &mut Numbers, len: u64, n: u64, flat: bool) -> Vec<(u32, f32)> {
    let mut documents: Vec<u32> = (0..len).map(|_| numbers.below(n) as u32).collect();
    documents.sort_unstable();
    documents.dedup();
    let weight = |numbers: &mut Numbers| {
        if flat {
            1.0
        } else {
            numbers.below(1000) as f32 / 250.0
        }
    };
    documents
        .into_iter()
        .map(|d| (d, weight(numbers)))
        .collect()
}

fn check(lens: &[u64], n: u64, flat: bool, seed: u64) {
    let mut numbers = Numbers(seed | 1);
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    for len in lens {
        let postings = list(&mut numbers, *len, n, flat);
        encode(&postings, &mut bytes).unwrap();
        expected.push(postings);
    }
    let (mut rest, mut lists, mut read) = (&bytes[..], Vec::new(), Vec::new());
    for postings in &expected {
        let (found, behind) = Postings::read(rest).unwrap();
        rest = behind;
        assert_eq!(found.len(), postings.len());
        let decoded = found.to_vec();
        let peak = postings.iter().map(|p| p.1).fold(0.0, f32::max);
        assert!((found.largest() - peak).abs() <= 1e-5 * peak);
        for (decoded, original) in decoded.iter().zip(postings) {
            assert_eq!(decoded.0, original.0);
            assert!((decoded.1 - original.1).abs() <= peak * (0.5 / 255.0 + 1e-6));
        }
        let weight = 0.1 + numbers.below(100) as f32 / 50.0;
        lists.push((found, weight));
        read.push((decoded, weight));
    }
    assert!(rest.is_empty());
    let scores = reference::sparse_scores(&read, n as usize);
    let keep = |document: u32| document % 7 != 3;
    let all = top_k(&lists, n as u32, n as usize, keep, &Cancel::new()).unwrap();
    for hit in &all {
        assert!((f64::from(hit.score) - scores[hit.row]).abs() <= 1e-5 * scores[hit.row]);
    }
    let sharing = scores
        .iter()
        .enumerate()
        .filter(|(d, s)| **s > 0.0 && keep(*d as u32));
    assert_eq!(all.len(), sharing.count());
    assert!(all.is_sorted_by(|a, b| (b.score, a.row) < (a.score, b.row)));
    for k in [0, 1, 2, 10, 100, n as usize + 3] {
        let some = top_k(&lists, n as u32, k, keep, &Cancel::new()).unwrap();
        assert_eq!(some, all[..k.min(all.len())], "k = {k}");
    }
}

#[test]
fn awkward_lists_agree() {
    check(&[], 10, false, 1);
    check(&[0, 1], 1, false, 2);
    check(&[500, 0, 3, 127, 128, 129], 600, false, 3);
    check(&[20_000, 300, 5, 40_000, 1000, 9], 50_000, false, 4);
    check(&[20_000, 300, 5, 40_000], 50_000, true, 5);
}

#[test]
fn what_is_no_list_is_refused() {
    let mut out = Vec::new();
    assert_eq!(
        encode(&[(3, 1.0), (3, 1.0)], &mut out),
        Err(PostingsError::Order(1))
    );
    assert_eq!(
        encode(&[(3, f32::NAN)], &mut out),
        Err(PostingsError::Weight(0))
    );
    assert_eq!(
        encode(&[(3, -1.0)], &mut out),
        Err(PostingsError::Weight(0))
    );
    assert!(Postings::read(&[]).is_err());
    encode(&[(0, 1.0), (70_000, 0.5), (u32::MAX, 0.0)], &mut out).unwrap();
    let (list, _) = Postings::read(&out).unwrap();
    assert_eq!(list.to_vec()[2].0, u32::MAX);
    // A query weight that is no positive number counts for nothing.
    for weight in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let found = top_k(&[(list, weight)], 100, 5, |_| true, &Cancel::new()).unwrap();
        assert_eq!(found, []);
    }
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(top_k(&[(list, 1.0)], 100, 5, |_| true, &cancel).is_err());
}

proptest! {
    #[test]
    fn lists_of_any_length_agree(
        lens in prop::collection::vec(0_u64..700, 0..9),
        n in 1_u64..3000,
        flat in any::<bool>(),
        seed in any::<u64>(),
    ) {
        check(&lens, n, flat, seed);
    }

    #[test]
    fn damaged_lists_never_panic(
        len in 1_u64..400,
        at in any::<prop::sample::Index>(),
        mask in 1_u8..,
        cut in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let mut bytes = Vec::new();
        encode(&list(&mut Numbers(seed | 1), len, 5000, false), &mut bytes).unwrap();
        prop_assert!(Postings::read(&bytes[..cut.index(bytes.len())]).is_err());
        let at = at.index(bytes.len());
        bytes[at] ^= mask;
        if let Ok((list, _)) = Postings::read(&bytes) {
            list.to_vec();
            let found = top_k(&[(list, 1.0)], 5000, 10, |_| true, &Cancel::new()).unwrap();
            prop_assert!(found.len() <= 10);
        }
    }
}
