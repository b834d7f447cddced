//! Several processes of the program at work on one corpus: one writes, the others say whom they wait
//! for, readers notice nothing, and whoever reported success has lost nothing.

use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Outcome, Sandbox};

const DONE: Option<i32> = Some(0);
/// Another process holds what is needed.
const BUSY: Option<i32> = Some(5);
/// How often processes are started at the same moment.
const ROUNDS: usize = 4;
/// A program that has not done what is waited for by then never will.
const PATIENCE: Duration = Duration::from_mins(2);

/// A word that stands in this document and in no other.
fn word(folder: &str, number: usize) -> String {
    format!("{folder}mark{number}x")
}

fn document(sandbox: &Sandbox, folder: &str, number: usize) {
    let text = format!(
        "The {} of Keeper{number} stood by the old harbour in winter {number}. A painter saw it from \
         the bridge.\n\nIt was lit by Anna Falk{}, who played the violin.\n",
        word(folder, number),
        number % 5
    );
    sandbox.write(&format!("{folder}/{number}.txt"), text);
}

fn with_folders(folders: &[&str], documents: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    for folder in folders {
        for number in 0..documents {
            document(&sandbox, folder, number);
        }
    }
    sandbox
}

fn start(sandbox: &Sandbox, args: &[&str]) -> Child {
    let mut command = sandbox.command(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program runs")
}

/// Starts the program with each of `commands` at the same moment and waits for all, with their
/// process ids.
fn at_once(sandbox: &Sandbox, commands: &[&[&str]]) -> Vec<(u32, Outcome)> {
    let started: Vec<Child> = commands.iter().map(|args| start(sandbox, args)).collect();
    let ended = started.into_iter().map(|child| {
        let pid = child.id();
        (
            pid,
            sandbox.outcome(child.wait_with_output().expect("ends")),
        )
    });
    ended.collect()
}

fn done(sandbox: &Sandbox, args: &[&str]) -> Outcome {
    let outcome = sandbox.run(args);
    assert_eq!(outcome.code, DONE, "{args:?}: {outcome:?}");
    outcome
}

/// Whether one went on, and each other one had to wait.
fn one_went_on(ended: &[(u32, Outcome)]) {
    assert!(ended.iter().any(|(_, o)| o.code == DONE), "{ended:?}");
    let is_right = |(_, o): &(u32, Outcome)| o.code == DONE || o.code == BUSY;
    assert!(ended.iter().all(is_right), "{ended:?}");
}

/// Whether each one that had to wait said which of the others it waits for, and what to do.
fn others_were_told(ended: &[(u32, Outcome)]) {
    for (pid, outcome) in ended.iter().filter(|(_, o)| o.code != DONE) {
        let said = &outcome.stderr;
        let (_, rest) = said.split_once("is being indexed by process ").expect(said);
        let (holder, advice) = rest.split_once("; ").expect(said);
        let holds = |(other, _): &(u32, Outcome)| other != pid && other.to_string() == holder;
        assert!(ended.iter().any(holds), "{pid}: {ended:?}");
        assert!(
            advice.starts_with("wait for it to finish\nhint: "),
            "{said}"
        );
    }
}

/// Whether words find the document.
fn is_found(sandbox: &Sandbox, folder: &str, number: usize) -> bool {
    let outcome = sandbox.run(&["search", &word(folder, number), "-r", "bm25"]);
    assert!([Some(0), Some(3)].contains(&outcome.code), "{outcome:?}");
    outcome.code == DONE
}

/// No damage, and nothing left over from writers.
fn sound(sandbox: &Sandbox) {
    done(sandbox, &["doctor"]);
    done(sandbox, &["corpus", "stats"]);
    let corpus = sandbox.path(".indago/corpora/default");
    let entries = std::fs::read_dir(corpus).expect("a corpus").flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let left: Vec<String> = names
        .filter(|name| name.starts_with("g0") || name == "manifest.new")
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn of_several_indexes_at_once_one_goes_on_and_the_others_say_whom_they_wait_for() {
    let folders = ["a", "b", "c"];
    let n = 12;
    let sandbox = with_folders(&folders, n);
    let commands = folders.map(|folder| ["index", folder, "--no-vectors"]);
    for round in 0..ROUNDS {
        // One comes, one goes.
        for folder in folders {
            document(&sandbox, folder, n + round);
            let gone = sandbox.path(&format!("{folder}/{round}.txt"));
            std::fs::remove_file(gone).expect("removed");
        }
        let ended = at_once(&sandbox, &[&commands[0], &commands[1], &commands[2]]);
        one_went_on(&ended);
        others_were_told(&ended);
        sound(&sandbox);
        for (i, folder) in folders.into_iter().enumerate() {
            if ended[i].1.code != DONE {
                done(&sandbox, &commands[i]);
            }
            assert!(is_found(&sandbox, folder, n + round), "{folder}: {ended:?}");
            assert!(is_found(&sandbox, folder, n - 1), "{folder}: {ended:?}");
            assert!(!is_found(&sandbox, folder, round), "{folder}: {ended:?}");
        }
        sound(&sandbox);
    }
}

#[test]
fn vectors_tokens_and_links_are_completed_beside_other_indexes() {
    let sandbox = with_folders(&["a", "b"], 10);
    done(&sandbox, &["index", "a", "--no-vectors"]);
    let complete = ["index", "--approximate", "--tokens", "--sparse"];
    for round in 0..2 {
        for folder in ["a", "b"] {
            document(&sandbox, folder, 10 + round);
        }
        let ended = at_once(
            &sandbox,
            &[
                &["index", "--vectors-only", "--approximate", "--tokens"],
                &["index", "b", "--no-vectors", "--substrings", "on"],
                &complete,
            ],
        );
        one_went_on(&ended);
        others_were_told(&ended);
        sound(&sandbox);
    }
    done(
        &sandbox,
        &["index", "b", "--no-vectors", "--substrings", "on"],
    );
    done(&sandbox, &complete);
    sound(&sandbox);
    // It is the corpus that one process alone makes of these documents.
    let answers = || -> BTreeMap<(&str, &str), String> {
        let retrievers = ["bm25", "dense", "ann", "plaid", "sparse", "exact", "graph"];
        let queries = ["old harbour", "amark11x", "bmark3x"];
        let pairs = retrievers.iter().flat_map(|r| queries.map(|q| (*r, q)));
        let answer = |pair: (&'static str, &'static str)| {
            let args = ["search", pair.1, "-r", pair.0, "-k", "1", "--json"];
            let hits: Value = serde_json::from_str(&sandbox.run(&args).stdout).expect("JSON");
            let score = hits[0]["score"].as_f64().unwrap_or_default();
            (pair, format!("{score:.3}"))
        };
        pairs.map(answer).collect()
    };
    let grown = answers();
    std::fs::remove_dir_all(sandbox.path(".indago")).expect("removed");
    done(
        &sandbox,
        &["index", "a", "b", "--approximate", "--tokens", "--sparse"],
    );
    let fresh = answers();
    for (asked, score) in &grown {
        // Centroids are of the documents that were there first.
        if asked.0 != "plaid" {
            assert_eq!(score, &fresh[asked], "{asked:?}");
        }
    }
}

#[test]
fn readers_notice_nothing_of_writers() {
    let n = 30;
    let sandbox = with_folders(&["a"], n);
    done(&sandbox, &["index", "a", "--no-vectors", "--sparse"]);
    let mut reads = 0;
    for round in 0..ROUNDS {
        document(&sandbox, "a", n + round);
        std::fs::remove_file(sandbox.path(&format!("a/{round}.txt"))).expect("removed");
        let mut writer = start(&sandbox, &["index", "--no-vectors"]);
        while writer.try_wait().expect("a status").is_none() {
            let search = ["search", "harbour", "-r", "sparse", "-k", "99", "--json"];
            let (stats, check) = (["corpus", "stats"], ["doctor"]);
            for (_, outcome) in at_once(&sandbox, &[&search, &stats, &check]) {
                assert_eq!(outcome.code, DONE, "{outcome:?}");
            }
            assert!(is_found(&sandbox, "a", n - 1));
            reads += 1;
        }
        assert!(is_found(&sandbox, "a", n + round));
        assert!(!is_found(&sandbox, "a", round));
    }
    assert!(reads >= ROUNDS, "{reads}");
}

#[test]
fn who_is_killed_with_the_lock_does_not_keep_it() {
    let sandbox = with_folders(&["a", "b"], 40);
    let lock = sandbox.path(".indago/corpora/default/lock");
    let mut killed = 0;
    for round in 0..ROUNDS {
        document(&sandbox, "a", 40 + round);
        let mut holder = start(&sandbox, &["index", "a", "--no-vectors"]);
        let begun = Instant::now();
        let pid = format!("{}\n", holder.id());
        while std::fs::read_to_string(&lock).unwrap_or_default() != pid
            && holder.try_wait().expect("a status").is_none()
        {
            assert!(begun.elapsed() < PATIENCE, "it never took the lock");
            std::thread::yield_now();
        }
        holder.kill().expect("a child of ours");
        killed += usize::from(!holder.wait().expect("ended").success());
        let left = std::fs::read_to_string(&lock).unwrap_or_default();
        let ended = at_once(
            &sandbox,
            &[
                &["index", "a", "--no-vectors"],
                &["index", "b", "--no-vectors"],
            ],
        );
        one_went_on(&ended);
        assert!(!left.is_empty() || killed == 0, "its id stays behind");
        // Whoever was refused comes again.
        for folder in ["a", "b"] {
            done(&sandbox, &["index", folder, "--no-vectors"]);
        }
        assert!(is_found(&sandbox, "a", 40 + round));
        assert!(is_found(&sandbox, "b", 0));
        sound(&sandbox);
    }
    assert!(killed > 0, "never in time");
}

#[test]
fn a_corpus_that_is_removed_while_it_is_indexed_is_gone_or_whole() {
    let sandbox = with_folders(&["a", "b"], 8);
    for _ in 0..ROUNDS {
        done(&sandbox, &["index", "a", "--no-vectors"]);
        let ended = at_once(
            &sandbox,
            &[
                &["corpus", "rm", "default", "--yes"],
                &["index", "a", "--no-vectors"],
                &["index", "b", "--no-vectors"],
                &["corpus", "rm", "default", "--yes"],
            ],
        );
        for (_, outcome) in &ended {
            // Whoever finds it gone says so.
            let is_told = outcome.stderr.contains("there is no corpus `default`");
            let is_right = match outcome.code {
                Some(0 | 5) => true,
                Some(1) => is_told,
                _ => false,
            };
            assert!(is_right, "{outcome:?}");
        }
        done(&sandbox, &["doctor"]);
        for folder in ["a", "b"] {
            done(&sandbox, &["index", folder, "--no-vectors"]);
            assert!(is_found(&sandbox, folder, 0), "{ended:?}");
        }
        sound(&sandbox);
    }
}
