//! The same arithmetic on an NVIDIA GPU.
//!
//! Kernel sources (`source/*.cu`) are compiled by NVRTC when they are first needed, for the device
//! at hand; nothing of CUDA is needed to build. What a launch looks like, how a scan is cut into
//! chunks, how candidates are chosen: all that is plain Rust over [`Launcher`], so that tests run
//! it, and the very same sources, on a CPU through a host shim. [`Gpu`] is the launcher for a real
//! device; without the feature `cuda` its constructor says so.
//!
//! Results of integer scans equal those of the CPU bit for bit; floating-point sums differ in their
//! last bits. Ties go to the lower row everywhere.

#![expect(
    unsafe_code,
    reason = "a launch trusts its arguments; each says why they fit the kernel"
)]

#[cfg(not(feature = "cuda"))]
mod absent;
mod cache;
#[cfg(feature = "cuda")]
mod compile;
#[cfg(feature = "cuda")]
mod cublaslt;
#[cfg(feature = "cuda")]
mod driver;
mod encode;
mod error;
mod float16;
mod index;
mod k_means;
mod launch;
mod max_sim;
mod owner;
mod page_rank;
mod rows;
mod scan;
mod source;
mod sparse;
mod streamed;

#[cfg(not(feature = "cuda"))]
pub use absent::Gpu;
pub use cache::{CodeCache, keep_code_in};
#[cfg(feature = "cuda")]
pub use compile::{KernelReport, compile};
#[cfg(feature = "cuda")]
pub use driver::Gpu;
pub use encode::{
    Arithmetic, EncoderLayer, EncoderShape, EncoderWeights, GpuEncoder, Linear, Norm, Pooling,
    Products, ScoreHead, Sequence, in_batches,
};
pub use error::DeviceError;
pub use float16::Float16;
pub use index::{Devices, HostRows, RowIndex, RowScan, RowScanner};
pub(crate) use k_means::check_finite;
pub use k_means::{KMeans, k_means};
pub use launch::{Arg, Launch, Launcher, Product, Staging};
pub use max_sim::{MAX_QUERY_TOKENS, TokenRows};
pub use owner::{Kept, Owner, Pending};
pub use page_rank::Graph;
pub(crate) use page_rank::check_edges;
pub use rows::{Element, Rows};
pub use scan::MAX_K;
pub use source::{KERNELS, Unit};
pub use sparse::SparseRows;
pub use streamed::Streamed;
