//! The kernel sources, as they are compiled.

/// A source that is compiled as one module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its name.
    pub name: &'static str,
    /// Files in the order in which they stand behind one another.
    pub files: &'static [&'static str],
    /// The kernels in it.
    pub kernels: &'static [&'static str],
}

impl Unit {
    /// The source as the compiler reads it.
    pub fn source(&self) -> String {
        self.files.concat()
    }

    /// The unit that holds `kernel`.
    pub fn of(kernel: &str) -> Option<&'static Self> {
        KERNELS.iter().find(|unit| unit.kernels.contains(&kernel))
    }
}

const PRELUDE: &str = include_str!("source/prelude.cuh");
const SCAN: &str = include_str!("source/scan.cu");
const ENCODER: &str = include_str!("source/encoder.cu");

/// All units. A new kernel is one file and one entry here.
pub const KERNELS: &[Unit] = &[
    Unit {
        name: "scan",
        files: &[
            PRELUDE,
            SCAN,
            include_str!("source/scan_matrix.cu"),
            include_str!("source/sparse.cu"),
        ],
        kernels: &[
            "scan_f32_1",
            "scan_f32_4",
            "scan_f16_1",
            "scan_f16_4",
            "scan_i8_1",
            "scan_i8_4",
            "scan_binary_1",
            "scan_binary_4",
            "scan_f16_64",
            "scan_sparse",
            "select_top",
        ],
    },
    Unit {
        name: "maxsim",
        files: &[PRELUDE, include_str!("source/maxsim.cu")],
        kernels: &["maxsim_f16"],
    },
    Unit {
        name: "pagerank",
        files: &[PRELUDE, include_str!("source/pagerank.cu")],
        kernels: &["pagerank_step", "pagerank_lost"],
    },
    Unit {
        name: "kmeans",
        files: &[PRELUDE, include_str!("source/kmeans.cu")],
        kernels: &["kmeans_assign", "kmeans_update"],
    },
    Unit {
        name: "encoder_f16",
        files: &[PRELUDE, include_str!("source/encoder_f16.cuh"), ENCODER],
        kernels: &[
            "embed_norm_f16",
            "add_norm_f16",
            "linear_f16",
            "activate_f16",
            "attention_short_f16",
            "pool_rows_f16",
            "first_rows_f16",
            "score_rows_f16",
        ],
    },
    Unit {
        name: "encoder_bf16",
        files: &[PRELUDE, include_str!("source/encoder_bf16.cuh"), ENCODER],
        kernels: &[
            "embed_norm_bf16",
            "add_norm_bf16",
            "linear_bf16",
            "activate_bf16",
            "attention_short_bf16",
            "pool_rows_bf16",
            "first_rows_bf16",
            "score_rows_bf16",
        ],
    },
];
