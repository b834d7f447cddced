//! Twin of the sparse dot product.

/// Each document's sum over the lists of `query weight * weight`, in f64. Twin of
/// [`crate::sparse::top_k`].
pub fn sparse_scores(lists: &[(Vec<(u32, f32)>, f32)], n_documents: usize) -> Vec<f64> {
    let mut scores = vec![0.0; n_documents];
    for (postings, weight) in lists {
        for &(document, value) in postings {
            scores[document as usize] += f64::from(*weight) * f64::from(value);
        }
    }
    scores
}
