//! Late interaction over tokens here or on a device.

use indago_core::Cancel;

use crate::cuda::{DeviceError, Gpu, Launcher, MAX_QUERY_TOKENS, TokenRows};
use crate::maxsim::{Ragged, maxsim_f32};
use crate::{Device, RowsF32, ShapeError};

/// Token vectors of many texts where they are scored: here, or in the memory of a device (in 16-bit
/// floats).
#[derive(Debug)]
pub enum PlacedTokens<'a, L: Launcher = Gpu> {
    /// Here, where they were.
    Here(RowsF32<'a>, Ragged<'a>),
    /// On that device.
    There(L, TokenRows<L::Memory>),
}

impl Device {
    /// Brings token vectors to where they are scored; text i has the rows
    /// `bounds[i] .. bounds[i + 1]`.
    ///
    /// # Errors
    /// Bounds that do not ascend from 0 to the number of tokens; a device that has not the memory or
    /// failed.
    pub fn place_tokens<'a>(
        &self,
        tokens: RowsF32<'a>,
        bounds: &'a [u32],
    ) -> Result<PlacedTokens<'a>, DeviceError> {
        match self {
            Self::Cpu(_) => PlacedTokens::here(tokens, bounds),
            Self::Cuda(gpu) => PlacedTokens::on(gpu.clone(), tokens, bounds),
        }
    }
}

impl<'a, L: Launcher> PlacedTokens<'a, L> {
    /// Leaves them here.
    ///
    /// # Errors
    /// As [`Device::place_tokens`].
    pub fn here(tokens: RowsF32<'a>, bounds: &'a [u32]) -> Result<Self, DeviceError> {
        Ok(Self::Here(tokens, Ragged::new(bounds, tokens.len())?))
    }

    /// Copies them to `device`.
    ///
    /// # Errors
    /// As [`Device::place_tokens`].
    pub fn on(device: L, tokens: RowsF32<'a>, bounds: &[u32]) -> Result<Self, DeviceError> {
        Ragged::new(bounds, tokens.len())?;
        let starts: Vec<usize> = bounds.iter().map(|&bound| bound as usize).collect();
        let there = TokenRows::new(&device, tokens, &starts)?;
        Ok(Self::There(device, there))
    }

    /// For each of `texts` the sum over the query's tokens (`[m, dim]`) of the best dot product with
    /// one of the text's: 0 for a query without tokens, else minus infinity for a text without
    /// tokens. (Khattab and Zaharia 2020,
    /// section 3.3.) On a device the tokens have 11 bits of mantissa.
    ///
    /// # Errors
    /// A query that does not fit, a text that does not exist, a device that failed, or cancelled.
    pub fn score(
        &self,
        query: &[f32],
        texts: &[u32],
        cancel: &Cancel,
    ) -> Result<Vec<f32>, DeviceError> {
        cancel.check()?;
        match self {
            Self::Here(tokens, bounds) => {
                let outside = texts.iter().find(|&&text| text as usize >= bounds.len());
                if let Some(&text) = outside {
                    return Err(DeviceError::Shape(ShapeError {
                        what: "text (below)",
                        found: text as usize,
                        expected: bounds.len(),
                    }));
                }
                Ok(maxsim_f32(query, *tokens, *bounds, texts, cancel)?)
            }
            Self::There(device, rows) => {
                let texts: Vec<usize> = texts.iter().map(|&text| text as usize).collect();
                RowsF32::new(query, rows.dim())?;
                let mut parts = query.chunks(MAX_QUERY_TOKENS * rows.dim());
                // A query without tokens has scores too.
                let mut scores = rows.score(device, parts.next().unwrap_or(&[]), &texts)?;
                for part in parts {
                    cancel.check()?;
                    for (score, more) in scores.iter_mut().zip(rows.score(device, part, &texts)?) {
                        *score += more;
                    }
                }
                Ok(scores)
            }
        }
    }
}
