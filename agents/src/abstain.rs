//! How probable it is that the evidence answers the question at all.

use indago_core::PassageId;
use indago_text::NameKind;

use crate::answer::Answered;
use crate::asked::{Asked, TermSet, contains_phrase};
use crate::pool::{Candidate, Pool};
use crate::weights;

/// What the evidence is judged by, in the order of the coefficients.
pub const EVIDENCE: [&str; 12] = [
    "best probability of a passage",
    "second best",
    "third best",
    "share of the question in the best five passages together",
    "weight of the rarest word of the question that they lack",
    "share of the question's names that some passage is about",
    "share of the question's names that the selected passages mention",
    "best dense score",
    "certainty of the short answer",
    "share of the sources named that selected passages come from",
    "share of the question in the best single passage",
    "share of the question's quantity of names that are sources",
];

/// Values of [`EVIDENCE`].
pub(crate) type Evidence = [f64; EVIDENCE.len()];

/// Passages that are looked at together.
const TOGETHER: usize = 5;

/// Best dense score where there are no vectors: what is typical of questions that are answered.
const TYPICAL_BEST_DENSE: f64 = 0.65;

/// What speaks for an answer being in `selected`.
pub(crate) fn evidence(
    asked: &Asked,
    pool: &Pool,
    selected: &[PassageId],
    answered: Option<&Answered>,
) -> Evidence {
    let chosen: Vec<&Candidate> = selected.iter().filter_map(|&id| pool.get(id)).collect();
    let p = |i: usize| chosen.get(i).map_or(0.0, |c| c.p);
    let together: TermSet = chosen.iter().take(TOGETHER).fold(0, |set, c| set | c.terms);
    let lacking = asked.all() & !together;
    let rarest = asked.heaviest(lacking);
    let texts: Vec<String> = chosen
        .iter()
        .map(|c| {
            let text = format!("{} {}", c.passage.title, c.passage.text);
            indago_text::normalize_name(&text)
        })
        .collect();
    let names: Vec<String> = asked
        .analysis
        .names
        .iter()
        .filter(|n| n.kind != NameKind::Joined)
        .map(|n| indago_text::normalize_name(&n.text))
        .filter(|n| !n.is_empty())
        .collect();
    let share = |has: &dyn Fn(&String) -> bool| {
        if names.is_empty() {
            return 1.0;
        }
        names.iter().filter(|n| has(n)).count() as f64 / names.len() as f64
    };
    let defined = share(&|n| chosen.iter().any(|c| c.names.contains(n)));
    let mentioned = share(&|n| texts.iter().any(|t| contains_phrase(t, n)));
    let sources: Vec<String> = asked
        .analysis
        .sources
        .iter()
        .map(|s| indago_text::normalize_name(&s.name))
        .collect();
    let from = |source: &String| {
        chosen.iter().any(|c| {
            c.passage
                .metadata
                .values()
                .chain([&c.passage.title, &c.passage.text])
                .any(|value| contains_phrase(&indago_text::normalize_name(value), source))
        })
    };
    let cited = if sources.is_empty() {
        1.0
    } else {
        sources.iter().filter(|s| from(s)).count() as f64 / sources.len() as f64
    };
    let dense = chosen
        .iter()
        .filter_map(|c| c.dense)
        .map(|r| r.score)
        .max_by(f64::total_cmp)
        .unwrap_or(TYPICAL_BEST_DENSE);
    [
        p(0),
        p(1),
        p(2),
        asked.share(together),
        rarest / 10.0,
        defined,
        mentioned,
        dense,
        answered.map_or(0.0, |a| a.certainty),
        cited,
        chosen
            .iter()
            .map(|c| asked.share(c.terms))
            .fold(0.0, f64::max),
        if names.is_empty() {
            0.0
        } else {
            sources.len() as f64 / names.len() as f64
        },
    ]
}

/// Probability that the evidence answers the question.
pub(crate) fn confidence(evidence: &Evidence) -> f64 {
    weights::EVIDENCE.probability(evidence)
}

/// Whether to say "not found" rather than answer.
pub(crate) fn abstains(confidence: f64) -> bool {
    confidence < weights::ABSTAIN_BELOW
}
