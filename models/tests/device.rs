//! MiniLM on a device, which here is the host shim of `indago-kernels`.

#![expect(unsafe_code, reason = "the shim calls kernels through a C interface")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the launcher is part of the tests"
)]

use std::sync::Arc;

use indago_core::Cancel;
use indago_core::ports::{EncodeError, Encoder, PairScorer, Role};
use indago_kernels::cuda::{DeviceError, Owner};
use indago_models::{
    CrossEncoder, DeviceCrossEncoder, DeviceMiniLm, DeviceSentenceEncoder, MiniLm, SentenceEncoder,
};

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

fn tiny(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tiny")
        .join(name)
}

fn shim(name: &str) -> Owner<Shim> {
    let open = || {
        Ok(Shim {
            order: 0,
            blocks: 4,
        })
    };
    Owner::start(name, open).unwrap()
}

#[test]
fn sentence_encoders_from_folders_give_the_vectors_of_the_cpu_in_every_pooling() {
    let (owner, cancel) = (shim("sentences"), Cancel::new());
    for pooling in ["cls", "mean", "max"] {
        let folder = tempfile::tempdir().unwrap();
        for file in [
            "config.json",
            "tokenizer.json",
            "model.safetensors",
            "config_sentence_transformers.json",
        ] {
            std::fs::copy(tiny("encoder").join(file), folder.path().join(file)).unwrap();
        }
        std::fs::create_dir(folder.path().join("1_Pooling")).unwrap();
        let modes = ["cls_token", "mean_tokens", "max_tokens"].map(|mode| {
            let on = mode.starts_with(pooling);
            format!("\"pooling_mode_{mode}\": {on}")
        });
        let config = format!("{{{}}}", modes.join(", "));
        std::fs::write(folder.path().join("1_Pooling/config.json"), config).unwrap();
        let model = SentenceEncoder::open(folder.path()).unwrap();
        let device = DeviceSentenceEncoder::open(folder.path(), &owner, &cancel).unwrap();
        assert_eq!(device.fingerprint(), model.fingerprint());
        for role in [Role::Query, Role::Passage] {
            let here = model.encode(&TEXTS, role, &cancel).unwrap();
            let there = device.encode(&TEXTS, role, &cancel).unwrap();
            for (i, text) in TEXTS.iter().enumerate() {
                let pairs = here.row(i).iter().zip(there.row(i));
                let cosine: f32 = pairs.map(|(a, b)| a * b).sum();
                if text.is_empty() {
                    assert!(there.row(i).iter().all(|&x| x == 0.0));
                } else {
                    assert!(cosine > 0.9999, "{pooling} {role:?} {text}: {cosine}");
                }
            }
        }
    }
}

#[test]
fn cross_encoders_give_the_scores_of_the_cpu() {
    let (owner, cancel) = (shim("pairs"), Cancel::new());
    let model = CrossEncoder::open(&tiny("cross")).unwrap();
    let device = DeviceCrossEncoder::open(&tiny("cross"), &owner, &cancel).unwrap();
    let long = "a lighthouse and its keeper ".repeat(40);
    let texts = [TEXTS[0], TEXTS[1], TEXTS[2], &long];
    let here = model.score("who kept the light", &texts, &cancel).unwrap();
    let there = device.score("who kept the light", &texts, &cancel).unwrap();
    // Random weights blow rounding up: torch in 16-bit floats is 0.015 away as well, in bf16 0.1.
    for (here, there) in here.iter().zip(&there) {
        assert!((here - there).abs() < 0.03, "{here} {there}");
    }
    assert!(here[0] != here[2], "{here:?}");
    assert!(device.score("nothing", &[], &cancel).unwrap().is_empty());
    cancel.cancel();
    let cancelled = device.score("who", &texts, &cancel);
    assert!(matches!(cancelled, Err(EncodeError::Cancelled(_))));
    // A folder with another kind of model is refused before the device is asked.
    let wrong = DeviceCrossEncoder::open(&tiny("encoder"), &owner, &Cancel::new()).unwrap_err();
    assert!(wrong.to_string().contains("cross-encoder"), "{wrong}");
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
