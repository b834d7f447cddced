//! Twin of late interaction.

/// Sum over query tokens of the largest dot product with a token of the document, in f64. Twin of
/// [`crate::maxsim`].
pub fn maxsim(query: &[f32], document: &[f32], dim: usize) -> f64 {
    let best = |token: &[f32]| {
        let dots = document
            .chunks_exact(dim)
            .map(|row| super::dot_f32(row, token));
        dots.filter(|dot| !dot.is_nan())
            .fold(f64::NEG_INFINITY, f64::max)
    };
    query.chunks_exact(dim).map(best).sum()
}
