//! Searches through blocks against reading every vector.

use indago_core::Cancel;
use indago_core::ports::SparseVector;
use proptest::prelude::*;

use super::file::{Content, SparseFile, write};
use super::{Cut, Effort};

fn vectors(n: usize) -> impl Strategy<Value = Vec<SparseVector>> {
    let entry = (0u32..40, 0.01f32..4.0);
    let vector = prop::collection::btree_map(
        entry.clone().prop_map(|e| e.0),
        entry.prop_map(|e| e.1),
        0..12,
    );
    prop::collection::vec(vector.prop_map(|v| v.into_iter().collect()), 0..n)
}

fn on_disk(vectors: &[SparseVector], how: Cut) -> (tempfile::TempDir, SparseFile) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.bin");
    let keys: Vec<[u8; 16]> = (0..vectors.len()).map(|i| [i as u8; 16]).collect();
    let content = Content {
        keys: &keys,
        vectors,
        lengths: None,
        vocabulary: 40,
        words: &[],
    };
    write(&path, &content, how).unwrap();
    let file = SparseFile::open(&path).unwrap();
    (dir, file)
}

/// Every product, best first, ties by row.
fn by_definition(vectors: &[SparseVector], query: &SparseVector) -> Vec<(u32, f32)> {
    let weight = |term: u32| {
        query
            .iter()
            .find(|(t, _)| *t == term)
            .map_or(0.0, |(_, w)| *w)
    };
    let product = |v: &SparseVector| v.iter().map(|(t, w)| w * weight(*t)).sum::<f32>();
    let mut all: Vec<(u32, f32)> = (0..).zip(vectors.iter().map(product)).collect();
    all.retain(|(_, score)| *score > 0.0);
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all
}

const WHOLE: Cut = Cut {
    postings: usize::MAX,
    centroids: 0.2,
    least: 1,
    energy: 1.0,
};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_search_that_leaves_nothing_out_is_the_scan_and_the_definition(
        all in vectors(120),
        query in vectors(2),
        k in 0usize..30,
    ) {
        let query = query.into_iter().next().unwrap_or_default();
        let (_dir, file) = on_disk(&all, WHOLE);
        let cancel = Cancel::new();
        for (row, vector) in all.iter().enumerate() {
            prop_assert_eq!(&file.vector(row as u32), vector);
        }
        let mut expected = by_definition(&all, &query);
        expected.truncate(k);
        prop_assert_eq!(&file.scan(&query, k, &cancel).unwrap(), &expected);
        let everything = Effort { terms: usize::MAX, factor: 0.0 };
        prop_assert_eq!(&file.search(&query, k, everything, |_| true, &cancel).unwrap(), &expected);
        // Whole summaries are bounds: leaving out what is below the bar leaves out nothing.
        let bounded = Effort { terms: usize::MAX, factor: 0.9999 };
        prop_assert_eq!(&file.search(&query, k, bounded, |_| true, &cancel).unwrap(), &expected);
    }

    #[test]
    fn what_is_found_scores_as_it_should_and_passes_the_filter(
        all in vectors(150),
        query in vectors(2),
        modulus in 1u32..5,
    ) {
        let query = query.into_iter().next().unwrap_or_default();
        let (_dir, file) = on_disk(&all, Cut { postings: 20, ..Cut::default() });
        let keep = |row: u32| row.is_multiple_of(modulus);
        let found = file.search(&query, 10, Effort::default(), keep, &Cancel::new()).unwrap();
        let exact = by_definition(&all, &query);
        for hit in &found {
            prop_assert!(keep(hit.0) && exact.contains(hit));
        }
        prop_assert!(found.is_sorted_by(|a, b| (b.1, a.0) < (a.1, b.0) || a.1 > b.1));
    }
}

#[test]
fn any_damage_is_noticed() {
    let all: Vec<SparseVector> = (0..30)
        .map(|i| vec![(i % 7, 1.0), (10 + i % 3, 2.0)])
        .collect();
    let (dir, file) = on_disk(&all, Cut::default());
    drop(file);
    let path = dir.path().join("s.bin");
    let bytes = std::fs::read(&path).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x40;
        std::fs::write(&path, damaged).unwrap();
        assert!(SparseFile::open(&path).is_err(), "byte {at}");
    }
    for length in [0, 1, 63, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert!(SparseFile::open(&path).is_err(), "{length} bytes");
    }
}
