//! Help, settings, pages: everything that needs no corpus.

use crate::support::Sandbox;

#[test]
fn no_command_is_a_usage_error_on_stderr() {
    let outcome = Sandbox::new().run(&[]);
    assert_eq!(outcome.code, Some(2));
    assert!(
        outcome.stdout.is_empty() && outcome.stderr.contains("Usage: indago"),
        "{outcome:?}"
    );
}

#[test]
fn help_and_version_are_data() {
    for args in [["--help"], ["--version"]] {
        let outcome = Sandbox::new().run(&args);
        assert_eq!(outcome.code, Some(0));
        assert!(
            outcome.stderr.is_empty() && outcome.stdout.contains("indago"),
            "{outcome:?}"
        );
    }
}

#[test]
fn settings_say_where_they_come_from() {
    let sandbox = Sandbox::new();
    sandbox.write("indago.toml", "corpus = \"papers\"\n[ask]\nrounds = 2\n");
    let mut command = sandbox.command(&["config", "show", "--threads", "1"]);
    command.env("INDAGO_ASK_ROUNDS", "5");
    let outcome = sandbox.outcome(command.output().expect("runs"));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let line = |key: &str| {
        let found = outcome.stdout.lines().find(|line| line.starts_with(key));
        let words: Vec<&str> = found
            .expect("the setting")
            .split("  ")
            .map(str::trim)
            .collect();
        words
            .into_iter()
            .filter(|w| !w.is_empty())
            .collect::<Vec<_>>()
            .join(" | ")
    };
    assert_eq!(line("corpus"), "corpus | papers | [FOLDER]/indago.toml");
    assert_eq!(line("ask.rounds"), "ask.rounds | 5 | INDAGO_ASK_ROUNDS");
    assert_eq!(line("threads"), "threads | 1 | --threads");
    assert_eq!(line("search.k"), "search.k | 10 | default");
}

#[test]
fn a_misspelt_setting_is_refused_before_anything_happens() {
    let sandbox = Sandbox::with_documents();
    sandbox.write("indago.toml", "[ask]\nround = 2\n");
    let outcome = sandbox.run(&["index", "docs"]);
    assert_eq!(outcome.code, Some(2));
    assert_eq!(
        outcome.stderr,
        "error: `[FOLDER]/indago.toml` has an unknown key `ask.round`\nhint: did you mean \
         `ask.rounds`?\n"
    );
    assert!(!sandbox.path(".indago").exists());
}

#[test]
fn the_project_is_the_nearest_folder_upwards_that_is_one() {
    let sandbox = Sandbox::indexed();
    let mut command = sandbox.command(&["corpus", "list", "--json"]);
    command.current_dir(sandbox.path("docs"));
    let outcome = sandbox.outcome(command.output().expect("runs"));
    assert!(
        outcome.stdout.contains("\"name\": \"default\""),
        "{outcome:?}"
    );
}

#[test]
fn completions_and_the_manual_page_are_written_for_every_shell() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let outcome = sandbox.run(&["completions", shell]);
        assert_eq!(outcome.code, Some(0), "{shell}");
        assert!(outcome.stdout.contains("vectors-only"), "{shell}");
    }
    let outcome = sandbox.run(&["man"]);
    assert!(outcome.stdout.contains(".TH indago"), "{outcome:?}");
    assert_eq!(sandbox.run(&["man", "--out", "pages"]).code, Some(0));
    assert!(sandbox.path("pages/indago-ask.1").is_file());
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let sandbox = Sandbox::new();
    let mut child = sandbox
        .command(&["completions", "zsh"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("ends").code(), Some(0));
}

#[test]
fn the_doctor_finds_a_fresh_folder_healthy_and_a_damaged_corpus_ill() {
    let sandbox = Sandbox::indexed();
    let outcome = sandbox.run(&["doctor"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let store = sandbox.path(".indago/corpora/default");
    let generation = std::fs::read_dir(&store)
        .expect("corpus")
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.is_dir() && path.join("documents").is_file())
        .expect("a generation");
    let documents = generation.join("documents");
    let mut bytes = std::fs::read(&documents).expect("documents");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&documents, bytes).expect("written");
    let outcome = sandbox.run(&["doctor"]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stdout.contains("PROBLEM"), "{outcome:?}");
}

#[test]
fn the_support_file_holds_nothing_private() {
    let sandbox = Sandbox::with_documents();
    assert_eq!(
        sandbox
            .run(&["index", "docs", "--no-vectors", "--corpus", "secretname"])
            .code,
        Some(0)
    );
    let outcome = sandbox.run(&[
        "doctor",
        "--bundle",
        "b.json",
        "--corpus-name-is-not-a-flag",
    ]);
    assert_eq!(outcome.code, Some(2));
    assert_eq!(sandbox.run(&["doctor", "--bundle", "b.json"]).code, Some(0));
    let bundle = std::fs::read_to_string(sandbox.path("b.json")).expect("the bundle");
    let folder = sandbox.path("").display().to_string();
    for private in [
        "secretname",
        "Falk",
        "lighthouse",
        folder.trim_end_matches('/'),
    ] {
        assert!(!bundle.contains(private), "{private} in {bundle}");
    }
    assert!(bundle.contains("\"documents\": 3"), "{bundle}");
}
