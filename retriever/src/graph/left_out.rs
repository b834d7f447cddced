//! Parts of the evidence that a search does without, to see what each of them brings.

use std::str::FromStr;

use super::evidence::{FEATURES, Features};

/// A part: its name and the features that carry it. A new one is one line here. Two have no feature:
/// the trees, which judge instead of telling, and the places that the nearest in meaning keep.
const PARTS: [(&str, &[usize]); 8] = [
    (TREES, &[]),
    (NEAREST, &[]),
    ("named", &[2, 3]),
    ("links", &[4, 5, 6, 7, 8, 13, 14]),
    ("ties", &[10, 11, 12]),
    ("coverage", &[5, 6, 11, 14]),
    ("sentences", &[7, 12]),
    ("onward", &[13, 14]),
];

const TREES: &str = "trees";
const NEAREST: &str = "nearest";

/// What passages are judged without; nothing, unless something is said. Written `-trees,-ties`.
///
/// The features of a part read as they do for a passage that has none of it. Weights stay those
/// that were fitted with every part, so leaving one out may cost more than a fit without it would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    features: [bool; FEATURES.len()],
    trees: bool,
    nearest: bool,
}

impl LeftOut {
    /// Whether the trees judge.
    pub(super) fn keeps_trees(&self) -> bool {
        !self.trees
    }

    /// Whether the nearest in meaning keep places among the first.
    pub(crate) fn keeps_nearest(&self) -> bool {
        !self.nearest
    }

    pub(super) fn clear(&self, values: &mut Features) {
        for (value, left_out) in values.iter_mut().zip(self.features) {
            if left_out {
                *value = 0.0;
            }
        }
    }
}

/// A part that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{part}` is no part of `graph` that can be left out: write `-` before one of {}",
    PARTS.map(|(name, _)| name).join(", ")
)]
pub struct UnknownPart {
    /// What was written.
    pub part: String,
}

impl FromStr for LeftOut {
    type Err = UnknownPart;

    fn from_str(text: &str) -> Result<Self, UnknownPart> {
        let mut left_out = Self::default();
        for part in text.split(',').map(str::trim) {
            let named = part.strip_prefix('-');
            let known = PARTS.iter().find(|(name, _)| Some(*name) == named);
            let Some((name, features)) = known else {
                return Err(UnknownPart {
                    part: part.to_owned(),
                });
            };
            left_out.trees |= *name == TREES;
            left_out.nearest |= *name == NEAREST;
            for &feature in *features {
                if let Some(slot) = left_out.features.get_mut(feature) {
                    *slot = true;
                }
            }
        }
        Ok(left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_left_out_by_name() {
        let values: Features = std::array::from_fn(|i| 1.0 + i as f32);
        let mut ties = values;
        let left_out: LeftOut = "-ties, -trees".parse().unwrap();
        left_out.clear(&mut ties);
        assert_eq!(ties[10..13], [0.0; 3]);
        assert_eq!(ties[..10], values[..10]);
        assert_eq!(ties[13..], values[13..]);
        assert!(!left_out.keeps_trees());
        assert!(left_out.keeps_nearest());
        assert!(!"-nearest".parse::<LeftOut>().unwrap().keeps_nearest());

        let mut all = values;
        LeftOut::default().clear(&mut all);
        assert_eq!(all, values);
        assert!(LeftOut::default().keeps_trees() && LeftOut::default().keeps_nearest());
    }

    #[test]
    fn what_is_no_part_is_named() {
        for text in ["ties", "-rings", "-ties,", ""] {
            let error = text.parse::<LeftOut>().unwrap_err().to_string();
            assert!(error.contains("trees, nearest, named, links"), "{error}");
        }
    }
}
