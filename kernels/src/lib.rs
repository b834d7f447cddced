//! Arithmetic on plain slices: matrix products, the pieces of a transformer layer, dense scans,
//! late interaction, sparse dot products and personalized PageRank.
//!
//! Every kernel has one safe entry point, which picks the best instructions that the CPU has
//! ([`Isa`]), and a scalar twin in [`mod@reference`] that tests compare it with. Shapes, layout,
//! cost and accuracy stand in the doc comment of each.
//!
//! [`mod@cuda`] has the same for NVIDIA GPUs. [`pick`] gives a [`Device`] and says why; what is brought
//! to it ([`Placed`], [`PlacedTokens`], [`PlacedSparse`], [`PlacedGraph`]) is used by one call, wherever
//! it is.
//!
//! Nothing here has heard of a model, a token or a passage, and nothing does I/O. Dense scans
//! and late interaction use the global rayon pool; all else runs on the calling thread, so that
//! callers decide how work is split.

mod attention;
mod cpu;
pub mod cuda;
mod device;
mod dot;
pub mod gather;
mod isa;
mod layer;
pub mod maxsim;
pub mod pagerank;
mod placed;
pub mod product;
pub mod quantize;
pub mod reference;
mod rows;
pub mod scan;
pub mod sparse;
pub mod sums;
pub mod unpack;
pub mod w8a8;

pub use attention::{ByContent, ByDistance, Heads, attention};
pub use device::{Device, DeviceChoice, Picked, UnknownDevice, pick, pick_gpus};
pub use dot::{dot_f32, dot_i8};
pub use isa::Isa;
pub use layer::{add_layer_norm, add_scaled_codes, gelu, l2_normalize, mean_rows, softmax_rows};
pub use placed::{Placed, PlacedGraph, PlacedSparse, PlacedTokens, SparseView};
pub use rows::{AnyRows, RowsBits, RowsF16, RowsF32, RowsI8, ShapeError};
