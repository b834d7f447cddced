//! What speaks for a span being the answer.

mod question;

use std::ops::Range;

use indago_core::AnswerKind;

use super::candidates::{Form, Found};
use super::{Seen, countries, kinds};
use crate::asked::{Asked, TermSet, contains_phrase};
use crate::pool::Candidate;

pub(super) use question::Question;

/// Bytes between a relation word and a span that a preposition may bridge.
const PATTERN_REACH: usize = 48;

/// Words to each side of a span in which terms of the question count.
const WINDOW: usize = 8;

/// What a span is judged by, in the order of the coefficients.
pub const SPAN_FEATURES: [&str; 82] = [
    "log of the passage's probability",
    "one over the passage's rank",
    "share of the question in its sentence",
    "share of the outermost relation in its sentence",
    "nearness of an outermost relation word",
    "share of the outermost relation in its passage",
    "share of the relation words in its sentence",
    "no sentence of the passage has more of the question",
    "its sentence names what the question names",
    "its passage was reached from another selected one",
    "its sentence names what its passage was reached for",
    "its passage is about a name of the question, in a chain",
    "its passage is about a name of the question, without a chain",
    "it is what its passage is about",
    "it is the passage's title",
    "it is the passage's title, in a chain",
    "question terms to its left, by weight and nearness",
    "question terms to its right, by weight and nearness",
    "relation terms around it, by weight and nearness",
    "the word before it is a term of the question",
    "the word after it is a term of the question",
    "share of the question in itself",
    "it has the head noun asked for",
    "the head noun asked for stands next to it",
    "the passage about it calls it what is asked for",
    "some passage is about it",
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
    "acronym or code",
    "words in it",
    "one word",
    "a noun phrase",
    "the end of a noun phrase",
    "two phrases joined",
    "a noun phrase with a capital",
    "a date, where a thing is asked for",
    "a number, where a thing is asked for",
    "an adjective of nationality",
    "a phrase, where a place is asked for",
    "a phrase after an article and a form of to be",
    "before it: by",
    "before it: by, where a person is asked for",
    "before it: in, at, near",
    "before it: in, at, near, where a place is asked for",
    "before it: in, on, since, where a time is asked for",
    "before it: of",
    "before it: to",
    "before it: from",
    "before it: a form of to be",
    "before it: as",
    "before it: with, for",
    "before it: called, named, known as",
    "before it: a comma or and",
    "before it: an article",
    "it begins its sentence",
    "in parentheses",
    "after it: a form of to be or a parenthesis",
    "after it: a comma",
    "it ends its sentence",
    "the pattern of the last relation reads it",
    "the pattern of the last relation reads it, for a name",
    "year alone, where a year is asked for",
    "a number with the noun that is counted behind it",
    "a number with a unit, where a measure is asked for",
    "a country, where a place is asked for",
    "phrase in the best sentence of the best passage",
    "its sentence has a negation",
    "share of the question's names in its passage",
    "the reader's odds of it against there being no answer",
    "the same, in a chain",
    "how far the reader puts it behind the best of its passage",
    "how far the reader puts it behind the best of all passages",
    "the same, in a chain",
    "only the reader sees it",
];

/// Places of features that are set by looking at all spans together.
pub(super) const AGREED: usize = 28;
pub(super) const AGREED_BY_SOURCES: usize = 29;

/// Values of [`SPAN_FEATURES`].
pub(crate) type SpanFeatures = [f64; SPAN_FEATURES.len()];

/// A word of the passage.
struct Word {
    range: Range<usize>,
    bits: TermSet,
}

/// What the spans of one passage share.
pub(super) struct Around<'a> {
    question: &'a Question<'a>,
    candidate: &'a Candidate,
    rank: usize,
    seen: &'a Seen,
    words: Vec<Word>,
    /// Where terms of the outermost relation stand.
    cues: Vec<Range<usize>>,
    /// Names by which the passage was reached from others.
    entries: Vec<&'a str>,
    asked_about: bool,
    /// Share of the question's names that the passage has.
    named: f64,
    /// Largest share of the question in a sentence.
    best_sentence: f64,
    /// For each sentence, whether it has a name of the question.
    sentence_names: Vec<bool>,
}

impl<'a> Around<'a> {
    pub(super) fn new(
        question: &'a Question<'a>,
        candidate: &'a Candidate,
        rank: usize,
        seen: &'a Seen,
    ) -> Self {
        let asked = question.asked;
        let text = candidate.passage.text.as_str();
        let mut words: Vec<Word> = indago_text::words(text)
            .into_iter()
            .map(|range| Word { range, bits: 0 })
            .collect();
        let mut cues = Vec::new();
        indago_text::for_each_term(text, |term, at| {
            let bit = asked.bit(term);
            if bit == 0 {
                return;
            }
            let i = words.partition_point(|w| w.range.end <= at.start);
            if let Some(word) = words.get_mut(i) {
                word.bits |= bit;
            }
            if bit & question.outer != 0 {
                cues.push(at);
            }
        });
        let entries = candidate
            .leads
            .iter()
            .filter(|l| !l.asked && question.selected.contains(&l.from))
            .map(|l| l.name.as_str())
            .collect();
        let normal = |range: &Range<usize>| {
            indago_text::normalize_name(text.get(range.clone()).unwrap_or_default())
        };
        let sentence_names: Vec<bool> = candidate
            .sentences
            .iter()
            .map(|s| {
                let sentence = normal(&s.range);
                question.names.iter().any(|n| contains_phrase(&sentence, n))
            })
            .collect();
        let whole = format!(
            "{} {}",
            indago_text::normalize_name(&candidate.passage.title),
            indago_text::normalize_name(text)
        );
        let has = |n: &&String| contains_phrase(&whole, n);
        let named =
            question.names.iter().filter(has).count() as f64 / question.names.len().max(1) as f64;
        Self {
            rank,
            seen,
            words,
            cues,
            entries,
            asked_about: candidate.names.iter().any(|n| asked.mentions(n)),
            named,
            best_sentence: candidate
                .sentences
                .iter()
                .map(|s| asked.share(s.terms))
                .fold(0.0, f64::max),
            sentence_names,
            question,
            candidate,
        }
    }

    pub(super) fn features(&self, found: &Found) -> SpanFeatures {
        let question = self.question;
        let (asked, candidate, kind) = (question.asked, self.candidate, question.kind);
        let text = candidate.passage.text.as_str();
        let own = asked.terms_in(&found.text);
        let number = candidate
            .sentences
            .partition_point(|s| s.range.end <= found.range.start);
        let piece = candidate.sentences.get(number);
        let (terms, sentence) = piece.map_or((0, 0..0), |s| (s.terms, s.range.clone()));
        let outer = asked.weight(question.outer).max(1e-9);
        let relation = asked.weight(question.relation).max(1e-9);
        let key = indago_text::normalize_name(&found.text);
        let titled = found.form == Form::Title;
        let sentence_text = text.get(sentence.clone()).unwrap_or_default();
        let near = self.near(&sentence, &found.range, own);
        let count = found.text.split_whitespace().count();
        let single = !found.text.contains(' ');
        let phrase = matches!(found.form, Form::Phrase | Form::Tail | Form::Joined);
        let lower = !found.text.contains(char::is_uppercase);
        let definition = question
            .about
            .get(key.as_str())
            .filter(|_| !phrase || !lower);
        let (before, after) = self.pattern(&sentence, &found.range);
        let best = asked.share(terms) + 1e-9 >= self.best_sentence;
        let lead = self.led(&key);
        let lead_in = text.get(sentence.start..found.range.start).unwrap_or("");
        let follows = text.get(found.range.end..sentence.end).unwrap_or("");
        let (last, article) = last_word(lead_in);
        let is = |words: &[&str]| words.contains(&last.as_str());
        let copula = is(&["is", "was", "are", "were", "be", "became", "been"]);
        let stated = question
            .stated
            .as_ref()
            .is_some_and(|(id, value)| *id == candidate.passage.id && *value == found.text);
        let focus = asked.analysis.focus.as_deref();
        let digits = found.text.contains(|c: char| c.is_ascii_digit());
        let next = follows.trim_start();
        let mut x: SpanFeatures = [0.0; SPAN_FEATURES.len()];
        let mut at = 0;
        let mut put = |value: f64| {
            if let Some(slot) = x.get_mut(at) {
                *slot = value;
            }
            at += 1;
        };
        let flag = |yes: bool| f64::from(u8::from(yes));
        put((candidate.p + 0.01).ln());
        put(1.0 / (1.0 + self.rank as f64));
        put(asked.share(terms & !own));
        put(asked.weight(terms & question.outer & !own) / outer);
        put(self.closeness(&sentence, &found.range));
        put(asked.weight(candidate.terms & question.outer) / outer);
        put(asked.weight(terms & question.relation & !own) / relation);
        put(flag(best));
        put(flag(
            self.sentence_names.get(number).copied().unwrap_or(false),
        ));
        put(flag(!self.entries.is_empty()));
        put(flag(self.entries.iter().any(|n| sentence_text.contains(n))));
        put(flag(question.chained && self.asked_about));
        put(flag(!question.chained && self.asked_about));
        put(flag(candidate.names.contains(&key)));
        put(flag(titled));
        put(flag(titled && question.chained));
        put(near.left);
        put(near.right);
        put(near.relation);
        put(flag(near.touches_left));
        put(flag(near.touches_right));
        put(asked.share(own));
        put(of_focus(asked, &found.text));
        put(flag(self.beside(&found.range, lead_in, follows)));
        put(flag(definition.is_some_and(|c| self.calls_it(c))));
        put(flag(definition.is_some()));
        put(before);
        put(after);
        put(0.0); // AGREED
        put(0.0); // AGREED_BY_SOURCES
        let other = kind == AnswerKind::Person && kinds::is_no_person(&found.text);
        put(flag(kind == AnswerKind::Person && !other && !single));
        put(flag(other));
        put(flag(lead.is_some()));
        put(lead.unwrap_or(0.0).min(0.5));
        put(flag(number == 0));
        put((1.0 + number as f64).ln());
        put(flag(
            single
                && found.text.chars().any(char::is_alphabetic)
                && !found.text.chars().any(char::is_lowercase),
        ));
        put(count.min(6) as f64 / 3.0);
        put(flag(count == 1));
        put(flag(found.form == Form::Phrase));
        put(flag(found.form == Form::Tail));
        put(flag(found.form == Form::Joined));
        put(flag(phrase && !lower));
        let thing = kind == AnswerKind::Entity;
        put(flag(thing && found.form == Form::Date));
        put(flag(thing && found.form == Form::Number));
        put(flag(found.form == Form::Adjective));
        put(flag(kind == AnswerKind::Place && phrase));
        put(flag(phrase && article && copula));
        put(flag(is(&["by"])));
        put(flag(is(&["by"]) && kind == AnswerKind::Person));
        put(flag(is(&["in", "at", "near"])));
        put(flag(is(&["in", "at", "near"]) && kind == AnswerKind::Place));
        put(flag(is(&["in", "on", "since"]) && kind == AnswerKind::Time));
        put(flag(is(&["of"])));
        put(flag(is(&["to"])));
        put(flag(is(&["from"])));
        put(flag(copula));
        put(flag(is(&["as"])));
        put(flag(is(&["with", "for"])));
        put(flag(is(&["called", "named", "titled", "nicknamed"])));
        put(flag(is(&[",", "and"])));
        put(flag(article));
        put(flag(lead_in.trim().is_empty()));
        put(flag(parenthesised(lead_in)));
        put(flag(
            next.starts_with("is ") || next.starts_with("was ") || next.starts_with('('),
        ));
        put(flag(next.starts_with(',')));
        put(flag(
            next.trim_end_matches(['.', '!', '"', ')', '\n', ' '])
                .is_empty(),
        ));
        put(flag(stated));
        put(flag(stated && found.form == Form::Name));
        put(flag(
            focus == Some("year") && found.text.len() == 4 && digits,
        ));
        put(flag(
            kind == AnswerKind::Quantity && focus.is_some() && self.counted(follows),
        ));
        put(flag(
            kind == AnswerKind::Quantity
                && focus.is_none()
                && found.text.contains(char::is_alphabetic)
                && digits,
        ));
        put(flag(
            kind == AnswerKind::Place && countries::country(&found.text).is_some(),
        ));
        put(flag(phrase && best && self.rank == 0));
        put(flag(indago_text::polarity::negated(sentence_text)));
        put(self.named);
        if !self.seen.is_empty() {
            let id = candidate.passage.id;
            let odds = self.seen.odds(id, &found.range);
            let behind = odds - self.seen.best();
            let chained = if question.chained { 1.0 } else { 0.0 };
            put(odds);
            put(chained * odds);
            put(odds - self.seen.best_of(id));
            put(behind);
            put(chained * behind);
            put(flag(found.form == Form::Read));
        }
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

    /// Terms of the question around the span in its sentence; each counts once, where it is
    /// nearest.
    fn near(&self, sentence: &Range<usize>, range: &Range<usize>, own: TermSet) -> Near {
        let asked = self.question.asked;
        let all = asked.weight(asked.all()).max(1e-9);
        let relation = asked.weight(self.question.relation).max(1e-9);
        let first = self.words.partition_point(|w| w.range.end <= range.start);
        let behind = self.words.partition_point(|w| w.range.start < range.end);
        let mut near = Near::default();
        if range.is_empty() {
            return near;
        }
        let mut seen = own;
        let before = self.words.get(..first).unwrap_or(&[]).iter().rev();
        for (i, word) in before.take(WINDOW).enumerate() {
            if word.range.start < sentence.start {
                break;
            }
            let new = word.bits & !seen;
            let decay = 1.0 - i as f64 / (WINDOW as f64 + 2.0);
            near.left += decay * asked.weight(new) / all;
            near.relation += decay * asked.weight(new & self.question.relation) / relation;
            near.touches_left |= i == 0 && word.bits != 0;
            seen |= new;
        }
        let mut seen = own;
        let after = self.words.get(behind..).unwrap_or(&[]).iter();
        for (i, word) in after.take(WINDOW).enumerate() {
            if word.range.end > sentence.end {
                break;
            }
            let new = word.bits & !seen;
            let decay = 1.0 - i as f64 / (WINDOW as f64 + 2.0);
            near.right += decay * asked.weight(new) / all;
            near.relation += decay * asked.weight(new & self.question.relation) / relation;
            near.touches_right |= i == 0 && word.bits != 0;
            seen |= new;
        }
        near
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
                let short = gap.split_whitespace().count();
                if short == 0 || links(gap) {
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

    /// Probability of the best selected passage that the name `key` led to.
    fn led(&self, key: &str) -> Option<f64> {
        let id = self.candidate.passage.id;
        let question = self.question;
        question
            .selected
            .iter()
            .filter_map(|&other| question.pool.get(other))
            .filter(|c| {
                c.leads.iter().any(|l| {
                    l.from == id && contains_phrase(key, &indago_text::normalize_name(&l.name))
                })
            })
            .map(|c| c.p)
            .max_by(f64::total_cmp)
    }

    /// Whether the head noun asked for stands within two words of the span.
    fn beside(&self, range: &Range<usize>, lead_in: &str, follows: &str) -> bool {
        let Some(focus) = self.question.focus.as_deref() else {
            return false;
        };
        if range.is_empty() {
            return false;
        }
        let is_focus = |word: &str| indago_text::terms(word).iter().any(|t| t == focus);
        lead_in.split_whitespace().rev().take(2).any(is_focus)
            || follows.split_whitespace().take(2).any(is_focus)
    }

    /// Whether the passage `about` says in its first sentence that it is about what the head noun
    /// asks for.
    fn calls_it(&self, about: &Candidate) -> bool {
        let Some(focus) = self.question.focus.as_deref() else {
            return false;
        };
        let first = about.sentences.first().map_or(0..0, |s| s.range.clone());
        let first = about.passage.text.get(first).unwrap_or_default();
        indago_text::terms(first).iter().any(|t| t == focus)
    }

    /// Whether what is counted stands right behind a number.
    fn counted(&self, follows: &str) -> bool {
        let Some(focus) = self.question.focus.as_deref() else {
            return false;
        };
        let mut words = follows.split_whitespace().take(3);
        words.any(|word| indago_text::terms(word).iter().any(|t| t == focus))
    }
}

/// Terms of the question to both sides of a span.
#[derive(Clone, Copy, Debug, Default)]
struct Near {
    left: f64,
    right: f64,
    relation: f64,
    touches_left: bool,
    touches_right: bool,
}

/// The last word or mark before a span, articles and titles left out, and whether there was an
/// article.
fn last_word(lead_in: &str) -> (String, bool) {
    let mut article = false;
    for word in lead_in.split_whitespace().rev() {
        let lower = word.to_lowercase();
        match lower.as_str() {
            "the" | "a" | "an" => article = true,
            "dr" | "dr." | "professor" | "sir" | "mr" | "mrs" | "king" | "queen" | "architect" => {}
            _ if lower.ends_with(',') => return (",".to_owned(), article),
            _ => return (lower, article),
        }
    }
    (String::new(), article)
}

/// Whether the words between a relation word and a span end in what links the two.
fn links(gap: &str) -> bool {
    let (last, _) = last_word(gap);
    matches!(
        last.as_str(),
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
}

fn parenthesised(lead_in: &str) -> bool {
    lead_in
        .rfind('(')
        .is_some_and(|open| lead_in.rfind(')').is_none_or(|close| close < open))
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
