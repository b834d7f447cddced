//! The GPU kernels, run on the CPU through a host shim and compared with this crate's references.
//!
//! The sources that NVRTC compiles for a device are compiled here by the C++ compiler behind
//! `cuda_shim/shim.hpp`, which runs every thread of a block as a coroutine. What launches them is the
//! product's own code over the `Launcher` seam. Needs a C++17 compiler (`$CXX`, else `c++`).
//!
//! With a GPU the same tests run on it: `INDAGO_TEST_DEVICE=cuda:0 cargo test -p indago-kernels
//! --features cuda --test cuda_shim`; `benches/gpu.py --sanitize` runs them under compute-sanitizer.

#![expect(unsafe_code, reason = "calls the kernels through a C interface")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the launcher is part of the tests"
)]

#[path = "cuda_shim/anywhere.rs"]
mod anywhere;
#[path = "cuda_shim/devices.rs"]
mod devices;
#[path = "cuda_shim/encoder.rs"]
mod encoder;
#[path = "cuda_shim/launcher.rs"]
mod launcher;
#[path = "cuda_shim/others.rs"]
mod others;
#[path = "cuda_shim/scans.rs"]
mod scans;
#[path = "cuda_shim/small.rs"]
mod small;
