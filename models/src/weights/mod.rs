//! Where weights come from: the published checkpoint (a folder with safetensors), and our own
//! single file, which is what the repository ships.

mod checkpoint;
pub mod container;
mod folder;
mod late;

pub(crate) use checkpoint::{Checkpoint, DenseTensors, Dims, LayerTensors, NormTensors};
pub use folder::FolderKind;
pub(crate) use folder::{Folder, Head, OWN_SETTINGS, Pooling, Prefixes};
pub(crate) use late::LateInteraction;
