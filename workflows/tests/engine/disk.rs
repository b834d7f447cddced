//! What only a journal on disk can get wrong.

use std::fs;
use std::sync::Arc;

use indago_core::ports::{RunEngine as _, RunError};
use indago_core::{ContentHash, Event, RunId, RunState};
use indago_workflows::journal::{Intent, Journal as _, SCHEMA_VERSION, SqliteOptions};
use indago_workflows::{Engine, SqliteJournal};
use serde_json::json;

use crate::tasks::{Counts, registry, spec};

fn open(folder: &tempfile::TempDir) -> Engine<SqliteJournal> {
    Engine::new(
        Arc::new(SqliteJournal::open(folder.path()).unwrap()),
        registry(&Counts::default()),
    )
}

async fn run_one(engine: &Engine<SqliteJournal>, name: &str) {
    let id = RunId::new(name);
    engine
        .start(id.clone(), spec("fan_in", json!({})))
        .await
        .unwrap();
    engine.attach(id).await.unwrap();
}

fn sql(folder: &tempfile::TempDir) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.path().join("journal.sqlite")).unwrap()
}

#[tokio::test]
async fn a_journal_from_a_newer_build_is_refused_by_version() {
    let folder = tempfile::tempdir().unwrap();
    run_one(&open(&folder), "a").await;
    sql(&folder)
        .pragma_update(None, "user_version", SCHEMA_VERSION + 1)
        .unwrap();
    let error = SqliteJournal::open(folder.path()).unwrap_err();
    assert!(
        matches!(error, RunError::FormatVersion { found, expected }
            if found == SCHEMA_VERSION + 1 && expected == SCHEMA_VERSION),
        "{error}"
    );
}

#[tokio::test]
async fn a_damaged_or_foreign_file_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("journal.sqlite"), vec![7_u8; 10_000]).unwrap();
    let error = SqliteJournal::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("move it away"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    sql(&folder)
        .execute_batch("CREATE TABLE birds (name TEXT)")
        .unwrap();
    let error = SqliteJournal::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("another program"), "{error}");
}

#[tokio::test]
async fn pages_overwritten_with_noise_are_an_error_and_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    {
        let engine = open(&folder);
        for i in 0..20 {
            run_one(&engine, &format!("r{i}")).await;
        }
    }
    sql(&folder)
        .pragma_update(None, "wal_checkpoint", "TRUNCATE")
        .ok();
    let path = folder.path().join("journal.sqlite");
    let sound = fs::read(&path).unwrap();
    let mut seed = 0x9e37_79b9_u32;
    for _ in 0..60 {
        let mut bytes = sound.clone();
        for _ in 0..40 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = 100 + (seed as usize >> 3) % (bytes.len() - 100);
            bytes[at] = (seed >> 11) as u8;
        }
        fs::write(&path, bytes).unwrap();
        for side in ["journal.sqlite-wal", "journal.sqlite-shm"] {
            fs::remove_file(folder.path().join(side)).ok();
        }
        let Ok(journal) = SqliteJournal::open(folder.path()) else {
            continue;
        };
        let engine = Engine::new(Arc::new(journal), registry(&Counts::default()));
        let _listed = engine.runs();
        for i in 0..20 {
            let id = RunId::new(format!("r{i}"));
            let _detail = engine.run(&id);
            let _events = engine.events(&id);
            let _replayed = engine.replay(&id).await;
        }
    }
}

#[tokio::test]
async fn on_a_full_disk_the_run_ends_with_its_output_and_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteJournal::open(folder.path()).unwrap());
    let options = SqliteOptions {
        max_pages: Some(20),
        ..SqliteOptions::default()
    };
    let journal = Arc::new(SqliteJournal::open_with(folder.path(), options).unwrap());
    let engine = Engine::new(Arc::clone(&journal), registry(&Counts::default()));
    let id = RunId::new("full");
    let input = json!({"name": "n".repeat(600), "steps": 400});
    engine
        .start(id.clone(), spec("worker", input))
        .await
        .unwrap();
    let mut stream = engine.subscribe(&id, 0).unwrap();
    assert_eq!(
        engine.attach(id.clone()).await.unwrap(),
        json!(400 * 401 / 2)
    );
    let mut warned = false;
    while let Some(event) = stream.next().await.unwrap() {
        if let Event::Warned { message } = &event.event {
            warned |= message.contains("free some disk space");
        }
    }
    assert!(warned || journal.failure().is_some());
    assert!(journal.failure().unwrap().contains("full"));
    let error = engine
        .start(RunId::new("next"), spec("worker", json!({})))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("free some disk space"),
        "{error}"
    );
    // What was stored before is whole, and the run goes on once there is room again.
    drop((engine, stream, journal));
    let engine = open(&folder);
    while engine.status(id.clone()).await.unwrap().state == RunState::Running {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    engine.resume(&id).await.unwrap();
    assert_eq!(
        engine.attach(id.clone()).await.unwrap(),
        json!(400 * 401 / 2)
    );
    assert_eq!(engine.events(&id).unwrap().len(), 400);
}

#[tokio::test]
async fn a_journal_deleted_during_a_run_leaves_its_output_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    let id = RunId::new("a");
    engine
        .start(id.clone(), spec("waiting", json!({})))
        .await
        .unwrap();
    engine
        .signal(id.clone(), "go".into(), json!(1))
        .await
        .unwrap();
    fs::remove_file(folder.path().join("journal.sqlite")).unwrap();
    assert_eq!(engine.attach(id).await.unwrap()["go"], json!(1));
    let error = engine
        .start(RunId::new("b"), spec("worker", json!({})))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("deleted"), "{error}");
}

#[tokio::test]
async fn a_locked_journal_is_an_error_after_the_patience_that_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    drop(SqliteJournal::open(folder.path()).unwrap());
    let options = SqliteOptions {
        busy_ms: 5,
        ..SqliteOptions::default()
    };
    let journal = Arc::new(SqliteJournal::open_with(folder.path(), options).unwrap());
    let blocker = sql(&folder);
    blocker.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let engine = Engine::new(journal, registry(&Counts::default()));
    let error = engine
        .start(RunId::new("a"), spec("worker", json!({})))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("another process"), "{error}");
}

#[tokio::test]
async fn rows_stay_small_and_a_damaged_blob_costs_its_step_only() {
    let folder = tempfile::tempdir().unwrap();
    let counts = Counts::default();
    let id = RunId::new("a");
    {
        let journal = Arc::new(SqliteJournal::open(folder.path()).unwrap());
        let engine = Engine::new(journal, registry(&counts));
        engine
            .start(
                id.clone(),
                spec("large", json!({"pad": "p".repeat(20_000)})),
            )
            .await
            .unwrap();
        let mut stream = engine.subscribe(&id, 0).unwrap();
        assert!(stream.next().await.unwrap().is_some());
        engine
            .journal()
            .flush(indago_workflows::journal::Durability::Disk)
            .await
            .unwrap();
    }
    let connection = sql(&folder);
    let widest: i64 = connection
        .query_row("SELECT max(length(spec)) FROM runs", [], |row| row.get(0))
        .unwrap();
    assert_eq!(widest, 32, "a long input stands as a hash");
    let hash: Vec<u8> = connection
        .query_row("SELECT result FROM steps", [], |row| row.get(0))
        .unwrap();
    drop(connection);
    let journal = Arc::new(SqliteJournal::open(folder.path()).unwrap());
    let path = journal
        .blobs()
        .path_of(ContentHash(hash.try_into().unwrap()));
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(&path, bytes).unwrap();
    let engine = Engine::new(journal, registry(&counts));
    while engine.status(id.clone()).await.unwrap().state == RunState::Running {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    engine.resume(&id).await.unwrap();
    engine
        .signal(id.clone(), "go".into(), json!(0))
        .await
        .unwrap();
    assert_eq!(engine.attach(id).await.unwrap(), json!(50_000));
    assert_eq!(counts.of("large"), 2);
}

#[tokio::test]
async fn intents_are_stored_before_and_responses_after_a_paid_call() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    run_one(&engine, "a").await;
    let (id, request) = (RunId::new("a"), ContentHash::of(b"request"));
    let intent = Intent {
        request,
        path: String::new(),
        key: "draft/1".into(),
        reserved: json!({"tokens": 900}),
        at_ms: 1,
    };
    let journal = engine.journal();
    assert_eq!(journal.response(&id, request).unwrap(), None);
    journal.intend(&id, intent).await.unwrap();
    let other = SqliteJournal::open(folder.path()).unwrap();
    assert_eq!(
        other.response(&id, request).unwrap(),
        Some(None),
        "possibly spent"
    );
    journal
        .respond(&id, request, b"an answer".to_vec())
        .await
        .unwrap();
    assert_eq!(
        other.response(&id, request).unwrap(),
        Some(Some(b"an answer".to_vec()))
    );
}

#[test]
fn many_processes_worth_of_engines_share_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    let hosts: Vec<_> = (0..6)
        .map(|host| {
            let path = path.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let journal = Arc::new(SqliteJournal::open(&path).unwrap());
                    let engine = Engine::new(journal, registry(&Counts::default()));
                    for run in 0..10 {
                        run_one(&engine, &format!("h{host}-{run}")).await;
                        engine.runs().unwrap();
                    }
                });
            })
        })
        .collect();
    for host in hosts {
        host.join().unwrap();
    }
    let engine = open(&folder);
    let runs = engine.runs().unwrap();
    assert_eq!(runs.len(), 60);
    assert!(runs.iter().all(|run| run.state == RunState::Finished));
    for run in runs {
        assert_eq!(engine.events(&run.id).unwrap().len() as u64, run.events);
    }
}
