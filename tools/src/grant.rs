//! What a run may use.

use std::collections::BTreeSet;

use indago_core::ports::Effect;
use serde::{Deserialize, Serialize};

/// Tools by name, and the effects they may have. The default grants nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Names of tools.
    pub tools: BTreeSet<String>,
    /// Effects that calls may have.
    pub effects: BTreeSet<Effect>,
}

impl Grant {
    /// The tools that read the corpus, and nothing else.
    pub fn corpus() -> Self {
        Self {
            tools: crate::corpus::NAMES
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
            effects: [Effect::ReadsCorpus].into(),
        }
    }

    /// The first effect of `effects` that is not granted.
    pub(crate) fn lacks(&self, effects: &[Effect]) -> Option<Effect> {
        effects
            .iter()
            .find(|effect| !self.effects.contains(effect))
            .copied()
    }
}
