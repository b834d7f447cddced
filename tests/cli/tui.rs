//! The terminal interface from outside: its twins without a screen, and the program in a real
//! terminal (tmux, where it is installed).

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Sandbox;

const QUESTION: &str = "Who designed the Skerry Lighthouse?";

#[test]
fn without_a_terminal_it_says_so_and_prints_lines() {
    let sandbox = Sandbox::indexed();
    let outcome = sandbox.run(&["tui", QUESTION]);
    assert!(matches!(outcome.code, Some(0 | 3)), "{outcome:?}");
    assert!(
        outcome.stderr.contains("this is not a terminal"),
        "{outcome:?}"
    );
    assert!(outcome.stdout.contains("round 1"), "{outcome:?}");
    assert!(
        outcome.stdout.contains(&format!("# {QUESTION}")),
        "{outcome:?}"
    );
    // The recorded run tells the same story again.
    let again = sandbox.run(&["tui", "last", "--print"]);
    assert_eq!(again.stdout, outcome.stdout);
}

#[test]
fn events_come_as_json_lines_and_the_report_last() {
    let sandbox = Sandbox::indexed();
    let outcome = sandbox.run(&["tui", QUESTION, "--json"]);
    let lines: Vec<Value> = outcome
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON line"))
        .collect();
    let (report, events) = lines.split_last().expect("lines");
    assert_eq!(report["report"]["question"], QUESTION);
    for (seq, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], seq);
    }
    assert_eq!(events[0]["event"]["event"], "started");
    assert_eq!(events.last().expect("events")["event"]["event"], "ended");
}

#[test]
fn what_is_not_there_is_named() {
    let sandbox = Sandbox::indexed();
    let outcome = sandbox.run(&["tui", "no-such-run", "--print"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("no-such-run"), "{outcome:?}");
    sandbox.write("indago.toml", "[tui.keys]\npawse = \"p\"\n");
    let outcome = sandbox.run(&["tui", "--keys"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(outcome.stderr.contains("`pawse`"), "{outcome:?}");
    sandbox.write(
        "indago.toml",
        "[tui.keys]\npause = \"s\"\n[tui]\ntheme = \"light\"\n",
    );
    let outcome = sandbox.run(&["tui", "--keys", "--json"]);
    let keys: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let pause = keys
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row[0] == "pause");
    assert_eq!(pause.expect("a row")[2], "s");
}

/// A window of a real terminal. Ends with everything in it when dropped.
pub(crate) struct Window {
    socket: String,
}

impl Window {
    /// Runs `line` in a window of a size, then says how it ended and in which mode it left the
    /// terminal. `None`, with a note, without tmux.
    pub(crate) fn open(
        sandbox: &Sandbox,
        name: &str,
        size: (u16, u16),
        line: &str,
    ) -> Option<Self> {
        Self::with(sandbox, name, size, "", line)
    }

    /// The same after `before`: statements, or variables of the environment as `NAME=value`.
    pub(crate) fn with(
        sandbox: &Sandbox,
        name: &str,
        size: (u16, u16),
        before: &str,
        line: &str,
    ) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            println!("skipped: tmux is not installed");
            return None;
        }
        let socket = format!("indago-test-{}-{name}", std::process::id());
        let program = env!("CARGO_BIN_EXE_indago");
        let line = format!(
            "unset NO_COLOR; {before} LC_ALL=C.UTF-8 '{program}' {line}; echo \"code $?\"; \
             stty -a | grep -oE -- '-?icanon'; sleep 120"
        );
        let (width, height) = (size.0.to_string(), size.1.to_string());
        let window = Self { socket };
        let made = window
            .tmux(&[
                "-f",
                "/dev/null",
                "new-session",
                "-d",
                "-x",
                &width,
                "-y",
                &height,
                &line,
            ])
            .current_dir(sandbox.path(""))
            .status();
        assert!(made.expect("tmux runs").success());
        Some(window)
    }

    fn tmux(&self, args: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.socket]).args(args);
        command
    }

    fn ask(&self, args: &[&str]) -> String {
        let output = self.tmux(args).output().expect("tmux runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub(crate) fn keys(&self, keys: &[&str]) {
        let mut line = vec!["send-keys"];
        line.extend(keys);
        self.ask(&line);
    }

    pub(crate) fn screen(&self) -> String {
        self.ask(&["capture-pane", "-p"])
    }

    /// Waits until the screen holds a text; a minute is far more than a loaded machine needs.
    pub(crate) fn until(&self, text: &str) {
        let since = Instant::now();
        while !self.screen().contains(text) {
            assert!(
                since.elapsed() < Duration::from_mins(1),
                "never `{text}`:\n{}",
                self.screen()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The terminal is as it was before: out of the alternate screen, lines are read again.
    pub(crate) fn assert_restored(&self) {
        self.until("icanon");
        assert!(!self.screen().contains("-icanon"), "{}", self.screen());
        assert_eq!(self.ask(&["display", "-p", "#{alternate_on}"]).trim(), "0");
    }

    /// Sends a signal to the program in the window.
    pub(crate) fn signal(&self, name: &str) {
        let shell = self.ask(&["display", "-p", "#{pane_pid}"]);
        let found = Command::new("pgrep")
            .args(["-P", shell.trim()])
            .output()
            .expect("pgrep");
        let pid = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        assert!(!pid.is_empty(), "no program in the window");
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &pid])
            .status();
        assert!(sent.expect("kill").success());
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ended = self.tmux(&["kill-server"]).output();
    }
}

#[test]
fn a_question_is_asked_watched_and_read_in_a_terminal() {
    let sandbox = Sandbox::indexed();
    let Some(window) = Window::open(&sandbox, "ask", (100, 30), "tui") else {
        return;
    };
    window.until("3 documents");
    window.keys(&["-l", QUESTION]);
    window.keys(&["Enter"]);
    window.until("finished");
    window.keys(&["3"]);
    window.until("Report ·");
    window.keys(&["]", "Enter"]);
    window.until("lighthouse.md");
    window.keys(&["q"]);
    window.until("open it again with: indago tui");
    window.until("code 0");
    window.assert_restored();
}

#[test]
fn a_folder_is_indexed_in_the_interface_first() {
    let sandbox = Sandbox::with_documents();
    let Some(window) = Window::open(&sandbox, "index", (100, 30), "tui --corpus ./docs") else {
        return;
    };
    window.until("3 documents, 3 passages, ready");
    window.keys(&["-l", QUESTION]);
    window.keys(&["Enter"]);
    window.until("finished");
}

#[test]
fn a_run_is_forked_from_the_interface() {
    let sandbox = Sandbox::indexed();
    let asked = sandbox.run(&["ask", QUESTION]);
    assert!(matches!(asked.code, Some(0 | 3)), "{asked:?}");
    let Some(window) = Window::open(&sandbox, "fork", (100, 30), "tui last") else {
        return;
    };
    window.until("finished");
    window.keys(&["F"]);
    window.until("Start another run");
    window.keys(&["y"]);
    // The fork is hosted, watched and ends like the run it came from.
    let since = Instant::now();
    let runs = loop {
        let listed = sandbox.run(&["runs", "list", "--json"]);
        let runs: Value = serde_json::from_str(&listed.stdout).expect("JSON");
        let ended = |run: &Value| run["state"] == "finished";
        if runs
            .as_array()
            .expect("runs")
            .iter()
            .filter(|run| ended(run))
            .count()
            == 2
        {
            break runs;
        }
        assert!(
            since.elapsed() < Duration::from_mins(1),
            "{runs}\n{}",
            window.screen()
        );
        std::thread::sleep(Duration::from_millis(200));
    };
    assert_ne!(runs[0]["id"], runs[1]["id"], "{runs}");
    assert_eq!(runs[0]["question"], runs[1]["question"], "{runs}");
    window.until("finished");
}

/// Whoever leads the session gets the signal that says so, and may ignore it.
#[test]
fn a_terminal_that_is_gone_without_a_signal_ends_the_interface() {
    let sandbox = Sandbox::indexed();
    let before = "trap '' HUP; echo $$ > leader;";
    let Some(window) = Window::with(&sandbox, "hangup", (80, 24), before, "tui") else {
        return;
    };
    window.until("type a question");
    let leader = std::fs::read_to_string(sandbox.path("leader")).expect("its number");
    let found = Command::new("pgrep").args(["-P", leader.trim()]).output();
    let pid = String::from_utf8_lossy(&found.expect("pgrep").stdout).into_owned();
    assert!(!pid.trim().is_empty(), "no program in the window");
    window.ask(&["kill-server"]);
    let since = Instant::now();
    let is_there = || {
        let asked = Command::new("kill").args(["-0", pid.trim()]).output();
        asked.expect("kill").status.success()
    };
    while is_there() {
        if since.elapsed() > Duration::from_mins(1) {
            let _killed = Command::new("kill").args(["-9", pid.trim()]).status();
            panic!("it goes on without a terminal");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_run_outlives_its_window_and_goes_on_from_another() {
    let sandbox = Sandbox::indexed();
    let Some(first) = Window::open(&sandbox, "first", (80, 24), "tui") else {
        return;
    };
    first.until("3 documents");
    first.keys(&["-l", QUESTION]);
    // Asked with approval: it waits.
    first.keys(&["C-o"]);
    first.until("paused");
    // The terminal goes away without a word.
    first.signal("HUP");
    first.until("code 130");
    first.assert_restored();
    drop(first);
    let runs = sandbox.run(&["runs", "list", "--json"]);
    let runs: Value = serde_json::from_str(&runs.stdout).expect("JSON");
    assert_eq!(runs[0]["state"], "running", "{runs}");
    let Some(second) = Window::open(&sandbox, "second", (80, 24), "tui last") else {
        return;
    };
    second.until("paused");
    second.keys(&["y"]);
    second.until("finished");
    let log = sandbox.run(&["runs", "show", "last", "--events"]);
    for steered in ["\"paused\"", "\"approve\""] {
        assert!(
            log.stdout.contains(steered),
            "{steered} is not recorded: {}",
            log.stdout
        );
    }
}

#[test]
fn signals_and_storms_leave_the_terminal_whole() {
    let sandbox = Sandbox::indexed();
    let Some(window) = Window::open(&sandbox, "storm", (80, 24), "tui") else {
        return;
    };
    window.until("3 documents");
    for (width, height) in [
        (10, 5),
        (200, 60),
        (1, 1),
        (33, 9),
        (80, 24),
        (10, 5),
        (120, 40),
    ] {
        window.ask(&[
            "resize-window",
            "-x",
            &width.to_string(),
            "-y",
            &height.to_string(),
        ]);
        window.keys(&["Escape", "?", "Escape", ":", "Escape", "4", "1"]);
    }
    window.until("Corpora");
    window.signal("TERM");
    window.until("code 130");
    window.assert_restored();
}

#[test]
fn a_dumb_terminal_gets_lines() {
    let sandbox = Sandbox::indexed();
    let line = format!(
        "--version >/dev/null; TERM=dumb '{}' tui '{QUESTION}'",
        env!("CARGO_BIN_EXE_indago")
    );
    let Some(window) = Window::open(&sandbox, "dumb", (100, 50), &line) else {
        return;
    };
    window.until("open it again with");
    window.until("code");
    let shown = window.ask(&["capture-pane", "-p", "-S", "-200"]);
    assert!(shown.contains("this terminal is dumb"), "{shown}");
}
