//! Calls of many searches on few resources: who may call next.
//!
//! Each resource (a language model, the web, a retriever, the CPU) has so many slots. A call asks
//! for one and gets it when one is free. Runs of one process share slots fairly: the next one goes
//! to the run that holds fewest, and within a run to the call on the longest remaining path. Work
//! done ahead gets a slot only when nobody else waits for one.
//!
//! A pure machine, as [`crate::Planner`] is: no runtime, no clock.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

/// What calls compete for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Calls to language models.
    LanguageModel,
    /// Web searches and page fetches.
    Web,
    /// Retrieval from indexes.
    Retriever,
    /// Arithmetic on this machine: encoding, comparing, reading.
    Cpu,
}

impl Resource {
    const ALL: [Self; 4] = [Self::LanguageModel, Self::Web, Self::Retriever, Self::Cpu];
}

/// Slots of each resource, at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SlotLimits {
    /// Language-model calls at once.
    pub language_model: u32,
    /// Web requests at once.
    pub web: u32,
    /// Retrieval calls at once.
    pub retriever: u32,
    /// Calls to the CPU pool at once.
    pub cpu: u32,
}

impl Default for SlotLimits {
    /// What one remote model, a polite crawler and a small machine take.
    fn default() -> Self {
        Self {
            language_model: 16,
            web: 16,
            retriever: 32,
            cpu: 32,
        }
    }
}

impl SlotLimits {
    fn of(&self, resource: Resource) -> u32 {
        let slots = match resource {
            Resource::LanguageModel => self.language_model,
            Resource::Web => self.web,
            Resource::Retriever => self.retriever,
            Resource::Cpu => self.cpu,
        };
        slots.max(1)
    }
}

/// A call that waits for a slot or holds one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

impl Ticket {
    /// A ticket that no call has.
    pub const NONE: Self = Self(u64::MAX);
}

/// Which run a call belongs to, as its process numbers them.
pub type RunNumber = u64;

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// For whom.
    pub run: RunNumber,
    /// On what.
    pub resource: Resource,
    /// Expected milliseconds of the path that waits for this call.
    pub rank: u64,
    /// Whether it is done ahead: its result may never be needed.
    pub is_ahead: bool,
}

/// Whose turn a run's calls are in: those that are needed before those done ahead.
#[derive(Debug, Default)]
struct Waiting {
    calls: BTreeSet<(bool, Reverse<u64>, Ticket)>,
}

#[derive(Debug, Default)]
struct Pool {
    free: u32,
    waiting: HashMap<RunNumber, Waiting>,
    /// Runs with calls that wait: needed ones first, then by slots held, then by calls served.
    turns: BTreeSet<(bool, u32, u64, RunNumber)>,
    held: HashMap<RunNumber, (u32, u64)>,
}

impl Pool {
    fn turn(&self, run: RunNumber) -> Option<(bool, u32, u64, RunNumber)> {
        let first = self.waiting.get(&run)?.calls.first()?;
        let (held, served) = self.held.get(&run).copied().unwrap_or_default();
        Some((first.0, held, served, run))
    }

    /// Changes what is known of a run and keeps its turn in step.
    fn update(&mut self, run: RunNumber, change: impl FnOnce(&mut Self)) {
        if let Some(turn) = self.turn(run) {
            self.turns.remove(&turn);
        }
        change(self);
        if let Some(turn) = self.turn(run) {
            self.turns.insert(turn);
        } else {
            self.waiting.remove(&run);
            // A run with nothing held and nothing waiting is forgotten, so that the map stays
            // small; its past use with it.
            if self.held.get(&run).is_some_and(|(held, _)| *held == 0) {
                self.held.remove(&run);
            }
        }
    }
}

/// Grants slots to calls.
#[derive(Debug)]
pub struct Slots {
    pools: BTreeMap<Resource, Pool>,
    calls: HashMap<Ticket, (Call, bool)>,
    next: u64,
}

impl Slots {
    /// All slots free.
    pub fn new(limits: SlotLimits) -> Self {
        let pool = |resource| Pool {
            free: limits.of(resource),
            ..Pool::default()
        };
        Self {
            pools: Resource::ALL
                .into_iter()
                .map(|resource| (resource, pool(resource)))
                .collect(),
            calls: HashMap::new(),
            next: 0,
        }
    }

    /// Takes a call in; [`Slots::grant`] says when it may go on.
    pub fn request(&mut self, call: Call) -> Ticket {
        let ticket = Ticket(self.next);
        self.next += 1;
        self.calls.insert(ticket, (call, false));
        if let Some(pool) = self.pools.get_mut(&call.resource) {
            pool.update(call.run, |pool| {
                pool.waiting.entry(call.run).or_default().calls.insert((
                    call.is_ahead,
                    Reverse(call.rank),
                    ticket,
                ));
            });
        }
        ticket
    }

    /// The next call on `resource` that may go on: it holds a slot from now on.
    pub fn grant(&mut self, resource: Resource) -> Option<Ticket> {
        let pool = self.pools.get_mut(&resource)?;
        if pool.free == 0 {
            return None;
        }
        let run = pool.turns.first()?.3;
        let first = *pool.waiting.get(&run)?.calls.first()?;
        pool.free -= 1;
        pool.update(run, |pool| {
            if let Some(waiting) = pool.waiting.get_mut(&run) {
                waiting.calls.remove(&first);
            }
            let held = pool.held.entry(run).or_default();
            held.0 += 1;
            held.1 += 1;
        });
        if let Some(call) = self.calls.get_mut(&first.2) {
            call.1 = true;
        }
        Some(first.2)
    }

    /// The call is over, or nobody waits for it any more. Unknown tickets are ignored.
    pub fn release(&mut self, ticket: Ticket) {
        let Some((call, holds_slot)) = self.calls.remove(&ticket) else {
            return;
        };
        let Some(pool) = self.pools.get_mut(&call.resource) else {
            return;
        };
        if holds_slot {
            pool.free += 1;
        }
        pool.update(call.run, |pool| {
            if holds_slot {
                if let Some(held) = pool.held.get_mut(&call.run) {
                    held.0 = held.0.saturating_sub(1);
                }
            } else if let Some(waiting) = pool.waiting.get_mut(&call.run) {
                waiting
                    .calls
                    .remove(&(call.is_ahead, Reverse(call.rank), ticket));
            }
        });
    }

    /// What a call waits for or holds.
    pub fn call(&self, ticket: Ticket) -> Option<Call> {
        self.calls.get(&ticket).map(|(call, _)| *call)
    }

    /// Slots of `resource` that nobody holds.
    pub fn free(&self, resource: Resource) -> u32 {
        self.pools.get(&resource).map_or(0, |pool| pool.free)
    }

    /// Calls that wait for a slot or hold one.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    /// Whether nobody waits for a slot or holds one.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(run: RunNumber, rank: u64) -> Call {
        Call {
            run,
            resource: Resource::LanguageModel,
            rank,
            is_ahead: false,
        }
    }

    fn slots(n: u32) -> Slots {
        Slots::new(SlotLimits {
            language_model: n,
            ..SlotLimits::default()
        })
    }

    #[test]
    fn the_longest_path_of_a_run_goes_first_and_slots_are_never_exceeded() {
        let mut slots = slots(2);
        let low = slots.request(call(1, 5));
        let high = slots.request(call(1, 50));
        let middle = slots.request(call(1, 20));
        let lm = Resource::LanguageModel;
        assert_eq!(slots.grant(lm), Some(high));
        assert_eq!(slots.grant(lm), Some(middle));
        assert_eq!(slots.grant(lm), None);
        slots.release(high);
        assert_eq!(slots.grant(lm), Some(low));
        slots.release(middle);
        slots.release(low);
        assert!(slots.is_empty());
        assert_eq!(slots.free(lm), 2);
    }

    #[test]
    fn a_small_run_does_not_wait_for_a_big_one() {
        let mut slots = slots(4);
        let big: Vec<Ticket> = (0..100)
            .map(|i| slots.request(call(1, 1_000 + i)))
            .collect();
        let lm = Resource::LanguageModel;
        let mut held: Vec<Ticket> = (0..4).filter_map(|_| slots.grant(lm)).collect();
        assert!(held.iter().all(|ticket| big.contains(ticket)));
        let small: Vec<Ticket> = (0..2).map(|_| slots.request(call(2, 1))).collect();
        for expected in small {
            slots.release(held.remove(0));
            assert_eq!(slots.grant(lm), Some(expected));
        }
    }

    #[test]
    fn work_ahead_waits_for_everybody() {
        let mut slots = slots(1);
        let ahead = slots.request(Call {
            is_ahead: true,
            ..call(1, 1_000)
        });
        let needed = slots.request(call(2, 1));
        let lm = Resource::LanguageModel;
        assert_eq!(slots.grant(lm), Some(needed));
        slots.release(needed);
        let own = slots.request(call(1, 1));
        assert_eq!(slots.grant(lm), Some(own));
        slots.release(own);
        assert_eq!(slots.grant(lm), Some(ahead));
    }

    #[test]
    fn a_call_that_is_given_up_while_it_waits_is_never_granted() {
        let mut slots = slots(1);
        let first = slots.request(call(1, 1));
        let given_up = slots.request(call(1, 9));
        slots.release(given_up);
        slots.release(given_up);
        assert_eq!(slots.grant(Resource::LanguageModel), Some(first));
        slots.release(first);
        assert!(slots.is_empty());
        assert!(
            slots.pools.values().all(|pool| pool.held.is_empty()
                && pool.waiting.is_empty()
                && pool.turns.is_empty())
        );
    }
}
