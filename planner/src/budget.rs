//! What a run may still spend: what is spent, what is held for work under way, and what is kept
//! back so that a report can be written whatever happens.

use std::collections::BTreeMap;

use indago_core::{Budget, Event, NodeId, Spend, Usage};
use serde::{Deserialize, Serialize};

/// Part of each budget that searches may not touch: a tenth.
const RESERVE: u64 = 10;
/// Most of the wall time that is kept back, in milliseconds.
const MOST_RESERVED_MS: u64 = 60_000;
/// Spent share from which a warning is given, in percent.
const WARN_AT: u64 = 80;

/// What one sub-question may spend: held for it while work on it goes on. `None` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Retrieval queries.
    pub queries: u32,
    /// Language-model calls.
    pub lm_calls: Option<u64>,
    /// Language-model tokens, in and out.
    pub lm_tokens: Option<u64>,
    /// Millionths of a US dollar.
    pub money_micros: Option<u64>,
    /// Pages fetched.
    pub pages: Option<u64>,
    /// Milliseconds from now.
    pub wall_ms: Option<u64>,
}

/// The budgets that are sums over calls. Wall time passes by itself.
const SUMS: [Spend; 5] = [
    Spend::Queries,
    Spend::LmCalls,
    Spend::LmTokens,
    Spend::Money,
    Spend::Pages,
];

/// Keeps the books of one run.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    budget: Budget,
    started_ms: u64,
    /// When the run was paused, while it is.
    paused_at: Option<u64>,
    spent: Usage,
    held: BTreeMap<NodeId, Share>,
    /// Sums over `held`, in the order of [`SUMS`].
    held_sums: [u64; SUMS.len()],
    /// What was warned of, with the percentage.
    warned: BTreeMap<Spend, u64>,
}

impl Account {
    pub(crate) fn new(budget: Budget, now_ms: u64) -> Self {
        Self {
            budget,
            started_ms: now_ms,
            paused_at: None,
            spent: Usage::default(),
            held: BTreeMap::new(),
            held_sums: [0; SUMS.len()],
            warned: BTreeMap::new(),
        }
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Replaces the limits; what is held stays held, and what was warned of may be warned of again.
    pub(crate) fn set_budget(&mut self, budget: Budget) {
        self.budget = budget;
        self.warned.clear();
    }

    /// Spent so far; wall time up to `now_ms`, without pauses.
    pub(crate) fn usage(&self, now_ms: u64) -> Usage {
        Usage {
            wall_ms: self.elapsed_ms(now_ms),
            ..self.spent
        }
    }

    pub(crate) fn elapsed_ms(&self, now_ms: u64) -> u64 {
        self.paused_at
            .unwrap_or(now_ms)
            .min(now_ms)
            .saturating_sub(self.started_ms)
    }

    pub(crate) fn pause(&mut self, now_ms: u64) {
        self.paused_at.get_or_insert(now_ms);
    }

    pub(crate) fn resume(&mut self, now_ms: u64) {
        if let Some(at) = self.paused_at.take() {
            self.started_ms = self.started_ms.saturating_add(now_ms.saturating_sub(at));
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused_at.is_some()
    }

    /// Milliseconds until searching ends for lack of time; `None` without a limit.
    pub(crate) fn search_left_ms(&self, now_ms: u64) -> Option<u64> {
        let limit = self.budget.wall_ms?;
        Some((limit - wall_reserve(limit)).saturating_sub(self.elapsed_ms(now_ms)))
    }

    /// Milliseconds until the run's time is over; `None` without a limit.
    pub(crate) fn wall_left_ms(&self, now_ms: u64) -> Option<u64> {
        let limit = self.budget.wall_ms?;
        Some(limit.saturating_sub(self.elapsed_ms(now_ms)))
    }

    /// Holds a share for `node`: what is left for searching, divided among `waiting` nodes. `None`
    /// when nothing is left of something.
    pub(crate) fn hold(&mut self, node: NodeId, waiting: u32, now_ms: u64) -> Option<Share> {
        let share = self.share(waiting, now_ms)?;
        self.held.insert(node, share);
        for (sum, what) in self.held_sums.iter_mut().zip(SUMS) {
            *sum = sum.saturating_add(of_share(&share, what).unwrap_or(0));
        }
        Some(share)
    }

    fn share(&self, waiting: u32, now_ms: u64) -> Option<Share> {
        let waiting = u64::from(waiting.max(1));
        let part = |what: Spend, per_node: Option<u64>| match self.left(what) {
            Some(0) => None,
            Some(left) => Some(Some(
                left.div_ceil(waiting).min(per_node.unwrap_or(u64::MAX)),
            )),
            None => Some(per_node),
        };
        let node = self.budget.node;
        Some(Share {
            queries: u32::try_from(part(Spend::Queries, node.queries)?.unwrap_or(u64::MAX))
                .unwrap_or(u32::MAX),
            lm_calls: part(Spend::LmCalls, node.lm_calls)?,
            lm_tokens: part(Spend::LmTokens, node.lm_tokens)?,
            money_micros: part(Spend::Money, node.money_micros)?,
            pages: part(Spend::Pages, node.pages)?,
            wall_ms: match (self.search_left_ms(now_ms), node.wall_ms) {
                (Some(left), Some(most)) => Some(left.min(most)),
                (left, most) => left.or(most),
            },
        })
    }

    /// Gives a share back.
    pub(crate) fn release(&mut self, node: NodeId) {
        if let Some(share) = self.held.remove(&node) {
            for (sum, what) in self.held_sums.iter_mut().zip(SUMS) {
                *sum = sum.saturating_sub(of_share(&share, what).unwrap_or(0));
            }
        }
    }

    pub(crate) fn spend(&mut self, usage: Usage) {
        // Wall time is read off the clock, not summed over searches that overlap.
        self.spent += Usage {
            wall_ms: 0,
            ..usage
        };
    }

    /// Neither spent, nor held, nor kept back; `None` without a limit.
    pub(crate) fn left(&self, what: Spend) -> Option<u64> {
        let limit = self.limit(what)?;
        let held = SUMS
            .iter()
            .position(|one| *one == what)
            .map_or(0, |i| self.held_sums[i]);
        let taken = self
            .spent_of(what)
            .saturating_add(held)
            .saturating_add(reserve(what, limit));
        Some(limit.saturating_sub(taken))
    }

    /// What of the run's budget is left for the writer: what searches may not touch, and what they
    /// did not use.
    pub(crate) fn remainder(&self, now_ms: u64) -> Share {
        let left = |what: Spend| {
            self.limit(what)
                .map(|limit| limit.saturating_sub(self.spent_of(what)))
        };
        Share {
            queries: u32::try_from(left(Spend::Queries).unwrap_or(0)).unwrap_or(u32::MAX),
            lm_calls: left(Spend::LmCalls),
            lm_tokens: left(Spend::LmTokens),
            money_micros: left(Spend::Money),
            pages: left(Spend::Pages),
            wall_ms: self.wall_left_ms(now_ms),
        }
    }

    /// The first budget of which nothing is left for searching, and whether it is the time.
    pub(crate) fn exhausted(&self, now_ms: u64) -> Option<Spend> {
        if self.search_left_ms(now_ms) == Some(0) {
            return Some(Spend::WallTime);
        }
        SUMS.into_iter().find(|what| {
            self.limit(*what).is_some_and(|limit| {
                self.spent_of(*what).saturating_add(reserve(*what, limit)) >= limit
            })
        })
    }

    /// One event for each budget of which 80%, and one for each of which all is spent since the
    /// last look. `nodes` is the size of the graph.
    pub(crate) fn warnings(&mut self, nodes: u64, now_ms: u64) -> Vec<Event> {
        let wall = self.elapsed_ms(now_ms);
        let all = SUMS
            .into_iter()
            .chain([Spend::WallTime, Spend::Nodes])
            .filter_map(|what| {
                let spent = match what {
                    Spend::WallTime => wall,
                    Spend::Nodes => nodes,
                    sum => self.spent_of(sum),
                };
                Some((what, spent, self.limit(what)?))
            })
            .collect::<Vec<_>>();
        let mut events = Vec::new();
        for (what, spent, limit) in all {
            let Some(percent) = mark(spent, limit) else {
                continue;
            };
            // A plan of one node fills a budget of one node: nothing to warn of.
            let is_news = self.warned.get(&what).is_none_or(|told| *told < percent)
                && !(what == Spend::Nodes && limit <= 1);
            if is_news {
                self.warned.insert(what, percent);
                events.push(Event::Spent {
                    node: None,
                    what,
                    spent,
                    limit,
                });
            }
        }
        events
    }

    /// One event for each limit of its own of which `node` spent at least 80%, in `usage`.
    pub(crate) fn node_warnings(&self, node: NodeId, usage: &Usage) -> Vec<Event> {
        let own = self.budget.node;
        let limits = [
            (Spend::Queries, own.queries),
            (Spend::LmCalls, own.lm_calls),
            (Spend::LmTokens, own.lm_tokens),
            (Spend::Money, own.money_micros),
            (Spend::Pages, own.pages),
        ];
        let spent = limits
            .into_iter()
            .filter_map(|(what, limit)| Some((what, of_usage(usage, what), limit?)));
        spent
            .filter(|(_, spent, limit)| mark(*spent, *limit).is_some())
            .map(|(what, spent, limit)| Event::Spent {
                node: Some(node),
                what,
                spent,
                limit,
            })
            .collect()
    }

    /// Milliseconds of its own time after which a sub-question is warned of.
    pub(crate) fn slow_after_ms(&self) -> Option<u64> {
        self.budget
            .node
            .wall_ms
            .map(|limit| limit / 100 * WARN_AT + limit % 100 * WARN_AT / 100)
    }

    fn limit(&self, what: Spend) -> Option<u64> {
        match what {
            Spend::Queries => Some(u64::from(self.budget.queries)),
            Spend::LmCalls => self.budget.lm_calls,
            Spend::LmTokens => self.budget.lm_tokens,
            Spend::Money => self.budget.money_micros,
            Spend::Pages => self.budget.pages,
            Spend::WallTime => self.budget.wall_ms,
            Spend::Nodes => Some(u64::from(self.budget.nodes)),
        }
    }

    fn spent_of(&self, what: Spend) -> u64 {
        of_usage(&self.spent, what)
    }
}

/// The share of `limit` that is to be told of, in percent: all of it, most of it, or `None`.
fn mark(spent: u64, limit: u64) -> Option<u64> {
    if spent == 0 {
        return None;
    }
    if spent >= limit {
        return Some(100);
    }
    (u128::from(spent) * 100 >= u128::from(limit) * u128::from(WARN_AT)).then_some(WARN_AT)
}

fn of_usage(usage: &Usage, what: Spend) -> u64 {
    match what {
        Spend::Queries => usage.queries,
        Spend::LmCalls => usage.lm_calls,
        Spend::LmTokens => usage.lm_tokens,
        Spend::Money => usage.money_micros,
        Spend::Pages => usage.pages,
        Spend::WallTime | Spend::Nodes => 0,
    }
}

fn of_share(share: &Share, what: Spend) -> Option<u64> {
    match what {
        Spend::Queries => Some(u64::from(share.queries)),
        Spend::LmCalls => share.lm_calls,
        Spend::LmTokens => share.lm_tokens,
        Spend::Money => share.money_micros,
        Spend::Pages => share.pages,
        Spend::WallTime => share.wall_ms,
        Spend::Nodes => None,
    }
}

/// Kept back for the report. Writing sends no query and fetches no page.
fn reserve(what: Spend, limit: u64) -> u64 {
    match what {
        Spend::LmCalls => limit.div_ceil(RESERVE).min(limit),
        Spend::LmTokens | Spend::Money => limit / RESERVE,
        Spend::WallTime => wall_reserve(limit),
        Spend::Queries | Spend::Pages | Spend::Nodes => 0,
    }
}

fn wall_reserve(limit: u64) -> u64 {
    (limit / RESERVE).min(MOST_RESERVED_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        let budget = Budget {
            queries: 20,
            lm_tokens: Some(1_000),
            lm_calls: Some(5),
            wall_ms: Some(10_000),
            ..Budget::STANDARD
        };
        Account::new(budget, 5_000)
    }

    #[test]
    fn shares_are_held_until_they_are_given_back_and_the_reserve_is_never_shared() {
        let mut account = account();
        let first = account.hold(NodeId(1), 3, 5_000).unwrap();
        assert_eq!(first.queries, 7);
        assert_eq!(first.lm_tokens, Some(300), "a tenth is kept back");
        assert_eq!(first.lm_calls, Some(2), "one call of five is kept back");
        assert_eq!(account.left(Spend::Queries), Some(13));
        account.release(NodeId(1));
        account.spend(Usage {
            queries: 2,
            lm_tokens: 900,
            ..Usage::default()
        });
        assert_eq!(account.left(Spend::Queries), Some(18));
        assert_eq!(
            account.hold(NodeId(2), 1, 5_000),
            None,
            "no tokens are left"
        );
        assert_eq!(account.exhausted(5_000), Some(Spend::LmTokens));
        assert_eq!(account.remainder(5_000).lm_tokens, Some(100));
        assert_eq!(account.remainder(5_000).lm_calls, Some(5));
    }

    #[test]
    fn a_pause_costs_no_time() {
        let mut account = account();
        account.pause(6_000);
        assert_eq!(account.elapsed_ms(60_000), 1_000);
        account.resume(60_000);
        assert_eq!(account.elapsed_ms(61_000), 2_000);
        assert_eq!(account.search_left_ms(61_000), Some(7_000));
    }

    #[test]
    fn each_budget_is_warned_of_at_80_percent_and_at_its_end_once() {
        let mut account = account();
        assert_eq!(account.warnings(1, 5_000), []);
        account.spend(Usage {
            queries: 16,
            ..Usage::default()
        });
        let warned = account.warnings(1, 13_500);
        assert_eq!(
            warned,
            [
                Event::Spent {
                    node: None,
                    what: Spend::Queries,
                    spent: 16,
                    limit: 20
                },
                Event::Spent {
                    node: None,
                    what: Spend::WallTime,
                    spent: 8_500,
                    limit: 10_000
                }
            ]
        );
        assert_eq!(account.warnings(1, 13_600), []);
        account.spend(Usage {
            queries: 9,
            ..Usage::default()
        });
        assert_eq!(account.warnings(1, 13_700).len(), 1);
    }

    #[test]
    fn a_limit_of_one_sub_question_is_warned_of_at_80_percent() {
        let mut account = account();
        account.budget.node = indago_core::NodeBudget {
            lm_calls: Some(5),
            pages: Some(0),
            wall_ms: Some(1_010),
            ..indago_core::NodeBudget::STANDARD
        };
        let usage = |lm_calls| Usage {
            lm_calls,
            queries: 1_000,
            ..Usage::default()
        };
        let calls = |spent| Event::Spent {
            node: Some(NodeId(3)),
            what: Spend::LmCalls,
            spent,
            limit: 5,
        };
        let warned = |spent| account.node_warnings(NodeId(3), &usage(spent));
        assert_eq!(warned(3), [], "nor of what may not be spent and was not");
        assert_eq!(warned(4), [calls(4)]);
        assert_eq!(warned(6), [calls(6)]);
        assert_eq!(account.slow_after_ms(), Some(808));
    }
}
