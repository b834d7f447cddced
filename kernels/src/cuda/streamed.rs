//! Scans of rows that stay in host memory and go to the device chunk by chunk.

use indago_core::Cancel;
use rayon::prelude::*;

use super::launch::Staging;
use super::rows::{Element, Rows};
use super::{DeviceError, MAX_K};
use crate::AnyRows;
use crate::scan::Scored;

/// Rows a chunk has at least: fewer cost more in launches than in copies.
const FEWEST: usize = 32;

/// Two buffers on either side, so that three things go on at once: the host fills one page-locked
/// buffer, the other one is copied, and the chunk before it is scanned. The link is then the floor.
///
/// Belongs to one shape of rows; the rows themselves come with every scan.
pub struct Streamed<L: Staging> {
    chunk: usize,
    element: Element,
    dim: usize,
    slots: [Slot<L>; 2],
}

struct Slot<L: Staging> {
    data: L::Pinned,
    /// Of 8-bit codes.
    scales: Option<L::Pinned>,
    rows: Rows<L::Memory>,
}

impl<L: Staging> std::fmt::Debug for Streamed<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Streamed({} rows a chunk)", self.chunk)
    }
}

impl<L: Staging> Streamed<L> {
    /// Buffers for rows of `dim` values, `chunk` rows at a time (rounded up to 32, as filters are cut
    /// at words). Where the device has not the memory, half the chunk is tried, and so on.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`] when not even the smallest chunk fits.
    pub fn new(
        device: &L,
        element: Element,
        dim: usize,
        chunk: usize,
    ) -> Result<Self, DeviceError> {
        let mut chunk = chunk.max(FEWEST).next_multiple_of(FEWEST);
        loop {
            match Self::of(device, element, dim, chunk) {
                Err(DeviceError::OutOfMemory { .. }) if chunk > FEWEST => {
                    chunk = (chunk / 2).next_multiple_of(FEWEST);
                }
                other => return other,
            }
        }
    }

    fn of(device: &L, element: Element, dim: usize, chunk: usize) -> Result<Self, DeviceError> {
        let slot = || {
            let scales = element.has_scales().then(|| device.pinned(chunk * 4));
            Ok::<_, DeviceError>(Slot {
                data: device.pinned(chunk * element.row_bytes(dim))?,
                scales: scales.transpose()?,
                rows: Rows::room(device, element, chunk, dim)?,
            })
        };
        Ok(Self {
            chunk,
            element,
            dim,
            slots: [slot()?, slot()?],
        })
    }

    /// Rows a chunk.
    pub fn chunk(&self) -> usize {
        self.chunk
    }

    /// As [`Rows::top_k`], over rows in host memory. Every row crosses the link once for all
    /// queries. Checks `cancel` between chunks.
    ///
    /// # Errors
    /// As [`Rows::top_k`].
    pub fn top_k(
        &mut self,
        device: &L,
        rows: AnyRows<'_>,
        queries: &[f32],
        k: usize,
        filter: Option<&[u32]>,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Scored>>, DeviceError> {
        crate::ShapeError::check("length of a row", rows.dim(), self.dim)?;
        if Element::of(&rows) != self.element {
            return Err(DeviceError::Shape(crate::ShapeError {
                what: "bytes of a row",
                found: rows.row_bytes(),
                expected: self.element.row_bytes(self.dim),
            }));
        }
        if let Some(filter) = filter {
            crate::ShapeError::check("filter", filter.len(), rows.len().div_ceil(32))?;
        }
        if k > MAX_K {
            return Err(DeviceError::TooMany {
                asked: k,
                most: MAX_K,
            });
        }
        let n_queries = crate::RowsF32::new(queries, self.dim)?.len();
        let mut best = vec![Vec::new(); n_queries];
        let chunks = rows.len().div_ceil(self.chunk);
        if chunks == 0 || k == 0 || n_queries == 0 {
            cancel.check()?;
            return Ok(best);
        }
        let mut under_way = Vec::new();
        let result = self.pass(
            device,
            rows,
            &mut under_way,
            cancel,
            |slot, first, n, cancel| {
                let filter = filter.map(|words| &words[first / 32..(first + n).div_ceil(32)]);
                let found = slot.top_k(device, queries, k, filter, cancel)?;
                for (best, found) in best.iter_mut().zip(found) {
                    merge(best, found, first, k);
                }
                Ok(())
            },
        );
        // Whatever went wrong, no copy may outlive its buffers.
        for copy in under_way {
            device.finish_copy(copy)?;
        }
        result.map(|()| best)
    }

    /// Brings chunk after chunk to the device and has it scanned.
    fn pass(
        &mut self,
        device: &L,
        rows: AnyRows<'_>,
        under_way: &mut Vec<L::Copy>,
        cancel: &Cancel,
        mut scan: impl FnMut(&Rows<L::Memory>, usize, usize, &Cancel) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        let chunk = self.chunk;
        let span = |i: usize| i * chunk..rows.len().min((i + 1) * chunk);
        let chunks = rows.len().div_ceil(chunk);
        let [first, second] = &mut self.slots;
        let slots = [first, second];
        fill(device, slots[0], rows, span(0))?;
        if chunks > 1 {
            fill(device, slots[1], rows, span(1))?;
        }
        start(device, slots[0], span(0).len(), under_way)?;
        for i in 0..chunks {
            cancel.check()?;
            for copy in under_way.drain(..) {
                device.finish_copy(copy)?;
            }
            if i + 1 < chunks {
                // The scan of this slot's chunk is over: its results have been read.
                start(device, slots[(i + 1) % 2], span(i + 1).len(), under_way)?;
            }
            let Slot {
                data,
                scales,
                rows: on_device,
            } = &mut *slots[i % 2];
            on_device.set_len(span(i).len());
            let data = device.bytes(data)?;
            let scales = scales.as_mut().map(|scales| device.bytes(scales));
            let scales = scales.transpose()?;
            std::thread::scope(|threads| {
                // The page-locked buffer of this slot has been read: it takes the chunk after next.
                let filler = (i + 2 < chunks)
                    .then(|| threads.spawn(move || copy_rows(data, scales, rows, span(i + 2))));
                let scanned = scan(on_device, i * chunk, span(i).len(), cancel);
                let filled = filler.map_or(Ok(()), std::thread::ScopedJoinHandle::join);
                filled
                    .map_err(|_panic| DeviceError::Lost("filling a buffer panicked".to_owned()))?;
                scanned
            })?;
        }
        Ok(())
    }
}

fn fill<L: Staging>(
    device: &L,
    slot: &mut Slot<L>,
    rows: AnyRows<'_>,
    span: std::ops::Range<usize>,
) -> Result<(), DeviceError> {
    let data = device.bytes(&mut slot.data)?;
    let scales = slot.scales.as_mut().map(|scales| device.bytes(scales));
    copy_rows(data, scales.transpose()?, rows, span);
    Ok(())
}

/// Copies rows and their scales, rows padded with zeros; on all cores, since one alone is slower
/// than the link.
fn copy_rows(
    data: &mut [u8],
    scales: Option<&mut [u8]>,
    rows: AnyRows<'_>,
    span: std::ops::Range<usize>,
) {
    let row = rows.row_bytes();
    let padded = Element::of(&rows).row_bytes(rows.dim());
    data.par_chunks_exact_mut(padded)
        .zip(rows.bytes()[span.start * row..span.end * row].par_chunks_exact(row))
        .with_min_len(4096)
        .for_each(|(to, from)| {
            to[..row].copy_from_slice(from);
            to[row..].fill(0);
        });
    if let (Some(to), Some(from)) = (scales, rows.scales()) {
        let from: &[u8] = bytemuck::cast_slice(&from[span]);
        to[..from.len()].copy_from_slice(from);
    }
}

fn start<L: Staging>(
    device: &L,
    slot: &Slot<L>,
    n: usize,
    under_way: &mut Vec<L::Copy>,
) -> Result<(), DeviceError> {
    let (data, scales) = slot.rows.memory();
    let bytes = n * slot.rows.row_bytes();
    // SAFETY: the buffers live in `self.slots`; nothing writes to the host's nor uses the device's
    // before `finish_copy`, which comes before the scan of this chunk, and in every other case
    // before `top_k` returns.
    under_way.push(unsafe { device.start_copy(&slot.data, bytes, data) }?);
    if let (Some(from), Some(to)) = (&slot.scales, scales) {
        // SAFETY: as above.
        under_way.push(unsafe { device.start_copy(from, n * 4, to) }?);
    }
    Ok(())
}

/// Adds what was found among the rows from `first` on, keeping the best `k`, ties by the lower row.
pub(super) fn merge(best: &mut Vec<Scored>, found: Vec<Scored>, first: usize, k: usize) {
    best.extend(found.into_iter().map(|scored| Scored {
        row: scored.row + first,
        ..scored
    }));
    best.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
    best.truncate(k);
}
