//! Approximate search, fewer dimensions and late interaction from the command line.

use serde_json::Value;

use crate::support::{Outcome, Sandbox};

fn json(outcome: &Outcome) -> Value {
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|e| panic!("{e}: {outcome:?}"))
}

const QUERY: &str = "What do you need to bake a loaf?";

#[test]
fn every_index_of_vectors_is_made_searched_described_and_repaired() {
    let sandbox = Sandbox::with_documents();
    let missing = sandbox.run(&["search", QUERY, "--retriever", "plaid"]);
    assert_ne!(missing.code, Some(0));
    let made = sandbox.run(&["index", "docs", "--approximate", "--tokens"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(made.stderr.contains("approximate search finds"), "{made:?}");
    let stats = sandbox.run(&["corpus", "stats"]);
    assert!(stats.stdout.contains("recall@10 1.000"), "{stats:?}");
    let cut = sandbox.run(&["index", "--vectors-only", "--encoder", "minilm:128"]);
    assert_eq!(cut.code, Some(0), "{cut:?}");

    let sentences = [
        "index",
        "--encoder",
        "minilm:sentences",
        "--tokens",
        "--sparse",
    ];
    let sentences = sandbox.run(&sentences);
    assert_eq!(sentences.code, Some(0), "{sentences:?}");
    let stats = sandbox.run(&["corpus", "stats"]);
    assert!(stats.stdout.contains("by bm25: recall@10"), "{stats:?}");

    let names = [
        "ann",
        "dense@minilm:128",
        "maxsim",
        "maxsim-all",
        "muvera",
        "plaid",
        "plaid@minilm:sentences",
        "xtr",
    ];
    let search = |name: &str, more: &[&str]| {
        let args = ["search", QUERY, "--retriever", name, "--json"];
        sandbox.run(&[&args[..], more].concat())
    };
    for name in names {
        let hits = json(&search(name, &[]));
        assert_eq!(hits[0]["document"], "bread.txt", "{name}");
        let filtered = json(&search(name, &["--path", "falk*"]));
        let documents = filtered.as_array().map_or(0, Vec::len);
        assert!(documents <= 1, "{name}: {filtered}");
        assert!(
            documents == 0 || filtered[0]["document"] == "falk.md",
            "{name}"
        );
    }

    assert_eq!(json(&search("sparse", &[]))[0]["document"], "bread.txt");
    // A document that comes later is found by all that index it.
    sandbox.write(
        "docs/cake.txt",
        "Baking a loaf needs a hot oven and a tin.\n",
    );
    assert_eq!(sandbox.run(&["index"]).code, Some(0));
    for name in ["ann", "maxsim", "muvera", "plaid", "xtr"] {
        let hits = json(&search(name, &[]));
        assert_eq!(hits[0]["document"], "cake.txt", "{name}");
    }
    assert!(
        sandbox
            .run(&["corpus", "stats"])
            .stdout
            .contains("approximate")
    );

    for extension in [".links.bin", ".tokens.bin"] {
        let folder = sandbox.path(".indago/corpora/default/vectors");
        let entries = std::fs::read_dir(&folder).expect("the vectors");
        let path = entries
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().ends_with(extension))
            .expect("the file is there");
        let mut bytes = std::fs::read(&path).expect("bytes");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).expect("written");
        let damaged = search("ann", &[]);
        assert_ne!(damaged.code, Some(0));
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
        assert!(
            damaged.stderr.contains(&name.expect("a name")),
            "{damaged:?}"
        );
        let repaired = sandbox.run(&["index", "--rebuild"]);
        assert_eq!(repaired.code, Some(0), "{extension}: {repaired:?}");
        assert_eq!(json(&search("plaid", &[]))[0]["document"], "cake.txt");
    }
    let wrong = sandbox.run(&["index", "--vectors-only", "--encoder", "minilm:1000"]);
    assert!(wrong.stderr.contains("384 dimensions"), "{wrong:?}");
    let pieces = ["index", "--vectors-only", "--encoder", "static", "--tokens"];
    let wrong = sandbox.run(&pieces);
    assert!(wrong.stderr.contains("no vectors of tokens"), "{wrong:?}");
}

#[test]
fn fewer_dimensions_are_cut_from_whole_vectors_and_find_what_encoded_ones_find() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/quality");
    let indexed = |flags: &[&str]| {
        let sandbox = Sandbox::new();
        for name in ["corpus.jsonl", "queries.jsonl"] {
            sandbox.write(name, std::fs::read(folder.join(name)).expect("fixtures"));
        }
        let made = sandbox.run(&[&["index", "corpus.jsonl"], flags].concat());
        assert_eq!(made.code, Some(0), "{made:?}");
        sandbox
    };
    let embed = ["index", "--vectors-only", "--encoder"];
    let embed = |sandbox: &Sandbox, rest: &[&str]| sandbox.run(&[&embed[..], rest].concat());
    let (cut, encoded) = (indexed(&[]), indexed(&["--no-vectors"]));
    for (sandbox, from) in [(&cut, "cut"), (&encoded, "encoded")] {
        let built = json(&embed(sandbox, &["minilm:128", "--json"]));
        assert_eq!(built["embedded"], 180, "{built}");
        for source in ["encoded", "borrowed", "cut"] {
            let expected = if source == from { 180 } else { 0 };
            assert_eq!(built[source], expected, "{built}");
        }
    }
    let said = embed(&cut, &["minilm:256"]).stderr;
    assert!(
        said.contains("180 of 180 passages have vectors; 0 encoded now, 180 cut from longer ones"),
        "{said}"
    );
    // The same, down to the last digit of a score.
    let run = |sandbox: &Sandbox| {
        let args = ["search", "--batch", "queries.jsonl", "-k", "10"];
        let found = sandbox.run(&[&args[..], &["--retriever", "dense@minilm:128"]].concat());
        assert_eq!(found.code, Some(0), "{found:?}");
        found.stdout
    };
    let lines = run(&cut);
    assert_eq!(lines.lines().count(), 10 * 83);
    assert_eq!(lines, run(&encoded));
}
