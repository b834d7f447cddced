//! Exact search over rows in device memory, fused with the choice of the best k.

use indago_core::Cancel;

use super::DeviceError;
use super::launch::{Arg, Launch, Launcher, blocks, download, upload};
use super::rows::{Element, Rows, pad, signs, to_halves};
use crate::quantize::push_row_i16;
use crate::scan::Scored;
use crate::{RowsF32, ShapeError};

/// Most results a device scan keeps for a query: its candidates are sorted in shared memory.
pub const MAX_K: usize = 4096;

/// Threads a block of the scans.
const BLOCK: u32 = 256;

impl<M> Rows<M> {
    /// For each query the best `k` rows, best first, ties by the lower row; fewer when there are
    /// fewer rows.
    ///
    /// | argument  | shape      | layout                                              |
    /// |-----------|------------|-----------------------------------------------------|
    /// | `queries` | `[q, dim]` | row-major                                           |
    /// | `filter`  | bits       | row r may be found if bit `r % 32` of word `r / 32` |
    ///
    /// Moves every row once for 4 queries; 16-bit rows once for 64, through the matrix units, when
    /// there are more than 16 queries (which are then rounded to 16 bits as well). Checks `cancel`
    /// between batches of queries.
    ///
    /// # Errors
    /// Shapes that do not fit, `k` above [`MAX_K`], a device that failed, or cancelled.
    pub fn top_k<L: Launcher<Memory = M>>(
        &self,
        device: &L,
        queries: &[f32],
        k: usize,
        filter: Option<&[u32]>,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Scored>>, DeviceError> {
        let n_queries = RowsF32::new(queries, self.dim)?.len();
        if let Some(filter) = filter {
            ShapeError::check("filter", filter.len(), self.len.div_ceil(32))?;
        }
        let k = k.min(self.len);
        if k == 0 || n_queries == 0 {
            cancel.check()?;
            return Ok(vec![Vec::new(); n_queries]);
        }
        let filter = filter.map(|f| upload(device, f)).transpose()?;
        let matrix = self.element == Element::F16 && n_queries > 16;
        let at_once = if matrix { 64 } else { 4 };
        let mut found = Vec::with_capacity(n_queries);
        for batch in queries.chunks(at_once * self.dim) {
            cancel.check()?;
            let n = batch.len() / self.dim;
            let scan = if matrix {
                BatchScan::matrix(device, self, batch, n, filter.as_ref())?
            } else {
                BatchScan::rows(device, self, batch, n, filter.as_ref())?
            };
            let mut best = scan_all(device, self.len, scan.slots, k, &|first, end, best| {
                scan.run(device, first, end, best)
            })?;
            best.truncate(n);
            found.extend(best);
        }
        Ok(found)
    }
}

/// A batch of queries on the device, and which kernel scans for them.
struct BatchScan<'a, M> {
    rows: &'a Rows<M>,
    queries: M,
    scales: Option<M>,
    filter: Option<&'a M>,
    /// Queries that are real.
    n: usize,
    /// Lists of candidates: the kernel's number of queries.
    slots: usize,
    matrix: bool,
}

impl<'a, M> BatchScan<'a, M> {
    /// For up to 4 queries.
    fn rows<L: Launcher<Memory = M>>(
        device: &L,
        rows: &'a Rows<M>,
        queries: &[f32],
        n: usize,
        filter: Option<&'a M>,
    ) -> Result<Self, DeviceError> {
        let (dim, width) = (rows.dim, rows.element.width(rows.dim));
        let slots = if n == 1 { 1 } else { 4 };
        let mut scales = None;
        let uploaded = match rows.element {
            Element::F32 | Element::F16 => {
                let mut padded = pad(queries, dim, width).into_owned();
                padded.resize(slots * width, 0.0);
                upload(device, &padded)?
            }
            Element::I8 => {
                let mut codes = Vec::with_capacity(queries.len());
                let mut query_scales: Vec<f32> = queries
                    .chunks_exact(dim)
                    .map(|query| push_row_i16(query, &mut codes))
                    .collect();
                query_scales.resize(slots, 0.0);
                scales = Some(upload(device, &query_scales)?);
                let mut padded = pad(&codes, dim, width).into_owned();
                padded.resize(slots * width, 0);
                upload(device, &padded)?
            }
            Element::Binary => {
                let mut words = signs(queries, dim);
                words.resize(slots * width, 0);
                upload(device, &words)?
            }
        };
        Ok(Self {
            rows,
            queries: uploaded,
            scales,
            filter,
            n,
            slots,
            matrix: false,
        })
    }

    /// For up to 64 queries on the matrix units.
    fn matrix<L: Launcher<Memory = M>>(
        device: &L,
        rows: &'a Rows<M>,
        queries: &[f32],
        n: usize,
        filter: Option<&'a M>,
    ) -> Result<Self, DeviceError> {
        let width = rows.element.width(rows.dim);
        let halves = to_halves(queries);
        let padded = pad(&halves, rows.dim, width);
        Ok(Self {
            rows,
            queries: upload(device, &padded)?,
            scales: None,
            filter,
            n,
            slots: 64,
            matrix: true,
        })
    }

    fn run<L: Launcher<Memory = M>>(
        &self,
        device: &L,
        first: u32,
        end: u32,
        best: &Candidates<M>,
    ) -> Result<(), DeviceError> {
        let rows = self.rows;
        let width = rows.element.width(rows.dim) as u32;
        let n = (end - first) as usize;
        let filter = Arg::optional(self.filter);
        if self.matrix {
            let launch = Launch {
                kernel: "scan_f16_64",
                grid: [blocks(device, n, 128), 1],
                block: BLOCK,
                shared: 0,
            };
            // SAFETY: the arguments are those of `scan_f16_64`: `len` rows and `n` queries of
            // `width` halves, rows first..end inside them, a filter of a bit a row, and lists for
            // 64 queries.
            return unsafe {
                device.launch(
                    launch,
                    &[
                        Arg::Memory(&rows.data),
                        Arg::Memory(&self.queries),
                        Arg::U32(self.n as u32),
                        Arg::U32(width),
                        Arg::U32(first),
                        Arg::U32(end),
                        filter,
                        Arg::Memory(&best.keys),
                        Arg::Memory(&best.counts),
                        Arg::Memory(&best.bars),
                        Arg::U32(best.capacity),
                    ],
                )
            };
        }
        // As many lanes share a row as have 16 bytes of it to read.
        let loads = width as usize / rows.element.per_load();
        let lanes = loads.next_power_of_two().min(32);
        let query_bytes = match rows.element {
            Element::I8 => 2,
            _ => 4,
        };
        let launch = Launch {
            kernel: rows.element.kernel(self.slots),
            grid: [blocks(device, n, BLOCK as usize / lanes * 4), 1],
            block: BLOCK,
            shared: self.slots as u32 * width * query_bytes,
        };
        // SAFETY: the arguments are those of the `SCAN` kernels: `len` rows and `slots` queries of
        // `width` units, padded with zeros, a scale for each where there are scales, rows
        // first..end inside them, a filter of a bit a row, and lists for `slots` queries; shared
        // memory holds the queries.
        unsafe {
            device.launch(
                launch,
                &[
                    Arg::Memory(&rows.data),
                    Arg::optional(rows.scales.as_ref()),
                    Arg::Memory(&self.queries),
                    Arg::optional(self.scales.as_ref()),
                    Arg::U32(width),
                    Arg::U32(rows.dim as u32),
                    Arg::U32(lanes as u32),
                    Arg::U32(first),
                    Arg::U32(end),
                    filter,
                    Arg::Memory(&best.keys),
                    Arg::Memory(&best.counts),
                    Arg::Memory(&best.bars),
                    Arg::U32(best.capacity),
                ],
            )
        }
    }
}

/// The lists that a scan appends to: see `source/scan.cu`.
pub(super) struct Candidates<M> {
    pub(super) keys: M,
    pub(super) counts: M,
    pub(super) bars: M,
    pub(super) capacity: u32,
}

/// Launches the scan of rows `first..end`.
type Run<'a, M> = &'a dyn Fn(u32, u32, &Candidates<M>) -> Result<(), DeviceError>;

/// Scans rows `0..len` in growing chunks; `run(first, end, candidates)` launches the scan of one.
pub(super) fn scan_all<L: Launcher>(
    device: &L,
    len: usize,
    slots: usize,
    k: usize,
    run: Run<'_, L::Memory>,
) -> Result<Vec<Vec<Scored>>, DeviceError> {
    if k > MAX_K {
        return Err(DeviceError::TooMany {
            asked: k,
            most: MAX_K,
        });
    }
    // Room for k kept and about 3k new ones, twice over; a power of two, as the sort wants it.
    let capacity = (8 * k).next_power_of_two().clamp(1024, 2 * MAX_K);
    let best = Candidates {
        keys: device.alloc(slots * capacity * 8)?,
        counts: upload(device, &vec![0_u32; slots])?,
        bars: upload(device, &vec![0_u64; slots])?,
        capacity: capacity as u32,
    };
    // Rows that always fit, whatever their order.
    let safe = capacity - k;
    let select = |k: usize| {
        let launch = Launch {
            kernel: "select_top",
            grid: [slots as u32, 1],
            block: (capacity as u32 / 2).min(1024),
            shared: capacity as u32 * 8,
        };
        // SAFETY: the arguments are those of `select_top`: lists for `slots` queries of `capacity`
        // keys, a power of two, and shared memory for as many.
        unsafe {
            device.launch(
                launch,
                &[
                    Arg::Memory(&best.keys),
                    Arg::Memory(&best.counts),
                    Arg::Memory(&best.bars),
                    Arg::U32(best.capacity),
                    Arg::U32(best.capacity),
                    Arg::U32(k as u32),
                ],
            )
        }
    };
    let mut first = 0;
    let mut chunk = safe;
    let mut surprised = false;
    while first < len {
        let end = len.min(first + chunk);
        let before: Vec<u32> = download(device, &best.counts, slots)?;
        run(first as u32, end as u32, &best)?;
        let counts: Vec<u32> = download(device, &best.counts, slots)?;
        if counts.iter().any(|&count| count as usize > capacity) {
            // The rows came in an order that no sample foretells: take back what was appended (what
            // was kept stands in front) and try half of them.
            device.write(&best.counts, 0, bytemuck::cast_slice(&before))?;
            chunk = (chunk / 2).max(safe);
            surprised = true;
            continue;
        }
        select(k)?;
        first = end;
        // With the rows in random order a chunk of three times the rows seen adds 3k candidates. Once
        // the order has surprised us, double instead: rows scanned in vain stay a constant share.
        let most = (3 * first).max(safe);
        chunk = if surprised {
            (2 * chunk).min(most)
        } else {
            most
        };
    }
    let keys: Vec<u64> = download(device, &best.keys, slots * capacity)?;
    let counts: Vec<u32> = download(device, &best.counts, slots)?;
    Ok(keys
        .chunks_exact(capacity)
        .zip(counts)
        .map(|(keys, n)| keys[..n as usize].iter().map(|&key| scored(key)).collect())
        .collect())
}

/// The inverse of `key_of` in `source/scan.cu`.
fn scored(key: u64) -> Scored {
    let bits = (key >> 32) as u32;
    let bits = if bits & 0x8000_0000 != 0 {
        bits & 0x7fff_ffff
    } else {
        !bits
    };
    Scored::new((u32::MAX - key as u32) as usize, f32::from_bits(bits))
}
