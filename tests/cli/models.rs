//! Models from folders, rerankers, weighted fields and quotes, from the command line.

use std::path::Path;

use serde_json::Value;

use crate::support::{Outcome, Sandbox};

/// A tiny random model, whose scores mean nothing and are known.
fn tiny(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/tests/tiny");
    folder.join(name).display().to_string()
}

/// The program with the sandbox's own folder of models.
fn run(sandbox: &Sandbox, args: &[&str]) -> Outcome {
    let mut command = sandbox.command(args);
    command.env("INDAGO_MODELS", sandbox.path("models"));
    sandbox.outcome(command.output().expect("the program runs"))
}

fn hits(outcome: &Outcome) -> Vec<Value> {
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|e| panic!("{e}: {}", outcome.stdout))
}

#[test]
fn an_added_cross_encoder_reranks_what_is_found() {
    let sandbox = Sandbox::indexed();
    let added = run(
        &sandbox,
        &["models", "add", &tiny("cross"), "--name", "tiny-cross"],
    );
    assert_eq!(added.code, Some(0), "{added:?}");
    let listed = run(&sandbox, &["models", "list"]).stdout;
    assert!(
        listed.contains("tiny-cross") && listed.contains("cross-encoder"),
        "{listed}"
    );
    assert_eq!(run(&sandbox, &["models", "verify"]).code, Some(0));

    let query = "who was the engineer of the lighthouse";
    let search = |more: &[&str]| {
        let all = [&["search", query, "--retriever", "bm25", "--json"], more].concat();
        hits(&run(&sandbox, &all))
    };
    let (first, second) = (search(&[]), search(&["--rerank", "tiny-cross"]));
    let passages = |hits: &[Value]| {
        let mut ids: Vec<String> = hits.iter().map(|hit| hit["passage"].to_string()).collect();
        ids.sort();
        ids
    };
    assert_eq!(passages(&first), passages(&second));
    let scores: Vec<f64> = second
        .iter()
        .map(|hit| hit["score"].as_f64().expect("a score"))
        .collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    assert_eq!(second[0]["why"][1]["retriever"], "tiny-cross");

    sandbox.write(
        "indago.toml",
        "[rerank]\nmodel = \"tiny-cross\"\ndepth = 1\n",
    );
    let configured = search(&[]);
    assert_eq!(configured[0]["why"][1]["retriever"], "tiny-cross");
    assert_eq!(configured[1]["why"].as_array().map(Vec::len), Some(1));
    sandbox.write("indago.toml", "");

    assert_eq!(run(&sandbox, &["models", "rm", "tiny-cross"]).code, Some(0));
    assert_ne!(run(&sandbox, &["models", "rm", "tiny-cross"]).code, Some(0));
    let gone = run(&sandbox, &["search", query, "--rerank", "tiny-cross"]);
    assert_ne!(gone.code, Some(0));
    assert!(gone.stderr.contains("tiny-cross"), "{gone:?}");
}

#[test]
fn the_embedded_encoder_reranks_by_cosine() {
    let sandbox = Sandbox::indexed();
    let query = "where did the designer study";
    let all = [
        "search",
        query,
        "--retriever",
        "bm25",
        "--rerank",
        "static",
        "--json",
    ];
    let found = hits(&run(&sandbox, &all));
    assert_eq!(found[0]["why"][1]["rank"], 1);
}

#[test]
fn a_corpus_is_encoded_by_an_added_model() {
    let sandbox = Sandbox::indexed();
    let prefixes = ["--query-prefix", "query: ", "--passage-prefix", "passage: "];
    let encoder = tiny("encoder");
    let add = [
        &["models", "add", &encoder, "--name", "tiny"][..],
        &prefixes,
    ]
    .concat();
    assert_eq!(run(&sandbox, &add).code, Some(0));
    let indexed = run(&sandbox, &["index", "--vectors-only", "--encoder", "tiny"]);
    assert_eq!(indexed.code, Some(0), "{indexed:?}");
    let found = hits(&run(
        &sandbox,
        &["search", "yeast", "--retriever", "dense@tiny", "--json"],
    ));
    assert_eq!(found.len(), 3);
    assert_eq!(found[0]["why"][0]["retriever"], "dense");
    // The embedded encoder has no vectors here, which is said and not papered over.
    let other = run(
        &sandbox,
        &["search", "yeast", "--retriever", "dense@minilm"],
    );
    assert_ne!(other.code, Some(0));
    assert!(other.stderr.contains("dense@NAME"), "{other:?}");
}

#[test]
fn an_added_model_is_computed_in_8_bits_where_that_is_asked_for() {
    let sandbox = Sandbox::with_documents();
    let encoder = tiny("mpnet");
    let add = |more: &[&str]| run(&sandbox, &[&["models", "add", &encoder][..], more].concat());
    let int8 = ["--name", "small", "--precision", "int8"];
    for options in [&["--name", "full"][..], &int8, &int8] {
        assert_eq!(add(options).code, Some(0), "{options:?}");
    }
    let listed = run(&sandbox, &["models", "list"]).stdout;
    assert!(listed.contains("sentence encoder, in 8 bits"), "{listed}");
    assert_eq!(run(&sandbox, &["models", "verify"]).code, Some(0));

    let retrievers = ["small", "full"].map(|name| {
        let indexed = run(&sandbox, &["index", "docs", "--encoder", name]);
        assert_eq!(indexed.code, Some(0), "{indexed:?}");
        format!("dense@{name}")
    });
    let [small, full] = retrievers.map(|retriever| {
        let args = ["search", "lighthouse", "--json", "--retriever", &retriever];
        let scores = hits(&run(&sandbox, &args)).into_iter();
        scores
            .filter_map(|hit| hit["score"].as_f64())
            .collect::<Vec<f64>>()
    });
    assert!(
        small != full && (small[0] - full[0]).abs() < 0.05,
        "{small:?} {full:?}"
    );

    let other = add(&["--name", "small"]);
    assert_ne!(other.code, Some(0));
    assert!(other.stderr.contains("another name"), "{other:?}");
    let unknown = add(&["--precision", "int4"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("f32 and int8"), "{unknown:?}");
}

#[test]
fn a_corpus_with_vectors_of_one_encoder_is_searched_and_asked_with_it() {
    let sandbox = Sandbox::with_documents();
    let added = run(
        &sandbox,
        &["models", "add", &tiny("modernbert"), "--name", "mine"],
    );
    assert_eq!(added.code, Some(0), "{added:?}");
    let indexed = run(&sandbox, &["index", "docs", "--encoder", "mine"]);
    assert_eq!(indexed.code, Some(0), "{indexed:?}");

    let query = "who designed the lighthouse";
    let cosines = |args: &[&str]| -> Vec<f64> {
        let found = run(&sandbox, &[&["search", query, "--json"], args].concat());
        assert_eq!(found.stderr, "", "nothing to note");
        let why = hits(&found).into_iter().filter_map(|hit| {
            let why = hit["why"].as_array()?.clone();
            why.into_iter().find(|why| why["retriever"] == "dense")
        });
        why.filter_map(|why| why["score"].as_f64()).collect()
    };
    let by_default = cosines(&[]);
    assert!(!by_default.is_empty());
    assert_eq!(by_default, cosines(&["--retriever", "graph@mine"]));
    let asked = run(&sandbox, &["ask", query]);
    assert_eq!(asked.code, Some(0), "{asked:?}");

    // Without the model nothing else takes its place, and what to do is said.
    assert_eq!(run(&sandbox, &["models", "rm", "mine"]).code, Some(0));
    let gone = run(&sandbox, &["search", query]);
    assert_ne!(gone.code, Some(0));
    assert!(
        gone.stderr.contains("vectors of `mine`") && gone.stderr.contains("--vectors-only"),
        "{gone:?}"
    );
    let completed = run(&sandbox, &["index", "--vectors-only"]);
    assert_eq!(completed.code, Some(0), "{completed:?}");
    assert_ne!(cosines(&[]), by_default);
}

#[test]
fn a_corpus_with_vectors_of_a_carried_encoder_alone_is_searched_with_it() {
    for encoder in ["minilm:96", "static"] {
        let sandbox = Sandbox::with_documents();
        let indexed = run(&sandbox, &["index", "docs", "--encoder", encoder]);
        assert_eq!(indexed.code, Some(0), "{indexed:?}");
        let search = |retriever: &str| {
            let args = ["search", "lighthouse", "--json", "--retriever", retriever];
            hits(&run(&sandbox, &args))
        };
        assert_eq!(search("dense"), search(&format!("dense@{encoder}")));
    }
}

#[test]
fn a_folder_without_a_model_is_not_added() {
    let sandbox = Sandbox::new();
    sandbox.write("empty/readme.txt", "no model");
    let outcome = run(&sandbox, &["models", "add", "empty"]);
    assert_ne!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("config.json"), "{outcome:?}");
}

#[test]
fn words_of_titles_can_be_made_to_count_more() {
    let sandbox = Sandbox::new();
    let filler = "One more sentence about nothing in particular. ".repeat(3);
    sandbox.write(
        "docs/about.md",
        format!("# Skerry\n\nA rock in the sea. {filler}\n"),
    );
    let often = "The ferry to Skerry leaves at noon; Skerry is far. ".repeat(3);
    sandbox.write("docs/ferry.md", format!("# Ferries\n\n{often}\n"));
    assert_eq!(
        run(&sandbox, &["index", "docs", "--no-vectors"]).code,
        Some(0)
    );
    let first = |retriever: &str| {
        let all = ["search", "skerry", "--retriever", retriever, "--json"];
        hits(&run(&sandbox, &all))[0]["title"].clone()
    };
    assert_eq!(first("bm25"), "Ferries");
    assert_eq!(first("bm25:title=20"), "Skerry");
    let wrong = run(
        &sandbox,
        &["search", "skerry", "--retriever", "bm25:body=2"],
    );
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("no such field"), "{wrong:?}");
}

#[test]
fn parts_of_the_default_retriever_can_be_left_out() {
    let sandbox = Sandbox::indexed();
    let score = |retriever: &str| {
        let all = [
            "search",
            "Where was the designer of Skerry Lighthouse born?",
            "--retriever",
            retriever,
            "--json",
        ];
        hits(&run(&sandbox, &all))[0]["score"].as_f64().unwrap()
    };
    let whole = score("graph");
    assert_ne!(score("graph:-trees"), whole);
    assert_eq!(score("graph:title=0"), whole);
    let wrong = run(&sandbox, &["search", "x", "--retriever", "graph:-rings"]);
    assert_eq!(wrong.code, Some(2));
    assert!(
        wrong.stderr.contains("trees, nearest, named, links"),
        "{wrong:?}"
    );
}

#[test]
fn a_quote_is_found_letter_by_letter() {
    let sandbox = Sandbox::indexed();
    let search = |quote: &str| {
        run(
            &sandbox,
            &["search", quote, "--retriever", "exact", "--json"],
        )
    };
    let found = hits(&search("igned by Ines Falk in 18"));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["path"], "lighthouse.md");
    assert_eq!(search("designed by Ines Falk in 1889").code, Some(3));
}

#[test]
fn a_sparse_index_by_an_added_encoder_follows_its_corpus() {
    let sandbox = Sandbox::indexed();
    let added = run(
        &sandbox,
        &["models", "add", &tiny("splade"), "--name", "tiny-splade"],
    );
    assert_eq!(added.code, Some(0), "{added:?}");
    let indexed = run(&sandbox, &["index", "--sparse", "tiny-splade"]);
    assert_eq!(indexed.code, Some(0), "{indexed:?}");
    assert!(
        indexed.stderr.contains("3 passages, 3 of them encoded now"),
        "{indexed:?}"
    );
    // What comes is encoded by the next `index`, which is told nothing about it.
    sandbox.write("docs/cake.txt", "A cake wants sugar, eggs and butter.\n");
    let followed = run(&sandbox, &["index"]);
    assert!(
        followed
            .stderr
            .contains("4 passages, 1 of them encoded now"),
        "{followed:?}"
    );
    let search = [
        "search",
        "cake",
        "--retriever",
        "sparse@tiny-splade",
        "-k",
        "9",
        "--json",
    ];
    assert_eq!(hits(&run(&sandbox, &search)).len(), 4);
    // Without its model the rest is brought up to date, and what is missing is said.
    assert_eq!(
        run(&sandbox, &["models", "rm", "tiny-splade"]).code,
        Some(0)
    );
    sandbox.write("docs/tea.txt", "Tea wants hot water and patience.\n");
    let without = run(&sandbox, &["index"]);
    assert_eq!(without.code, Some(0), "{without:?}");
    assert!(without.stderr.contains("lacks what is new"), "{without:?}");
    let stats = run(&sandbox, &["corpus", "stats"]);
    assert!(
        stats.stdout.contains("4 of 5 passages: `indago index`"),
        "{stats:?}"
    );
}

#[test]
fn an_added_late_interaction_model_reranks_and_is_searched_with() {
    let sandbox = Sandbox::indexed();
    let added = run(&sandbox, &["models", "add", &tiny("late")]);
    assert_eq!(added.code, Some(0), "{added:?}");
    let listed = run(&sandbox, &["models", "list"]).stdout;
    assert!(
        listed.contains("token encoder (late interaction)"),
        "{listed}"
    );
    assert_eq!(run(&sandbox, &["models", "verify"]).code, Some(0));

    let search = |more: &[&str]| {
        let all = [&["search", "the house of bread", "--json"], more].concat();
        run(&sandbox, &all)
    };
    // By itself as well as behind `maxsim@`; without any index.
    let by_name = hits(&search(&["--retriever", "bm25", "--rerank", "late"]));
    assert_eq!(by_name[0]["why"][1]["retriever"], "maxsim@late");
    let behind = hits(&search(&["--retriever", "bm25", "--rerank", "maxsim@late"]));
    assert_eq!(by_name, behind);
    let suffix = hits(&search(&["--retriever", "bm25+maxsim@late"]));
    assert_eq!(by_name, suffix);

    let early = search(&["--retriever", "plaid@late"]);
    assert!(early.stderr.contains("--encoder NAME"), "{early:?}");
    let indexed = run(&sandbox, &["index", "--vectors-only", "--encoder", "late"]);
    assert_eq!(indexed.code, Some(0), "{indexed:?}");
    assert!(
        indexed.stderr.contains("3 of 3 passages have vectors"),
        "{indexed:?}"
    );
    for retriever in ["plaid", "muvera", "xtr", "maxsim", "maxsim-all"] {
        let found = hits(&search(&["--retriever", &format!("{retriever}@late")]));
        assert_eq!(found[0]["why"][0]["retriever"], retriever);
        assert_eq!(found.len(), 3, "{retriever}");
    }
    // What it cannot do is said, with what it can.
    let dense = search(&["--retriever", "dense@late"]);
    assert_eq!(dense.code, Some(1), "{dense:?}");
    assert!(dense.stderr.contains("none of whole texts"), "{dense:?}");
    let linked = [
        "index",
        "--vectors-only",
        "--encoder",
        "late",
        "--approximate",
    ];
    let linked = run(&sandbox, &linked);
    assert_eq!(linked.code, Some(1), "{linked:?}");
    assert!(linked.stderr.contains("none of whole texts"), "{linked:?}");
}

#[test]
fn a_sentence_encoder_from_a_folder_is_searched_with_by_its_tokens() {
    let sandbox = Sandbox::indexed();
    let encoder = tiny("encoder");
    let index = ["index", "--vectors-only", "--encoder", &encoder, "--tokens"];
    assert_eq!(run(&sandbox, &index).code, Some(0));
    for retriever in ["plaid", "maxsim"] {
        let name = format!("{retriever}@{encoder}");
        let search = ["search", "yeast", "--retriever", &name, "--json"];
        let found = hits(&run(&sandbox, &search));
        assert_eq!(found[0]["why"][0]["retriever"], retriever);
    }
    let name = format!("bm25+maxsim@{encoder}");
    let search = ["search", "yeast", "--retriever", &name, "--json"];
    let found = hits(&run(&sandbox, &search));
    assert_eq!(found[0]["why"][1]["retriever"], "maxsim@encoder");
}

#[test]
fn a_late_interaction_folder_whose_projection_does_not_fit_is_refused_by_name() {
    let sandbox = Sandbox::indexed();
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let bytes = std::fs::read(Path::new(&tiny("late")).join(file)).expect("a fixture");
        sandbox.write(&format!("odd/{file}"), bytes);
    }
    sandbox.write("odd/artifact.metadata", r#"{"dim": 128}"#);
    for args in [
        &["models", "add", "odd"][..],
        &["search", "bread", "--retriever", "bm25", "--rerank", "odd"],
    ] {
        let refused = run(&sandbox, args);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        for part in [
            "odd/model.safetensors",
            "`linear.weight` is of shape [8, 24] and has to be [128, 24]",
            "take all files of the folder from one published model",
        ] {
            assert!(refused.stderr.contains(part), "{part}: {refused:?}");
        }
    }
}
