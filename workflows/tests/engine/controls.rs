//! Steering across processes, letting go, and clocks that are set back.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indago_core::ports::{RunEngine as _, RunError, TaskCtx};
use indago_core::{Event, RunId, RunState, Steering, SteeringRefused};
use indago_workflows::journal::Journal as _;
use indago_workflows::{Engine, MemoryJournal, Registry, SqliteJournal, TaskFuture};
use serde_json::{Value, json};

use crate::tasks::{Counts, note, registry, spec};

/// Hears `n` steerings and gives them in the order in which it heard them.
fn hearing(cx: &mut dyn TaskCtx, input: Value) -> TaskFuture<'_> {
    Box::pin(async move {
        let mut heard = Vec::new();
        for n in 0..input["n"].as_u64().unwrap_or(1) {
            heard.push(cx.wait_signal(&format!("steer/{n}"), 60_000).await?);
            cx.emit(note(format!("heard {n}")));
        }
        Ok(json!(heard))
    })
}

fn open(folder: &tempfile::TempDir) -> Engine<SqliteJournal> {
    Engine::new(
        Arc::new(SqliteJournal::open(folder.path()).unwrap()),
        Registry::new(1).with("hearing", hearing),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_may_steer_at_once_and_nothing_is_lost_or_doubled() {
    for through_socket in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        if !through_socket {
            // A file in the socket folder's place: then the journal carries everything.
            std::fs::write(folder.path().join("control"), "").unwrap();
        }
        let host = open(&folder);
        let id = RunId::new("a");
        host.start(id.clone(), spec("hearing", json!({"n": 24})))
            .await
            .unwrap();
        let socket = folder.path().join("control/a.sock");
        assert_eq!(socket.exists(), through_socket);
        if through_socket {
            let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode();
            assert_eq!(mode(&socket) & 0o777, 0o600);
            assert_eq!(mode(socket.parent().unwrap()) & 0o777, 0o700);
        }
        let senders: Vec<_> = (0..4)
            .map(|sender| {
                let run = open(&folder).handle(&id).unwrap();
                tokio::spawn(async move {
                    for i in 0..6 {
                        run.follow_up(format!("{sender}-{i}")).await.unwrap();
                    }
                })
            })
            .collect();
        for sender in senders {
            sender.await.unwrap();
        }
        let output = host.attach(id.clone()).await.unwrap();
        let mut heard: Vec<&str> = output
            .as_array()
            .unwrap()
            .iter()
            .map(|steering| steering["question"].as_str().unwrap())
            .collect();
        for sender in 0..4 {
            let own: Vec<_> = heard
                .iter()
                .filter(|text| text.starts_with(&format!("{sender}-")))
                .collect();
            assert!(own.is_sorted(), "{own:?} are out of order");
        }
        heard.sort_unstable();
        heard.dedup();
        assert_eq!(heard.len(), 24);
        let error = open(&folder).steer(&id, Steering::Pause).await.unwrap_err();
        assert!(matches!(error, RunError::WrongState { .. }), "{error}");
        assert!(!socket.exists(), "the socket outlived its run");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_it_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let host = open(&folder);
    let run = host
        .begin(RunId::new("a"), spec("hearing", json!({"n": 1})))
        .await
        .unwrap();
    for steering in [
        Steering::Edit { edits: Vec::new() },
        Steering::FollowUp {
            question: " ".into(),
        },
        Steering::add("x".repeat(30_000), Vec::new()),
        Steering::SetBudget {
            change: indago_core::BudgetChange::default(),
        },
    ] {
        let error = run.steer(steering).await.unwrap_err();
        assert!(
            matches!(
                error,
                RunError::BadSteering(SteeringRefused::Empty(_) | SteeringRefused::TooLarge { .. })
            ),
            "{error}"
        );
    }
    // Noise on the socket harms nobody.
    let socket = folder.path().join("control/a.sock");
    for noise in [
        b"\n".to_vec(),
        b"{\"steering\":7}\n".to_vec(),
        vec![0xff; 9_000],
    ] {
        use std::io::{Read as _, Write as _};
        let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
        stream.write_all(&noise).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.contains("refused"), "{reply}");
    }
    assert!(host.journal().signals(run.id()).unwrap().is_empty());
    assert_eq!(run.pause().await.unwrap(), 0);
    assert_eq!(run.output().await.unwrap()[0]["steer"], "pause");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_can_change_its_host_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let id = RunId::new("a");
    let mut host = open(&folder);
    host.start(id.clone(), spec("hearing", json!({"n": 3})))
        .await
        .unwrap();
    for n in 0..3 {
        let next = open(&folder);
        next.steer(&id, Steering::Pause).await.unwrap();
        let mut events = next.subscribe(&id, n).unwrap();
        assert_eq!(events.next().await.unwrap().unwrap().seq, n);
        if n == 2 {
            break;
        }
        let waiting = {
            let (host, id) = (host.clone(), id.clone());
            tokio::spawn(async move { host.attach(id).await })
        };
        next.release(&id).await.unwrap();
        while next.status(id.clone()).await.unwrap().state == RunState::Running {
            tokio::task::yield_now().await;
        }
        let released = waiting.await.unwrap().unwrap_err();
        assert!(
            matches!(
                released,
                RunError::Released(_) | RunError::WrongState { .. }
            ),
            "{released}"
        );
        next.resume(&id).await.unwrap();
        host = next;
    }
    assert_eq!(
        host.attach(id.clone())
            .await
            .unwrap()
            .as_array()
            .unwrap()
            .len(),
        3
    );
    assert_eq!(host.events(&id).unwrap().len(), 3);
}

/// Asks for the time five times.
fn timing(cx: &mut dyn TaskCtx, _input: Value) -> TaskFuture<'_> {
    Box::pin(async move {
        let mut times = Vec::new();
        for _ in 0..5 {
            times.push(cx.now_ms());
            cx.emit(Event::Warned {
                message: "tick".into(),
            });
        }
        cx.wait_signal("go", 60_000).await?;
        times.push(cx.now_ms());
        Ok(json!(times))
    })
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_turn_a_task_around() {
    let journal = Arc::new(MemoryJournal::new());
    let time = Arc::new(AtomicU64::new(10_000));
    let clock = {
        let time = Arc::clone(&time);
        // Every look is 100 ms earlier than the one before.
        Arc::new(move || time.fetch_sub(100, Ordering::Relaxed))
    };
    let tasks = || Registry::new(1).with("timing", timing);
    let id = RunId::new("a");
    {
        let engine = Engine::with_clock(Arc::clone(&journal), tasks(), clock.clone());
        engine
            .start(id.clone(), spec("timing", json!({})))
            .await
            .unwrap();
        let mut events = engine.subscribe(&id, 4).unwrap();
        events.next().await.unwrap();
    }
    let engine = Engine::with_clock(Arc::clone(&journal), tasks(), clock);
    while engine.status(id.clone()).await.unwrap().state == RunState::Running {
        tokio::task::yield_now().await;
    }
    engine.resume(&id).await.unwrap();
    engine
        .signal(id.clone(), "go".into(), json!(1))
        .await
        .unwrap();
    let output = engine.attach(id.clone()).await.unwrap();
    let times: Vec<u64> = serde_json::from_value(output.clone()).unwrap();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(engine.replay(&id).await.unwrap(), output);
    let events = engine.events(&id).unwrap();
    assert!(
        events
            .iter()
            .enumerate()
            .all(|(i, event)| event.seq == i as u64)
    );
}

#[tokio::test]
async fn a_journal_locked_damaged_or_renewed_during_a_run_does_not_end_the_run() {
    for harm in ["lock", "noise", "newer"] {
        let folder = tempfile::tempdir().unwrap();
        let options = indago_workflows::journal::SqliteOptions {
            busy_ms: 5,
            ..Default::default()
        };
        let journal = Arc::new(SqliteJournal::open_with(folder.path(), options).unwrap());
        let engine = Engine::new(Arc::clone(&journal), registry(&Counts::default()));
        let id = RunId::new("a");
        let input = json!({"width": 6});
        let path = folder.path().join("journal.sqlite");
        let blocker = rusqlite::Connection::open(&path).unwrap();
        engine
            .start(id.clone(), spec("fan_in", input))
            .await
            .unwrap();
        match harm {
            "lock" => blocker.execute_batch("BEGIN EXCLUSIVE").unwrap(),
            "noise" => {
                let mut bytes = std::fs::read(&path).unwrap();
                bytes[100..].fill(0x5a);
                std::fs::write(&path, bytes).unwrap();
                for side in ["-wal", "-shm"] {
                    let name = format!("journal.sqlite{side}");
                    std::fs::write(folder.path().join(name), vec![0x5a; 40_000]).unwrap();
                }
            }
            _ => blocker.pragma_update(None, "user_version", 99).unwrap(),
        }
        let output = engine.attach(id.clone()).await.unwrap();
        assert_eq!(output["order"].as_array().unwrap().len(), 12, "{harm}");
        drop((engine, blocker));
        match SqliteJournal::open(folder.path()) {
            Ok(journal) => drop(journal.load(&id)),
            Err(error) => assert_ne!(harm, "lock", "{error}"),
        }
    }
}
