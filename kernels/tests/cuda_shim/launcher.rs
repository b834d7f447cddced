//! A launcher whose device is this process.

use std::cell::UnsafeCell;
use std::ffi::{CStr, CString, c_char, c_uint, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use indago_kernels::cuda::{Arg, DeviceError, KERNELS, Launch, Launcher, Staging};

type ShimLaunch = unsafe extern "C" fn(
    *const c_char,
    *const c_uint,
    *const c_uint,
    usize,
    *mut *mut c_void,
    c_uint,
) -> *const c_char;

/// Compiles the sources of all units for this CPU, each to a library in `folder`, all at once.
pub(crate) fn build_units(folder: &Path) -> Vec<(PathBuf, &'static [&'static str])> {
    let shim = folder.join("shim.hpp");
    std::fs::write(&shim, include_str!("shim.hpp")).unwrap();
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    let builds: Vec<_> = KERNELS
        .iter()
        .map(|unit| {
            let source = folder.join(format!("{}.cpp", unit.name));
            let library = folder.join(format!("{}.so", unit.name));
            let text = format!("#include \"{}\"\n{}", shim.display(), unit.source());
            std::fs::write(&source, text).unwrap();
            let child = Command::new(&compiler)
                .args([
                    "-std=c++17",
                    "-O1",
                    "-ffp-contract=off",
                    "-shared",
                    "-fPIC",
                    "-w",
                    "-o",
                ])
                .args([&library, &source])
                .spawn()
                .unwrap_or_else(|e| {
                    panic!("no C++ compiler `{compiler}` (set CXX, or install one): {e}")
                });
            (child, library, unit.kernels)
        })
        .collect();
    builds
        .into_iter()
        .map(|(mut child, path, kernels)| {
            let built = child.wait().unwrap().success();
            assert!(built, "{} did not compile", path.display());
            (path, kernels)
        })
        .collect()
}

/// The compiled sources of all units; each is a library of its own, since they share names.
fn entry(kernel: &str) -> ShimLaunch {
    static ALL: OnceLock<Vec<(libloading::Library, &'static [&'static str])>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        build_units(folder.path())
            .into_iter()
            .map(|(path, kernels)| {
                // SAFETY: the library was just made; its initialisers only fill a table of names.
                (unsafe { libloading::Library::new(&path) }.unwrap(), kernels)
            })
            .collect()
    });
    let (library, _) = all
        .iter()
        .find(|(_, kernels)| kernels.contains(&kernel))
        .unwrap_or_else(|| panic!("no kernel {kernel}"));
    // SAFETY: every library has the function with this signature.
    unsafe { *library.get::<ShimLaunch>(b"shim_launch").unwrap() }
}

/// The shim keeps its coroutines in global memory.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs kernels here, the threads of a block in the given order.
pub(crate) struct Shim {
    /// 0: by number; 1: backwards; others: shuffled by it.
    pub(crate) order: u32,
    /// Blocks of a grid.
    pub(crate) blocks: u32,
}

/// Memory with canaries behind it.
pub(crate) struct HostMemory {
    words: UnsafeCell<Vec<u128>>,
    bytes: usize,
}

const CANARY: u8 = 0xa5;

impl HostMemory {
    fn base(&self) -> *mut u8 {
        // SAFETY: single-threaded use, by `ONE_AT_A_TIME` and the tests' own handles.
        unsafe { (*self.words.get()).as_mut_ptr().cast() }
    }

    /// Panics when something wrote past the end.
    fn check(&self) {
        for i in self.bytes..self.bytes + 64 {
            // SAFETY: 64 bytes more than `bytes` were allocated.
            let byte = unsafe { *self.base().add(i) };
            assert_eq!(
                byte,
                CANARY,
                "written {} bytes past the end",
                i - self.bytes
            );
        }
    }
}

impl Launcher for Shim {
    type Memory = HostMemory;

    fn parallel_blocks(&self) -> u32 {
        self.blocks
    }

    fn shared_limit(&self) -> u32 {
        160 * 1024
    }

    fn free_bytes(&self) -> Result<u64, DeviceError> {
        Ok(1 << 30)
    }

    fn alloc(&self, bytes: usize) -> Result<HostMemory, DeviceError> {
        let filler = u128::from_le_bytes([CANARY; 16]);
        Ok(HostMemory {
            words: UnsafeCell::new(vec![filler; (bytes + 64).div_ceil(16)]),
            bytes,
        })
    }

    fn write(&self, to: &HostMemory, offset: usize, from: &[u8]) -> Result<(), DeviceError> {
        assert!(offset + from.len() <= to.bytes);
        // SAFETY: inside, checked above.
        unsafe { std::ptr::copy(from.as_ptr(), to.base().add(offset), from.len()) };
        Ok(())
    }

    fn read(&self, from: &HostMemory, offset: usize, to: &mut [u8]) -> Result<(), DeviceError> {
        assert!(offset + to.len() <= from.bytes);
        // SAFETY: inside, checked above.
        unsafe { std::ptr::copy(from.base().add(offset), to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    unsafe fn launch(
        &self,
        launch: Launch,
        args: &[Arg<'_, HostMemory>],
    ) -> Result<(), DeviceError> {
        let mut words: Vec<u64> = args
            .iter()
            .map(|arg| match arg {
                Arg::Memory(memory) => memory.base() as u64,
                Arg::Null => 0,
                Arg::U32(x) => u64::from(*x),
                Arg::F32(x) => u64::from(x.to_bits()),
            })
            .collect();
        let mut pointers: Vec<*mut c_void> = words
            .iter_mut()
            .map(|word| std::ptr::from_mut(word).cast())
            .collect();
        let name = CString::new(launch.kernel).unwrap();
        let grid = [launch.grid[0], launch.grid[1], 1];
        let block = [launch.block, 1, 1];
        let run = entry(launch.kernel);
        let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the caller vouches for the arguments.
        let message = unsafe {
            run(
                name.as_ptr(),
                grid.as_ptr(),
                block.as_ptr(),
                launch.shared as usize,
                pointers.as_mut_ptr(),
                self.order,
            )
        };
        if !message.is_null() {
            // SAFETY: a string that lives until the next launch.
            let message = unsafe { CStr::from_ptr(message) }
                .to_string_lossy()
                .into_owned();
            return Err(DeviceError::Lost(message));
        }
        for arg in args {
            if let Arg::Memory(memory) = arg {
                memory.check();
            }
        }
        Ok(())
    }
}

/// A copy that is made when it is started, or as late as it may be: results must not depend on it.
pub(crate) enum HostCopy {
    Made,
    Late {
        from: *const u8,
        to: *mut u8,
        len: usize,
    },
}

impl Staging for Shim {
    type Pinned = Vec<u8>;
    type Copy = HostCopy;

    fn pinned(&self, bytes: usize) -> Result<Vec<u8>, DeviceError> {
        Ok(vec![CANARY; bytes])
    }

    fn bytes<'a>(&self, pinned: &'a mut Vec<u8>) -> Result<&'a mut [u8], DeviceError> {
        Ok(pinned)
    }

    unsafe fn start_copy(
        &self,
        from: &Vec<u8>,
        len: usize,
        to: &HostMemory,
    ) -> Result<HostCopy, DeviceError> {
        assert!(len <= from.len() && len <= to.bytes);
        if self.order.is_multiple_of(2) {
            return Ok(HostCopy::Late {
                from: from.as_ptr(),
                to: to.base(),
                len,
            });
        }
        self.write(to, 0, &from[..len])?;
        Ok(HostCopy::Made)
    }

    fn finish_copy(&self, copy: HostCopy) -> Result<(), DeviceError> {
        if let HostCopy::Late { from, to, len } = copy {
            // SAFETY: both are alive until now, by the contract of `start_copy`.
            unsafe { std::ptr::copy(from, to, len) };
        }
        Ok(())
    }
}
