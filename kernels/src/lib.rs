//! indago-kernels.
