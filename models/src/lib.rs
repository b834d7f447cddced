//! What turns text into numbers: tokenizers, encoders, and the files their weights live in.
//!
//! [`MiniLm::embedded`] is the encoder that ships with the program: all-MiniLM-L6-v2 with int8
//! weights. Its arithmetic is in `indago-kernels`; ports are those of `indago-core`.
//!
//! [`remote`] has models behind a server; the way to it is `indago-egress`'s. Nothing here searches.

mod build;
mod encoder;
mod error;
pub mod pull;
pub mod registry;
pub mod remote;
pub mod text_estimate;
mod tokenizer;
pub mod weights;

pub use build::{distill, quantize};
pub use encoder::{
    ColBert, CrossEncoder, DeviceCrossEncoder, DeviceMiniLm, DeviceSentenceEncoder, MiniLm, Reader,
    SentenceEncoder, Splade, StaticEncoder, Truncated,
};
pub use error::ModelError;
pub use tokenizer::{Vocabulary, WordPiece};
pub use weights::{FolderKind, Precision, runs_on_devices};
