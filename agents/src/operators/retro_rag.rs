//! RetroRAG (Xiao et al., 2025): a revisable pool of evidence. Old statements are looked at again
//! when new passages come; what no longer stands is withdrawn, what changes its mind too often is
//! left as disputed.

use indago_core::ports::{BoxFuture, Request, TaskError};
use indago_core::{Event, Prompt};
use serde::Deserialize;
use serde_json::{Value, json};

use super::ledger::{Ledger, Status};
use super::loops::is_not_found;
use super::state::{Draft, QuerySet, SearchState, Stop};
use super::{Guards, Loop, retrieve};
use crate::model::prompts::{Assess, Collate, note, opening, passage, role};
use crate::model::{Ask, Ports, Role, complete_json};
use crate::operators::read::asked_part;

/// RetroRAG with its bounds.
#[derive(Clone, Copy, Debug)]
pub struct RetroRag {
    /// Rounds at most.
    pub rounds: u32,
    /// Unseen passages of each query.
    pub k: usize,
    /// Queries of a round.
    pub queries: usize,
}

impl Default for RetroRag {
    fn default() -> Self {
        Self {
            rounds: 5,
            k: 6,
            queries: 2,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Collated {
    #[serde(default)]
    statements: Vec<New>,
    #[serde(default)]
    withdraw: Vec<Withdraw>,
    #[serde(default)]
    revise: Vec<Revise>,
}

#[derive(Debug, Deserialize)]
struct New {
    text: String,
    #[serde(default)]
    passages: Vec<u32>,
    #[serde(default)]
    aspect: String,
}

#[derive(Debug, Deserialize)]
struct Withdraw {
    statement: u32,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Revise {
    statement: u32,
    text: String,
    #[serde(default)]
    passages: Vec<u32>,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Assessed {
    #[serde(default)]
    answer: Option<String>,
    #[serde(default)]
    reliable: bool,
    #[serde(default)]
    missing: Vec<String>,
    #[serde(default)]
    queries: Vec<String>,
}

impl Loop for RetroRag {
    fn name(&self) -> &'static str {
        "retro_rag"
    }

    fn run<'a>(
        &'a self,
        ports: &'a mut Ports<'_>,
        state: &'a mut SearchState,
        guards: &'a mut Guards,
    ) -> BoxFuture<'a, Result<(), TaskError>> {
        Box::pin(self.explore(ports, state, guards))
    }
}

impl RetroRag {
    async fn explore(
        &self,
        ports: &mut Ports<'_>,
        state: &mut SearchState,
        guards: &mut Guards,
    ) -> Result<(), TaskError> {
        let mut ledger = Ledger::default();
        let mut queries = vec![state.question.clone()];
        loop {
            if let Some(stop) = guards.check(ports.cx, state) {
                state.stop = Some(stop);
                return Ok(());
            }
            if state.round >= self.rounds {
                state.stop = Some(Stop::BudgetRounds);
                return Ok(());
            }
            queries.retain(|query| guards.admit(query));
            queries.truncate(self.queries);
            if queries.is_empty() {
                state.stop = Some(Stop::NoProgress);
                return Ok(());
            }
            let set = QuerySet {
                queries: std::mem::take(&mut queries),
                imagined: Vec::new(),
            };
            let k = self.k * set.queries.len();
            let new = retrieve::round(ports, state, "retro_rag", &set, k).await?;
            let changed = self.collate(ports, state, &mut ledger, &new).await?;
            guards.progress(!new.is_empty() || changed);
            let assessed = self.assess(ports, state, &ledger).await?;
            state.missing = assessed.missing;
            let answer = assessed.answer.filter(|a| !is_not_found(a));
            state.draft = Some(Draft {
                text: ledger.in_words(),
                answer: answer.clone(),
            });
            if assessed.reliable && answer.is_some() {
                state.stop = Some(Stop::Answered);
                return Ok(());
            }
            queries = assessed.queries;
        }
    }

    /// Looks at the new passages and, again, at every statement. Gives whether anything changed.
    async fn collate(
        &self,
        ports: &mut Ports<'_>,
        state: &mut SearchState,
        ledger: &mut Ledger,
        new: &[u32],
    ) -> Result<bool, TaskError> {
        // What grows stands in the order in which it grew, and the task last: a round begins with
        // the bytes of the one before.
        let mut prompt = asked_part(opening(&state.whole), state);
        // New passages, and those that active statements rest on: what they may be held against.
        let needed = ledger.passages();
        for shown in &state.evidence {
            if new.contains(&shown.n) || needed.contains(&shown.n) {
                prompt = passage(prompt, shown.n, &shown.passage);
            }
        }
        let prompt = role(with_statements(prompt, ledger), Collate::new().render());
        let ask = ask(
            Role::Reader,
            format!("retro_rag/collate/{}", state.round),
            prompt,
        );
        let collated: Collated =
            complete_json(ports, ask, "collated", schema(), &mut state.usage).await?;
        let mut changed = false;
        for one in collated.withdraw {
            changed |= ledger.withdraw(one.statement, &one.reason);
        }
        for one in collated.revise {
            let sources = cited(state, &one.passages);
            changed |= ledger.revise(one.statement, one.text, sources, &one.reason);
        }
        for one in collated.statements.into_iter().take(20) {
            let sources = cited(state, &one.passages);
            changed |= ledger.add(one.text, sources, one.aspect, state.round);
        }
        for line in ledger.take_changes() {
            ports.cx.emit(Event::Warned {
                message: format!("{}: {line}", state.node),
            });
        }
        Ok(changed)
    }

    async fn assess(
        &self,
        ports: &mut Ports<'_>,
        state: &mut SearchState,
        ledger: &Ledger,
    ) -> Result<Assessed, TaskError> {
        let mut prompt = asked_part(opening(&state.whole), state);
        if ledger.is_thin() {
            for shown in &state.evidence {
                prompt = passage(prompt, shown.n, &shown.passage);
            }
        }
        prompt = with_statements(prompt, ledger);
        for query in &state.tried {
            prompt = note(prompt, "tried query", query.clone());
        }
        let prompt = role(prompt, Assess::new().render());
        let ask = ask(
            Role::Judge,
            format!("retro_rag/assess/{}", state.round),
            prompt,
        );
        complete_json(ports, ask, "assessed", assessed_schema(), &mut state.usage).await
    }
}

fn ask(role: Role, purpose: String, prompt: Prompt) -> Ask {
    Ask {
        role,
        purpose,
        request: Request {
            prompt,
            max_tokens: Some(900),
            temperature: Some(0.0),
            ..Request::default()
        },
    }
}

/// Numbers of retrieved passages only: nothing else can support a statement.
fn cited(state: &SearchState, numbers: &[u32]) -> Vec<u32> {
    numbers
        .iter()
        .copied()
        .filter(|n| state.cited(*n).is_some())
        .collect()
}

fn with_statements(mut prompt: Prompt, ledger: &Ledger) -> Prompt {
    for (n, statement) in ledger.statements() {
        let status = match statement.status {
            Status::Active => "",
            Status::Disputed => " (disputed)",
            Status::Withdrawn => continue,
        };
        let sources: Vec<String> = statement.sources.iter().map(|s| format!("[{s}]")).collect();
        let text = format!("{} {}{status}", statement.text, sources.join(""));
        prompt = note(prompt, &format!("statement {n}"), text);
    }
    prompt
}

fn schema() -> Value {
    let numbers = json!({"type": "array", "items": {"type": "integer"}});
    let list = |properties: Value, required: Value| {
        json!({"type": "array", "items": {
            "type": "object", "properties": properties, "required": required,
            "additionalProperties": false
        }})
    };
    json!({
        "type": "object",
        "properties": {
            "statements": list(
                json!({"text": {"type": "string"}, "passages": numbers, "aspect": {"type": "string"}}),
                json!(["text", "passages", "aspect"])
            ),
            "withdraw": list(
                json!({"statement": {"type": "integer"}, "reason": {"type": "string"}}),
                json!(["statement", "reason"])
            ),
            "revise": list(
                json!({"statement": {"type": "integer"}, "text": {"type": "string"},
                       "passages": numbers, "reason": {"type": "string"}}),
                json!(["statement", "text", "passages", "reason"])
            )
        },
        "required": ["statements", "withdraw", "revise"], "additionalProperties": false
    })
}

fn assessed_schema() -> Value {
    let strings = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "type": "object",
        "properties": {
            "answer": {"type": ["string", "null"]}, "reliable": {"type": "boolean"},
            "missing": strings, "queries": strings
        },
        "required": ["answer", "reliable", "missing", "queries"], "additionalProperties": false
    })
}
