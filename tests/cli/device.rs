//! `--device`: what is picked is said, a GPU that was named is used or an error.

use crate::support::Sandbox;

/// No machine has so many.
const ABSENT: &str = "cuda:9999";

#[test]
fn a_named_gpu_that_cannot_be_used_is_an_error_that_says_what_to_do() {
    let sandbox = Sandbox::with_documents();
    let outcome = sandbox.run(&["index", "docs", "--device", ABSENT]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let said = &outcome.stderr;
    let known = [
        "--features cuda",
        "install the driver",
        "update the driver",
        "no device cuda:9999",
    ];
    assert!(known.iter().any(|way| said.contains(way)), "{outcome:?}");
    // It is said before anything is read.
    let list = sandbox.run(&["corpus", "list", "--json"]);
    assert_eq!(list.stdout.trim(), "[]", "{list:?}");
    // Without vectors no device is needed.
    let lexical = sandbox.run(&["index", "docs", "--no-vectors", "--device", ABSENT]);
    assert_eq!(lexical.code, Some(0), "{lexical:?}");

    for line in [
        ["search", "lighthouse", "--device", ABSENT],
        [
            "ask",
            "Who designed the Skerry Lighthouse?",
            "--device",
            ABSENT,
        ],
    ] {
        let outcome = sandbox.run(&line);
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stdout.is_empty(), "{outcome:?}");
    }
    // The same from the project's file.
    sandbox.write("indago.toml", format!("device = \"{ABSENT}\"\n"));
    let outcome = sandbox.run(&["search", "lighthouse"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let overruled = sandbox.run(&["search", "lighthouse", "--device", "cpu"]);
    assert_eq!(overruled.code, Some(0), "{overruled:?}");
    assert!(overruled.stderr.contains("device: cpu"), "{overruled:?}");
}

#[test]
fn auto_says_what_it_took_and_why() {
    let sandbox = Sandbox::with_documents();
    let outcome = sandbox.run(&["index", "docs", "--device", "auto", "--json"]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let summary: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let device = summary["device"].as_str().expect("a device");
    assert!(
        device.starts_with("cuda:") || (device.starts_with("cpu") && device.contains("no GPU: ")),
        "{device}"
    );
    assert!(
        outcome.stderr.contains(&format!("device: {device}")),
        "{outcome:?}"
    );
    // Three vectors are no work for a GPU.
    let found = sandbox.run(&[
        "search",
        "lighthouse",
        "--retriever",
        "dense",
        "--device",
        "auto",
    ]);
    assert_eq!(found.code, Some(0), "{found:?}");
    assert!(
        found.stderr.contains("3 vectors are searched faster"),
        "{found:?}"
    );
    // Nobody asked and nothing is special: nothing is said.
    let silent = sandbox.run(&["search", "lighthouse"]);
    assert!(!silent.stderr.contains("device"), "{silent:?}");
}

#[test]
fn names_that_mean_nothing_are_refused() {
    let sandbox = Sandbox::indexed();
    let outcome = sandbox.run(&["search", "lighthouse", "--device", "gpu"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("cuda:N"), "{outcome:?}");
    let mut command = sandbox.command(&["search", "lighthouse"]);
    command.env("INDAGO_DEVICE", "cuda:x");
    let outcome = sandbox.outcome(command.output().expect("runs"));
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("INDAGO_DEVICE"), "{outcome:?}");
}

#[test]
fn doctor_says_what_would_run_where() {
    let sandbox = Sandbox::indexed();
    let outcome = sandbox.run(&["doctor"]);
    assert!(
        outcome.stdout.contains("all runs here")
            || outcome.stdout.contains("`index` encodes there"),
        "{outcome:?}"
    );
}
