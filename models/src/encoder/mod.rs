//! Encoders: from texts to vectors whose dot product is their similarity.

mod batch;
mod bert;
mod colbert;
mod cross;
mod device;
mod device_bert;
mod forward;
mod gate;
mod minilm;
mod network;
mod reader;
mod relative;
mod rotary;
mod sentence;
mod splade;
mod table;
mod token_rows;
mod truncated;

pub use colbert::ColBert;
pub use cross::CrossEncoder;
pub use device::DeviceMiniLm;
pub use device_bert::{DeviceCrossEncoder, DeviceSentenceEncoder};
pub(crate) use minilm::EMBEDDED as MINILM_BYTES;
pub use minilm::MiniLm;
pub(crate) use reader::EMBEDDED as READER_BYTES;
pub use reader::Reader;
pub use sentence::SentenceEncoder;
pub use splade::Splade;
pub(crate) use table::EMBEDDED as TABLE_BYTES;
pub use table::StaticEncoder;
pub use truncated::Truncated;
