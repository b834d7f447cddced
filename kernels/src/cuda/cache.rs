//! Compiled kernels are kept by their source, the architecture and the compiler: for the devices of
//! this process, and wherever its user says for the next one.

use std::sync::OnceLock;

/// Keeps compiled kernels between processes. What it gives back is checked before it is used, so
/// that it may lose or damage what it holds.
pub trait CodeCache: Send + Sync {
    /// What was stored under `key` (letters, digits, `-`, `_` and `.`); `None` when it is not there.
    fn load(&self, key: &str) -> Option<Vec<u8>>;

    /// Stores `code`; a cache that cannot is no error.
    fn store(&self, key: &str, code: &[u8]);
}

static KEEPER: OnceLock<Box<dyn CodeCache>> = OnceLock::new();

/// Has compiled kernels kept in `cache` from now on; the first call counts. Without one each process
/// compiles its own (about a quarter of a second a source).
pub fn keep_code_in(cache: Box<dyn CodeCache>) {
    // A later call finds the place taken, as documented.
    let _ = KEEPER.set(cache);
}

#[cfg(feature = "cuda")]
pub(super) use kept::machine_code;

#[cfg(feature = "cuda")]
mod kept {
    use std::collections::HashMap;
    use std::hash::{DefaultHasher, Hasher};
    use std::sync::{Arc, Mutex, PoisonError};

    use super::super::compile::{compile, compiler_version};
    use super::super::{DeviceError, Unit};
    use super::{CodeCache, KEEPER};

    /// Machine code of `unit` for `architecture`, compiled when nobody has it yet.
    pub(in super::super) fn machine_code(
        unit: &Unit,
        architecture: &str,
    ) -> Result<Arc<[u8]>, DeviceError> {
        static MADE: Mutex<Option<HashMap<String, Arc<[u8]>>>> = Mutex::new(None);
        let key = key(unit, architecture)?;
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let made = made.get_or_insert_default();
        if let Some(code) = made.get(&key) {
            return Ok(Arc::clone(code));
        }
        let keeper = KEEPER.get().map(AsRef::as_ref);
        let code: Arc<[u8]> = through(keeper, &key, || {
            compile(unit, architecture).map(|(code, _)| code)
        })?
        .into();
        made.insert(key, Arc::clone(&code));
        Ok(code)
    }

    /// Not stable between builds of this program, which costs a compilation then, and no more.
    fn hash(bytes: &[u8]) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        hasher.finish()
    }

    fn key(unit: &Unit, architecture: &str) -> Result<String, DeviceError> {
        let (name, compiler) = (unit.name, compiler_version()?);
        let source = hash(unit.source().as_bytes());
        Ok(format!("{name}-{architecture}-{compiler}-{source:016x}"))
    }

    /// What `keeper` has under `key` if it is sound, else what `make` gives, which is stored.
    fn through(
        keeper: Option<&dyn CodeCache>,
        key: &str,
        make: impl FnOnce() -> Result<Vec<u8>, DeviceError>,
    ) -> Result<Vec<u8>, DeviceError> {
        if let Some(mut kept) = keeper.and_then(|keeper| keeper.load(key))
            && let Some(at) = kept.len().checked_sub(8)
            && kept[at..] == hash(&kept[..at]).to_le_bytes()
        {
            kept.truncate(at);
            return Ok(kept);
        }
        let code = make()?;
        if let Some(keeper) = keeper {
            let sum = hash(&code).to_le_bytes();
            keeper.store(key, &[code.as_slice(), &sum].concat());
        }
        Ok(code)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[derive(Default)]
        struct Shelf(Mutex<HashMap<String, Vec<u8>>>);

        impl CodeCache for Shelf {
            fn load(&self, key: &str) -> Option<Vec<u8>> {
                self.0.lock().unwrap().get(key).cloned()
            }

            fn store(&self, key: &str, code: &[u8]) {
                self.0.lock().unwrap().insert(key.to_owned(), code.to_vec());
            }
        }

        #[test]
        fn what_is_kept_is_compiled_once_and_what_is_damaged_again() {
            let shelf = Shelf::default();
            let mut compiled = 0;
            let mut get = |key: &str| {
                through(Some(&shelf), key, || {
                    compiled += 1;
                    Ok(vec![7; 100])
                })
                .unwrap()
            };
            for _ in 0..3 {
                assert_eq!(get("scan-sm_90"), [7; 100]);
            }
            get("scan-sm_80");
            let mut damaged = shelf.load("scan-sm_90").unwrap();
            damaged[50] ^= 1;
            shelf.store("scan-sm_90", &damaged);
            assert_eq!(get("scan-sm_90"), [7; 100]);
            shelf.store("scan-sm_80", b"short");
            assert_eq!(get("scan-sm_80"), [7; 100]);
            assert_eq!(compiled, 4);
        }
    }
}
