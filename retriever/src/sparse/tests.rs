//! Searches through lists against reading every vector.

use indago_core::Cancel;
use indago_core::ports::SparseVector;
use proptest::prelude::*;

use super::file::{Content, SparseFile, write};
use super::{Cut, Effort};
use crate::disk::forge::{forge, forgeries, seal, sections};
use crate::disk::sealed::Kind;

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
    on_disk_of(40, vectors, how)
}

fn on_disk_of(
    vocabulary: usize,
    vectors: &[SparseVector],
    how: Cut,
) -> (tempfile::TempDir, SparseFile) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.bin");
    let keys: Vec<[u8; 16]> = (0..vectors.len()).map(|i| [i as u8; 16]).collect();
    let content = Content {
        keys: &keys,
        vectors,
        lengths: None,
        vocabulary,
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

/// Whether `found` are the best `k` of `exact` but for what rounding of weights can change.
fn agree(found: &[(u32, f32)], exact: &[(u32, f32)], k: usize) -> bool {
    const NEAR: f32 = 1e-3;
    let scores = found.iter().all(|(row, score)| {
        let own = exact.iter().find(|(other, _)| other == row);
        own.is_some_and(|(_, own)| (own - score).abs() < NEAR)
    });
    let missed = exact
        .iter()
        .filter(|hit| found.iter().all(|(row, _)| *row != hit.0));
    let bar = found.last().map_or(0.0, |(_, score)| *score);
    let full = found.len() == k;
    let worse = |hit: &(u32, f32)| hit.1 < NEAR || (full && hit.1 < bar + NEAR);
    k == 0 || (scores && missed.into_iter().all(worse))
}

const WHOLE: Cut = Cut {
    postings: usize::MAX,
};
const EVERYTHING: Effort = Effort {
    postings: usize::MAX,
    spare: usize::MAX,
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
            let most = vector.iter().map(|(_, w)| *w).fold(0.0, f32::max);
            let read = file.vector(row as u32);
            prop_assert_eq!(read.len(), vector.len());
            for (read, written) in read.iter().zip(vector) {
                // Half a step, and rounding.
                let near = (read.1 - written.1).abs() <= most * (0.51 / 65_535.0);
                prop_assert!(read.0 == written.0 && near);
            }
        }
        let expected = file.scan(&query, k, &cancel).unwrap();
        prop_assert!(agree(&expected, &by_definition(&all, &query), k));
        // Sums of whole lists are bounds: stopping where none can be among the best loses nothing.
        prop_assert_eq!(&file.search(&query, k, EVERYTHING, |_| true, &cancel).unwrap(), &expected);
        let (_dir, pruned) = on_disk(&all, Cut { postings: 7 });
        for hit in pruned.search(&query, k, EVERYTHING, |_| true, &cancel).unwrap() {
            prop_assert!(k == 0 || by_definition(&all, &query).iter().any(|own| own.0 == hit.0));
        }
    }

    #[test]
    fn what_is_found_scores_as_it_should_and_passes_the_filter(
        all in vectors(150),
        query in vectors(2),
        modulus in 1u32..5,
    ) {
        let query = query.into_iter().next().unwrap_or_default();
        let (_dir, file) = on_disk(&all, Cut { postings: 20 });
        let keep = |row: u32| row.is_multiple_of(modulus);
        let found = file.search(&query, 10, Effort::default(), keep, &Cancel::new()).unwrap();
        let exact = file.scan(&query, all.len(), &Cancel::new()).unwrap();
        for hit in &found {
            prop_assert!(keep(hit.0) && exact.contains(hit));
        }
        prop_assert!(found.is_sorted_by(|a, b| (b.1, a.0) < (a.1, b.0) || a.1 > b.1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn terms_of_two_and_of_four_bytes_give_the_same(
        all in vectors(80),
        query in vectors(2),
        k in 0usize..30,
    ) {
        let query = query.into_iter().next().unwrap_or_default();
        let (_narrow_dir, narrow) = on_disk_of(65_536, &all, Cut::default());
        let (_wide_dir, wide) = on_disk_of(65_537, &all, Cut::default());
        let cancel = Cancel::new();
        let hits = |file: &SparseFile| {
            file.search(&query, k, Effort::default(), |_| true, &cancel).unwrap()
        };
        let (narrow, wide) = (hits(&narrow), hits(&wide));
        let rows = |hits: &[(u32, f32)]| hits.iter().map(|(row, _)| *row).collect::<Vec<_>>();
        // Sums are added up in another order.
        let near = narrow.iter().zip(&wide).all(|(a, b)| (a.1 - b.1).abs() < 1e-4);
        prop_assert!(rows(&narrow) == rows(&wide) || near);
    }

    #[test]
    fn counts_are_kept_as_they_are(counts in prop::collection::vec(0u16.., 1..40)) {
        let vector: SparseVector = (0..).zip(counts.iter().map(|n| f32::from(*n))).collect();
        let all = [vector.clone()];
        let (_dir, file) = on_disk(&all, Cut::default());
        prop_assert_eq!(file.vector(0), vector);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Tables that do not fit each other, under checksums that are right.
    #[test]
    fn no_table_whatever_it_says_makes_a_search_fail_otherwise_than_by_an_error(
        all in vectors(40),
        query in vectors(2),
        counted in any::<bool>(),
        forgeries in forgeries(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.bin");
        let keys = vec![[7; 16]; all.len()];
        let lengths = vec![5; all.len()];
        let words: Vec<String> = (10..50).map(|i| format!("w{i}")).collect();
        let content = Content {
            keys: &keys,
            vectors: &all,
            lengths: counted.then_some((&lengths[..], 5.0)),
            vocabulary: 40,
            words: &words,
        };
        write(&path, &content, Cut::default()).unwrap();
        forge(&path, &forgeries);
        let query = query.into_iter().next().unwrap_or_default();
        if let Ok(file) = SparseFile::open(&path) {
            let file = file.at_mean(6.0);
            let cancel = Cancel::new();
            let found = file.search(&query, 10, Effort::default(), |_| true, &cancel).unwrap();
            prop_assert!(found.iter().all(|(row, _)| *row < file.rows()));
            file.scan(&query, 10, &cancel).unwrap();
            (0..file.rows()).for_each(|row| drop((file.vector(row), file.key(row))));
        }
        // What a search leaves behind is not seen by the next.
        let (_dir, good) = on_disk(&all, WHOLE);
        let found = good.search(&query, 10, EVERYTHING, |_| true, &Cancel::new()).unwrap();
        prop_assert_eq!(found, good.scan(&query, 10, &Cancel::new()).unwrap());
    }
}

#[test]
fn queries_of_other_terms_of_no_numbers_and_of_twice_the_same_are_answered() {
    let all = vec![vec![(1, 1.0), (2, 0.5)], vec![(2, 2.0)]];
    let (_dir, file) = on_disk(&all, Cut::default());
    let search = |query: SparseVector| {
        let found = file.search(&query, 5, Effort::default(), |_| true, &Cancel::new());
        let rows: Vec<u32> = found.unwrap().iter().map(|hit| hit.0).collect();
        rows
    };
    assert_eq!(search(vec![(2, 1.0)]), [1, 0]);
    assert_eq!(search(vec![(2, 1.0), (2, 1.0)]), [1, 0]);
    assert_eq!(search(vec![(2, 1.0), (39, 1.0), (u32::MAX, 9.0)]), [1, 0]);
    assert_eq!(search(vec![(1, f32::NAN), (2, 1.0)]), [1, 0]);
    assert!(search(vec![(1, f32::INFINITY), (2, -1.0)]).is_empty());
    assert!(search(Vec::new()).is_empty());
}

#[test]
fn a_file_of_another_version_is_refused_with_its_path_and_both_versions() {
    let (dir, file) = on_disk(&[vec![(1, 1.0)]], Cut::default());
    drop(file);
    let path = dir.path().join("s.bin");
    let (kind, sections) = sections(&path);
    seal(&path, Kind { version: 3, ..kind }, &sections);
    let error = SparseFile::open(&path).unwrap_err().to_string();
    assert!(
        error.contains("s.bin") && error.contains("format 3") && error.contains("reads 4"),
        "{error}"
    );
}

#[test]
fn a_cancelled_search_leaves_nothing_for_the_next() {
    let all: Vec<SparseVector> = (0..50).map(|i| vec![(i % 5, 1.0), (9, 2.0)]).collect();
    let (_dir, file) = on_disk(&all, Cut::default());
    let query = vec![(3, 1.0), (9, 1.0)];
    let cancel = Cancel::new();
    let stop = cancel.clone();
    // In the middle of it: sums are there.
    let keep = |_| {
        stop.cancel();
        true
    };
    let _ = file.search(&query, 3, Effort::default(), keep, &cancel);
    let stopped = file.search(&query, 3, Effort::default(), |_| true, &cancel);
    assert!(stopped.is_err());
    let found = file.search(&query, 9, EVERYTHING, |_| true, &Cancel::new());
    assert_eq!(
        found.unwrap(),
        file.scan(&query, 9, &Cancel::new()).unwrap()
    );
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
