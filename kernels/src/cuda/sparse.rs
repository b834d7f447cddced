//! Exact search over sparse rows in device memory.

use indago_core::Cancel;

use super::DeviceError;
use super::launch::{Arg, Launch, Launcher, blocks, upload};
use super::rows::{check_len, to_halves};
use super::scan::scan_all;
use crate::scan::Scored;
use crate::{ShapeError, SparseView};

/// Sparse rows: terms with weights in 16-bit floats.
#[derive(Debug)]
pub struct SparseRows<M> {
    starts: M,
    terms: M,
    weights: M,
    len: usize,
    vocabulary: usize,
}

impl<M> SparseRows<M> {
    /// Copies rows to the device: row r has the entries `starts[r] .. starts[r + 1]` of `terms` and
    /// `weights`, every term below `vocabulary`.
    ///
    /// # Errors
    /// Shapes that do not fit, or a device without the memory.
    pub fn new<L: Launcher<Memory = M>>(
        device: &L,
        starts: &[u64],
        terms: &[u32],
        weights: &[f32],
        vocabulary: usize,
    ) -> Result<Self, DeviceError> {
        SparseView::new(starts, terms, weights, vocabulary)?;
        check_len(starts.len() - 1)?;
        Ok(Self {
            starts: upload(device, starts)?,
            terms: upload(device, terms)?,
            weights: upload(device, &to_halves(weights))?,
            len: starts.len() - 1,
            vocabulary,
        })
    }

    /// The best `k` rows by dot product with `query` (`[vocabulary]`), best first, ties by the lower
    /// row; rows whose score is 0 are not found.
    ///
    /// Reads every row once: 6 bytes an entry.
    ///
    /// # Errors
    /// Shapes that do not fit, a device that failed, or cancelled.
    pub fn top_k<L: Launcher<Memory = M>>(
        &self,
        device: &L,
        query: &[f32],
        k: usize,
        filter: Option<&[u32]>,
        cancel: &Cancel,
    ) -> Result<Vec<Scored>, DeviceError> {
        ShapeError::check("query", query.len(), self.vocabulary)?;
        if let Some(filter) = filter {
            ShapeError::check("filter", filter.len(), self.len.div_ceil(32))?;
        }
        cancel.check()?;
        let k = k.min(self.len);
        if k == 0 {
            return Ok(Vec::new());
        }
        let query = upload(device, query)?;
        let filter = filter.map(|f| upload(device, f)).transpose()?;
        let mut found = scan_all(device, self.len, 1, k, &|first, end, best| {
            let launch = Launch {
                kernel: "scan_sparse",
                grid: [blocks(device, (end - first) as usize, 8), 1],
                block: 256,
                shared: 0,
            };
            // SAFETY: the arguments are those of `scan_sparse`: the rows as checked when made, a
            // query of `vocabulary` weights, rows first..end, a filter of a bit a row, one list.
            unsafe {
                device.launch(
                    launch,
                    &[
                        Arg::Memory(&self.starts),
                        Arg::Memory(&self.terms),
                        Arg::Memory(&self.weights),
                        Arg::Memory(&query),
                        Arg::U32(self.vocabulary as u32),
                        Arg::U32(first),
                        Arg::U32(end),
                        Arg::optional(filter.as_ref()),
                        Arg::Memory(&best.keys),
                        Arg::Memory(&best.counts),
                        Arg::Memory(&best.bars),
                        Arg::U32(best.capacity),
                    ],
                )
            }
        })?;
        Ok(found.pop().unwrap_or_default())
    }
}
