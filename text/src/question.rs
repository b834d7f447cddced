//! What a question asks: its shape, the kind of answer, its names, and the chain of relations
//! between them.

mod answer;
mod clauses;
mod hops;
mod nouns;
mod options;
mod order;
mod parse;
mod shape;
mod sources;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use indago_core::AnswerKind;

use crate::names::Name;
use parse::Parse;

/// How a question is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Bytes of the question.
    pub range: Range<usize>,
    /// The bytes of `range`.
    pub text: String,
}

/// One step from a known thing to an unknown one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// The named thing it starts from; `None` where it starts from the answer of the hop before.
    pub anchor: Option<String>,
    /// Further names that stand in the relation: `played Ann in Rain` has two.
    pub others: Vec<String>,
    /// Words that say the relation, as written, in order.
    pub relation: Vec<String>,
}

/// Which end of an order is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Earlier, older, first, smaller.
    Least,
    /// Later, younger, last, larger.
    Most,
}

/// What kind of quantity things are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Time of an event: earlier, first, later.
    Time,
    /// Time of birth: older (least), younger (most).
    Birth,
    /// Anything counted or measured.
    Amount,
}

impl Span {
    fn of(text: &str, range: Range<usize>) -> Self {
        Self {
            text: text[range.clone()].to_owned(),
            range,
        }
    }
}

/// An ordering word of the question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordering {
    /// As written.
    pub word: String,
    /// Which end is asked for.
    pub direction: Direction,
    /// On what scale.
    pub scale: Scale,
}

/// A source that the question names, with what it asks of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The source's name: `The Verge`.
    pub name: String,
    /// The clause about it.
    pub clause: Span,
}

/// What a question asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// How it is built.
    pub shape: Shape,
    /// The kind of answer it wants.
    pub answer: AnswerKind,
    /// The question word that governs it, lower case; `None` for yes/no questions and statements.
    pub question_word: Option<String>,
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
    /// From the innermost named thing outwards; the last hop gives the answer. For a comparison
    /// the chain of its first option, which the others share. Empty for questions about several
    /// sources: those divide into clauses instead.
    pub hops: Vec<Hop>,
    /// The ordering asked for.
    pub ordering: Option<Ordering>,
    /// Sources the question names.
    pub sources: Vec<Source>,
}

/// Longest question that is analyzed, in bytes; what follows is ignored.
pub const MAX_QUESTION: usize = 16_384;

/// Analyzes `question`. Total: an empty text is a simple question for an entity.
///
/// ```
/// use indago_text::question::{Shape, analyze};
/// let question = analyze("Who is the father of the director of film Copper Moon?");
/// assert_eq!(question.shape, Shape::Bridge);
/// assert_eq!(question.hops[0].anchor.as_deref(), Some("Copper Moon"));
/// assert_eq!(question.hops[0].relation, ["director"]);
/// assert_eq!(question.hops[1].relation, ["father"]);
/// ```
pub fn analyze(question: &str) -> Question {
    let mut end = question.len().min(MAX_QUESTION);
    while !question.is_char_boundary(end) {
        end -= 1;
    }
    let parse = Parse::new(&question[..end]);
    let clauses = clauses::clauses(&parse);
    let sources = sources::sources(&parse, &clauses);
    let options = options::options(&parse, sources.is_empty());
    let asked = answer::asked(&parse, &options);
    let several = sources.len() >= 2;
    let hops = if several {
        Vec::new()
    } else {
        hops::hops(&parse, &options)
    };
    let ordering = order::ordering(&parse, options.len() >= 2);
    let relation_words = parse.relation_words();
    let shape = shape::shape(&parse, &options, &sources, &clauses, &hops);
    Question {
        shape,
        answer: asked.kind,
        question_word: asked.word,
        focus: asked.focus,
        names: parse.names,
        options,
        clauses,
        relation_words,
        hops,
        ordering,
        sources,
    }
}
