//! `indago models pull` against a server on this machine that breaks off, lies and refuses.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::contracts;
use crate::support::{Outcome, Sandbox};
use crate::web::{Web, files, sum};

fn tiny(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("models/tests/tiny")
        .join(name)
}

fn command(sandbox: &Sandbox, args: &[&str]) -> std::process::Command {
    let mut command = sandbox.command(args);
    command.env("INDAGO_MODELS", sandbox.path("models"));
    command
}

fn run(sandbox: &Sandbox, args: &[&str]) -> Outcome {
    sandbox.outcome(command(sandbox, args).output().expect("the program runs"))
}

fn pull(sandbox: &Sandbox, web: &Web, more: &[&str]) -> Outcome {
    let url = web.url();
    run(
        sandbox,
        &[&["models", "pull", "--from", &url, "--json"], more].concat(),
    )
}

fn rows(outcome: &Outcome) -> Vec<Value> {
    let parsed = serde_json::from_str(&outcome.stdout);
    let rows: Vec<Value> = parsed.unwrap_or_else(|e| panic!("{e}: {outcome:?}"));
    let pulled = rows.iter().any(|row| row["model"].is_string());
    let section = if pulled {
        "indago models pull"
    } else {
        "indago search"
    };
    contracts::check(section, &Value::Array(rows.clone()));
    rows
}

/// Nothing half-done is left where models are.
fn assert_clean(sandbox: &Sandbox) {
    assert!(!sandbox.path("models/.pull").exists());
}

#[test]
fn a_model_of_a_hub_is_fetched_checked_added_and_used() {
    let (sandbox, web) = (Sandbox::indexed(), Web::start());
    web.hub("acme/tiny", &tiny("cross"));
    web.hub("acme/words", &tiny("encoder"));
    let outcome = pull(&sandbox, &web, &["acme/tiny", "acme/words"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let rows = rows(&outcome);
    assert_eq!(rows[0]["kind"], "cross-encoder");
    assert_eq!(rows[1]["kind"], "sentence encoder");
    for row in &rows {
        assert_eq!(row["checked"], true, "{row}");
        assert!(row["fetched_bytes"].as_u64() > Some(1000), "{row}");
    }
    assert_clean(&sandbox);
    assert_eq!(run(&sandbox, &["models", "verify"]).code, Some(0));
    let query = [
        "search",
        "yeast",
        "--retriever",
        "bm25",
        "--rerank",
        "tiny",
        "--json",
    ];
    let found = run(&sandbox, &query);
    assert_eq!(found.code, Some(0), "{found:?}");
    // What is there is not fetched again.
    let before = web.now().seen.len();
    let again = pull(&sandbox, &web, &["acme/tiny"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(self::rows(&again)[0]["was_there"], true);
    // Nor is it passed off as one with other settings.
    let coarse = pull(&sandbox, &web, &["acme/tiny", "--precision", "int8"]);
    assert_ne!(coarse.code, Some(0));
    assert!(coarse.stderr.contains("another name"), "{coarse:?}");
    assert_eq!(web.now().seen.len(), before);
    // What was sent where is on record.
    let log = std::fs::read_to_string(sandbox.path(".indago/egress.jsonl")).expect("a log");
    assert!(
        log.contains("/acme/tiny/resolve/main/model.safetensors"),
        "{log}"
    );
}

#[test]
fn late_interaction_models_come_with_their_settings_in_both_layouts() {
    let (sandbox, web) = (Sandbox::indexed(), Web::start());
    web.hub("acme/late", &tiny("late"));
    // The other layout has a step behind the encoder; its file may hold more than its weights.
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let bytes = std::fs::read(tiny("late").join(file)).expect("a fixture");
        let text = String::from_utf8_lossy(&bytes).replace("HF_ColBERT", "BertModel");
        let is_config = file == "config.json";
        sandbox.write(
            &format!("steps/{file}"),
            if is_config { text.into_bytes() } else { bytes },
        );
    }
    let weights = std::fs::read(tiny("late").join("model.safetensors")).expect("weights");
    sandbox.write("steps/1_Dense/model.safetensors", weights);
    sandbox.write("steps/1_Dense/config.json", "{}");
    sandbox.write(
        "steps/modules.json",
        r#"[{"type": "sentence_transformers.models.Transformer"}, {"type": "pylate.models.Dense.Dense"}]"#,
    );
    sandbox.write(
        "steps/config_sentence_transformers.json",
        r#"{"query_prefix": "[unused0]", "document_prefix": "[unused1]", "query_length": 12,
            "document_length": 20}"#,
    );
    web.hub("acme/steps", &sandbox.path("steps"));
    let outcome = pull(&sandbox, &web, &["acme/late", "acme/steps"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    for row in rows(&outcome) {
        assert_eq!(row["kind"], "token encoder (late interaction)");
    }
    let scores = |model: &str| -> Vec<String> {
        let query = [
            "search",
            "bread",
            "--retriever",
            "bm25",
            "--rerank",
            model,
            "--json",
        ];
        let found = rows(&run(&sandbox, &query));
        found.iter().map(|hit| hit["score"].to_string()).collect()
    };
    assert_eq!(scores("late"), scores("steps"));
}

#[test]
fn a_folder_of_any_server_is_a_model_and_its_sums_are_checked() {
    let (sandbox, web) = (Sandbox::new(), Web::start());
    web.folder("models/tiny", &tiny("encoder"));
    let url = format!("{}/models/tiny/", web.url());
    let outcome = run(&sandbox, &["models", "pull", &url, "--json"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(rows(&outcome)[0]["checked"], false);

    let weights = std::fs::read(tiny("encoder").join("model.safetensors")).expect("weights");
    let sums = |sum: &str| format!("{sum}  model.safetensors\n").into_bytes();
    let path = "/models/tiny/SHA256SUMS".to_owned();
    web.now()
        .files
        .insert(path.clone(), sums(&sum(b"something else")));
    let wrong = run(&sandbox, &["models", "pull", &url, "--name", "other"]);
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    assert!(wrong.stderr.contains("SHA-256"), "{wrong:?}");
    web.now().files.insert(path, sums(&sum(&weights)));
    let right = run(
        &sandbox,
        &["models", "pull", &url, "--name", "other", "--json"],
    );
    assert_eq!(right.code, Some(0), "{right:?}");
    assert_eq!(rows(&right)[0]["checked"], true);
    assert_clean(&sandbox);
}

#[test]
fn a_connection_that_breaks_is_gone_on_with_by_range() {
    let (sandbox, web) = (Sandbox::new(), Web::start());
    web.hub("acme/tiny", &tiny("encoder"));
    let whole = std::fs::metadata(tiny("encoder").join("model.safetensors"))
        .expect("weights")
        .len();
    // Cut twice after some bytes, refused in between.
    web.now().cuts = vec![3000, 2000];
    web.now().statuses = vec![503];
    let outcome = pull(&sandbox, &web, &["acme/tiny"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let ranges = web.ranges();
    let asked: Vec<&str> = ranges
        .iter()
        .map(|range| range.as_deref().unwrap_or("all"))
        .collect();
    assert_eq!(asked, ["all", "all", "bytes=2000-", "bytes=5000-"]);
    // No byte came twice.
    let others: u64 = files(&tiny("encoder"))
        .iter()
        .filter(|(name, _)| name != "model.safetensors" && name != "expected.json")
        .map(|(_, bytes)| bytes.len() as u64)
        .sum();
    assert_eq!(
        rows(&outcome)[0]["fetched_bytes"].as_u64(),
        Some(whole + others)
    );
}

#[test]
fn a_server_without_ranges_sends_it_all_again() {
    let (sandbox, web) = (Sandbox::new(), Web::start());
    web.hub("acme/tiny", &tiny("encoder"));
    web.now().cuts = vec![3000];
    web.now().no_ranges = true;
    let outcome = pull(&sandbox, &web, &["acme/tiny"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(run(&sandbox, &["models", "verify"]).code, Some(0));
}

#[test]
fn an_interrupted_fetch_goes_on_and_a_changed_file_is_fetched_anew() {
    let (sandbox, web) = (Sandbox::new(), Web::start());
    web.folder("tiny", &tiny("encoder"));
    let url = format!("{}/tiny", web.url());
    // Every attempt brings nothing: it gives up and keeps what came first.
    web.now().cuts = vec![0, 0, 0, 0, 5000];
    let broken = run(&sandbox, &["models", "pull", &url]);
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert!(
        broken.stderr.contains("goes on where it ended"),
        "{broken:?}"
    );
    let part = sandbox.path("models/.pull/tiny/model.part");
    assert_eq!(std::fs::metadata(&part).expect("a part").len(), 5000);
    assert!(!run(&sandbox, &["models", "list"]).stdout.contains("tiny"));
    // Another process goes on with it.
    web.now().seen.clear();
    let outcome = run(&sandbox, &["models", "pull", &url]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(web.ranges(), [Some("bytes=5000-".to_owned())]);
    assert_clean(&sandbox);

    // The same beginning of another file is not gone on with: its tag is another one.
    web.now().cuts = vec![0, 0, 0, 0, 5000];
    let name = ["models", "pull", &url, "--name", "second"];
    assert_eq!(run(&sandbox, &name).code, Some(1));
    let path = "/tiny/model.safetensors";
    let mut other = web.now().files[path].clone();
    *other.last_mut().expect("bytes") ^= 1;
    web.now().files.insert(path.to_owned(), other.clone());
    assert_eq!(run(&sandbox, &name).code, Some(0));
    let there = std::fs::read(sandbox.path("models/second/model.safetensors")).expect("weights");
    assert!(there == other, "the new file, whole");
}

#[test]
fn ctrl_c_stops_and_keeps_what_came() {
    let (sandbox, web) = (Sandbox::new(), Web::start());
    web.hub("acme/tiny", &tiny("encoder"));
    web.now().pause_ms = 50;
    let url = web.url();
    let mut command = command(&sandbox, &["models", "pull", "--from", &url, "acme/tiny"]);
    let child = command
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the program runs");
    let part = sandbox.path("models/.pull/tiny/model.part");
    let since = Instant::now();
    while std::fs::metadata(&part).map_or(0, |m| m.len()) < 8192 {
        assert!(since.elapsed() < Duration::from_mins(1), "nothing comes");
        std::thread::sleep(Duration::from_millis(10));
    }
    // Meanwhile another process waits its turn.
    let other = pull(&sandbox, &web, &["acme/tiny"]);
    assert_eq!(other.code, Some(5), "{other:?}");
    let pid = child.id().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(sent.expect("kill").success());
    let outcome = sandbox.outcome(child.wait_with_output().expect("it ends"));
    assert_eq!(outcome.code, Some(130), "{outcome:?}");
    let kept = std::fs::metadata(&part).expect("a part").len();
    web.now().pause_ms = 0;
    web.now().seen.clear();
    assert_eq!(pull(&sandbox, &web, &["acme/tiny"]).code, Some(0));
    assert_eq!(web.ranges(), [Some(format!("bytes={kept}-"))]);
}

#[test]
fn what_is_no_model_is_said_before_its_weights_come() {
    let (sandbox, web) = (Sandbox::new(), Web::start());
    let says = |args: &[&str], words: &[&str]| {
        let outcome = pull(&sandbox, &web, args);
        assert_eq!(outcome.code, Some(1), "{args:?}: {outcome:?}");
        for word in words {
            assert!(
                outcome.stderr.contains(word),
                "{args:?}, {word}: {outcome:?}"
            );
        }
        assert!(web.ranges().is_empty(), "{args:?}");
        assert!(!run(&sandbox, &["models", "list"]).stdout.contains("added"));
    };
    says(
        &["acme/none"],
        &["there is no model at", "check owner, name"],
    );
    // Another kind of model.
    web.now().files.insert(
        "/acme/gpt/resolve/main/config.json".to_owned(),
        br#"{"model_type":"gpt2"}"#.to_vec(),
    );
    says(&["acme/gpt"], &["models of type `gpt2` are not known"]);
    // A page where a file should be.
    web.now().files.insert(
        "/acme/page/resolve/main/config.json".to_owned(),
        b"<html>sign in</html>".to_vec(),
    );
    says(&["acme/page"], &["config.json"]);
    // Weights in another form, which the list tells.
    web.hub("acme/old", &tiny("encoder"));
    let list = br#"[{"type":"file","path":"config.json","size":2},{"type":"file","path":"pytorch_model.bin","size":9}]"#;
    web.now()
        .files
        .insert("/api/models/acme/old/tree/main".to_owned(), list.to_vec());
    web.now().files.insert(
        "/acme/old/resolve/main/config.json".to_owned(),
        b"{}".to_vec(),
    );
    says(
        &["acme/old"],
        &["no model.safetensors, only pytorch_model.bin"],
    );
    // Not the file that the list states.
    web.hub("acme/short", &tiny("encoder"));
    web.now().files.insert(
        "/acme/short/resolve/main/config.json".to_owned(),
        b"{}".to_vec(),
    );
    says(&["acme/short"], &["config.json", "stated"]);
}

#[test]
fn weights_that_do_not_open_are_not_added() {
    let (sandbox, web) = (Sandbox::new(), Web::start());
    web.folder("bad", &tiny("encoder"));
    web.now()
        .files
        .insert("/bad/model.safetensors".to_owned(), vec![7; 9000]);
    let url = format!("{}/bad", web.url());
    let outcome = run(&sandbox, &["models", "pull", &url]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(!outcome.stderr.contains("panicked"), "{outcome:?}");
    assert!(!sandbox.path("models/bad").exists() && !sandbox.path("models/.pull/bad").exists());
}

#[test]
fn only_what_is_allowed_is_reached() {
    let (sandbox, web) = (Sandbox::new(), Web::start());
    web.hub("acme/tiny", &tiny("encoder"));
    let url = web.url();
    // Offline: the usual hub is out there; nothing is sent.
    sandbox.write("indago.toml", "[network]\noffline = true\n");
    let offline = run(&sandbox, &["models", "pull", "acme/tiny"]);
    assert_eq!(offline.code, Some(1), "{offline:?}");
    assert!(
        offline.stderr.contains("offline") && offline.stderr.contains("models add"),
        "{offline:?}"
    );
    // An allow-list holds for addresses that are typed, too.
    sandbox.write("indago.toml", "[network]\nonly_hosts = [\"example.org\"]\n");
    let typed = run(&sandbox, &["models", "pull", &format!("{url}/acme")]);
    assert_eq!(typed.code, Some(1), "{typed:?}");
    assert!(typed.stderr.contains("may not be reached"), "{typed:?}");
    assert!(web.now().seen.is_empty());
    // A redirect to a machine nobody named is not followed.
    sandbox.write("indago.toml", "");
    let inner = Web::start();
    inner.hub("acme/tiny", &tiny("encoder"));
    web.now().elsewhere = Some(inner.url());
    let moved = pull(&sandbox, &web, &["acme/tiny"]);
    assert_eq!(moved.code, Some(1), "{moved:?}");
    assert!(inner.now().seen.is_empty(), "{moved:?}");
    web.now().elsewhere = None;
    // A configured mirror is, offline included, with its key, which stands nowhere.
    let key = "hub-key-never-to-be-seen-123";
    sandbox.write(
        "indago.toml",
        format!(
            "[network]\noffline = true\nmodels_url = \"{url}\"\nmodels_key_env = \"HUB_KEY\"\n"
        ),
    );
    let mut command = command(&sandbox, &["models", "pull", "acme/tiny"]);
    let outcome = sandbox.outcome(
        command
            .env("HUB_KEY", key)
            .output()
            .expect("the program runs"),
    );
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let sent = web.now().seen.last().cloned().expect("a request");
    assert_eq!(
        sent.headers.get("authorization"),
        Some(&format!("Bearer {key}"))
    );
    let log = std::fs::read_to_string(sandbox.path(".indago/egress.jsonl")).expect("a log");
    assert!(!log.contains(key) && !outcome.stderr.contains(key));
}

#[test]
fn refusals_and_nonsense_are_named() {
    let (sandbox, web) = (Sandbox::new(), Web::start());
    web.hub("acme/tiny", &tiny("encoder"));
    web.now().statuses = vec![403];
    let refused = pull(&sandbox, &web, &["acme/tiny"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("without permission") && refused.stderr.contains("models_key_env"),
        "{refused:?}"
    );
    for nonsense in [
        "tiny",
        "../../etc/passwd",
        "http://user:pw@127.0.0.1/x",
        "a/b/c",
    ] {
        let outcome = pull(&sandbox, &web, &[nonsense]);
        assert_eq!(outcome.code, Some(2), "{nonsense}: {outcome:?}");
    }
    // One of two: the other one is there.
    let some = pull(&sandbox, &web, &["acme/none", "acme/tiny"]);
    assert_eq!(some.code, Some(4), "{some:?}");
    let rows = rows(&some);
    assert!(
        rows[0]["problem"].is_string() && rows[1]["name"] == "tiny",
        "{rows:?}"
    );
    // Nobody listens.
    let gone = Web::start().url();
    std::thread::sleep(Duration::from_millis(50));
    let nobody = run(&sandbox, &["models", "pull", "--from", &gone, "acme/other"]);
    assert_eq!(nobody.code, Some(1), "{nobody:?}");
}

#[test]
fn a_full_disk_is_said_and_what_came_is_kept() {
    let (sandbox, web) = (Sandbox::new(), Web::start());
    web.hub("acme/tiny", &tiny("encoder"));
    let url = web.url();
    // A file may not grow beyond 8 kB: what a full disk says, without one.
    let line = format!(
        "trap '' XFSZ; ulimit -f 16; exec '{}' models pull --from {url} acme/tiny",
        env!("CARGO_BIN_EXE_indago")
    );
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &line]).current_dir(sandbox.path(""));
    shell.env("INDAGO_MODELS", sandbox.path("models"));
    let outcome = sandbox.outcome(shell.output().expect("sh"));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("free some space"), "{outcome:?}");
    let again = pull(&sandbox, &web, &["acme/tiny"]);
    assert_eq!(again.code, Some(0), "{again:?}");
}
