//! The leading dimensions of another encoder's vectors.

use std::sync::Arc;

use indago_core::Cancel;
use indago_core::ports::{EncodeError, Encoder, Matrix, Role};
use indago_kernels::l2_normalize;

/// Keeps the first values of each vector and scales the rest to length 1 (Kusupati et al. 2022,
/// "Matryoshka Representation Learning", section 3).
///
/// Encoders that were trained for it lose little. all-MiniLM-L6-v2 was not: see `docs/quality.md`
/// for what it loses.
pub struct Truncated {
    inner: Arc<dyn Encoder>,
    dim: usize,
    name: String,
    fingerprint: String,
}

impl Truncated {
    /// The first `dim` values of what `inner` gives.
    ///
    /// # Errors
    /// When `inner` has no `dim` values, or `dim` is 0.
    pub fn new(inner: Arc<dyn Encoder>, dim: usize) -> Result<Self, EncodeError> {
        if dim == 0 || dim > inner.dim() {
            return Err(EncodeError::Model {
                model: inner.name().to_owned(),
                reason: format!("it has {} dimensions; {dim} were asked for", inner.dim()),
            });
        }
        Ok(Self {
            name: format!("{}:{dim}", inner.name()),
            fingerprint: format!("{}:{dim}", inner.fingerprint()),
            inner,
            dim,
        })
    }
}

impl std::fmt::Debug for Truncated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Truncated[{}]", self.fingerprint)
    }
}

impl Encoder for Truncated {
    fn name(&self) -> &str {
        &self.name
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn encode(&self, texts: &[&str], role: Role, cancel: &Cancel) -> Result<Matrix, EncodeError> {
        let whole = self.inner.encode(texts, role, cancel)?;
        let mut out = Matrix::zeros(whole.rows, self.dim);
        for (i, row) in out.data.chunks_exact_mut(self.dim).enumerate() {
            row.copy_from_slice(&whole.row(i)[..self.dim]);
            l2_normalize(row);
        }
        Ok(out)
    }

    /// Of a truncation of a truncation, the encoder at the bottom: the first values are the same.
    fn truncation_of(&self) -> Option<&dyn Encoder> {
        Some(self.inner.truncation_of().unwrap_or(self.inner.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StaticEncoder;

    #[test]
    fn leading_values_are_kept_and_scaled_to_length_one() {
        let inner: Arc<dyn Encoder> = Arc::new(StaticEncoder::embedded().unwrap());
        let cancel = Cancel::new();
        let short = Truncated::new(Arc::clone(&inner), 64).unwrap();
        let texts = ["The lighthouse was built in 1888.", ""];
        let whole = inner.encode(&texts, Role::Passage, &cancel).unwrap();
        let cut = short.encode(&texts, Role::Passage, &cancel).unwrap();
        assert_eq!((cut.rows, cut.dim), (2, 64));
        let length = whole.row(0)[..64].iter().map(|x| x * x).sum::<f32>().sqrt();
        for (x, y) in cut.row(0).iter().zip(whole.row(0)) {
            assert!((x - y / length).abs() < 1e-6);
        }
        assert!(cut.row(1).iter().all(|x| *x == 0.0));
        assert_ne!(short.fingerprint(), inner.fingerprint());
        assert!(inner.truncation_of().is_none());
        let shorter = Truncated::new(Arc::new(short), 32).unwrap();
        let whole = shorter.truncation_of().unwrap();
        assert_eq!(whole.fingerprint(), inner.fingerprint());
        let error = Truncated::new(inner, 100_000).unwrap_err().to_string();
        assert!(error.contains("100000 were asked for"), "{error}");
    }
}
