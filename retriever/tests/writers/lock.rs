//! One writer at a time.

use indago_retriever::{CorpusWriter, IndexError};

use crate::support::options;

#[test]
fn a_second_writer_is_told_who_holds_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let first = CorpusWriter::open(dir.path(), &options()).unwrap();
    let error = CorpusWriter::open(dir.path(), &options()).unwrap_err();
    match &error {
        IndexError::Locked { holder, .. } => assert_eq!(*holder, std::process::id().to_string()),
        other => panic!("{other}"),
    }
    assert!(error.to_string().contains("being indexed by process"));
    drop(first);
    CorpusWriter::open(dir.path(), &options()).unwrap();
}
