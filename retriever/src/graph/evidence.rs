//! What speaks for a passage: its place in the fused list, names of the query that it defines, and
//! passages that lead to it by name.

use std::collections::{BTreeMap, HashMap};

use indago_core::PassageId;

use super::left_out::LeftOut;
use super::mention::Mention;
use super::question::{QueryTerms, TermSet};
use super::weights::{self, UNLINKED};

/// What a passage is judged by, in the order of the weights.
pub const FEATURES: [&str; 15] = [
    "fused score over the best",
    "minus log of the fused rank",
    "telling name of the query that it is about",
    "the same over the passages about that name",
    "best link into it: probability of its source times strength",
    "share of the query that it adds to that source",
    "share of what that source leaves open",
    "share of the query in the linking sentence",
    "linked by a name of the query",
    "probability before links",
    "best tie to it by a rare name that nothing defines: as a link",
    "share of the query that it adds to that tie's source",
    "share of the query in the sentence of that name",
    "best link from it: strength times probability before links of its target",
    "share of the query that this target adds",
];

/// Values of [`FEATURES`].
pub type Features = [f32; FEATURES.len()];

/// A passage under consideration.
#[derive(Debug, Default)]
pub(crate) struct Candidate {
    /// Fused score over the best, and rank from 0.
    pub(crate) fused: (f32, usize),
    /// Worth of the query's most telling name that it is about, and that over the passages about it.
    pub(crate) named: (f32, f32),
    pub(crate) terms: TermSet,
    /// From a mention to the passage that defines the name.
    pub(crate) best_link: Option<Lead>,
    /// Between passages that share a name.
    pub(crate) best_tie: Option<Lead>,
    /// The best link that starts here: its strength times the probability of its target, and the
    /// share of the query that the target adds.
    pub(crate) onward: (f32, f32),
    pub(crate) p: f32,
}

impl Candidate {
    /// Whether a name of the query or of another passage leads to it.
    pub(crate) fn is_linked(&self) -> bool {
        self.named.0 > 0.0 || self.best_link.is_some() || self.best_tie.is_some()
    }
}

/// A name in a passage that leads to another.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lead {
    pub(crate) source: PassageId,
    pub(crate) name: String,
    /// How surely the target is what the name means and how telling the name is, 0 to 1.
    pub(crate) strength: f32,
    /// Share of the query in the sentence around the name, the name's own words left out.
    pub(crate) sentence: f32,
    /// Whether the query has the name.
    pub(crate) asked: bool,
}

/// The targets of a passage's mentions, each by its strongest name.
pub(crate) fn leads(
    source: PassageId,
    text: &str,
    mentions: &[Mention],
    query: &QueryTerms,
    specificity: impl Fn(&str) -> f32,
) -> BTreeMap<PassageId, Lead> {
    let sentences = indago_text::sentences(text);
    let mut found: BTreeMap<PassageId, Lead> = BTreeMap::new();
    for mention in mentions {
        let telling = specificity(&mention.name) / (mention.about.len() as f32).sqrt();
        let at = sentences.partition_point(|s| s.end <= mention.range.start);
        let own = query.in_text(&mention.name);
        let around = sentences.get(at).and_then(|s| text.get(s.clone()));
        let sentence = around.map_or(0.0, |s| query.share(query.in_text(s) & !own));
        let asked = query.mentions(&mention.name);
        for hit in mention.about.iter().filter(|hit| hit.passage != source) {
            let strength = hit.score * telling;
            if found
                .get(&hit.passage)
                .is_none_or(|l| l.strength < strength)
            {
                let lead = Lead {
                    source,
                    name: mention.name.clone(),
                    strength,
                    sentence,
                    asked,
                };
                found.insert(hit.passage, lead);
            }
        }
    }
    found
}

/// The features of a candidate; those of links only where `sources` has the probabilities and terms
/// of the passages that links start from.
pub(crate) fn features(
    candidate: &Candidate,
    query: &QueryTerms,
    sources: Option<&HashMap<PassageId, (f32, TermSet)>>,
    left_out: &LeftOut,
) -> Features {
    let mut values: Features = [0.0; FEATURES.len()];
    values[0] = candidate.fused.0;
    values[1] = -(1.0 + candidate.fused.1 as f32).ln();
    (values[2], values[3]) = candidate.named;
    let Some(sources) = sources else {
        left_out.clear(&mut values);
        return values;
    };
    let lead = candidate.best_link.as_ref();
    if let Some((lead, (p, terms))) = lead.and_then(|l| Some((l, sources.get(&l.source)?))) {
        let open = query.all() & !terms;
        let new = open & candidate.terms;
        values[UNLINKED] = p * lead.strength;
        values[5] = query.share(new);
        values[6] = query.weight(new) / query.weight(open).max(f32::MIN_POSITIVE);
        values[7] = lead.sentence;
        values[8] = f32::from(u8::from(lead.asked));
    }
    values[9] = candidate.p;
    let tie = candidate.best_tie.as_ref();
    if let Some((tie, (p, terms))) = tie.and_then(|t| Some((t, sources.get(&t.source)?))) {
        values[10] = p * tie.strength;
        values[11] = query.share(query.all() & !terms & candidate.terms);
        values[12] = tie.sentence;
    }
    (values[13], values[14]) = candidate.onward;
    left_out.clear(&mut values);
    values
}

/// Gives every candidate its probability, by the weights before links while there are no `sources`;
/// see [`features`].
pub(crate) fn judge(
    candidates: &mut BTreeMap<PassageId, Candidate>,
    query: &QueryTerms,
    sources: Option<&HashMap<PassageId, (f32, TermSet)>>,
    left_out: &LeftOut,
) {
    for candidate in candidates.values_mut() {
        let values = features(candidate, query, sources, left_out);
        candidate.p = match sources {
            None => weights::before_links(&values),
            Some(_) => weights::after_links(&values, left_out),
        };
    }
}
