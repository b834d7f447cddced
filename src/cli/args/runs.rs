//! What `runs` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use indago_core::NodeId;

use super::ask::node;
use super::{BudgetArgs, Format, GraphFormat};

#[derive(Args, Debug)]
pub(in crate::cli) struct RunsArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: RunsCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RunsCommand {
    /// List runs, newest first
    List {
        /// At most this many
        #[arg(short, default_value_t = 20)]
        n: usize,
    },
    /// Show a run: its state, its events, its report
    Show {
        /// The run's id, or `last`
        run: String,
        /// Print the events too
        #[arg(long)]
        events: bool,
        /// How to print the report
        #[arg(short, long, value_enum)]
        format: Option<Format>,
    },
    /// Go on with a run that was paused, or whose process is gone; finished steps are not repeated
    Resume {
        /// The run's id, or `last`
        run: String,
        /// How to print the report
        #[arg(short, long, value_enum, default_value = "markdown")]
        format: Format,
        /// Be a process in the background
        #[arg(long, hide = true)]
        host: bool,
    },
    /// Run a finished run again from its record alone and check that it gives the same report
    Replay {
        /// The run's id, or `last`
        run: String,
        /// How to print the report
        #[arg(short, long, value_enum, default_value = "markdown")]
        format: Format,
    },
    /// Draw a run's question graph, as it ended or as it stood at one of its events
    Graph {
        /// The run's id, or `last`
        run: String,
        /// In which form
        #[arg(short, long, value_enum, default_value = "mermaid")]
        format: GraphFormat,
        /// Number of the last event to take into account [default: the newest]
        #[arg(long, value_name = "N")]
        at: Option<u64>,
        /// Write here instead of stdout
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Watch a run's events as they happen; Ctrl-C stops watching and the run goes on
    Attach {
        /// The run's id, or `last`
        run: String,
        /// Number of the first event to show
        #[arg(long, default_value_t = 0, value_name = "N")]
        from: u64,
    },
    /// Move a run to a process in the background, so that its terminal can be closed
    Detach {
        /// The run's id, or `last`
        run: String,
    },
    /// Start nothing more until `resume`; what runs goes on
    Pause {
        /// The run's id, or `last`
        run: String,
    },
    /// End a run without a report
    Cancel {
        /// The run's id, or `last`
        run: String,
    },
    /// Write the report from what there is
    Finish {
        /// The run's id, or `last`
        run: String,
    },
    /// Consent to the plan of a run that waits for it
    Approve {
        /// The run's id, or `last`
        run: String,
    },
    /// Say how the question is meant, where a run asks
    Clarify {
        /// The run's id, or `last`
        run: String,
        /// The reading
        reading: String,
    },
    /// Add a sub-question to a running plan
    Add {
        /// The run's id, or `last`
        run: String,
        /// The question
        question: String,
        /// Sub-questions whose findings it needs, such as `q2`; may be given more than once
        #[arg(long, value_name = "NODE", value_parser = node)]
        after: Vec<NodeId>,
    },
    /// Reword a sub-question that has not run yet
    Edit {
        /// The run's id, or `last`
        run: String,
        /// Which, such as `q2`
        #[arg(value_parser = node)]
        node: NodeId,
        /// Its new words
        text: String,
    },
    /// Take a sub-question out of a running plan
    Prune {
        /// The run's id, or `last`
        run: String,
        /// Which, such as `q2`
        #[arg(value_parser = node)]
        node: NodeId,
    },
    /// Send an answered sub-question back to work
    Reopen {
        /// The run's id, or `last`
        run: String,
        /// Which, such as `q2`
        #[arg(value_parser = node)]
        node: NodeId,
    },
    /// Change what a run may spend from now on
    Budget {
        /// The run's id, or `last`
        run: String,
        #[command(flatten)]
        change: BudgetArgs,
    },
    /// Use nothing more from a document, and look again for what stands on it
    Distrust {
        /// The run's id, or `last`
        run: String,
        /// The document's id, as the report shows it
        document: String,
        /// Why
        #[arg(long, default_value = "marked by hand")]
        reason: String,
    },
    /// Ask a further question: of a run under way, or in a fork of a finished one
    FollowUp {
        /// The run's id, or `last`
        run: String,
        /// The question
        question: String,
        /// How to print the report
        #[arg(short, long, value_enum, default_value = "markdown")]
        format: Format,
    },
    /// Take a recorded run another way from one of its events on
    Fork {
        /// The run's id, or `last`
        run: String,
        /// Last event that both runs share [default: the latest that can change the plan]
        #[arg(long, value_name = "N")]
        at: Option<u64>,
        /// Add this sub-question; may be given more than once
        #[arg(long, value_name = "QUESTION")]
        add: Vec<String>,
        /// Take this sub-question out; may be given more than once
        #[arg(long, value_name = "NODE", value_parser = node)]
        prune: Vec<NodeId>,
        #[command(flatten)]
        change: BudgetArgs,
        /// Make the fork and print its id; `runs resume` lets it run
        #[arg(long)]
        no_run: bool,
        /// How to print the report
        #[arg(short, long, value_enum, default_value = "markdown")]
        format: Format,
    },
    /// Write everything recorded of a run into one file
    Export {
        /// The run's id, or `last`
        run: String,
        /// Write here instead of stdout
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Take a run out of a file that `export` wrote
    Import {
        /// The file; `-` is stdin
        file: PathBuf,
    },
    /// Keep a run whatever its age
    Keep {
        /// The run's id, or `last`
        run: String,
        /// No longer
        #[arg(long)]
        undo: bool,
    },
    /// Forget old runs and what only they stored
    #[command(group(clap::ArgGroup::new("which").required(true).multiple(true)))]
    Vacuum {
        /// Keep the newest N runs
        #[arg(long, value_name = "N", group = "which")]
        newest: Option<usize>,
        /// Keep runs younger than this many days
        #[arg(long, value_name = "DAYS", group = "which")]
        days: Option<u64>,
        /// Only say which runs would be forgotten
        #[arg(long)]
        dry_run: bool,
    },
}
