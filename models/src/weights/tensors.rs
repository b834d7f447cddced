//! The tensors of a published model: `model.safetensors`, read as 32-bit floats under the names of
//! its family.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use xxhash_rust::xxh3::Xxh3;

use super::checkpoint::{Dims, LayerTensors};
use super::family::{self, Family, Order};
use crate::ModelError;

/// A linear layer: `weights` is `[bias.len(), inputs]`, row-major.
#[derive(Clone, Debug)]
pub(crate) struct DenseTensors {
    pub weights: Vec<f32>,
    pub bias: Vec<f32>,
}

/// A layer norm.
#[derive(Clone, Debug)]
pub(crate) struct NormTensors {
    pub gain: Vec<f32>,
    pub bias: Vec<f32>,
}

/// The tensors of a file, each read from it when it is asked for: the whole file may be larger than
/// what is made of it.
#[derive(Debug)]
pub(super) struct Tensors {
    file: Mutex<File>,
    path: PathBuf,
    what: String,
    metadata: Metadata,
    /// Where the first tensor begins.
    data: u64,
    family: &'static Family,
}

/// Headers of published models have some hundred bytes a tensor.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Bytes of a file that are read at once; a multiple of any value's.
const BLOCK: usize = 1 << 20;

impl Tensors {
    /// The tensors of the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or its header does not describe it.
    pub(super) fn open(path: &Path) -> Result<Self, ModelError> {
        let io = ModelError::io(path);
        let what = path.display().to_string();
        let unfit = |reason: &str| ModelError::format(&what, reason);
        let mut file = File::open(path).map_err(&io)?;
        let length = file.metadata().map_err(&io)?.len();
        let mut size = [0; 8];
        if length < 8 {
            return Err(unfit("it is too short for a header"));
        }
        file.read_exact(&mut size).map_err(&io)?;
        let data = u64::from_le_bytes(size).saturating_add(8);
        if data > length.min(MAX_HEADER_BYTES) {
            return Err(unfit("its header is longer than it can be"));
        }
        let mut header = vec![0; (data - 8) as usize];
        file.read_exact(&mut header).map_err(&io)?;
        // This checks that tensors lie one behind the other, each as long as its shape says.
        let metadata: Metadata =
            serde_json::from_slice(&header).map_err(|error| unfit(&error.to_string()))?;
        if data.saturating_add(metadata.data_len() as u64) != length {
            return Err(unfit("it is not as long as its header says"));
        }
        Ok(Self {
            file: Mutex::new(file),
            path: path.to_owned(),
            what,
            metadata,
            data,
            family: &family::BERT,
        })
    }

    /// The same under the names of `family`.
    pub(super) fn of_family(self, family: &'static Family) -> Self {
        Self { family, ..self }
    }

    /// The file they are in.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    fn file(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// xxh3-64 of the whole file.
    pub(super) fn checksum(&self) -> Result<u64, ModelError> {
        let io = ModelError::io(&self.path);
        let mut hash = Xxh3::new();
        let mut file = self.file();
        file.rewind().map_err(&io)?;
        let mut block = vec![0; BLOCK];
        loop {
            match file.read(&mut block) {
                Ok(0) => return Ok(hash.digest()),
                Ok(n) => hash.update(&block[..n]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(io(error)),
            }
        }
    }

    /// The shape of the tensor `name`; `None` when there is none.
    pub(super) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.metadata.info(name)?.shape.clone())
    }

    /// Whether there is a tensor `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The tensor `name`; some exports put the encoder under the name of its task.
    fn find(&self, name: &str) -> Option<&TensorInfo> {
        let under = |prefix: &&str| self.metadata.info(&format!("{prefix}.{name}"));
        let plain = self.metadata.info(name);
        plain.or_else(|| self.family.prefixes.iter().find_map(under))
    }

    /// The values of a tensor of `W` bytes each.
    fn values<const W: usize>(
        &self,
        tensor: &TensorInfo,
        value: impl Fn([u8; W]) -> f32,
    ) -> Result<Vec<f32>, ModelError> {
        let io = ModelError::io(&self.path);
        let (begin, end) = tensor.data_offsets;
        let mut file = self.file();
        let at = self.data + begin as u64;
        file.seek(SeekFrom::Start(at)).map_err(&io)?;
        let mut values = Vec::with_capacity((end - begin) / W);
        let mut block = vec![0; BLOCK.min(end - begin)];
        let mut left = end - begin;
        while left > 0 {
            let block = &mut block[..left.min(BLOCK)];
            file.read_exact(block).map_err(&io)?;
            let (chunks, _) = block.as_chunks::<W>();
            values.extend(chunks.iter().map(|chunk| value(*chunk)));
            left -= block.len();
        }
        Ok(values)
    }

    /// The matrix `name` of `k` columns and any number of rows.
    pub(super) fn rows_of(&self, name: &str, k: usize) -> Result<Vec<f32>, ModelError> {
        self.read(name, None, k)
    }

    /// The matrix `name`, `[n, k]`, row-major.
    pub(super) fn matrix(&self, name: &str, n: usize, k: usize) -> Result<Vec<f32>, ModelError> {
        self.read(name, Some(n), k)
    }

    /// Rows of the matrix `name`; 0 when there is none.
    pub(super) fn rows(&self, name: &str) -> usize {
        let shape = self.shape(name).unwrap_or_default();
        shape.first().copied().unwrap_or(0)
    }

    /// The vector `name` of `n` values.
    pub(super) fn vector(&self, name: &str, n: usize) -> Result<Vec<f32>, ModelError> {
        self.read(name, Some(1), n)
    }

    /// A matrix of `columns` columns, or a vector where `rows` is 1; any number of rows if `None`.
    fn read(
        &self,
        name: &str,
        rows: Option<usize>,
        columns: usize,
    ) -> Result<Vec<f32>, ModelError> {
        let tensor = self
            .find(name)
            .ok_or_else(|| ModelError::format(&self.what, format!("it has no tensor `{name}`")))?;
        let shape = tensor.shape.as_slice();
        let fits = match (shape, rows) {
            ([n], Some(1)) => *n == columns,
            ([_, k], None) => *k == columns,
            ([n, k], Some(rows)) => (*n, *k) == (rows, columns),
            _ => false,
        };
        let values = match tensor.dtype {
            Dtype::F32 if fits => self.values(tensor, f32::from_le_bytes)?,
            // The upper half of an f32.
            Dtype::BF16 if fits => {
                self.values(tensor, |[low, high]| f32::from_le_bytes([0, 0, low, high]))?
            }
            Dtype::F16 if fits => {
                self.values(tensor, |pair| half::f16::from_le_bytes(pair).to_f32())?
            }
            other => {
                let reason = format!("`{name}` is {other:?} of shape {shape:?}");
                return Err(ModelError::format(&self.what, reason));
            }
        };
        if values.iter().all(|value| value.is_finite()) {
            return Ok(values);
        }
        let reason = format!("`{name}` holds a value that is no number");
        Err(ModelError::format(&self.what, reason))
    }

    /// The linear layer `name` of `n` outputs and `k` inputs.
    pub(super) fn dense(&self, name: &str, n: usize, k: usize) -> Result<DenseTensors, ModelError> {
        let weights = self.read(&format!("{name}.weight"), Some(n), k)?;
        let bias = self.bias(&format!("{name}.bias"), n)?;
        Ok(DenseTensors { weights, bias })
    }

    /// Parts of a linear layer, one below the other: `n` outputs of all.
    fn stacked(&self, names: &[String], n: usize, k: usize) -> Result<DenseTensors, ModelError> {
        let mut stack = DenseTensors {
            weights: Vec::new(),
            bias: Vec::new(),
        };
        for name in names {
            let part = self.dense(name, n / names.len().max(1), k)?;
            stack.weights.extend(part.weights);
            stack.bias.extend(part.bias);
        }
        Ok(stack)
    }

    pub(super) fn norm(&self, name: &str, n: usize) -> Result<NormTensors, ModelError> {
        let gain = self.read(&format!("{name}.weight"), Some(1), n)?;
        let bias = self.bias(&format!("{name}.bias"), n)?;
        Ok(NormTensors { gain, bias })
    }

    /// The bias `name`; zeros where the family's models may lack it and this one does.
    pub(super) fn bias(&self, name: &str, n: usize) -> Result<Vec<f32>, ModelError> {
        if self.family.lacks_biases && !self.has(name) {
            return Ok(vec![0.0; n]);
        }
        self.read(name, Some(1), n)
    }

    /// The weights of buckets of distances, `[buckets, heads]`, spread over all distances.
    pub(super) fn distances(&self, name: &str, dims: Dims) -> Result<Vec<f32>, ModelError> {
        let buckets = self.read(name, None, dims.heads)?;
        let n = buckets.len() / dims.heads;
        if n < 4 || !n.is_multiple_of(4) {
            let reason = format!("`{name}` has {n} buckets");
            return Err(ModelError::format(&self.what, reason));
        }
        let most = dims.positions as i64 - 1;
        let of_head = |head| (-most..=most).map(move |ahead| bucket(ahead, n) * dims.heads + head);
        let places = (0..dims.heads).flat_map(of_head);
        Ok(places.map(|place| buckets[place]).collect())
    }

    /// The layer of number `i`.
    pub(super) fn layer(&self, i: usize, dims: Dims) -> Result<LayerTensors, ModelError> {
        let family = self.family;
        let names = &family.layer;
        let of_layer = |i: usize, part: &str| format!("{}.{i}.{part}", names.at);
        let name = |part: &str| of_layer(i, part);
        let all = |parts: &[&str]| parts.iter().map(|part| name(part)).collect::<Vec<_>>();
        let (hidden, inner) = (dims.hidden, dims.inner);
        let wide = if family.gate.is_some() {
            2 * inner
        } else {
            inner
        };
        let mut up = self.stacked(&all(names.up), wide, hidden)?;
        if family
            .gate
            .is_some_and(|gate| gate.order == Order::GateLast)
        {
            up.weights.rotate_left(inner * hidden);
            up.bias.rotate_left(inner);
        }
        let down_norm = match family.last_norm {
            None => name(names.down_norm),
            Some(last) if i + 1 == dims.layers => last.to_owned(),
            Some(_) => of_layer(i + 1, names.down_norm),
        };
        Ok(LayerTensors {
            qkv: self.stacked(&all(names.qkv), 3 * hidden, hidden)?,
            out: self.dense(&name(names.out), hidden, hidden)?,
            out_norm: self.norm(&name(names.out_norm), hidden)?,
            up,
            down: self.dense(&name(names.down), hidden, inner)?,
            down_norm: self.norm(&down_norm, hidden)?,
        })
    }
}

/// Distance at which buckets end.
const FAR: f64 = 128.0;

/// The bucket of a key that stands `ahead` of the query (Raffel et al., JMLR 2020, "T5", as MPNet has
/// it): half of the buckets for each side, half of these for one distance each, the others ever wider.
fn bucket(ahead: i64, buckets: usize) -> usize {
    let side = buckets / 2;
    let alone = side / 2;
    let distance = ahead.unsigned_abs() as usize;
    let within = if distance < alone {
        distance
    } else {
        let (alone, distance) = (alone as f64, distance as f64);
        let share = (distance / alone).ln() / (FAR / alone).ln();
        (alone + share * (side as f64 - alone)) as usize
    };
    within.min(side - 1) + if ahead > 0 { side } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_widen_with_distance_and_tell_the_sides_apart() {
        let of = |aheads: [i64; 6]| aheads.map(|ahead| bucket(ahead, 32));
        assert_eq!(of([0, -1, -7, -8, -11, -12]), [0, 1, 7, 8, 8, 9]);
        assert_eq!(of([-127, -128, -500, 1, 8, 500]), [15, 15, 15, 17, 24, 31]);
    }
}
