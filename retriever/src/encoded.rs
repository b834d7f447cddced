//! What encoders give, checked before it is stored or searched with: a model from outside may give
//! vectors of another length than it says, or no numbers.

use indago_core::Cancel;
use indago_core::ports::{
    EncodeError, Encoder, Matrix, Role, SparseEncoder, SparseVector, TokenEncoder,
};

fn refused(model: &str, reason: String) -> EncodeError {
    EncodeError::Model {
        model: model.to_owned(),
        reason,
    }
}

/// Refuses an encoder of tokens alone for `what`, which needs vectors of whole texts.
pub(crate) fn check_texts(encoder: &dyn Encoder, what: &str) -> Result<(), EncodeError> {
    if encoder.dim() > 0 {
        return Ok(());
    }
    let reason = format!(
        "it makes vectors of tokens and none of whole texts, which {what} needs; the retrievers \
         plaid, muvera, xtr, maxsim and maxsim-all take it, and `--rerank` does"
    );
    Err(refused(encoder.name(), reason))
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

/// Whether terms ascend within the vocabulary and weights are numbers, none below zero: those that
/// were stored may have been rounded to it.
pub(crate) fn is_sound(vector: &SparseVector, vocabulary: usize) -> bool {
    let known = |term: u32| (term as usize) < vocabulary;
    vector.is_sorted_by(|a, b| a.0 < b.0)
        && vector
            .iter()
            .all(|(term, weight)| known(*term) && weight.is_finite() && *weight >= 0.0)
}

/// One sparse vector for each text: terms ascending and within the vocabulary, weights above zero.
pub(crate) fn encode_sparse(
    encoder: &dyn SparseEncoder,
    texts: &[&str],
    role: Role,
    cancel: &Cancel,
) -> Result<Vec<SparseVector>, EncodeError> {
    let vectors = encoder.encode(texts, role, cancel)?;
    if vectors.len() != texts.len() {
        let reason = format!(
            "it gave {} vectors for {} texts",
            vectors.len(),
            texts.len()
        );
        return Err(refused(encoder.name(), reason));
    }
    for vector in &vectors {
        let positive = vector.iter().all(|(_, weight)| *weight > 0.0);
        if !(positive && is_sound(vector, encoder.vocabulary())) {
            let reason = "it gave a vector with terms out of order or beyond its vocabulary, or \
                          with a weight that is no number above zero; `indago models verify` checks \
                          its files";
            return Err(refused(encoder.name(), reason.to_owned()));
        }
    }
    Ok(vectors)
}
