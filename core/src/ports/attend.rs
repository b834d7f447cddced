//! Looking into a decoder's attention.

use super::LanguageModelError;
use crate::{Cancel, Prompt};

/// How much attention falls on each token of a text, summed over heads; 0 and above.
pub type TokenAttention = Vec<f32>;

/// A decoder that tells where it looks. An ability beside [`super::LanguageModel`], of models whose
/// forward pass is at hand. What in-context reranking reads (Chen, Jimenez Gutierrez and Su 2024,
/// "Attention in large language models yields efficient zero-shot re-rankers").
pub trait AttentionTap: Send + Sync {
    /// Name for people.
    fn name(&self) -> &str;

    /// Reads `prompt` once and continues it with each of `tails`, words of the user's, without
    /// generating. For each tail, and each segment of the prompt: how much attention the tail's
    /// tokens pay to each token of the segment's text, `s[j] = sum over layers and heads of the mean
    /// over the tail's tokens t of A[t, j]`, where `A[t, ..]` is the softmax over all tokens up to
    /// `t`, in 32-bit floats. What a chat template puts around a tail counts as the tail's.
    ///
    /// Shape `[tails, segments, tokens of the segment]`; a segment has as many tokens for each tail.
    /// What the tails have in common is computed once. Checks `cancel` between layers.
    ///
    /// # Errors
    /// [`LanguageModelError::ContextWindow`] and the like; what the model cannot do.
    fn attention(
        &self,
        prompt: &Prompt,
        tails: &[&str],
        cancel: &Cancel,
    ) -> Result<Vec<Vec<TokenAttention>>, LanguageModelError>;
}
