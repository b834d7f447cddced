//! The stored graph of passages and phrases, from the command line.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Outcome, Sandbox};

fn index(sandbox: &Sandbox, more: &[&str]) -> Outcome {
    let outcome = sandbox.run(&[&["index", "--no-vectors"], more].concat());
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome
}

fn ppr(sandbox: &Sandbox) -> Value {
    let outcome = sandbox.run(&["search", "Who is Ines Falk?", "-r", "ppr", "--json"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).expect("JSON")
}

fn graph(sandbox: &Sandbox) -> Value {
    let outcome = sandbox.run(&["corpus", "stats", "--json"]);
    let stats: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    stats["phrase_graph"].clone()
}

#[test]
fn a_corpus_without_the_graph_gets_one_and_keeps_it() {
    let sandbox = Sandbox::indexed();
    let before = ppr(&sandbox);
    assert!(before.as_array().is_some_and(|hits| hits.len() > 1));
    assert_eq!(graph(&sandbox), Value::Null);
    let made = index(&sandbox, &["--phrase-graph"]);
    assert!(made.stderr.contains("graph of 3 passages"), "{made:?}");
    assert!(made.stderr.contains("3 texts read now"), "{made:?}");
    assert_eq!(ppr(&sandbox), before);
    assert_eq!(graph(&sandbox)["is_current"], true);

    // What comes and goes is followed without being asked for, and nothing is read twice.
    sandbox.write("docs/new.txt", "Ines Falk also drew the Lunda Bridge.\n");
    std::fs::remove_file(sandbox.path("docs/bread.txt")).expect("removed");
    let followed = index(&sandbox, &[]);
    assert!(followed.stderr.contains("1 texts read now"), "{followed:?}");
    assert_eq!(graph(&sandbox)["is_current"], true);
    assert!(!index(&sandbox, &[]).stderr.contains("texts read"));
    let stored = ppr(&sandbox);
    let shown = sandbox.run(&["corpus", "stats"]);
    assert!(shown.stdout.contains("phrase graph"), "{shown:?}");
    index(&sandbox, &["--phrase-graph", "off"]);
    assert_eq!(graph(&sandbox), Value::Null);
    assert_eq!(ppr(&sandbox), stored);
}

#[test]
fn bad_input_and_damage_are_named() {
    let sandbox = Sandbox::indexed();
    let refused = sandbox.run(&["index", "--no-vectors", "--phrase-graph", "maybe"]);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    let nothing = Sandbox::new();
    let refused = nothing.run(&["index", "--no-vectors", "--phrase-graph"]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    index(&sandbox, &["--phrase-graph"]);
    let before = ppr(&sandbox);
    let folder = sandbox.path(".indago/corpora/default/phrases");
    let entries = std::fs::read_dir(folder).expect("the graph").flatten();
    let path = entries.map(|entry| entry.path()).next().expect("a file");
    let mut bytes = std::fs::read(&path).expect("bytes");
    let at = bytes.len() / 2;
    bytes[at] ^= 4;
    std::fs::write(&path, bytes).expect("written");
    let search = sandbox.run(&["search", "Who is Ines Falk?", "-r", "ppr"]);
    assert_ne!(search.code, Some(0), "{search:?}");
    assert!(search.stderr.contains("phrases/"), "{search:?}");
    let doctor = sandbox.run(&["doctor"]);
    assert!(doctor.stdout.contains("phrases/"), "{doctor:?}");
    index(&sandbox, &["--rebuild"]);
    assert_eq!(graph(&sandbox)["is_current"], true);
    assert_eq!(ppr(&sandbox), before);
}

#[test]
fn a_killed_build_leaves_a_corpus_that_answers() {
    let sandbox = Sandbox::with_documents();
    for i in 0..40 {
        let text = format!("Ines Falk met Captain Number{i} in Port Lunda{i}.\n\n").repeat(30);
        sandbox.write(&format!("docs/{i}.txt"), text);
    }
    index(&sandbox, &["docs"]);
    let before = ppr(&sandbox);
    for wait in [20, 60, 120, 200, 350] {
        let mut command = sandbox.command(&["index", "--no-vectors", "--phrase-graph"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program runs");
        std::thread::sleep(Duration::from_millis(wait));
        // It may have ended already.
        let _killed = child.kill();
        let _status = child.wait();
        assert_eq!(ppr(&sandbox), before, "after {wait} ms");
    }
    index(&sandbox, &["--phrase-graph"]);
    assert_eq!(graph(&sandbox)["is_current"], true);
    assert_eq!(ppr(&sandbox), before);
    let doctor = sandbox.run(&["doctor"]);
    assert!(!doctor.stdout.contains("phrases/"), "{doctor:?}");
}
