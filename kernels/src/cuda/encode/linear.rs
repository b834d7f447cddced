//! Linear layers: through a library's product where there is one, else through our own kernel.

use std::sync::atomic::{AtomicU32, Ordering};

use super::super::DeviceError;
use super::super::float16::Float16;
use super::super::launch::{Arg, Launch, Launcher, Product};
use super::weights::Linear;

/// What an encoder computes with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arithmetic {
    /// Format of weights and activations; sums are 32-bit floats in either.
    pub format: Float16,
    /// What makes the products.
    pub products: Products,
}

/// What makes the products of linear layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Products {
    /// The device's library ([`Launcher::library`]), and our own kernel where there is none.
    #[default]
    Library,
    /// Our own kernel.
    Own,
}

/// What a linear layer applies to its output.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Activation {
    None = 0,
    Gelu = 1,
    Tanh = 2,
}

/// The way of one encoder's products, with the reason.
#[derive(Debug)]
pub(super) struct Way {
    format: Float16,
    /// Name and version of the library, or why there is none.
    library: Result<String, String>,
    /// Products that the library had no algorithm for.
    left_out: AtomicU32,
}

impl Way {
    pub(super) fn choose<L: Launcher>(device: &L, arithmetic: Arithmetic) -> Self {
        Self {
            format: arithmetic.format,
            library: match arithmetic.products {
                Products::Own => Err("asked for".to_owned()),
                Products::Library => device.library().map_err(|error| error.to_string()),
            },
            left_out: AtomicU32::new(0),
        }
    }

    /// The format, the way, and why, in words.
    pub(super) fn describe(&self) -> String {
        let format = self.format;
        match (&self.library, self.left_out.load(Ordering::Relaxed)) {
            (Err(why), _) => format!("{format} products by own kernels; {why}"),
            (Ok(library), 0) => format!("{format} products by {library}"),
            (Ok(library), n) => format!(
                "{format} products by {library}, but {n} by own kernels, for which it has no algorithm"
            ),
        }
    }

    /// `out[m, n] = act(x[m, k] weights[n, k]^T + bias)`; k and n are multiples of 8.
    pub(super) fn linear<L: Launcher>(
        &self,
        device: &L,
        layer: &Linear<L::Memory>,
        x: &L::Memory,
        out: &L::Memory,
        shape: [usize; 3],
        activation: Activation,
    ) -> Result<(), DeviceError> {
        if self.library.is_ok() {
            let product = Product {
                format: self.format,
                shape,
                x,
                weights: &layer.weights,
                bias: &layer.bias,
                out,
            };
            match device.multiply(&product) {
                Ok(()) => return self.activate(device, out, shape, activation),
                Err(DeviceError::NoAlgorithm { .. }) => {
                    self.left_out.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => return Err(error),
            }
        }
        let [m, n, k] = shape.map(|length| length as u32);
        let launch = Launch {
            kernel: self.format.kernels().linear,
            grid: [n.div_ceil(128), m.div_ceil(64)],
            block: 256,
            shared: 0,
        };
        // SAFETY: the arguments are those of `linear`, with the shapes checked when the weights were
        // copied; k is a multiple of 8.
        unsafe {
            device.launch(
                launch,
                &[
                    Arg::Memory(x),
                    Arg::Memory(&layer.weights),
                    Arg::Memory(&layer.bias),
                    Arg::U32(m),
                    Arg::U32(n),
                    Arg::U32(k),
                    Arg::U32(activation as u32),
                    Arg::Memory(out),
                ],
            )
        }
    }

    /// What a library does not fuse: BERT's GELU is the exact one, libraries have the approximation.
    fn activate<L: Launcher>(
        &self,
        device: &L,
        values: &L::Memory,
        [rows, width, _]: [usize; 3],
        activation: Activation,
    ) -> Result<(), DeviceError> {
        if activation == Activation::None {
            return Ok(());
        }
        let launch = Launch {
            kernel: self.format.kernels().activate,
            grid: [(rows as u32).div_ceil(8), 1],
            block: 256,
            shared: 0,
        };
        // SAFETY: the arguments are those of `activate`: `[rows, width]` were just written there, and
        // the width is a multiple of 8.
        unsafe {
            device.launch(
                launch,
                &[
                    Arg::Memory(values),
                    Arg::U32(rows as u32),
                    Arg::U32(width as u32),
                    Arg::U32(activation as u32),
                ],
            )
        }
    }
}
