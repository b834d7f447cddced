//! How probable it is that the evidence answers the question at all.
//!
//! Relevant passages are not enough: what is asked for must be said of what it is asked about. So
//! beside the probabilities of the passages count the words of the relation in the sentences that
//! the answer was read from, what those sentences lack, and, for each clause of a question about
//! several things, the passage that has most of it.

use indago_core::{AnswerKind, PassageId};
use indago_text::NameKind;

use crate::answer::{Answered, Seen};
use crate::asked::{Asked, TermSet, contains_phrase};
use crate::pool::{Candidate, Pool};
use crate::weights;

/// What the evidence is judged by, in the order of the coefficients.
pub const EVIDENCE: [&str; 51] = [
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
    "share of the relation in the sentences the answer was read from",
    "share of the outermost relation in the last of them",
    "nearness of the outermost relation to the answer",
    "share of the question in the passages the answer was read from",
    "weight of the rarest word of the relation that these passages lack",
    "best share of the relation in a sentence",
    "least probability of a passage the answer was read from",
    "the last of these sentences names what the question names",
    "the last of these passages is about a name of the question or was reached from one",
    "the answer was reasoned, not guessed",
    "there is no short answer",
    "least share of a clause in a passage of its source",
    "mean share of a clause in a passage of its source",
    "asks for yes or no",
    "offers a choice",
    "names sources",
    "has a chain of relations",
    "certainty of the short answer where no rule gave it",
    "weight of the rarest name of the question that no passage mentions",
    "share of the relation in the best five passages together",
    "guessed: share of the relation where the question's names are",
    "guessed: share of the outermost relation where the question's names are",
    "guessed: share of the outermost relation where the question's names are not",
    "guessed: nearness of the outermost relation where the question's names are",
    "plain question",
    "plain question: share of the relation in the sentences the answer was read from",
    "plain question: share of the relation in the best five passages together",
    "plain question: the question's names are where the answer was read",
    "plain question: certainty of the short answer",
    "names nothing",
    "names nothing: best dense score",
    "names sources: share of the question in the best five passages together",
    "names sources: share of the question in the best single passage",
    "names sources: least share of a clause in a passage of its source",
    "names sources: mean share of a clause in a passage of its source",
    "names sources: certainty of the short answer",
    "the reader's best odds in a passage",
    "the reader's odds of the short answer",
    "plain question: the reader's best odds in a passage",
];

/// Values of [`EVIDENCE`].
pub(crate) type Evidence = [f64; EVIDENCE.len()];

/// Passages that are looked at together.
const TOGETHER: usize = 5;

/// Best dense score where there are no vectors: what is typical of questions that are answered.
const TYPICAL_BEST_DENSE: f64 = 0.65;

/// Certainty from which an answer counts as reasoned.
const REASONED: f64 = 0.8;

/// What speaks for an answer being in `selected`.
pub(crate) fn evidence(
    asked: &Asked,
    pool: &Pool,
    selected: &[PassageId],
    answered: Option<&Answered>,
    seen: &Seen,
) -> Evidence {
    let chosen: Vec<&Candidate> = selected.iter().filter_map(|&id| pool.get(id)).collect();
    let p = |i: usize| chosen.get(i).map_or(0.0, |c| c.p);
    let together: TermSet = chosen.iter().take(TOGETHER).fold(0, |set, c| set | c.terms);
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
    let is_mentioned = |n: &String| texts.iter().any(|t| contains_phrase(t, n));
    let absent = names
        .iter()
        .filter(|n| !is_mentioned(n))
        .map(|n| asked.rarest(asked.terms_in(n)))
        .fold(0.0, f64::max);
    let dense = chosen
        .iter()
        .filter_map(|c| c.dense)
        .map(|r| r.score)
        .max_by(f64::total_cmp)
        .unwrap_or(TYPICAL_BEST_DENSE);
    let relation = asked.relation();
    let all_of_it = asked.weight(relation).max(f64::MIN_POSITIVE);
    let said = Said::new(asked, pool, answered);
    let best_sentence = chosen
        .iter()
        .flat_map(|c| &c.sentences)
        .map(|s| asked.weight(s.terms & relation) / all_of_it)
        .fold(0.0, f64::max);
    let (least, mean) = clauses(asked, &chosen);
    let certainty = answered.map_or(0.0, |a| a.certainty);
    let reasoned = certainty >= REASONED;
    let kind = asked.analysis.answer;
    let flag = |yes: bool| f64::from(u8::from(yes));
    let of_relation = asked.weight(said.sentences & relation) / all_of_it;
    let relation_together = asked.weight(together & relation) / all_of_it;
    let there = flag(said.named || said.connected);
    let guessed = if reasoned { 0.0 } else { 1.0 };
    let plain = flag(is_plain(asked));
    let place = answered.and_then(|a| a.from.last());
    let seen_there = place.map_or(0.0, |(id, range)| seen.odds(*id, range));
    let nameless = flag(names.is_empty());
    let from_sources = flag(!asked.analysis.sources.is_empty());
    let best_passage = chosen
        .iter()
        .map(|c| asked.share(c.terms))
        .fold(0.0, f64::max);
    [
        p(0),
        p(1),
        p(2),
        asked.share(together),
        asked.rarest(asked.all() & !together),
        share(&|n| chosen.iter().any(|c| c.names.contains(n))),
        share(&is_mentioned),
        dense,
        certainty,
        cited(asked, &chosen),
        best_passage,
        if names.is_empty() {
            0.0
        } else {
            asked.analysis.sources.len() as f64 / names.len() as f64
        },
        of_relation,
        said.outer,
        said.nearness,
        asked.share(said.passages),
        asked.rarest(relation & !said.passages),
        best_sentence,
        said.p,
        flag(said.named),
        flag(said.connected),
        flag(reasoned),
        flag(answered.is_none()),
        least,
        mean,
        flag(kind == AnswerKind::YesNo),
        flag(asked.analysis.options.len() >= 2),
        from_sources,
        flag(asked.analysis.hops.len() >= 2),
        guessed * certainty,
        absent,
        relation_together,
        guessed * there * of_relation,
        guessed * there * said.outer,
        guessed * (1.0 - there) * said.outer,
        guessed * there * said.nearness,
        plain,
        plain * of_relation,
        plain * relation_together,
        plain * there,
        plain * guessed * certainty,
        nameless,
        nameless * dense,
        from_sources * asked.share(together),
        from_sources * best_passage,
        from_sources * least,
        from_sources * mean,
        from_sources * certainty,
        seen.best(),
        seen_there,
        plain * seen.best(),
    ]
}

/// What is said where the answer was read.
#[derive(Debug, Default)]
struct Said {
    /// Terms of the question in the sentences, and in the passages with their titles.
    sentences: TermSet,
    passages: TermSet,
    /// Share of the outermost relation in the last sentence.
    outer: f64,
    /// One over the distance of one of its words from the answer, in steps of 20 bytes.
    nearness: f64,
    p: f64,
    named: bool,
    connected: bool,
}

impl Said {
    fn new(asked: &Asked, pool: &Pool, answered: Option<&Answered>) -> Self {
        let mut said = Self::default();
        let Some(answered) = answered else {
            return said;
        };
        said.p = 1.0;
        let outer = asked.outermost();
        for (id, range) in &answered.from {
            let Some(candidate) = pool.get(*id) else {
                continue;
            };
            said.p = said.p.min(candidate.p);
            said.passages |= candidate.terms;
            let Some(sentence) = candidate.sentence_at(range.start) else {
                continue;
            };
            said.sentences |= sentence.terms;
            said.outer =
                asked.weight(sentence.terms & outer) / asked.weight(outer).max(f64::MIN_POSITIVE);
            let text = candidate.passage.text.as_str();
            let words = text.get(sentence.range.clone()).unwrap_or_default();
            let mut gap: Option<usize> = None;
            indago_text::for_each_term(words, |term, at| {
                if asked.bit(term) & outer != 0 {
                    let at = at.start + sentence.range.start..at.end + sentence.range.start;
                    let distance = if at.end <= range.start {
                        range.start - at.end
                    } else {
                        at.start.saturating_sub(range.end)
                    };
                    gap = Some(gap.map_or(distance, |g| g.min(distance)));
                }
            });
            said.nearness = gap.map_or(0.0, |gap| 1.0 / (1.0 + gap as f64 / 20.0));
            let normal = indago_text::normalize_name(words);
            let names = asked.analysis.names.iter();
            let about = |c: &Candidate| c.names.iter().any(|n| asked.mentions(n));
            said.named = names
                .map(|n| indago_text::normalize_name(&n.text))
                .any(|n| contains_phrase(&normal, &n));
            said.connected = said.named
                || about(candidate)
                || candidate
                    .leads
                    .iter()
                    .filter_map(|l| pool.get(l.from))
                    .any(|c| c.p >= 0.2 && about(c));
        }
        said
    }
}

/// Share of the sources named that `chosen` come from.
fn cited(asked: &Asked, chosen: &[&Candidate]) -> f64 {
    let sources = &asked.analysis.sources;
    if sources.is_empty() {
        return 1.0;
    }
    let from = |source: &&indago_text::question::Source| {
        let name = indago_text::normalize_name(&source.name);
        chosen.iter().any(|c| comes_from(c, &name))
    };
    sources.iter().filter(from).count() as f64 / sources.len() as f64
}

fn comes_from(candidate: &Candidate, source: &str) -> bool {
    let passage = &candidate.passage;
    passage
        .metadata
        .values()
        .chain([&passage.title, &passage.text])
        .any(|value| contains_phrase(&indago_text::normalize_name(value), source))
}

/// For each clause, the largest share of its words in a passage of the source it names: the least
/// and the mean of these.
fn clauses(asked: &Asked, chosen: &[&Candidate]) -> (f64, f64) {
    let mut shares: Vec<f64> = Vec::new();
    let mut add = |text: &str, source: Option<&str>| {
        let own = source.map_or(0, |s| asked.terms_in(s));
        let terms = asked.terms_in(text) & !own;
        let weight = asked.weight(terms);
        if weight <= 0.0 {
            return;
        }
        let source = source.map(indago_text::normalize_name);
        let best = chosen
            .iter()
            .filter(|c| source.as_ref().is_none_or(|s| comes_from(c, s)))
            .map(|c| asked.weight(c.terms & terms) / weight)
            .fold(0.0, f64::max);
        shares.push(best);
    };
    let sources = &asked.analysis.sources;
    for source in sources {
        add(&source.clause.text, Some(&source.name));
    }
    if sources.is_empty() {
        for clause in &asked.analysis.clauses {
            add(&clause.text, None);
        }
    }
    let least = shares.iter().copied().reduce(f64::min).unwrap_or(0.0);
    let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
    (least, mean)
}

/// Probability that the evidence answers the question.
pub(crate) fn confidence(evidence: &Evidence) -> f64 {
    weights::EVIDENCE.probability(evidence)
}

/// Probability that the short answer is right, given that the evidence is good enough for one.
pub(crate) fn answer_confidence(evidence: &Evidence) -> f64 {
    weights::ANSWER.probability(evidence)
}

/// Whether the question asks one thing of one named thing, without a chain, a choice or sources:
/// then one passage has to state the answer, and more is asked of it.
pub(crate) fn is_plain(asked: &Asked) -> bool {
    let question = &asked.analysis;
    !question.names.is_empty()
        && question.sources.is_empty()
        && question.options.len() < 2
        && question.hops.len() < 2
}

/// Probability below which "not found" is said.
pub(crate) fn least_confidence(asked: &Asked) -> f64 {
    let [general, sources, plain] = weights::ABSTAIN_BELOW;
    if is_plain(asked) {
        plain
    } else if asked.analysis.sources.is_empty() {
        general
    } else {
        sources
    }
}
