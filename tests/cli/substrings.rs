//! The index of where any piece of text stands, from the command line.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Outcome, Sandbox};

fn index(sandbox: &Sandbox, more: &[&str]) -> Outcome {
    let outcome = sandbox.run(&[&["index", "--no-vectors"], more].concat());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome
}

/// Documents that have a quote, by `--retriever exact`.
fn exact(sandbox: &Sandbox, quote: &str) -> Vec<String> {
    let outcome = sandbox.run(&["search", quote, "-r", "exact", "--json"]);
    let hits: Value = serde_json::from_str(&outcome.stdout).unwrap_or_default();
    let hits = hits.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut documents: Vec<String> = hits
        .iter()
        .map(|hit| hit["document"].as_str().unwrap_or_default().to_owned())
        .collect();
    documents.sort();
    documents.dedup();
    documents
}

fn stats(sandbox: &Sandbox) -> Value {
    let outcome = sandbox.run(&["corpus", "stats", "--json"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).expect("JSON")
}

#[test]
fn a_corpus_without_the_index_gets_one_and_keeps_it() {
    let sandbox = Sandbox::indexed();
    let quotes = [
        "kerry light",
        "STANDS  on the\nisland",
        "flour, wat",
        "nowhere",
    ];
    let before: Vec<_> = quotes.iter().map(|quote| exact(&sandbox, quote)).collect();
    assert_eq!(before[0], ["lighthouse.md"]);
    assert_eq!(before[3], [""; 0]);
    assert!(stats(&sandbox).get("substrings").is_none());

    let made = index(&sandbox, &["--substrings"]);
    assert!(
        made.stderr
            .contains("substrings of 3 of 3 documents are indexed"),
        "{made:?}"
    );
    let after: Vec<_> = quotes.iter().map(|quote| exact(&sandbox, quote)).collect();
    assert_eq!(after, before);
    let counted = stats(&sandbox);
    assert_eq!(counted["substrings"]["documents"], 3);
    let shown = sandbox.run(&["corpus", "stats"]);
    assert!(shown.stdout.contains("substrings"), "{shown:?}");
    assert!(shown.stdout.contains("3 of 3 documents"), "{shown:?}");

    // What comes, changes and goes is followed without being asked for.
    sandbox.write("docs/new.txt", "The underkerry Lighting of Lunda.\n");
    std::fs::remove_file(sandbox.path("docs/bread.txt")).expect("removed");
    let followed = index(&sandbox, &[]);
    assert!(followed.stderr.contains("3 of 3 documents"), "{followed:?}");
    assert_eq!(exact(&sandbox, "kerry Light"), ["lighthouse.md", "new.txt"]);
    assert_eq!(exact(&sandbox, "flour, wat"), [""; 0]);
    assert!(
        index(&sandbox, &[])
            .stderr
            .lines()
            .all(|line| !line.contains("substrings"))
    );
    assert_eq!(exact(&sandbox, "erry Lighting of L"), ["new.txt"]);

    // And done away with.
    index(&sandbox, &["--substrings", "off"]);
    assert!(stats(&sandbox).get("substrings").is_none());
    assert_eq!(exact(&sandbox, "kerry Light"), ["lighthouse.md", "new.txt"]);
    let folder = sandbox.path(".indago/corpora/default/substrings");
    assert_eq!(std::fs::read_dir(folder).expect("the folder").count(), 0);
}

#[test]
fn bad_input_is_refused_and_leaves_the_corpus_as_it_was() {
    let sandbox = Sandbox::indexed();
    for bad in ["maybe", ""] {
        let refused = sandbox.run(&["index", "--no-vectors", "--substrings", bad]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains("--substrings"), "{refused:?}");
    }
    let nothing = Sandbox::new();
    let refused = nothing.run(&["index", "--no-vectors", "--substrings"]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    index(&sandbox, &["--substrings"]);
    let long = "x".repeat(10_000);
    for quote in [" ", "\u{130}", "\u{307}", long.as_str(), "a\u{0}b"] {
        if quote.contains('\0') {
            continue;
        }
        assert_eq!(exact(&sandbox, quote), [""; 0], "{quote:.10}");
    }
}

#[test]
fn damage_is_named_by_doctor_and_rebuilt_on_request() {
    let sandbox = Sandbox::indexed();
    index(&sandbox, &["--substrings"]);
    let folder = sandbox.path(".indago/corpora/default/substrings");
    for kind in ["text-", "rows-"] {
        let entries = std::fs::read_dir(&folder).expect("the index").flatten();
        let mut paths = entries.map(|entry| entry.path());
        let path = paths
            .find(|path| path.to_string_lossy().contains(kind))
            .expect("a file");
        let mut bytes = std::fs::read(&path).expect("bytes");
        let at = bytes.len() / 2;
        bytes[at] ^= 4;
        std::fs::write(&path, bytes).expect("written");
        let doctor = sandbox.run(&["doctor"]);
        assert!(doctor.stdout.contains("substrings/"), "{doctor:?}");
        let search = sandbox.run(&["search", "kerry light", "-r", "exact"]);
        assert_ne!(search.code, Some(0), "{search:?}");
        assert!(search.stderr.contains(kind), "{search:?}");
        index(&sandbox, &["--rebuild"]);
        assert_eq!(exact(&sandbox, "kerry light"), ["lighthouse.md"]);
        assert_eq!(stats(&sandbox)["substrings"]["documents"], 3);
        let doctor = sandbox.run(&["doctor"]);
        assert!(!doctor.stdout.contains("substrings/"), "{doctor:?}");
    }
}

#[test]
fn a_killed_build_leaves_a_corpus_that_answers() {
    let sandbox = Sandbox::new();
    for i in 0..30 {
        let text = format!("Chapter {i} of many. The quixotic number {i} ends here.\n").repeat(60);
        sandbox.write(&format!("docs/{i}.txt"), text);
    }
    index(&sandbox, &["docs"]);
    for wait in [10, 40, 80, 120, 200, 300] {
        let mut command = sandbox.command(&["index", "--no-vectors", "--substrings"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program runs");
        std::thread::sleep(Duration::from_millis(wait));
        // It may have ended already.
        let _killed = child.kill();
        let _status = child.wait();
        assert_eq!(
            exact(&sandbox, "otic number 17 e"),
            ["17.txt"],
            "after {wait} ms"
        );
    }
    index(&sandbox, &["--substrings"]);
    assert_eq!(stats(&sandbox)["substrings"]["documents"], 30);
    assert_eq!(exact(&sandbox, "otic number 17 e"), ["17.txt"]);
    let doctor = sandbox.run(&["doctor"]);
    assert!(!doctor.stdout.contains("substrings/"), "{doctor:?}");
}
