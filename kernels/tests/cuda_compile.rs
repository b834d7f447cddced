//! Every kernel compiles for the devices we name, within the registers and without spills.
//!
//! Needs the feature `cuda` and libnvrtc.so.13 on LD_LIBRARY_PATH (`.ci/cuda` fetches it); no GPU.

use indago_kernels::cuda::{DeviceError, KERNELS, Unit, compile};

const ARCHITECTURES: &[&str] = &["sm_80", "sm_90"];

#[test]
fn every_kernel_compiles_without_spills() {
    for architecture in ARCHITECTURES {
        for unit in KERNELS {
            let (code, reports) = compile(unit, architecture)
                .unwrap_or_else(|e| panic!("{} for {architecture}: {e}", unit.name));
            assert!(
                code.starts_with(b"\x7fELF"),
                "{}: no machine code",
                unit.name
            );
            for kernel in unit.kernels {
                let report = reports
                    .iter()
                    .find(|report| report.kernel == *kernel)
                    .unwrap_or_else(|| panic!("{architecture}: no report about {kernel}"));
                println!("{architecture} {report:?}");
                assert_eq!(report.spilled, 0, "{architecture} {kernel}");
                // 65536 registers a multiprocessor: two blocks of 256 threads have 128 a thread.
                let most = if *kernel == "select_top" { 64 } else { 128 };
                assert!(
                    (1..=most).contains(&report.registers),
                    "{architecture} {kernel}: {} registers",
                    report.registers
                );
                assert!(report.shared <= 48 * 1024, "{architecture} {kernel}");
            }
        }
    }
}

#[test]
fn a_wrong_kernel_is_refused_with_the_compilers_log() {
    let wrong = Unit {
        name: "wrong",
        files: &["extern \"C\" __global__ void wrong() { no_such_function(); }"],
        kernels: &["wrong"],
    };
    match compile(&wrong, "sm_90") {
        Err(DeviceError::Compile { unit, log, .. }) => {
            assert_eq!(unit, "wrong");
            assert!(log.contains("no_such_function"), "{log}");
        }
        other => panic!("{other:?}"),
    }
}
