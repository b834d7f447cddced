//! Graph memory over the fused list: names in what was found lead to the passages about them.
//!
//! 1. BM25 and dense search, fused.
//! 2. The passages that the query's own names are about.
//! 3. The names in the most probable of these lead on to the passages that define them.
//! 4. One probability for each passage, by logistic regression over what speaks for it.
//! 5. Places among the first ten for the two passages nearest in meaning.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use indago_core::ports::{Encoder, RetrieveError, Retriever};
use indago_core::{Cancel, Hit, Passage, PassageId, Provenance, Query};

use super::fused::Fused;
use crate::corpus::Corpus;
use crate::graph::{self, Candidate, Features, Lead, LeftOut, QueryTerms};

/// Fused passages that may be linked to and from.
const READ: usize = 60;
/// The most probable passages, whose names are followed.
const SOURCES: usize = 20;
/// Bytes of a query whose names are looked up.
const MAX_QUERY_BYTES: usize = 8192;
/// How the dense list of the fusion is named in [`Hit::why`].
const DENSE: &str = "dense";
/// How graph evidence is named in [`Hit::why`].
const LINKS: &str = "links";

/// The strongest lead to each passage, with its worth.
type Leads = BTreeMap<PassageId, (f32, Lead)>;
/// The passages that links start from, with their probability before and their terms of the query.
type Sources = HashMap<PassageId, (f32, graph::TermSet)>;

/// Directed links over a fusion.
#[derive(Debug)]
pub struct Graph {
    corpus: Corpus,
    fused: Fused,
    left_out: LeftOut,
}

impl Graph {
    /// Over BM25 and, with an encoder, dense search.
    ///
    /// # Errors
    /// [`RetrieveError::ModelMismatch`] when the corpus has vectors of other encoders only.
    pub fn over(corpus: &Corpus, encoder: Option<Arc<dyn Encoder>>) -> Result<Self, RetrieveError> {
        Ok(Self {
            corpus: corpus.clone(),
            fused: Fused::over(corpus, encoder)?,
            left_out: LeftOut::default(),
        })
    }

    /// The same without parts of its evidence.
    #[must_use]
    pub fn without(self, left_out: LeftOut) -> Self {
        Self { left_out, ..self }
    }

    /// What each passage is judged by, before links and after, in the order of [`graph::FEATURES`]:
    /// what the weights are fitted on.
    ///
    /// # Errors
    /// As [`Retriever::search`].
    pub fn evidence(
        &self,
        query: &Query,
        cancel: &Cancel,
    ) -> Result<Vec<(PassageId, Features, Features)>, RetrieveError> {
        let fused = self.fused.ranked(query, READ, cancel)?;
        let mut search = Search::new(&self.corpus, query, &self.left_out);
        search.start(&fused)?;
        let before: BTreeMap<PassageId, Features> = search
            .candidates
            .iter()
            .map(|(id, c)| (*id, search.features(c, None)))
            .collect();
        let sources = search.follow(cancel)?;
        let both = search.candidates.iter().map(|(id, c)| {
            let after = search.features(c, Some(&sources));
            let unseen = || search.features(c, None);
            (*id, before.get(id).copied().unwrap_or_else(unseen), after)
        });
        Ok(both.collect())
    }
}

/// One search's state.
struct Search<'a> {
    corpus: &'a Corpus,
    query: &'a Query,
    left_out: &'a LeftOut,
    terms: QueryTerms,
    candidates: BTreeMap<PassageId, Candidate>,
    passages: HashMap<PassageId, Passage>,
    /// What a passage that the fused list lacks is taken for.
    floor: (f32, usize),
}

impl<'a> Search<'a> {
    fn new(corpus: &'a Corpus, query: &'a Query, left_out: &'a LeftOut) -> Self {
        let text = &query.text[..query.text.floor_char_boundary(MAX_QUERY_BYTES)];
        Self {
            corpus,
            query,
            left_out,
            terms: QueryTerms::new(text, corpus),
            candidates: BTreeMap::new(),
            passages: HashMap::new(),
            floor: (0.0, 0),
        }
    }

    fn features(&self, candidate: &Candidate, sources: Option<&Sources>) -> Features {
        graph::features(candidate, &self.terms, sources, self.left_out)
    }

    /// Notes the fused list and what the query's own names are about; judges both.
    fn start(&mut self, fused: &[Hit]) -> Result<(), RetrieveError> {
        let best = fused
            .first()
            .map_or(1.0, |hit| hit.score.max(f32::MIN_POSITIVE));
        let last = fused.last().map_or(0.0, |hit| hit.score);
        self.floor = (last / best, fused.len());
        for (rank, hit) in fused.iter().enumerate() {
            let candidate = Candidate {
                fused: (hit.score / best, rank),
                ..Candidate::default()
            };
            self.candidates.insert(hit.passage, candidate);
        }
        let text = &self.query.text;
        let text = &text[..text.floor_char_boundary(MAX_QUERY_BYTES)];
        let mentions = graph::mentions_in_question(text, self.corpus);
        let named = |mention: &graph::Mention| !graph::is_abbreviation(&mention.name);
        for mention in mentions.into_iter().filter(named) {
            let telling = graph::specificity(self.corpus, &mention.name);
            let about = mention.about.len() as f32;
            for hit in &mention.about {
                let worth = hit.score * telling;
                if let Some(candidate) = self.candidate(hit.passage)?
                    && worth > candidate.named.0
                {
                    candidate.named = (worth, worth / about);
                }
            }
        }
        graph::judge(&mut self.candidates, &self.terms, None, self.left_out);
        Ok(())
    }

    /// Follows the names of the most probable passages.
    fn follow(&mut self, cancel: &Cancel) -> Result<Sources, RetrieveError> {
        let mut order: Vec<(f32, PassageId)> =
            self.candidates.iter().map(|(id, c)| (c.p, *id)).collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        order.truncate(SOURCES);
        let mut sources = HashMap::new();
        let mut links = Leads::new();
        let mut ties = Leads::new();
        let mut onward = Vec::new();
        for (p, id) in order {
            cancel.check()?;
            let Some(passage) = self.read(id)? else {
                continue;
            };
            let text = &passage.text;
            let mentions = graph::followed(graph::mentions(text, self.corpus), self.corpus);
            let shared = graph::shared_names(id, text, &mentions, self.corpus, cancel)?;
            let specificity = |name: &str| graph::specificity(self.corpus, name);
            let linked = graph::leads(id, text, &mentions, &self.terms, specificity);
            let tied = graph::leads(id, text, &shared, &self.terms, specificity);
            onward.extend(linked.iter().map(|(to, lead)| (id, *to, lead.strength)));
            for (leads, found) in [(linked, &mut links), (tied, &mut ties)] {
                for (target, lead) in leads {
                    let value = p * lead.strength;
                    if found.get(&target).is_none_or(|(best, _)| value > *best) {
                        found.insert(target, (value, lead));
                    }
                }
            }
            sources.insert(id, (p, self.terms_of(&passage)));
        }
        for (target, (_, lead)) in links {
            if let Some(candidate) = self.reached(target)? {
                candidate.best_link = Some(lead);
            }
        }
        for (target, (_, lead)) in ties {
            if let Some(candidate) = self.reached(target)? {
                candidate.best_tie = Some(lead);
            }
        }
        for (source, target, strength) in onward {
            let Some((worth, terms)) = self
                .candidates
                .get(&target)
                .map(|c| (strength * c.p, c.terms))
            else {
                continue;
            };
            let known = sources.get(&source).map_or(0, |(_, terms)| *terms);
            let adds = self.terms.share(terms & !known);
            if let Some(candidate) = self.candidates.get_mut(&source)
                && worth > candidate.onward.0
            {
                candidate.onward = (worth, adds);
            }
        }
        Ok(sources)
    }

    /// The candidate of a passage that something leads to, with its terms, judged where it is new.
    fn reached(&mut self, target: PassageId) -> Result<Option<&mut Candidate>, RetrieveError> {
        let Some(passage) = self.read(target)? else {
            return Ok(None);
        };
        let terms = self.terms_of(&passage);
        let known = self.candidates.contains_key(&target);
        if self.candidate(target)?.is_none() {
            return Ok(None);
        }
        let Some(candidate) = self.candidates.get_mut(&target) else {
            return Ok(None);
        };
        candidate.terms = terms;
        if !known {
            let values = graph::features(candidate, &self.terms, None, self.left_out);
            candidate.p = graph::before_links(&values);
        }
        Ok(Some(candidate))
    }

    /// The candidate of a passage, made where there is none; `None` when filters refuse it.
    fn candidate(&mut self, id: PassageId) -> Result<Option<&mut Candidate>, RetrieveError> {
        if !self.candidates.contains_key(&id) {
            let allowed = self.corpus.allowed(&self.query.filters)?;
            if allowed.is_some_and(|allowed| !allowed.passage(id)) {
                return Ok(None);
            }
            let candidate = Candidate {
                fused: self.floor,
                ..Candidate::default()
            };
            self.candidates.insert(id, candidate);
        }
        Ok(self.candidates.get_mut(&id))
    }

    fn read(&mut self, id: PassageId) -> Result<Option<Passage>, RetrieveError> {
        if let Some(known) = self.passages.get(&id) {
            return Ok(Some(known.clone()));
        }
        let passage = self.corpus.passage(id)?;
        if let Some(passage) = &passage {
            self.passages.insert(id, passage.clone());
        }
        Ok(passage)
    }

    /// The query's terms that a passage has, its title and headings included.
    fn terms_of(&self, passage: &Passage) -> graph::TermSet {
        let headings = passage.location.headings.iter();
        headings
            .map(String::as_str)
            .chain([passage.title.as_str(), passage.text.as_str()])
            .fold(0, |set, text| set | self.terms.in_text(text))
    }
}

impl Retriever for Graph {
    fn name(&self) -> &'static str {
        "graph"
    }

    /// A query that names its retrievers gets their fusion and no links.
    fn search(&self, query: &Query, k: usize, cancel: &Cancel) -> Result<Vec<Hit>, RetrieveError> {
        if !query.retrievers.is_empty() || k == 0 {
            return self.fused.search(query, k, cancel);
        }
        let fused = self.fused.ranked(query, k.max(READ), cancel)?;
        if fused.is_empty() {
            return Ok(fused);
        }
        let mut search = Search::new(&self.corpus, query, &self.left_out);
        search.start(&fused)?;
        let sources = search.follow(cancel)?;
        let Search {
            terms,
            mut candidates,
            ..
        } = search;
        // What stands far down and nothing leads to is not among the best.
        let deep = k.saturating_mul(2).saturating_add(8).max(READ);
        candidates.retain(|_, c| c.fused.1 < deep || c.is_linked());
        graph::judge(&mut candidates, &terms, Some(&sources), &self.left_out);
        let mut why: HashMap<PassageId, Vec<Provenance>> = fused
            .into_iter()
            .map(|hit| (hit.passage, hit.why))
            .collect();
        let mut linked: Vec<(f32, PassageId)> = candidates
            .iter()
            .filter_map(|(id, c)| {
                let worth = |lead: &Lead| Some(sources.get(&lead.source)?.0 * lead.strength);
                let both = [&c.best_link, &c.best_tie].into_iter().flatten();
                let best = both.filter_map(worth).max_by(f32::total_cmp)?;
                Some((best, *id))
            })
            .collect();
        linked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (i, (score, id)) in linked.into_iter().enumerate() {
            why.entry(id).or_default().push(Provenance {
                retriever: LINKS.to_owned(),
                rank: i as u32 + 1,
                score,
            });
        }
        let mut hits: Vec<Hit> = candidates
            .into_iter()
            .map(|(passage, candidate)| Hit {
                passage,
                score: candidate.p,
                why: why.remove(&passage).unwrap_or_default(),
                duplicates: Vec::new(),
            })
            .collect();
        hits.sort_by(Hit::best_first);
        let scale = self.fused.scale(DENSE);
        if let Some(scale) = scale.filter(|_| self.left_out.keeps_nearest()) {
            graph::keep_nearest(&mut hits, DENSE, scale);
        }
        // A few more than wanted, because some will fold into others.
        hits.truncate(deep);
        let mut hits = self.corpus.collapse(hits)?;
        hits.truncate(k);
        Ok(hits)
    }
}
