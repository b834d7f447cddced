//! The only place that writes to the terminal: data to stdout, conversation to stderr.
//!
//! A closed pipe on stdout ends a command quietly (`indago search … | head` is no failure).

use std::io::{self, IsTerminal, Write};

/// Where a command writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printer {
    /// Whether stderr is a terminal that may be redrawn.
    live: bool,
    /// Whether words may be coloured on stderr.
    colour: bool,
    /// Whether anything but errors goes to stderr.
    quiet: bool,
}

impl Printer {
    /// A printer for this process's streams.
    pub(super) fn new(colour: ColourChoice, quiet: bool, no_colour_set: bool) -> Self {
        let live = io::stderr().is_terminal();
        let colour = match colour {
            ColourChoice::Always => true,
            ColourChoice::Never => false,
            ColourChoice::Auto => live && !no_colour_set,
        };
        Self {
            live,
            colour,
            quiet,
        }
    }

    /// Whether progress may be drawn in place.
    pub(super) fn is_live(self) -> bool {
        self.live && !self.quiet
    }

    /// Writes `text` to stdout as it is.
    pub(super) fn data(self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    /// Writes one line of data to stdout.
    pub(super) fn line(self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// Writes a value to stdout as indented JSON.
    pub(super) fn json(self, value: &impl serde::Serialize) -> io::Result<()> {
        let text = serde_json::to_string_pretty(value).map_err(io::Error::other)?;
        self.line(&text)
    }

    /// Says something on stderr, unless quiet.
    pub(super) fn note(self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    /// Warns on stderr, unless quiet.
    pub(super) fn warn(self, text: &str) {
        if !self.quiet {
            say(&format!("{} {text}", self.paint("33", "warning:")));
        }
    }

    /// Reports a failure and what to do about it on stderr.
    pub(super) fn error(self, text: &str, hint: Option<&str>) {
        say(&format!("{} {text}", self.paint("31;1", "error:")));
        if let Some(hint) = hint {
            say(&format!("{} {hint}", self.paint("36", "hint:")));
        }
    }

    fn paint(self, code: &str, word: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{word}\x1b[0m")
        } else {
            word.to_owned()
        }
    }
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ColourChoice {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// One line to stderr. A closed stderr leaves nobody to tell, so the failure is dropped.
fn say(text: &str) {
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "{text}");
}
