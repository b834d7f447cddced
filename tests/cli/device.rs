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

/// With `INDAGO_TEST_DEVICE=cuda:0` and a build with the feature `cuda`: a GPU, or what plays one
/// (`.ci/cuda all`).
#[test]
fn a_device_gives_what_the_cpu_gives() {
    let Ok(device) = std::env::var("INDAGO_TEST_DEVICE") else {
        println!("skipped: INDAGO_TEST_DEVICE names no device");
        return;
    };
    let (there, here) = (Sandbox::with_documents(), Sandbox::with_documents());
    let indexed = there.run(&["index", "docs", "--device", &device, "--json"]);
    assert_eq!(indexed.code, Some(0), "{indexed:?}");
    assert!(indexed.stderr.contains(&format!("device: {device}")));
    assert!(indexed.stderr.contains("f16 products by "), "{indexed:?}");
    let doctor = there.run(&["doctor"]);
    assert!(
        doctor.stdout.contains("products of encoders by "),
        "{doctor:?}"
    );
    assert_eq!(
        here.run(&["index", "docs", "--device", "cpu"]).code,
        Some(0)
    );
    let cross = format!("{}/models/tests/tiny/cross", env!("CARGO_MANIFEST_DIR"));
    for more in [
        &["--retriever", "dense"][..],
        &["--retriever", "bm25", "--rerank", &cross],
        // The filter goes to the device as bits.
        &["--retriever", "dense", "--path", "*.md", "--k", "1"],
    ] {
        let ranked = |sandbox: &Sandbox, device: &str| -> Vec<(String, f64)> {
            let mut line = vec![
                "search",
                "the engineer of the lighthouse",
                "--json",
                "--device",
                device,
            ];
            line.extend(more);
            let outcome = sandbox.run(&line);
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
            let hits: Vec<serde_json::Value> = serde_json::from_str(&outcome.stdout).expect("JSON");
            let hits = hits.iter().map(|hit| {
                let document = hit["document"].as_str().expect("a document").to_owned();
                (document, hit["score"].as_f64().expect("a score"))
            });
            hits.collect()
        };
        let (found, expected) = (ranked(&there, &device), ranked(&here, "cpu"));
        assert!(!found.is_empty());
        assert_eq!(found.len(), expected.len());
        for ((a, x), (b, y)) in found.iter().zip(&expected) {
            assert_eq!(a, b, "{more:?} {found:?} {expected:?}");
            assert!((x - y).abs() < 2e-2 * (1.0 + y.abs()), "{more:?} {x} {y}");
        }
    }
    // An index that was made there is searched here.
    let crossed = there.run(&[
        "search",
        "lighthouse",
        "--retriever",
        "dense",
        "--device",
        "cpu",
    ]);
    assert_eq!(crossed.code, Some(0), "{crossed:?}");
    let question = "Who designed the Skerry Lighthouse?";
    let asked = there.run(&["ask", question, "--device", &device]);
    assert_eq!(asked.code, Some(0), "{asked:?}");
    assert!(asked.stdout.contains("Ines Falk"), "{asked:?}");
}

/// What can keep a device from working is said, whoever asked for it, and the program goes on without
/// one or ends. Shown where a library plays the driver, which can be told to fail (`.ci/cuda all`).
#[test]
fn what_keeps_a_device_from_working_is_said() {
    let sandbox = Sandbox::with_documents();
    let doctor = sandbox.run(&["doctor"]);
    if std::env::var("INDAGO_TEST_DEVICE").is_err() || !doctor.stdout.contains("stand-in") {
        println!("skipped: no library plays a driver");
        return;
    }
    let path = std::env::var("LD_LIBRARY_PATH").expect("where the driver is");
    let without = |part: &str| {
        let left = path.split(':').filter(|folder| !folder.contains(part));
        left.collect::<Vec<_>>().join(":")
    };
    let (no_driver, no_compiler) = (without("stand-in"), without("nvrtc"));
    for (name, value, says) in [
        (
            "LD_LIBRARY_PATH",
            no_driver.as_str(),
            "no NVIDIA driver was found",
        ),
        ("LD_LIBRARY_PATH", &no_compiler, "libnvrtc.so.13"),
        ("STAND_IN_VERSION", "12040", "update the driver"),
        ("STAND_IN_DEVICES", "0", "the driver lists 0"),
        ("STAND_IN_MEMORY", "1000000", "bytes free"),
        ("STAND_IN_LAUNCHES", "3", "the device failed"),
    ] {
        for device in ["cuda:0", "auto"] {
            let sandbox = Sandbox::with_documents();
            let mut command = sandbox.command(&["index", "docs", "--device", device]);
            let outcome = sandbox.outcome(command.env(name, value).output().expect("runs"));
            let here = device == "auto";
            assert_eq!(outcome.code == Some(0), here, "{name} {outcome:?}");
            assert_eq!(
                outcome.stderr.contains("device: cpu"),
                here,
                "{name} {outcome:?}"
            );
            assert!(outcome.stderr.contains(says), "{name} {outcome:?}");
            assert!(!outcome.stderr.contains("panicked"), "{outcome:?}");
        }
    }
    // Lost after it was opened: the error says so, and the same command goes on elsewhere.
    let sandbox = Sandbox::with_documents();
    let mut command = sandbox.command(&["index", "docs", "--device", "cuda:0"]);
    let lost = command.env("STAND_IN_LAUNCHES", "40").output();
    let lost = sandbox.outcome(lost.expect("runs"));
    assert!(!matches!(lost.code, Some(0 | 101)), "{lost:?}");
    assert!(lost.stderr.contains("start the program again"), "{lost:?}");
    let again = sandbox.run(&["index", "docs", "--device", "cpu"]);
    assert_eq!(again.code, Some(0), "{again:?}");
}
