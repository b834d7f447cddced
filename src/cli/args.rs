//! What was typed. What it means once files, environment and defaults are known is
//! [`settings`](crate::settings).

mod ask;
mod eval;
mod index;
mod models;
mod runs;
mod search;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use indago_kernels::DeviceChoice;

pub(super) use ask::{AskArgs, BudgetArgs, Format, GraphFormat, TuiArgs};
pub(super) use eval::{EvalArgs, EvalCommand, EvalData};
pub(super) use index::{CorpusArgs, CorpusCommand, IndexArgs, Whether};
pub(super) use models::{ModelsArgs, ModelsCommand};
pub(super) use runs::{RunsArgs, RunsCommand};
pub(super) use search::{FilterArgs, SearchArgs};

use super::printer::ColourChoice;

/// Ask a hard question of your own documents: local search, every sentence cited.
///
/// indago indexes folders and answers questions from them with quotes. It runs offline; the
/// embedded reasoner selects and orders what the documents say and invents nothing.
#[derive(Debug, Parser)]
#[command(
    name = "indago",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 not in this corpus, 4 partial, \
                        5 busy, 130 cancelled. Documents never leave this machine."
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    #[command(flatten)]
    pub(super) global: Global,
}

/// Options of every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Folder whose `.indago/` holds corpora and runs [default: the nearest one upwards, else here]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) project: Option<PathBuf>,
    /// Threads for indexing and encoding [default: all cores]
    #[arg(long, global = true, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// Print data as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Say nothing on stderr but errors
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// When to colour
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    pub(super) color: ColourChoice,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read files and folders into a corpus
    Index(IndexArgs),
    /// Show passages for a query, with the reason why each was found
    Search(SearchArgs),
    /// Answer a question with a cited report
    Ask(Box<AskArgs>),
    /// Ask, watch and steer runs, read reports and look into corpora in the terminal
    Tui(TuiArgs),
    /// List, show, watch, steer and move runs
    Runs(RunsArgs),
    /// List, describe and remove corpora
    Corpus(CorpusArgs),
    /// Measure retrieval and answers on data with known answers
    Eval(EvalArgs),
    /// List, check and make the models that indago carries
    Models(ModelsArgs),
    /// Show settings and where each comes from
    Config(ConfigArgs),
    /// Check this installation, its models and its corpora
    Doctor(DoctorArgs),
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man {
        /// Write one page per command into this folder instead
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// Which corpus.
#[derive(Args, Debug)]
pub(super) struct CorpusChoice {
    /// Name of the corpus; for `ask` and `search` also a folder, which is indexed first
    /// [default: `default`]
    #[arg(short, long, value_name = "NAME")]
    pub(super) corpus: Option<String>,
}

/// Where vectors are made and searched.
#[derive(Args, Debug, Default)]
pub(super) struct DeviceArgs {
    /// Where vectors are made and searched: `auto`, `cpu`, or `cuda:N`, which is used or an error
    /// [default: auto]
    #[arg(long, value_name = "DEVICE")]
    pub(super) device: Option<DeviceChoice>,
}

#[derive(Args, Debug)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    pub(super) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print each setting, its value and where it comes from
    Show,
}

#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    /// Write a support file without names, paths or texts of documents
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "indago-support.json")]
    pub(super) bundle: Option<PathBuf>,
}
