//! Late interaction over compressed token vectors.
//!
//! A passage is a matrix of token vectors; its score is the mean, over the tokens of the query, of the
//! largest dot product with any of its own (MaxSim; Khattab and Zaharia 2020, "ColBERT"). A token is
//! stored as its nearest centroid and a residual of few bits a value ([`Codec`]; Santhanam et al.
//! 2022, "ColBERTv2", section 3.3), and scored by these codes; the best few are decoded. Three ways
//! lead to the passages that are scored in full: centroids alone ([`Index::plaid`]; Santhanam et al.
//! 2022, "PLAID"), one vector a passage ([`Index::muvera`]; Jayaram et al. 2024, "MUVERA"), and any
//! other retriever ([`Index::rank`]). [`Index::xtr`] scores from retrieved tokens alone (Lee et al.
//! 2023, "XTR").

mod codebook;
mod codec;
mod file;
mod index;
mod k_means;
mod muvera;
mod score;
mod search;

pub use codec::{Codec, CodedTokens};
pub(crate) use file::{Rows, TokenFile, link_rows, write};
pub use index::{Index, IndexBuilder};
pub use k_means::{k_means, nearest};
pub use muvera::FixedDimension;
pub use search::Scope;
