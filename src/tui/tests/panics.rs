//! A panic in a real terminal (tmux, where it is installed).

use std::process::Command;
use std::time::{Duration, Instant};

use super::super::terminal::{Guard, take_panics};

#[test]
#[ignore = "takes the terminal and panics; the test below runs it in a terminal of its own"]
fn takes_the_terminal_and_panics() {
    let _guard = Guard::take(true).unwrap();
    // Another thread's panic is kept from the screen.
    let other = std::thread::spawn(|| panic!("kept for later"));
    assert!(other.join().is_err());
    assert_eq!(take_panics().len(), 1);
    panic!("planned");
}

#[test]
fn a_panic_gives_the_terminal_back_and_is_shown_on_it() {
    if Command::new("tmux").arg("-V").output().is_err() {
        println!("skipped: tmux is not installed");
        return;
    }
    let socket = format!("indago-panic-{}", std::process::id());
    let tmux = |args: &[&str]| {
        let output = Command::new("tmux")
            .args(["-L", &socket])
            .args(args)
            .output();
        String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
    };
    let program = std::env::current_exe().unwrap();
    let line = format!(
        "'{}' --ignored --exact --nocapture tui::tests::panics::takes_the_terminal_and_panics; \
         stty -a | grep -oE -- '-?icanon'; sleep 120",
        program.display()
    );
    tmux(&[
        "-f",
        "/dev/null",
        "new-session",
        "-d",
        "-x",
        "100",
        "-y",
        "40",
        &line,
    ]);
    let since = Instant::now();
    let screen = loop {
        let screen = tmux(&["capture-pane", "-p"]);
        if screen.contains("icanon") || since.elapsed() > Duration::from_mins(1) {
            break screen;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    let alternate = tmux(&["display", "-p", "#{alternate_on}#{mouse_any_flag}"]);
    tmux(&["kill-server"]);
    // Lines are read again, the alternate screen and the mouse are given up, the panic can be read.
    assert!(
        screen.contains("icanon") && !screen.contains("-icanon"),
        "{screen}"
    );
    assert_eq!(alternate.trim(), "00");
    assert!(screen.contains("planned"), "{screen}");
    assert!(!screen.contains("kept for later"), "{screen}");
}
