//! The frequency gate of WiTQA (Maekawa et al., 2024): models recall what is frequent; what is rare
//! has to be looked up. Counts come from the local corpus and no model is asked.

use indago_core::ports::{BoxFuture, TaskError};

use super::retrieve;
use crate::model::Ports;
use crate::operators::state::SearchState;
use crate::operators::{Decision, RetrievalPolicy};

/// Thresholds on counts of passages.
#[derive(Clone, Copy, Debug)]
pub struct Frequency {
    /// Subject and relation together (`tau_r`).
    pub pair: u64,
    /// The subject alone (`tau_s`).
    pub subject: u64,
}

impl Default for Frequency {
    fn default() -> Self {
        Self {
            pair: 50,
            subject: 200,
        }
    }
}

impl RetrievalPolicy for Frequency {
    fn name(&self) -> &'static str {
        "frequency"
    }

    fn decide<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<Decision, TaskError>> {
        Box::pin(async move {
            let names = indago_text::names_in_question(&state.question);
            let Some(subject) = names.first() else {
                return Ok(retrieve("no subject could be linked"));
            };
            let linked = ports
                .library
                .defining(vec![subject.text.clone()], 1)
                .await?;
            if linked.first().is_none_or(Vec::is_empty) {
                return Ok(retrieve(format!(
                    "`{}` is unknown to the corpus",
                    subject.text
                )));
            }
            // A subject is as frequent as its rarest word; a pair as its rarest part.
            let of_subject = indago_text::terms(&subject.text);
            // Words of the question's form stand in no statement of the fact.
            let mut relation: Vec<String> = indago_text::words(&state.question)
                .into_iter()
                .map(|range| state.question[range].to_lowercase())
                .filter(|word| !indago_text::is_function_word(word))
                .flat_map(|word| indago_text::terms(&word))
                .collect();
            relation.retain(|term| !of_subject.contains(term));
            if relation.is_empty() {
                return Ok(retrieve("no relation is asked"));
            }
            let all: Vec<String> = of_subject.iter().chain(&relation).cloned().collect();
            let counts = ports.library.frequencies(all).await?;
            let (of_name, of_relation) = counts.split_at(of_subject.len().min(counts.len()));
            let f_s = of_name.iter().copied().min().unwrap_or(0);
            let f_sr = f_s.min(of_relation.iter().copied().min().unwrap_or(0));
            let recall = f_sr >= self.pair || f_s >= self.subject;
            Ok(Decision {
                retrieve: !recall,
                reason: format!(
                    "`{}`: {f_s} passages, with its relation {f_sr} (thresholds {} and {})",
                    subject.text, self.subject, self.pair
                ),
                direct: None,
            })
        })
    }
}
