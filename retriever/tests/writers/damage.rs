//! Damage on the disk is noticed, named, and made good on request.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_core::ports::{NameIndex, RetrieveError};
use indago_core::{Cancel, Query};
use indago_retriever::{Corpus, CorpusWriter, Propositions, verify};
use proptest::prelude::*;

use crate::support::{WordHasher, files, index, index_with, options};
use crate::{all_files, embed, embed_further, view};

/// A damaged vector in the middle of the log is made again, and nothing of it stays behind: neither
/// where its passage is still there nor where it is gone.
#[test]
fn a_damaged_vector_is_made_again_and_leaves_nothing_behind() {
    let both = files(&[("a", "old stone tower"), ("b", "river bridge\n\nboats")]);
    for start_over in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        index(dir.path(), &both);
        embed(dir.path());
        let log = all_files(&dir.path().join("vectors"))
            .into_iter()
            .find(|path| path.extension().is_some_and(|end| end == "log"))
            .unwrap();
        let whole = view(dir.path());
        // Every record but the last, whichever passage each is of.
        let mut bytes = fs::read(&log).unwrap();
        let records = (bytes.len() - 64) / 2;
        for byte in &mut bytes[64 + 20..64 + records] {
            *byte ^= 0x5a;
        }
        fs::write(&log, &bytes).unwrap();
        assert!(!verify(dir.path()).unwrap().is_empty());
        if start_over {
            let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
            writer.start_over();
            index_with(&mut writer, &files(&[("a", "old stone tower")]), |_| Ok(())).unwrap();
        }
        embed(dir.path());
        assert!(
            verify(dir.path()).unwrap().is_empty(),
            "start over: {start_over}"
        );
        if !start_over {
            assert_eq!(view(dir.path()), whole);
        }
    }
}

#[test]
fn an_index_whose_list_is_damaged_is_refused_and_made_anew_on_request() {
    let dir = tempfile::tempdir().unwrap();
    index(dir.path(), &files(&[("a", "old stone tower")]));
    fs::write(dir.path().join("manifest.json"), "{}").unwrap();
    assert!(CorpusWriter::open(dir.path(), &options()).is_err());
    let mut writer = CorpusWriter::open_anew(dir.path(), &options()).unwrap();
    assert!(
        Corpus::open(dir.path()).is_err(),
        "untouched until the new one is there"
    );
    index_with(&mut writer, &files(&[("b", "river")]), |_| Ok(())).unwrap();
    assert!(verify(dir.path()).unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]
    #[test]
    fn any_flipped_byte_of_a_corpus_is_noticed(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        mask in 1u8..,
    ) {
        let dir = tempfile::tempdir().unwrap();
        index(dir.path(), &files(&[("a", "old stone tower"), ("b", "river bridge\n\nboats")]));
        embed(dir.path());
        embed_further(dir.path());
        prop_assert!(verify(dir.path()).unwrap().is_empty());
        let all: Vec<PathBuf> =
            all_files(dir.path()).into_iter().filter(|p| fs::metadata(p).unwrap().len() > 0).collect();
        let path = &all[file.index(all.len())];
        let mut bytes = fs::read(path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= mask;
        fs::write(path, &bytes).unwrap();
        let noticed = verify(dir.path()).map_or(true, |problems| !problems.is_empty());
        prop_assert!(noticed, "byte {} of {}", at, path.display());
        // Whatever a reader makes of it, it does not panic.
        if let Ok(Some(corpus)) = Corpus::open(dir.path()) {
            for id in corpus.passage_ids().collect::<Vec<_>>() {
                let _ = corpus.passage(id);
            }
            for name in ["bm25", "dense", "fused", "graph", "exact", "ppr", "sparse", "ann", "plaid", "xtr"] {
                let encoder = Propositions::new(Arc::new(WordHasher::new()));
                if let Ok(retriever) = corpus.retriever(name, Some(Arc::new(encoder))) {
                    let _ = retriever.search(&Query::new("river tower"), 5, &Cancel::new());
                }
            }
            let _ = corpus.defining("a", 3);
        }
        // Made again on request, it is whole, whatever was damaged.
        let mut writer = CorpusWriter::open_anew(dir.path(), &options()).unwrap();
        index_with(&mut writer, &files(&[("a", "old stone tower")]), |_| Ok(())).unwrap();
        drop(writer);
        embed(dir.path());
        embed_further(dir.path());
        prop_assert!(verify(dir.path()).unwrap().is_empty(), "{}", path.display());
        let corpus = Corpus::open(dir.path()).unwrap().unwrap();
        prop_assert_eq!(corpus.passage_ids().count(), 1);
    }
}

/// What begins a file of named sections, and what ends it.
const SEALED: (&[u8], &[u8]) = (b"indagoSF", b"SFindago");

/// Sections of a sealed file, as its table states them; what is in none of them as `header` and
/// `table`.
fn sections(bytes: &[u8]) -> Vec<(String, Range<usize>)> {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
    let trailer = bytes.len() - 40;
    let (table, count) = (number(trailer), number(trailer + 8));
    let mut sections = vec![
        ("header".to_owned(), 0..64),
        ("table".to_owned(), table..bytes.len()),
    ];
    for entry in (0..count).map(|i| table + 40 * i) {
        let name = String::from_utf8_lossy(&bytes[entry..entry + 16]);
        let start = number(entry + 16);
        let name = name.trim_end_matches('\0').to_owned();
        sections.push((name, start..start + number(entry + 24)));
    }
    sections.retain(|(_, range)| !range.is_empty());
    sections
}

/// A corpus with every kind of index, and its sealed files as they were published.
fn with_every_index(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let texts = [
        (
            "Brennick Light",
            "Ines Falk built the old stone tower of Brennick in 1888.",
        ),
        (
            "Lunda",
            "The river bridge of Lunda.\n\nBoats pass below the bridge each winter.",
        ),
    ];
    index(dir, &files(&texts));
    embed(dir);
    embed_further(dir);
    let mut writer = CorpusWriter::open(dir, &options()).unwrap();
    let cancel = Cancel::new();
    writer.build_substrings(true, |_, _| (), &cancel).unwrap();
    writer.build_phrases(true, |_, _| (), &cancel).unwrap();
    let read = all_files(dir).into_iter().map(|path| {
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    });
    let sealed: Vec<_> = read
        .filter(|(_, bytes)| bytes.starts_with(SEALED.0) && bytes.ends_with(SEALED.1))
        .collect();
    let named: BTreeSet<String> = sealed
        .iter()
        .flat_map(|(_, bytes)| sections(bytes))
        .map(|(name, _)| name)
        .collect();
    for section in [
        "codes",
        "links",
        "residuals",
        "fixed",
        "positions",
        "keys",
        "entries",
    ] {
        assert!(named.contains(section), "{section} is not in {named:?}");
    }
    sealed
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(8) })]
    #[test]
    fn a_flipped_byte_in_any_section_of_any_index_is_named(
        at in any::<prop::sample::Index>(),
        anywhere in any::<prop::sample::Index>(),
        mask in 1u8..,
    ) {
        let dir = tempfile::tempdir().unwrap();
        for (path, whole) in with_every_index(dir.path()) {
            let mut places: Vec<(String, usize)> = sections(&whole)
                .into_iter()
                .map(|(name, range)| (name, range.start + at.index(range.len())))
                .collect();
            // Wherever it falls, also in what fills up a section.
            places.push(("any".to_owned(), anywhere.index(whole.len())));
            for (section, at) in places {
                let mut damaged = whole.clone();
                damaged[at] ^= mask;
                fs::write(&path, &damaged).unwrap();
                let what = format!("byte {at} of {}, {section}", path.display());
                let problems = verify(dir.path()).unwrap();
                prop_assert!(!problems.is_empty(), "{} is not noticed", what);
                let name = path.display().to_string();
                for problem in &problems {
                    prop_assert!(problem.to_string().contains(&name), "{}: {}", what, problem);
                }
                let is_read_whole = [".links.bin", ".tokens.bin"].iter().any(|e| name.ends_with(e));
                if !is_read_whole {
                    continue;
                }
                // What a search relies on is not even opened.
                match Corpus::open(dir.path()).unwrap_err() {
                    RetrieveError::Corrupt { path: named, reason } => {
                        prop_assert_eq!(&named, &path, "{}", what);
                        let is_section = !["header", "table", "any"].contains(&section.as_str());
                        let told = format!("section `{section}`");
                        prop_assert!(!is_section || reason.contains(&told), "{}: {}", what, reason);
                    }
                    RetrieveError::FormatVersion { path: named, .. } => {
                        prop_assert_eq!(&named, &path, "{}", what);
                    }
                    other => prop_assert!(false, "{}: {}", what, other),
                }
            }
            fs::write(&path, &whole).unwrap();
        }
        prop_assert!(verify(dir.path()).unwrap().is_empty());
    }
}
