//! Documents in several languages: found by any form of their words, told apart, and changed on
//! request.

use serde_json::Value;

use crate::support::Sandbox;

/// A planted corpus of six languages.
fn planted() -> Sandbox {
    let sandbox = Sandbox::with_documents();
    for (path, text) in [
        (
            "docs/rathaus.md",
            "# Das Rathaus\n\nDie alten Häuser am Markt wurden nach dem Brand wieder aufgebaut, und \
             das Rathaus ist seit 1610 das größte von ihnen.\n",
        ),
        (
            "docs/phare.html",
            "<html lang=\"fr\"><head><title>Phares</title></head><body><p>Kerdonis, Goulphar, \
             Eckmühl: chevaux, lanternes, marées.</p></body></html>",
        ),
        (
            "docs/mayak.txt",
            "Старый маяк на острове построили два брата, которые работали с камнем из деревни.\n",
        ),
        (
            "docs/dengta.txt",
            "岛上的旧灯塔是由两兄弟用村里的石头建造的。猫住在那里。\n",
        ),
        ("docs/tårn.md", "---\nlang: sv\n---\nTornen vid hamnen.\n"),
    ] {
        sandbox.write(path, text);
    }
    sandbox
}

/// The documents that BM25 finds, best first.
fn found(sandbox: &Sandbox, query: &str) -> Vec<String> {
    let outcome = sandbox.run(&["search", query, "--retriever", "bm25", "--json"]);
    if outcome.code == Some(3) {
        return Vec::new();
    }
    assert_eq!(outcome.code, Some(0), "{query}: {outcome:?}");
    let hits: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let hits = hits.as_array().or_else(|| hits["hits"].as_array());
    let path = |hit: &Value| hit["path"].as_str().expect("a path").to_owned();
    hits.expect("hits").iter().map(path).collect()
}

#[test]
fn documents_are_found_by_any_form_of_their_words() {
    let sandbox = planted();
    let indexed = sandbox.run(&["index", "docs", "--no-vectors"]);
    assert_eq!(indexed.code, Some(0), "{indexed:?}");
    for (query, path) in [
        ("Haus", "rathaus.md"),
        ("HÄUSER", "rathaus.md"),
        ("ha\u{308}user", "rathaus.md"),
        ("cheval", "phare.html"),
        ("острова", "mayak.txt"),
        ("灯塔", "dengta.txt"),
        ("猫", "dengta.txt"),
        ("hamnarna torn", "tårn.md"),
        ("designing lighthouses", "lighthouse.md"),
        ("where does bread need yeast", "bread.txt"),
    ] {
        let paths = found(&sandbox, query);
        assert_eq!(
            paths.first().map(String::as_str),
            Some(path),
            "{query}: {paths:?}"
        );
    }
    // Where a quote stands does not depend on how its words are analysed.
    let exact = sandbox.run(&["search", "Häuser am Markt", "--retriever", "exact"]);
    assert_eq!(exact.code, Some(0), "{exact:?}");
    // Nor does the default retriever, over documents of all of them.
    let graph = sandbox.run(&["search", "Rathaus Brand", "-k", "1"]);
    assert!(graph.stdout.contains("rathaus.md"), "{graph:?}");
}

#[test]
fn stats_count_the_documents_of_each_language() {
    let sandbox = planted();
    sandbox.run(&["index", "docs", "--no-vectors"]);
    let stats = sandbox.run(&["corpus", "stats"]).stdout;
    assert!(
        stats.contains("en 3, de 1, fr 1, ru 1, sv 1, zh 1"),
        "{stats}"
    );
    let json = sandbox.run(&["corpus", "stats", "--json"]).stdout;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["language"], "auto");
    assert_eq!(
        (&json["languages"]["en"], &json["languages"]["de"]),
        (&3.into(), &1.into())
    );
    // What is deleted is in no language.
    std::fs::remove_file(sandbox.path("docs/mayak.txt")).expect("removed");
    sandbox.run(&["index", "--no-vectors"]);
    let stats = sandbox.run(&["corpus", "stats"]).stdout;
    assert!(stats.contains("en 3, de 1, fr 1, sv 1, zh 1"), "{stats}");
    assert_eq!(found(&sandbox, "острова"), [""; 0]);
}

#[test]
fn english_documents_rank_as_they_do_among_themselves() {
    let alone = Sandbox::with_documents();
    alone.run(&["index", "docs", "--no-vectors"]);
    let english = Sandbox::with_documents();
    english.run(&["index", "docs", "--no-vectors", "--language", "en"]);
    let mixed = planted();
    mixed.run(&["index", "docs", "--no-vectors"]);
    for query in [
        "who designed the lighthouse",
        "engineers born in Skagen",
        "salt or yeast",
    ] {
        let search = |sandbox: &Sandbox| {
            sandbox
                .run(&["search", query, "--retriever", "bm25", "--json"])
                .stdout
        };
        // Told apart or not: the same hits with the same scores.
        assert_eq!(search(&alone), search(&english), "{query}");
        assert_eq!(found(&alone, query), found(&mixed, query), "{query}");
    }
}

#[test]
fn a_language_is_kept_until_another_is_asked_for() {
    let sandbox = planted();
    let index = |more: &[&str]| {
        let line: Vec<&str> = ["index", "--no-vectors", "--json"]
            .iter()
            .chain(more)
            .copied()
            .collect();
        let outcome = sandbox.run(&line);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        serde_json::from_str::<Value>(&outcome.stdout).expect("JSON")
    };
    index(&["docs", "--language", "de", "--sparse"]);
    let stats = || sandbox.run(&["corpus", "stats"]).stdout;
    assert!(
        stats().contains("de 8 (as `--language` says)"),
        "{}",
        stats()
    );
    // Analysed as German, an English plural stays what it is.
    assert_eq!(found(&sandbox, "designs"), [""; 0]);
    assert_eq!(index(&[])["unchanged"], 8);
    // Other commands leave it as it is, vectors and all.
    assert_eq!(sandbox.run(&["index", "--vectors-only"]).code, Some(0));
    assert_eq!(index(&[])["unchanged"], 8);
    // Another one reads every file again.
    assert_eq!(index(&["--language", "auto"])["added"], 8);
    assert_eq!(found(&sandbox, "designs"), ["lighthouse.md"]);
    let sparse = sandbox.run(&["search", "designs", "--retriever", "sparse"]);
    assert!(sparse.stdout.contains("lighthouse.md"), "{sparse:?}");
    sandbox.write("indago.toml", "[index]\nlanguage = \"de\"\n");
    assert_eq!(index(&[])["added"], 8);
}

#[test]
fn what_a_document_says_of_its_language_may_change() {
    let sandbox = planted();
    sandbox.run(&["index", "docs", "--no-vectors", "--sparse"]);
    sandbox.write("docs/tårn.md", "---\nlang: en\n---\nTornen vid hamnen.\n");
    sandbox.run(&["index", "--no-vectors"]);
    for retriever in ["bm25", "sparse"] {
        let hits = |query| {
            let outcome = sandbox.run(&["search", query, "--retriever", retriever]);
            outcome.stdout.contains("tårn.md")
        };
        // Its words are now those of English: the Swedish plural is a word of its own.
        assert!(hits("tornen") && !hits("torn"), "{retriever}");
    }
}

#[test]
fn an_unknown_language_is_refused_with_those_that_are_known() {
    let sandbox = Sandbox::with_documents();
    let outcome = sandbox.run(&["index", "docs", "--language", "klingon"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(
        outcome
            .stderr
            .contains("`klingon` is no language that is known: auto, ar, ca"),
        "{outcome:?}"
    );
    sandbox.write("indago.toml", "[index]\nlanguage = \"xx\"\n");
    let outcome = sandbox.run(&["index", "docs"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(
        outcome.stderr.contains("`index.language`") && outcome.stderr.contains("`sv`"),
        "{outcome:?}"
    );
    assert!(!sandbox.path(".indago").exists(), "nothing was made");
    // A document that states something odd is read as its text shows.
    std::fs::remove_file(sandbox.path("indago.toml")).expect("removed");
    sandbox.write(
        "docs/odd.md",
        "---\nlang: klingon\n---\nDas Haus ist nicht groß, aber es ist alt.\n",
    );
    sandbox.run(&["index", "docs", "--no-vectors"]);
    let stats = sandbox.run(&["corpus", "stats"]).stdout;
    assert!(stats.contains("en 3, de 1"), "{stats}");
}
