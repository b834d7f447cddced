//! Where vectors are made and searched: on this CPU or on GPUs.

use std::sync::Arc;

use indago_core::Cancel;
use indago_core::ports::Encoder;
use indago_kernels::cuda::{CodeScanner, Devices, Gpu, Owner};
use indago_kernels::{Device, DeviceChoice, Isa, pick_gpus};
use indago_models::{DeviceMiniLm, MiniLm};
use indago_retriever::Corpus;

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
    said: String,
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
            said: format!("{}; {why}", Device::Cpu(Isa::active())),
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
        let (gpus, why) = pick_gpus(choice)?;
        if gpus.is_empty() {
            return Ok(Self::on_cpu(&why));
        }
        match Self::on_gpus(gpus, &why, cancel) {
            Err(error) if auto && !error.is_cancelled() => {
                Ok(Self::on_cpu(&format!("the GPU failed: {error}")))
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
        Ok(Self {
            encoder: encoder.map(|encoder| Arc::new(encoder) as Arc<dyn Encoder>),
            owners,
            said: format!("{}; {why}", names.join(", ")),
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
            let devices: Arc<dyn CodeScanner> = Arc::new(Devices(self.owners.clone()));
            corpus.scan_on(&devices);
        }
    }
}

impl std::fmt::Debug for Compute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Compute({})", self.said)
    }
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
    fn a_named_gpu_is_never_replaced_in_silence() {
        let named = DeviceChoice::Cuda(9999);
        for work in [Work::Encoding, Work::Searching(1)] {
            let error = Compute::choose(named, work, &Cancel::new()).unwrap_err();
            assert!(matches!(error, Error::Device(_)), "{error}");
        }
    }
}
