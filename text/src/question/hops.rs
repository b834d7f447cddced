//! Chains of relations, from the innermost named thing outwards.
//!
//! No parser: `the R2 of the R1 of N`, `N's R1's R2` and `the T that V N` all nest towards a
//! name, so the words are read away from it. First the possessives to its right, then leftwards,
//! where a preposition, an auxiliary, or the article before the head of a relative clause ends a
//! hop. Verbs that relative clauses leave on the right (`the city where N died`) go back to their
//! clauses, innermost first; what then remains belongs to the outermost hop.

use super::nouns::{is_type_noun, singular};
use super::parse::{Parse, is_auxiliary, is_question_word};
use super::{Hop, Span};
use crate::stop_words::is_function_word;

/// Most hops that are reported.
const MAX_HOPS: usize = 8;
/// Most words of one hop.
const MAX_RELATION: usize = 10;

/// The chain of the question; for a comparison, the chain of its first option.
pub(super) fn hops(parse: &Parse<'_>, options: &[Span]) -> Vec<Hop> {
    if let Some(first) = options.first()
        && is_question_word(parse.lower(0))
    {
        return chosen(parse, first, options);
    }
    let mut walk = Walk::default();
    let Some(end) = anchor_end(parse, options) else {
        walk.left(parse, parse.len());
        return walk.finish(Vec::new(), None);
    };
    let (start, anchor) = anchor_at(parse, end);
    walk.current.anchor = Some(anchor);
    let after = walk.possessives(parse, end);
    walk.left(parse, start);
    let outer = (after..parse.len()).rfind(|&i| parse.is_named(i) && options.is_empty());
    let outer = outer.map(|i| anchor_at(parse, i).1);
    let rest = remaining(parse, after, options);
    walk.finish(rest, outer)
}

/// `Which T has the R who V first, A or B?`: from the option over its R to what is compared.
fn chosen(parse: &Parse<'_>, first: &Span, options: &[Span]) -> Vec<Hop> {
    let outside = |i: usize| {
        let word = &parse.words[i];
        !options
            .iter()
            .any(|o| o.range.start < word.end && word.start < o.range.end)
    };
    let mut relation = Vec::new();
    let mut rest = Vec::new();
    // `which American film`: its type is no relation.
    let run = |i: &usize| {
        !is_function_word(parse.lower(*i)) && !super::answer::is_verb_like(parse.lower(*i))
    };
    let typed = (1..parse.len())
        .take_while(run)
        .filter(|&i| is_type_noun(parse.lower(i)))
        .last();
    for i in typed.map_or(1, |t| t + 1)..parse.len() {
        let word = parse.stripped(i);
        if !outside(i) || parse.is_named(i) {
            continue;
        }
        if is_function_word(word) && !matches!(word, "first" | "last" | "same" | "more" | "most") {
            continue;
        }
        if is_type_noun(word) {
            relation.push(word.to_owned());
        } else if rest.len() < MAX_RELATION {
            rest.push(word.to_owned());
        }
    }
    let anchor = Some(first.text.clone());
    if relation.is_empty() {
        return vec![Hop {
            anchor,
            others: Vec::new(),
            relation: rest,
        }];
    }
    let mut hops = vec![Hop {
        anchor,
        others: Vec::new(),
        relation,
    }];
    if !rest.is_empty() {
        hops.push(Hop {
            relation: rest,
            ..Hop::default()
        });
    }
    hops
}

/// The last word of the name the chain starts from: the last one of the question, unless it
/// stands in the main clause, behind the verb of an earlier one.
fn anchor_end(parse: &Parse<'_>, options: &[Span]) -> Option<usize> {
    let ends: Vec<usize> = (0..parse.len())
        .filter(|&i| parse.is_named(i) && parse.name_of.get(i + 1) != Some(&parse.name_of[i]))
        .collect();
    if let Some(option) = options.first() {
        return ends.into_iter().rfind(|&i| {
            parse
                .words
                .get(i)
                .is_some_and(|w| option.range.contains(&w.start))
        });
    }
    let mut chosen = *ends.last()?;
    for pair in ends.windows(2).rev() {
        let [before, last] = pair else { break };
        if *last != chosen {
            break;
        }
        // `the province of A is in B`, `the actor of A play in B`: B stands in the main clause.
        // A noun or a relative clause between them nests further, so B is the start.
        let next = parse.stripped(before + 1);
        let linked =
            is_preposition(next) || matches!(next, "and" | "or" | "the" | "before" | "after");
        let nested =
            |i: usize| is_question_word(parse.plain(i)) || matches!(parse.plain(i), "that" | "of");
        let follows = matches!(
            parse.gap(*before).trim_matches(['\'', '\u{2019}', 's']),
            " "
        );
        let inner = parse.is_possessive(*before) || anchor_at(parse, *before).0 >= 2;
        let (start, _) = anchor_at(parse, *last);
        if follows && inner && !linked && !(before + 1..start).any(nested) {
            chosen = *before;
        }
    }
    Some(chosen)
}

fn is_preposition(word: &str) -> bool {
    matches!(
        word,
        "of" | "in" | "by" | "with" | "from" | "for" | "at" | "on" | "to" | "as" | "into" | "near"
    )
}

/// The first word and the text of the name that word `at` belongs to.
fn anchor_at(parse: &Parse<'_>, at: usize) -> (usize, String) {
    let Some(name) = parse.name_of[at].and_then(|n| parse.strict.get(n)) else {
        return (at, parse.text[parse.words[at].clone()].to_owned());
    };
    let first = parse.words.partition_point(|w| w.end <= name.range.start);
    (first, name.text.clone())
}

#[derive(Default)]
struct Walk {
    hops: Vec<Hop>,
    current: Hop,
    /// The last thing crossed was a relative pronoun: its head noun belongs to this hop.
    head: bool,
    /// Hops whose relative clause has its verb to the right of the anchor, innermost first.
    waiting: Vec<usize>,
}

impl Walk {
    fn close(&mut self) {
        self.head = false;
        let waits = self.waiting.last() == Some(&self.hops.len());
        if self.current.relation.is_empty() && !waits {
            return;
        }
        let hop = std::mem::take(&mut self.current);
        if self.hops.len() < MAX_HOPS {
            self.hops.push(hop);
        }
    }

    fn add(&mut self, word: &str) {
        if self.current.relation.len() < MAX_RELATION {
            self.current.relation.insert(0, word.to_owned());
        }
    }

    /// Reads `'s R1's R2` to the right of the name that ends at word `end`; the first word after.
    fn possessives(&mut self, parse: &Parse<'_>, end: usize) -> usize {
        let mut at = end;
        while parse.is_possessive(at) {
            let mut next = at + 1;
            let mut relation = Vec::new();
            while next < parse.len()
                && (next == at + 1 || parse.gap(next - 1) == " ")
                && !parse.is_named(next)
                && !is_function_word(parse.stripped(next))
                && !is_final_verb(parse, next, at)
                && relation.len() < 4
            {
                relation.push(parse.stripped(next).to_owned());
                next += 1;
                if parse.is_possessive(next - 1) {
                    break;
                }
            }
            let Some(head) = relation.last() else {
                return at + 1;
            };
            if parse.lower(next) == "of" && is_compound(head, parse.lower(next + 1)) {
                relation.push(parse.lower(next + 1).to_owned());
                next += 2;
            }
            self.current.relation = relation;
            self.close();
            at = next - 1;
        }
        at + 1
    }

    /// Reads leftwards from before word `start`.
    fn left(&mut self, parse: &Parse<'_>, start: usize) {
        let mut i = start;
        let mut touching = true; // nothing but type nouns between here and the name
        while i > 0 {
            i -= 1;
            let word = parse.stripped(i);
            if parse.is_named(i) {
                let (first, name) = anchor_at(parse, i);
                if self.current.relation.is_empty() && !parse.is_possessive(i) {
                    if self.current.anchor.is_some() {
                        self.current.others.push(name);
                    } else {
                        self.current.anchor = Some(name);
                    }
                } else if parse.is_possessive(i) {
                    match &self.current.anchor {
                        None if self.hops.is_empty() => self.current.anchor = Some(name),
                        _ => self.current.others.push(name),
                    }
                } else {
                    self.close();
                    self.current.anchor = Some(name);
                }
                touching = true;
                i = first;
                continue;
            }
            match word {
                _ if is_question_word(word) && i == 0 => break,
                "what" | "why" | "how" => self.head = false,
                "that" | "which" | "who" | "whom" | "whose" | "where" | "when" => {
                    self.relative(parse, i);
                }
                "the" | "a" | "an" | "its" | "their" | "his" | "her" => {
                    // `Which country the director of N is from?`
                    let beside =
                        i > 0 && parse.gap(i - 1) == " " && is_type_noun(parse.plain(i - 1));
                    if (self.head || beside) && !self.current.relation.is_empty() {
                        self.close();
                    }
                }
                // `In what city`
                _ if is_preposition(word) && is_question_word(parse.plain(i + 1)) => {}
                _ if is_preposition(word) => {
                    let tail = self.current.relation.first().map_or("", String::as_str);
                    let compound = word == "of"
                        && i > 0
                        && self.current.relation.len() == 1
                        && is_compound(parse.lower(i - 1), tail);
                    if !compound && !self.current.relation.is_empty() {
                        self.close();
                    }
                }
                _ if is_auxiliary(word) => {
                    if !self.head && !follows_relative(parse, i) {
                        self.close();
                    }
                }
                "first" | "last" | "same" | "second" => self.add(word),
                _ if is_function_word(word) => {}
                _ => {
                    let typed = is_type_noun(word) && parse.gap(i) == " ";
                    if !(touching && typed && self.current.relation.is_empty()) {
                        self.add(word);
                        touching = false;
                    }
                    continue;
                }
            }
            touching = false;
        }
    }

    /// Crosses the relative pronoun at word `i`.
    fn relative(&mut self, parse: &Parse<'_>, i: usize) {
        let next = parse.lower(i + 1);
        let subject_follows = parse.is_named(i + 1)
            || matches!(next, "the" | "a" | "an" | "its" | "their" | "his" | "her");
        if subject_follows {
            // The noun phrase after the pronoun is a hop of its own, its verb stands further on.
            if !self.current.relation.is_empty() {
                self.close();
            }
            if self.waiting.last() != Some(&self.hops.len()) {
                self.waiting.push(self.hops.len());
            }
        }
        self.head = true;
    }

    /// The hops; `rest` are the words to the right of the anchor, `outer` a name among them.
    fn finish(mut self, rest: Vec<String>, outer: Option<String>) -> Vec<Hop> {
        let mut rest = rest.into_iter().peekable();
        let mut returned: Vec<(usize, String)> = Vec::new();
        for &hop in &self.waiting {
            if let Some(word) = rest.next() {
                returned.push((hop, word));
            }
        }
        self.waiting.clear();
        let rest: Vec<String> = rest.collect();
        let anchored = self.current.anchor.is_some() || self.hops.is_empty();
        if !self.current.relation.is_empty() || anchored || !rest.is_empty() || outer.is_some() {
            self.current.relation.extend(rest);
            self.current.others.extend(outer);
            if self.hops.len() < MAX_HOPS {
                let hop = std::mem::take(&mut self.current);
                self.hops.push(hop);
            }
        }
        for (hop, word) in returned {
            let at = hop.min(self.hops.len().saturating_sub(1));
            if let Some(hop) = self.hops.get_mut(at) {
                hop.relation.push(word);
            }
        }
        self.hops
            .retain(|h| h.anchor.is_some() || !h.relation.is_empty() || !h.others.is_empty());
        self.hops
    }
}

/// Whether the auxiliary at word `i` belongs to a relative clause: `the person who was ...`.
fn follows_relative(parse: &Parse<'_>, i: usize) -> bool {
    i > 1
        && matches!(
            parse.lower(i - 1),
            "that" | "which" | "who" | "whose" | "where"
        )
}

/// Whether word `i` is the verb at the end, not part of the possessed thing: `N's father died`.
fn is_final_verb(parse: &Parse<'_>, i: usize, possessive: usize) -> bool {
    let word = parse.lower(i);
    let asked = is_auxiliary(parse.lower(1)) || is_auxiliary(parse.lower(2));
    let last = i + 1 == parse.len() && i > possessive + 1;
    super::answer::is_verb_like(word)
        || last && asked && is_type_noun(parse.stripped(i - 1)) && !is_type_noun(word)
}

/// `place of birth` and its like name one relation.
fn is_compound(head: &str, tail: &str) -> bool {
    match singular(head).as_str() {
        "place" | "date" | "cause" | "year" | "day" | "time" | "manner" | "city" | "country"
        | "month" => matches!(
            tail,
            "birth"
                | "death"
                | "burial"
                | "origin"
                | "citizenship"
                | "publication"
                | "release"
                | "foundation"
                | "marriage"
                | "residence"
                | "detention"
                | "education"
        ),
        "head" => matches!(tail, "state" | "government"),
        "member" => matches!(tail, "parliament" | "congress"),
        "secretary" => matches!(tail, "state" | "defense" | "defence"),
        "board" => tail == "directors",
        "body" => tail == "water",
        "number" | "name" | "type" | "kind" | "sort" => true,
        _ => false,
    }
}

/// Content words from word `from` on, outside names and other options.
fn remaining(parse: &Parse<'_>, from: usize, options: &[Span]) -> Vec<String> {
    let past = options.last().map_or(from, |last| {
        parse
            .words
            .partition_point(|w| w.start < last.range.end)
            .max(from)
    });
    (past..parse.len())
        .filter(|&i| !parse.is_named(i))
        .map(|i| parse.stripped(i).to_owned())
        .filter(|w| !is_function_word(w) || matches!(w.as_str(), "first" | "last" | "same"))
        .take(MAX_RELATION)
        .collect()
}
