//! The command line: what was typed becomes calls into the library, outcomes become exit codes.
//!
//! stdout carries data and nothing else; progress, warnings and errors go to stderr.

mod args;
mod ask;
mod background;
mod batch;
mod config;
mod corpus;
mod device;
mod doctor;
mod draw;
mod eval;
mod exit;
mod folder;
mod index;
mod interrupt;
mod language;
mod models;
mod models_pull;
mod models_test;
mod optional;
mod pages;
mod printer;
mod progress;
mod reasoner;
mod runs;
mod search;
mod settings;
mod steer;
mod table;
mod tui;

use std::ffi::OsString;
use std::io;

use clap::Parser;

use args::{Cli, Command, ConfigCommand};
pub use exit::Exit;
use printer::Printer;
use settings::{ConfigError, Settings};

use crate::{Error, Project};

/// Runs one command line, program name first, and says how it ended.
pub fn run(line: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(line) {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version are asked for; everything else is a mistake.
            let exit = if usage.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            };
            return if usage.print().is_err() {
                Exit::Failed
            } else {
                exit
            };
        }
    };
    let no_colour = crate::env::read(crate::env::NO_COLOR).is_some();
    let printer = Printer::new(cli.global.color, cli.global.quiet, no_colour);
    start_log();
    match execute(&cli, printer) {
        Ok(exit) => exit,
        Err(error) if is_broken_pipe(&error) => Exit::Done,
        Err(error) => {
            let (exit, hint) = judge(&error);
            printer.error(&format!("{error:#}"), hint.as_deref());
            exit
        }
    }
}

fn execute(cli: &Cli, printer: Printer) -> anyhow::Result<Exit> {
    match &cli.command {
        Command::Completions { shell } => return pages::completions(*shell, printer),
        Command::Man { out } => return pages::man(out.as_deref(), printer),
        _ => {}
    }
    let here = std::env::current_dir()?;
    let settings = Settings::resolve(cli, &here)?;
    let json = cli.global.json;
    match &cli.command {
        Command::Config(args) => match args.command {
            ConfigCommand::Show => config::show(&settings, json, printer),
        },
        Command::Index(args) => index::run(args, &settings, json, printer, &interrupt::cancel()),
        Command::Search(args) => search::run(args, &settings, json, printer, &interrupt::cancel()),
        Command::Corpus(args) => corpus::run(args, &settings, json, printer),
        Command::Ask(args) => ask::run(args, &settings, json, printer, &interrupt::cancel()),
        Command::Tui(args) => tui::run(args, &settings, json, printer),
        Command::Runs(args) => runs::run(args, &settings, json, printer),
        Command::Eval(args) => eval::run(args, &settings, json, printer, &interrupt::cancel()),
        Command::Models(args) => models::run(args, &settings, json, printer, &interrupt::cancel()),
        Command::Doctor(args) => doctor::run(args, &settings, json, printer),
        // Answered before any setting was read.
        Command::Completions { .. } | Command::Man { .. } => Ok(Exit::Done),
    }
}

/// The project that the settings name.
fn project(settings: &Settings) -> Project {
    Project::at(settings.project.value.clone())
}

/// Exit code and hint of an error, by its type.
fn judge(error: &anyhow::Error) -> (Exit, Option<String>) {
    if let Some(config) = error.downcast_ref::<ConfigError>() {
        return (Exit::Usage, Some(config.hint()));
    }
    if error.is::<crate::tui::BadKeys>() {
        let hint = "docs/reference/configuration.md says how keys are configured".to_owned();
        return (Exit::Usage, Some(hint));
    }
    if let Some(error) = error.downcast_ref::<Error>() {
        let exit = if error.is_cancelled() {
            Exit::Cancelled
        } else if error.is_busy() {
            Exit::Busy
        } else if error.is_usage() {
            Exit::Usage
        } else {
            Exit::Failed
        };
        return (exit, error.hint());
    }
    (Exit::Failed, None)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Logs go to stderr when `INDAGO_LOG` asks for them; questions and documents appear in none of
/// them at the default level, which is silence.
fn start_log() {
    let Some(filter) = crate::env::read(crate::env::LOG) else {
        return;
    };
    let filter = tracing_subscriber::EnvFilter::new(filter);
    // A second start in one process (tests of the library) keeps the first log.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .try_init();
}
