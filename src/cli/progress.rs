//! Progress on stderr: bars on a terminal, a plain line now and then in a pipe.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::printer::Printer;

/// How often a pipe is told where things stand.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// One thing that is under way.
pub(super) struct Meter {
    printer: Printer,
    bar: Option<ProgressBar>,
    verb: &'static str,
    unit: Unit,
    total: u64,
    done: u64,
    told: Instant,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Bytes, printed in MB.
    Bytes,
    /// Things, by their plural.
    Things(&'static str),
}

impl Meter {
    /// Begins to show that `total` units are being worked on.
    pub(super) fn start(printer: Printer, verb: &'static str, unit: Unit, total: u64) -> Self {
        let bar = printer.is_live().then(|| {
            let bar = ProgressBar::new(total);
            let counts = match unit {
                Unit::Bytes => "{bytes}/{total_bytes} {bytes_per_sec}".to_owned(),
                Unit::Things(name) => format!("{{pos}}/{{len}} {name} {{per_sec}}"),
            };
            let template = format!("{verb:>9} [{{bar:32}}] {counts} {{eta}}");
            if let Ok(style) = ProgressStyle::with_template(&template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        Self {
            printer,
            bar,
            verb,
            unit,
            total,
            done: 0,
            told: Instant::now(),
        }
    }

    /// Says that `done` units in all are done.
    pub(super) fn set(&mut self, done: u64) {
        self.done = done;
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if self.told.elapsed() >= LINE_EVERY {
            self.told = Instant::now();
            self.printer.note(&self.line());
        }
    }

    /// Says that `more` units are done.
    pub(super) fn add(&mut self, more: u64) {
        self.set(self.done + more);
    }

    fn line(&self) -> String {
        let (verb, done, total) = (self.verb, self.done, self.total);
        match self.unit {
            Unit::Bytes => format!("{verb} {} of {}", megabytes(done), megabytes(total)),
            Unit::Things(name) => format!("{verb} {done} of {total} {name}"),
        }
    }
}

impl Drop for Meter {
    /// A bar vanishes when its work ends, so that what is printed next starts on a clean line.
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Bytes in MB with one decimal; powers of 1000.
pub(super) fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
