//! A real device, through the driver that is loaded at run time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cudarc::driver::sys::{self, CUdevice_attribute as Attribute, CUresult};
use cudarc::driver::{
    CudaContext, CudaEvent, CudaFunction, CudaModule, CudaSlice, CudaStream, DevicePtr,
    DriverError, LaunchConfig, PinnedHostSlice, PushKernelArg,
};
use cudarc::nvrtc::Ptx;

use super::cache::machine_code;
use super::cublaslt::{self, Addresses, CublasLt};
use super::{Arg, DeviceError, Launch, Launcher, Product, Staging, Unit};

/// The oldest driver that will do: CUDA 13.0, whose compiler the kernels are built with.
const NEEDED: i32 = 13_000;

/// One GPU. Clones share it; work of all clones happens in one order, on one stream.
#[derive(Clone)]
pub struct Gpu(Arc<Inner>);

struct Inner {
    /// Started when a product is first asked for. Goes before the context it belongs to.
    library: OnceLock<Result<CublasLt, DeviceError>>,
    context: Arc<CudaContext>,
    /// Kernels, and copies that they wait for.
    stream: Arc<CudaStream>,
    /// Copies beside kernels.
    copies: Arc<CudaStream>,
    name: String,
    architecture: String,
    blocks: u32,
    shared: u32,
    kernels: Mutex<Kernels>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The library gives back what it has on the device whose context is current.
        let _ = self.context.bind_to_thread();
    }
}

#[derive(Default)]
struct Kernels {
    modules: HashMap<&'static str, Arc<CudaModule>>,
    functions: HashMap<&'static str, CudaFunction>,
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gpu({})", self.0.name)
    }
}

/// Device memory.
#[derive(Debug)]
pub struct Memory(CudaSlice<u8>);

impl Gpu {
    /// Opens device `ordinal`. Kernels are compiled when they are first used.
    ///
    /// # Errors
    /// No driver, one that is too old, no compiler, or no such device.
    pub fn open(ordinal: usize) -> Result<Self, DeviceError> {
        let present = present()?;
        if ordinal >= present {
            return Err(DeviceError::NoSuchDevice {
                asked: ordinal,
                present,
            });
        }
        // SAFETY: only looks for the library.
        if !unsafe { cudarc::nvrtc::sys::is_culib_present() } {
            return Err(DeviceError::NoCompiler);
        }
        let context = CudaContext::new(ordinal).map_err(lost)?;
        let stream = context.new_stream().map_err(lost)?;
        let copies = context.new_stream().map_err(lost)?;
        keep_pool(&context)?;
        let (major, minor) = context.compute_capability().map_err(lost)?;
        let attribute = |what| context.attribute(what).map_err(lost);
        let processors = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
        let shared = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
        let memory = context.total_mem().map_err(lost)?;
        let name = format!(
            "cuda:{ordinal} {} ({} GB)",
            context.name().map_err(lost)?,
            memory / 1_000_000_000
        );
        Ok(Self(Arc::new(Inner {
            stream,
            copies,
            name,
            architecture: format!("sm_{major}{minor}"),
            // Eight blocks of 256 threads fill a multiprocessor's 2048.
            blocks: processors as u32 * 8,
            shared: shared as u32,
            kernels: Mutex::default(),
            library: OnceLock::new(),
            context,
        })))
    }

    /// Names of all devices.
    ///
    /// # Errors
    /// No driver, or one that is too old.
    pub fn list() -> Result<Vec<String>, DeviceError> {
        (0..present()?)
            .map(|ordinal| {
                let context = CudaContext::new(ordinal).map_err(lost)?;
                let name = context.name().map_err(lost)?;
                Ok(format!("cuda:{ordinal} {name}"))
            })
            .collect()
    }

    /// The newest CUDA that the driver supports, such as `13.0`.
    ///
    /// # Errors
    /// No driver, or one that is too old.
    pub fn driver() -> Result<String, DeviceError> {
        present()?;
        Ok(version_text(driver_version()?))
    }

    /// Name and version of the library for matrix products, as far as that is known without a device.
    ///
    /// # Errors
    /// [`DeviceError::NoLibrary`] with the reason.
    pub fn matrix_library() -> Result<String, DeviceError> {
        cublaslt::library()
    }

    fn cublaslt(&self) -> Result<&CublasLt, DeviceError> {
        let started = self.0.library.get_or_init(|| {
            self.0.context.bind_to_thread().map_err(lost)?;
            CublasLt::start()
        });
        started.as_ref().map_err(Clone::clone)
    }

    /// What the driver calls it, with its memory.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Copies `bytes` within the device: the floor that scans are held against. Returns when it is
    /// done.
    ///
    /// # Errors
    /// When the range is not inside both, or the device failed.
    pub fn copy(&self, from: &Memory, to: &Memory, bytes: usize) -> Result<(), DeviceError> {
        inside(&from.0, 0, bytes)?;
        inside(&to.0, 0, bytes)?;
        self.0.context.bind_to_thread().map_err(lost)?;
        let (source, _read) = from.0.device_ptr(&self.0.stream);
        let (target, _written) = to.0.device_ptr(&self.0.stream);
        // SAFETY: both ranges were checked above; the stream is waited for.
        unsafe {
            cudarc::driver::result::memcpy_dtod_async(
                target,
                source,
                bytes,
                self.0.stream.cu_stream(),
            )
        }
        .map_err(lost)?;
        self.0.stream.synchronize().map_err(lost)
    }

    fn function(&self, kernel: &'static str) -> Result<CudaFunction, DeviceError> {
        let mut kernels = self
            .0
            .kernels
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = kernels.functions.get(kernel) {
            return Ok(function.clone());
        }
        let unit = Unit::of(kernel)
            .ok_or_else(|| DeviceError::Lost(format!("there is no kernel `{kernel}`")))?;
        let module = match kernels.modules.get(unit.name) {
            Some(module) => module.clone(),
            None => {
                let code = machine_code(unit, &self.0.architecture)?;
                let module = self
                    .0
                    .context
                    .load_module(Ptx::from_binary(code.to_vec()))
                    .map_err(lost)?;
                kernels.modules.insert(unit.name, module.clone());
                module
            }
        };
        let function = module.load_function(kernel).map_err(lost)?;
        kernels.functions.insert(kernel, function.clone());
        Ok(function)
    }
}

impl Launcher for Gpu {
    type Memory = Memory;

    fn parallel_blocks(&self) -> u32 {
        self.0.blocks
    }

    fn shared_limit(&self) -> u32 {
        self.0.shared
    }

    fn free_bytes(&self) -> Result<u64, DeviceError> {
        let (free, _) = self.0.context.mem_get_info().map_err(lost)?;
        Ok(free as u64)
    }

    fn alloc(&self, bytes: usize) -> Result<Memory, DeviceError> {
        // SAFETY: the content means nothing to callers, by the contract of `Launcher::alloc`.
        let slice = unsafe { self.0.stream.alloc::<u8>(bytes.max(1)) };
        slice.map(Memory).map_err(|error| {
            if is_out_of_memory(error) {
                let free = self.0.context.mem_get_info().map_or(0, |(free, _)| free);
                return DeviceError::OutOfMemory {
                    asked: bytes as u64,
                    free: free as u64,
                };
            }
            lost(error)
        })
    }

    fn write(&self, to: &Memory, offset: usize, from: &[u8]) -> Result<(), DeviceError> {
        if from.is_empty() {
            return Ok(());
        }
        inside(&to.0, offset, from.len())?;
        self.0.context.bind_to_thread().map_err(lost)?;
        let (address, _guard) = to.0.device_ptr(&self.0.stream);
        // SAFETY: the range lies inside the memory, checked above; `from` outlives the copy, since
        // the stream is waited for.
        unsafe {
            cudarc::driver::result::memcpy_htod_async(
                address + offset as u64,
                from,
                self.0.stream.cu_stream(),
            )
        }
        .map_err(lost)?;
        self.0.stream.synchronize().map_err(lost)
    }

    fn read(&self, from: &Memory, offset: usize, to: &mut [u8]) -> Result<(), DeviceError> {
        if to.is_empty() {
            return Ok(());
        }
        inside(&from.0, offset, to.len())?;
        self.0.context.bind_to_thread().map_err(lost)?;
        let (address, _guard) = from.0.device_ptr(&self.0.stream);
        // SAFETY: as in `write`.
        unsafe {
            cudarc::driver::result::memcpy_dtoh_async(
                to,
                address + offset as u64,
                self.0.stream.cu_stream(),
            )
        }
        .map_err(lost)?;
        self.0.stream.synchronize().map_err(lost)
    }

    unsafe fn launch(&self, launch: Launch, args: &[Arg<'_, Memory>]) -> Result<(), DeviceError> {
        let function = self.function(launch.kernel)?;
        if launch.shared > 48 * 1024 {
            // More than that has to be asked for.
            function
                .set_attribute(
                    sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                    launch.shared as i32,
                )
                .map_err(lost)?;
        }
        // Kernel arguments are read through pointers: the values have to stay where they are.
        let mut words = Vec::with_capacity(args.len());
        let mut guards = Vec::new();
        for arg in args {
            words.push(match arg {
                Arg::Memory(memory) => {
                    let (address, guard) = memory.0.device_ptr(&self.0.stream);
                    guards.push(guard);
                    address
                }
                Arg::Null => 0,
                Arg::U32(x) => u64::from(*x),
                Arg::F32(x) => u64::from(x.to_bits()),
            });
        }
        let config = LaunchConfig {
            grid_dim: (launch.grid[0], launch.grid[1], 1),
            block_dim: (launch.block, 1, 1),
            shared_mem_bytes: launch.shared,
        };
        let mut builder = self.0.stream.launch_builder(&function);
        for word in &words {
            // A little-endian word starts with its low 32 bits, which is what a 32-bit parameter
            // reads.
            builder.arg(word);
        }
        // SAFETY: by the contract of `Launcher::launch`.
        unsafe { builder.launch(config) }.map(|_| ()).map_err(lost)
    }

    fn library(&self) -> Result<String, DeviceError> {
        self.cublaslt().map(|library| library.name().to_owned())
    }

    fn multiply(&self, product: &Product<'_, Memory>) -> Result<(), DeviceError> {
        let library = self.cublaslt()?;
        let [m, n, k] = product.shape;
        for (memory, values) in [
            (product.x, m * k),
            (product.weights, n * k),
            (product.bias, n),
            (product.out, m * n),
        ] {
            inside(&memory.0, 0, 2 * values)?;
        }
        self.0.context.bind_to_thread().map_err(lost)?;
        let stream = &self.0.stream;
        let (x, _x) = product.x.0.device_ptr(stream);
        let (weights, _weights) = product.weights.0.device_ptr(stream);
        let (bias, _bias) = product.bias.0.device_ptr(stream);
        let (out, _out) = product.out.0.device_ptr(stream);
        let at = Addresses {
            x,
            weights,
            bias,
            out,
        };
        // SAFETY: the matrices are inside the memory, checked above, which is used on this stream.
        unsafe { library.multiply(stream, product.format, product.shape, &at) }
    }
}

/// Page-locked host memory.
#[derive(Debug)]
pub struct Pinned(PinnedHostSlice<u8>);

impl Staging for Gpu {
    type Pinned = Pinned;
    type Copy = CudaEvent;

    fn pinned(&self, bytes: usize) -> Result<Pinned, DeviceError> {
        // SAFETY: the content means nothing to callers, by the contract of `Staging::pinned`. Not
        // write-combined, so that the host may read what it wrote.
        let slice = unsafe {
            self.0
                .context
                .alloc_pinned_with_flags::<u8>(bytes.max(1), 0)
        };
        slice.map(Pinned).map_err(|error| {
            if is_out_of_memory(error) {
                return DeviceError::OutOfMemory {
                    asked: bytes as u64,
                    free: 0,
                };
            }
            lost(error)
        })
    }

    fn bytes<'a>(&self, pinned: &'a mut Pinned) -> Result<&'a mut [u8], DeviceError> {
        pinned.0.as_mut_slice().map_err(lost)
    }

    unsafe fn start_copy(
        &self,
        from: &Pinned,
        len: usize,
        to: &Memory,
    ) -> Result<CudaEvent, DeviceError> {
        inside(&to.0, 0, len)?;
        let bytes = from.0.as_slice().map_err(lost)?;
        let bytes = bytes
            .get(..len)
            .ok_or(DeviceError::Shape(crate::ShapeError {
                what: "page-locked memory",
                found: len,
                expected: from.0.len(),
            }))?;
        // Behind the launches so far, which may still read `to`, and behind its allocation.
        self.0.copies.join(&self.0.stream).map_err(lost)?;
        let (address, _guard) = to.0.device_ptr(&self.0.copies);
        // SAFETY: both ranges were checked above; the caller keeps them untouched until the event.
        unsafe {
            cudarc::driver::result::memcpy_htod_async(address, bytes, self.0.copies.cu_stream())
        }
        .map_err(lost)?;
        self.0.copies.record_event(None).map_err(lost)
    }

    fn finish_copy(&self, copy: CudaEvent) -> Result<(), DeviceError> {
        self.0.stream.wait(&copy).map_err(lost)?;
        copy.synchronize().map_err(lost)
    }
}

/// Memory that is freed stays with the process: buffers of a pass are taken from the driver's pool
/// again instead of from the device.
fn keep_pool(context: &CudaContext) -> Result<(), DeviceError> {
    if !context.has_async_alloc() {
        return Ok(());
    }
    context.bind_to_thread().map_err(lost)?;
    let mut most = u64::MAX;
    // SAFETY: the context is alive; the attribute is a 64-bit number that is read at once.
    unsafe {
        let pool = cudarc::driver::result::device::get_default_mem_pool(context.cu_device())
            .map_err(lost)?;
        sys::cuMemPoolSetAttribute(
            pool,
            sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD,
            (&raw mut most).cast(),
        )
        .result()
        .map_err(lost)
    }
}

fn inside(memory: &CudaSlice<u8>, offset: usize, len: usize) -> Result<(), DeviceError> {
    if offset
        .checked_add(len)
        .is_some_and(|end| end <= memory.len())
    {
        return Ok(());
    }
    Err(DeviceError::Shape(crate::ShapeError {
        what: "device memory",
        found: offset.saturating_add(len),
        expected: memory.len(),
    }))
}

/// Number of devices, once the driver is known to do.
fn present() -> Result<usize, DeviceError> {
    // SAFETY: only looks for the library.
    if !unsafe { sys::is_culib_present() } {
        return Err(DeviceError::NoDriver);
    }
    let version = driver_version()?;
    if version < NEEDED {
        return Err(DeviceError::DriverTooOld {
            found: version_text(version),
            needed: version_text(NEEDED),
        });
    }
    match CudaContext::device_count() {
        Ok(n) => Ok(n as usize),
        Err(error) if error.0 == CUresult::CUDA_ERROR_NO_DEVICE => Ok(0),
        Err(error) => Err(lost(error)),
    }
}

/// Asks the driver library, which must be there.
fn driver_version() -> Result<i32, DeviceError> {
    let mut version = 0;
    // SAFETY: the library is there; `version` is written.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }
        .result()
        .map_err(lost)?;
    Ok(version)
}

fn version_text(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

pub(super) fn is_out_of_memory(error: DriverError) -> bool {
    error.0 == CUresult::CUDA_ERROR_OUT_OF_MEMORY
}

fn lost(error: DriverError) -> DeviceError {
    DeviceError::Lost(error.to_string())
}
