//! Which vector instructions a kernel runs on. Chosen once per process, by asking the CPU.

use std::sync::OnceLock;

/// A set of instructions that every kernel of this crate has a path for.
///
/// Integer results are bit-identical on all of them. Floating-point results differ in the last
/// bits only, because `Portable` rounds products that the others fuse into the sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Isa {
    /// Plain Rust, which the compiler vectorises as far as the target's baseline allows.
    Portable,
    /// x86-64 with AVX2, FMA, F16C and POPCNT (2013 and later).
    Avx2,
    /// x86-64 with AVX-512 F, BW, VL and VNNI: 512-bit lanes, 16-bit dot products in one step.
    Avx512,
    /// 64-bit Arm with NEON, which all of them have. Compiled and emulated, never run on an Arm CPU.
    Neon,
}

impl Isa {
    /// The best set this CPU has. Detected at the first call.
    pub fn active() -> Self {
        static ACTIVE: OnceLock<Isa> = OnceLock::new();
        *ACTIVE.get_or_init(|| *Self::available().last().unwrap_or(&Self::Portable))
    }

    /// All sets this CPU has, plainest first. Tests run every kernel on each.
    ///
    /// `Avx512` is listed only if its product also agrees with the other paths in a short
    /// comparison at the first call.
    pub fn available() -> &'static [Self] {
        static AVAILABLE: OnceLock<Vec<Isa>> = OnceLock::new();
        AVAILABLE.get_or_init(|| {
            let mut sets = vec![Self::Portable];
            #[cfg(target_arch = "x86_64")]
            {
                if is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
                    && is_x86_feature_detected!("popcnt")
                {
                    sets.push(Self::Avx2);
                }
                if crate::cpu::avx512_is_sound() {
                    sets.push(Self::Avx512);
                }
            }
            #[cfg(target_arch = "aarch64")]
            if std::arch::is_aarch64_feature_detected!("neon") {
                sets.push(Self::Neon);
            }
            sets
        })
    }

    /// Whether this CPU has the set.
    pub fn is_available(self) -> bool {
        Self::available().contains(&self)
    }

    /// Name for people, such as `avx2`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2+fma",
            Self::Avx512 => "avx512+vnni",
            Self::Neon => "neon",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_active_set_is_the_last_of_those_available() {
        assert_eq!(Isa::available().last(), Some(&Isa::active()));
        assert_eq!(Isa::available()[0], Isa::Portable);
        assert!(Isa::active().is_available());
    }
}
