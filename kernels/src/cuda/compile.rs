//! From kernel source to machine code, through NVRTC.

use std::ffi::CString;

use cudarc::nvrtc::{result, sys};

use super::{DeviceError, Unit};

/// What the compiler says about a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelReport {
    /// The kernel.
    pub kernel: String,
    /// Registers a thread.
    pub registers: u32,
    /// Bytes of static shared memory a block.
    pub shared: u32,
    /// Bytes of registers that were spilled to memory, stores and loads together.
    pub spilled: u32,
}

/// Name of the compiler that is installed.
///
/// # Errors
/// [`DeviceError::NoCompiler`].
pub(super) fn compiler_version() -> Result<String, DeviceError> {
    // SAFETY: only looks for the library.
    if !unsafe { sys::is_culib_present() } {
        return Err(DeviceError::NoCompiler);
    }
    let (mut major, mut minor) = (0, 0);
    // SAFETY: the library is there; both numbers are written.
    let asked = unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) };
    asked.result().map_err(|_broken| DeviceError::NoCompiler)?;
    Ok(format!("nvrtc{major}.{minor}"))
}

/// Compiles a unit to machine code (a cubin) for `architecture`, such as `sm_90`. Takes a quarter of
/// a second or so; [`super::Gpu`] keeps the result.
///
/// # Errors
/// [`DeviceError::NoCompiler`], or [`DeviceError::Compile`] with the compiler's log.
pub fn compile(
    unit: &Unit,
    architecture: &str,
) -> Result<(Vec<u8>, Vec<KernelReport>), DeviceError> {
    // SAFETY: only looks for the library.
    if !unsafe { sys::is_culib_present() } {
        return Err(DeviceError::NoCompiler);
    }
    let failed = |log: String| DeviceError::Compile {
        unit: unit.name,
        architecture: architecture.to_owned(),
        log,
    };
    let source = CString::new(unit.source()).map_err(|e| failed(e.to_string()))?;
    let program = result::create_program(&source, None).map_err(|e| failed(e.to_string()))?;
    let options = [
        format!("--gpu-architecture={architecture}"),
        "--std=c++17".to_owned(),
        "--ptxas-options=-v".to_owned(),
    ];
    // SAFETY: `program` was made above and is destroyed below, once.
    let compiled = unsafe { result::compile_program(program, &options) };
    // SAFETY: as above.
    let log = unsafe { result::get_program_log(program) }
        .map(|bytes| {
            let bytes: Vec<u8> = bytes.iter().map(|&c| c as u8).collect();
            String::from_utf8_lossy(&bytes)
                .trim_end_matches('\0')
                .trim()
                .to_owned()
        })
        .unwrap_or_default();
    let code = compiled
        .map_err(|e| failed(format!("{e}\n{log}")))
        .and_then(|()| machine_code(program).map_err(|e| failed(e.to_string())));
    // SAFETY: as above; nothing uses the program from here on.
    let _ = unsafe { result::destroy_program(program) };
    Ok((code?, reports(&log)))
}

fn machine_code(program: sys::nvrtcProgram) -> Result<Vec<u8>, result::NvrtcError> {
    let mut size = 0;
    // SAFETY: `program` is alive; `size` is written.
    unsafe { sys::nvrtcGetCUBINSize(program, &raw mut size) }.result()?;
    let mut code = vec![0_u8; size];
    // SAFETY: `code` has the size asked for.
    unsafe { sys::nvrtcGetCUBIN(program, code.as_mut_ptr().cast()) }.result()?;
    Ok(code)
}

/// Reads the assembler's remarks: for each kernel a line with its name, one with its spills, one
/// with its registers and shared memory.
fn reports(log: &str) -> Vec<KernelReport> {
    let number_before = |line: &str, what: &str| -> u32 {
        line.find(what)
            .and_then(|at| line[..at].split_whitespace().last()?.parse().ok())
            .unwrap_or(0)
    };
    let mut all: Vec<KernelReport> = Vec::new();
    for line in log.lines() {
        if let Some((_, rest)) = line.split_once("Compiling entry function '") {
            all.push(KernelReport {
                kernel: rest.split('\'').next().unwrap_or_default().to_owned(),
                registers: 0,
                shared: 0,
                spilled: 0,
            });
        }
        let Some(report) = all.last_mut() else {
            continue;
        };
        if line.contains("spill stores") {
            report.spilled = number_before(line, " bytes spill stores")
                + number_before(line, " bytes spill loads");
        }
        if line.contains("registers") {
            report.registers = number_before(line, " registers");
            report.shared = number_before(line, " bytes smem");
        }
    }
    all
}
