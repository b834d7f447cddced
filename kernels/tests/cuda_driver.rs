//! The way to a device through the driver, where there is none: a library that stands in for
//! `libcuda.so.1` and runs launches on the host shim (`cuda_shim/driver.cpp`).
//!
//! Needs the feature `cuda` and a C++17 compiler; tests that compile kernels need libnvrtc.so.13 on
//! LD_LIBRARY_PATH as well and say so when they are left out. `.ci/cuda` runs all, and the tests of
//! `cuda_shim` and of the program once more through the same driver, which the first test here leaves
//! in the folder that it prints.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]
#![expect(clippy::print_stdout, reason = "says what was left out")]
#![expect(unsafe_code, reason = "the launcher is shared with other tests")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use indago_core::Cancel;
use indago_kernels::cuda::{DeviceError, Gpu, Launcher as _, Owner};
use indago_kernels::{AnyRows, Device, DeviceChoice, Placed, RowsF32, pick};

#[path = "cuda_shim/launcher.rs"]
#[allow(dead_code, clippy::panic, reason = "only its libraries are wanted")]
mod launcher;
#[path = "cuda_driver/library.rs"]
mod library;

/// The folder with the driver and the kernels it runs.
fn stand_in() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stand-in");
        std::fs::create_dir_all(&folder).unwrap();
        launcher::build_units(&folder);
        build(
            &folder,
            "libcuda.so.1",
            include_str!("cuda_shim/driver.cpp"),
            &[],
        );
        println!("{}", folder.display());
        folder
    })
}

/// Compiles a library of one C++ source into `folder`.
fn build(folder: &Path, name: &str, text: &str, more: &[&str]) {
    std::fs::create_dir_all(folder).unwrap();
    let source = folder.join(format!("{name}.cpp"));
    std::fs::write(&source, text).unwrap();
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    let built = Command::new(compiler)
        .args(["-std=c++17", "-O2", "-shared", "-fPIC"])
        .args(more)
        .arg(format!("-Wl,-soname,{name}"))
        .arg("-o")
        .args([&folder.join(name), &source])
        .arg("-ldl")
        .status();
    assert!(built.unwrap().success());
}

/// A setting of [`scenario`] that is no variable: a folder whose libraries are found first.
const FOLDER_FIRST: &str = "FOLDER_FIRST";

/// Runs the ignored test `name` in a process of its own, whose driver is set up by `setting`.
fn scenario(name: &str, driver: bool, setting: &[(&str, &str)]) {
    let before = std::env::var("LD_LIBRARY_PATH").unwrap_or_default();
    let path = if driver {
        format!("{}:{before}", stand_in().display())
    } else {
        before
    };
    let path = match setting.iter().find(|(name, _)| *name == FOLDER_FIRST) {
        Some((_, folder)) => format!("{folder}:{path}"),
        None => path,
    };
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", name, "--nocapture"])
        .env("LD_LIBRARY_PATH", path)
        .envs(setting.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let errors = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(
        out.status.success() && said.contains("1 passed"),
        "{said}{errors}"
    );
}

fn has_compiler() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    *THERE.get_or_init(|| {
        let there = indago_kernels::cuda::compile(&indago_kernels::cuda::KERNELS[1], "sm_90");
        let there = !matches!(there, Err(DeviceError::NoCompiler));
        if !there {
            println!("left out: there is no libnvrtc.so.13 on LD_LIBRARY_PATH");
        }
        there
    })
}

fn opens_with() -> DeviceError {
    let error = Gpu::open(0).unwrap_err();
    let picked = pick(DeviceChoice::Auto).unwrap();
    assert!(matches!(picked.device, Device::Cpu(_)));
    assert_eq!(picked.why, format!("no GPU: {error}"));
    assert!(pick(DeviceChoice::Cuda(0)).is_err());
    error
}

#[test]
fn without_a_driver() {
    // A machine that has one cannot show this.
    if Gpu::driver() == Err(DeviceError::NoDriver) {
        assert_eq!(opens_with(), DeviceError::NoDriver);
        assert_eq!(Gpu::list(), Err(DeviceError::NoDriver));
    } else {
        println!("left out: this machine has a driver");
    }
}

#[test]
fn with_a_driver_that_is_too_old() {
    scenario("too_old", true, &[("STAND_IN_VERSION", "12040")]);
}

#[test]
#[ignore = "run by another test"]
fn too_old() {
    let error = opens_with();
    assert_eq!(
        error,
        DeviceError::DriverTooOld {
            found: "12.4".into(),
            needed: "13.0".into()
        }
    );
    assert!(error.to_string().contains("update the driver"));
    assert_eq!(Gpu::driver(), Err(error));
}

#[test]
fn with_a_driver_and_no_device() {
    scenario("no_device", true, &[("STAND_IN_DEVICES", "0")]);
}

#[test]
#[ignore = "run by another test"]
fn no_device() {
    let (asked, present) = (0, 0);
    assert_eq!(opens_with(), DeviceError::NoSuchDevice { asked, present });
}

#[test]
fn without_the_runtime_compiler() {
    // Nothing but the driver's folder.
    let only = stand_in().display().to_string();
    scenario("no_compiler", true, &[("LD_LIBRARY_PATH", &only)]);
}

#[test]
#[ignore = "run by another test"]
fn no_compiler() {
    let error = opens_with();
    assert_eq!(error, DeviceError::NoCompiler);
    assert!(error.to_string().contains("LD_LIBRARY_PATH"));
    // Devices are listed all the same.
    assert_eq!(Gpu::list().unwrap(), ["cuda:0 stand-in"]);
    assert_eq!(Gpu::driver().unwrap(), "13.0");
}

#[test]
fn with_two_devices_everything_is_found_as_on_the_cpu() {
    if has_compiler() {
        scenario("whole", true, &[("STAND_IN_DEVICES", "2")]);
    }
}

#[test]
#[ignore = "run by another test"]
fn whole() {
    assert_eq!(Gpu::list().unwrap().len(), 2);
    for ordinal in 0..2 {
        let picked = pick(DeviceChoice::Cuda(ordinal)).unwrap();
        assert_eq!(picked.why, "asked for");
        let values: Vec<f32> = (0..700 * 24)
            .map(|i| ((i * 31) % 17) as f32 - 8.0)
            .collect();
        let rows = AnyRows::F32(RowsF32::new(&values, 24).unwrap());
        let here: Placed<'_> = Placed::Here(rows);
        let there = picked.device.place(rows).unwrap();
        let cancel = Cancel::new();
        assert_eq!(
            there.top_k(&values[..48], 10, None, &cancel),
            here.top_k(&values[..48], 10, None, &cancel)
        );
    }
    let absent = Gpu::open(2).unwrap_err();
    assert_eq!(
        absent,
        DeviceError::NoSuchDevice {
            asked: 2,
            present: 2
        }
    );
}

#[test]
fn with_less_memory_than_is_asked_for() {
    if has_compiler() {
        scenario("little_memory", true, &[("STAND_IN_MEMORY", "100000")]);
    }
}

#[test]
#[ignore = "run by another test"]
fn little_memory() {
    let gpu = Gpu::open(0).unwrap();
    let error = gpu.alloc(200_000).unwrap_err();
    assert_eq!(
        error,
        DeviceError::OutOfMemory {
            asked: 200_000,
            free: 100_000
        }
    );
    // The device goes on, and what is dropped can be had again.
    for _ in 0..3 {
        let half = gpu.alloc(60_000).unwrap();
        assert!(gpu.alloc(60_000).is_err());
        assert_eq!(gpu.free_bytes().unwrap(), 40_000);
        drop(half);
    }
}

#[test]
fn with_a_device_that_is_lost() {
    if has_compiler() {
        scenario("lost", true, &[("STAND_IN_LAUNCHES", "1")]);
    }
}

#[test]
#[ignore = "run by another test"]
fn lost() {
    let gpu = Gpu::open(0).unwrap();
    let owner = Owner::start(gpu.name(), {
        let gpu = gpu.clone();
        move || Ok(gpu)
    })
    .unwrap();
    let values: Vec<f32> = (0..64 * 16).map(|i| (i % 7) as f32).collect();
    let cancel = Cancel::new();
    let search = {
        let values = values.clone();
        let inner = cancel.clone();
        move |gpu: &Gpu| {
            let rows = RowsF32::new(&values, 16).unwrap();
            Placed::on(gpu.clone(), AnyRows::F32(rows))?.top_k(&values[..16], 3, None, &inner)
        }
    };
    let first = owner.run(&cancel, search).unwrap_err();
    assert!(matches!(first, DeviceError::Lost(_)), "{first}");
    let said = first.to_string();
    assert!(said.contains("illegal memory access") && said.contains("start the program again"));
    let later = owner.run(&cancel, |_| Ok(())).unwrap_err();
    assert_eq!(later, first);
}
