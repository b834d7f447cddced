//! Journals of older builds. `fixtures/journal-v1` was written by the first build that had one.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use indago_core::ports::{RunEngine as _, RunError};
use indago_core::{RunId, RunState};
use indago_workflows::journal::Journal as _;
use indago_workflows::{Engine, Fork, SqliteJournal};
use serde_json::json;

use crate::tasks::{Counts, registry};

/// A copy of the old journal, to be worked on.
fn old() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal-v1");
    copy(&fixture, folder.path());
    folder
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn runs_of_the_first_version_are_read_replayed_and_resumed() {
    let folder = old();
    let counts = Counts::default();
    let journal = Arc::new(SqliteJournal::open(folder.path()).unwrap());
    let engine = Engine::new(Arc::clone(&journal), registry(&counts));
    let states: Vec<_> = engine
        .runs()
        .unwrap()
        .into_iter()
        .map(|run| run.state)
        .collect();
    assert_eq!(states.len(), 2);
    assert!(states.contains(&RunState::Finished) && states.contains(&RunState::Interrupted));

    let finished = RunId::new("finished");
    let output = engine.attach(finished.clone()).await.unwrap();
    assert_eq!(engine.replay(&finished).await.unwrap(), output);
    assert!(counts.all().is_empty(), "a replay did something");
    assert_eq!(journal.pins(&finished).unwrap().len(), 1);
    let lost = journal.possibly_spent(&finished).unwrap();
    assert_eq!(lost.len(), 1);
    assert_eq!(
        (lost[0].attempts, lost[0].intent.key.as_str()),
        (1, "draft/1")
    );

    let cut = RunId::new("interrupted");
    engine.resume(&cut).await.unwrap();
    engine
        .signal(cut.clone(), "go".into(), json!(1))
        .await
        .unwrap();
    assert_eq!(engine.attach(cut).await.unwrap(), json!(50_000));
    assert_eq!(
        counts.of("large"),
        0,
        "the step was recorded by the old build"
    );

    // What the old build did not record is said, not guessed.
    let fork = Fork {
        id: RunId::new("fork"),
        at: Some(3),
        steerings: Vec::new(),
    };
    let error = engine.fork(&finished, fork).await.unwrap_err();
    assert!(matches!(error, RunError::CannotFork { .. }), "{error}");
    // Opened once more, it is of the new version.
    drop((engine, journal));
    SqliteJournal::open(folder.path()).unwrap();
}

#[test]
fn an_old_journal_stays_as_it_is_while_an_old_build_works_in_it() {
    let folder = old();
    fs::create_dir_all(folder.path().join("runs")).unwrap();
    let lock = fs::File::create(folder.path().join("runs/busy.lock")).unwrap();
    lock.lock().unwrap();
    let before = fs::read(folder.path().join("journal.sqlite")).unwrap();
    let error = SqliteJournal::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("run `busy`"), "{error}");
    assert_eq!(
        fs::read(folder.path().join("journal.sqlite")).unwrap(),
        before
    );
    drop(lock);
    SqliteJournal::open(folder.path()).unwrap();
}
