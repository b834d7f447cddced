//! Rows searched on one device or several: in their memory, or streamed through it.

use std::sync::Arc;

use indago_core::Cancel;

use super::launch::{Launcher, Staging};
use super::owner::{Kept, Owner};
use super::rows::{Element, Rows};
use super::streamed::{Streamed, merge};
use super::{DeviceError, MAX_K};
use crate::scan::Scored;
use crate::{AnyRows, RowsF32, ShapeError};

/// Rows in host memory that outlive the search, such as a mapped file.
pub trait HostRows: Send + Sync {
    /// The rows, always the same.
    ///
    /// # Errors
    /// When they have no shape, such as codes without their scales.
    fn rows(&self) -> Result<AnyRows<'_>, ShapeError>;
}

/// Rows that were brought somewhere and can be searched there.
pub trait RowScan: Send + Sync {
    /// As [`RowIndex::top_k`].
    ///
    /// # Errors
    /// As [`RowIndex::top_k`].
    fn top_k(
        &self,
        queries: &[f32],
        k: usize,
        filter: Option<&[u32]>,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Scored>>, DeviceError>;

    /// Where the rows are, in words.
    fn describe(&self) -> String;
}

/// Something that brings rows to where they are searched.
pub trait RowScanner: Send + Sync {
    /// Brings them there.
    ///
    /// # Errors
    /// As [`RowIndex::place`].
    fn place(
        &self,
        rows: Arc<dyn HostRows>,
        cancel: &Cancel,
    ) -> Result<Arc<dyn RowScan>, DeviceError>;
}

/// Devices to search on.
#[derive(Clone, Debug)]
pub struct Devices<L>(pub Vec<Owner<L>>);

impl<L: Staging + 'static> RowScanner for Devices<L> {
    fn place(
        &self,
        rows: Arc<dyn HostRows>,
        cancel: &Cancel,
    ) -> Result<Arc<dyn RowScan>, DeviceError> {
        Ok(Arc::new(RowIndex::place(&self.0, rows, cancel)?))
    }
}

impl<L: Staging + 'static> RowScan for RowIndex<L> {
    fn top_k(
        &self,
        queries: &[f32],
        k: usize,
        filter: Option<&[u32]>,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Scored>>, DeviceError> {
        Self::top_k(self, queries, k, filter, cancel)
    }

    fn describe(&self) -> String {
        Self::describe(self)
    }
}

/// Share of the free memory that rows may take; the rest is for candidates and whoever else is on
/// the device.
const SHARE: (u64, u64) = (4, 5);

/// Bytes of a streamed chunk, at most: long enough that copies run at the link's full rate.
const CHUNK_BYTES: u64 = 256 << 20;

/// Rows spread over devices by even, contiguous shards. A shard that fits stays in its device's
/// memory; one that does not is streamed. Ties go to the lower row, whatever the shards.
pub struct RowIndex<L: Staging + 'static> {
    rows: Arc<dyn HostRows>,
    dim: usize,
    shards: Vec<Shard<L>>,
}

struct Shard<L: Staging + 'static> {
    device: String,
    first: usize,
    end: usize,
    place: Place<L>,
}

enum Place<L: Staging + 'static> {
    Resident(Kept<L, Rows<L::Memory>>),
    Streamed(Kept<L, Streamed<L>>),
}

impl<L: Staging + 'static> RowIndex<L> {
    /// Brings rows to the devices.
    ///
    /// # Errors
    /// No device given, a device that failed, or one with too little memory even for streaming.
    pub fn place(
        devices: &[Owner<L>],
        rows: Arc<dyn HostRows>,
        cancel: &Cancel,
    ) -> Result<Self, DeviceError> {
        let (len, dim) = (rows.rows()?.len(), rows.rows()?.dim());
        if devices.is_empty() {
            return Err(DeviceError::NoSuchDevice {
                asked: 0,
                present: 0,
            });
        }
        // Filters are cut at words of 32 rows.
        let each = len.div_ceil(devices.len()).next_multiple_of(32).max(32);
        let shards = devices
            .iter()
            .enumerate()
            .map(|(i, device)| {
                let (first, end) = (len.min(i * each), len.min((i + 1) * each));
                let place = place_shard(device, &rows, first, end, cancel)?;
                Ok(Shard {
                    device: device.name().to_owned(),
                    first,
                    end,
                    place,
                })
            })
            .filter(
                |shard| !matches!(shard, Ok(shard) if shard.first == shard.end && shard.first > 0),
            )
            .collect::<Result<_, DeviceError>>()?;
        Ok(Self { rows, dim, shards })
    }

    /// Where the rows are, in words.
    pub fn describe(&self) -> String {
        let shards = self.shards.iter().map(|shard| {
            let how = match shard.place {
                Place::Resident(_) => "in the memory of",
                Place::Streamed(_) => "streamed through",
            };
            format!("{} rows {how} {}", shard.end - shard.first, shard.device)
        });
        shards.collect::<Vec<_>>().join(", ")
    }

    /// For each query (`[q, dim]`) the best `k` rows, best first, ties by the lower row, as
    /// [`Placed::top_k`](crate::Placed::top_k) finds them. Row r may be found if bit `r % 32` of word
    /// `r / 32` of the filter is set.
    ///
    /// # Errors
    /// Shapes that do not fit, `k` above [`MAX_K`], a device that failed, or cancelled.
    pub fn top_k(
        &self,
        queries: &[f32],
        k: usize,
        filter: Option<&[u32]>,
        cancel: &Cancel,
    ) -> Result<Vec<Vec<Scored>>, DeviceError> {
        let n_queries = RowsF32::new(queries, self.dim)?.len();
        let len = self.shards.last().map_or(0, |shard| shard.end);
        if let Some(filter) = filter {
            ShapeError::check("filter", filter.len(), len.div_ceil(32))?;
        }
        if k.min(len) > MAX_K {
            return Err(DeviceError::TooMany {
                asked: k,
                most: MAX_K,
            });
        }
        let queries: Arc<[f32]> = queries.into();
        // All devices start before the first answer is waited for.
        let under_way: Vec<_> = self
            .shards
            .iter()
            .map(|shard| {
                let queries = Arc::clone(&queries);
                let (first, end) = (shard.first, shard.end);
                let words = filter.map(|words| words[first / 32..end.div_ceil(32)].to_vec());
                let inner = cancel.clone();
                let pending = match &shard.place {
                    Place::Resident(kept) => kept.begin(cancel, move |device, rows| {
                        rows.top_k(device, &queries, k, words.as_deref(), &inner)
                    }),
                    Place::Streamed(kept) => {
                        let rows = Arc::clone(&self.rows);
                        kept.begin(cancel, move |device, streamed| {
                            let part = rows.rows()?.part(first, end)?;
                            let k = k.min(part.len());
                            streamed.top_k(device, part, &queries, k, words.as_deref(), &inner)
                        })
                    }
                };
                (first, pending)
            })
            .collect();
        let mut best = vec![Vec::new(); n_queries];
        for (first, pending) in under_way {
            for (best, found) in best.iter_mut().zip(pending.wait()?) {
                merge(best, found, first, k);
            }
        }
        Ok(best)
    }
}

impl<L: Staging + 'static> std::fmt::Debug for RowIndex<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RowIndex({})", self.describe())
    }
}

fn place_shard<L: Staging + 'static>(
    device: &Owner<L>,
    rows: &Arc<dyn HostRows>,
    first: usize,
    end: usize,
    cancel: &Cancel,
) -> Result<Place<L>, DeviceError> {
    let (element, dim) = (Element::of(&rows.rows()?), rows.rows()?.dim());
    let row = element.bytes_of_row(dim) as u64;
    let free = device.run(cancel, Launcher::free_bytes)?;
    if (end - first) as u64 * row <= free / SHARE.1 * SHARE.0 {
        let rows = Arc::clone(rows);
        let kept = device.keep(cancel, move |device| {
            Rows::of(device, rows.rows()?.part(first, end)?)
        });
        match kept {
            Ok(kept) => return Ok(Place::Resident(kept)),
            // Somebody else took it meanwhile.
            Err(DeviceError::OutOfMemory { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let bytes = CHUNK_BYTES.min(free / 4);
    let chunk = usize::try_from(bytes / row).unwrap_or(usize::MAX);
    let chunk = chunk.min((end - first).div_ceil(2));
    let kept = device.keep(cancel, move |device| {
        Streamed::new(device, element, dim, chunk)
    })?;
    Ok(Place::Streamed(kept))
}
