//! Late interaction over token matrices in device memory.

use super::DeviceError;
use super::launch::{Arg, Launch, Launcher, blocks, download, upload};
use super::rows::{check_len, to_halves};
use crate::{RowsF32, ShapeError};

/// Most tokens of a query.
pub const MAX_QUERY_TOKENS: usize = 64;

/// Token vectors of many texts, end to end, in 16-bit floats.
#[derive(Debug)]
pub struct TokenRows<M> {
    tokens: M,
    /// Text i has the tokens `starts[i] .. starts[i + 1]`.
    starts: Vec<u32>,
    dim: usize,
}

impl<M> TokenRows<M> {
    /// Copies token vectors to the device: `starts` has an entry more than there are texts, from 0
    /// to the number of tokens, never falling.
    ///
    /// # Errors
    /// Shapes that do not fit, or a device without the memory.
    pub fn new<L: Launcher<Memory = M>>(
        device: &L,
        tokens: RowsF32<'_>,
        starts: &[usize],
    ) -> Result<Self, DeviceError> {
        check_len(tokens.len())?;
        let in_order = starts.windows(2).all(|pair| pair[0] <= pair[1]);
        let last = starts.last().copied().unwrap_or(usize::MAX);
        if !in_order || last != tokens.len() || starts.first() != Some(&0) {
            return Err(DeviceError::Shape(ShapeError {
                what: "starts (from 0 to the number of tokens, never falling)",
                found: last,
                expected: tokens.len(),
            }));
        }
        Ok(Self {
            tokens: upload(device, &to_halves(tokens.data()))?,
            starts: starts.iter().map(|&start| start as u32).collect(),
            dim: tokens.dim(),
        })
    }

    /// Length of a token's vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// For each of `texts` the sum over the query's tokens (`[m, dim]`) of the best dot product with
    /// one of the text's: 0 for a query without tokens, else minus infinity for a text without
    /// tokens. (ColBERT, section 3.3.)
    ///
    /// Does `2 * m * tokens * dim` operations a text on `2 * tokens * dim` bytes.
    ///
    /// # Errors
    /// Shapes that do not fit (more than [`MAX_QUERY_TOKENS`], a text that does not exist), or a
    /// device that failed.
    pub fn score<L: Launcher<Memory = M>>(
        &self,
        device: &L,
        query: &[f32],
        texts: &[usize],
    ) -> Result<Vec<f32>, DeviceError> {
        let query_rows = RowsF32::new(query, self.dim)?;
        let shape = |what, found, expected| {
            Err(DeviceError::Shape(ShapeError {
                what,
                found,
                expected,
            }))
        };
        if query_rows.len() > MAX_QUERY_TOKENS {
            return shape("query tokens (at most)", query_rows.len(), MAX_QUERY_TOKENS);
        }
        if let Some(&text) = texts.iter().find(|&&text| text + 1 >= self.starts.len()) {
            return shape("text (below)", text, self.starts.len() - 1);
        }
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let starts: Vec<u32> = texts.iter().map(|&text| self.starts[text]).collect();
        let ends: Vec<u32> = texts.iter().map(|&text| self.starts[text + 1]).collect();
        let starts = upload(device, &starts)?;
        let ends = upload(device, &ends)?;
        let query = upload(device, query)?;
        let scores = device.alloc(texts.len() * 4)?;
        let shared = (96 * (self.dim + 1) + 64) * 4;
        if shared > device.shared_limit() as usize {
            let most = device.shared_limit() as usize / (96 * 4) - 2;
            return shape("dim (at most, on this device)", self.dim, most);
        }
        let launch = Launch {
            kernel: "maxsim_f16",
            grid: [blocks(device, texts.len(), 1), 1],
            block: 256,
            shared: shared as u32,
        };
        // SAFETY: the arguments are those of `maxsim_f16`: ranges inside the tokens, checked above
        // and when made; at most 64 query tokens; a score for every candidate; shared memory for 64
        // + 32 padded rows and 64 sums.
        unsafe {
            device.launch(
                launch,
                &[
                    Arg::Memory(&self.tokens),
                    Arg::Memory(&starts),
                    Arg::Memory(&ends),
                    Arg::U32(texts.len() as u32),
                    Arg::Memory(&query),
                    Arg::U32(query_rows.len() as u32),
                    Arg::U32(self.dim as u32),
                    Arg::Memory(&scores),
                ],
            )?;
        }
        download(device, &scores, texts.len())
    }
}
