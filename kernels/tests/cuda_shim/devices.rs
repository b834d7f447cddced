//! What stands between a search and its devices: owning threads, streaming, sharding, too little
//! memory, a device that is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use indago_core::Cancel;
use indago_kernels::cuda::{
    DeviceError, Element, HostRows, MAX_K, Owner, RowIndex, Rows, Sequence, Streamed, in_batches,
};
use indago_kernels::quantize::push_row_bits;
use indago_kernels::scan::Scored;
use indago_kernels::{AnyRows, Placed, RowsBits, RowsF16, RowsF32, RowsI8, ShapeError};
use proptest::prelude::*;

use super::anywhere::Host;
use super::small::Small;

/// Kinds of rows.
const KINDS: [Element; 4] = [Element::F32, Element::F16, Element::I8, Element::Binary];

/// Rows of one kind. Their values are small whole numbers: exact in every kind, so that every order
/// of adding gives the same score, with many ties; now and then one of the floats is no number.
struct Table {
    kind: Element,
    floats: Vec<f32>,
    halves: Vec<u16>,
    codes: Vec<i8>,
    scales: Vec<f32>,
    words: Vec<u64>,
    dim: usize,
}

impl Table {
    fn new(kind: Element, n: usize, dim: usize, seed: u64) -> Self {
        let code = |i: usize| {
            let mixed = (i as u64 + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            (mixed % 7) as i8 - 3
        };
        let codes: Vec<i8> = (0..n * dim).map(code).collect();
        let mut floats: Vec<f32> = codes.iter().map(|&code| f32::from(code)).collect();
        floats
            .iter_mut()
            .skip(seed as usize % 50)
            .step_by(997)
            .for_each(|x| *x = f32::NAN);
        let mut words = Vec::new();
        floats
            .chunks_exact(dim)
            .for_each(|row| push_row_bits(row, &mut words));
        Self {
            kind,
            halves: floats
                .iter()
                .map(|&x| half::f16::from_f32(x).to_bits())
                .collect(),
            floats,
            codes,
            scales: (0..n).map(|row| 0.01 + (row % 3) as f32 * 0.005).collect(),
            words,
            dim,
        }
    }
}

impl HostRows for Table {
    fn rows(&self) -> Result<AnyRows<'_>, ShapeError> {
        Ok(match self.kind {
            Element::F32 => AnyRows::F32(RowsF32::new(&self.floats, self.dim)?),
            Element::F16 => AnyRows::F16(RowsF16::new(&self.halves, self.dim)?),
            Element::I8 => AnyRows::I8(RowsI8::new(&self.codes, &self.scales, self.dim)?),
            Element::Binary => AnyRows::Bits(RowsBits::new(&self.words, self.dim)?),
        })
    }
}

/// What the CPU finds.
fn here(rows: AnyRows<'_>, queries: &[f32], k: usize, filter: Option<&[u32]>) -> Vec<Vec<Scored>> {
    let here: Placed<'_> = Placed::Here(rows);
    here.top_k(queries, k, filter, &Cancel::new()).unwrap()
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
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Chunks of 32 rows and up, copies early and as late as they may be.
    #[test]
    fn streamed_rows_equal_the_cpu(
        kind in prop::sample::select(KINDS.to_vec()),
        n in prop::sample::select(vec![0_usize, 1, 31, 32, 33, 64, 65, 97, 257]),
        dim in prop::sample::select(vec![1_usize, 16, 17, 40]),
        n_queries in prop::sample::select(vec![1_usize, 2, 3, 17]),
        k in prop::sample::select(vec![0_usize, 1, 9, 300]),
        chunk in prop::sample::select(vec![1_usize, 32, 64, 1000]),
        without in 0_usize..4,
        order in 0_u32..4,
        seed in any::<u64>(),
    ) {
        let host = Host { order, blocks: 2 };
        let table = Table::new(kind, n, dim, seed % 1000);
        let queries = queries(n_queries, dim);
        let cancel = Cancel::new();
        let filter = filter_of(n, without);
        let expected = here(table.rows().unwrap(), &queries, k, filter.as_deref());
        let mut streamed = Streamed::new(&host, kind, dim, chunk).unwrap();
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
        kind in prop::sample::select(KINDS.to_vec()),
        n in prop::sample::select(vec![0_usize, 1, 32, 33, 200, 400]),
        k in prop::sample::select(vec![1_usize, 9, 500]),
        room in prop::collection::vec(any::<bool>(), 1..4),
        without in 0_usize..4,
        seed in 0_u64..1000,
    ) {
        let table = Arc::new(Table::new(kind, n, 128, seed));
        let cancel = Cancel::new();
        // Two chunks of 32 rows and a little.
        let row = match kind {
            Element::F32 => 512,
            Element::F16 => 256,
            Element::I8 => 132,
            Element::Binary => 16,
        };
        let few = 70 * row;
        let owners: Vec<Owner<Small>> = room.iter().enumerate().map(|(i, &roomy)| {
            // Candidates of 4 queries take 300 kB; two chunks of 32 rows of f32 33 kB.
            let memory = if roomy { 4 << 20 } else { 400_000 };
            let name = format!("small {i}");
            Owner::start(&name, move || {
                let small = Small::new(i as u32, memory);
                if !roomy {
                    // Others have taken so much that no more than a few rows fit.
                    small.used.store(memory - few, Ordering::SeqCst);
                }
                Ok(small)
            }).unwrap()
        }).collect();
        let index = RowIndex::place(&owners, table.clone(), &cancel).unwrap();
        for owner in &owners {
            owner.run(&cancel, |small| {
                if small.memory < 1 << 20 {
                    small.used.fetch_sub(300_000, Ordering::SeqCst);
                }
                Ok(())
            }).unwrap();
        }
        if !room[0] && n / room.len() >= 100 {
            prop_assert!(index.describe().contains("streamed through small 0"), "{index:?}");
        }
        if room[0] {
            prop_assert!(index.describe().contains("in the memory of small 0"), "{index:?}");
        }
        let queries = queries(2, 128);
        let filter = filter_of(n, without);
        let expected = here(table.rows().unwrap(), &queries, k, filter.as_deref());
        let found = index.top_k(&queries, k, filter.as_deref(), &cancel).unwrap();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn without_the_memory_for_a_chunk_a_smaller_one_is_taken() {
    let small = Small::new(0, 20_000);
    let streamed = Streamed::new(&small, Element::I8, 16, 10_000).unwrap();
    // Two buffers of rows of 16 codes and a scale.
    assert!((100..=500).contains(&streamed.chunk()), "{streamed:?}");
    let tiny = Small::new(0, 100);
    assert!(matches!(
        Streamed::new(&tiny, Element::I8, 16, 10_000),
        Err(DeviceError::OutOfMemory { .. })
    ));
}

#[test]
fn rows_of_another_kind_or_length_are_not_streamed() {
    let host = Host {
        order: 0,
        blocks: 1,
    };
    let mut streamed = Streamed::new(&host, Element::F16, 16, 32).unwrap();
    let cancel = Cancel::new();
    for other in [
        Table::new(Element::F32, 40, 16, 0),
        Table::new(Element::F16, 40, 17, 0),
    ] {
        let rows = other.rows().unwrap();
        let query = queries(1, rows.dim());
        let refused = streamed.top_k(&host, rows, &query, 3, None, &cancel);
        assert!(matches!(refused, Err(DeviceError::Shape(_))), "{refused:?}");
    }
    let table = Table::new(Element::F16, 40, 16, 0);
    let query = queries(1, 16);
    cancel.cancel();
    let cancelled = streamed.top_k(&host, table.rows().unwrap(), &query, 3, None, &cancel);
    assert!(matches!(cancelled, Err(DeviceError::Cancelled(_))));
}

#[test]
fn what_does_not_fit_is_refused_by_an_index() {
    let table = Arc::new(Table::new(Element::I8, MAX_K + 40, 1, 0));
    let owner = Owner::start("host", || {
        Ok(Host {
            order: 0,
            blocks: 1,
        })
    });
    let cancel = Cancel::new();
    let index = RowIndex::place(&[owner.unwrap()], table, &cancel).unwrap();
    let too_many = index.top_k(&[1.0], MAX_K + 1, None, &cancel);
    assert!(matches!(too_many, Err(DeviceError::TooMany { .. })));
    let bad_filter = index.top_k(&[1.0], 1, Some(&[0]), &cancel);
    assert!(matches!(bad_filter, Err(DeviceError::Shape(_))));
    let none: [Owner<Host>; 0] = [];
    assert!(RowIndex::place(&none, Arc::new(Table::new(Element::I8, 1, 1, 0)), &cancel).is_err());
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
    let table = Arc::new(Table::new(Element::I8, 64, 16, 0));
    let kept = owner
        .keep(&cancel, move |device| {
            Rows::of(device, table.rows().unwrap())
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
    let table = Arc::new(Table::new(Element::I8, 5000, 16, 0));
    let index = RowIndex::place(std::slice::from_ref(&owner), table, &cancel).unwrap();
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
