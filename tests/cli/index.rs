//! Indexing, searching and corpora.

use std::process::Stdio;

use serde_json::Value;

use crate::support::Sandbox;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn indexing_tells_what_it_did_and_a_second_time_does_nothing() {
    let sandbox = Sandbox::with_documents();
    let first = json(
        &sandbox
            .run(&["index", "docs", "--no-vectors", "--json"])
            .stdout,
    );
    assert_eq!(
        (&first["added"], &first["documents"]),
        (&Value::from(3), &Value::from(3))
    );
    let again = json(
        &sandbox
            .run(&["index", "docs", "--no-vectors", "--json"])
            .stdout,
    );
    assert_eq!(again["unchanged"], 3);
    assert_eq!(again["read_bytes"], 0);
    assert_eq!(again["passages"], first["passages"]);
}

#[test]
fn changed_touched_and_removed_files_are_told_apart() {
    let sandbox = Sandbox::indexed();
    sandbox.write(
        "docs/bread.txt",
        "Bread needs flour, water, salt and sourdough.\n",
    );
    let same = std::fs::read(sandbox.path("docs/falk.md")).expect("a file");
    sandbox.write("docs/falk.md", same);
    std::fs::remove_file(sandbox.path("docs/lighthouse.md")).expect("removed");
    let outcome = json(&sandbox.run(&["index", "--no-vectors", "--json"]).stdout);
    let counts = ["changed", "unchanged", "removed", "documents"].map(|key| outcome[key].clone());
    assert_eq!(counts, [1, 1, 1, 2].map(Value::from));
    assert_eq!(sandbox.run(&["search", "sourdough"]).code, Some(0));
    assert_eq!(sandbox.run(&["search", "yeast"]).code, Some(3));
}

#[test]
fn paths_add_up_and_rebuild_starts_over() {
    let sandbox = Sandbox::indexed();
    sandbox.write("more/cheese.txt", "Cheese needs milk.\n");
    let both = json(
        &sandbox
            .run(&["index", "more", "--no-vectors", "--json"])
            .stdout,
    );
    assert_eq!(both["documents"], 4);
    let only = ["index", "more", "--rebuild", "--no-vectors", "--json"];
    assert_eq!(json(&sandbox.run(&only).stdout)["documents"], 1);

    // The same makes an index anew whose own list of files cannot be read.
    sandbox.write(".indago/corpora/default/manifest.json", "{\"version\": ");
    let refused = sandbox.run(&["index", "more", "--no-vectors"]);
    assert_ne!(refused.code, Some(0));
    assert!(refused.stderr.contains("--rebuild"), "{refused:?}");
    assert_eq!(json(&sandbox.run(&only).stdout)["documents"], 1);
    assert_eq!(sandbox.run(&["search", "milk"]).code, Some(0));
}

#[test]
fn a_second_corpus_takes_the_vectors_that_the_first_one_has() {
    let sandbox = Sandbox::new();
    for n in 0..40 {
        let text = format!("Boat {n} sails to harbour {} before noon.\n", n * 7);
        sandbox.write(&format!("boats/{n}.txt"), &text);
    }
    let index = |corpus: &str| {
        let outcome = sandbox.run(&["index", "boats", "--corpus", corpus, "--json"]);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        let logs = sandbox.path(&format!(".indago/corpora/{corpus}/vectors"));
        let log = std::fs::read_dir(logs)
            .expect("vectors")
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|end| end == "log"))
            .expect("a log");
        std::fs::read(log).expect("bytes")
    };
    let first = index("one");
    sandbox.write("boats/short.txt", "Ahoy.\n");
    let second = index("two");
    // An encoder is given the shortest text first: what stands before it was copied.
    assert!(second.len() > first.len() && second.starts_with(&first));
    let hits = sandbox.run(&["search", "ships", "--corpus", "two", "--retriever", "dense"]);
    assert_eq!(hits.code, Some(0), "{hits:?}");
}

#[test]
fn search_shows_why_each_passage_was_found() {
    let sandbox = Sandbox::indexed();
    let outcome = sandbox.run(&["search", "who designed the lighthouse", "--json"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let hits = json(&outcome.stdout);
    assert_eq!(hits[0]["rank"], 1);
    let why = |document: &str| {
        let hits = hits.as_array().expect("hits");
        let hit = hits.iter().find(|hit| hit["document"] == document);
        hit.unwrap_or_else(|| panic!("{document}: {outcome:?}"))["why"][0].clone()
    };
    assert_eq!(why("lighthouse.md")["retriever"], "bm25");
    assert_eq!(why("lighthouse.md")["rank"], 1);
    // None of the words stand there: the designer's name led to it.
    assert_eq!(why("falk.md")["retriever"], "links");
    let by_words = [
        "search",
        "who designed the lighthouse",
        "--retriever",
        "bm25",
    ];
    let hits = json(&sandbox.run(&[&by_words[..], &["--json"]].concat()).stdout);
    assert_eq!(hits[0]["document"], "lighthouse.md");
    let text = sandbox.run(&["search", "lighthouse"]).stdout;
    assert!(text.contains("bm25 #1 ("), "{text}");
}

#[test]
fn filters_narrow_a_search() {
    let sandbox = Sandbox::indexed();
    let hits = sandbox
        .run(&["search", "Ines Falk", "--path", "falk*", "--json"])
        .stdout;
    let documents: Vec<&str> = Vec::new();
    let hits = json(&hits);
    let found: Vec<&str> = hits
        .as_array()
        .expect("hits")
        .iter()
        .filter_map(|h| h["document"].as_str())
        .collect();
    assert_eq!(found, ["falk.md"], "{documents:?}");
    assert_eq!(
        sandbox.run(&["search", "Falk", "--after", "2090"]).code,
        Some(3)
    );
    assert_eq!(
        sandbox.run(&["search", "Falk", "--after", "soon"]).code,
        Some(2)
    );
}

#[test]
fn a_batch_of_queries_becomes_a_trec_run() {
    let sandbox = Sandbox::indexed();
    sandbox.write(
        "q.jsonl",
        "{\"_id\":\"q 1\",\"text\":\"yeast\"}\n{\"_id\":\"q2\",\"text\":\"Ines Falk\"}\n",
    );
    let outcome = sandbox.run(&["search", "--batch", "q.jsonl", "-k", "2"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let lines: Vec<Vec<&str>> = outcome
        .stdout
        .lines()
        .map(|line| line.split(' ').collect())
        .collect();
    assert!(lines.iter().all(|fields| fields.len() == 6), "{outcome:?}");
    assert_eq!(lines[0][..4], ["q_1", "Q0", "bread.txt", "1"]);
    assert_eq!(lines.iter().filter(|fields| fields[0] == "q2").count(), 2);
}

/// Batches of one file's records are cut and analysed on all cores: what is stored and found must not
/// show it. Broken records and long ones stand among them, so that batches differ in size.
#[test]
fn many_records_of_one_file_are_the_same_index_however_many_threads_read_it() {
    let mut records = String::new();
    for i in 0..500 {
        let words = (0..20 + i % 7 * 90).map(|w| format!("word{} ", (i * 31 + w * 17) % 997));
        let text: String = words.collect();
        let broken = if i % 101 == 50 { "{" } else { "" };
        records +=
            &format!("{broken}{{\"_id\":\"r{i}\",\"title\":\"Record {i}\",\"text\":\"{text}\"}}\n");
    }
    let index = |threads: &str| {
        let sandbox = Sandbox::new();
        sandbox.write("records.jsonl", &records);
        let args = [
            "index",
            "records.jsonl",
            "--no-vectors",
            "--json",
            "--threads",
            threads,
        ];
        let outcome = sandbox.run(&args);
        let mut indexed = json(&outcome.stdout);
        indexed["lexical_seconds"] = Value::Null;
        let store = sandbox.path(".indago/corpora/default/g000001/documents");
        let hits = sandbox.run(&["search", "word31 word48 word65", "-k", "20", "--json"]);
        (
            indexed,
            std::fs::read(store).expect("a store"),
            json(&hits.stdout),
        )
    };
    let (one, several) = (index("1"), index("4"));
    assert_eq!(one.0["documents"], 495, "{}", one.0);
    assert_eq!(
        one.0["skipped"].as_array().map(Vec::len),
        Some(5),
        "{}",
        one.0
    );
    assert_eq!(one.0, several.0);
    assert!(one.1 == several.1, "the stored documents differ");
    assert_eq!(one.2.as_array().map(Vec::len), Some(20));
    assert_eq!(one.2, several.2);
}

#[test]
fn corpora_are_listed_described_and_removed() {
    let sandbox = Sandbox::indexed();
    let stats = json(&sandbox.run(&["corpus", "stats", "--json"]).stdout);
    assert_eq!(stats["documents"], 3);
    assert_eq!(stats["roots"][0], "[FOLDER]/docs");
    let asked = sandbox.run(&["corpus", "rm", "default"]);
    assert_eq!(
        asked.code,
        Some(2),
        "removing without a terminal wants --yes"
    );
    assert_eq!(
        sandbox.run(&["corpus", "rm", "default", "--yes"]).code,
        Some(0)
    );
    assert_eq!(sandbox.run(&["search", "Falk"]).code, Some(1));
    assert!(sandbox.path("docs/falk.md").is_file());
}

#[test]
fn killing_an_index_leaves_the_old_one_or_one_that_can_be_made() {
    let sandbox = Sandbox::indexed();
    for i in 0..400 {
        sandbox.write(
            &format!("docs/more/{i}.txt"),
            format!("Note {i} about tides.\n").repeat(200),
        );
    }
    // Killed at several moments, wherever those fall.
    for patience in [5, 30, 90, 200] {
        let mut child = sandbox
            .command(&["index", "--no-vectors"])
            .stderr(Stdio::null())
            .spawn()
            .expect("runs");
        std::thread::sleep(std::time::Duration::from_millis(patience));
        child.kill().expect("killed");
        child.wait().expect("ended");
        let outcome = sandbox.run(&["search", "lighthouse"]);
        assert_eq!(outcome.code, Some(0), "after {patience} ms: {outcome:?}");
    }
    let outcome = json(&sandbox.run(&["index", "--no-vectors", "--json"]).stdout);
    assert_eq!(outcome["documents"], 403);
    assert_eq!(sandbox.run(&["search", "tides"]).code, Some(0));
    assert_eq!(sandbox.run(&["doctor"]).code, Some(0));
}

#[test]
fn passages_that_say_least_are_left_without_vectors_until_they_are_wanted_again() {
    let sandbox = Sandbox::with_documents();
    sandbox.write("docs/note.txt", "Bread, salt.\n");
    let made = sandbox.run(&["index", "docs", "--prune", "0.3"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(
        made.stderr
            .contains("1 passages that say least get no vectors")
            && made
                .stderr
                .contains("3 of 4 passages have vectors, 1 are left out"),
        "{made:?}"
    );
    let stats = sandbox.run(&["corpus", "stats"]);
    assert!(
        stats.stdout.contains("3 of 4, 1 left out on purpose"),
        "{stats:?}"
    );
    let described = sandbox.run(&["corpus", "stats", "--json"]);
    assert!(
        described.stdout.contains("\"left_out\": 1"),
        "{described:?}"
    );
    let search = |retriever: &str| {
        let args = [
            "search",
            "bread and salt",
            "--retriever",
            retriever,
            "--json",
        ];
        sandbox.run(&args)
    };
    // Words find it, vectors do not, and nobody is told to complete anything.
    for (retriever, is_found) in [("bm25", true), ("dense", false), ("graph", true)] {
        let outcome = search(retriever);
        let all = format!("{}{}", outcome.stdout, outcome.stderr);
        assert_eq!(
            all.contains("\"document\": \"note.txt\"") || all.contains("folded"),
            is_found,
            "{retriever}: {outcome:?}"
        );
        assert!(!all.contains("completes them"), "{outcome:?}");
    }
    // Kept when documents come; changed when that is asked for; nothing is encoded twice.
    sandbox.write("docs/cake.txt", "A cake wants sugar, eggs and butter.\n");
    assert_eq!(sandbox.run(&["index"]).code, Some(0));
    let stats = sandbox.run(&["corpus", "stats"]);
    assert!(stats.stdout.contains("4 of 5, 1 left out"), "{stats:?}");
    let back = sandbox.run(&["index", "--vectors-only", "--prune", "0"]);
    assert!(
        back.stderr.contains("5 of 5 passages have vectors"),
        "{back:?}"
    );
    for wrong in ["1", "-0.1", "much", "NaN"] {
        let refused = sandbox.run(&["index", &format!("--prune={wrong}")]);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(
            refused.stderr.contains("a share from 0 to 0.9"),
            "{refused:?}"
        );
    }
}
