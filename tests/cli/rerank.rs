//! Language models, servers and late interaction as rerankers, from the command line.

use indago_scripted::{Call, Fault, Reply, Server, Settings};
use serde_json::Value;

use crate::support::{Outcome, Sandbox};

const QUERY: &str = "engineer of the lighthouse and bread";

/// A project whose models are behind `server`.
fn with(server: &Server) -> Sandbox {
    let sandbox = Sandbox::indexed();
    let base_url = server.base_url();
    sandbox.write(
        "indago.toml",
        format!(
            "[models.judge]\nbase_url = \"{base_url}\"\nmodel = \"scripted\"\nfirst_token_ms = 2000\n\
             between_tokens_ms = 2000\ncall_ms = 5000\nattempts = 2\nbackoff_ms = 5\n\
             [models.cross]\nbase_url = \"{base_url}\"\nmodel = \"scripted\"\ntask = \"rerank\"\n\
             attempts = 1\ncall_ms = 2000\n"
        ),
    );
    sandbox
}

fn search(sandbox: &Sandbox, rerank: &[&str]) -> Outcome {
    let args = ["search", QUERY, "--retriever", "bm25", "--json"];
    sandbox.run(&[&args[..], rerank].concat())
}

fn documents(outcome: &Outcome) -> Vec<String> {
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let hits: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let hits = hits.as_array().expect("a list").iter();
    hits.map(|hit| hit["document"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// The texts of a call's passages, by what a passage is known by.
fn place(text: &str) -> usize {
    ["Bread needs", "was an engineer", "Skerry Lighthouse was"]
        .iter()
        .position(|known| text.contains(known))
        .unwrap_or(9)
}

/// The passages that a call shows, in its order.
fn shown(call: &Call) -> Vec<usize> {
    let text = call.text();
    let mut found: Vec<(usize, usize)> =
        ["Bread needs", "was an engineer", "Skerry Lighthouse was"]
            .iter()
            .filter_map(|known| Some((text.find(known)?, place(known))))
            .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, place)| place).collect()
}

/// How a model puts an order of passages into words.
type Words = fn(Vec<usize>) -> String;

/// A model that holds bread for the best answer, then the engineer, and says so in `words`.
fn likes_bread(call: &Call, words: Words) -> Reply {
    let passages = shown(call);
    let asked = call.last_user();
    if asked.contains("one letter") {
        let first = passages.first() < passages.get(1);
        return Reply::text(if first { "Passage A." } else { "B, I think." });
    }
    if asked.contains("best first") {
        let mut order: Vec<usize> = (0..passages.len()).collect();
        order.sort_by_key(|i| passages[*i]);
        return Reply::text(words(order.into_iter().map(|i| i + 1).collect()));
    }
    let yes = passages.first() == Some(&0);
    Reply::text(if yes { "Yes" } else { "No" })
}

fn plain(order: Vec<usize>) -> String {
    let numbers: Vec<String> = order.iter().map(|i| format!("[{i}]")).collect();
    numbers.join(" > ")
}

#[test]
fn a_language_model_reranks_in_each_of_the_three_ways() {
    let server = Server::start(|call: &Call| likes_bread(call, plain));
    let sandbox = with(&server);
    let first = documents(&search(&sandbox, &[]));
    assert_ne!(first[0], "bread.txt");
    for way in ["pointwise", "pairwise", "listwise"] {
        let before = server.chats().len();
        let outcome = search(&sandbox, &["--rerank", &format!("judge:{way}")]);
        let found = documents(&outcome);
        assert_eq!(found[0], "bread.txt", "{way}: {outcome:?}");
        if way != "pointwise" {
            assert_eq!(found, ["bread.txt", "falk.md", "lighthouse.md"], "{way}");
        }
        assert!(
            outcome.stdout.contains("\"judge\""),
            "its part in the reason: {outcome:?}"
        );
        assert!(server.chats().len() > before, "{way}");
        // Judgements are kept: asking again costs no call.
        let calls = server.chats().len();
        let again = search(&sandbox, &["--rerank", &format!("judge:{way}")]);
        assert_eq!(documents(&again), found);
        assert_eq!(server.chats().len(), calls, "{way}");
    }
    // From the settings as well.
    let settings = std::fs::read_to_string(sandbox.path("indago.toml")).expect("settings");
    sandbox.write(
        "indago.toml",
        format!("{settings}[rerank]\nmodel = \"judge:listwise\"\n"),
    );
    assert_eq!(documents(&search(&sandbox, &[]))[0], "bread.txt");
}

#[test]
fn odd_orders_are_repaired_and_senseless_ones_change_nothing() {
    // Numbers that are missing, doubled, out of range or wrapped in talk.
    let wordings: [(Words, &str); 5] = [
        (
            |order| format!("Sure! My ranking: {}. Hope it helps.", plain(order)),
            "bread.txt",
        ),
        (|order| format!("[{}]", order[0]), "bread.txt"),
        (
            |order| format!("{} > {}", plain(order.clone()), plain(order)),
            "bread.txt",
        ),
        (
            |order| format!("[99] > [0] > {} > [18446744073709551616]", plain(order)),
            "bread.txt",
        ),
        (|_| "I cannot judge that.".to_owned(), "as found"),
    ];
    for (words, best) in wordings {
        let server = Server::start(move |call: &Call| likes_bread(call, words));
        let sandbox = with(&server);
        let as_found = documents(&search(&sandbox, &[]));
        let found = documents(&search(&sandbox, &["--rerank", "judge:listwise"]));
        if best == "as found" {
            assert_eq!(found, as_found);
        } else {
            assert_eq!(found[0], best);
        }
        let (mut a, mut b) = (found, as_found);
        a.sort();
        b.sort();
        assert_eq!(a, b, "no hit is lost or doubled");
    }
    // Answers to the other two that say neither.
    let server = Server::start(|_: &Call| Reply::text("Perhaps."));
    let sandbox = with(&server);
    let as_found = documents(&search(&sandbox, &[]));
    for way in ["pointwise", "pairwise", "rating", "tournament"] {
        let found = documents(&search(&sandbox, &["--rerank", &format!("judge:{way}")]));
        assert_eq!(found, as_found, "{way}");
    }
}

#[test]
fn a_model_that_refuses_is_named_with_its_reason() {
    let fault = Fault::Status {
        code: 401,
        retry_after: None,
    };
    let server = Server::start(move |_: &Call| Reply::fault(fault.clone()));
    let sandbox = with(&server);
    for way in ["pointwise", "pairwise", "listwise", "rating"] {
        let outcome = search(&sandbox, &["--rerank", &format!("judge:{way}")]);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains("judge"), "{outcome:?}");
        assert!(!outcome.stderr.contains("panicked"), "{outcome:?}");
    }
    let sideways = search(&sandbox, &["--rerank", "judge:sideways"]);
    assert!(
        sideways
            .stderr
            .contains("pointwise, pairwise, listwise, rating or tournament"),
        "{sideways:?}"
    );
    let task = search(&sandbox, &["--rerank", "cross:listwise"]);
    assert!(task.stderr.contains("no language model"), "{task:?}");
}

#[test]
fn a_rerank_server_orders_hits_and_its_failure_is_told() {
    let server = Server::start(Reply::plain);
    let sandbox = with(&server);
    let outcome = search(&sandbox, &["--rerank", "cross"]);
    // The scripted server scores by shared words.
    assert_eq!(documents(&outcome).len(), 3, "{outcome:?}");
    let sent = server.requests();
    let asked: Vec<_> = sent.iter().filter(|r| r.path == "/v1/rerank").collect();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].body["query"], QUERY);
    assert_eq!(asked[0].body["documents"].as_array().map(Vec::len), Some(3));
    let hits: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let scores: Vec<f64> = (0..3).filter_map(|i| hits[i]["score"].as_f64()).collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
    assert!(
        scores.iter().all(|score| (0.0..=1.0).contains(score)),
        "{scores:?}"
    );

    let locked = Settings {
        key: Some("wanted".to_owned()),
        ..Settings::default()
    };
    let server = Server::with(locked, Reply::plain);
    let sandbox = with(&server);
    let refused = search(&sandbox, &["--rerank", "cross"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("cross"), "{refused:?}");
}

#[test]
fn maxsim_reranks_real_text_by_the_embedded_encoder() {
    let sandbox = Sandbox::indexed();
    let question = "Who made the plans of the tower that shines for ships on Lunda?";
    let run = |more: &[&str]| {
        let args = [
            "search",
            question,
            "--retriever",
            "bm25",
            "--json",
            "--k",
            "3",
        ];
        sandbox.run(&[&args[..], more].concat())
    };
    let reranked = run(&["--rerank", "maxsim"]);
    assert_eq!(documents(&reranked)[0], "lighthouse.md", "{reranked:?}");
    let hits: Value = serde_json::from_str(&reranked.stdout).expect("JSON");
    let why = &hits[0]["why"][1];
    assert_eq!(why["retriever"], "maxsim@all-MiniLM-L6-v2/int8");
    assert_eq!(why["rank"], 1);
    // The sum over some fifteen pieces, each 1 at the most.
    let score = hits[0]["score"].as_f64().unwrap_or_default();
    assert!((2.0..20.0).contains(&score), "{score}");
    // Named in the settings, and by its encoder.
    sandbox.write("indago.toml", "[rerank]\nmodel = \"maxsim@minilm\"\n");
    assert_eq!(run(&[]).stdout, reranked.stdout);
}

#[test]
fn a_reranker_that_is_not_there_is_named() {
    let sandbox = Sandbox::indexed();
    for name in ["maxsim@nowhere", "maxsims", "maxsim@"] {
        let outcome = search(&sandbox, &["--rerank", name]);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        let model = name.trim_start_matches("maxsim@");
        assert!(
            outcome
                .stderr
                .contains(&format!("there is no model `{model}`")),
            "{outcome:?}"
        );
        assert!(
            outcome.stderr.contains("hint: `indago models list`"),
            "{outcome:?}"
        );
    }
    let without = search(&sandbox, &["--rerank", "maxsim@static"]);
    assert_eq!(without.code, Some(1), "{without:?}");
    assert!(
        without.stderr.contains("no vectors of tokens"),
        "{without:?}"
    );
}
