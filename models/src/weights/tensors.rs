//! The tensors of a published model: `model.safetensors`, read as 32-bit floats under the names of
//! its family.

use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

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

/// The tensors of a file.
pub(super) struct Tensors<'a> {
    file: SafeTensors<'a>,
    what: String,
    family: &'static Family,
}

impl<'a> Tensors<'a> {
    /// The tensors in `bytes`, which were read from `path`.
    pub(super) fn new(bytes: &'a [u8], path: &Path) -> Result<Self, ModelError> {
        let what = path.display().to_string();
        let file = SafeTensors::deserialize(bytes)
            .map_err(|error| ModelError::format(&what, error.to_string()))?;
        Ok(Self {
            file,
            what,
            family: &family::BERT,
        })
    }

    /// The same under the names of `family`.
    pub(super) fn of_family(self, family: &'static Family) -> Self {
        Self { family, ..self }
    }
}

impl Tensors<'_> {
    /// The file they are in.
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// The shape of the tensor `name`; `None` when there is none.
    pub(super) fn shape(&self, name: &str) -> Option<Vec<usize>> {
        Some(self.file.tensor(name).ok()?.shape().to_vec())
    }

    /// Whether there is a tensor `name`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// The tensor `name`; some exports put the encoder under the name of its task.
    fn find(&self, name: &str) -> Option<TensorView<'_>> {
        let under = |prefix: &&str| self.file.tensor(&format!("{prefix}.{name}")).ok();
        let plain = self.file.tensor(name).ok();
        plain.or_else(|| self.family.prefixes.iter().find_map(under))
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
        let tensor = self.file.tensor(name);
        tensor.map_or(0, |tensor| tensor.shape().first().copied().unwrap_or(0))
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
        let shape = tensor.shape();
        let fits = match (shape, rows) {
            ([n], Some(1)) => *n == columns,
            ([_, k], None) => *k == columns,
            ([n, k], Some(rows)) => (*n, *k) == (rows, columns),
            _ => false,
        };
        let (pairs, _) = tensor.data().as_chunks::<2>();
        let (quads, _) = tensor.data().as_chunks::<4>();
        let values: Vec<f32> = match tensor.dtype() {
            Dtype::F32 if fits => quads.iter().map(|quad| f32::from_le_bytes(*quad)).collect(),
            // The upper half of an f32.
            Dtype::BF16 if fits => {
                let wide = |pair: &[u8; 2]| f32::from_le_bytes([0, 0, pair[0], pair[1]]);
                pairs.iter().map(wide).collect()
            }
            Dtype::F16 if fits => {
                let wide = |pair: &[u8; 2]| half::f16::from_le_bytes(*pair).to_f32();
                pairs.iter().map(wide).collect()
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
