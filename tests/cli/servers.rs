//! Models behind servers, from the command line.

use std::path::Path;

use indago_scripted::{Call, Fault, Faulty, Reply, Server};

use crate::support::{Outcome, Sandbox};

const KEY: &str = "sk-never-to-be-seen-0123456789";

fn configured(server: &Server) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "indago.toml",
        format!(
            "[models.small]\nbase_url = \"{}\"\nmodel = \"scripted\"\nkey_env = \"SMALL_KEY\"\nrole = \"writer\"\n\
             first_token_ms = 300\nbetween_tokens_ms = 300\ncall_ms = 1000\nattempts = 2\nbackoff_ms = 5\nrepairs = 1\n",
            server.base_url()
        ),
    );
    sandbox
}

fn test_models(sandbox: &Sandbox) -> Outcome {
    let mut command = sandbox.command(&["models", "test"]);
    command.env("SMALL_KEY", KEY).env("INDAGO_LOG", "trace");
    sandbox.outcome(command.output().expect("the program runs"))
}

fn holds_key(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").path())
        .any(|path| {
            if path.is_dir() {
                holds_key(&path)
            } else {
                let bytes = std::fs::read(&path).expect("a file");
                bytes
                    .windows(KEY.len())
                    .any(|window| window == KEY.as_bytes())
            }
        })
}

#[test]
fn a_configured_model_is_listed_checked_and_tested() {
    let server = Server::start(Reply::plain);
    let sandbox = configured(&server);
    let listed = sandbox.run(&["models", "list"]);
    assert!(
        listed.stdout.contains("small") && listed.stdout.contains("writer"),
        "{listed:?}"
    );
    let doctor = sandbox.run(&["doctor"]);
    assert!(
        doctor.stdout.contains("`SMALL_KEY` is not set"),
        "{doctor:?}"
    );
    assert!(server.requests().is_empty(), "neither sends anything");
    let tested = test_models(&sandbox);
    assert_eq!(tested.code, Some(0), "{tested:?}");
    assert!(tested.stdout.contains("{\"sum\":0}"), "{tested:?}");
    let sent = server.requests();
    assert_eq!(
        sent[0].authorization.as_deref(),
        Some(format!("Bearer {KEY}").as_str())
    );
    assert!(sandbox.path(".indago/egress.jsonl").is_file());
}

#[test]
fn a_misspelt_key_of_a_model_is_refused_by_name() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "indago.toml",
        "[models.x]\nbase_url = \"http://localhost:1/v1\"\nmodel = \"m\"\nwindwo = 3\n",
    );
    let outcome = sandbox.run(&["models", "list"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(
        outcome.stderr.contains("windwo") && outcome.stderr.contains("models.x"),
        "{outcome:?}"
    );
}

#[test]
fn offline_sends_nothing_off_this_machine() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "indago.toml",
        "[network]\noffline = true\n[models.x]\nbase_url = \"https://192.0.2.7/v1\"\nmodel = \"m\"\n",
    );
    let outcome = sandbox.run(&["models", "test"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("offline"), "{outcome:?}");
}

#[test]
fn whatever_a_server_does_the_command_ends_and_the_key_is_written_nowhere() {
    for fault in Fault::all() {
        let planted = fault.clone();
        let server = Server::start(Faulty::new(
            |call: &Call| Reply::plain(call),
            move |_| Some(planted.clone()),
        ));
        let sandbox = configured(&server);
        let outcome = test_models(&sandbox);
        assert!(
            matches!(outcome.code, Some(0 | 1)),
            "{fault:?}: {outcome:?}"
        );
        assert!(
            !outcome.stderr.contains("panicked"),
            "{fault:?}: {outcome:?}"
        );
        let said = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!said.contains(KEY), "{fault:?}: {said}");
        assert!(!holds_key(sandbox.path(".").as_path()), "{fault:?}");
    }
}
