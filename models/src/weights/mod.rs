//! Where weights come from: the published checkpoint (a folder with safetensors), and our own
//! single file, which is what the repository ships.

mod checkpoint;
pub mod container;
mod family;
mod folder;
mod late;

pub(crate) use checkpoint::{Checkpoint, DenseTensors, Dims, LayerTensors, NormTensors};
pub(crate) use family::Activation;
pub(crate) use folder::{Folder, Head, OWN_SETTINGS, Pooling, Prefixes, json, settings};
pub use folder::{FolderKind, runs_on_devices};
pub(crate) use late::LateInteraction;
