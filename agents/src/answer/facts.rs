//! Facts that a passage states about the thing it is about, read by their cues.

use std::ops::Range;

use indago_core::Date;
use indago_text::Name;

use super::countries;
use super::relation::{Attribute, Role};

/// A value with its place in the passage's text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Value {
    pub(crate) text: String,
    pub(crate) range: Range<usize>,
    /// Where the value is a date.
    pub(crate) date: Option<Date>,
}

/// A passage's text with what facts are read from.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    text: &'a str,
    /// ASCII-lower-cased: the same byte positions.
    lower: String,
    names: Vec<Name>,
    sentences: Vec<Range<usize>>,
}

/// How far behind a cue its value may begin, in bytes.
const REACH: usize = 60;

impl<'a> Reading<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self {
            text,
            lower: text.to_ascii_lowercase(),
            names: indago_text::names(text),
            sentences: indago_text::sentences(text),
        }
    }

    fn value(&self, range: Range<usize>) -> Option<Value> {
        Some(Value {
            text: self.text.get(range.clone())?.to_owned(),
            range,
            date: None,
        })
    }

    /// End of the sentence that holds byte `at`.
    fn sentence_end(&self, at: usize) -> usize {
        let i = self.sentences.partition_point(|s| s.end <= at);
        self.sentences.get(i).map_or(self.text.len(), |s| s.end)
    }

    /// End of each occurrence of `cue` at word boundaries.
    fn cue_ends(&self, cue: &str) -> Vec<usize> {
        let boundary = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        self.lower
            .match_indices(cue)
            .map(|(at, found)| (at, at + found.len()))
            .filter(|&(at, end)| {
                boundary(self.lower.get(..at).and_then(|s| s.chars().next_back()))
                    && boundary(self.lower.get(end..).and_then(|s| s.chars().next()))
            })
            .map(|(_, end)| end)
            .collect()
    }

    /// Names behind `from`, in its sentence, that are no nationality and no date.
    fn names_after(&self, from: usize, reach: usize) -> impl Iterator<Item = &Name> {
        let end = self.sentence_end(from).min(from + reach);
        self.names.iter().filter(move |name| {
            name.range.start >= from
                && name.range.start < end
                && countries::country(&name.text)
                    .is_none_or(|_| !countries::is_adjective(&name.text))
                && !is_calendar(&name.text)
        })
    }

    /// The people that stand in `role` to what the passage is about, most likely first.
    pub(crate) fn people(&self, role: Role) -> Vec<Value> {
        let mut found: Vec<Value> = Vec::new();
        let mut add = |name: &Name| {
            if let Some(value) = self.value(name.range.clone())
                && found.iter().all(|v| v.text != value.text)
            {
                found.push(value);
            }
        };
        for verb in verbs(role) {
            for end in self.cue_ends(verb) {
                let stop = self.sentence_end(end).min(end + REACH);
                let Some(gap) = self.lower.get(end..stop) else {
                    continue;
                };
                if let Some(by) = gap.find(" by ")
                    && let Some(name) = self.names_after(end + by + 4, REACH).next()
                {
                    add(name);
                }
            }
        }
        for cue in cues(role) {
            for end in self.cue_ends(cue) {
                let mut names = self.names_after(end, REACH);
                let name = if role == Role::Mother && cue.ends_with(" of") {
                    names.nth(1)
                } else {
                    names.next()
                };
                if let Some(name) = name {
                    add(name);
                }
            }
        }
        found
    }

    /// Values of `attribute`, most likely first.
    pub(crate) fn attribute(&self, attribute: Attribute) -> Vec<Value> {
        match attribute {
            Attribute::BirthDate => self
                .life()
                .0
                .into_iter()
                .chain(self.dates_after(&["born"]))
                .collect(),
            Attribute::DeathDate => self
                .life()
                .1
                .into_iter()
                .chain(self.dates_after(&["died", "death", "killed", "assassinated"]))
                .collect(),
            Attribute::BirthPlace => self.places_after(&["born", "native of", "birthplace"], 0),
            Attribute::DeathPlace => self.places_after(&["died", "death", "killed"], 1),
            Attribute::DeathCause => self.causes(),
            Attribute::Nationality => self.nationalities(true),
            Attribute::Country => self.nationalities(false),
            Attribute::Education => self.names_by_cue(&[
                "educated at",
                "graduated from",
                "studied at",
                "attended",
                "degree from",
                "student at",
                "graduate of",
                "studied",
            ]),
            Attribute::Employer => self.names_by_cue(&[
                "worked at",
                "worked for",
                "works at",
                "professor at",
                "employed at",
                "member of the",
                "taught at",
                "director of the",
            ]),
            Attribute::Award => self
                .names
                .iter()
                .filter(|n| {
                    ["Award", "Prize", "Medal", "Hall of Fame", "Order of"]
                        .iter()
                        .any(|kind| n.text.contains(kind))
                })
                .filter_map(|n| self.value(n.range.clone()))
                .collect(),
            Attribute::ReleaseDate => {
                let mut found =
                    self.dates_after(&["released", "premiered", "release", "published", "aired"]);
                found.extend(self.all_dates());
                found.sort_by_key(|v| v.range.start >= self.sentence_end(0));
                found
            }
            Attribute::FoundingDate => {
                let mut found = self.dates_after(&[
                    "founded",
                    "established",
                    "formed",
                    "opened",
                    "launched",
                    "incorporated",
                    "started",
                    "created",
                ]);
                found.extend(self.all_dates());
                found
            }
        }
    }

    fn all_dates(&self) -> Vec<Value> {
        indago_text::dates(self.text)
            .into_iter()
            .filter_map(|d| {
                Some(Value {
                    date: Some(d.date),
                    ..self.value(d.range)?
                })
            })
            .collect()
    }

    fn dates_after(&self, cues: &[&str]) -> Vec<Value> {
        let dates = self.all_dates();
        let mut found = Vec::new();
        for end in cues.iter().flat_map(|cue| self.cue_ends(cue)) {
            let stop = self.sentence_end(end).min(end + REACH);
            found.extend(
                dates
                    .iter()
                    .find(|d| d.range.start >= end && d.range.start < stop)
                    .cloned(),
            );
        }
        found
    }

    /// Birth and death from the first parenthesis that holds dates.
    fn life(&self) -> (Option<Value>, Option<Value>) {
        let Some((open, close)) = self.first_dated_parenthesis() else {
            return (None, None);
        };
        let mut dates: Vec<Value> = self
            .all_dates()
            .into_iter()
            .filter(|d| open < d.range.start && d.range.end <= close)
            .collect();
        let inside = &self.lower[open..close];
        let dash = inside
            .find(['\u{2013}', '\u{2014}'])
            .or_else(|| inside.find(" - "))
            .or_else(|| inside.find('-'));
        let Some(dash) = dash.map(|at| open + at) else {
            let died = inside.contains("died") || inside.contains("d. ");
            let first = if dates.is_empty() {
                None
            } else {
                Some(dates.remove(0))
            };
            return if died { (None, first) } else { (first, None) };
        };
        let death = dates.iter().find(|d| d.range.start > dash).cloned();
        let birth = dates.into_iter().find(|d| d.range.end <= dash);
        (birth, death)
    }

    fn first_dated_parenthesis(&self) -> Option<(usize, usize)> {
        let limit = self.text.len().min(400);
        let dates = self.all_dates();
        self.text
            .match_indices('(')
            .take_while(|(at, _)| *at < limit)
            .find_map(|(open, _)| {
                let close = open + self.text.get(open..)?.find(')')?;
                let dated = dates
                    .iter()
                    .any(|d| open < d.range.start && d.range.end <= close);
                dated.then_some((open, close))
            })
    }

    /// Names of places behind `in` or `at` after a cue; else those inside the dates of life, after
    /// the first (`nth` 0) or second date.
    fn places_after(&self, cues: &[&str], nth: usize) -> Vec<Value> {
        let mut found = Vec::new();
        for end in cues.iter().flat_map(|cue| self.cue_ends(cue)) {
            let stop = self.sentence_end(end).min(end + 2 * REACH);
            let Some(rest) = self.lower.get(end..stop) else {
                continue;
            };
            for preposition in [" in ", " at ", " near "] {
                for (at, _) in rest.match_indices(preposition) {
                    let from = end + at + preposition.len();
                    if let Some(name) = self.names_after(from, 12).next() {
                        found.extend(self.value(name.range.clone()));
                    }
                }
            }
        }
        found.sort_by_key(|v: &Value| v.range.start);
        if let Some((open, close)) = self.first_dated_parenthesis() {
            let dates: Vec<Value> = self
                .all_dates()
                .into_iter()
                .filter(|d| open < d.range.start && d.range.end <= close)
                .collect();
            if let Some(date) = dates.get(nth) {
                let next = dates.get(nth + 1).map_or(close, |d| d.range.start);
                let name = self
                    .names
                    .iter()
                    .find(|n| n.range.start >= date.range.end && n.range.end <= next);
                if let Some(value) = name
                    .filter(|n| !is_calendar(&n.text))
                    .and_then(|n| self.value(n.range.clone()))
                {
                    found.insert(0, value);
                }
            }
        }
        found
    }

    fn causes(&self) -> Vec<Value> {
        let mut found = Vec::new();
        for cue in [
            "died of",
            "died from",
            "death from",
            "dying of",
            "complications of",
            "due to",
            "after a",
            "suffering a",
            "suffered a",
        ] {
            for end in self.cue_ends(cue) {
                let stop = self.sentence_end(end);
                let Some(rest) = self.text.get(end..stop) else {
                    continue;
                };
                let cut = [
                    ",", ".", " in ", " at ", " on ", " while ", ";", " and ", "(",
                ]
                .iter()
                .filter_map(|mark| rest.find(mark))
                .min()
                .unwrap_or(rest.len());
                let phrase = rest[..cut].trim();
                let bare = ["a ", "an ", "the "]
                    .iter()
                    .find_map(|article| phrase.strip_prefix(article))
                    .unwrap_or(phrase);
                if bare.is_empty() || bare.len() > 60 {
                    continue;
                }
                if let Some(at) = rest.find(bare) {
                    found.extend(self.value(end + at..end + at + bare.len()));
                }
            }
        }
        for word in [
            "heart attack",
            "suicide",
            "assassinated",
            "shot",
            "cancer",
            "murdered",
            "pneumonia",
        ] {
            if let Some(end) = self.cue_ends(word).first() {
                found.extend(self.value(end - word.len()..*end));
            }
        }
        found
    }

    /// Nationality adjectives (and country names unless `adjectives`), in the first sentence
    /// first.
    fn nationalities(&self, adjectives: bool) -> Vec<Value> {
        let words = indago_text::words(self.text);
        let mut found: Vec<Value> = Vec::new();
        let mut i = 0;
        while i < words.len() {
            let mut taken = 1;
            for length in (1..=4).rev() {
                let (Some(first), Some(last)) = (words.get(i), words.get(i + length - 1)) else {
                    continue;
                };
                let part = &self.text[first.start..last.end];
                if countries::country(part).is_some() {
                    found.extend(self.value(first.start..last.end));
                    taken = length;
                    break;
                }
            }
            i += taken;
        }
        let end = self.sentence_end(0);
        found.sort_by_key(|v| {
            let adjective = countries::is_adjective(&v.text);
            (v.range.start >= end, adjectives && !adjective)
        });
        found
    }

    fn names_by_cue(&self, cues: &[&str]) -> Vec<Value> {
        cues.iter()
            .flat_map(|cue| self.cue_ends(cue))
            .filter_map(|end| self.names_after(end, REACH).next())
            .filter_map(|name| self.value(name.range.clone()))
            .collect()
    }
}

/// Verbs of making: the maker follows `by`.
fn verbs(role: Role) -> &'static [&'static str] {
    match role {
        Role::Director => &["directed", "film", "directorial debut of", "director"],
        Role::Performer => &[
            "performed",
            "recorded",
            "sung",
            "song",
            "single",
            "album",
            "track",
        ],
        Role::Composer => &[
            "composed",
            "music",
            "score",
            "scored",
            "soundtrack",
            "written",
            "song",
        ],
        Role::Author => &[
            "written", "authored", "novel", "book", "poem", "play", "story", "issued",
        ],
        Role::Founder => &["founded", "established", "started", "formed"],
        Role::Creator => &[
            "created",
            "painted",
            "painting",
            "designed",
            "developed",
            "invented",
            "made",
        ],
        Role::Producer => &["produced"],
        Role::Publisher => &["published"],
        Role::Spouse | Role::Father | Role::Mother | Role::Child | Role::Sibling => &[],
    }
}

/// Words that stand right before the name of a relative.
fn cues(role: Role) -> &'static [&'static str] {
    match role {
        Role::Father => &[
            "son of",
            "daughter of",
            "child of",
            "born to",
            "father was",
            "father is",
            "his father",
            "her father",
            "father",
            "sired by",
        ],
        Role::Mother => &[
            "mother was",
            "mother is",
            "his mother",
            "her mother",
            "son of",
            "daughter of",
            "child of",
            "mother",
        ],
        Role::Spouse => &[
            "married to",
            "married",
            "wife of",
            "husband of",
            "his wife",
            "her husband",
            "consort of",
            "widow of",
            "spouse",
            "wife",
            "husband",
            "concubine of",
        ],
        Role::Child => &[
            "father of",
            "mother of",
            "parents of",
            "his son",
            "her son",
            "his daughter",
            "son",
            "daughter",
            "children",
        ],
        Role::Sibling => &[
            "brother of",
            "sister of",
            "his brother",
            "her sister",
            "brother",
            "sister",
        ],
        Role::Performer => &["singer", "band", "rapper", "group"],
        Role::Founder => &["founder"],
        Role::Publisher => &["publisher"],
        _ => &[],
    }
}

fn is_calendar(name: &str) -> bool {
    let first = name.split(' ').next().unwrap_or_default();
    let month = first.starts_with(char::is_uppercase) && indago_text::is_month(first);
    month || first.chars().all(|c| c.is_numeric() || c == ',')
}
