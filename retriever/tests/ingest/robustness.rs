//! No loader panics or hangs, whatever the bytes: arbitrary ones under every extension, and real
//! files cut short or with bits flipped.

use std::fs;
use std::time::Duration;

use indago_retriever::ingest::{ChunkOptions, LoadLimits, TokenEstimate, chunk};
use proptest::prelude::*;

use crate::{fixture, read, write};

const EXTENSIONS: [&str; 22] = [
    "md", "txt", "html", "pdf", "docx", "epub", "csv", "tsv", "jsonl", "json", "json.gz",
    "jsonl.gz", "rs", "py", "js", "ts", "tsx", "go", "java", "c", "cpp", "rb",
];

/// Small limits, so that a mistake about them shows.
fn limits() -> LoadLimits {
    LoadLimits {
        file_bytes: 1 << 20,
        stream_bytes: 1 << 20,
        record_bytes: 1 << 16,
        time: Duration::from_mins(2),
        ..LoadLimits::default()
    }
}

fn load_and_chunk(name: &str, bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let (parsed, _, _) = read(&write(folder.path(), name, bytes), &limits());
    for parsed in parsed {
        let options = ChunkOptions::default();
        for passage in chunk(&parsed.document, &parsed.outline, &options, &TokenEstimate) {
            let span = passage.span.start as usize..passage.span.end as usize;
            assert_eq!(&parsed.document.text[span], passage.text);
        }
    }
}

/// A small sound file of each text format, to be damaged.
fn samples() -> Vec<(String, Vec<u8>)> {
    let mut samples: Vec<(String, Vec<u8>)> = [
        ("a.md", "---\ntitle: x\n---\n# A\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> q\n\n1. x\n   - y\n"),
        ("a.html", "<html><head><title>t</title></head><body><h1>a</h1><table><tr><td>b</table><pre>c</pre>"),
        ("a.csv", "a,b,c\n1,\"x\ny\",3\n\"\",,\n"),
        ("a.jsonl", "{\"_id\":\"1\",\"text\":\"a\",\"metadata\":{\"k\":[1,\"b\"]}}\n{\"text\":\"b\"}\n"),
        ("a.json", "[{\"text\":\"a\\\"\\u00e9\"},{\"text\":\"b\"}]"),
        ("a.rs", "mod a { impl B { fn c() {} } }\n/// d\nstruct D;\n"),
        ("a.cpp", "namespace a { class B { int c() { return 0; } }; }\n"),
    ]
    .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()))
    .to_vec();
    for name in [
        "report.pdf",
        "object-streams.pdf",
        "encrypted.pdf",
        "owner-locked.pdf",
        "scanned.pdf",
        "ferry.pdf",
        "bridge.docx",
        "lamp.epub",
    ] {
        samples.push((
            name.to_owned(),
            fs::read(fixture(name).path).expect("a fixture"),
        ));
    }
    samples
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_survived_under_every_name(
        bytes in prop::collection::vec(any::<u8>(), 0..400), pick in 0..EXTENSIONS.len(),
    ) {
        load_and_chunk(&format!("a.{}", EXTENSIONS[pick]), &bytes);
    }

    #[test]
    fn arbitrary_text_is_survived_under_every_name(text in "\\PC{0,300}", pick in 0..EXTENSIONS.len()) {
        load_and_chunk(&format!("a.{}", EXTENSIONS[pick]), text.as_bytes());
    }

    #[test]
    fn damaged_files_are_survived(
        pick in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 0..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let samples = samples();
        let (name, mut bytes) = samples[pick.index(samples.len())].clone();
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        load_and_chunk(&name, &bytes);
    }
}

#[test]
fn every_truncation_of_a_pdf_and_a_container_is_survived() {
    for name in ["ferry.pdf", "lamp.epub"] {
        let bytes = fs::read(fixture(name).path).unwrap();
        for end in (0..bytes.len()).step_by(23) {
            load_and_chunk(name, &bytes[..end]);
        }
    }
}

#[test]
fn deep_nesting_is_survived() {
    let n = 20_000;
    for (name, open, close) in [
        ("a.md", "> ", ""),
        ("a.md", "- ", ""),
        ("a.md", "[", "]"),
        ("a.html", "<div>", "</div>"),
        ("a.html", "<b><i>", ""),
        ("a.jsonl", "[", "]"),
        ("a.json", "{\"a\":", "}"),
        ("a.rs", "mod a {", "}"),
        ("a.c", "(", ")"),
        ("a.py", "[", "]"),
    ] {
        let text = format!("{}x{}", open.repeat(n), close.repeat(n));
        load_and_chunk(name, text.as_bytes());
    }
}
