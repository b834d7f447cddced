//! Rotary positions (Su et al. 2021, "RoFormer"): how fast a model's layers turn the pairs of values
//! of queries and keys, and how far they look, as configurations say it.

use super::config::Config;
use super::family::Rotary;

/// One layer's positions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RotaryLayer {
    /// Angles from one token to the next, one for each pair of values of a head: value `i` of a head
    /// and value `i + head / 2`.
    pub frequencies: Vec<f32>,
    /// Most tokens to each side that a token attends to.
    pub reach: usize,
}

/// Scaling of positions in longer texts than those of the training.
struct Scaling {
    kind: String,
    factor: Option<f32>,
}

/// The layers of a model whose heads have `head` values.
///
/// # Errors
/// Why they are not known.
pub(super) fn read(
    config: &Config,
    family: Rotary,
    layers: usize,
    head: usize,
) -> Result<Vec<RotaryLayer>, String> {
    if !head.is_multiple_of(2) {
        return Err(format!("heads of {head} values cannot be turned in pairs"));
    }
    if let Some(part) = config.get::<f32>(&["rotary_emb_fraction"])?
        && part != 1.0
    {
        return Err("only heads that are turned as a whole are known".to_owned());
    }
    let scaling = scaling(config)?;
    let base = config.get(&[
        "rope_parameters.full_attention.rope_theta",
        "rope_parameters.rope_theta",
        "global_rope_theta",
        "rope_theta",
        "rotary_emb_base",
    ])?;
    let everywhere = RotaryLayer {
        frequencies: frequencies(base.unwrap_or(family.base), head, &scaling)?,
        reach: usize::MAX,
    };
    let Some(local_base) = family.local_base else {
        return Ok(vec![everywhere; layers]);
    };
    let base = config.get(&[
        "rope_parameters.sliding_attention.rope_theta",
        "local_rope_theta",
    ])?;
    // The width of the window around a token, in tokens.
    let window = config.get::<usize>(&["local_attention"])?.unwrap_or(128);
    let near = RotaryLayer {
        frequencies: frequencies(base.unwrap_or(local_base), head, &scaling)?,
        reach: window / 2,
    };
    let is_near = near_layers(config, layers)?.into_iter();
    Ok(is_near
        .map(|is_near| if is_near { &near } else { &everywhere })
        .cloned()
        .collect())
}

/// Which layers look at near tokens only.
fn near_layers(config: &Config, layers: usize) -> Result<Vec<bool>, String> {
    let Some(kinds) = config.get::<Vec<String>>(&["layer_types"])? else {
        let every = config.get::<usize>(&["global_attn_every_n_layers"])?;
        let every = every.unwrap_or(3).max(1);
        return Ok((0..layers).map(|i| !i.is_multiple_of(every)).collect());
    };
    if kinds.len() != layers {
        return Err(format!("{} layer types for {layers} layers", kinds.len()));
    }
    let is_near = |kind: &String| match kind.as_str() {
        "sliding_attention" => Ok(true),
        "full_attention" => Ok(false),
        other => Err(format!("layers of type `{other}` are not known")),
    };
    kinds.iter().map(is_near).collect()
}

/// What the configuration says of longer texts.
fn scaling(config: &Config) -> Result<Scaling, String> {
    let kind = config.get(&[
        "rope_scaling.rope_type",
        "rope_scaling.type",
        "rope_parameters.rope_type",
        "rope_parameters.full_attention.rope_type",
    ])?;
    let scaling = Scaling {
        kind: kind.unwrap_or_else(|| "default".to_owned()),
        factor: config.get(&["rope_scaling.factor", "rope_parameters.factor"])?,
    };
    if config.is_on("rope_scaling.mixed_b") {
        return Err("rotary positions with `mixed_b` are not known".to_owned());
    }
    // Texts up to the trained length, at which longer ones are cut, are not scaled.
    let trained = config.get::<usize>(&["max_trained_positions"])?;
    if config.is_on("rotary_scaling_factor") && trained.is_none() {
        return Err(
            "`rotary_scaling_factor` is known with `max_trained_positions` only".to_owned(),
        );
    }
    Ok(scaling)
}

/// The angles, one for each pair of a head's values; `ntk` as GTE's code has it: base and all angles
/// are stretched by the factor.
fn frequencies(base: f32, head: usize, scaling: &Scaling) -> Result<Vec<f32>, String> {
    let factor = match (scaling.kind.as_str(), scaling.factor) {
        ("default", _) => 1.0,
        ("ntk", Some(factor)) if factor.is_finite() && factor >= 1.0 => f64::from(factor),
        (kind, factor) => {
            return Err(format!(
                "rotary positions of type `{kind}` with factor {factor:?} are not known"
            ));
        }
    };
    if !(base.is_finite() && base > 1.0) {
        return Err(format!("rotary positions with base {base}"));
    }
    let base = f64::from(base) * factor;
    let slower = factor.powf(2.0 / head as f64);
    let angle = |pair: usize| base.powf(-2.0 * pair as f64 / head as f64) / slower;
    Ok((0..head / 2).map(|pair| angle(pair) as f32).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const MODERN: Rotary = Rotary {
        base: 160_000.0,
        local_base: Some(10_000.0),
    };
    const PLAIN: Rotary = Rotary {
        base: 10_000.0,
        local_base: None,
    };

    fn layers(config: Value, family: Rotary) -> Result<Vec<RotaryLayer>, String> {
        read(&Config::of(config), family, 4, 8)
    }

    #[test]
    fn old_and_new_settings_say_the_same() {
        let old = json!({"global_attn_every_n_layers": 3, "global_rope_theta": 50_000.0,
            "local_rope_theta": 20_000.0, "local_attention": 12});
        let new = json!({
            "layer_types":
                ["full_attention", "sliding_attention", "sliding_attention", "full_attention"],
            "rope_parameters": {
                "full_attention": {"rope_theta": 50_000.0, "rope_type": "default"},
                "sliding_attention": {"rope_theta": 20_000.0, "rope_type": "default"},
            },
            "local_attention": 12,
        });
        let read = layers(old, MODERN).unwrap();
        assert_eq!(read, layers(new, MODERN).unwrap());
        let reach: Vec<usize> = read.iter().map(|layer| layer.reach).collect();
        assert_eq!(reach, [usize::MAX, 6, 6, usize::MAX]);
        assert_eq!(read[0].frequencies[0], 1.0);
        assert!((read[0].frequencies[2] - 50_000.0_f32.powf(-0.5)).abs() < 1e-9);
        assert!((read[1].frequencies[2] - 20_000.0_f32.powf(-0.5)).abs() < 1e-9);
        // What is not said is as in the published models.
        let usual = layers(json!({}), MODERN).unwrap();
        assert_eq!(usual[1].reach, 64);
        assert!((usual[3].frequencies[2] - 0.0025).abs() < 1e-9);
    }

    #[test]
    fn stretched_positions_are_slower() {
        let config = json!({"rope_theta": 500.0, "rope_scaling": {"type": "ntk", "factor": 16.0}});
        let read = layers(config, PLAIN).unwrap();
        // 16^(2/8) = 2, and 8000^(2/8) between two pairs.
        let want = [0.5, 0.052_868_6, 0.005_590_17, 0.000_591_089_6];
        for (got, want) in read[3].frequencies.iter().zip(want) {
            assert!((got / want - 1.0).abs() < 1e-5, "{got} {want}");
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        for (config, says) in [
            (
                json!({"rope_scaling": {"type": "yarn", "factor": 4.0}}),
                "`yarn`",
            ),
            (json!({"rope_scaling": {"type": "ntk"}}), "`ntk`"),
            (json!({"rope_theta": 0.0}), "base 0"),
            (json!({"rope_theta": "much"}), "`rope_theta`"),
            (json!({"rotary_emb_fraction": 0.5}), "as a whole"),
            (json!({"rotary_scaling_factor": 2}), "max_trained_positions"),
            (
                json!({"rope_scaling": {"type": "ntk", "factor": 2.0, "mixed_b": 0.6}}),
                "mixed_b",
            ),
        ] {
            let error = layers(config, PLAIN).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        for types in [json!(["full_attention"]), json!(["a", "b", "c", "d"])] {
            layers(json!({"layer_types": types}), MODERN).unwrap_err();
        }
        assert!(read(&Config::of(json!({})), PLAIN, 2, 7).is_err());
    }
}
