//! What a question asks: its shape, the kind of answer, its names, and the chain of relations
//! between them.

use std::ops::Range;

use indago_core::AnswerKind;

use crate::names::{Name, names_in_question};
use crate::stop_words::is_function_word;
use crate::words::words;

/// How a question is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Sets two or more things side by side.
    Comparison,
    /// Names what is asked for through something else that has to be found first.
    Bridge,
    /// Several conditions that hold together, or several questions in one.
    Conjunction,
    /// Asks for all things of a kind.
    List,
    /// Asks what came before, after, first or last.
    Temporal,
    /// One relation of one thing.
    Simple,
}

/// A span of the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Bytes of the question.
    pub range: Range<usize>,
    /// The bytes of `range`.
    pub text: String,
}

/// One step from a known thing to an unknown one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hop {
    /// The named thing it starts from; `None` where it starts from the answer of the hop before.
    pub anchor: Option<String>,
    /// Words that say the relation, as written, in order.
    pub relation: Vec<String>,
}

/// Which end of an order is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Earlier, older, first, smaller.
    Least,
    /// Later, younger, last, larger.
    Most,
}

/// What kind of quantity things are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scale {
    /// Time of an event: earlier, first, later.
    Time,
    /// Time of birth: older (least), younger (most).
    Birth,
    /// Anything counted or measured.
    Amount,
}

/// An ordering word of the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordering {
    /// As written.
    pub word: String,
    /// Which end is asked for.
    pub direction: Direction,
    /// On what scale.
    pub scale: Scale,
}

/// A source that the question names, with what it asks of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The source's name: `The Verge`.
    pub name: String,
    /// The clause about it.
    pub clause: Span,
}

/// What a question asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// How it is built.
    pub shape: Shape,
    /// The kind of answer it wants.
    pub answer: AnswerKind,
    /// Head noun of a which, what or how-many phrase: `film`, `year`.
    pub focus: Option<String>,
    /// Names, in order, longest first where they overlap.
    pub names: Vec<Name>,
    /// The things compared or offered for choice.
    pub options: Vec<Span>,
    /// Clauses, in order; the whole question when it has one.
    pub clauses: Vec<Span>,
    /// Content words that are neither names nor question words, lower case, in order, once each.
    pub relation_words: Vec<String>,
    /// From the innermost named thing outwards; the last hop gives the answer.
    pub hops: Vec<Hop>,
    /// The ordering asked for.
    pub ordering: Option<Ordering>,
    /// Sources the question names.
    pub sources: Vec<Source>,
}

/// Longest question that is analyzed, in bytes; what follows is ignored.
pub const MAX_QUESTION: usize = 16_384;

/// Analyzes `question`. Total: an empty text is a simple question for an entity.
pub fn analyze(question: &str) -> Question {
    let mut end = question.len().min(MAX_QUESTION);
    while !question.is_char_boundary(end) {
        end -= 1;
    }
    let text = &question[..end];
    let names = names_in_question(text);
    let spans = words(text);
    let lower: Vec<String> = spans
        .iter()
        .map(|r| text[r.clone()].to_lowercase())
        .collect();
    let mut relation_words: Vec<String> = Vec::new();
    for (span, word) in spans.iter().zip(&lower) {
        let named = names
            .iter()
            .any(|n| n.range.start <= span.start && span.end <= n.range.end);
        if !named && !is_function_word(word) && !relation_words.contains(word) {
            relation_words.push(word.clone());
        }
    }
    let first = lower.first().map_or("", String::as_str);
    let yes_no = matches!(
        first,
        "is" | "are" | "was" | "were" | "do" | "does" | "did" | "has" | "have" | "can"
    );
    let answer = match first {
        _ if yes_no => AnswerKind::YesNo,
        "who" => AnswerKind::Person,
        "where" => AnswerKind::Place,
        "when" => AnswerKind::Time,
        "how" => AnswerKind::Quantity,
        _ => AnswerKind::Entity,
    };
    let clauses = vec![Span {
        range: 0..text.len(),
        text: text.to_owned(),
    }];
    Question {
        shape: if names.len() > 1 {
            Shape::Bridge
        } else {
            Shape::Simple
        },
        answer,
        focus: None,
        names,
        options: Vec::new(),
        clauses,
        relation_words,
        hops: Vec::new(),
        ordering: None,
        sources: Vec::new(),
    }
}
