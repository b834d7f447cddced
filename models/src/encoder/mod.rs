//! Encoders: from texts to vectors whose dot product is their similarity.

mod batch;
mod forward;
mod minilm;
mod network;

pub use minilm::MiniLm;
