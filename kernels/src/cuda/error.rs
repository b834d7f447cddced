//! What can go wrong on a device, sorted by what its user can do.

use indago_core::Cancelled;

use crate::ShapeError;

/// A device cannot be used, or failed at work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// Built without GPU support.
    #[error(
        "this build has no CUDA support: build with `--features cuda`, or choose `--device cpu`"
    )]
    NotCompiled,
    /// No driver library.
    #[error(
        "no NVIDIA driver was found (libcuda.so.1): install the driver, or choose `--device cpu`"
    )]
    NoDriver,
    /// The driver is older than what this build needs.
    #[error(
        "the NVIDIA driver supports CUDA {found}, at least {needed} is needed: update the driver, \
         or choose `--device cpu`"
    )]
    DriverTooOld {
        /// CUDA version it supports, such as `12.4`.
        found: String,
        /// The oldest that will do.
        needed: String,
    },
    /// The runtime compiler is missing.
    #[error(
        "the CUDA runtime compiler was not found (libnvrtc.so.13): install it (PyPI package \
         nvidia-cuda-nvrtc 13) and put its folder on LD_LIBRARY_PATH, or choose `--device cpu`"
    )]
    NoCompiler,
    /// There are fewer devices.
    #[error("there is no device cuda:{asked}: the driver lists {present}")]
    NoSuchDevice {
        /// The ordinal that was asked for.
        asked: usize,
        /// How many there are.
        present: usize,
    },
    /// Device memory ran out.
    #[error(
        "the device has {free} bytes free, {asked} are needed: use fewer or smaller vectors, a \
         smaller batch, or `--device cpu`"
    )]
    OutOfMemory {
        /// Bytes of the allocation that failed.
        asked: u64,
        /// Bytes that were free.
        free: u64,
    },
    /// A kernel source did not compile: a defect of this program or a compiler that is too old.
    #[error("the kernels of `{unit}` did not compile for {architecture}: {log}")]
    Compile {
        /// Which source.
        unit: &'static str,
        /// For which device.
        architecture: String,
        /// What the compiler said.
        log: String,
    },
    /// The device failed and cannot be used again by this process.
    #[error("the device failed: {0}; start the program again, or choose `--device cpu`")]
    Lost(String),
    /// There is no library for matrix products that can be used; our own kernels make them.
    #[error("the matrix library cuBLASLt is not used: {0}")]
    NoLibrary(String),
    /// The matrix library has no algorithm for a product.
    #[error("cuBLASLt has no algorithm for a product of {m} x {n} x {k}")]
    NoAlgorithm {
        /// Rows of the output.
        m: usize,
        /// Columns of the output.
        n: usize,
        /// Length of the sums.
        k: usize,
    },
    /// The matrix library failed, and the device goes on.
    #[error(
        "cuBLASLt failed: {function} gave {status}; take it off LD_LIBRARY_PATH (the program's own \
         kernels are used then), or choose `--device cpu`"
    )]
    Library {
        /// What was called.
        function: &'static str,
        /// What it gave.
        status: String,
    },
    /// The arguments do not fit each other.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// More results than a device scan keeps.
    #[error("k is {asked}, a device scan keeps at most {most}: ask for fewer, or use the CPU")]
    TooMany {
        /// k as asked.
        asked: usize,
        /// The most.
        most: usize,
    },
    /// Cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}
