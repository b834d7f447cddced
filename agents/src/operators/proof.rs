//! Natural-logic proofs as a stop rule (Strong et al., 2024, on ProoFVer's automaton): evidence
//! suffices when the claim is proved or refuted, not when a score passes a threshold.
//!
//! A model writes the steps; the automaton and the check that every content word is covered are
//! ours and deterministic.

use indago_core::ports::{BoxFuture, Request, TaskError};
use serde::{Deserialize, Serialize};

use super::state::SearchState;
use super::{StopPolicy, Sufficiency, is_fatal};
use crate::model::prompts::{Proof as Prompt, opening, passage, role};
use crate::model::{Ask, Ports, Role, complete, parse_json};

/// How a span of the claim relates to a span of the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// They say the same.
    Equivalent,
    /// The evidence entails the claim's span.
    Forward,
    /// The claim's span entails the evidence.
    Reverse,
    /// One negates the other.
    Negation,
    /// Both cannot hold.
    Alternation,
    /// Nothing follows.
    Independent,
}

/// Where a proof stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofState {
    /// The evidence proves the claim.
    Supports,
    /// The evidence proves it wrong.
    Refutes,
    /// Nothing follows; absorbs whatever comes.
    NotEnough,
}

impl ProofState {
    /// The state after one more step.
    #[must_use]
    pub fn after(self, relation: Relation) -> Self {
        match (self, relation) {
            (Self::NotEnough, _) | (_, Relation::Reverse | Relation::Independent) => {
                Self::NotEnough
            }
            (state, Relation::Equivalent | Relation::Forward) => state,
            (Self::Supports, Relation::Negation | Relation::Alternation) => Self::Refutes,
            (Self::Refutes, Relation::Negation) => Self::Supports,
            // Excluding what is excluded proves nothing.
            (Self::Refutes, Relation::Alternation) => Self::NotEnough,
        }
    }
}

/// One step of a proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// A span of the claim.
    pub claim: String,
    /// What it is compared with.
    pub evidence: String,
    /// How they relate.
    pub relation: Relation,
}

/// The end state of a proof. Steps whose spans do not stand where they should are worth nothing,
/// and a claim of which a content word is not covered is not decided.
pub fn conclude(claim: &str, evidence: &str, steps: &[Step]) -> ProofState {
    let has = |text: &str, span: &str| {
        let (text, span) = (indago_text::terms(text), indago_text::terms(span));
        span.iter().all(|t| text.contains(t))
    };
    let mut state = ProofState::Supports;
    let mut covered: Vec<String> = Vec::new();
    for step in steps {
        let sound = has(claim, &step.claim)
            && (step.relation == Relation::Independent || has(evidence, &step.evidence));
        if !sound {
            return ProofState::NotEnough;
        }
        covered.extend(indago_text::terms(&step.claim));
        state = state.after(step.relation);
    }
    let all = indago_text::terms(claim)
        .iter()
        .all(|t| covered.contains(t));
    if all && !steps.is_empty() {
        state
    } else {
        ProofState::NotEnough
    }
}

/// Stops when the sub-question, taken as a claim, is proved or refuted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Proved;

#[derive(Debug, Deserialize)]
struct Steps {
    steps: Vec<Step>,
}

impl StopPolicy for Proved {
    fn name(&self) -> &'static str {
        "proved"
    }

    fn judge<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
    ) -> BoxFuture<'a, Result<Sufficiency, TaskError>> {
        Box::pin(async move {
            let claim = state.question.clone();
            let mut prompt = role(opening(&state.whole), Prompt::new(&claim).render());
            let mut evidence = String::new();
            for shown in state.reading().into_iter().filter_map(|n| state.shown(n)) {
                prompt = passage(prompt, shown.n, &shown.passage);
                evidence.push_str(&shown.passage.title);
                evidence.push('\n');
                evidence.push_str(&shown.passage.text);
                evidence.push('\n');
            }
            let ask = Ask {
                role: Role::Judge,
                purpose: format!("proof/{}", state.round),
                request: Request {
                    prompt,
                    max_tokens: Some(600),
                    temperature: Some(0.0),
                    ..Request::default()
                },
            };
            let steps = match complete(ports, ask, &mut state.usage).await {
                Ok(done) => parse_json::<Steps>(&done.text)
                    .map(|s| s.steps)
                    .unwrap_or_default(),
                Err(error) if is_fatal(&error) => return Err(error),
                Err(_call_failed) => Vec::new(),
            };
            let end = conclude(&claim, &evidence, &steps);
            Ok(Sufficiency {
                enough: end != ProofState::NotEnough,
                reason: match end {
                    ProofState::Supports => "proved".to_owned(),
                    ProofState::Refutes => "refuted".to_owned(),
                    ProofState::NotEnough => "not proved".to_owned(),
                },
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Relation::{Alternation, Equivalent, Forward, Independent, Negation, Reverse};

    #[test]
    fn the_automaton_by_its_table() {
        use ProofState::{NotEnough as N, Refutes as R, Supports as S};
        let table = [
            (S, [S, S, N, R, R, N]),
            (R, [R, R, N, S, N, N]),
            (N, [N, N, N, N, N, N]),
        ];
        let relations = [
            Equivalent,
            Forward,
            Reverse,
            Negation,
            Alternation,
            Independent,
        ];
        for (state, ends) in table {
            for (relation, end) in relations.into_iter().zip(ends) {
                assert_eq!(state.after(relation), end, "{state:?} {relation:?}");
            }
        }
    }

    #[test]
    fn a_claim_that_is_not_covered_is_not_decided() {
        let step = |claim: &str, evidence: &str, relation| Step {
            claim: claim.into(),
            evidence: evidence.into(),
            relation,
        };
        let evidence = "The tower was built in 1912 by Zarnow.";
        let half = [step("tower", "tower", Equivalent)];
        assert_eq!(
            conclude("Tower built 1910", evidence, &half),
            ProofState::NotEnough
        );
        let whole = [
            step("Tower built", "tower built", Equivalent),
            step("1910", "1912", Alternation),
        ];
        assert_eq!(
            conclude("Tower built 1910", evidence, &whole),
            ProofState::Refutes
        );
        let invented = [step("Tower built 1910", "built 1910", Equivalent)];
        assert_eq!(
            conclude("Tower built 1910", evidence, &invented),
            ProofState::NotEnough
        );
    }
}
