//! Products through cuBLASLt, which is loaded when the first one is asked for.
//!
//! cuBLASLt's matrices are column-major. Read that way, a row-major `[rows, columns]` matrix is its
//! transpose of leading dimension `columns`, so that `out = x weights^T` is asked for as
//! `out^T = (weights^T)^T x^T`: the first factor transposed, the second as it is, and the bias along
//! the rows of the result. (cuBLAS library manual, "Using the cuBLASLt API".)

use std::collections::HashMap;
use std::error::Error as _;
use std::ffi::{c_int, c_void};
use std::ptr::{null_mut, without_provenance};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cudarc::driver::{CudaSlice, CudaStream, DevicePtr};

use super::DeviceError;
use super::float16::Float16;

/// File names that are looked for, the best first.
const FILES: [&str; 3] = ["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"];

/// The oldest that will do, as `cublasLtGetVersion` counts: 12.0.
const NEEDED: usize = 120_000;

/// What is tried for the work space: what the manual recommends for Hopper, for others, and none.
const WORK_SPACES: [usize; 3] = [32 << 20, 4 << 20, 0];

/// Plans that are kept; a batch has one of its own for each of four layers.
const MOST_PLANS: usize = 64;

// Values of `cublasStatus_t`.
const SUCCESS: c_int = 0;
const ARCH_MISMATCH: c_int = 8;
const NOT_SUPPORTED: c_int = 15;
/// After these the device's memory or context is in doubt: mapping error, execution failed.
const LOST: [c_int; 2] = [11, 13];

// Values of `cublasComputeType_t`, `cudaDataType_t`, `cublasOperation_t` and `cublasLtEpilogue_t`.
const COMPUTE_32F: c_int = 68;
const R_32F: c_int = 0;
const R_16F: c_int = 2;
const R_16BF: c_int = 14;
const TRANSPOSED: c_int = 1;
const AS_IT_IS: c_int = 0;
const EPILOGUE_BIAS: c_int = 4;

// Values of `cublasLtMatmulDescAttributes_t`.
const DESC_TRANSA: c_int = 3;
const DESC_TRANSB: c_int = 4;
const DESC_EPILOGUE: c_int = 7;
const DESC_BIAS_POINTER: c_int = 8;

// Values of `cublasLtMatmulPreferenceAttributes_t`.
const PREF_MAX_WORKSPACE_BYTES: c_int = 1;
const PREF_REDUCTION_SCHEME_MASK: c_int = 3;
/// Parts of a sum may be added up in 32 bits only, never in the output's 16.
const REDUCTION_COMPUTE_TYPE: u32 = 2;

/// An opaque object of the library.
type Opaque = *mut c_void;

/// `cublasLtMatmulHeuristicResult_t`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Heuristic {
    algorithm: [u64; 8],
    work_space: usize,
    state: c_int,
    waves: f32,
    reserved: [c_int; 4],
}

/// Declares the functions that are used, and how they are found in a library.
macro_rules! functions {
    ($($name:ident: $symbol:literal ($($kind:ty),*) -> $result:ty;)*) => {
        struct Functions {
            $($name: unsafe extern "C" fn($($kind),*) -> $result,)*
        }

        impl Functions {
            /// # Errors
            /// The name of what is not there.
            fn of(library: &libloading::Library) -> Result<Self, &'static str> {
                Ok(Self {
                    $($name: {
                        // SAFETY: the signature is the manual's.
                        let found = unsafe {
                            library.get::<unsafe extern "C" fn($($kind),*) -> $result>(
                                $symbol.as_bytes(),
                            )
                        };
                        *found.map_err(|_absent| $symbol)?
                    },)*
                })
            }
        }
    };
}

functions! {
    version: "cublasLtGetVersion" () -> usize;
    create: "cublasLtCreate" (*mut Opaque) -> c_int;
    destroy: "cublasLtDestroy" (Opaque) -> c_int;
    desc_create: "cublasLtMatmulDescCreate" (*mut Opaque, c_int, c_int) -> c_int;
    desc_destroy: "cublasLtMatmulDescDestroy" (Opaque) -> c_int;
    desc_set: "cublasLtMatmulDescSetAttribute" (Opaque, c_int, *const c_void, usize) -> c_int;
    layout_create: "cublasLtMatrixLayoutCreate" (*mut Opaque, c_int, u64, u64, i64) -> c_int;
    layout_destroy: "cublasLtMatrixLayoutDestroy" (Opaque) -> c_int;
    preference_create: "cublasLtMatmulPreferenceCreate" (*mut Opaque) -> c_int;
    preference_destroy: "cublasLtMatmulPreferenceDestroy" (Opaque) -> c_int;
    preference_set: "cublasLtMatmulPreferenceSetAttribute"
        (Opaque, c_int, *const c_void, usize) -> c_int;
    heuristic: "cublasLtMatmulAlgoGetHeuristic"
        (Opaque, Opaque, Opaque, Opaque, Opaque, Opaque, Opaque, c_int, *mut Heuristic, *mut c_int)
        -> c_int;
    matmul: "cublasLtMatmul"
        (Opaque, Opaque, *const c_void, *const c_void, Opaque, *const c_void, Opaque,
         *const c_void, *const c_void, Opaque, *mut c_void, Opaque, *const [u64; 8], *mut c_void,
         usize, *mut c_void) -> c_int;
}

/// The library, loaded.
struct Loaded {
    functions: Functions,
    said: String,
    /// Last, so that it outlives the functions.
    _library: libloading::Library,
}

/// Loads the library once for this process.
fn loaded() -> Result<&'static Loaded, DeviceError> {
    static LOADED: OnceLock<Result<Loaded, DeviceError>> = OnceLock::new();
    LOADED.get_or_init(load).as_ref().map_err(Clone::clone)
}

fn load() -> Result<Loaded, DeviceError> {
    let mut reason = format!(
        "{} was not found (PyPI package nvidia-cublas 13 holds it; put its folder on \
         LD_LIBRARY_PATH)",
        FILES[0]
    );
    for file in FILES {
        // SAFETY: a library of the name of NVIDIA's is trusted as NVIDIA's: it runs its initialisers.
        let library = match unsafe { libloading::Library::new(file) } {
            Ok(library) => library,
            Err(error) => {
                let said = error
                    .source()
                    .map_or_else(|| error.to_string(), ToString::to_string);
                // One that is there and cannot be loaded says more than one that is not.
                if !said.contains("No such file") {
                    reason = format!("{file} cannot be loaded: {said}");
                }
                continue;
            }
        };
        match Functions::of(&library) {
            Err(symbol) => reason = format!("{file} has no `{symbol}`"),
            Ok(functions) => {
                // SAFETY: the function takes nothing.
                let version = unsafe { (functions.version)() };
                let text = version_text(version);
                if version >= NEEDED {
                    return Ok(Loaded {
                        functions,
                        said: format!("cuBLASLt {text}"),
                        _library: library,
                    });
                }
                let needed = version_text(NEEDED);
                reason = format!("{file} is version {text}, at least {needed} is needed");
            }
        }
    }
    Err(DeviceError::NoLibrary(reason))
}

/// What is loaded, or why nothing is. Needs no device.
pub(super) fn library() -> Result<String, DeviceError> {
    loaded().map(|loaded| loaded.said.clone())
}

fn version_text(version: usize) -> String {
    format!(
        "{}.{}.{}",
        version / 10_000,
        version / 100 % 100,
        version % 100
    )
}

/// The library on one device, with its work space. Its products belong on one stream, in whose order
/// the work space is used again and again.
pub(super) struct CublasLt {
    loaded: &'static Loaded,
    handle: Opaque,
    work: Mutex<Work>,
}

#[derive(Default)]
struct Work {
    space: Option<CudaSlice<u8>>,
    plans: HashMap<Key, Plan>,
}

/// Format, m, n and k.
type Key = (Float16, [usize; 3]);

/// A product's descriptors and the algorithm that was found for it; `None` where there is none.
struct Plan {
    functions: &'static Functions,
    product: Opaque,
    weights: Opaque,
    x: Opaque,
    out: Opaque,
    algorithm: Option<Heuristic>,
}

// SAFETY: the manual allows a handle to be used by several host threads; descriptors are plain host
// memory, and both are used with `CublasLt::work` locked only.
unsafe impl Send for CublasLt {}
// SAFETY: as above.
unsafe impl Sync for CublasLt {}

/// Addresses of a product's matrices in device memory.
pub(super) struct Addresses {
    pub(super) x: u64,
    pub(super) weights: u64,
    pub(super) bias: u64,
    pub(super) out: u64,
}

impl CublasLt {
    /// For the device whose context is current.
    ///
    /// # Errors
    /// [`DeviceError::NoLibrary`] when the library is not there or does not start.
    pub(super) fn start() -> Result<Self, DeviceError> {
        let loaded = loaded()?;
        let mut handle = null_mut();
        // SAFETY: `handle` is written.
        let status = unsafe { (loaded.functions.create)(&raw mut handle) };
        if status != SUCCESS {
            let (said, name) = (&loaded.said, status_name(status));
            let reason = format!("{said} does not start on this device ({name})");
            return Err(DeviceError::NoLibrary(reason));
        }
        Ok(Self {
            loaded,
            handle,
            work: Mutex::default(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.loaded.said
    }

    /// Puts `out[m, n] = x[m, k] weights[n, k]^T + bias[n]` on the stream, whose device's context is
    /// current.
    ///
    /// # Safety
    /// The matrices lie at the addresses, in memory of that device that is used in the stream's
    /// order.
    pub(super) unsafe fn multiply(
        &self,
        stream: &Arc<CudaStream>,
        format: Float16,
        shape: [usize; 3],
        at: &Addresses,
    ) -> Result<(), DeviceError> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        if work.space.is_none() {
            work.space = Some(work_space(stream)?);
        }
        let Work { space, plans } = &mut *work;
        let (space, bytes) = match space {
            // One byte stands for none: there is no memory of no bytes.
            Some(space) if space.len() > 1 => (space.device_ptr(stream).0, space.len()),
            _ => (0, 0),
        };
        if plans.len() >= MOST_PLANS {
            plans.clear();
        }
        let plan = match plans.get(&(format, shape)) {
            Some(plan) => plan,
            None => {
                let plan = Plan::new(self, format, shape, bytes)?;
                &*plans.entry((format, shape)).or_insert(plan)
            }
        };
        let Some(found) = &plan.algorithm else {
            return Err(no_algorithm(shape));
        };
        plan.set(DESC_BIAS_POINTER, &at.bias)?;
        let (one, zero) = (1.0_f32, 0.0_f32);
        let address = |at: u64| without_provenance::<c_void>(at as usize);
        // SAFETY: the descriptors and the algorithm were made for each other; `one` and `zero` are of
        // the scale's type and are read before the call returns; the addresses are the caller's word.
        let status = unsafe {
            (self.loaded.functions.matmul)(
                self.handle,
                plan.product,
                (&raw const one).cast(),
                address(at.weights),
                plan.weights,
                address(at.x),
                plan.x,
                (&raw const zero).cast(),
                address(at.out),
                plan.out,
                address(at.out).cast_mut(),
                plan.out,
                &raw const found.algorithm,
                address(space).cast_mut(),
                bytes,
                stream.cu_stream().cast(),
            )
        };
        match status {
            ARCH_MISMATCH | NOT_SUPPORTED => Err(no_algorithm(shape)),
            status => check("cublasLtMatmul", status),
        }
    }
}

impl Drop for CublasLt {
    fn drop(&mut self) {
        let work = self.work.get_mut().unwrap_or_else(PoisonError::into_inner);
        work.plans.clear();
        // SAFETY: made by `start`, and nothing uses it any more.
        let _ = unsafe { (self.loaded.functions.destroy)(self.handle) };
    }
}

impl Plan {
    fn new(
        library: &CublasLt,
        format: Float16,
        shape: [usize; 3],
        work_space: usize,
    ) -> Result<Self, DeviceError> {
        let functions = &library.loaded.functions;
        let [m, n, k] = shape.map(|length| length as u64);
        let kind = match format {
            Float16::F16 => R_16F,
            Float16::Bf16 => R_16BF,
        };
        // What has been made is destroyed when the rest fails.
        let mut plan = Self {
            functions,
            product: null_mut(),
            weights: null_mut(),
            x: null_mut(),
            out: null_mut(),
            algorithm: None,
        };
        // SAFETY: the pointer is written.
        let made = unsafe { (functions.desc_create)(&raw mut plan.product, COMPUTE_32F, R_32F) };
        check("cublasLtMatmulDescCreate", made)?;
        plan.set(DESC_TRANSA, &TRANSPOSED)?;
        plan.set(DESC_TRANSB, &AS_IT_IS)?;
        plan.set(DESC_EPILOGUE, &EPILOGUE_BIAS)?;
        for (layout, rows, columns) in [
            (&raw mut plan.weights, k, n),
            (&raw mut plan.x, k, m),
            (&raw mut plan.out, n, m),
        ] {
            // SAFETY: the pointer is written.
            let made =
                unsafe { (functions.layout_create)(layout, kind, rows, columns, rows as i64) };
            check("cublasLtMatrixLayoutCreate", made)?;
        }
        plan.algorithm = plan.find(library.handle, shape, work_space as u64)?;
        Ok(plan)
    }

    fn set<T: bytemuck::NoUninit>(&self, attribute: c_int, value: &T) -> Result<(), DeviceError> {
        let at = std::ptr::from_ref(value).cast();
        // SAFETY: the library copies as many bytes as it is told there are.
        let set = unsafe { (self.functions.desc_set)(self.product, attribute, at, size_of::<T>()) };
        check("cublasLtMatmulDescSetAttribute", set)
    }

    /// The algorithm that the library thinks is the fastest.
    fn find(
        &self,
        handle: Opaque,
        shape: [usize; 3],
        work_space: u64,
    ) -> Result<Option<Heuristic>, DeviceError> {
        let functions = self.functions;
        let mut preference = null_mut();
        // SAFETY: the pointer is written.
        let made = unsafe { (functions.preference_create)(&raw mut preference) };
        check("cublasLtMatmulPreferenceCreate", made)?;
        let set = |attribute, at: *const c_void, bytes| {
            // SAFETY: the library copies as many bytes as it is told there are.
            let set = unsafe { (functions.preference_set)(preference, attribute, at, bytes) };
            check("cublasLtMatmulPreferenceSetAttribute", set)
        };
        let mut found = [Heuristic::default()];
        let mut n = 0;
        let asked = set(PREF_MAX_WORKSPACE_BYTES, (&raw const work_space).cast(), 8)
            .and_then(|()| {
                let mask = REDUCTION_COMPUTE_TYPE;
                set(PREF_REDUCTION_SCHEME_MASK, (&raw const mask).cast(), 4)
            })
            .and_then(|()| {
                // SAFETY: the descriptors are alive; room for one result is given and asked for.
                let status = unsafe {
                    (functions.heuristic)(
                        handle,
                        self.product,
                        self.weights,
                        self.x,
                        self.out,
                        self.out,
                        preference,
                        1,
                        found.as_mut_ptr(),
                        &raw mut n,
                    )
                };
                match status {
                    ARCH_MISMATCH | NOT_SUPPORTED => Err(no_algorithm(shape)),
                    status => check("cublasLtMatmulAlgoGetHeuristic", status),
                }
            });
        // SAFETY: made above, and nothing uses it any more.
        let _ = unsafe { (functions.preference_destroy)(preference) };
        match asked {
            Ok(()) => Ok((n > 0 && found[0].state == SUCCESS).then_some(found[0])),
            Err(DeviceError::NoAlgorithm { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        for layout in [self.weights, self.x, self.out] {
            if !layout.is_null() {
                // SAFETY: made by `Plan::new`, and nothing uses it any more.
                let _ = unsafe { (self.functions.layout_destroy)(layout) };
            }
        }
        if !self.product.is_null() {
            // SAFETY: as above.
            let _ = unsafe { (self.functions.desc_destroy)(self.product) };
        }
    }
}

/// As much work space as there is memory for.
fn work_space(stream: &Arc<CudaStream>) -> Result<CudaSlice<u8>, DeviceError> {
    for bytes in WORK_SPACES {
        // SAFETY: a work space's content means nothing.
        match unsafe { stream.alloc::<u8>(bytes.max(1)) } {
            Ok(space) => return Ok(space),
            Err(error) if bytes > 0 && super::driver::is_out_of_memory(error) => {}
            Err(error) => return Err(DeviceError::Lost(error.to_string())),
        }
    }
    Err(DeviceError::OutOfMemory { asked: 1, free: 0 })
}

fn no_algorithm([m, n, k]: [usize; 3]) -> DeviceError {
    DeviceError::NoAlgorithm { m, n, k }
}

fn check(function: &'static str, status: c_int) -> Result<(), DeviceError> {
    let name = status_name(status);
    if status == SUCCESS {
        Ok(())
    } else if LOST.contains(&status) {
        Err(DeviceError::Lost(format!("{function} gave {name}")))
    } else {
        Err(DeviceError::Library {
            function,
            status: name,
        })
    }
}

fn status_name(status: c_int) -> String {
    let name = match status {
        1 => "not initialised",
        3 => "no memory for its resources",
        7 => "invalid value",
        ARCH_MISMATCH => "architecture mismatch",
        11 => "mapping error",
        13 => "execution failed",
        14 => "internal error",
        NOT_SUPPORTED => "not supported",
        16 => "licence error",
        _ => "an unknown status",
    };
    format!("{name} (status {status})")
}
