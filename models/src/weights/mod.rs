//! Where weights come from: the published checkpoint (a folder with safetensors), and our own
//! single file, which is what the repository ships.

mod checkpoint;
pub mod container;

pub(crate) use checkpoint::{Checkpoint, DenseTensors, Dims, LayerTensors, NormTensors};
