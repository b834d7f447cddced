//! What encoders give, checked before it is stored or searched with: a model from outside may give
//! vectors of another length than it says, or no numbers.

use indago_core::Cancel;
use indago_core::ports::{EncodeError, Encoder, Matrix, Role, TokenEncoder};

fn refused(model: &str, reason: String) -> EncodeError {
    EncodeError::Model {
        model: model.to_owned(),
        reason,
    }
}

fn check(model: &str, matrix: &Matrix, dim: usize) -> Result<(), EncodeError> {
    if matrix.dim != dim || matrix.data.len() != matrix.rows * dim {
        let found = matrix.data.len().checked_div(matrix.rows).unwrap_or(0);
        return Err(refused(
            model,
            format!("it gave vectors of {found} values and says that they have {dim}"),
        ));
    }
    if !matrix.data.iter().all(|x| x.is_finite()) {
        let reason = "it gave a vector with a value that is not a finite number; \
                      `indago models verify` checks its files";
        return Err(refused(model, reason.to_owned()));
    }
    Ok(())
}

/// One finite vector of the encoder's length for each text.
pub(crate) fn encode(
    encoder: &dyn Encoder,
    texts: &[&str],
    role: Role,
    cancel: &Cancel,
) -> Result<Matrix, EncodeError> {
    let matrix = encoder.encode(texts, role, cancel)?;
    if matrix.rows != texts.len() {
        let reason = format!("it gave {} vectors for {} texts", matrix.rows, texts.len());
        return Err(refused(encoder.name(), reason));
    }
    check(encoder.name(), &matrix, encoder.dim())?;
    Ok(matrix)
}

/// The same of tokens.
pub(crate) fn encode_tokens(
    encoder: &dyn TokenEncoder,
    texts: &[&str],
    role: Role,
    cancel: &Cancel,
) -> Result<Vec<Matrix>, EncodeError> {
    let matrices = encoder.encode_tokens(texts, role, cancel)?;
    if matrices.len() != texts.len() {
        let reason = format!(
            "it gave {} matrices for {} texts",
            matrices.len(),
            texts.len()
        );
        return Err(refused(encoder.fingerprint(), reason));
    }
    for matrix in &matrices {
        check(encoder.fingerprint(), matrix, encoder.dim())?;
    }
    Ok(matrices)
}
