//! Candidate passages with everything that speaks for them.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use indago_core::{Passage, PassageId};

use crate::asked::{Asked, TermSet};

/// Rank and score in one retriever's list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ranked {
    /// From 0.
    pub(crate) rank: u32,
    /// On the retriever's own scale.
    pub(crate) score: f64,
}

/// A name met in a read passage that leads to a candidate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lead {
    /// Passage in which the name was met.
    pub(crate) from: PassageId,
    /// The name as written there.
    pub(crate) name: String,
    /// How surely the candidate is about the name, 0 to 1.
    pub(crate) strength: f64,
    /// First byte of the name in the text of `from`.
    pub(crate) at: usize,
    /// Share of the question in the sentence around the name, the name's own words left out.
    pub(crate) sentence: f64,
    /// Whether the question itself has the name.
    pub(crate) asked: bool,
}

/// A follow-up query that found a candidate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FollowUp {
    /// Passage in which the name of the query was met.
    pub(crate) from: PassageId,
    /// The name.
    pub(crate) name: String,
    /// Share of the words still open that the candidate has, 0 to 1.
    pub(crate) open: f64,
    /// From 0.
    pub(crate) rank: u32,
    /// As [`Lead::sentence`].
    pub(crate) sentence: f64,
}

/// A sentence or other piece of a passage.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// Bytes of the passage's text.
    pub(crate) range: Range<usize>,
    /// Terms of the question in it.
    pub(crate) terms: TermSet,
}

/// A passage under consideration.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) passage: Passage,
    /// Normalised names that the passage is about: its title and what it introduces.
    pub(crate) names: Vec<String>,
    /// Index terms of title and text. Only ever asked for membership.
    pub(crate) vocabulary: HashSet<String>,
    /// Terms of the question among them.
    pub(crate) terms: TermSet,
    pub(crate) sentences: Vec<Piece>,
    pub(crate) lexical: Option<Ranked>,
    pub(crate) dense: Option<Ranked>,
    /// Position in the fused list of the first round, from 0.
    pub(crate) fused: Option<Ranked>,
    /// In the list of the library's own retriever.
    pub(crate) own: Option<Ranked>,
    /// Weight of a name of the question that the passage is about, and one over the number of
    /// passages about it.
    pub(crate) named: Option<(f64, f64)>,
    pub(crate) leads: Vec<Lead>,
    pub(crate) follow_ups: Vec<FollowUp>,
    /// Probability that the answer needs the passage.
    pub(crate) p: f64,
}

impl Candidate {
    fn new(asked: &Asked, passage: Passage) -> Self {
        let mut vocabulary = HashSet::new();
        let mut terms = 0;
        for text in [&passage.title, &passage.text] {
            indago_text::for_each_term(text, |term, _| {
                terms |= asked.bit(term);
                if !vocabulary.contains(term) {
                    vocabulary.insert(term.to_owned());
                }
            });
        }
        let sentences = indago_text::sentences(&passage.text)
            .into_iter()
            .map(|range| Piece {
                terms: asked.terms_in(&passage.text[range.clone()]),
                range,
            })
            .collect();
        let mut names: Vec<String> = Vec::new();
        let title = passage.title.as_str();
        for name in [title, indago_text::strip_disambiguation(title)] {
            names.push(indago_text::normalize_name(name));
        }
        for name in indago_text::introduced_names(&passage.text) {
            names.push(indago_text::normalize_name(&name));
        }
        names.retain(|name| !name.is_empty());
        names.dedup();
        Self {
            passage,
            names,
            vocabulary,
            terms,
            sentences,
            lexical: None,
            dense: None,
            fused: None,
            own: None,
            named: None,
            leads: Vec::new(),
            follow_ups: Vec::new(),
            p: 0.0,
        }
    }

    /// The sentence that holds byte `at` of the text.
    pub(crate) fn sentence_at(&self, at: usize) -> Option<&Piece> {
        let i = self.sentences.partition_point(|s| s.range.end <= at);
        self.sentences.get(i)
    }

    /// Whether the passage has all index terms of `name`.
    pub(crate) fn has_name(&self, name_terms: &[String]) -> bool {
        !name_terms.is_empty() && name_terms.iter().all(|t| self.vocabulary.contains(t))
    }
}

/// All candidates of one search.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    candidates: BTreeMap<PassageId, Candidate>,
}

impl Pool {
    /// The ids among `wanted` that are not in the pool yet, in order, once each.
    pub(crate) fn missing(&self, wanted: impl IntoIterator<Item = PassageId>) -> Vec<PassageId> {
        let mut seen = HashSet::new();
        wanted
            .into_iter()
            .filter(|id| !self.candidates.contains_key(id) && seen.insert(*id))
            .collect()
    }

    /// Reads `passages` into the pool.
    pub(crate) fn add(&mut self, asked: &Asked, passages: Vec<Passage>) {
        for passage in passages {
            self.candidates
                .entry(passage.id)
                .or_insert_with(|| Candidate::new(asked, passage));
        }
    }

    pub(crate) fn get(&self, id: PassageId) -> Option<&Candidate> {
        self.candidates.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: PassageId) -> Option<&mut Candidate> {
        self.candidates.get_mut(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Candidate> {
        self.candidates.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.candidates.len()
    }

    /// The `n` most probable candidates, best first, ties by passage id.
    pub(crate) fn best(&self, n: usize) -> Vec<PassageId> {
        let mut order: Vec<(f64, PassageId)> =
            self.candidates.iter().map(|(id, c)| (c.p, *id)).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        order.truncate(n);
        order.into_iter().map(|(_, id)| id).collect()
    }
}
