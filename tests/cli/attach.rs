//! Several terminals and one run: attaching while it works, steering from either, leaving, and
//! terminals that go away without a word. Long work in the interface: a download and an index.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indago_scripted::{Call, Server};
use serde_json::Value;

use crate::model::{QUESTION, oracle};
use crate::support::Sandbox;
use crate::tui::Window;
use crate::web::Web;

/// A model that answers some calls at once and holds the others until it is let go.
struct Held {
    server: Server,
    gate: Arc<AtomicBool>,
}

impl Held {
    fn after(calls: usize) -> Self {
        let gate = Arc::new(AtomicBool::new(false));
        let (open, n, inner) = (Arc::clone(&gate), AtomicUsize::new(0), oracle());
        let server = Server::start(move |call: &Call| {
            let reply = inner(call);
            if n.fetch_add(1, Ordering::Relaxed) >= calls && !open.load(Ordering::Relaxed) {
                // An end, so that a test that failed ends too.
                let since = Instant::now();
                while !open.load(Ordering::Relaxed) && since.elapsed() < Duration::from_mins(2) {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
            reply
        });
        Self { server, gate }
    }

    fn let_go(&self) {
        self.gate.store(true, Ordering::Relaxed);
    }

    fn sandbox(&self) -> Sandbox {
        let sandbox = Sandbox::indexed();
        sandbox.write(
            "indago.toml",
            format!(
                "[models.small]\nbase_url = \"{}\"\nmodel = \"scripted\"\nfirst_token_ms = 200000\n\
                 between_tokens_ms = 200000\ncall_ms = 200000\n[ask]\nmodel = \"small\"\n",
                self.server.base_url()
            ),
        );
        sandbox
    }
}

fn runs(sandbox: &Sandbox) -> Vec<Value> {
    let listed = sandbox.run(&["runs", "list", "--json"]);
    serde_json::from_str(&listed.stdout).unwrap_or_else(|e| panic!("{e}: {listed:?}"))
}

/// Waits until the only run is in a state.
fn until_state(sandbox: &Sandbox, state: &str) {
    let since = Instant::now();
    loop {
        let all = runs(sandbox);
        if all.len() == 1 && all[0]["state"] == state {
            return;
        }
        assert!(
            since.elapsed() < Duration::from_mins(1),
            "never {state}: {all:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn two_terminals_watch_a_run_at_once_and_it_outlives_both() {
    let model = Held::after(1);
    let sandbox = model.sandbox();
    let line = format!("tui '{QUESTION}'");
    let Some(first) = Window::open(&sandbox, "at1", (120, 40), &line) else {
        return;
    };
    first.until("in flight 1");
    let Some(second) = Window::open(&sandbox, "at2", (80, 24), "tui last") else {
        return;
    };
    // Both show the same run while its model is being asked.
    second.until("in flight 1");
    for window in [&first, &second] {
        let screen = window.screen();
        assert!(
            screen.contains("Where was the designer") && screen.contains("running"),
            "{screen}"
        );
    }
    // What one asks of it the other sees.
    second.keys(&["p"]);
    first.until("paused by hand");
    second.until("paused by hand");
    first.keys(&["p"]);
    second.until("goes on, by hand");
    // One leaves: the other one goes on watching.
    first.keys(&["q"]);
    first.until("goes on; watch it with: indago tui");
    first.assert_restored();
    drop(first);
    until_state(&sandbox, "running");
    assert!(
        second.screen().contains("in flight 1"),
        "{}",
        second.screen()
    );
    // The other one's terminal is taken away without a word: the run is nobody's but its own.
    drop(second);
    until_state(&sandbox, "running");
    let Some(third) = Window::open(&sandbox, "at3", (100, 30), "tui last") else {
        return;
    };
    third.until("in flight 1");
    model.let_go();
    third.until("finished");
    third.until("Skagen");
    until_state(&sandbox, "finished");
}

#[test]
fn a_run_whose_terminal_is_taken_away_is_resumed_and_pays_for_nothing_twice() {
    let model = Held::after(2);
    let sandbox = model.sandbox();
    // The command line hosts its run itself, in the foreground.
    let line = format!("ask '{QUESTION}'");
    let Some(host) = Window::open(&sandbox, "sig1", (100, 30), &line) else {
        return;
    };
    until_state(&sandbox, "running");
    let Some(watcher) = Window::open(&sandbox, "sig2", (100, 30), "tui last") else {
        return;
    };
    watcher.until("in flight 1");
    let finished = model.server.requests().len() - 1;
    drop(host);
    // The watcher is told, and its terminal is as whole as before.
    watcher.until("process is gone");
    until_state(&sandbox, "interrupted");
    model.let_go();
    // It goes on from the start screen.
    for key in ["1", "Tab", "r"] {
        watcher.keys(&[key]);
        std::thread::sleep(Duration::from_millis(500));
    }
    watcher.until("finished");
    watcher.until("Skagen");
    let requests = model.server.requests();
    let body = |n: usize| &requests[n].body;
    let again = requests[finished + 1..]
        .iter()
        .filter(|later| (0..finished).any(|n| *body(n) == later.body));
    assert_eq!(again.count(), 0, "a finished call was made again");
}

#[test]
fn a_download_and_an_index_are_shown_and_stopped_in_the_interface() {
    let web = Web::start();
    let tiny = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/tests/tiny/encoder");
    web.hub("acme/tiny", &tiny);
    web.slow_down(700);
    let sandbox = Sandbox::indexed();
    sandbox.write(
        "indago.toml",
        format!("[network]\nmodels_url = \"{}\"\n", web.url()),
    );
    let models = format!("INDAGO_MODELS='{}'", sandbox.path("models").display());
    let Some(window) = Window::with(&sandbox, "work", (110, 30), &models, "tui") else {
        return;
    };
    window.until("3 documents");
    window.keys(&["Escape"]);
    std::thread::sleep(Duration::from_millis(500));
    // By its key, with progress, until it is stopped.
    window.keys(&["D"]);
    window.until("Download a model");
    window.keys(&["-l", "acme/tiny"]);
    window.keys(&["Enter"]);
    window.until("fetching model.safetensors");
    window.until("ctrl-x stops");
    window.keys(&["C-x"]);
    window.until("the download stopped");
    // Again from the palette: it goes on where it was, and is added.
    web.slow_down(0);
    window.keys(&[":"]);
    window.until("Commands");
    window.keys(&["-l", "download"]);
    window.keys(&["Enter"]);
    window.until("Download a model");
    window.keys(&["-l", "acme/tiny"]);
    window.keys(&["Enter"]);
    window.until("added `tiny`");
    assert!(web.went_on(), "the second attempt asked for the rest only");

    // An index of many documents, with vectors.
    for n in 0..600 {
        let words = format!("Passage {n} is about lamp {n} of the lighthouse. ").repeat(12);
        sandbox.write(&format!("many/{n}.md"), format!("# Lamp {n}\n\n{words}\n"));
    }
    window.keys(&["i"]);
    window.until("Index files or folders");
    window.keys(&["-l", "many"]);
    window.keys(&["Enter"]);
    window.until("making vectors");
    window.keys(&["C-x"]);
    window.until("indexing stopped; what was done is kept");
    window.until("vectors ");
    window.keys(&["q"]);
    window.until("code 0");
    window.assert_restored();
}
