//! Encoders: from texts to vectors whose dot product is their similarity.

mod batch;
mod device;
mod forward;
mod minilm;
mod network;
mod table;

pub use device::DeviceMiniLm;
pub(crate) use minilm::EMBEDDED as MINILM_BYTES;
pub use minilm::MiniLm;
pub(crate) use table::EMBEDDED as TABLE_BYTES;
pub use table::StaticEncoder;
