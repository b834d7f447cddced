//! The interface on a terminal of our own: every byte that it sends, on lines that are slow, poor or
//! hostile.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::support::Sandbox;

/// Bytes that a slow line carries at once.
const AT_ONCE: usize = 4096;
/// Bytes that are on their way when nobody reads: what the system keeps for a pipe and a terminal.
const ON_THE_WAY: usize = (64 << 10) + 2 * AT_ONCE;

/// A terminal, made by `script`, with the program in it.
struct Line {
    child: Child,
    keys: ChildStdin,
    pid_file: std::path::PathBuf,
    sent: Arc<Mutex<Vec<u8>>>,
    delay_ms: Arc<AtomicU64>,
    size: (u16, u16),
}

impl Line {
    /// Runs the program on a terminal of a size (columns, rows), then tells its exit code and in which
    /// mode it left the terminal. `None`, with a note, without `script`.
    fn open(
        sandbox: &Sandbox,
        (columns, rows): (u16, u16),
        env: &[(&str, &str)],
        args: &[&str],
    ) -> Option<Self> {
        if Command::new("script").arg("--version").output().is_err() {
            println!("skipped: script (util-linux) is not installed");
            return None;
        }
        let pid_file = sandbox.path("pid");
        let program = env!("CARGO_BIN_EXE_indago");
        let line = format!(
            "stty cols {columns} rows {rows}; trap '' HUP; \
             sh -c 'trap - HUP; echo $$ > pid; exec \"{program}\" {}'; \
             echo \"code $?\"; stty -a | grep -oE -- '-?(icanon|echo|isig) '; echo over",
            args.join(" ")
        );
        let command = sandbox.command(&[]);
        let mut shell = Command::new("script");
        shell.args(["-qfc", &line, "/dev/null"]);
        shell.current_dir(command.get_current_dir().expect("a folder"));
        for variable in indago::env::ALL {
            shell.env_remove(variable.name);
        }
        shell
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .env("LC_ALL", "C.UTF-8");
        shell
            .env("HOME", sandbox.path(""))
            .envs(env.iter().copied());
        shell
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = shell.spawn().expect("script runs");
        let keys = child.stdin.take().expect("keys");
        let mut reader = child.stdout.take().expect("a screen");
        let (sent, delay_ms) = (
            Arc::<Mutex<Vec<u8>>>::default(),
            Arc::<AtomicU64>::default(),
        );
        let (all, delay) = (Arc::clone(&sent), Arc::clone(&delay_ms));
        std::thread::spawn(move || {
            let mut buffer = [0; AT_ONCE];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                all.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend(&buffer[..n]);
                std::thread::sleep(Duration::from_millis(delay.load(Ordering::Relaxed)));
            }
        });
        Some(Self {
            child,
            keys,
            pid_file,
            sent,
            delay_ms,
            size: (columns, rows),
        })
    }

    fn bytes(&self) -> Vec<u8> {
        self.sent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn send(&mut self, bytes: &[u8]) {
        self.keys.write_all(bytes).expect("a terminal takes keys");
        self.keys.flush().expect("a terminal takes keys");
    }

    /// Waits until the screen holds a text.
    fn until(&self, text: &str) {
        let since = Instant::now();
        loop {
            let screen = screen(&self.bytes(), self.size);
            if screen.contains(text) {
                return;
            }
            assert!(
                since.elapsed() < Duration::from_mins(1),
                "never `{text}`:\n{screen}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until nothing has come for a while.
    fn until_quiet(&self) {
        let mut before = usize::MAX;
        while before != self.bytes().len() {
            before = self.bytes().len();
            std::thread::sleep(Duration::from_secs(2));
        }
    }

    fn signal(&self, name: &str) {
        let pid = std::fs::read_to_string(&self.pid_file).expect("a process");
        let sent = Command::new("kill")
            .args([&format!("-{name}"), pid.trim()])
            .status();
        assert!(sent.expect("kill").success());
    }

    /// Leaves, whatever is open. One key at a time: what is sent behind the last one reaches the shell.
    fn leave(&mut self) {
        for _ in 0..20 {
            for key in [&b"\x1b"[..], b"q"] {
                self.send(key);
                std::thread::sleep(Duration::from_millis(700));
                if String::from_utf8_lossy(&self.bytes()).contains("code ") {
                    return;
                }
            }
        }
    }

    /// Waits for the end, whose code is given, with the terminal as a shell expects it: lines are read
    /// and shown again, and the last thing said about screen, cursor and pastes undoes what was said.
    fn ends_with(&self, code: u8) -> String {
        let since = Instant::now();
        let text = loop {
            let text = String::from_utf8_lossy(&self.bytes()).into_owned();
            if text.contains("over\r\n") {
                break text;
            }
            assert!(
                since.elapsed() < Duration::from_mins(1),
                "it does not end: {text}"
            );
            std::thread::sleep(Duration::from_millis(20));
        };
        let (drawn, said) = text.rsplit_once("code ").expect("an exit code");
        assert!(said.starts_with(&format!("{code}\r\n")), "{said}");
        for mode in ["icanon", "echo", "isig"] {
            assert!(
                said.contains(mode) && !said.contains(&format!("-{mode}")),
                "{said}"
            );
        }
        for (on, off) in [("?1049h", "?1049l"), ("?25l", "?25h"), ("?2004h", "?2004l")] {
            let (on, off) = (drawn.rfind(on), drawn.rfind(off));
            assert!(off.is_some() && on < off, "{on:?} {off:?}");
        }
        drawn.to_owned()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// What a terminal shows after these bytes: moves of the cursor, clearing, text.
fn screen(bytes: &[u8], (columns, rows): (u16, u16)) -> String {
    let text = String::from_utf8_lossy(bytes);
    let (columns, rows) = (usize::from(columns), usize::from(rows));
    let mut cells = vec![vec![' '; columns]; rows];
    let (mut x, mut y) = (0, 0);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => {
                let mut sequence = String::new();
                for c in rest.by_ref() {
                    sequence.push(c);
                    if c.is_ascii_alphabetic() {
                        break;
                    }
                }
                if let Some(place) = sequence.strip_prefix('[').and_then(|s| s.strip_suffix('H')) {
                    let mut numbers = place.split(';').map(|n| n.parse().unwrap_or(1));
                    (y, x) = (
                        numbers.next().unwrap_or(1) - 1,
                        numbers.next().unwrap_or(1) - 1,
                    );
                } else if sequence.ends_with('J') || sequence == "[?1049h" {
                    cells = vec![vec![' '; columns]; rows];
                }
            }
            '\r' => x = 0,
            '\n' => y += 1,
            c => {
                if let Some(cell) = cells.get_mut(y).and_then(|row| row.get_mut(x)) {
                    *cell = c;
                }
                x += 1;
            }
        }
    }
    let lines = cells
        .into_iter()
        .map(|row| row.into_iter().collect::<String>());
    lines
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

#[test]
fn a_slow_line_gets_the_newest_frame_and_no_queue_of_old_ones() {
    let sandbox = Sandbox::indexed();
    let Some(mut line) = Line::open(&sandbox, (120, 40), &[], &["tui"]) else {
        return;
    };
    line.until("3 documents");
    line.until_quiet();
    let first = line.bytes().len();
    // What a key costs on its own: the overlay that it opens.
    line.send(b"\x1bOP");
    line.until("Keys");
    line.until_quiet();
    let alone = line.bytes().len() - first;
    line.send(b"\x1b");
    line.until_quiet();
    let one = (line.bytes().len() - first) / 2;

    // A round trip of 300 ms, 4 kB in each; somebody leans on the keys.
    line.delay_ms.store(300, Ordering::Relaxed);
    let before = line.bytes().len();
    let presses = 400;
    for n in 0..presses / 2 {
        line.send(b"\x1bOP");
        // Escape alone has to be told from the beginning of a sequence: F1 opens, a letter closes.
        line.send(b"x");
        if n % 20 == 0 {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let at_last_key = line.bytes().len();
    line.send(b"the end");
    line.until("the end");
    line.until_quiet();
    let (all, after) = (
        line.bytes().len() - before,
        line.bytes().len() - at_last_key,
    );
    println!(
        "slow line: first frame {first} bytes, one overlay {alone}; {presses} keys sent {all} bytes, \
         {} if each were drawn; {after} after the last key",
        presses * one
    );
    assert!(
        all * 5 < presses * one,
        "{all} bytes for {presses} keys of {one}"
    );
    // Nothing but what is on its way and the newest frame.
    assert!(
        after < 3 * first.max(one) + ON_THE_WAY,
        "{after} bytes after the last key"
    );
    line.send(b"\x03");
    line.ends_with(0);
}

#[test]
fn a_change_sends_little() {
    let sandbox = Sandbox::indexed();
    let Some(mut line) = Line::open(&sandbox, (200, 60), &[], &["tui"]) else {
        return;
    };
    line.until("3 documents");
    line.until_quiet();
    let before = line.bytes().len();
    line.send(b"w");
    line.until("> w");
    line.until_quiet();
    let typed = line.bytes().len() - before;
    assert!(
        typed < 400,
        "{typed} bytes for a letter of {before} for the screen"
    );
    // Nothing is sent while nothing happens.
    let before = line.bytes().len();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(line.bytes().len(), before);
}

#[test]
fn a_pasted_megabyte_is_cut_and_said_to_be() {
    let sandbox = Sandbox::indexed();
    let Some(mut line) = Line::open(&sandbox, (100, 30), &[], &["tui"]) else {
        return;
    };
    line.until("3 documents");
    line.send(b"\x1b[200~");
    line.send("words \x07 and \u{202e}tricks\n".repeat(48_000).as_bytes());
    line.send(b"\x1b[201~");
    line.until("the paste is longer than the field");
    line.send(b"\x03");
    let drawn = line.ends_with(0);
    assert!(!drawn.contains('\x07'), "no bell");
}

#[test]
fn without_colour_and_unicode_only_ascii_and_no_colours_are_sent() {
    let sandbox = Sandbox::indexed();
    let env = [("LC_ALL", "C"), ("NO_COLOR", "1")];
    let Some(mut line) = Line::open(&sandbox, (100, 30), &env, &["tui"]) else {
        return;
    };
    line.until("3 documents");
    line.send(b"\x1b[15~");
    line.until("Documents (");
    line.send(b"\x03");
    let text = line.ends_with(0);
    assert!(
        text.is_ascii(),
        "{:?}",
        text.chars().find(|c| !c.is_ascii())
    );
    for style in text.split("\x1b[").filter_map(|s| s.split_once('m')) {
        let is_style = style.0.bytes().all(|b| b.is_ascii_digit() || b == b';');
        let numbers = style.0.split(';').filter(|_| is_style);
        for n in numbers.filter_map(|n| n.parse::<u32>().ok()) {
            // 39 and 49 are the terminal's own colours; 0 to 29 are no colours.
            assert!(n < 30 || n == 39 || n == 49, "{style:?}");
        }
    }
}

#[test]
fn a_window_of_ten_by_five_says_so_and_ends() {
    let sandbox = Sandbox::indexed();
    let Some(mut line) = Line::open(&sandbox, (10, 5), &[], &["tui"]) else {
        return;
    };
    line.until("too small");
    line.send(b"\x1bq");
    line.send(b"\x03");
    line.ends_with(0);
}

#[test]
fn signals_give_the_terminal_back() {
    let sandbox = Sandbox::indexed();
    for name in ["TERM", "HUP"] {
        let Some(line) = Line::open(&sandbox, (80, 24), &[], &["tui"]) else {
            return;
        };
        line.until("3 documents");
        line.signal(name);
        line.ends_with(130);
    }
}

#[test]
fn a_hostile_document_reaches_no_terminal() {
    let sandbox = Sandbox::new();
    let tricks = "\x1b]0;owned\x07 \x1b[2J\x1b[31m red \u{9b}1m \u{202e}sdrawkcab\u{202c} \u{200b}\u{200d}\u{feff} \
        \x1b]52;c;b3duZWQ=\x07 \x1bP+q\x1b\\ שלום עולם \u{2066}x\u{2069} a\u{300}\u{301}\u{302}\u{303}";
    sandbox.write(
        "docs/bad.md",
        format!("# Harbour {tricks}\n\nThe harbour {tricks} is deep.\n"),
    );
    let indexed = sandbox.run(&["index", "docs", "--no-vectors"]);
    assert_eq!(indexed.code, Some(0), "{indexed:?}");
    let Some(mut line) = Line::open(&sandbox, (120, 40), &[], &["tui"]) else {
        return;
    };
    line.until("1 documents");
    line.send(b"How deep is the harbour?\r");
    line.until("finished");
    for keys in [&b"3"[..], b"]\r", b"4", b"\r", b"\r", b"\r"] {
        line.send(keys);
        line.until_quiet();
    }
    line.until("Harbour");
    line.leave();
    let text = line.ends_with(0);
    for trick in [
        "\x1b]", "\x1bP", "\x07", "\u{9b}", "\u{202e}", "\u{2066}", "\u{200b}", "\u{feff}",
    ] {
        assert!(!text.contains(trick), "{trick:?} was sent");
    }
    assert!(text.contains("שלום"), "text of other scripts is shown");
}
