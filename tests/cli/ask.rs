//! Asking: reports, batches, runs.

use serde_json::Value;

use crate::support::{Outcome, Sandbox};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn ask(sandbox: &Sandbox, question: &str) -> (Outcome, Value) {
    let outcome = sandbox.run(&["ask", question, "--format", "json"]);
    let report = json(&outcome.stdout);
    (outcome, report)
}

#[test]
fn a_report_quotes_the_stored_bytes() {
    let sandbox = Sandbox::indexed();
    let (outcome, report) = ask(&sandbox, "Who designed the Skerry Lighthouse?");
    // Whether three short documents suffice to answer is the reasoner's own matter and tested there.
    assert!(matches!(outcome.code, Some(0 | 3)), "{outcome:?}");
    assert_eq!(report["schema_version"], 1);
    assert_eq!(report["reasoner"], "extractive");
    let claims = report["claims"].as_array().expect("claims");
    assert!(!claims.is_empty());
    for claim in claims {
        let quotes = claim["quotes"].as_array().expect("quotes");
        assert!(!quotes.is_empty(), "a claim without a quote: {claim}");
        for quote in quotes {
            let document = quote["document"].as_str().expect("a document");
            let text = std::fs::read_to_string(sandbox.path("docs").join(document)).expect("text");
            let range = |key: &str| quote[key].as_u64().expect("a number") as usize;
            assert_eq!(
                &text[range("start")..range("end")],
                quote["text"].as_str().expect("text")
            );
        }
    }
    let sources: Vec<&str> = report["sources"]
        .as_array()
        .expect("sources")
        .iter()
        .filter_map(|s| s["document"].as_str())
        .collect();
    assert!(sources.contains(&"lighthouse.md"), "{sources:?}");
}

#[test]
fn the_question_of_the_readme_is_answered() {
    let sandbox = Sandbox::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).expect("the readme");
    let question = readme.split('"').nth(1).expect("a quoted question");
    let corpus = root.join("examples/corpus");
    let corpus = corpus.to_str().expect("a path");
    let outcome = sandbox.run(&["ask", question, "--corpus", corpus, "--format", "json"]);
    assert_eq!(json(&outcome.stdout)["answer"], "Brisling Foundation");
}

#[test]
fn a_plain_question_is_answered_beside_a_likelier_name() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("coast");
    std::fs::create_dir(&folder).expect("a folder");
    for (name, text) in [
        (
            "skar.md",
            "# Skar Station\n\nSkar Station was opened in 2011. The building was designed by the architect Liv Torp.\n",
        ),
        (
            "heads.md",
            "# Gull Point Station\n\nHeads of Gull Point Station: Jan Holt until 2020, since then Eva Lund.\n",
        ),
    ] {
        std::fs::write(folder.join(name), text).expect("a document");
    }
    let question = "Who designed the building of Skar Station?";
    let corpus = folder.to_str().expect("a path");
    let outcome = sandbox.run(&["ask", question, "--corpus", corpus, "--format", "json"]);
    assert_eq!(json(&outcome.stdout)["answer"], "Liv Torp");
}

#[test]
fn what_the_corpus_does_not_say_is_not_found() {
    let sandbox = Sandbox::indexed();
    let (outcome, report) = ask(&sandbox, "What is the melting point of tungsten?");
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    assert_eq!(report["abstained"], true);
    assert_eq!(report["answer"], Value::Null);
    assert!(
        !report["not_found"].as_array().expect("a list").is_empty(),
        "{report}"
    );
}

#[test]
fn the_same_question_gives_the_same_report() {
    let sandbox = Sandbox::indexed();
    let stable = |mut report: Value| {
        report["run"] = Value::Null;
        report["usage"]["wall_ms"] = Value::Null;
        report
    };
    let question = "Where was the designer of the Skerry Lighthouse born?";
    let (first, second) = (ask(&sandbox, question).1, ask(&sandbox, question).1);
    assert_eq!(stable(first), stable(second));
}

#[test]
fn the_html_report_stands_alone_and_the_markdown_says_that_it_quotes() {
    let sandbox = Sandbox::indexed();
    let question = "Who designed the Skerry Lighthouse?";
    let html = sandbox.run(&["ask", question, "--format", "html"]).stdout;
    assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
    assert!(html.contains("<svg") && html.contains("<details>"));
    let markdown = sandbox.run(&["ask", question]).stdout;
    assert!(markdown.contains("writes nothing of its own"), "{markdown}");
}

#[test]
fn a_batch_continues_where_it_stopped() {
    let sandbox = Sandbox::indexed();
    sandbox.write(
        "q.jsonl",
        "{\"_id\":\"1\",\"text\":\"Who designed the Skerry Lighthouse?\"}\n\
         {\"_id\":\"2\",\"text\":\"Where was Ines Falk born?\"}\n",
    );
    // As a crash leaves it: one line done, one cut short.
    sandbox.write(
        "out.jsonl",
        "{\"_id\":\"1\",\"kept\":true}\n{\"_id\":\"2\",\"ans",
    );
    let outcome = sandbox.run(&["ask", "--batch", "q.jsonl", "--out", "out.jsonl"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let text = std::fs::read_to_string(sandbox.path("out.jsonl")).expect("output");
    let lines: Vec<Value> = text.lines().map(json).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["kept"], true);
    assert_eq!(lines[1]["_id"], "2");
    assert_eq!(lines[1]["question"], "Where was Ines Falk born?");
}

#[test]
fn runs_are_recorded_listed_and_shown_after_the_corpus_is_gone() {
    let sandbox = Sandbox::indexed();
    let (_, report) = ask(&sandbox, "Where was Ines Falk born?");
    let run = report["run"].as_str().expect("a run").to_owned();
    let listed = json(&sandbox.run(&["runs", "list", "--json"]).stdout);
    assert_eq!(listed[0]["id"], run.as_str());
    assert_eq!(listed[0]["state"], "finished");
    assert_eq!(
        sandbox.run(&["corpus", "rm", "default", "--yes"]).code,
        Some(0)
    );
    let shown = sandbox.run(&["runs", "show", &run, "--format", "json"]);
    assert_eq!(json(&shown.stdout), report);
    let last = json(
        &sandbox
            .run(&["runs", "show", "last", "--json", "--events"])
            .stdout,
    );
    assert_eq!(last["report"], report);
    assert!(last["log"].as_array().is_some_and(|log| !log.is_empty()));
    let unknown = sandbox.run(&["runs", "show", "nonsense"]);
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown.stderr.contains("hint: `indago runs list`"),
        "{unknown:?}"
    );
}

#[test]
fn many_questions_at_once_share_one_folder() {
    let sandbox = Sandbox::indexed();
    let children: Vec<_> = (0..4)
        .map(|_| {
            let mut command = sandbox.command(&["ask", "Where was Ines Falk born?", "--json"]);
            command
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped());
            command.spawn().expect("runs")
        })
        .collect();
    for child in children {
        let outcome = sandbox.outcome(child.wait_with_output().expect("ends"));
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
    }
    let listed = json(&sandbox.run(&["runs", "list", "--json"]).stdout);
    assert_eq!(listed.as_array().map(Vec::len), Some(4));
}
