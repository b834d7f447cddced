//! Where arithmetic runs, and why.

use std::fmt;
use std::str::FromStr;

use crate::Isa;
use crate::cuda::{DeviceError, Gpu};

/// What a user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first GPU if there is one that works, else the CPU; [`Picked::why`] says which and why.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// This GPU or an error; never something else in silence.
    Cuda(usize),
}

/// A device name that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no device: write `auto`, `cpu`, or `cuda:N` with N from 0")]
pub struct UnknownDevice(String);

impl FromStr for DeviceChoice {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|ordinal| ordinal.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| UnknownDevice(text.chars().take(40).collect())),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
        }
    }
}

/// Where arithmetic runs.
#[derive(Clone, Debug)]
pub enum Device {
    /// Here, on the instructions named.
    Cpu(Isa),
    /// On this GPU.
    Cuda(Gpu),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu(isa) => write!(f, "cpu ({isa:?})"),
            Self::Cuda(gpu) => f.write_str(gpu.name()),
        }
    }
}

/// A device with the reason why it was picked.
#[derive(Clone, Debug)]
pub struct Picked {
    /// The device.
    pub device: Device,
    /// In words, for `doctor` and logs.
    pub why: String,
}

/// Picks a device.
///
/// # Errors
/// When a GPU was named that cannot be used. `auto` never fails: what kept it from a GPU stands in
/// [`Picked::why`].
pub fn pick(choice: DeviceChoice) -> Result<Picked, DeviceError> {
    let cpu = |why: String| Picked {
        device: Device::Cpu(Isa::active()),
        why,
    };
    match choice {
        DeviceChoice::Cpu => Ok(cpu("asked for".into())),
        DeviceChoice::Cuda(ordinal) => Ok(Picked {
            device: Device::Cuda(Gpu::open(ordinal)?),
            why: "asked for".into(),
        }),
        DeviceChoice::Auto => Ok(match Gpu::open(0) {
            Ok(gpu) => Picked {
                device: Device::Cuda(gpu),
                why: "the first GPU works".into(),
            },
            Err(error) => cpu(format!("no GPU: {error}")),
        }),
    }
}

/// The GPUs that a choice stands for, with the reason: all of them for `auto`, so that an index can be
/// spread over them; none means the CPU.
///
/// # Errors
/// As [`pick`]. `auto` never fails.
pub fn pick_gpus(choice: DeviceChoice) -> Result<(Vec<Gpu>, String), DeviceError> {
    match choice {
        DeviceChoice::Cpu => Ok((Vec::new(), "asked for".into())),
        DeviceChoice::Cuda(ordinal) => Ok((vec![Gpu::open(ordinal)?], "asked for".into())),
        DeviceChoice::Auto => {
            let all =
                Gpu::list().and_then(|names| (0..names.len().max(1)).map(Gpu::open).collect());
            Ok(match all {
                Ok(gpus) => (gpus, "every GPU works".into()),
                Err(error) => (Vec::new(), format!("no GPU: {error}")),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for text in ["auto", "cpu", "cuda:0", "cuda:3"] {
            assert_eq!(text.parse::<DeviceChoice>().unwrap().to_string(), text);
        }
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        for text in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU"] {
            let error = text.parse::<DeviceChoice>().unwrap_err();
            assert!(error.to_string().contains("cuda:N"), "{error}");
        }
    }

    #[test]
    fn auto_says_why_and_a_named_gpu_is_never_replaced_in_silence() {
        let picked = pick(DeviceChoice::Auto).unwrap();
        match picked.device {
            Device::Cpu(_) => assert!(picked.why.starts_with("no GPU: "), "{}", picked.why),
            Device::Cuda(_) => assert_eq!(picked.why, "the first GPU works"),
        }
        let (gpus, why) = pick_gpus(DeviceChoice::Auto).unwrap();
        assert_eq!(gpus.is_empty(), why.starts_with("no GPU: "), "{why}");
        assert!(pick_gpus(DeviceChoice::Cuda(9999)).is_err());
        assert!(pick_gpus(DeviceChoice::Cpu).unwrap().0.is_empty());
        // No machine has so many.
        assert!(pick(DeviceChoice::Cuda(9999)).is_err());
        assert!(matches!(
            pick(DeviceChoice::Cpu).unwrap().device,
            Device::Cpu(_)
        ));
    }
}
