//! The best span of the wanted kind: a conditional logit over what speaks for each span.
//!
//! The coefficients are fitted on the development halves by `agents/calibration/fit_spans.py`.

use std::collections::BTreeMap;
use std::ops::Range;

use indago_core::{Answer, AnswerKind, PassageId};

use super::kinds;
use super::{Answered, countries};
use crate::asked::{Asked, TermSet, contains_phrase};
use crate::pool::{Candidate, Pool};
use crate::weights;

/// Passages that spans are taken from.
const PASSAGES: usize = 8;

/// Bytes between a relation word and a span that a preposition may bridge.
const PATTERN_REACH: usize = 48;

/// What a span is judged by, in the order of the coefficients.
pub const SPAN_FEATURES: [&str; 26] = [
    "log of the passage's probability",
    "share of the question in its sentence",
    "share of the outermost relation in its sentence",
    "nearness of an outermost relation word",
    "share of the outermost relation in its passage",
    "its passage was reached from another selected one",
    "it is the passage's title, in a chain",
    "it is what its passage is about",
    "its passage is about a name of the question, in a chain",
    "it has the head noun asked for",
    "a relation word and a preposition lead to it",
    "a relation word follows it",
    "log of the further passages that have it",
    "the same for a question about sources",
    "it looks like a person, where one is asked for",
    "it looks like anything but a person, where one is asked for",
    "it led to another selected passage",
    "probability of the best passage that it led to",
    "first sentence",
    "log of the sentence's number",
    "preposition of place before it, where a place is asked for",
    "lower-case phrase",
    "lower-case phrase after an article that follows a form of to be or a relation word",
    "acronym or code",
    "words in it",
    "its sentence names what its passage was reached for",
];

/// Values of [`SPAN_FEATURES`].
pub(crate) type SpanFeatures = [f64; SPAN_FEATURES.len()];

/// A span that may be the answer.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) text: String,
    key: String,
    passage: PassageId,
    range: Range<usize>,
    pub(crate) features: SpanFeatures,
}

/// The best span among `selected`.
pub(super) fn best_span(asked: &Asked, pool: &Pool, selected: &[PassageId]) -> Option<Answered> {
    let kind = asked.analysis.answer;
    let spans = spans(asked, pool, selected);
    let score = |s: &Span| -> f64 {
        let pairs = s.features.iter().zip(&weights::SPAN);
        pairs.map(|(x, w)| x * w).sum()
    };
    let best = spans.iter().max_by(|a, b| {
        score(a)
            .total_cmp(&score(b))
            .then(b.range.start.cmp(&a.range.start))
    })?;
    Some(Answered {
        answer: Answer {
            text: best.text.clone(),
            kind,
        },
        certainty: 0.3,
        from: vec![(best.passage, best.range.clone())],
    })
}

/// Every span of the wanted kind in the first of `selected`, with its features.
pub(crate) fn spans(asked: &Asked, pool: &Pool, selected: &[PassageId]) -> Vec<Span> {
    let kind = asked.analysis.answer;
    let outer = asked.outermost();
    let chained = asked.analysis.hops.len() >= 2;
    let mut spans: Vec<Span> = Vec::new();
    for &id in selected.iter().take(PASSAGES) {
        let Some(candidate) = pool.get(id) else {
            continue;
        };
        let around = Around::new(asked, pool, selected, candidate, outer, chained);
        for found in of_kind(asked, candidate, kind) {
            spans.push(Span {
                key: indago_text::normalize_name(&found.text),
                features: around.features(&found),
                text: found.text,
                passage: id,
                range: found.range,
            });
        }
    }
    merge_short_forms(&mut spans);
    // A name that several passages agree on is likelier.
    let mut agreed: BTreeMap<String, Vec<PassageId>> = BTreeMap::new();
    for span in &spans {
        let passages = agreed.entry(span.key.clone()).or_default();
        if !passages.contains(&span.passage) {
            passages.push(span.passage);
        }
    }
    let of_sources = !asked.analysis.sources.is_empty();
    for span in &mut spans {
        let passages = agreed.get(&span.key).map_or(1, Vec::len);
        let at = if of_sources { 13 } else { 12 };
        span.features[at] = (passages as f64).ln();
    }
    spans
}

/// A possible answer before it is judged.
struct Found {
    text: String,
    range: Range<usize>,
    lower: bool,
}

/// What the spans of one passage share.
struct Around<'a> {
    asked: &'a Asked,
    pool: &'a Pool,
    selected: &'a [PassageId],
    candidate: &'a Candidate,
    outer: TermSet,
    chained: bool,
    /// Where terms of the outermost relation stand.
    cues: Vec<Range<usize>>,
    /// Names by which the passage was reached from others.
    entries: Vec<&'a str>,
    asked_about: bool,
}

impl<'a> Around<'a> {
    fn new(
        asked: &'a Asked,
        pool: &'a Pool,
        selected: &'a [PassageId],
        candidate: &'a Candidate,
        outer: TermSet,
        chained: bool,
    ) -> Self {
        let mut cues = Vec::new();
        indago_text::for_each_term(&candidate.passage.text, |term, at| {
            if asked.bit(term) & outer != 0 {
                cues.push(at);
            }
        });
        let entries = candidate
            .leads
            .iter()
            .filter(|l| !l.asked && selected.contains(&l.from))
            .map(|l| l.name.as_str())
            .collect();
        Self {
            asked,
            pool,
            selected,
            candidate,
            outer,
            chained,
            cues,
            entries,
            asked_about: candidate.names.iter().any(|n| asked.mentions(n)),
        }
    }

    fn features(&self, found: &Found) -> SpanFeatures {
        let (asked, candidate) = (self.asked, self.candidate);
        let text = candidate.passage.text.as_str();
        let kind = asked.analysis.answer;
        let titled = found.range.is_empty();
        let own = asked.terms_in(&found.text);
        let piece = candidate.sentence_at(found.range.start);
        let (terms, sentence) = piece.map_or((0, 0..0), |s| (s.terms, s.range.clone()));
        let outer = asked.weight(self.outer).max(1e-9);
        let number = candidate
            .sentences
            .partition_point(|s| s.range.end <= found.range.start);
        let key = indago_text::normalize_name(&found.text);
        let flag = |yes: bool| f64::from(u8::from(yes));
        let mut x: SpanFeatures = [0.0; SPAN_FEATURES.len()];
        x[0] = (candidate.p + 0.01).ln();
        x[1] = asked.share(terms & !own);
        x[2] = asked.weight(terms & self.outer & !own) / outer;
        x[3] = self.closeness(&sentence, &found.range);
        x[4] = asked.weight(candidate.terms & self.outer) / outer;
        x[5] = flag(!self.entries.is_empty());
        x[6] = flag(self.chained && titled);
        x[7] = flag(candidate.names.contains(&key));
        x[8] = flag(self.chained && self.asked_about);
        x[9] = of_focus(asked, &found.text);
        let (before, after) = self.pattern(&sentence, &found.range);
        x[10] = before;
        x[11] = after;
        if kind == AnswerKind::Person {
            let other = kinds::is_no_person(&found.text);
            x[14] = flag(!other && found.text.contains(' '));
            x[15] = flag(other);
        }
        let led = self
            .selected
            .iter()
            .filter_map(|&other| self.pool.get(other))
            .filter(|c| {
                c.leads.iter().any(|l| {
                    l.from == candidate.passage.id
                        && contains_phrase(&key, &indago_text::normalize_name(&l.name))
                })
            })
            .map(|c| c.p)
            .fold(-1.0, f64::max);
        x[16] = flag(led >= 0.0);
        x[17] = led.max(0.0);
        x[18] = flag(number == 0);
        x[19] = (1.0 + number as f64).ln();
        let lead_in = text.get(sentence.start..found.range.start).unwrap_or("");
        let last_word = |n: usize| lead_in.split_whitespace().rev().nth(n).unwrap_or("");
        x[20] = flag(
            kind == AnswerKind::Place && matches!(last_word(0), "in" | "at" | "near" | "of" | "to"),
        );
        x[21] = flag(found.lower);
        x[22] = flag(
            found.lower
                && matches!(last_word(0), "a" | "an")
                && matches!(last_word(1), "is" | "was" | "as" | "of" | "became"),
        );
        x[23] = flag(
            !found.lower
                && !found.text.contains(' ')
                && found.text.chars().any(char::is_alphabetic)
                && !found.text.chars().any(char::is_lowercase),
        );
        x[24] = found.text.split_whitespace().count().min(6) as f64 / 3.0;
        let sentence_text = text.get(sentence).unwrap_or("");
        x[25] = flag(self.entries.iter().any(|n| sentence_text.contains(n)));
        x
    }

    /// Nearness of a relation word in the same sentence: 1 when adjacent.
    fn closeness(&self, sentence: &Range<usize>, range: &Range<usize>) -> f64 {
        let nearest = self
            .cues
            .iter()
            .filter(|c| sentence.start <= c.start && c.end <= sentence.end)
            .filter(|c| c.end <= range.start || range.end <= c.start)
            .map(|c| {
                if c.start >= range.end {
                    c.start - range.end
                } else {
                    range.start - c.end
                }
            })
            .min();
        nearest.map_or(0.0, |gap| 1.0 / (1.0 + gap as f64 / 20.0))
    }

    /// Whether a relation word leads to the span over a preposition or a form of to be (`founded
    /// in 1994 by X`, `the capital of Y is X`, `Editor: X`), and whether one follows it (`X
    /// founded`).
    fn pattern(&self, sentence: &Range<usize>, range: &Range<usize>) -> (f64, f64) {
        let text = self.candidate.passage.text.as_str();
        let (mut before, mut after) = (0.0_f64, 0.0_f64);
        for cue in &self.cues {
            if cue.start < sentence.start || cue.end > sentence.end {
                continue;
            }
            if cue.end <= range.start {
                let gap = &text[cue.end..range.start];
                if gap.len() > PATTERN_REACH || gap.contains([';', '(']) {
                    continue;
                }
                let last = gap
                    .split_whitespace()
                    .rev()
                    .find(|w| !matches!(*w, "the" | "a" | "an" | "architect" | "Dr" | "Professor"));
                let linked = last.is_some_and(|w| {
                    matches!(
                        w,
                        "by" | "in"
                            | "at"
                            | "of"
                            | "to"
                            | "from"
                            | "is"
                            | "was"
                            | "as"
                            | "with"
                            | "on"
                            | "for"
                            | "are"
                            | "were"
                            | ":"
                            | "|"
                    )
                });
                let short = gap.split_whitespace().count();
                if linked || short == 0 {
                    before = before.max(1.0 / (1.0 + 0.15 * short as f64));
                }
            } else if range.end <= cue.start {
                let gap = &text[range.end..cue.start];
                let words = gap.split_whitespace().count();
                if words <= 2 && !gap.contains(['.', ';', '(']) {
                    after = after.max(1.0 / (1.0 + words as f64));
                }
            }
        }
        (before, after)
    }
}

/// How far `name` is the kind of thing that the question's head noun says.
fn of_focus(asked: &Asked, name: &str) -> f64 {
    let Some(focus) = asked.analysis.focus.as_deref() else {
        return 0.0;
    };
    let country = matches!(focus, "country" | "nation");
    if country {
        return if countries::country(name).is_some() {
            1.5
        } else {
            -0.5
        };
    }
    let has = indago_text::words(name)
        .into_iter()
        .any(|word| name[word].eq_ignore_ascii_case(focus));
    if has { 1.0 } else { 0.0 }
}
/// Gives a surname the full name that some span has: `Quill` becomes `Ada Quill`.
fn merge_short_forms(spans: &mut [Span]) {
    let full: Vec<(String, String)> = spans
        .iter()
        .map(|s| (s.key.clone(), s.text.clone()))
        .collect();
    for span in spans {
        if span.text.contains(' ') {
            continue;
        }
        let ending = format!(" {}", span.key);
        let mut counts: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        for (key, text) in &full {
            if key.ends_with(&ending) && key.split(' ').count() <= 4 {
                counts.entry(key).or_insert((0, text)).0 += 1;
            }
        }
        let longest = counts
            .iter()
            .max_by(|a, b| a.1.0.cmp(&b.1.0).then(b.0.cmp(a.0)));
        if let Some((key, (_, text))) = longest {
            (*key).clone_into(&mut span.key);
            (*text).clone_into(&mut span.text);
        }
    }
}

/// `title` without years behind a comma: `Harbour Yard, 1921-2023`.
fn undated(title: &str) -> &str {
    match title.split_once(", ") {
        Some((name, years)) if !years.contains(char::is_alphabetic) => name,
        _ => title,
    }
}

/// Spans of `kind` that the question does not name.
fn of_kind(asked: &Asked, candidate: &Candidate, kind: AnswerKind) -> Vec<Found> {
    let text = &candidate.passage.text;
    let plain = |text: &str, range: Range<usize>| Found {
        text: text.to_owned(),
        range,
        lower: false,
    };
    let found: Vec<Found> = match kind {
        AnswerKind::Time => indago_text::dates(text)
            .into_iter()
            .map(|d| plain(&text[d.range.clone()], d.range))
            .collect(),
        AnswerKind::Quantity => indago_text::numbers(text)
            .into_iter()
            .filter(|n| n.unit.as_deref() != Some("ordinal"))
            .map(|n| plain(&text[n.range.clone()], n.range))
            .collect(),
        _ => {
            let mut found: Vec<Found> = indago_text::names(text)
                .into_iter()
                .filter(|n| !countries::is_adjective(&n.text))
                .map(|n| plain(&n.text, n.range))
                .collect();
            let title = undated(indago_text::strip_disambiguation(&candidate.passage.title));
            // A title that the text itself uses is a name. Any other is a headline: the names in
            // it are worth as much as any.
            let used = contains_phrase(
                &indago_text::normalize_name(text),
                &indago_text::normalize_name(title),
            );
            if asked.analysis.sources.is_empty() && used {
                found.push(plain(title, 0..0));
            } else {
                let names = indago_text::names(title);
                found.extend(names.into_iter().map(|n| plain(&n.text, 0..0)));
            }
            if kind == AnswerKind::Entity && kinds::has_common_nouns(asked) {
                let phrases = indago_text::noun_phrases(text);
                let common = phrases.into_iter().filter(|r| {
                    text[r.clone()].len() < 40 && !text[r.clone()].contains(char::is_uppercase)
                });
                found.extend(common.map(|range| Found {
                    lower: true,
                    ..plain(&text[range.clone()], range)
                }));
            }
            found
        }
    };
    found
        .into_iter()
        .filter(|f| !f.text.is_empty() && !asked.mentions(&f.text))
        .filter(|f| {
            matches!(kind, AnswerKind::Time | AnswerKind::Quantity) || !asked.has_all(&f.text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::undated;

    #[test]
    fn years_are_no_part_of_a_name() {
        assert_eq!(undated("Harbour Yard, 1921-2023"), "Harbour Yard");
        assert_eq!(undated("Ada Quill, 1st Baron"), "Ada Quill, 1st Baron");
        assert_eq!(undated("Portage, Wisconsin"), "Portage, Wisconsin");
    }
}
