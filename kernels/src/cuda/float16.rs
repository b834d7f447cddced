//! The two 16-bit float formats that encoders compute in.

/// A 16-bit float format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Float16 {
    /// IEEE 754 binary16: 11 bits of mantissa, values below 65,520.
    #[default]
    F16,
    /// bfloat16: 8 bits of mantissa, the range of 32-bit floats.
    Bf16,
}

impl Float16 {
    /// Rounds values to the nearest, as bits.
    pub(super) fn bits(self, values: &[f32]) -> Vec<u16> {
        let round = match self {
            Self::F16 => |x| half::f16::from_f32(x).to_bits(),
            Self::Bf16 => |x| half::bf16::from_f32(x).to_bits(),
        };
        values.iter().map(|&x| round(x)).collect()
    }

    /// The encoder's kernels of this format.
    pub(super) fn kernels(self) -> &'static EncoderKernels {
        match self {
            Self::F16 => &EncoderKernels {
                embed_norm: "embed_norm_f16",
                add_norm: "add_norm_f16",
                linear: "linear_f16",
                activate: "activate_f16",
                attention_short: "attention_short_f16",
                pool_rows: "pool_rows_f16",
                first_rows: "first_rows_f16",
                score_rows: "score_rows_f16",
            },
            Self::Bf16 => &EncoderKernels {
                embed_norm: "embed_norm_bf16",
                add_norm: "add_norm_bf16",
                linear: "linear_bf16",
                activate: "activate_bf16",
                attention_short: "attention_short_bf16",
                pool_rows: "pool_rows_bf16",
                first_rows: "first_rows_bf16",
                score_rows: "score_rows_bf16",
            },
        }
    }
}

impl std::fmt::Display for Float16 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}

/// Names of the kernels of `source/encoder.cu` in one format.
pub(super) struct EncoderKernels {
    pub(super) embed_norm: &'static str,
    pub(super) add_norm: &'static str,
    pub(super) linear: &'static str,
    pub(super) activate: &'static str,
    pub(super) attention_short: &'static str,
    pub(super) pool_rows: &'static str,
    pub(super) first_rows: &'static str,
    pub(super) score_rows: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::Unit;

    #[test]
    fn every_name_is_a_kernel_of_its_format() {
        for (format, unit) in [
            (Float16::F16, "encoder_f16"),
            (Float16::Bf16, "encoder_bf16"),
        ] {
            let names = format.kernels();
            for name in [
                names.embed_norm,
                names.add_norm,
                names.linear,
                names.activate,
                names.attention_short,
                names.pool_rows,
                names.first_rows,
                names.score_rows,
            ] {
                assert_eq!(Unit::of(name).map(|unit| unit.name), Some(unit), "{name}");
            }
        }
    }
}
