//! A writer that dies at any moment.

use std::fs;

use indago_core::Cancelled;
use indago_retriever::{CorpusWriter, IndexError, Stage};

use crate::support::{files, index, index_with, options};
use crate::{embed, view};

#[test]
fn a_writer_that_dies_at_any_stage_leaves_the_old_or_the_new_index() {
    let before = files(&[("a", "old stone tower"), ("b", "river bridge")]);
    let after = files(&[
        ("a", "old stone tower"),
        ("b", "harbour town"),
        ("c", "boats"),
    ]);
    let stages = [
        Stage::Documents,
        Stage::Lexical,
        Stage::Names,
        Stage::Vectors,
        Stage::Publish,
        Stage::Cleanup,
    ];
    for stage in stages {
        let dir = tempfile::tempdir().unwrap();
        index(dir.path(), &before);
        embed(dir.path());
        let old = view(dir.path());
        {
            let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
            let stop = |now: Stage| if now == stage { Err(Cancelled) } else { Ok(()) };
            let outcome = index_with(&mut writer, &after, stop);
            assert!(
                matches!(outcome, Err(IndexError::Cancelled(_))),
                "{stage:?}"
            );
        }
        // As a kill would, it has left its files where they were.
        let survived = view(dir.path());
        if stage == Stage::Cleanup {
            assert_ne!(survived, old);
        } else {
            assert_eq!(survived, old, "{stage:?}");
        }
        let read = index(dir.path(), &after);
        assert_eq!(
            read,
            if stage == Stage::Cleanup { 0 } else { 2 },
            "{stage:?}"
        );
        embed(dir.path());
        let fresh = tempfile::tempdir().unwrap();
        index(fresh.path(), &after);
        embed(fresh.path());
        assert_eq!(view(dir.path()), view(fresh.path()), "{stage:?}");
        let generations = fs::read_dir(dir.path()).unwrap().flatten();
        let generations = generations.filter(|e| e.file_name().to_string_lossy().starts_with('g'));
        assert_eq!(generations.count(), 1, "{stage:?} leaves nothing behind");
    }
}
