//! Time of a frame of the terminal interface: `cargo bench --bench frames`.
//!
//! The run screen with a plan of 1,000 questions: when nothing changes, when one changes its state
//! before every frame, and when one is added before every frame, so that the graph is laid out
//! anew. Beside it, in the same rounds: a plan of 24 questions that is drawn in layers, and as the
//! baseline the start screen, which has no graph. Last, the bytes that one change sends to the terminal.

use std::time::{Duration, Instant};

use indago::tui::{Charset, Stage, ThemeName};
use ratatui::backend::{Backend as _, CrosstermBackend};

const ROUNDS: usize = 300;

fn stage(nodes: u32) -> Stage {
    let mut stage = Stage::new(200, 60, ThemeName::Dark, Charset::default());
    if nodes > 0 {
        stage.crowd(nodes);
    }
    stage
}

/// A name, how many questions there are, and what changes between frames.
type Case = (&'static str, u32, fn(&mut Stage));

fn main() {
    let still: fn(&mut Stage) = |_stage| {};
    let cases: [Case; 5] = [
        ("start screen (baseline)", 0, still),
        ("24 questions in layers, changing", 24, Stage::stir),
        ("1,000 questions, nothing changes", 1_000, still),
        ("1,000 questions, changing", 1_000, Stage::stir),
        ("1,000 questions and more, growing", 1_000, Stage::grow),
    ];
    let mut stages: Vec<Stage> = cases.iter().map(|(_, nodes, _)| stage(*nodes)).collect();
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); cases.len()];
    // Interleaved, so that load from outside meets all alike.
    for round in 0..ROUNDS + 10 {
        for (i, (_, _, change)) in cases.iter().enumerate() {
            let since = Instant::now();
            change(&mut stages[i]);
            stages[i].draw();
            if round >= 10 {
                times[i].push(since.elapsed());
            }
        }
    }
    let median = |sorted: &[Duration]| sorted[sorted.len() / 2].as_secs_f64() * 1e3;
    for times in &mut times {
        times.sort_unstable();
    }
    let baseline = median(&times[0]);
    report("frame at 200x60, ms: median / p99 / worst (ratio to the baseline)");
    for ((name, ..), times) in cases.iter().zip(&times) {
        let at = |q: usize| times[(times.len() - 1) * q / 100].as_secs_f64() * 1e3;
        let ratio = median(times) / baseline;
        report(&format!(
            "{name:<36} {:>7.2} / {:>6.2} / {:>6.2}  ({ratio:.1})",
            median(times),
            at(99),
            at(100)
        ));
    }
    report(&format!(
        "bytes sent for one change: {}",
        bytes_of_a_change()
    ));
}

/// Bytes that are sent when one node of 24 changes its state: the median over changes.
fn bytes_of_a_change() -> usize {
    let mut stage = stage(24);
    let mut last = stage.draw().clone();
    let mut sizes: Vec<usize> = (0..101)
        .map(|_| {
            stage.stir();
            let next = stage.draw().clone();
            let mut bytes = Vec::new();
            let drawn = CrosstermBackend::new(&mut bytes).draw(last.diff(&next).into_iter());
            assert!(drawn.is_ok(), "memory takes bytes");
            last = next;
            bytes.len()
        })
        .collect();
    sizes.sort_unstable();
    sizes[sizes.len() / 2]
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn report(line: &str) {
    println!("{line}");
}
