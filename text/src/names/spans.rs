//! The scanner behind names: one pass over the words, growing a span while the next word fits.

use std::collections::HashSet;
use std::ops::Range;

use super::{Name, NameKind, quoted};
use crate::dates::month;
use crate::stop_words::is_function_word;
use crate::words::{is_apostrophe, words};

/// Longest name, in words; the next word begins another.
const MAX_WORDS: usize = 24;

/// A name before its text is copied.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) range: Range<usize>,
    pub(crate) kind: NameKind,
    pub(crate) alternatives: Vec<Range<usize>>,
}

impl Piece {
    pub(super) fn into_name(self, text: &str) -> Name {
        Name {
            text: text[self.range.clone()].to_owned(),
            alternatives: self
                .alternatives
                .into_iter()
                .map(|r| text[r].to_owned())
                .collect(),
            range: self.range,
            kind: self.kind,
        }
    }
}

/// Lower-case words that stand inside names between capitalised ones.
fn is_particle(word: &str) -> bool {
    matches!(
        word,
        "of" | "the"
            | "de"
            | "del"
            | "della"
            | "dell"
            | "di"
            | "da"
            | "das"
            | "dos"
            | "du"
            | "des"
            | "la"
            | "le"
            | "les"
            | "van"
            | "der"
            | "den"
            | "von"
            | "zu"
            | "zur"
            | "bin"
            | "ibn"
            | "al"
            | "el"
            | "y"
            | "e"
            | "af"
            | "av"
            | "ten"
            | "ter"
            | "do"
            | "und"
            | "et"
            | "upon"
    )
}

/// Titles that are written with a point inside a name.
fn is_pointed_title(word: &str) -> bool {
    matches!(
        word,
        "Dr" | "Mr"
            | "Mrs"
            | "Ms"
            | "St"
            | "Jr"
            | "Sr"
            | "Prof"
            | "Sgt"
            | "Lt"
            | "Col"
            | "Gen"
            | "Capt"
            | "Rev"
            | "Mt"
            | "Ft"
            | "Sen"
            | "Rep"
            | "Gov"
            | "No"
            | "Vol"
            | "Vs"
            | "Inc"
    )
}

fn is_capitalised(word: &str) -> bool {
    let mut chars = word.chars();
    let Some(first) = chars.next() else {
        return false;
    };
    if first.is_uppercase() {
        return true;
    }
    // `iPhone`, `eBay`, `d'Arc`, `al-Qaeda`: a capital inside after a short lower-case start.
    first.is_lowercase() && word.chars().take(4).any(char::is_uppercase)
}

fn is_acronym(word: &str) -> bool {
    let letters = word.chars().filter(|c| c.is_alphabetic()).count();
    letters >= 2 && !word.chars().any(char::is_lowercase)
}

fn is_code(word: &str) -> bool {
    let inner = word.trim_matches('_');
    inner.contains('_') && inner.chars().any(char::is_alphabetic)
}

/// The label of a section of an abstract, as journals print it in front of the first sentence:
/// `RESULTS Patients recovered.`
fn is_section_label(word: &str) -> bool {
    matches!(
        word,
        "ABSTRACT"
            | "AIM"
            | "AIMS"
            | "BACKGROUND"
            | "CONCLUSION"
            | "CONCLUSIONS"
            | "CONTEXT"
            | "DESIGN"
            | "DISCUSSION"
            | "FINDINGS"
            | "IMPORTANCE"
            | "INTERPRETATION"
            | "INTERVENTION"
            | "INTERVENTIONS"
            | "INTRODUCTION"
            | "MEASUREMENTS"
            | "METHOD"
            | "METHODS"
            | "OBJECTIVE"
            | "OBJECTIVES"
            | "OUTCOMES"
            | "PARTICIPANTS"
            | "PATIENTS"
            | "PURPOSE"
            | "RATIONALE"
            | "RESULTS"
            | "SETTING"
            | "SIGNIFICANCE"
            | "SUMMARY"
    )
}

fn is_number(word: &str) -> bool {
    word.len() <= 4 && !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())
}

fn is_year(word: &str) -> bool {
    word.len() == 4 && is_number(word) && matches!(word.parse::<u16>(), Ok(1000..=2199))
}

/// `1686–1753`
fn is_span_of_years(text: &str) -> bool {
    let mut years = text.split(['-', '\u{2013}']);
    let both = years.next().is_some_and(is_year) && years.next().is_some_and(is_year);
    both && years.next().is_none()
}

/// `word` without a final `'s` or apostrophe, in bytes.
fn without_possessive(word: &str) -> usize {
    let trimmed = word
        .strip_suffix('s')
        .or_else(|| word.strip_suffix('S'))
        .unwrap_or(word);
    match trimmed.chars().next_back().filter(|c| is_apostrophe(*c)) {
        Some(mark) => trimmed.len() - mark.len_utf8(),
        None => word.len(),
    }
}

/// All names of `text`, in order and disjoint.
pub(crate) fn pieces(text: &str) -> Vec<Piece> {
    let quoted: Vec<Range<usize>> = quoted::quoted_spans(text)
        .into_iter()
        .filter(|r| quoted::is_title(&text[r.clone()]))
        .collect();
    let mut scan = Scan {
        text,
        spans: words(text),
        lower_case: None,
    };
    let mut found: Vec<Piece> = Vec::new();
    let mut titles = quoted.into_iter().peekable();
    let mut i = 0;
    while i < scan.spans.len() {
        let start = scan.spans[i].start;
        if let Some(title) = titles.peek().filter(|t| t.start <= start) {
            let title = title.clone();
            titles.next();
            while scan.spans.get(i).is_some_and(|s| s.start < title.end) {
                i += 1;
            }
            found.push(Piece {
                range: title,
                kind: NameKind::Quoted,
                alternatives: Vec::new(),
            });
            continue;
        }
        let limit = titles.peek().map_or(text.len(), |t| t.start);
        match scan.read(i, limit) {
            Some((piece, next)) => {
                i = next;
                // `Change (Film)`: what stands in the parenthesis is no name of its own, unless
                // it is an acronym.
                let parenthesis = piece
                    .alternatives
                    .iter()
                    .find(|a| text[..a.end].ends_with(')'));
                let end = parenthesis.map_or(0, |a| a.end);
                found.push(piece);
                while scan.spans.get(i).is_some_and(|s| s.end < end) && !is_acronym(scan.word(i)) {
                    i += 1;
                }
            }
            None => i += 1,
        }
    }
    found
}

struct Scan<'t> {
    text: &'t str,
    spans: Vec<Range<usize>>,
    /// Words that stand in the text in lower case; made when first needed.
    lower_case: Option<HashSet<&'t str>>,
}

impl<'t> Scan<'t> {
    fn word(&self, i: usize) -> &'t str {
        self.spans.get(i).map_or("", |r| &self.text[r.clone()])
    }

    /// What stands between word `i` and the next.
    fn gap(&self, i: usize) -> &'t str {
        match (self.spans.get(i), self.spans.get(i + 1)) {
            (Some(a), Some(b)) => &self.text[a.end..b.start],
            _ => "\0",
        }
    }

    /// Whether word `i` opens a sentence, a line or a quotation.
    fn opens(&self, i: usize) -> bool {
        let start = self.spans.get(i).map_or(0, |s| s.start);
        let before = &self.text[..start];
        let before =
            before.trim_end_matches(['"', '\u{201c}', '\u{2018}', '(', '[', '*', '#', ' ']);
        match before.chars().next_back() {
            None | Some('\n' | '!' | '?' | '…' | ':' | '•') => true,
            Some(_) if i > 0 && is_section_label(self.word(i - 1)) => self.opens(i - 1),
            Some('.') => {
                let previous = if i == 0 { "" } else { self.word(i - 1) };
                let initial = previous.chars().count() == 1;
                !(initial || is_pointed_title(previous))
            }
            Some(_) => false,
        }
    }

    fn is_lower_elsewhere(&mut self, word: &str) -> bool {
        let (text, spans) = (self.text, &self.spans);
        let known = self.lower_case.get_or_insert_with(|| {
            let words = spans.iter().map(|r| &text[r.clone()]);
            words
                .filter(|w| w.starts_with(char::is_lowercase))
                .collect()
        });
        known.contains(word.to_lowercase().as_str())
    }

    /// The name that begins at word `i`, and the first word after it.
    fn read(&mut self, i: usize, limit: usize) -> Option<(Piece, usize)> {
        let first = self.word(i);
        if is_code(first) {
            let range = self.spans[i].clone();
            return Some((
                Piece {
                    range,
                    kind: NameKind::Code,
                    alternatives: Vec::new(),
                },
                i + 1,
            ));
        }
        if !is_capitalised(first) {
            return None;
        }
        let opens = self.opens(i);
        if opens && is_section_label(first) {
            return None;
        }
        let lower = first.to_lowercase();
        let bare = &lower[..without_possessive(&lower).min(lower.len())];
        let next_capital = self.gap(i) == " " && is_capitalised(self.word(i + 1));
        let pronoun = matches!(bare, "i" | "i'm" | "i've" | "i'd" | "i'll");
        if pronoun && !(first == "I" && next_capital && !opens) {
            return None;
        }
        if is_function_word(bare) || is_opening_adverb(bare) {
            // `The Verge` in mid-sentence is a name; `The Danish chemist` is not.
            let keeps = !opens && next_capital;
            if (opens || !is_acronym(first)) && !keeps {
                return None;
            }
        }
        let end = self.grow(i, limit);
        let mut range = self.spans[i].start..self.spans[end].end;
        let last = self.word(end);
        let possessive = without_possessive(last);
        range.end = range.end - last.len() + possessive;
        if range.is_empty() {
            return None;
        }
        let single = i == end;
        if single && self.is_plain_word(i, opens, bare) {
            return None;
        }
        let kind = if single && is_acronym(&self.text[range.clone()]) {
            NameKind::Acronym
        } else {
            NameKind::Capitalised
        };
        let alternatives = self.alternatives(i, end, &range, limit);
        Some((
            Piece {
                range,
                kind,
                alternatives,
            },
            end + 1,
        ))
    }

    /// A single capitalised word that is no name: a month before a number, a weekday, or an
    /// ordinary word at the start of a sentence.
    fn is_plain_word(&mut self, i: usize, opens: bool, lower: &str) -> bool {
        let word = self.word(i);
        if word.chars().count() == 1 {
            return true;
        }
        let dated = is_number(self.word(i + 1)) || (i > 0 && is_number(self.word(i - 1)));
        if month(word).is_some() && (dated || opens) {
            return true;
        }
        if matches!(
            lower,
            "monday" | "tuesday" | "wednesday" | "thursday" | "friday" | "saturday" | "sunday"
        ) {
            return true;
        }
        let titled = self.gap(i) == ": " && is_capitalised(self.word(i + 1));
        if !opens || is_acronym(word) || titled {
            return false;
        }
        let participle = lower.len() > 5 && (lower.ends_with("ing") || lower.ends_with("ly"));
        let next = self.word(i + 1);
        let runs_on = next.starts_with(char::is_lowercase);
        let passive = lower.ends_with("ed")
            && matches!(
                next,
                "with" | "by" | "in" | "to" | "as" | "on" | "at" | "for" | "from"
            );
        (participle && runs_on) || passive || self.is_lower_elsewhere(word)
    }

    /// The last word of the name that begins at word `i`.
    fn grow(&self, i: usize, limit: usize) -> usize {
        let mut end = i;
        while self.spans[end].end < limit && end - i < MAX_WORDS {
            let Some(next) = self.next_part(end) else {
                break;
            };
            if self.spans[next].end > limit {
                break;
            }
            end = next;
        }
        end
    }

    /// The word up to which the name goes on after word `end`, if it does.
    fn next_part(&self, end: usize) -> Option<usize> {
        let gap = self.gap(end);
        let word = self.word(end);
        let next = self.word(end + 1);
        let pointed = gap == ". " && (word.chars().count() == 1 || is_pointed_title(word));
        let comma_suffix = gap == ", " && matches!(next, "Jr" | "Jr." | "Sr" | "Sr.");
        if gap == ". " && word == "No" && is_number(next) {
            return Some(end + 1);
        }
        let dropped = matches!(gap, "' " | "\u{2019} ") && (word.ends_with("in") || word == "O"); // `Nothin' Else`
        if !(matches!(gap, " " | " & " | "." | "/" | "\u{2013}")
            || pointed
            || comma_suffix
            || dropped)
        {
            return None;
        }
        if gap == "."
            && matches!(
                next,
                "com" | "org" | "net" | "io" | "ai" | "gov" | "edu" | "tv"
            )
        {
            return Some(end + 1);
        }
        if gap == "." && !(is_capitalised(next) && word.chars().count() == 1) {
            return None;
        }
        if gap == "\u{2013}" {
            // `Molotov–Ribbentrop`
            return is_capitalised(next).then_some(end + 1);
        }
        if gap == "/" {
            let paired = is_number(next) || is_acronym(word) && is_acronym(next);
            return paired.then_some(end + 1);
        }
        if is_capitalised(next) {
            let day = month(next).is_some() && is_number(self.word(end + 2));
            return (!day).then_some(end + 1);
        }
        if gap != " " {
            return None;
        }
        if is_number(next) {
            if is_year(next) {
                return None; // `Lisbon 1987`: an alternative, see below
            }
            let measured = self.gap(end + 1) == " " && month(self.word(end + 2)).is_some();
            let dated = month(word).is_some() || next.len() == 4 && is_function_word(word);
            return (!measured && !dated).then_some(end + 1);
        }
        // Particles count only when a capitalised word follows them.
        let mut at = end + 1;
        while at <= end + 3 && is_particle(self.word(at)) && self.gap(at) == " " {
            at += 1;
            let candidate = self.word(at);
            if is_capitalised(candidate) && !is_function_word(candidate) {
                return Some(at);
            }
        }
        None
    }

    /// Longer and shorter readings of the name over words `first..=end`.
    fn alternatives(
        &self,
        first: usize,
        end: usize,
        range: &Range<usize>,
        limit: usize,
    ) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        // Halves around a possessive inside.
        for i in first..end {
            let word = self.word(i);
            let kept = without_possessive(word);
            if kept < word.len() {
                found.push(range.start..self.spans[i].start + kept);
                found.push(self.spans[i + 1].start..range.end);
            }
        }
        // `1994 World Cup`
        if first > 0 && self.gap(first - 1) == " " {
            let before = self.word(first - 1);
            let ordinal = before.starts_with(|c: char| c.is_ascii_digit()) && before.len() <= 5;
            if ordinal {
                found.push(self.spans[first - 1].start..range.end);
            }
        }
        // `Edward Baring, 1st Baron Revelstoke`; `Paris, Texas`
        let full_end = self.spans[end].end;
        // `Euro 2016`
        let year = self.word(end + 1);
        if full_end == range.end
            && self.gap(end) == " "
            && is_year(year)
            && month(self.word(end)).is_none()
        {
            found.push(range.start..self.spans[end + 1].end);
        }
        // `Mission: Harbour`
        let titled = self.gap(end) == ": " && is_capitalised(self.word(end + 1));
        if full_end == range.end && titled && self.spans[end + 1].end <= limit {
            found.push(range.start..self.spans[self.grow(end + 1, limit)].end);
        }
        if full_end == range.end && self.gap(end) == ", " {
            let next = end + 1;
            let opens = is_capitalised(self.word(next))
                && !is_function_word(&self.word(next).to_lowercase());
            let ranked = self.word(next).starts_with(|c: char| c.is_ascii_digit())
                && self.gap(next) == " "
                && is_capitalised(self.word(next + 1));
            if (opens || ranked) && self.spans[next].end <= limit {
                let last = self.grow(if ranked { next + 1 } else { next }, limit);
                let word = self.word(last);
                let cut = self.spans[last].end - word.len() + without_possessive(word);
                found.push(range.start..cut);
            }
        }
        // `Change (Film)`
        if full_end == range.end && self.text[range.end..].starts_with(" (") {
            let inner = &self.text[range.end + 2..];
            if let Some(close) = inner.bytes().take(40).position(|b| b == b')') {
                let content = &inner[..close];
                let life = content.contains("born") || content.contains("died");
                let few = content.split(' ').count() <= 4
                    && (content.contains(char::is_alphabetic) || is_span_of_years(content))
                    && !life;
                if few && !content.contains(['(', '\n']) && range.end + close + 3 <= limit {
                    found.push(range.start..range.end + close + 3);
                }
            }
        }
        found
    }
}

/// Adverbs and other words that open sentences and are no names.
fn is_opening_adverb(word: &str) -> bool {
    matches!(
        word,
        "today"
            | "yesterday"
            | "tomorrow"
            | "recently"
            | "born"
            | "named"
            | "based"
            | "located"
            | "founded"
            | "released"
            | "published"
            | "directed"
            | "produced"
            | "written"
            | "set"
            | "known"
            | "built"
            | "considering"
            | "see"
            | "note"
            | "let"
            | "say"
            | "find"
            | "name"
            | "list"
            | "tell"
            | "show"
            | "give"
            | "describe"
            | "explain"
            | "compare"
            | "don't"
            | "didn't"
            | "isn't"
            | "it's"
            | "that's"
            | "there's"
            | "he's"
            | "she's"
            | "what's"
            | "who's"
            | "where's"
            | "new"
            | "three"
            | "four"
            | "five"
            | "six"
            | "seven"
            | "eight"
            | "nine"
            | "ten"
    )
}
