//! Disentangled attention (He et al., ICLR 2021, "DeBERTa"): what stands at both ends of a distance
//! says what the distance means. Read here: the vectors of distances, and which distances share one.

use indago_kernels::add_layer_norm;

use super::checkpoint::Dims;
use super::config::Config;
use super::tensors::Tensors;
use crate::ModelError;

/// What the layers of a model share of it.
#[derive(Clone, Debug)]
pub(crate) struct Relative {
    /// A vector for each bucket of distances, `[buckets, hidden]`.
    pub vectors: Vec<f32>,
    /// The bucket of each distance up to the longest text's, the key that stands furthest before the
    /// query first: `2 * positions - 1`.
    pub buckets: Vec<u16>,
}

/// How a configuration says distances share vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Settings {
    /// Buckets to each side.
    span: usize,
    /// Where the last bucket ends, if they widen with the distance.
    widest: Option<usize>,
    is_normed: bool,
}

/// Most buckets to each side.
const MAX_SPAN: usize = 4096;

impl Settings {
    /// # Errors
    /// Why they are not known.
    pub(super) fn of(config: &Config) -> Result<Self, String> {
        let on = |name: &str| config.is_on(name);
        let named = |name: &str| config.get::<String>(&[name]);
        let terms = match config.get::<Vec<String>>(&["pos_att_type"]) {
            Ok(list) => list.unwrap_or_default(),
            Err(_) => {
                let text = named("pos_att_type")?.unwrap_or_default();
                text.split('|')
                    .map(|term| term.trim().to_lowercase())
                    .collect()
            }
        };
        let has = |term: &str| terms.iter().any(|found| found == term);
        let absolute = config
            .get::<bool>(&["position_biased_input"])?
            .unwrap_or(true);
        if !on("relative_attention")
            || !on("share_att_key")
            || absolute
            || !has("c2p")
            || !has("p2c")
        {
            return Err(
                "of DeBERTa only models with `relative_attention`, `share_att_key`, both of \
                 `c2p|p2c` and without `position_biased_input` are known, as its third version"
                    .to_owned(),
            );
        }
        if let Some(other) = named("pooler_hidden_act")?.filter(|name| name != "gelu") {
            return Err(format!(
                "poolers with the activation `{other}` are not known"
            ));
        }
        let length = |name: &str| -> Result<Option<usize>, String> {
            let found = config.get::<i64>(&[name])?;
            Ok(found
                .and_then(|n| usize::try_from(n).ok())
                .filter(|n| *n > 0))
        };
        let longest = match length("max_relative_positions")? {
            Some(longest) => longest,
            None => config.need(&["max_position_embeddings"])?,
        };
        let buckets = length("position_buckets")?;
        let span = buckets.unwrap_or(longest);
        let norms = named("norm_rel_ebd")?.unwrap_or_default().to_lowercase();
        if !(2..=MAX_SPAN).contains(&span) {
            return Err(format!(
                "{span} buckets of distances to each side are not known"
            ));
        }
        Ok(Self {
            span,
            widest: buckets.map(|_| longest),
            is_normed: norms.split('|').any(|name| name.trim() == "layer_norm"),
        })
    }

    /// The bucket of a key that stands `before` the query, counted from the first.
    fn bucket(self, before: i64) -> u16 {
        let span = self.span as i64;
        let found = match self.widest {
            Some(widest) => widening(before, self.span, widest),
            None => before,
        };
        (found + span).clamp(0, 2 * span - 1) as u16
    }
}

/// The signed bucket of a distance: one each for the nearer half of `buckets`, ever wider ones up to
/// `widest` for the others. In f32, as published models were trained with it.
fn widening(distance: i64, buckets: usize, widest: usize) -> i64 {
    let middle = (buckets / 2).max(1);
    let far = distance.unsigned_abs() as usize;
    if far <= middle {
        return distance;
    }
    let middle = middle as f32;
    let share = (far as f32 / middle).ln() / ((widest as f32 - 1.0) / middle).ln();
    let place = (share * (middle - 1.0)).ceil() + middle;
    place as i64 * distance.signum()
}

impl Settings {
    /// What the model's file holds of it.
    ///
    /// # Errors
    /// When a tensor is missing or of another shape.
    pub(super) fn read(self, tensors: &Tensors, dims: Dims) -> Result<Relative, ModelError> {
        let (name, hidden) = ("encoder.rel_embeddings.weight", dims.hidden);
        let mut vectors = tensors.matrix(name, 2 * self.span, hidden)?;
        if self.is_normed {
            let norm = tensors.norm("encoder.LayerNorm", hidden)?;
            let nothing = vec![0.0; vectors.len()];
            add_layer_norm(&mut vectors, &nothing, &norm.gain, &norm.bias, dims.eps);
        }
        let most = dims.positions as i64 - 1;
        Ok(Relative {
            vectors,
            buckets: (-most..=most).map(|ahead| self.bucket(-ahead)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn published() -> serde_json::Value {
        json!({
            "relative_attention": true, "share_att_key": true, "position_biased_input": false,
            "pos_att_type": "p2c|c2p", "norm_rel_ebd": "layer_norm", "position_buckets": 256,
            "max_relative_positions": -1, "max_position_embeddings": 512
        })
    }

    #[test]
    fn buckets_are_those_of_transformers() {
        // make_log_bucket_position of transformers 5, with 256 and 512.
        let settings = Settings::of(&Config::of(published())).unwrap();
        let of = |before: i64| i64::from(settings.bucket(before)) - 256;
        for (distance, bucket) in BUCKETS {
            assert_eq!(
                (of(distance), of(-distance)),
                (bucket, -bucket),
                "{distance}"
            );
        }
        // Beyond the longest there is one bucket more on the left than on the right.
        assert_eq!((of(5000), of(-5000)), (255, -256));
    }

    const BUCKETS: [(i64, i64); 13] = [
        (0, 0),
        (1, 1),
        (127, 127),
        (131, 131),
        (140, 137),
        (180, 160),
        (200, 169),
        (255, 192),
        (257, 192),
        (300, 207),
        (400, 233),
        (500, 254),
        (511, 255),
    ];

    #[test]
    fn the_configuration_may_list_the_terms() {
        let mut listed = published();
        listed["pos_att_type"] = json!(["c2p", "p2c"]);
        assert_eq!(
            Settings::of(&Config::of(listed)).unwrap(),
            Settings::of(&Config::of(published())).unwrap()
        );
    }

    #[test]
    fn what_would_be_computed_wrongly_is_refused() {
        for (name, value) in [
            ("relative_attention", json!(false)),
            ("share_att_key", json!(false)),
            ("position_biased_input", json!(true)),
            ("pos_att_type", json!("c2p")),
            ("pos_att_type", json!(7)),
            ("pooler_hidden_act", json!("tanh")),
            ("position_buckets", json!(1_000_000)),
        ] {
            let mut settings = published();
            settings[name] = value;
            assert!(Settings::of(&Config::of(settings)).is_err(), "{name}");
        }
    }
}
