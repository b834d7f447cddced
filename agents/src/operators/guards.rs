//! The guards that every loop runs under, whatever its model wants.

use indago_core::ports::TaskCtx;

use super::state::{SearchState, Stop};
use crate::Limits;

/// What makes two queries the same: their words, in any order and case, without function words.
fn key(query: &str) -> String {
    let mut words: Vec<String> = indago_text::words(query)
        .into_iter()
        .map(|range| query[range].to_lowercase())
        .filter(|word| !indago_text::is_function_word(word))
        .collect();
    words.sort();
    words.dedup();
    if words.is_empty() {
        query.trim().to_lowercase()
    } else {
        words.join(" ")
    }
}

/// Rounds in a row that may bring nothing new.
const STALLED: u32 = 2;

/// Bounds a loop: rounds, retrieval queries, model calls and tokens, time, repeated queries, rounds
/// without progress.
#[derive(Clone, Debug)]
pub struct Guards {
    limits: Limits,
    started_ms: u64,
    stalled: u32,
    asked: Vec<String>,
}

impl Guards {
    /// Guards that begin now.
    pub fn new(cx: &mut dyn TaskCtx, limits: Limits) -> Self {
        Self {
            limits,
            started_ms: cx.now_ms(),
            stalled: 0,
            asked: Vec::new(),
        }
    }

    /// What is bounded.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What is left of the limits; `None` when no further round may begin.
    pub fn left(&self, cx: &mut dyn TaskCtx, state: &SearchState) -> Option<Limits> {
        if self.check(cx, state).is_some() {
            return None;
        }
        let queries = u32::try_from(state.usage.queries).unwrap_or(u32::MAX);
        let spent_ms = cx.now_ms().saturating_sub(self.started_ms);
        Some(Limits {
            rounds: self.limits.rounds.saturating_sub(state.round),
            queries: self.limits.queries.saturating_sub(queries),
            wall_ms: self.limits.wall_ms.map(|ms| ms.saturating_sub(spent_ms)),
            ..self.limits
        })
    }

    /// Why no further round may begin; `None` when it may.
    pub fn check(&self, cx: &mut dyn TaskCtx, state: &SearchState) -> Option<Stop> {
        if let Some(limit) = self.limits.wall_ms
            && cx.now_ms().saturating_sub(self.started_ms) >= limit
        {
            return Some(Stop::Deadline);
        }
        if state.round >= self.limits.rounds {
            return Some(Stop::BudgetRounds);
        }
        if state.usage.queries >= u64::from(self.limits.queries) {
            return Some(Stop::BudgetQueries);
        }
        if let Some(stop) = self.spent(state) {
            return Some(stop);
        }
        (self.stalled >= STALLED).then_some(Stop::NoProgress)
    }

    /// Whether calls or tokens are used up.
    pub fn spent(&self, state: &SearchState) -> Option<Stop> {
        let over = |limit: Option<u64>, spent: u64| limit.is_some_and(|limit| spent >= limit);
        (over(self.limits.lm_calls, state.usage.lm_calls)
            || over(self.limits.lm_tokens, state.usage.lm_tokens)
            || over(self.limits.money_micros, state.usage.money_micros))
        .then_some(Stop::BudgetTokens)
    }

    /// Notes a query; `false` when the same words were asked before.
    pub fn admit(&mut self, query: &str) -> bool {
        let key = key(query);
        if self.asked.contains(&key) {
            return false;
        }
        self.asked.push(key);
        true
    }

    /// Notes whether a round brought anything new.
    pub fn progress(&mut self, any: bool) {
        self.stalled = if any { 0 } else { self.stalled + 1 };
    }
}
