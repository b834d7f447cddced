//! The program killed while it makes or brings up to date each kind of index: what was published goes
//! on answering, and the same command completes what the killed one began.
//!
//! Substrings, the graph of phrases and extracted facts have such a test beside their others.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Outcome, Sandbox};

const QUERIES: [&str; 2] = ["the old harbour", "a painter in winter with a violin"];
const WORDS: [&str; 32] = [
    "harbour", "river", "bridge", "stone", "tower", "market", "boat", "lantern", "captain",
    "winter", "orchard", "garden", "library", "mountain", "letter", "painter", "violin", "bakery",
    "castle", "meadow", "old", "quiet", "copper", "salt", "ferry", "abbot", "glass", "wool",
    "clock", "plough", "cellar", "heron",
];
const SIGKILL: i32 = 9;

/// Scores of what a search finds, by document.
type Hits = BTreeMap<String, f64>;

/// A document of a dozen words that no other one has in this order.
fn document(sandbox: &Sandbox, number: usize, edition: usize) {
    let mut state = (number * 7 + edition * 1009 + 1) as u64;
    let mut text = format!("Note {number}.{edition}:");
    for _ in 0..12 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        text += " ";
        text += WORDS[(state >> 40) as usize % WORDS.len()];
    }
    sandbox.write(&format!("docs/{number}.txt"), text + ".\n");
}

fn with_documents(n: usize) -> Sandbox {
    let sandbox = Sandbox::new();
    for number in 0..n {
        document(&sandbox, number, 0);
    }
    sandbox
}

/// The program with the sandbox's own folder of models.
fn run(sandbox: &Sandbox, args: &[&str]) -> Outcome {
    let mut command = sandbox.command(args);
    command.env("INDAGO_MODELS", sandbox.path("models"));
    sandbox.outcome(command.output().expect("the program runs"))
}

fn done(sandbox: &Sandbox, args: &[&str]) -> Outcome {
    let outcome = run(sandbox, args);
    assert_eq!(outcome.code, Some(0), "{args:?}: {outcome:?}");
    outcome
}

/// Whether the program was still at work when it was killed.
fn kill(sandbox: &Sandbox, args: &[&str], after: Duration) -> bool {
    let mut command = sandbox.command(args);
    command.env("INDAGO_MODELS", sandbox.path("models"));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the program runs");
    std::thread::sleep(after);
    // It may have ended already; then it was not the signal that ended it.
    let _killed = child.kill();
    let status = child.wait().expect("ended");
    assert!(
        status.success() || status.signal() == Some(SIGKILL),
        "{args:?} after {after:?}: {status}"
    );
    status.signal() == Some(SIGKILL)
}

/// What a retriever finds; `None` where the program says that there is nothing to search or to find.
fn search(sandbox: &Sandbox, retriever: &str, query: &str) -> Option<Hits> {
    let args = ["search", query, "-r", retriever, "-k", "500", "--json"];
    let outcome = run(sandbox, &args);
    let said = outcome.stderr.to_lowercase();
    for wrong in ["panicked", "corrupt", "cannot read", "damage"] {
        assert!(!said.contains(wrong), "{retriever}: {outcome:?}");
    }
    match outcome.code {
        Some(0) => {
            let hits: Vec<Value> = serde_json::from_str(&outcome.stdout).expect("JSON");
            let hit = |hit: &Value| {
                let document = hit["document"].as_str().expect("a document").to_owned();
                (document, hit["score"].as_f64().expect("a score"))
            };
            Some(hits.iter().map(hit).collect())
        }
        Some(1 | 3) if !said.trim().is_empty() => None,
        _ => panic!("{retriever}: {outcome:?}"),
    }
}

fn searches(sandbox: &Sandbox, retrievers: &[&str]) -> Vec<Option<Hits>> {
    let pairs = retrievers
        .iter()
        .flat_map(|retriever| QUERIES.map(|query| (retriever, query)));
    pairs
        .map(|(retriever, query)| search(sandbox, retriever, query))
        .collect()
}

/// Sums in another order differ in the last bit.
fn is_same(a: Option<&Hits>, b: Option<&Hits>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => {
            a.keys().eq(b.keys())
                && a.values()
                    .zip(b.values())
                    .all(|(a, b)| (a - b).abs() < 1e-4)
        }
        (None, None) => true,
        _ => false,
    }
}

/// Whether `part` holds some of what `whole` does, with the same scores.
fn is_part(part: Option<&Hits>, whole: Option<&Hits>) -> bool {
    let (Some(part), Some(whole)) = (part, whole) else {
        return false;
    };
    part.iter()
        .all(|(document, a)| whole.get(document).is_some_and(|b| (a - b).abs() < 1e-4))
}

fn sound(sandbox: &Sandbox) {
    done(sandbox, &["doctor"]);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Makes `to` what `from` is; what is not there is not there.
fn restore(sandbox: &Sandbox, from: &str, to: &str) {
    let (from, to) = (sandbox.path(from), sandbox.path(to));
    if to.exists() {
        std::fs::remove_dir_all(&to).expect("removed");
    }
    if from.exists() {
        copy(&from, &to);
    }
}

/// Names of files of vectors and of folders of generations, with numbers of editions left out.
fn kept(sandbox: &Sandbox) -> Vec<String> {
    let corpus = sandbox.path(".indago/corpora/default");
    let names = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    };
    let mut kept: Vec<String> = names(&corpus.join("vectors"))
        .iter()
        .map(|name| match name.rsplit_once('-') {
            Some((kind, edition)) => {
                let end = edition.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{kind}-{end}")
            }
            None => name.clone(),
        })
        .collect();
    let generations = names(&corpus);
    let generations = generations.iter().filter(|name| name.starts_with("g0"));
    kept.extend(generations.map(|_| "a generation".to_owned()));
    kept.sort();
    kept
}

/// Kills `command` at `kills` moments spread over the time that it takes, each time from what the
/// sandbox holds now, and looks at what `retrievers` find before it is run again and after.
///
/// Words find what they found before or what they will find in the end, nothing between. Vectors fill
/// in behind the documents, so that what is made of them may find a part of the latter.
fn survives(sandbox: &Sandbox, command: &[&str], retrievers: &[&str], kills: u32) {
    restore(sandbox, ".indago", "before");
    let before = searches(sandbox, retrievers);
    let begun = Instant::now();
    done(sandbox, command);
    let whole_time = begun.elapsed();
    let after = searches(sandbox, retrievers);
    assert!(after.iter().all(Option::is_some), "{command:?}");
    let files = kept(sandbox);

    let mut alive = 0;
    for n in 0..kills {
        restore(sandbox, "before", ".indago");
        let patience = whole_time * (2 * n + 1) / (2 * kills);
        alive += u32::from(kill(sandbox, command, patience));
        let at = format!("{command:?} killed after {patience:?} of {whole_time:?}");
        println!("{at}, {alive} of {} in time", n + 1);
        if n % 2 == 1 {
            // Whoever goes on where a killed one was may be killed as well.
            let _again = kill(sandbox, command, patience);
        }
        let between = searches(sandbox, retrievers);
        for (i, found) in between.iter().enumerate() {
            let retriever = retrievers[i / QUERIES.len()];
            let (found, later) = (found.as_ref(), after[i].as_ref());
            let mut is_right = is_same(found, before[i].as_ref()) || is_same(found, later);
            if !["bm25", "sparse"].contains(&retriever) {
                is_right |= is_part(found, later);
            }
            assert!(is_right, "{at}: {retriever}: {found:?}");
        }
        sound(sandbox);

        done(sandbox, command);
        let again = searches(sandbox, retrievers);
        for (i, (found, expected)) in again.iter().zip(&after).enumerate() {
            assert!(
                is_same(found.as_ref(), expected.as_ref()),
                "{at}: search {i} of {retrievers:?}: {found:?}, not {expected:?}"
            );
        }
        sound(sandbox);
        assert_eq!(kept(sandbox), files, "{at}");
    }
    assert!(alive > 0, "{command:?} was never killed in time");
}

#[test]
fn a_first_index_is_completed_by_words_and_by_vectors() {
    let sandbox = with_documents(160);
    survives(&sandbox, &["index", "docs", "--no-vectors"], &["bm25"], 6);
    std::fs::remove_dir_all(sandbox.path(".indago")).expect("removed");
    survives(&sandbox, &["index", "docs"], &["bm25", "dense"], 4);
}

#[test]
fn links_of_near_vectors_are_completed() {
    let sandbox = with_documents(250);
    done(&sandbox, &["index", "docs"]);
    let command = ["index", "--approximate"];
    survives(&sandbox, &command, &["bm25", "dense", "ann"], 6);
}

#[test]
fn vectors_of_tokens_are_completed() {
    let sandbox = with_documents(130);
    done(&sandbox, &["index", "docs"]);
    let command = ["index", "--tokens"];
    survives(&sandbox, &command, &["bm25", "plaid"], 4);
}

#[test]
fn sparse_indexes_are_completed() {
    let sandbox = with_documents(400);
    done(&sandbox, &["index", "docs", "--no-vectors"]);
    let command = ["index", "--no-vectors", "--sparse"];
    survives(&sandbox, &command, &["bm25", "sparse"], 6);

    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/tests/tiny/splade");
    let tiny = tiny.display().to_string();
    done(&sandbox, &["models", "add", &tiny, "--name", "tiny"]);
    let command = ["index", "--no-vectors", "--sparse", "tiny"];
    survives(&sandbox, &command, &["sparse", "sparse@tiny"], 6);
}

/// Changes so many documents that segments are merged, and that the sparse index is made one file of
/// the large and the small one that `sandbox` has.
fn change_much(sandbox: &Sandbox, n: usize) {
    for number in 0..n / 3 {
        std::fs::remove_file(sandbox.path(&format!("docs/{number}.txt"))).expect("removed");
    }
    for number in n / 3..n / 2 {
        document(sandbox, number, 2);
    }
    for number in n..n + n / 10 {
        document(sandbox, number, 0);
    }
}

/// Indexes some documents as `more` says, and what is new in a few of them.
fn indexed_twice(n: usize, more: &[&str]) -> Sandbox {
    let sandbox = with_documents(n);
    done(&sandbox, &[&["index", "docs"], more].concat());
    for number in (0..n).step_by(10) {
        document(&sandbox, number, 1);
    }
    done(&sandbox, &[&["index"], more].concat());
    let kept = kept(&sandbox);
    assert!(kept.iter().any(|name| name.contains("-tail-")), "{kept:?}");
    sandbox
}

/// What a killed and resumed merge left finds what an index of nothing but these documents finds.
fn is_as_if_made_at_once(sandbox: &Sandbox, command: &[&str], retrievers: &[&str]) {
    let kept = kept(sandbox);
    assert!(!kept.iter().any(|name| name.contains("-tail-")), "{kept:?}");
    let merged = searches(sandbox, retrievers);
    std::fs::remove_dir_all(sandbox.path(".indago")).expect("removed");
    done(sandbox, command);
    let fresh = searches(sandbox, retrievers);
    for (i, (merged, fresh)) in merged.iter().zip(&fresh).enumerate() {
        assert!(
            is_same(merged.as_ref(), fresh.as_ref()),
            "search {i} of {retrievers:?}: {merged:?}, not {fresh:?}"
        );
    }
}

#[test]
fn segments_and_sparse_files_are_merged_or_stay_as_they_were() {
    let n = 400;
    let sandbox = indexed_twice(n, &["--no-vectors", "--sparse"]);
    change_much(&sandbox, n);
    let retrievers = ["bm25", "sparse"];
    survives(&sandbox, &["index", "--no-vectors"], &retrievers, 12);
    let fresh = ["index", "docs", "--no-vectors", "--sparse"];
    is_as_if_made_at_once(&sandbox, &fresh, &retrievers);
}

#[test]
fn every_index_follows_a_change_or_stays_as_it_was() {
    let n = 120;
    let all = ["--approximate", "--tokens", "--sparse"];
    let sandbox = indexed_twice(n, &all);
    change_much(&sandbox, n);
    let retrievers = ["bm25", "sparse", "dense", "ann", "plaid"];
    survives(&sandbox, &["index"], &retrievers, 5);
    let fresh = [&["index", "docs"][..], &all].concat();
    // Links and centroids may remember documents that are gone.
    is_as_if_made_at_once(&sandbox, &fresh, &retrievers[..3]);
}
