//! One suite, two engines.

use std::sync::Arc;

use indago_core::ports::{RunEngine as _, RunError, Started, TaskError};
use indago_core::{Event, RunId, RunState};
use indago_workflows::journal::{Journal, StoredEvent};
use indago_workflows::{Engine, MemoryJournal, ResumeOutcome, SqliteJournal};
use serde_json::{Value, json};

use crate::tasks::{Counts, registry, spec};

/// Makes journals that share one store, like processes that share one folder.
trait Store {
    type Kept: Journal;
    fn open(&self) -> Arc<Self::Kept>;
}

struct InMemory(MemoryJournal);

impl Store for InMemory {
    type Kept = MemoryJournal;
    fn open(&self) -> Arc<MemoryJournal> {
        Arc::new(self.0.clone())
    }
}

struct OnDisk(tempfile::TempDir);

impl Store for OnDisk {
    type Kept = SqliteJournal;
    fn open(&self) -> Arc<SqliteJournal> {
        Arc::new(SqliteJournal::open(self.0.path()).unwrap())
    }
}

/// Runs each check against both stores, each in a runtime of its own.
macro_rules! both {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $name() { super::block_on(super::$name(super::in_memory())); })*
        }
        mod sqlite {
            $(#[test] fn $name() { super::block_on(super::$name(super::on_disk())); })*
        }
    };
}

both!(
    a_run_gives_its_output_and_is_listed_as_finished,
    starting_twice_runs_once,
    a_fan_in_may_grow_while_it_is_drained_and_its_order_is_recorded,
    a_signal_may_come_before_the_wait_and_the_first_write_wins,
    cancelling_reaches_children_and_stops_the_run,
    failures_are_values_and_retries_are_honoured,
    a_stopped_host_leaves_an_interrupted_run_that_resumes_where_it_was,
    events_have_no_gaps_and_late_subscribers_catch_up,
    replay_runs_nothing_and_gives_the_same_output,
    another_version_of_the_code_does_not_touch_the_run,
    what_does_not_exist_is_said_to,
);

fn in_memory() -> InMemory {
    InMemory(MemoryJournal::new())
}

fn on_disk() -> OnDisk {
    OnDisk(tempfile::tempdir().unwrap())
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap()
        .block_on(future);
}

fn id(name: &str) -> RunId {
    RunId::new(name)
}

fn messages(events: &[StoredEvent]) -> Vec<String> {
    events
        .iter()
        .map(|stored| match &stored.event {
            Event::Warned { message } => message.clone(),
            other => format!("{other:?}"),
        })
        .collect()
}

/// Waits until the run has emitted an event with this message.
async fn until<J: Journal>(engine: &Engine<J>, run: &RunId, message: &str) {
    let mut stream = engine.subscribe(run, 0).unwrap();
    while let Some(event) = stream.next().await.unwrap() {
        if messages(&[event.as_ref().clone()]) == [message] {
            return;
        }
    }
    panic!("the run ended without `{message}`");
}

async fn a_run_gives_its_output_and_is_listed_as_finished<S: Store>(store: S) {
    let counts = Counts::default();
    let engine = Engine::new(store.open(), registry(&counts));
    let started = engine
        .start(id("a"), spec("worker", json!({"steps": 3})))
        .await
        .unwrap();
    assert_eq!(started, Started::New);
    assert_eq!(engine.attach(id("a")).await.unwrap(), json!(6));
    let runs = engine.runs().unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!((runs[0].state, runs[0].events), (RunState::Finished, 3));
    assert!(runs[0].ended_ms >= Some(runs[0].started_ms));
    // The same from another process.
    let other = Engine::new(store.open(), registry(&Counts::default()));
    assert_eq!(other.attach(id("a")).await.unwrap(), json!(6));
    let detail = other.run(&id("a")).unwrap();
    assert_eq!(detail.result, Some(Ok(json!(6))));
    assert_eq!(
        (detail.tasks.len(), detail.tasks[0].steps, detail.seed),
        (1, 3, 7)
    );
}

async fn starting_twice_runs_once<S: Store>(store: S) {
    let counts = Counts::default();
    let engine = Engine::new(store.open(), registry(&counts));
    let other = Engine::new(store.open(), registry(&counts));
    let (first, second, third) = tokio::join!(
        engine.start(id("a"), spec("worker", json!({}))),
        engine.start(id("a"), spec("worker", json!({}))),
        other.start(id("a"), spec("worker", json!({}))),
    );
    let new = [first.unwrap(), second.unwrap(), third.unwrap()]
        .iter()
        .filter(|started| **started == Started::New)
        .count();
    assert_eq!(new, 1);
    assert_eq!(other.attach(id("a")).await.unwrap(), json!(3));
    assert_eq!(engine.attach(id("a")).await.unwrap(), json!(3));
    assert_eq!(
        engine
            .start(id("a"), spec("worker", json!({})))
            .await
            .unwrap(),
        Started::AlreadyThere
    );
    assert_eq!((counts.of("worker/0"), counts.of("worker/1")), (1, 1));
}

async fn a_fan_in_may_grow_while_it_is_drained_and_its_order_is_recorded<S: Store>(store: S) {
    let counts = Counts::default();
    let engine = Engine::new(store.open(), registry(&counts));
    engine
        .start(id("a"), spec("fan_in", json!({"width": 5})))
        .await
        .unwrap();
    let output = engine.attach(id("a")).await.unwrap();
    let order = output["order"].as_array().unwrap();
    assert_eq!(order.len(), 10);
    assert!(
        counts.all().values().all(|count| *count == 1),
        "{:?}",
        counts.all()
    );
    let told: Vec<String> = messages(&engine.events(&id("a")).unwrap())
        .into_iter()
        .filter_map(|message| message.strip_suffix(" ended").map(str::to_owned))
        .collect();
    let keys: Vec<&str> = order.iter().map(|pair| pair[0].as_str().unwrap()).collect();
    assert_eq!(told, keys);
}

async fn a_signal_may_come_before_the_wait_and_the_first_write_wins<S: Store>(store: S) {
    let engine = Engine::new(store.open(), registry(&Counts::default()));
    engine
        .start(id("early"), spec("waiting", json!({})))
        .await
        .unwrap();
    engine
        .signal(id("early"), "go".into(), json!(1))
        .await
        .unwrap();
    engine
        .signal(id("early"), "go".into(), json!(2))
        .await
        .unwrap();
    let output = engine.attach(id("early")).await.unwrap();
    assert_eq!(output, json!({"never": null, "go": 1}));
    // And late, from another process, which the host notices by itself.
    engine
        .start(id("late"), spec("waiting", json!({})))
        .await
        .unwrap();
    until(&engine, &id("late"), "waiting").await;
    let other = Engine::new(store.open(), registry(&Counts::default()));
    other
        .signal(id("late"), "go".into(), json!("now"))
        .await
        .unwrap();
    assert_eq!(engine.attach(id("late")).await.unwrap()["go"], json!("now"));
}

async fn cancelling_reaches_children_and_stops_the_run<S: Store>(store: S) {
    let counts = Counts::default();
    let engine = Engine::new(store.open(), registry(&counts));
    for (name, by_other) in [("own", false), ("foreign", true)] {
        engine
            .start(id(name), spec("endless", json!({})))
            .await
            .unwrap();
        until(&engine, &id(name), "turning").await;
        assert_eq!(
            engine.status(id(name)).await.unwrap().state,
            RunState::Running
        );
        if by_other {
            let other = Engine::new(store.open(), registry(&counts));
            assert_eq!(
                other.status(id(name)).await.unwrap().state,
                RunState::Running
            );
            other.cancel(id(name)).await.unwrap();
        } else {
            engine.cancel(id(name)).await.unwrap();
        }
        let error = engine.attach(id(name)).await.unwrap_err();
        assert!(
            matches!(error, RunError::Failed(TaskError::Cancelled)),
            "{error}"
        );
        assert_eq!(
            engine.status(id(name)).await.unwrap().state,
            RunState::Stopped
        );
        let turns = counts.of("turn");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        assert_eq!(counts.of("turn"), turns, "a step began after the end");
        let error = engine.resume(&id(name)).await.unwrap_err();
        assert!(
            matches!(
                error,
                RunError::WrongState {
                    state: RunState::Stopped,
                    ..
                }
            ),
            "{error}"
        );
    }
}

async fn failures_are_values_and_retries_are_honoured<S: Store>(store: S) {
    let counts = Counts::default();
    let engine = Engine::new(store.open(), registry(&counts));
    engine
        .start(id("a"), spec("failing", json!({})))
        .await
        .unwrap();
    let output = engine.attach(id("a")).await.unwrap();
    assert_eq!(output["retried"], json!(3));
    assert_eq!(output["failed"], json!("no such page"));
    let children = output["children"].as_array().unwrap();
    assert!(
        children[0]
            .as_str()
            .unwrap()
            .starts_with("n: there is no task `nobody`")
    );
    assert_eq!(children[1], json!("p: panicked: boom"));
    assert_eq!(counts.of("flaky"), 3);
}

async fn a_stopped_host_leaves_an_interrupted_run_that_resumes_where_it_was<S: Store>(store: S) {
    let counts = Counts::default();
    {
        let engine = Engine::new(store.open(), registry(&counts));
        engine
            .start(id("a"), spec("large", json!({})))
            .await
            .unwrap();
        until(&engine, &id("a"), "read").await;
    }
    // Aborted tasks let go of the lock when the runtime gets to them.
    let engine = Engine::new(store.open(), registry(&counts));
    while engine.status(id("a")).await.unwrap().state != RunState::Interrupted {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let error = engine.attach(id("a")).await.unwrap_err();
    assert!(matches!(
        error,
        RunError::WrongState {
            state: RunState::Interrupted,
            ..
        }
    ));
    assert_eq!(
        engine.resume(&id("a")).await.unwrap(),
        ResumeOutcome::Resumed
    );
    assert_eq!(
        engine.resume(&id("a")).await.unwrap(),
        ResumeOutcome::Running
    );
    let elsewhere = Engine::new(store.open(), registry(&counts));
    assert!(matches!(
        elsewhere.resume(&id("a")).await,
        Err(RunError::Hosted(_))
    ));
    engine
        .signal(id("a"), "go".into(), Value::Null)
        .await
        .unwrap();
    assert_eq!(engine.attach(id("a")).await.unwrap(), json!(50_000));
    assert_eq!(
        counts.of("large"),
        1,
        "the step was recorded and must not run again"
    );
    assert_eq!(
        messages(&engine.events(&id("a")).unwrap()),
        ["read"],
        "no event is doubled"
    );
    assert_eq!(
        engine.resume(&id("a")).await.unwrap(),
        ResumeOutcome::Finished
    );
}

async fn events_have_no_gaps_and_late_subscribers_catch_up<S: Store>(store: S) {
    let engine = Engine::new(store.open(), registry(&Counts::default()));
    engine
        .start(id("a"), spec("fan_in", json!({"width": 8})))
        .await
        .unwrap();
    let mut early = engine.subscribe(&id("a"), 0).unwrap();
    let mut all = Vec::new();
    while let Some(event) = early.next().await.unwrap() {
        assert_eq!(event.seq, all.len() as u64);
        all.push(event.as_ref().clone());
    }
    engine.attach(id("a")).await.unwrap();
    assert_eq!(engine.events(&id("a")).unwrap(), all);
    let other = Engine::new(store.open(), registry(&Counts::default()));
    let mut late = other.subscribe(&id("a"), 10).unwrap();
    let mut rest = Vec::new();
    while let Some(event) = late.next().await.unwrap() {
        rest.push(event.as_ref().clone());
    }
    assert_eq!(rest, all[10..]);
}

async fn replay_runs_nothing_and_gives_the_same_output<S: Store>(store: S) {
    let counts = Counts::default();
    let engine = Engine::new(store.open(), registry(&counts));
    engine
        .start(id("a"), spec("fan_in", json!({"width": 4})))
        .await
        .unwrap();
    let output = engine.attach(id("a")).await.unwrap();
    let idle = Counts::default();
    let replayer = Engine::new(store.open(), registry(&idle));
    let replayed = replayer.replay(&id("a")).await.unwrap();
    assert_eq!(
        serde_json::to_string(&replayed).unwrap(),
        serde_json::to_string(&output).unwrap()
    );
    assert_eq!(idle.all().len(), 0);
}

async fn another_version_of_the_code_does_not_touch_the_run<S: Store>(store: S) {
    let engine = Engine::new(store.open(), registry(&Counts::default()));
    engine
        .start(id("a"), spec("worker", json!({})))
        .await
        .unwrap();
    engine.attach(id("a")).await.unwrap();
    let newer = Engine::new(store.open(), indago_workflows::Registry::new(2));
    let error = newer.replay(&id("a")).await.unwrap_err().to_string();
    assert!(
        error.contains("version 1") && error.contains("version 2"),
        "{error}"
    );
}

async fn what_does_not_exist_is_said_to<S: Store>(store: S) {
    let engine = Engine::new(store.open(), registry(&Counts::default()));
    let none = id("none");
    assert!(matches!(
        engine.status(none.clone()).await,
        Err(RunError::Unknown(_))
    ));
    assert!(matches!(
        engine.attach(none.clone()).await,
        Err(RunError::Unknown(_))
    ));
    assert!(matches!(
        engine.resume(&none).await,
        Err(RunError::Unknown(_))
    ));
    assert!(matches!(
        engine.replay(&none).await,
        Err(RunError::Unknown(_))
    ));
    assert!(matches!(
        engine.subscribe(&none, 0),
        Err(RunError::Unknown(_))
    ));
    assert!(matches!(
        engine.cancel(none).await,
        Err(RunError::Unknown(_))
    ));
    for bad in ["", "../../etc", ".hidden", "a b", &"x".repeat(65)] {
        let error = engine
            .start(id(bad), spec("worker", json!({})))
            .await
            .unwrap_err();
        assert!(matches!(error, RunError::BadId(_)), "{bad}");
    }
    engine
        .start(id("a"), spec("no_such_task", json!({})))
        .await
        .unwrap();
    let error = engine.attach(id("a")).await.unwrap_err().to_string();
    assert!(error.contains("no_such_task"), "{error}");
}
