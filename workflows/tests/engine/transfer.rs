//! Runs that leave their journal: exported, imported, forgotten.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use indago_core::ports::{RunEngine as _, RunError};
use indago_core::{ContentHash, DocumentId, Location, Passage, PassageId, RunId};
use indago_workflows::journal::{Imported, Journal as _, Retention};
use indago_workflows::{Engine, SqliteJournal};
use serde_json::{Value, json};

use crate::tasks::{Counts, registry, spec};

fn open(folder: &tempfile::TempDir) -> Engine<SqliteJournal> {
    Engine::new(
        Arc::new(SqliteJournal::open(folder.path()).unwrap()),
        registry(&Counts::default()),
    )
}

/// Runs to its end a run with a blob and a pin of its own.
async fn run_one(engine: &Engine<SqliteJournal>, name: &str) {
    let id = RunId::new(name);
    let input = json!({"pad": format!("{name} ").repeat(4_000), "width": 2});
    engine
        .start(id.clone(), spec("fan_in", input))
        .await
        .unwrap();
    engine.attach(id.clone()).await.unwrap();
    let (document, text) = (DocumentId::new(name), format!("About {name}."));
    let end = text.len() as u64;
    let pin = Passage {
        id: PassageId::of(&document, 0, end, &text),
        document,
        title: name.to_owned(),
        span: 0..end,
        text,
        ordinal: 0,
        location: Location::default(),
        date: None,
        metadata: std::collections::BTreeMap::default(),
    };
    engine.journal().pin(&id, vec![pin]);
    let flushed = indago_workflows::journal::Durability::Process;
    engine.journal().flush(flushed).await.unwrap();
}

fn exported(engine: &Engine<SqliteJournal>, name: &str) -> Vec<u8> {
    let mut file = Vec::new();
    engine
        .journal()
        .export(&RunId::new(name), &mut file)
        .unwrap();
    file
}

#[tokio::test]
async fn an_exported_run_replays_in_another_folder_to_the_same_bytes() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = open(&here);
    run_one(&engine, "a").await;
    let id = RunId::new("a");
    engine
        .signal(id.clone(), "note".into(), json!({"said": 1}))
        .await
        .unwrap();
    let file = exported(&engine, "a");
    let other = open(&there);
    let imported = other.journal().import(&mut file.as_slice()).unwrap();
    assert_eq!(imported, Imported::New(id.clone()));
    let (first, second) = (
        engine.replay(&id).await.unwrap(),
        other.replay(&id).await.unwrap(),
    );
    assert_eq!(
        serde_json::to_string(&first).unwrap(),
        serde_json::to_string(&second).unwrap()
    );
    assert_eq!(engine.events(&id).unwrap(), other.events(&id).unwrap());
    assert_eq!(engine.pins(&id).unwrap(), other.pins(&id).unwrap());
    assert_eq!(engine.run(&id).unwrap(), other.run(&id).unwrap());
    assert_eq!(
        exported(&other, "a"),
        file,
        "an import exports to the same file"
    );
    let again = other.journal().import(&mut file.as_slice()).unwrap();
    assert_eq!(again, Imported::AlreadyThere(id));
}

#[tokio::test]
async fn a_cut_or_changed_file_is_refused_and_leaves_nothing_behind() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = open(&here);
    run_one(&engine, "a").await;
    let file = exported(&engine, "a");
    let other = open(&there);
    let mut tried = 0;
    for at in (0..file.len()).step_by(file.len() / 60) {
        let mut changed = file.clone();
        changed[at] ^= 4;
        for bytes in [&file[..at], &changed[..]] {
            let error = other.journal().import(&mut &bytes[..]).unwrap_err();
            assert!(
                matches!(error, RunError::BadExport(_) | RunError::BadId(_)),
                "at {at}: {error}"
            );
            tried += 1;
        }
    }
    assert!(tried > 100);
    assert!(other.runs().unwrap().is_empty());
    let text = String::from_utf8(file).unwrap();
    let newer = text.replacen("\"indago_run\":2", "\"indago_run\":99", 1);
    let error = other.journal().import(&mut newer.as_bytes()).unwrap_err();
    assert!(
        matches!(error, RunError::FormatVersion { found: 99, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_vacuum_forgets_old_runs_and_keeps_what_the_others_stand_on() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    for name in ["a", "b", "c", "d"] {
        run_one(&engine, name).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let journal = engine.journal();
    journal.keep(&RunId::new("a"), true).unwrap();
    let before: Vec<_> = ["a", "d"].map(|name| exported(&engine, name)).into();
    // As if all of it had been written long ago.
    let mut blobs = 0;
    for entry in fs::read_dir(folder.path().join("blobs")).unwrap().flatten() {
        for file in fs::read_dir(entry.path()).unwrap().flatten() {
            let file = fs::File::options().write(true).open(file.path()).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_hours(2))
                .unwrap();
            blobs += 1;
        }
    }
    assert_eq!(blobs, 8, "one input and one passage a run");
    let newest = Retention {
        newest: 1,
        since_ms: None,
    };
    let done = journal.vacuum(newest).unwrap();
    assert_eq!(done.runs, [RunId::new("c"), RunId::new("b")]);
    assert_eq!(done.blobs, 4);
    let left: Vec<_> = engine
        .runs()
        .unwrap()
        .into_iter()
        .map(|run| run.id)
        .collect();
    assert_eq!(left, [RunId::new("d"), RunId::new("a")]);
    assert_eq!(before, ["a", "d"].map(|name| exported(&engine, name)));
    for run in left {
        engine.replay(&run).await.unwrap();
        assert_eq!(engine.pins(&run).unwrap().len(), 1);
    }
    // Nothing is too old once an age is asked for that nobody has.
    let young = Retention {
        newest: 0,
        since_ms: Some(1),
    };
    assert!(journal.vacuum(young).unwrap().runs.is_empty());
}

#[tokio::test]
async fn a_run_that_somebody_works_on_is_not_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&folder);
    let id = RunId::new("busy");
    engine
        .start(id.clone(), spec("waiting", json!({})))
        .await
        .unwrap();
    let other = open(&folder);
    assert!(
        other
            .journal()
            .vacuum(Retention::default())
            .unwrap()
            .runs
            .is_empty()
    );
    engine
        .signal(id.clone(), "go".into(), json!(1))
        .await
        .unwrap();
    engine.attach(id).await.unwrap();
}

/// The numbers and texts of a value, for changing them.
fn leaves(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Array(items) => items.iter_mut().flat_map(leaves).collect(),
        Value::Object(fields) => fields.values_mut().flat_map(leaves).collect(),
        leaf => vec![leaf],
    }
}

/// Lines and the last one, whose count and hash are right.
fn sealed(lines: &[Value]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut hash = ContentHash([0; 32]);
    for line in lines {
        let line = line.to_string() + "\n";
        let mut both = hash.0.to_vec();
        both.extend(ContentHash::of(line.as_bytes()).0);
        hash = ContentHash::of(&both);
        file.extend(line.as_bytes());
    }
    let end = json!({"end": {"lines": lines.len(), "blake3": hash}});
    file.extend((end.to_string() + "\n").as_bytes());
    file
}

/// Whatever an export says under a hash that is right, it is refused or taken and can be read.
#[tokio::test]
async fn an_export_whose_lines_say_what_cannot_be_does_no_harm() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let engine = open(&here);
    run_one(&engine, "a").await;
    let text = String::from_utf8(exported(&engine, "a")).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let lines = &lines[..lines.len() - 1];
    let other = open(&there);
    assert!(other.journal().import(&mut &sealed(lines)[..]).is_ok());
    let odd = [
        json!(u64::MAX),
        json!(i64::MAX),
        json!(-1),
        json!(""),
        json!("/"),
        json!(null),
    ];
    let (mut taken, mut tried) = (0, 0);
    for at in 0..lines.len().min(12) {
        for leaf in 0..leaves(&mut lines[at].clone()).len().min(12) {
            tried += 1;
            let name = format!("r{tried}");
            let mut forged = lines.to_vec();
            forged[0]["id"] = json!(name);
            *leaves(&mut forged[at])[leaf] = odd[tried % odd.len()].clone();
            let file = sealed(&forged);
            let Ok(Imported::New(id)) = other.journal().import(&mut &file[..]) else {
                continue;
            };
            taken += 1;
            // An error is as good as an answer; a panic is not.
            let _ = (other.replay(&id).await, other.events(&id), other.pins(&id));
            let _ = (other.run(&id), other.journal().export(&id, &mut Vec::new()));
        }
    }
    assert!(taken > 5 && tried > 40, "{taken} of {tried}");
    let _ = other.runs();
}
