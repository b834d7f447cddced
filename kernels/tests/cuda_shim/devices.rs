//! What stands between a search and its devices: owning threads, streaming, sharding, too little
//! memory, a device that is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indago_core::Cancel;
use indago_kernels::cuda::{
    CodeIndex, DeviceError, HostRows, MAX_K, Owner, Rows, Sequence, Streamed, in_batches,
};
use indago_kernels::scan::top_k_i8_where;
use indago_kernels::{RowsI8, ShapeError};
use proptest::prelude::*;

use super::anywhere::Host;
use super::small::Small;

struct Table {
    codes: Vec<i8>,
    scales: Vec<f32>,
    dim: usize,
}

impl Table {
    /// Codes with many ties.
    fn new(n: usize, dim: usize, seed: u64) -> Self {
        let code = |i: usize| {
            let mixed = (i as u64 + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            (mixed % 7) as i8 - 3
        };
        Self {
            codes: (0..n * dim).map(code).collect(),
            scales: (0..n).map(|row| 0.01 + (row % 3) as f32 * 0.005).collect(),
            dim,
        }
    }
}

impl HostRows for Table {
    fn rows(&self) -> Result<RowsI8<'_>, ShapeError> {
        RowsI8::new(&self.codes, &self.scales, self.dim)
    }
}

fn queries(n: usize, dim: usize) -> Vec<f32> {
    (0..n * dim).map(|i| ((i * 7) % 11) as f32 - 5.0).collect()
}

fn filter_of(n: usize, without: usize) -> Option<Vec<u32>> {
    (without > 0).then(|| {
        let mut words = vec![0; n.div_ceil(32)];
        (0..n)
            .filter(|row| row % without != 0)
            .for_each(|row| words[row / 32] |= 1 << (row % 32));
        words
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Chunks of 32 rows and up, copies early and as late as they may be.
    #[test]
    fn streamed_rows_equal_the_cpu(
        n in prop::sample::select(vec![0_usize, 1, 31, 32, 33, 64, 65, 97, 257]),
        dim in prop::sample::select(vec![1_usize, 16, 17, 40]),
        n_queries in 1_usize..4,
        k in prop::sample::select(vec![0_usize, 1, 9, 300]),
        chunk in prop::sample::select(vec![1_usize, 32, 64, 1000]),
        without in 0_usize..4,
        order in 0_u32..4,
        seed in any::<u64>(),
    ) {
        let host = Host { order, blocks: 2 };
        let table = Table::new(n, dim, seed % 1000);
        let queries = queries(n_queries, dim);
        let cancel = Cancel::new();
        let keep = |row: usize| without == 0 || !row.is_multiple_of(without);
        let expected = top_k_i8_where(table.rows().unwrap(), &queries, k, keep, &cancel).unwrap();
        let filter = filter_of(n, without);
        let mut streamed = Streamed::i8(&host, dim, chunk).unwrap();
        // Twice: buffers are used again.
        for _ in 0..2 {
            let found =
                streamed.top_k(&host, table.rows().unwrap(), &queries, k, filter.as_deref(), &cancel).unwrap();
            prop_assert_eq!(&found, &expected);
        }
    }

    /// Devices with room for the rows and devices without.
    #[test]
    fn shards_equal_the_cpu(
        n in prop::sample::select(vec![0_usize, 1, 32, 33, 200, 400]),
        k in prop::sample::select(vec![1_usize, 9, 500]),
        room in prop::collection::vec(any::<bool>(), 1..4),
        without in 0_usize..4,
        seed in 0_u64..1000,
    ) {
        let table = Arc::new(Table::new(n, 32, seed));
        let cancel = Cancel::new();
        let owners: Vec<Owner<Small>> = room.iter().enumerate().map(|(i, &roomy)| {
            // Candidates of 4 queries take 300 kB; two chunks of 32 rows 2.3 kB.
            let memory = if roomy { 4 << 20 } else { 310_000 };
            let name = format!("small {i}");
            Owner::start(&name, move || {
                let small = Small::new(i as u32, memory);
                if !roomy {
                    // Others have taken so much that no more than a few rows fit.
                    small.used.store(memory - 5_000, Ordering::SeqCst);
                }
                Ok(small)
            }).unwrap()
        }).collect();
        let index = CodeIndex::place(&owners, table.clone(), &cancel).unwrap();
        for owner in &owners {
            owner.run(&cancel, |small| {
                if small.memory < 1 << 20 {
                    small.used.fetch_sub(300_000, Ordering::SeqCst);
                }
                Ok(())
            }).unwrap();
        }
        if !room[0] && n / room.len() > 200 {
            prop_assert!(index.describe().contains("streamed through small 0"), "{index:?}");
        }
        if room[0] {
            prop_assert!(index.describe().contains("in the memory of small 0"), "{index:?}");
        }
        let queries = queries(2, 32);
        let keep = |row: usize| without == 0 || !row.is_multiple_of(without);
        let expected = top_k_i8_where(table.rows().unwrap(), &queries, k, keep, &cancel).unwrap();
        let filter = filter_of(n, without);
        let found = index.top_k(&queries, k, filter.as_deref(), &cancel).unwrap();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn without_the_memory_for_a_chunk_a_smaller_one_is_taken() {
    let small = Small::new(0, 20_000);
    let streamed = Streamed::i8(&small, 16, 10_000).unwrap();
    // Two buffers of rows of 16 codes and a scale.
    assert!((100..=500).contains(&streamed.chunk()), "{streamed:?}");
    let tiny = Small::new(0, 100);
    assert!(matches!(
        Streamed::i8(&tiny, 16, 10_000),
        Err(DeviceError::OutOfMemory { .. })
    ));
}

#[test]
fn what_does_not_fit_is_refused_by_an_index() {
    let table = Arc::new(Table::new(MAX_K + 40, 1, 0));
    let owner = Owner::start("host", || {
        Ok(Host {
            order: 0,
            blocks: 1,
        })
    });
    let cancel = Cancel::new();
    let index = CodeIndex::place(&[owner.unwrap()], table, &cancel).unwrap();
    let too_many = index.top_k(&[1.0], MAX_K + 1, None, &cancel);
    assert!(matches!(too_many, Err(DeviceError::TooMany { .. })));
    let bad_filter = index.top_k(&[1.0], 1, Some(&[0]), &cancel);
    assert!(matches!(bad_filter, Err(DeviceError::Shape(_))));
    let none: [Owner<Host>; 0] = [];
    assert!(CodeIndex::place(&none, Arc::new(Table::new(1, 1, 0)), &cancel).is_err());
    cancel.cancel();
    let cancelled = index.top_k(&[1.0], 1, None, &cancel);
    assert!(matches!(cancelled, Err(DeviceError::Cancelled(_))));
}

#[test]
fn an_owner_survives_a_panic_and_gives_memory_back() {
    let used = Arc::new(AtomicUsize::new(0));
    let shared = Arc::clone(&used);
    let owner = Owner::start("small", move || {
        Ok(Small {
            used: shared,
            ..Small::new(0, 1 << 20)
        })
    })
    .unwrap();
    let cancel = Cancel::new();
    let table = Arc::new(Table::new(64, 16, 0));
    let kept = owner
        .keep(&cancel, move |device| {
            Rows::i8(device, table.rows().unwrap())
        })
        .unwrap();
    assert_eq!(used.load(Ordering::SeqCst), 64 * 16 + 64 * 4);

    let panicked = owner.run::<()>(&cancel, |_| panic!("a defect"));
    assert!(matches!(panicked, Err(DeviceError::Lost(_))));
    // Only that work is lost.
    let length = kept.with(&cancel, |_, rows| Ok(rows.len())).unwrap();
    assert_eq!(length, 64);

    drop(kept);
    owner.run(&cancel, |_| Ok(())).unwrap();
    assert_eq!(used.load(Ordering::SeqCst), 0);

    cancel.cancel();
    let left_out = owner.run(&cancel, |_| Ok(()));
    assert!(matches!(left_out, Err(DeviceError::Cancelled(_))));
}

#[test]
fn an_owner_says_what_kept_its_device_from_opening() {
    let failed = Owner::<Host>::start("gone", || Err(DeviceError::NoDriver));
    assert_eq!(failed.unwrap_err(), DeviceError::NoDriver);
}

#[test]
fn a_device_lost_in_mid_run_fails_at_once_from_then_on() {
    let owner = Owner::start("failing", || {
        let small = Small::new(1, 4 << 20);
        small.launches_left.store(3, Ordering::SeqCst);
        Ok(small)
    })
    .unwrap();
    let cancel = Cancel::new();
    let table = Arc::new(Table::new(5000, 16, 0));
    let index = CodeIndex::place(std::slice::from_ref(&owner), table, &cancel).unwrap();
    let first = index.top_k(&queries(1, 16), 5, None, &cancel).unwrap_err();
    assert!(matches!(first, DeviceError::Lost(_)), "{first}");
    assert!(first.to_string().contains("start the program again"));
    let later = owner.run::<()>(&cancel, |_| panic!("it must not be tried"));
    assert_eq!(later.unwrap_err(), first);
}

#[test]
fn batches_shrink_until_they_fit_and_one_text_too_long_is_an_error() {
    let ids: Vec<Vec<u32>> = (1..20).map(|n| vec![7; n]).collect();
    let sequences: Vec<Sequence<'_>> = ids.iter().map(|ids| ids.as_slice().into()).collect();
    let out_of_memory = DeviceError::OutOfMemory { asked: 2, free: 1 };
    let mut batches = Vec::new();
    let out = in_batches(&sequences, 1000, &Cancel::new(), |batch| {
        let tokens: usize = batch.iter().map(|s| s.ids.len()).sum();
        if tokens > 25 {
            return Err(out_of_memory.clone());
        }
        batches.push(tokens);
        Ok(batch.iter().map(|s| s.ids.len() as f32).collect())
    })
    .unwrap();
    assert_eq!(out, (1..20).map(|n| n as f32).collect::<Vec<_>>());
    assert!(batches.iter().all(|&tokens| tokens <= 25), "{batches:?}");
    assert!(batches.len() < sequences.len(), "{batches:?}");

    let error = in_batches(&sequences, 1000, &Cancel::new(), |batch| {
        let tokens: usize = batch.iter().map(|s| s.ids.len()).sum();
        if tokens > 15 {
            return Err(out_of_memory.clone());
        }
        Ok(vec![0.0; batch.len()])
    });
    assert_eq!(error, Err(out_of_memory));
}
