//! Products through the matrix library, which a library of our own stands in for
//! (`cuda_shim/cublaslt.cpp`).

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use indago_kernels::cuda::{
    Arithmetic, CodeCache, DeviceError, EncoderLayer, EncoderShape, EncoderWeights, Float16, Gpu,
    GpuEncoder, Launcher as _, Linear, Norm, Pooling, Product, Products, keep_code_in,
};

use super::{FOLDER_FIRST, build, has_compiler, scenario};

const SOURCE: &str = include_str!("../cuda_shim/cublaslt.cpp");

/// The folder with the library.
fn stand_in_library() -> &'static str {
    static FOLDER: OnceLock<String> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = beside("stand-in-lt");
        build(&folder, "libcublasLt.so.13", SOURCE, &[]);
        folder.display().to_string()
    })
}

fn beside(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Runs `name` with the driver, the library, and what else the environment is to say.
fn with_library(name: &str, setting: &[(&str, &str)]) {
    if !has_compiler() {
        return;
    }
    // The first one counts.
    let mut all = setting.to_vec();
    all.push((FOLDER_FIRST, stand_in_library()));
    scenario(&format!("library::{name}"), true, &all);
}

/// Whole numbers, so that sums are exact whatever their order.
fn values(n: usize, seed: usize) -> Vec<f32> {
    (0..n)
        .map(|i| ((i * 31 + seed * 7) % 13) as f32 - 6.0)
        .collect()
}

fn bits(format: Float16, values: &[f32]) -> Vec<u16> {
    let bits = |&x: &f32| match format {
        Float16::F16 => half::f16::from_f32(x).to_bits(),
        Float16::Bf16 => half::bf16::from_f32(x).to_bits(),
    };
    values.iter().map(bits).collect()
}

/// Makes a product on the device, and what it should be.
fn product(
    gpu: &Gpu,
    format: Float16,
    [m, n, k]: [usize; 3],
) -> Result<(Vec<u16>, Vec<u16>), DeviceError> {
    let (x, weights, bias) = (values(m * k, 1), values(n * k, 2), values(n, 3));
    let upload = |values: &[f32]| {
        let bits = bits(format, values);
        let memory = gpu.alloc(2 * bits.len())?;
        gpu.write(&memory, 0, bytemuck::cast_slice(&bits))?;
        Ok::<_, DeviceError>(memory)
    };
    let out = gpu.alloc(2 * m * n)?;
    gpu.multiply(&Product {
        format,
        shape: [m, n, k],
        x: &upload(&x)?,
        weights: &upload(&weights)?,
        bias: &upload(&bias)?,
        out: &out,
    })?;
    let mut found = vec![0_u16; m * n];
    gpu.read(&out, 0, bytemuck::cast_slice_mut(&mut found))?;
    let mut expected = Vec::new();
    for row in x.chunks_exact(k) {
        for (weights, bias) in weights.chunks_exact(k).zip(&bias) {
            expected.push(row.iter().zip(weights).map(|(a, b)| a * b).sum::<f32>() + bias);
        }
    }
    Ok((found, bits(format, &expected)))
}

#[test]
fn products_have_the_documented_layout_and_sums_in_32_bits() {
    with_library("layout", &[]);
}

#[test]
#[ignore = "run by another test"]
fn layout() {
    let gpu = Gpu::open(0).unwrap();
    assert_eq!(Gpu::matrix_library().unwrap(), "cuBLASLt 13.0.2");
    assert_eq!(gpu.library().unwrap(), "cuBLASLt 13.0.2");
    for format in [Float16::F16, Float16::Bf16] {
        // More shapes than plans are kept; each twice, and none square.
        for i in (0..70).chain(0..5) {
            let (found, expected) = product(&gpu, format, [1 + i, 8 + i % 3 * 8, 40]).unwrap();
            assert_eq!(found, expected, "{format} {i}");
        }
        let (found, expected) = product(&gpu, format, [3, 16, 1000]).unwrap();
        assert_eq!(found, expected, "{format}");
    }
    // Memory that is too short never reaches the library.
    let short = gpu.alloc(10).unwrap();
    let refused = gpu.multiply(&Product {
        format: Float16::F16,
        shape: [1, 8, 8],
        x: &short,
        weights: &short,
        bias: &short,
        out: &short,
    });
    assert!(matches!(refused, Err(DeviceError::Shape(_))), "{refused:?}");
    // What the library made it destroys, descriptors before the handle: it aborts otherwise.
    drop(short);
    drop(gpu);
}

#[test]
fn a_work_space_that_does_not_fit_is_made_smaller() {
    for bytes in ["20000000", "1000000"] {
        with_library("little_space", &[("STAND_IN_MEMORY", bytes)]);
    }
}

#[test]
#[ignore = "run by another test"]
fn little_space() {
    let gpu = Gpu::open(0).unwrap();
    let free = gpu.free_bytes().unwrap();
    let (found, expected) = product(&gpu, Float16::F16, [5, 16, 24]).unwrap();
    assert_eq!(found, expected);
    let space = free - gpu.free_bytes().unwrap();
    // 32 MiB do not fit; 4 MiB do, or nothing does.
    assert_eq!(space, if free > 5 << 20 { 4 << 20 } else { 1 });
}

/// Compiled kernels, for all processes of these tests.
struct Shelf(PathBuf);

impl CodeCache for Shelf {
    fn load(&self, key: &str) -> Option<Vec<u8>> {
        std::fs::read(self.0.join(key)).ok()
    }

    fn store(&self, key: &str, code: &[u8]) {
        let part = self.0.join(format!("{key}.{}", std::process::id()));
        std::fs::create_dir_all(&self.0).unwrap();
        std::fs::write(&part, code).unwrap();
        std::fs::rename(part, self.0.join(key)).unwrap();
    }
}

/// An encoder of one layer, its vectors, and what it says of itself.
fn encode(gpu: &Gpu, arithmetic: Arithmetic) -> Result<(Vec<f32>, String), DeviceError> {
    keep_code_in(Box::new(Shelf(beside("kernels"))));
    let (hidden, inner) = (32, 48);
    let shape = EncoderShape {
        hidden,
        heads: 2,
        inner,
        types: 1,
        eps: 1e-12,
    };
    let small = |n, seed| -> Vec<f32> { values(n, seed).iter().map(|x| x * 0.05).collect() };
    let linear = |outputs: usize, inputs: usize, seed| Linear {
        weights: small(outputs * inputs, seed),
        bias: small(outputs, seed + 1),
    };
    let norm = || Norm {
        gain: vec![1.0; hidden],
        bias: vec![0.0; hidden],
    };
    let weights = EncoderWeights {
        words: small(20 * hidden, 1),
        positions: small(16 * hidden, 2),
        norm: norm(),
        layers: vec![EncoderLayer {
            qkv: linear(3 * hidden, hidden, 3),
            out: linear(hidden, hidden, 5),
            out_norm: norm(),
            up: linear(inner, hidden, 7),
            down: linear(hidden, inner, 9),
            down_norm: norm(),
        }],
    };
    let encoder = GpuEncoder::new(gpu, shape, &weights, arithmetic)?;
    let ids: Vec<u32> = (0..9).collect();
    let found = encoder.encode(gpu, &[ids.as_slice().into()], Pooling::Mean)?;
    Ok((found, encoder.describe()))
}

/// Both ways of both formats give the same vectors; the library's says what `says` says.
fn both_ways_are_alike(gpu: &Gpu, says: &str) {
    for format in [Float16::F16, Float16::Bf16] {
        let by = |products| encode(gpu, Arithmetic { format, products }).unwrap();
        let (own, how) = by(Products::Own);
        assert_eq!(how, format!("{format} products by own kernels; asked for"));
        let (library, how) = by(Products::Library);
        assert!(
            how.starts_with(&format!("{format} ")) && how.contains(says),
            "{how}"
        );
        let cosine: f32 = own.iter().zip(&library).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.999, "{how}: {cosine}");
    }
}

#[test]
fn an_encoder_takes_the_library_and_says_so() {
    with_library("taken", &[]);
}

#[test]
#[ignore = "run by another test"]
fn taken() {
    both_ways_are_alike(&Gpu::open(0).unwrap(), "products by cuBLASLt 13.0.2");
}

#[test]
fn without_the_library_own_kernels_do_it_and_the_reason_is_said() {
    if has_compiler() {
        scenario("library::absent", true, &[]);
    }
    // One that is too old, one without a function, one that does not start, no library at all.
    with_library("too_old", &[("STAND_IN_LT_VERSION", "111103")]);
    let folder = beside("stand-in-lt-broken");
    build(&folder, "libcublasLt.so.13", SOURCE, &["-DWITHOUT_CREATE"]);
    let folder = folder.display().to_string();
    with_library("broken", &[(FOLDER_FIRST, &folder)]);
    with_library(
        "does_not_start",
        &[("STAND_IN_LT_FAILS", "cublasLtCreate=1")],
    );
    let folder = beside("stand-in-lt-text");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("libcublasLt.so.13"), "not a library").unwrap();
    let folder = folder.display().to_string();
    with_library("no_library", &[(FOLDER_FIRST, &folder)]);
}

#[test]
#[ignore = "run by another test"]
fn absent() {
    // A machine with the library cannot show this.
    let Err(error) = Gpu::matrix_library() else {
        return;
    };
    let said = error.to_string();
    assert!(said.contains("libcublasLt.so.13 was not found"), "{said}");
    assert!(said.contains("LD_LIBRARY_PATH"), "{said}");
    both_ways_are_alike(&Gpu::open(0).unwrap(), "own kernels; the matrix library");
}

#[test]
#[ignore = "run by another test"]
fn too_old() {
    both_ways_are_alike(
        &Gpu::open(0).unwrap(),
        "version 11.11.3, at least 12.0.0 is needed",
    );
}

#[test]
#[ignore = "run by another test"]
fn broken() {
    both_ways_are_alike(&Gpu::open(0).unwrap(), "has no `cublasLtCreate`");
}

#[test]
#[ignore = "run by another test"]
fn does_not_start() {
    both_ways_are_alike(&Gpu::open(0).unwrap(), "not initialised (status 1)");
}

#[test]
#[ignore = "run by another test"]
fn no_library() {
    both_ways_are_alike(&Gpu::open(0).unwrap(), "cannot be loaded");
}

#[test]
fn shapes_without_an_algorithm_go_to_own_kernels() {
    with_library("no_algorithm", &[("STAND_IN_LT_ALGORITHMS", "0")]);
    // Found, and then not supported after all.
    with_library(
        "no_algorithm",
        &[("STAND_IN_LT_FAILS", "cublasLtMatmul=15")],
    );
}

#[test]
#[ignore = "run by another test"]
fn no_algorithm() {
    let gpu = Gpu::open(0).unwrap();
    let refused = product(&gpu, Float16::F16, [2, 8, 16]).unwrap_err();
    assert_eq!(refused, DeviceError::NoAlgorithm { m: 2, n: 8, k: 16 });
    both_ways_are_alike(&gpu, "4 by own kernels, for which it has no algorithm");
}

#[test]
fn a_library_that_fails_is_an_error_that_says_what_to_do() {
    for function in [
        "cublasLtMatmulDescCreate=3",
        "cublasLtMatmulDescSetAttribute=7",
        "cublasLtMatrixLayoutCreate+=14",
        "cublasLtMatmulPreferenceCreate=3",
        "cublasLtMatmulAlgoGetHeuristic=14",
        "cublasLtMatmul=7",
    ] {
        with_library("fails", &[("STAND_IN_LT_FAILS", function)]);
    }
    with_library(
        "loses_the_device",
        &[("STAND_IN_LT_FAILS", "cublasLtMatmul=13")],
    );
}

#[test]
#[ignore = "run by another test"]
fn fails() {
    let gpu = Gpu::open(0).unwrap();
    let error = encode(&gpu, Arithmetic::default()).unwrap_err();
    let setting = std::env::var("STAND_IN_LT_FAILS").unwrap();
    let (function, status) = setting.split_once('=').unwrap();
    let said = error.to_string();
    assert!(matches!(error, DeviceError::Library { .. }), "{said}");
    assert!(said.contains(function.trim_end_matches('+')), "{said}");
    assert!(said.contains(&format!("(status {status})")), "{said}");
    assert!(said.contains("take it off LD_LIBRARY_PATH"), "{said}");
    // The device goes on.
    let own = Arithmetic {
        products: Products::Own,
        ..Arithmetic::default()
    };
    encode(&gpu, own).unwrap();
}

#[test]
#[ignore = "run by another test"]
fn loses_the_device() {
    let gpu = Gpu::open(0).unwrap();
    let error = encode(&gpu, Arithmetic::default()).unwrap_err();
    assert!(matches!(error, DeviceError::Lost(_)), "{error}");
    assert!(error.to_string().contains("execution failed"), "{error}");
}
