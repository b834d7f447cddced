//! What goes through an encoder, and how much of it at once.

use indago_core::Cancel;

use super::super::DeviceError;

/// A text, or two that are read together.
#[derive(Clone, Copy, Debug)]
pub struct Sequence<'a> {
    /// Token ids, special tokens included.
    pub ids: &'a [u32],
    /// Where the second text begins: tokens from here on are of type 1.
    pub second: usize,
}

impl<'a> From<&'a [u32]> for Sequence<'a> {
    fn from(ids: &'a [u32]) -> Self {
        let second = ids.len();
        Self { ids, second }
    }
}

/// How the vectors of a sequence's tokens become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    #[default]
    Mean,
    /// The first one.
    First,
    /// The greatest value in each place.
    Max,
}

/// Runs `run` over sequences, at most `tokens` at a time; where the device has not the memory
/// for a batch, over half as many from there on. Checks `cancel` between batches.
///
/// # Errors
/// What `run` says; [`DeviceError::OutOfMemory`] when one sequence alone is too much.
pub fn in_batches(
    sequences: &[Sequence<'_>],
    tokens: usize,
    cancel: &Cancel,
    mut run: impl FnMut(&[Sequence<'_>]) -> Result<Vec<f32>, DeviceError>,
) -> Result<Vec<f32>, DeviceError> {
    let mut out = Vec::new();
    let mut most = tokens.max(1);
    let mut rest = sequences;
    while !rest.is_empty() {
        cancel.check()?;
        let mut sum = 0;
        let n = rest.iter().take_while(|sequence| {
            sum += sequence.ids.len();
            sum <= most
        });
        let n = n.count().max(1);
        match run(&rest[..n]) {
            Ok(values) => {
                out.extend(values);
                rest = &rest[n..];
            }
            Err(DeviceError::OutOfMemory { .. }) if n > 1 => {
                let held: usize = rest[..n].iter().map(|s| s.ids.len()).sum();
                most = (held / 2).max(1);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(out)
}
