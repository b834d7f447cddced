//! Where vectors are made and searched: on this CPU or on GPUs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use indago_core::Cancel;
use indago_core::ports::{Encoder, PairScorer, Reranker};
use indago_kernels::cuda::{CodeCache, DeviceError, Devices, Gpu, Owner, RowScanner, keep_code_in};
use indago_kernels::{Device, DeviceChoice, Isa, pick_gpus};
use indago_models::{
    DeviceCrossEncoder, DeviceMiniLm, DeviceSentenceEncoder, FolderKind, MiniLm, Truncated,
    runs_on_devices,
};
use indago_retriever::Corpus;
use indago_retriever::rerank::ByPairs;

use crate::{Error, wire};

/// Vectors from which `auto` searches on a GPU. Starting one costs some seconds (its context, its
/// kernels, the upload), in which a CPU scans a million vectors more than once for every question
/// of a run. An estimate: not measured on a device.
pub const AUTO_SCAN_FROM: usize = 1_000_000;

/// What a device is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Encoding the passages of a corpus.
    Encoding,
    /// Searching this many vectors.
    Searching(usize),
}

/// A choice of devices, made.
#[derive(Clone)]
pub struct Compute {
    owners: Vec<Owner<Gpu>>,
    encoder: Option<Arc<dyn Encoder>>,
    /// Encoders that were opened, by name: their weights are large.
    opened: Arc<Mutex<BTreeMap<String, Arc<dyn Encoder>>>>,
    said: String,
    fell_back: bool,
}

impl Compute {
    /// This CPU.
    pub fn cpu() -> Self {
        Self::on_cpu("asked for")
    }

    fn on_cpu(why: &str) -> Self {
        Self {
            owners: Vec::new(),
            encoder: None,
            opened: Arc::default(),
            said: format!("{}; {why}", Device::Cpu(Isa::active())),
            fell_back: false,
        }
    }

    /// The CPU although there is a GPU: to be said, whoever asked.
    fn fallen_back(why: &str) -> Self {
        Self {
            fell_back: true,
            ..Self::on_cpu(why)
        }
    }

    /// Opens what was chosen.
    ///
    /// # Errors
    /// [`Error::Device`] or [`Error::Encode`] when a GPU was named that cannot be used. `auto` never
    /// fails: what kept it from a GPU stands in [`Compute::describe`].
    pub fn choose(choice: DeviceChoice, work: Work, cancel: &Cancel) -> Result<Self, Error> {
        let auto = choice == DeviceChoice::Auto;
        if let (true, Work::Searching(vectors)) = (auto, work)
            && vectors < AUTO_SCAN_FROM
        {
            return Ok(Self::on_cpu(&format!(
                "{vectors} vectors are searched faster than a GPU starts"
            )));
        }
        keep_compiled_kernels();
        let (gpus, why) = pick_gpus(choice)?;
        if gpus.is_empty() {
            let none_there = matches!(
                Gpu::open(0),
                Err(DeviceError::NotCompiled
                    | DeviceError::NoDriver
                    | DeviceError::NoSuchDevice { .. })
            );
            return Ok(if choice == DeviceChoice::Cpu || none_there {
                Self::on_cpu(&why)
            } else {
                Self::fallen_back(&why)
            });
        }
        match Self::on_gpus(gpus, &why, cancel) {
            Err(error) if auto && !error.is_cancelled() => {
                Ok(Self::fallen_back(&format!("the GPU failed: {error}")))
            }
            other => other,
        }
    }

    fn on_gpus(gpus: Vec<Gpu>, why: &str, cancel: &Cancel) -> Result<Self, Error> {
        let names: Vec<String> = gpus.iter().map(|gpu| gpu.name().to_owned()).collect();
        let owners = gpus
            .into_iter()
            .zip(&names)
            .map(|(gpu, name)| Owner::start(name, move || Ok(gpu)))
            .collect::<Result<Vec<_>, _>>()?;
        let model = Arc::new(MiniLm::embedded()?);
        let encoder = owners
            .first()
            .map(|owner| DeviceMiniLm::new(model, owner, cancel))
            .transpose()?;
        let products = encoder.as_ref().map(|encoder| encoder.describe(cancel));
        let products = products.transpose()?.unwrap_or_default();
        Ok(Self {
            encoder: encoder.map(|encoder| Arc::new(encoder) as Arc<dyn Encoder>),
            owners,
            opened: Arc::default(),
            said: format!("{}; {why}; {products}", names.join(", ")),
            fell_back: false,
        })
    }

    /// What was picked and why, in words.
    pub fn describe(&self) -> &str {
        &self.said
    }

    /// Whether GPUs are used.
    pub fn is_gpu(&self) -> bool {
        !self.owners.is_empty()
    }

    /// Whether `auto` took the CPU although there is a GPU.
    pub fn fell_back(&self) -> bool {
        self.fell_back
    }

    /// An encoder by name ([`wire::encoder_named`]), there; opened once.
    ///
    /// # Errors
    /// When there is no such model, or the device has not the memory, failed, or computes other
    /// vectors than the CPU.
    pub fn encoder_named(&self, name: &str) -> Result<Arc<dyn Encoder>, Error> {
        let opened = || self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(encoder) = opened().get(name) {
            return Ok(Arc::clone(encoder));
        }
        let encoder = self.open_encoder(name)?;
        opened().insert(name.to_owned(), Arc::clone(&encoder));
        Ok(encoder)
    }

    fn open_encoder(&self, name: &str) -> Result<Arc<dyn Encoder>, Error> {
        if let Some((name, dim)) = name.rsplit_once(':')
            && let Ok(dim) = dim.parse()
        {
            return Ok(Arc::new(Truncated::new(self.encoder_named(name)?, dim)?));
        }
        let (owner, cancel) = (self.owners.first(), Cancel::new());
        Ok(match (name, owner) {
            ("minilm", _) => self.encoder()?,
            // A table of words: a device would spend its time on the way there.
            ("static", _) | (_, None) => wire::encoder_named(name)?,
            // Devices give no vectors of tokens.
            (name, _) if wire::is_token_encoder(name) => wire::encoder_named(name)?,
            (file, Some(owner)) if Path::new(file).is_file() => {
                let model = Arc::new(MiniLm::open(Path::new(file))?);
                Arc::new(DeviceMiniLm::new(model, owner, &cancel)?)
            }
            (name, Some(owner)) => {
                let folder = wire::weights_of(name)?;
                if !runs_on_devices(&folder) {
                    tracing::info!("{name} is of a kind that is computed on the CPU");
                    return wire::encoder_named(name);
                }
                let encoder = DeviceSentenceEncoder::open(&folder, owner, &cancel)?;
                tracing::info!("{name}: {}", encoder.describe(&cancel)?);
                Arc::new(encoder)
            }
        })
    }

    /// A reranker by name ([`wire::reranker`]), there.
    ///
    /// # Errors
    /// As [`Compute::encoder_named`].
    pub fn reranker(&self, name: &str) -> Result<Arc<dyn Reranker>, Error> {
        let cancel = Cancel::new();
        let scorer: Arc<dyn PairScorer> = match (name, self.owners.first()) {
            ("static", _) | (_, None) => return wire::reranker(name),
            (name, _) if wire::maxsim_encoder(name).is_some() => return wire::reranker(name),
            ("minilm", Some(owner)) => {
                let model = Arc::new(MiniLm::embedded()?);
                Arc::new(DeviceMiniLm::new(model, owner, &cancel)?)
            }
            (name, Some(owner)) => {
                let folder = wire::weights_of(name)?;
                if !runs_on_devices(&folder) {
                    tracing::info!("{name} is of a kind that is computed on the CPU");
                    return wire::reranker(name);
                }
                match FolderKind::of(&folder) {
                    Ok(FolderKind::CrossEncoder) => {
                        let scorer = DeviceCrossEncoder::open(&folder, owner, &cancel)?;
                        tracing::info!("{name}: {}", scorer.describe(&cancel)?);
                        Arc::new(scorer)
                    }
                    _ => Arc::new(DeviceSentenceEncoder::open(&folder, owner, &cancel)?),
                }
            }
        };
        Ok(Arc::new(ByPairs::new(scorer)))
    }

    /// The embedded encoder, there.
    ///
    /// # Errors
    /// When its bytes are damaged.
    pub fn encoder(&self) -> Result<Arc<dyn Encoder>, Error> {
        self.encoder.clone().map_or_else(wire::encoder, Ok)
    }

    /// Lets the vectors of `corpus` be searched there.
    pub fn search_in(&self, corpus: &Corpus) {
        if self.is_gpu() {
            let devices: Arc<dyn RowScanner> = Arc::new(Devices(self.owners.clone()));
            corpus.scan_on(&devices);
        }
    }
}

impl std::fmt::Debug for Compute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Compute({})", self.said)
    }
}

/// Compiled kernels of this machine, a file each; where they cannot be kept they are compiled again.
struct KernelFolder(PathBuf);

/// No compiled source is near that.
const MOST_CODE: u64 = 64 << 20;

impl CodeCache for KernelFolder {
    fn load(&self, key: &str) -> Option<Vec<u8>> {
        let path = self.0.join(key);
        let small = std::fs::metadata(&path).ok()?.len() <= MOST_CODE;
        small.then(|| std::fs::read(path).ok())?
    }

    fn store(&self, key: &str, code: &[u8]) {
        // Beside its place first, so that nobody reads a half.
        let part = self.0.join(format!("{key}.{}", std::process::id()));
        let stored = std::fs::create_dir_all(&self.0)
            .and_then(|()| std::fs::write(&part, code))
            .and_then(|()| std::fs::rename(&part, self.0.join(key)));
        if let Err(error) = stored {
            tracing::debug!("compiled kernels are not kept: {error}");
        }
    }
}

fn keep_compiled_kernels() {
    keep_code_in(Box::new(KernelFolder(crate::env::kernels_folder())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_says_why_it_stays_on_the_cpu() {
        let cancel = Cancel::new();
        let few = Compute::choose(DeviceChoice::Auto, Work::Searching(10), &cancel).unwrap();
        assert!(!few.is_gpu());
        assert!(few.describe().contains("10 vectors"), "{few:?}");
        let many = Work::Searching(AUTO_SCAN_FROM);
        let many = Compute::choose(DeviceChoice::Auto, many, &cancel).unwrap();
        assert!(
            many.is_gpu() || many.describe().contains("no GPU: "),
            "{many:?}"
        );
    }

    #[test]
    fn compiled_kernels_are_kept_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let kept = KernelFolder(folder.path().join("not/there/yet"));
        assert_eq!(kept.load("scan-sm_90"), None);
        kept.store("scan-sm_90", b"code");
        assert_eq!(kept.load("scan-sm_90").unwrap(), b"code");
        // Nowhere to keep anything is no error.
        std::fs::write(folder.path().join("file"), "").unwrap();
        let nowhere = KernelFolder(folder.path().join("file"));
        nowhere.store("scan-sm_90", b"code");
        assert_eq!(nowhere.load("scan-sm_90"), None);
    }

    #[test]
    fn a_named_gpu_is_never_replaced_in_silence() {
        let named = DeviceChoice::Cuda(9999);
        for work in [Work::Encoding, Work::Searching(1)] {
            let error = Compute::choose(named, work, &Cancel::new()).unwrap_err();
            assert!(matches!(error, Error::Device(_)), "{error}");
        }
    }
}
