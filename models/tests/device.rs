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
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

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
    // The file's activations take 16 bits; the embedded model rounds them to 8, the device does not.
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/all-minilm-l6-v2.int8");
    let exact = MiniLm::open(std::path::Path::new(file)).unwrap();
    for (model, least) in [(exact, 0.9999), (MiniLm::embedded().unwrap(), 0.995)] {
        check_device(Arc::new(model), least);
    }
}

fn check_device(model: Arc<MiniLm>, least: f32) {
    let cancel = Cancel::new();
    let owner = shim("shim");
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
            assert!(cosine > least, "{text}: {cosine}");
        }
    }
    cancel.cancel();
    let cancelled = device.encode(&TEXTS, Role::Query, &cancel);
    assert!(matches!(cancelled, Err(EncodeError::Cancelled(_))));
}

/// A checkpoint whose tensors are multiplied by what `by` says of their names.
fn scaled(bytes: &[u8], by: impl Fn(&str) -> f32) -> Vec<u8> {
    let read = SafeTensors::deserialize(bytes).unwrap();
    let scaled: Vec<(String, Vec<usize>, Vec<u8>)> = read
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let values = view.data().chunks_exact(4);
            let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
            let scaled = values.flat_map(|x| (x * by(&name)).to_le_bytes()).collect();
            (name, view.shape().to_vec(), scaled)
        })
        .collect();
    let views = scaled.iter().map(|(name, shape, data)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), data).unwrap();
        (name.clone(), view)
    });
    safetensors::serialize(views, None).unwrap()
}

/// f16 ends at 65,504. A model whose values go beyond is opened in bf16, and says so.
#[test]
fn a_model_whose_values_overflow_f16_computes_in_bf16() {
    let (owner, cancel) = (shim("wide"), Cancel::new());
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "tokenizer.json"] {
        std::fs::copy(tiny("encoder").join(file), folder.path().join(file)).unwrap();
    }
    let bytes = std::fs::read(tiny("encoder").join("model.safetensors")).unwrap();
    let wide = |name: &str| match name {
        name if name.contains("intermediate.dense") => 2.0_f32.powi(24),
        // Not the output of the attention.
        name if name.ends_with("0.output.dense.weight") => 2.0_f32.powi(-24),
        name if name.ends_with("1.output.dense.weight") => 2.0_f32.powi(-24),
        _ => 1.0,
    };
    std::fs::write(
        folder.path().join("model.safetensors"),
        scaled(&bytes, wide),
    )
    .unwrap();

    let plain = DeviceSentenceEncoder::open(&tiny("encoder"), &owner, &cancel).unwrap();
    let said = plain.describe(&cancel).unwrap();
    assert!(said.starts_with("f16 products by own kernels; "), "{said}");
    let wide = DeviceSentenceEncoder::open(folder.path(), &owner, &cancel).unwrap();
    let said = wide.describe(&cancel).unwrap();
    assert!(said.starts_with("bf16 "), "{said}");
    let model = SentenceEncoder::open(folder.path()).unwrap();
    let here = model.encode(&TEXTS, Role::Passage, &cancel).unwrap();
    let there = wide.encode(&TEXTS, Role::Passage, &cancel).unwrap();
    for i in [0, 2, 3] {
        let pairs = here.row(i).iter().zip(there.row(i));
        let cosine: f32 = pairs.map(|(a, b)| a * b).sum();
        assert!(cosine > 0.999, "{cosine}");
    }
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
