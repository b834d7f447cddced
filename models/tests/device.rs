//! MiniLM on a device, which here is the host shim of `indago-kernels`.

#![expect(unsafe_code, reason = "the shim calls kernels through a C interface")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the launcher is part of the tests"
)]

use std::sync::Arc;

use indago_core::Cancel;
use indago_core::ports::{EncodeError, Encoder, Role};
use indago_kernels::cuda::{DeviceError, Owner};
use indago_models::{DeviceMiniLm, MiniLm};

#[path = "../../kernels/tests/cuda_shim/launcher.rs"]
mod launcher;

use launcher::Shim;

const TEXTS: [&str; 4] = [
    "Who built the lighthouse on the northern cape?",
    "",
    "Vehicle LUTRA 3 carries a sonar that was tested in Halvar Fjord.",
    "zymurgy",
];

#[test]
fn the_device_gives_the_vectors_of_the_cpu() {
    let model = Arc::new(MiniLm::embedded().unwrap());
    let cancel = Cancel::new();
    let owner = Owner::start("shim", || {
        Ok(Shim {
            order: 0,
            blocks: 4,
        })
    })
    .unwrap();
    let device = DeviceMiniLm::new(Arc::clone(&model), &owner, &cancel).unwrap();
    assert_eq!(device.fingerprint(), model.fingerprint());
    let here = model.encode(&TEXTS, Role::Passage, &cancel).unwrap();
    let there = device.encode(&TEXTS, Role::Passage, &cancel).unwrap();
    assert_eq!((there.rows, there.dim), (here.rows, here.dim));
    for (i, text) in TEXTS.iter().enumerate() {
        let cosine: f32 = here
            .row(i)
            .iter()
            .zip(there.row(i))
            .map(|(a, b)| a * b)
            .sum();
        if text.is_empty() {
            assert!(there.row(i).iter().all(|&x| x == 0.0));
        } else {
            assert!(cosine > 0.9999, "{text}: {cosine}");
        }
    }
    cancel.cancel();
    let cancelled = device.encode(&TEXTS, Role::Query, &cancel);
    assert!(matches!(cancelled, Err(EncodeError::Cancelled(_))));
}

#[test]
fn a_device_that_cannot_hold_the_weights_says_so() {
    let model = Arc::new(MiniLm::embedded().unwrap());
    let owner = Owner::start("full", || {
        Ok(Full(Shim {
            order: 0,
            blocks: 1,
        }))
    })
    .unwrap();
    let error = DeviceMiniLm::new(model, &owner, &Cancel::new()).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("--device cpu") && said.contains("free"),
        "{said}"
    );
}

/// A device without memory.
struct Full(Shim);

impl indago_kernels::cuda::Launcher for Full {
    type Memory = launcher::HostMemory;

    fn parallel_blocks(&self) -> u32 {
        self.0.parallel_blocks()
    }

    fn shared_limit(&self) -> u32 {
        self.0.shared_limit()
    }

    fn free_bytes(&self) -> Result<u64, DeviceError> {
        Ok(0)
    }

    fn alloc(&self, bytes: usize) -> Result<launcher::HostMemory, DeviceError> {
        Err(DeviceError::OutOfMemory {
            asked: bytes as u64,
            free: 0,
        })
    }

    fn write(
        &self,
        to: &launcher::HostMemory,
        offset: usize,
        from: &[u8],
    ) -> Result<(), DeviceError> {
        self.0.write(to, offset, from)
    }

    fn read(
        &self,
        from: &launcher::HostMemory,
        offset: usize,
        to: &mut [u8],
    ) -> Result<(), DeviceError> {
        self.0.read(from, offset, to)
    }

    unsafe fn launch(
        &self,
        launch: indago_kernels::cuda::Launch,
        args: &[indago_kernels::cuda::Arg<'_, launcher::HostMemory>],
    ) -> Result<(), DeviceError> {
        // SAFETY: passed on as it came.
        unsafe { self.0.launch(launch, args) }
    }
}
