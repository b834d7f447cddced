//! Where weights come from: the published checkpoint (a folder with safetensors), and our own
//! single file, which is what the repository ships.

mod checkpoint;
mod config;
pub mod container;
mod family;
mod folder;
mod late;
mod relative;
mod rotary;
mod tensors;

pub(crate) use checkpoint::{Checkpoint, Dims};
pub(crate) use family::{Activation, Gate};
pub(crate) use folder::{
    Folder, Head, OWN_SETTINGS, OwnSettings, Pooling, Prefixes, json, own_settings, settings,
};
pub use folder::{FolderKind, Precision, runs_on_devices};
pub(crate) use late::LateInteraction;
pub(crate) use relative::Relative;
pub(crate) use rotary::RotaryLayer;
pub(crate) use tensors::{DenseTensors, NormTensors};
