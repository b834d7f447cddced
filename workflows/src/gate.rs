//! Slots of scarce resources for all runs of a process, over [`indago_planner::slots`].
//!
//! A [`Gate`] stands before language models, the web, retrievers and the CPU pool. A search asks it
//! for a permit before each call and holds it while the call goes on; who waits longest in the plan
//! goes first, and runs take turns. Nothing here is recorded: it decides *when* a call is made,
//! never what comes of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indago_core::ports::{BoxFuture, Library, NameHit, RetrieveError, SpanScores};
use indago_core::{Hit, IndexCoverage, NodeId, Passage, PassageId, Query, Quote, RunId};
use indago_planner::slots::{Call, Resource, RunNumber, SlotLimits, Slots, Ticket};
use tokio::sync::oneshot;

/// Hands out permits. Clones share the slots.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    slots: Slots,
    waiting: HashMap<Ticket, oneshot::Sender<()>>,
    runs: HashMap<RunId, RunSeat>,
    next_run: RunNumber,
}

#[derive(Debug)]
struct RunSeat {
    number: RunNumber,
    ranks: HashMap<NodeId, u64>,
}

impl Default for Gate {
    fn default() -> Self {
        Self::new(SlotLimits::default())
    }
}

impl Gate {
    /// All slots free.
    pub fn new(limits: SlotLimits) -> Self {
        Self(Arc::new(Mutex::new(State {
            slots: Slots::new(limits),
            waiting: HashMap::new(),
            runs: HashMap::new(),
            next_run: 0,
        })))
    }

    /// Notes how long the path is that waits for `node`, in expected milliseconds.
    pub fn rank(&self, run: &RunId, node: NodeId, rank: u64) {
        self.state().seat(run).ranks.insert(node, rank);
    }

    /// Forgets a run that has ended.
    pub fn forget(&self, run: &RunId) {
        self.state().runs.remove(run);
    }

    /// The number of a run and the rank of one of its nodes.
    fn place(&self, run: &RunId, node: NodeId) -> (RunNumber, u64) {
        let mut state = self.state();
        let seat = state.seat(run);
        (seat.number, seat.ranks.get(&node).copied().unwrap_or(0))
    }

    /// A call for `node` of `run`; one for no node goes first, as the whole run waits for it.
    pub(crate) fn call(&self, run: &RunId, node: Option<NodeId>, resource: Resource) -> Call {
        let (number, rank) = self.place(run, node.unwrap_or(NodeId(0)));
        Call {
            run: number,
            resource,
            rank: if node.is_some() { rank } else { u64::MAX },
            is_ahead: false,
        }
    }

    /// Waits for a slot. Dropping the future gives up its place.
    pub async fn acquire(&self, call: Call) -> Permit {
        let (ticket, ready) = {
            let mut state = self.state();
            let ticket = state.slots.request(call);
            state.grant(call.resource, Some(ticket))
        };
        // From here on a drop gives the place or the slot back.
        let permit = Permit {
            gate: self.clone(),
            ticket,
        };
        if let Some(ready) = ready {
            // The sender lives in the state as long as the ticket waits.
            let _granted = ready.await;
        }
        permit
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Maps and counters are sound whatever panicked beside them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn seat(&mut self, run: &RunId) -> &mut RunSeat {
        if !self.runs.contains_key(run) {
            let number = self.next_run;
            self.next_run += 1;
            let seat = RunSeat {
                number,
                ranks: HashMap::new(),
            };
            self.runs.insert(run.clone(), seat);
        }
        self.runs.entry(run.clone()).or_insert_with(|| RunSeat {
            number: 0,
            ranks: HashMap::new(),
        })
    }

    /// Lets go on whom there is a slot for. `asked` is told apart: it needs no message when it is
    /// among them, and a place to wait when it is not.
    fn grant(
        &mut self,
        resource: Resource,
        asked: Option<Ticket>,
    ) -> (Ticket, Option<oneshot::Receiver<()>>) {
        let mut is_granted = false;
        while let Some(ticket) = self.slots.grant(resource) {
            if Some(ticket) == asked {
                is_granted = true;
            } else if let Some(waiting) = self.waiting.remove(&ticket) {
                // A receiver that is gone releases its ticket itself.
                let _gone = waiting.send(());
            }
        }
        match asked {
            Some(ticket) if !is_granted => {
                let (tell, ready) = oneshot::channel();
                self.waiting.insert(ticket, tell);
                (ticket, Some(ready))
            }
            ticket => (ticket.unwrap_or(Ticket::NONE), None),
        }
    }
}

/// A slot, held until it is dropped.
#[derive(Debug)]
pub struct Permit {
    gate: Gate,
    ticket: Ticket,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.gate.state();
        state.waiting.remove(&self.ticket);
        let resource = state.slots.call(self.ticket).map(|call| call.resource);
        state.slots.release(self.ticket);
        if let Some(resource) = resource {
            state.grant(resource, None);
        }
    }
}

/// A library whose calls wait for their slots.
pub(crate) struct GatedLibrary {
    inner: Arc<dyn Library>,
    gate: Gate,
    run: RunNumber,
    rank: u64,
    is_ahead: bool,
}

impl GatedLibrary {
    /// For the search of `node` in `run`; `is_ahead` when nobody needs its results yet.
    pub(crate) fn new(
        inner: Arc<dyn Library>,
        gate: &Gate,
        run: &RunId,
        node: NodeId,
        is_ahead: bool,
    ) -> Self {
        let (run, rank) = gate.place(run, node);
        Self {
            inner,
            gate: gate.clone(),
            run,
            rank,
            is_ahead,
        }
    }

    fn on<'a, T: 'a>(
        &'a self,
        resource: Resource,
        call: BoxFuture<'a, Result<T, RetrieveError>>,
    ) -> BoxFuture<'a, Result<T, RetrieveError>> {
        let asked = Call {
            run: self.run,
            resource,
            rank: self.rank,
            is_ahead: self.is_ahead,
        };
        Box::pin(async move {
            let _permit = self.gate.acquire(asked).await;
            call.await
        })
    }
}

impl Library for GatedLibrary {
    fn search(
        &self,
        queries: Vec<Query>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<Hit>>, RetrieveError>> {
        let call: BoxFuture<'_, _> = Box::pin(async move { self.inner.search(queries, k).await });
        self.on(Resource::Retriever, call)
    }

    fn passages(&self, ids: Vec<PassageId>) -> BoxFuture<'_, Result<Vec<Passage>, RetrieveError>> {
        self.inner.passages(ids)
    }

    fn defining(
        &self,
        names: Vec<String>,
        k: usize,
    ) -> BoxFuture<'_, Result<Vec<Vec<NameHit>>, RetrieveError>> {
        self.inner.defining(names, k)
    }

    fn frequencies(&self, terms: Vec<String>) -> BoxFuture<'_, Result<Vec<u64>, RetrieveError>> {
        self.inner.frequencies(terms)
    }

    fn similarity(
        &self,
        query: String,
        texts: Vec<String>,
    ) -> BoxFuture<'_, Result<Vec<f32>, RetrieveError>> {
        let call: BoxFuture<'_, _> =
            Box::pin(async move { self.inner.similarity(query, texts).await });
        self.on(Resource::Cpu, call)
    }

    fn read_spans(
        &self,
        question: String,
        passages: Vec<PassageId>,
    ) -> BoxFuture<'_, Result<Vec<(PassageId, SpanScores)>, RetrieveError>> {
        let call: BoxFuture<'_, _> =
            Box::pin(async move { self.inner.read_spans(question, passages).await });
        self.on(Resource::Cpu, call)
    }

    fn reread(&self, quote: Quote) -> BoxFuture<'_, Result<Option<String>, RetrieveError>> {
        self.inner.reread(quote)
    }

    fn coverage(&self) -> IndexCoverage {
        self.inner.coverage()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(rank: u64) -> Call {
        Call {
            run: 0,
            resource: Resource::Web,
            rank,
            is_ahead: false,
        }
    }

    #[tokio::test]
    async fn permits_come_in_the_order_of_rank_and_a_dropped_wait_takes_none() {
        let gate = Gate::new(SlotLimits {
            web: 1,
            ..SlotLimits::default()
        });
        let first = gate.acquire(call(0)).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for rank in [1, 3, 2] {
            let (gate, order) = (gate.clone(), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let _permit = gate.acquire(call(rank)).await;
                order.lock().unwrap().push(rank);
            }));
            tokio::task::yield_now().await;
        }
        let given_up = tokio::spawn({
            let gate = gate.clone();
            async move { drop(gate.acquire(call(9)).await) }
        });
        tokio::task::yield_now().await;
        given_up.abort();
        let _aborted = given_up.await;
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [3, 2, 1]);
        assert!(gate.state().slots.is_empty() && gate.state().waiting.is_empty());
    }
}
