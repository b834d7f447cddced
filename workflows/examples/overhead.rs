//! What the scheduler itself costs: random graphs of calls with simulated latencies.
//!
//! The same graph, the same policy (ready calls wait in [`Slots`], the longest remaining path
//! first) and the same limits: in virtual time with no overhead at all (the schedule that the others
//! are held against), in real time on tokio alone, and through the engine with every call a
//! journaled task, in real time and on tokio's virtual clock. On the latter nothing sleeps, so its
//! CPU time is what the engine takes, whatever else the machine does. Also the plain bound
//! max(critical path, work / slots).
//!
//! `cargo run --release -p indago-workflows --example overhead -- [nodes …]` prints one row each;
//! `--graph N` prints a graph as JSON for `benches/scheduler.py`, which runs the same one with
//! other schedulers.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement prints and may fail"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indago_core::RunId;
use indago_core::ports::{
    RunEngine as _, RunSpec, StepKey, TaskCtx, TaskCtxExt as _, TaskKey, TaskSet,
};
use indago_planner::slots::{Call, Resource, SlotLimits, Slots};
use indago_workflows::journal::{Durability, Journal, MemoryJournal};
use indago_workflows::{Engine, Registry, SqliteJournal, TaskFuture};
use serde_json::{Value, json};

/// Calls at once.
const SLOTS: u32 = 32;
const SEED: u64 = 20_26;

/// Calls and what each waits for.
struct Graph {
    latency_us: Vec<u64>,
    after: Vec<Vec<usize>>,
    before: Vec<Vec<usize>>,
    /// Longest remaining path from the start of each call.
    rank_us: Vec<u64>,
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
}

impl Graph {
    /// Each call waits for up to three of the 50 before it. Two thirds are tools (10 to 60 ms), one
    /// third language-model calls (100 to 400 ms).
    fn random(nodes: usize) -> Self {
        let mut random = Random(SEED + nodes as u64);
        let mut latency_us = Vec::new();
        let mut after = Vec::new();
        for node in 0..nodes {
            latency_us.push(match random.below(3) {
                0 => 100_000 + random.below(300_000),
                _ => 10_000 + random.below(50_000),
            });
            let window = node.min(50) as u64;
            let mut on: Vec<usize> = (0..random.below(4).min(window))
                .map(|_| node - 1 - random.below(window) as usize)
                .collect();
            on.sort_unstable();
            on.dedup();
            // Half of the calls wait for nobody: a broad question.
            after.push(if random.below(2) == 0 { on } else { Vec::new() });
        }
        let mut before = vec![Vec::new(); nodes];
        for (node, on) in after.iter().enumerate() {
            for &on in on {
                before[on].push(node);
            }
        }
        let mut rank_us = vec![0; nodes];
        for node in (0..nodes).rev() {
            let rest = before[node].iter().map(|&b: &usize| rank_us[b]).max();
            rank_us[node] = latency_us[node] + rest.unwrap_or(0);
        }
        Self {
            latency_us,
            after,
            before,
            rank_us,
        }
    }

    fn bound_us(&self) -> u64 {
        let work: u64 = self.latency_us.iter().sum();
        let path = self.rank_us.iter().max().copied().unwrap_or(0);
        path.max(work / u64::from(SLOTS))
    }
}

/// What may run when: the policy, whoever keeps the time.
struct Schedule<'a> {
    graph: &'a Graph,
    waits: Vec<usize>,
    slots: Slots,
    calls: std::collections::HashMap<indago_planner::slots::Ticket, usize>,
}

impl<'a> Schedule<'a> {
    fn new(graph: &'a Graph) -> Self {
        let limits = SlotLimits {
            language_model: SLOTS,
            ..SlotLimits::default()
        };
        let mut this = Self {
            graph,
            waits: graph.after.iter().map(Vec::len).collect(),
            slots: Slots::new(limits),
            calls: std::collections::HashMap::new(),
        };
        for node in 0..graph.after.len() {
            if this.waits[node] == 0 {
                this.ask(node);
            }
        }
        this
    }

    fn ask(&mut self, node: usize) {
        let ticket = self.slots.request(Call {
            run: 0,
            resource: Resource::LanguageModel,
            rank: self.graph.rank_us[node],
            is_ahead: false,
        });
        self.calls.insert(ticket, node);
    }

    fn start(&mut self) -> Option<(indago_planner::slots::Ticket, usize)> {
        let ticket = self.slots.grant(Resource::LanguageModel)?;
        Some((ticket, self.calls.remove(&ticket).unwrap()))
    }

    fn end(&mut self, ticket: indago_planner::slots::Ticket, node: usize) {
        self.slots.release(ticket);
        for &next in &self.graph.before[node] {
            self.waits[next] -= 1;
            if self.waits[next] == 0 {
                self.ask(next);
            }
        }
    }
}

/// The schedule in virtual time, in which nothing but the calls takes any.
fn virtual_us(graph: &Graph) -> u64 {
    let mut schedule = Schedule::new(graph);
    let mut running = BinaryHeap::new();
    let mut now = 0;
    loop {
        while let Some((ticket, node)) = schedule.start() {
            running.push(Reverse((now + graph.latency_us[node], node, ticket)));
        }
        let Some(Reverse((at, node, ticket))) = running.pop() else {
            return now;
        };
        now = at;
        schedule.end(ticket, node);
    }
}

/// The schedule on tokio.
async fn real_us(graph: &Graph) -> u64 {
    let began = Instant::now();
    let mut schedule = Schedule::new(graph);
    let mut running = tokio::task::JoinSet::new();
    loop {
        while let Some((ticket, node)) = schedule.start() {
            let latency = Duration::from_micros(graph.latency_us[node]);
            running.spawn(async move {
                tokio::time::sleep(latency).await;
                (ticket, node)
            });
        }
        let Some(ended) = running.join_next().await else {
            return began.elapsed().as_micros() as u64;
        };
        let (ticket, node) = ended.unwrap();
        schedule.end(ticket, node);
    }
}

fn call(cx: &mut dyn TaskCtx, input: Value) -> TaskFuture<'_> {
    Box::pin(async move {
        let us = input.as_u64().unwrap_or(0);
        let slept: u64 = cx
            .run_step(StepKey::new("call", &us), async move {
                tokio::time::sleep(Duration::from_micros(us)).await;
                Ok(us)
            })
            .await?;
        Ok(json!(slept))
    })
}

fn root(cx: &mut dyn TaskCtx, input: Value) -> TaskFuture<'_> {
    Box::pin(async move {
        let graph = Graph::random(input.as_u64().unwrap_or(0) as usize);
        let mut schedule = Schedule::new(&graph);
        let mut children = TaskSet::default();
        let mut tickets = std::collections::HashMap::new();
        loop {
            while let Some((ticket, node)) = schedule.start() {
                let key = TaskKey(format!("n{node}"));
                tickets.insert(key.clone(), (ticket, node));
                cx.spawn("call", key, json!(graph.latency_us[node]), &mut children)
                    .await?;
            }
            let Some((key, _)) = cx.next_done(&mut children).await else {
                return Ok(Value::Null);
            };
            let (ticket, node) = tickets.remove(&key).unwrap();
            schedule.end(ticket, node);
        }
    })
}

/// CPU time of a task, in microseconds, on tokio's virtual clock; and how long the run took by that
/// clock. The journal is made outside of the runtime and written by its own thread.
fn engine_in_virtual_time<J: Journal>(journal: Arc<J>, nodes: usize) -> (f64, f64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let before = process().0;
    let took = runtime.block_on(async {
        let began = tokio::time::Instant::now();
        engine_us(journal, nodes).await;
        began.elapsed()
    });
    let cpu = (WRITTEN.get() - before) / nodes as f64;
    (took.as_micros() as f64, cpu)
}

async fn engine_us<J: Journal>(journal: Arc<J>, nodes: usize) -> u64 {
    let registry = Registry::new(1).with("root", root).with("call", call);
    let engine = Engine::new(Arc::clone(&journal), registry);
    let began = Instant::now();
    let spec = RunSpec {
        task: "root".into(),
        input: json!(nodes),
        question: "?".into(),
        corpus: "none".into(),
        seed: SEED,
    };
    let id = RunId::new(format!("bench-{nodes}"));
    engine.start(id.clone(), spec).await.unwrap();
    engine.attach(id).await.unwrap();
    let took = began.elapsed().as_micros() as u64;
    // The journal's thread is part of what it costs: until the last entry is written.
    journal.flush(Durability::Process).await.unwrap();
    WRITTEN.with(|written| written.set(process().0));
    took
}

thread_local! {
    /// CPU time when the last run's last entry was written: the journal's thread ends with it, and
    /// what it took is then no longer seen.
    static WRITTEN: std::cell::Cell<f64> = const { std::cell::Cell::new(0.0) };
}

/// CPU time of all threads of the process, in microseconds, and its resident memory in kB.
fn process() -> (f64, u64) {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let nanoseconds: u64 = tasks
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let rss = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|line| line.split_whitespace().next()?.parse().ok());
    (nanoseconds as f64 / 1e3, rss.unwrap_or(0))
}

/// What the plan's own machine costs: the graph's calls as nodes, started and settled in order.
fn machine_us(nodes: usize) -> (f64, f64) {
    use indago_core::{Budget, Finding, GraphEdit, NodeId, StopReason};
    use indago_planner::QuestionGraph;
    let calls = Graph::random(nodes);
    let budget = Budget {
        nodes: u32::MAX,
        depth: u32::MAX,
        ..Budget::STANDARD
    };
    let (before, rss) = process();
    let mut graph = QuestionGraph::new("Everything?", &budget);
    for (node, after) in calls.after.iter().enumerate() {
        let on = after.iter().map(|on| NodeId(*on as u32 + 1)).collect();
        let add = GraphEdit::Add {
            text: format!("What is said about thing number {node}?"),
            reason: "because".into(),
            depends_on: on,
        };
        graph.apply(add).unwrap();
    }
    let (_, full) = process();
    let bytes = full.saturating_sub(rss) as f64 * 1024.0 / nodes as f64;
    loop {
        let Some(node) = graph.startable().next() else {
            break;
        };
        graph.start(node).unwrap();
        let finding = Finding {
            node,
            answer: None,
            claims: Vec::new(),
            confidence: 0.0,
            bridges: Vec::new(),
            open: Vec::new(),
            tried: Vec::new(),
            rounds: 0,
            stop: StopReason::NothingFound,
        };
        graph.settle(finding).unwrap();
        graph.take_moves();
    }
    ((process().0 - before) / nodes as f64, bytes)
}

/// Waits in ten thousand child tasks at once.
fn all_at_once(cx: &mut dyn TaskCtx, input: Value) -> TaskFuture<'_> {
    Box::pin(async move {
        let mut children = TaskSet::default();
        for n in 0..input.as_u64().unwrap_or(0) {
            let key = TaskKey(format!("n{n}"));
            cx.spawn("call", key, json!(3_000_000), &mut children)
                .await?;
        }
        while cx.next_done(&mut children).await.is_some() {}
        Ok(Value::Null)
    })
}

async fn searchers(n: u64) {
    let registry = Registry::new(1)
        .with("root", all_at_once)
        .with("call", call);
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(folder.path()).unwrap());
    let engine = Engine::new(journal, registry);
    let (_, before) = process();
    let spec = RunSpec {
        task: "root".into(),
        input: json!(n),
        question: "?".into(),
        corpus: "none".into(),
        seed: SEED,
    };
    let id = RunId::new("searchers");
    engine.start(id.clone(), spec).await.unwrap();
    let mut most = 0;
    let ended = engine.attach(id);
    let mut ended = std::pin::pin!(ended);
    loop {
        tokio::select! {
            done = &mut ended => {
                done.unwrap();
                break;
            }
            () = tokio::time::sleep(Duration::from_millis(50)) => most = most.max(process().1),
        }
    }
    println!(
        "{n} searchers at once, each a journaled task: {} MB more, {} MB in all",
        most.saturating_sub(before) / 1024,
        most / 1024
    );
}

async fn crowd() {
    let (_, before) = process();
    let mut all = tokio::task::JoinSet::new();
    let library_of = indago_workflows::Gate::new(SlotLimits::default());
    for i in 0..10_000_u64 {
        let gate = library_of.clone();
        all.spawn(async move {
            let _permit = gate
                .acquire(Call {
                    run: i % 7,
                    resource: Resource::LanguageModel,
                    rank: i,
                    is_ahead: false,
                })
                .await;
            tokio::time::sleep(Duration::from_millis(2)).await;
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (_, during) = process();
    println!(
        "10000 waiting at the gate: {:.2} kB each",
        during.saturating_sub(before) as f64 / 10_000.0
    );
    while all.join_next().await.is_some() {}
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|a| a == "--graph") {
        let graph = Graph::random(arguments[1].parse().unwrap());
        let text = json!({
            "latency_us": graph.latency_us, "after": graph.after, "rank_us": graph.rank_us,
            "bound_us": graph.bound_us(), "virtual_us": virtual_us(&graph), "slots": SLOTS,
        });
        println!("{text}");
        return;
    }
    let mut sizes: Vec<usize> = arguments.iter().filter_map(|a| a.parse().ok()).collect();
    if sizes.is_empty() {
        sizes = vec![10, 100, 1_000];
    }
    // The threads that `indago ask` has.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    println!("wall: over the schedule without overhead; cpu: microseconds for each task");
    println!(
        "nodes bound_ms schedule/bound | plan: us/node bytes/node | virtual clock: memory wall cpu, \
         sqlite wall cpu | real clock: tokio wall cpu, memory wall cpu, sqlite wall cpu, \
         sqlite/bound"
    );
    for nodes in sizes {
        let graph = Graph::random(nodes);
        let ideal = virtual_us(&graph) as f64;
        let (machine, bytes) = machine_us(nodes);
        let cpu = |before: f64| (process().0 - before) / nodes as f64;
        let (v_memory, v_memory_cpu) =
            engine_in_virtual_time(Arc::new(MemoryJournal::new()), nodes);
        let folder = tempfile::tempdir().unwrap();
        let journal = Arc::new(SqliteJournal::open(folder.path()).unwrap());
        let (v_sqlite, v_sqlite_cpu) = engine_in_virtual_time(journal, nodes);
        let before = process().0;
        let real = runtime.block_on(real_us(&graph)) as f64;
        let real_cpu = cpu(before);
        let before = process().0;
        let journal = Arc::new(MemoryJournal::new());
        let memory = runtime.block_on(engine_us(journal, nodes)) as f64;
        let memory_cpu = (WRITTEN.get() - before) / nodes as f64;
        let folder = tempfile::tempdir().unwrap();
        let journal = Arc::new(SqliteJournal::open(folder.path()).unwrap());
        let before = process().0;
        let sqlite = runtime.block_on(engine_us(journal, nodes)) as f64;
        let sqlite_cpu = (WRITTEN.get() - before) / nodes as f64;
        println!(
            "{nodes} {:.0} {:.3} | {machine:.1} {bytes:.0} | {:.3} {v_memory_cpu:.1}, {:.3} \
             {v_sqlite_cpu:.1} | {:.3} {real_cpu:.0}, {:.3} {memory_cpu:.0}, {:.3} {sqlite_cpu:.0}, \
             {:.3}",
            graph.bound_us() as f64 / 1e3,
            ideal / graph.bound_us() as f64,
            v_memory / ideal,
            v_sqlite / ideal,
            real / ideal,
            memory / ideal,
            sqlite / ideal,
            sqlite / graph.bound_us() as f64,
        );
    }
    runtime.block_on(async {
        crowd().await;
        searchers(10_000).await;
    });
}
