//! What a searcher knows: the typed state that operators hand on.

use std::collections::BTreeMap;

use indago_core::{Claim, Filters, Finding, NodeId, Passage, PassageId, Prompt, StopReason, Usage};
use serde::{Deserialize, Serialize};

use crate::SearchInput;

/// Where a passage came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The corpus.
    Retrieved,
    /// The model's own knowledge: may steer the search, is never cited.
    Parametric,
}

/// A passage that was shown to the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// Number by which it is cited in this search, from 1.
    pub n: u32,
    /// The passage.
    pub passage: Passage,
    /// Where it came from.
    pub origin: Origin,
    /// Round in which it was first shown, from 1.
    pub round: u32,
}

/// An answer in words, before it is bound to quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// All that was written.
    pub text: String,
    /// The short answer in it.
    pub answer: Option<String>,
}

/// Queries for one retrieval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuerySet {
    /// The texts; their lists are fused by reciprocal rank.
    pub queries: Vec<String>,
    /// Imagined passages: where there are any, dense search uses the mean of their vectors and the
    /// query's. They never reach a reader.
    #[serde(default)]
    pub imagined: Vec<String>,
}

impl QuerySet {
    /// One query.
    pub fn one(query: impl Into<String>) -> Self {
        Self {
            queries: vec![query.into()],
            imagined: Vec::new(),
        }
    }
}

/// Why a search ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// It has its answer.
    Answered,
    /// Two rounds in a row brought no new passage, or a query came again.
    NoProgress,
    /// The corpus gave nothing at all.
    NothingFound,
    /// Its rounds are used up.
    BudgetRounds,
    /// Its retrieval queries are used up.
    BudgetQueries,
    /// Its model calls or tokens are used up.
    BudgetTokens,
    /// Its time is over.
    Deadline,
    /// The model did not keep the format, after a repair.
    FormatError,
    /// A call of the model failed for good.
    ModelFailed(String),
}

impl Stop {
    /// As reports show it.
    pub fn reason(&self) -> StopReason {
        match self {
            Self::Answered => StopReason::Answered,
            Self::NoProgress => StopReason::NoProgress,
            Self::NothingFound => StopReason::NothingFound,
            Self::BudgetRounds | Self::BudgetQueries | Self::BudgetTokens | Self::Deadline => {
                StopReason::Budget
            }
            Self::FormatError | Self::ModelFailed(_) => StopReason::Failed,
        }
    }

    /// In words.
    pub fn describe(&self) -> String {
        match self {
            Self::Answered => "answered".to_owned(),
            Self::NoProgress => "no_progress: nothing new was found".to_owned(),
            Self::NothingFound => "nothing_found".to_owned(),
            Self::BudgetRounds => "budget_rounds".to_owned(),
            Self::BudgetQueries => "budget_queries".to_owned(),
            Self::BudgetTokens => "budget_tokens".to_owned(),
            Self::Deadline => "deadline".to_owned(),
            Self::FormatError => "format_error: the model did not keep the format".to_owned(),
            Self::ModelFailed(reason) => format!("model_failed: {reason}"),
        }
    }
}

/// A searcher's state. Evidence is append-only: what was shown keeps its number and its place, so
/// that later prompts begin with the bytes of earlier ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchState {
    /// The node worked on.
    pub node: NodeId,
    /// The sub-question.
    pub question: String,
    /// The question of the run.
    pub whole: String,
    /// Findings of the nodes it depends on.
    pub parents: Vec<Finding>,
    /// Sub-questions of `parents`, where known.
    pub parent_questions: Vec<String>,
    /// Restrictions on documents.
    pub filters: Filters,
    /// What was shown, in order.
    pub evidence: Vec<Shown>,
    /// Queries sent, in order.
    pub tried: Vec<String>,
    /// Rounds of retrieval.
    pub round: u32,
    /// The answer so far.
    pub draft: Option<Draft>,
    /// Claims with quotes, once read.
    pub claims: Vec<Claim>,
    /// What is still missing, in words.
    pub missing: Vec<String>,
    /// Passages by number that a filter put aside: not read, and judged again for other questions.
    pub shelved: Vec<u32>,
    /// Order in which passages are read, where an operator set one.
    pub order: Vec<u32>,
    /// Parts of passages that are read (byte ranges), where an operator chose some.
    pub excerpts: BTreeMap<u32, Vec<(usize, usize)>>,
    /// Queries for the next round that follow from what is missing.
    pub follow_up: Vec<String>,
    /// The dialogue of the search, where there was one: reading goes on from it, so that what was
    /// read once is not sent in another order.
    pub dialogue: Option<Prompt>,
    /// What was spent.
    pub usage: Usage,
    /// Why it ended, once it has.
    pub stop: Option<Stop>,
}

impl SearchState {
    /// Nothing known yet.
    pub fn new(input: &SearchInput) -> Self {
        Self {
            node: input.node,
            question: input.question.trim().to_owned(),
            whole: input.whole.trim().to_owned(),
            parents: input.parents.clone(),
            parent_questions: input.parent_questions.clone(),
            filters: input.filters.clone(),
            evidence: Vec::new(),
            tried: Vec::new(),
            round: 0,
            draft: None,
            claims: Vec::new(),
            missing: Vec::new(),
            shelved: Vec::new(),
            order: Vec::new(),
            excerpts: BTreeMap::new(),
            follow_up: Vec::new(),
            dialogue: None,
            usage: Usage::default(),
            stop: None,
        }
    }

    /// Whether a passage was shown already.
    pub fn has(&self, id: PassageId) -> bool {
        self.evidence.iter().any(|shown| shown.passage.id == id)
    }

    /// The passage cited as `n`; never one of the model's own.
    pub fn cited(&self, n: u32) -> Option<&Passage> {
        self.evidence
            .iter()
            .find(|shown| shown.n == n && shown.origin == Origin::Retrieved)
            .map(|shown| &shown.passage)
    }

    /// What was shown as `n`.
    pub fn shown(&self, n: u32) -> Option<&Shown> {
        self.evidence.iter().find(|shown| shown.n == n)
    }

    /// Retrieved passages that are read, by number: in the order an operator set, else as shown;
    /// without what was put aside.
    pub fn reading(&self) -> Vec<u32> {
        if !self.order.is_empty() {
            return self.order.clone();
        }
        self.evidence
            .iter()
            .filter(|s| s.origin == Origin::Retrieved && !self.shelved.contains(&s.n))
            .map(|s| s.n)
            .collect()
    }

    /// Appends passages that were not shown yet and gives their numbers.
    pub fn show(&mut self, passages: Vec<Passage>, origin: Origin) -> Vec<u32> {
        let mut numbers = Vec::new();
        for passage in passages {
            if self.has(passage.id) {
                continue;
            }
            let n = self.evidence.len() as u32 + 1;
            numbers.push(n);
            self.evidence.push(Shown {
                n,
                passage,
                origin,
                round: self.round,
            });
        }
        numbers
    }
}
