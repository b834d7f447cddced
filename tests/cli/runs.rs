//! Runs on the command line: resumed, replayed, forked, moved, watched and forgotten.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Sandbox;

const QUESTION: &str = "Where was the designer of the Skerry Lighthouse born?";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Asks a question and gives its run's id and its report.
fn asked(sandbox: &Sandbox) -> (String, Value) {
    let outcome = sandbox.run(&["ask", QUESTION, "--format", "json"]);
    assert!(matches!(outcome.code, Some(0 | 3)), "{outcome:?}");
    let report = json(&outcome.stdout);
    (report["run"].as_str().expect("a run").to_owned(), report)
}

fn state(sandbox: &Sandbox, run: &str) -> Value {
    json(&sandbox.run(&["runs", "show", run, "--json"]).stdout)["state"].clone()
}

/// Cuts a finished run back to what a killed process would have left after `events` events.
fn cut(sandbox: &Sandbox, run: &str, events: u32) -> String {
    let at = (events - 1).to_string();
    let outcome = sandbox.run(&["runs", "fork", run, "--at", &at, "--no-run"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout.trim().to_owned()
}

#[test]
fn a_finished_run_replays_to_the_same_bytes_with_neither_corpus_nor_documents() {
    let sandbox = Sandbox::indexed();
    let (run, report) = asked(&sandbox);
    let shown = sandbox.run(&["runs", "show", &run, "--format", "markdown"]);
    assert_eq!(
        sandbox.run(&["corpus", "rm", "default", "--yes"]).code,
        Some(0)
    );
    std::fs::remove_dir_all(sandbox.path("docs")).expect("removed");
    let replayed = sandbox.run(&["runs", "replay", "last", "--json"]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    assert_eq!(json(&replayed.stdout), report);
    let text = sandbox.run(&["runs", "replay", &run]);
    assert_eq!(text.stdout, shown.stdout);
}

#[test]
fn an_interrupted_run_is_shown_as_such_and_resumes() {
    let sandbox = Sandbox::indexed();
    let (run, report) = asked(&sandbox);
    let cut = cut(&sandbox, &run, 3);
    assert_eq!(state(&sandbox, &cut), "interrupted");
    let resumed = sandbox.run(&["runs", "resume", &cut, "--json"]);
    assert!(matches!(resumed.code, Some(0 | 3)), "{resumed:?}");
    assert_eq!(json(&resumed.stdout)["claims"], report["claims"]);
    assert_eq!(state(&sandbox, &cut), "finished");
    assert_eq!(sandbox.run(&["runs", "replay", &cut]).code, Some(0));
    // A second time there is nothing to do and the report is shown.
    let again = sandbox.run(&["runs", "resume", &cut, "--json"]);
    assert_eq!(json(&again.stdout), json(&resumed.stdout));
    for command in ["resume", "replay", "attach", "pause", "export"] {
        let outcome = sandbox.run(&["runs", command, "nonsense"]);
        assert_eq!(outcome.code, Some(1), "{command}: {outcome:?}");
        assert!(
            outcome.stderr.contains("hint: `indago runs list`"),
            "{outcome:?}"
        );
    }
    let paused = sandbox.run(&["runs", "pause", &cut]);
    assert_eq!(paused.code, Some(1));
    assert!(paused.stderr.contains("has ended"), "{paused:?}");
}

#[test]
fn a_fork_takes_another_way_and_says_where_it_comes_from() {
    let sandbox = Sandbox::indexed();
    let (run, report) = asked(&sandbox);
    let question = "What does bread need?";
    let args = [
        "runs",
        "fork",
        &run,
        "--add",
        question,
        "--queries",
        "300",
        "--json",
    ];
    let outcome = sandbox.run(&args);
    assert!(matches!(outcome.code, Some(0 | 3)), "{outcome:?}");
    let forked = json(&outcome.stdout);
    let texts = |report: &Value| {
        let nodes = report["graph"]["nodes"].as_array().expect("nodes").clone();
        let text = |node: &Value| node["text"].as_str().unwrap_or_default().to_owned();
        nodes.iter().map(text).collect::<Vec<_>>()
    };
    assert!(texts(&forked).contains(&question.to_owned()), "{forked}");
    assert!(!texts(&report).contains(&question.to_owned()));
    let id = forked["run"].as_str().expect("a run");
    let shown = json(&sandbox.run(&["runs", "show", id, "--json"]).stdout);
    assert_eq!(shown["parent"], run.as_str());
    assert_eq!(sandbox.run(&["runs", "replay", id]).code, Some(0));
    let followed = sandbox.run(&["runs", "follow-up", &run, question, "--format", "json"]);
    assert!(
        texts(&json(&followed.stdout)).contains(&question.to_owned()),
        "{followed:?}"
    );
    let beyond = sandbox.run(&["runs", "fork", &run, "--at", "100000"]);
    assert_eq!(beyond.code, Some(1), "{beyond:?}");
    assert!(beyond.stderr.contains("numbered from 0"), "{beyond:?}");
}

#[test]
fn an_exported_run_replays_in_another_project() {
    let (here, there) = (Sandbox::indexed(), Sandbox::new());
    let (run, report) = asked(&here);
    assert_eq!(
        here.run(&["runs", "export", &run, "--out", "run.jsonl"])
            .code,
        Some(0)
    );
    let file = std::fs::read(here.path("run.jsonl")).expect("a file");
    assert_eq!(here.run(&["runs", "export", &run]).stdout.as_bytes(), file);
    there.write("run.jsonl", &file);
    let imported = there.run(&["runs", "import", "run.jsonl", "--json"]);
    assert_eq!(json(&imported.stdout)["run"], run.as_str(), "{imported:?}");
    let replayed = there.run(&["runs", "replay", &run, "--json"]);
    assert_eq!(json(&replayed.stdout), report);
    let again = json(&there.run(&["runs", "import", "run.jsonl", "--json"]).stdout);
    assert_eq!(again["new"], false);
    there.write("cut.jsonl", &file[..file.len() / 2]);
    let refused = Sandbox::new();
    refused.write("cut.jsonl", &file[..file.len() / 2]);
    let outcome = refused.run(&["runs", "import", "cut.jsonl"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("no exported run"), "{outcome:?}");
}

#[test]
fn old_runs_are_forgotten_and_kept_ones_are_not() {
    let sandbox = Sandbox::indexed();
    let runs: Vec<String> = (0..3).map(|_| asked(&sandbox).0).collect();
    assert_eq!(
        sandbox.run(&["runs", "vacuum"]).code,
        Some(2),
        "it wants a measure"
    );
    assert_eq!(sandbox.run(&["runs", "keep", &runs[0]]).code, Some(0));
    let dry = sandbox.run(&["runs", "vacuum", "--newest", "1", "--dry-run"]);
    assert_eq!(dry.stdout.trim(), runs[1], "{dry:?}");
    let done = json(
        &sandbox
            .run(&["runs", "vacuum", "--newest", "1", "--json"])
            .stdout,
    );
    assert_eq!(done["runs"], serde_json::json!([runs[1]]));
    assert_eq!(sandbox.run(&["runs", "replay", &runs[0]]).code, Some(0));
    assert_eq!(sandbox.run(&["runs", "show", &runs[1]]).code, Some(1));
    let young = json(
        &sandbox
            .run(&["runs", "vacuum", "--days", "1", "--json"])
            .stdout,
    );
    assert_eq!(young["runs"], serde_json::json!([]));
}

#[test]
fn a_detached_run_ends_by_itself_and_can_be_watched() {
    let sandbox = Sandbox::indexed();
    let outcome = sandbox.run(&["ask", QUESTION, "--detach"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let run = outcome.stdout.trim().to_owned();
    let attached = sandbox.run(&["runs", "attach", &run]);
    assert!(matches!(attached.code, Some(0 | 3)), "{attached:?}");
    assert!(
        attached.stdout.contains("started on `default`"),
        "{attached:?}"
    );
    assert!(attached.stdout.contains("ended: "), "{attached:?}");
    assert!(
        attached.stdout.contains("writes nothing of its own"),
        "the report is missing"
    );
    let events = sandbox
        .run(&["runs", "attach", &run, "--from", "2", "--json"])
        .stdout;
    let first = json(events.lines().next().expect("a line"));
    assert_eq!(first["seq"], 2);
    assert_eq!(state(&sandbox, &run), "finished");
    let log = sandbox.path(&format!(".indago/runs/{run}.log"));
    let begun = Instant::now();
    while log.exists() && begun.elapsed() < Duration::from_secs(10) {
        std::thread::yield_now();
    }
    assert!(!log.exists(), "{:?}", std::fs::read_to_string(log));
    let missing = sandbox.run(&["ask", QUESTION, "--detach", "--corpus", "nowhere"]);
    assert_eq!(missing.code, Some(1), "{missing:?}");
    assert!(
        missing.stderr.contains("no corpus `nowhere`"),
        "{missing:?}"
    );
}

#[test]
fn a_run_in_the_foreground_is_paused_changed_moved_and_finished_from_outside() {
    let sandbox = Sandbox::indexed();
    let (run, _) = asked(&sandbox);
    // A run that is paused where it begins stays under way as long as it takes to look at it.
    let cut = cut(&sandbox, &run, 1);
    let held = paused(&sandbox, &run);
    let mut host = sandbox
        .command(&["runs", "resume", &held])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("runs");
    let begun = Instant::now();
    while state(&sandbox, &held) != "running" && begun.elapsed() < Duration::from_secs(20) {
        std::thread::yield_now();
    }
    let add = sandbox.run(&["runs", "add", &held, "What does bread need?", "--json"]);
    assert_eq!(add.code, Some(0), "{add:?}");
    assert!(json(&add.stdout)["steering"].as_u64() > Some(0), "{add:?}");
    let bad = sandbox.run(&["runs", "add", &held, " "]);
    assert_eq!(bad.code, Some(2), "{bad:?}");
    let moved = sandbox.run(&["runs", "detach", &held]);
    assert_eq!(moved.code, Some(0), "{moved:?}");
    assert_eq!(host.wait().expect("ends").code(), Some(0));
    assert_eq!(state(&sandbox, &held), "running");
    let second = sandbox.run(&["runs", "resume", &cut, "--json"]);
    assert!(
        matches!(second.code, Some(0 | 3)),
        "another run is not held up: {second:?}"
    );
    assert_eq!(sandbox.run(&["runs", "resume", &held]).code, Some(0));
    let attached = sandbox.run(&["runs", "attach", &held]);
    assert!(matches!(attached.code, Some(0 | 3)), "{attached:?}");
    assert!(
        attached.stdout.contains("What does bread need?"),
        "{attached:?}"
    );
    assert_eq!(sandbox.run(&["runs", "replay", &held]).code, Some(0));
}

/// A fork of `run` that is paused where it begins.
fn paused(sandbox: &Sandbox, run: &str) -> String {
    let project = indago::Project::at(sandbox.path(""));
    let runs = indago::Runs::open(&project).expect("a journal");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let fork = indago_workflows::Fork {
        id: indago_workflows::new_run_id(),
        at: Some(2),
        steerings: Vec::new(),
    };
    let id = fork.id.clone();
    let from = indago::core::RunId::new(run);
    runtime.block_on(async {
        let run = runs.engine().fork(&from, fork).await.expect("a fork");
        run.pause().await.expect("paused");
    });
    id.to_string()
}

#[test]
fn a_graph_is_drawn_as_it_ended_and_as_it_stood() {
    let sandbox = Sandbox::indexed();
    let (run, report) = asked(&sandbox);
    let graph = |args: &[&str]| {
        let outcome = sandbox.run(&[&["runs", "graph", &run], args].concat());
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome.stdout
    };
    assert!(graph(&[]).starts_with("flowchart TB\n"));
    assert!(graph(&["--format", "dot"]).starts_with("digraph questions {"));
    assert!(graph(&["--format", "svg"]).contains("<svg"));
    let whole = json(&graph(&["--json"]));
    let nodes = whole["nodes"].as_array().expect("nodes");
    let reported = report["graph"]["nodes"].as_array().expect("nodes");
    assert_eq!(nodes.len(), reported.len());
    assert!(nodes.len() > 1);
    let early = json(&graph(&["--at", "0", "--format", "json"]));
    assert_eq!(early["nodes"].as_array().expect("nodes").len(), 1);
    let out = sandbox.path("graph.svg");
    graph(&["--format", "svg", "--out", out.to_str().expect("a path")]);
    assert!(
        std::fs::read_to_string(out)
            .expect("a file")
            .contains("</svg>")
    );

    // A run that never ended has a graph too.
    let cut = cut(&sandbox, &run, 6);
    let outcome = sandbox.run(&["runs", "graph", &cut, "--format", "dot"]);
    assert!(outcome.stdout.contains("q0 ("), "{outcome:?}");
}

#[test]
fn a_question_with_two_readings_is_asked_back() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "docs/planet.md",
        "# Mercury (planet)\n\nMercury is the planet nearest to the sun. It becomes 430 degrees hot by day.\n",
    );
    sandbox.write(
        "docs/element.md",
        "# Mercury (element)\n\nMercury is a liquid metal. It boils when it becomes 357 degrees hot.\n",
    );
    let indexed = sandbox.run(&["index", "docs", "--no-vectors"]);
    assert_eq!(indexed.code, Some(0), "{indexed:?}");
    let question = "How hot does Mercury become?";
    let assumed = sandbox.run(&["ask", question, "--clarify", "0"]);
    assert!(assumed.stderr.contains("read as: Mercury ("), "{assumed:?}");
    assert!(assumed.stderr.contains("(assumed)"), "{assumed:?}");

    let mut asking = sandbox
        .command(&["ask", question, "--clarify", "600", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("runs");
    // Sent before or after it asks: either way it is the answer.
    let deadline = Instant::now() + Duration::from_mins(2);
    loop {
        let listed = json(&sandbox.run(&["runs", "list", "--json"]).stdout);
        if listed[0]["state"] == "running" {
            break;
        }
        assert!(Instant::now() < deadline, "the run does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    let told = sandbox.run(&["runs", "clarify", "last", "Mercury (element)"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    let mut report = String::new();
    std::io::Read::read_to_string(&mut asking.stdout.take().expect("a pipe"), &mut report)
        .expect("a report");
    asking.wait().expect("ends");
    let report = json(&report);
    assert_eq!(report["question"], question);
    let root = report["graph"]["nodes"][0].to_string();
    assert!(root.contains("Mercury (element)"), "{root}");
}

#[test]
fn a_plan_waits_for_approval_and_work_ahead_changes_no_report() {
    let sandbox = Sandbox::indexed();
    let (_, plain) = asked(&sandbox);
    let claims = |report: &Value| report["sections"].clone();
    let ahead = sandbox.run(&["ask", QUESTION, "--speculate", "--json"]);
    assert_eq!(claims(&json(&ahead.stdout)), claims(&plain), "{ahead:?}");

    let waits = sandbox.run(&["ask", QUESTION, "--approve", "--detach"]);
    assert_eq!(waits.code, Some(0), "{waits:?}");
    let run = waits.stdout.trim().to_owned();
    let begun = Instant::now();
    loop {
        let log = sandbox.run(&["runs", "show", &run, "--events"]).stdout;
        assert!(!log.contains("\"searched\""), "{log}");
        if log.contains("\"paused\"") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{log}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let approved = sandbox.run(&["runs", "approve", &run]);
    assert_eq!(approved.code, Some(0), "{approved:?}");
    let attached = sandbox.run(&["runs", "attach", &run]);
    assert_eq!(attached.code, Some(0), "{attached:?}");
    let shown = sandbox.run(&["runs", "show", &run, "--format", "json"]);
    assert_eq!(claims(&json(&shown.stdout)), claims(&plain));
}

#[test]
fn limits_of_a_sub_question_hold_for_each() {
    let sandbox = Sandbox::indexed();
    let one = sandbox.run(&["ask", QUESTION, "--node-queries", "1", "--json"]);
    assert!(matches!(one.code, Some(0 | 3)), "{one:?}");
    let report = json(&one.stdout);
    let nodes = report["graph"]["nodes"].as_array().expect("nodes").len() as u64;
    let spent = report["usage"]["queries"].as_u64().expect("a number");
    assert!(spent <= nodes, "{spent} queries for {nodes} sub-questions");
    let none = sandbox.run(&["ask", QUESTION, "--node-queries", "0"]);
    assert_eq!(none.code, Some(2), "{none:?}");
    let flat = sandbox.run(&["ask", QUESTION, "--depth", "1", "--json"]);
    assert!(matches!(flat.code, Some(0 | 3)), "{flat:?}");
}
