//! What `ask` and `tui` take, and the limits of a run.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use indago_core::NodeId;

use super::{CorpusChoice, DeviceArgs, FilterArgs};

#[derive(Args, Debug)]
pub(in crate::cli) struct AskArgs {
    /// The question; `-` reads it from stdin
    #[arg(required_unless_present = "batch", value_name = "QUESTION")]
    pub(in crate::cli) question: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) corpus: CorpusChoice,
    /// How to print the report [default: markdown]
    #[arg(short, long, value_enum)]
    pub(in crate::cli) format: Option<Format>,
    /// Write the report here instead of stdout; a batch continues an existing file
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Questions as JSONL (`_id`, `text`); prints one JSON report a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["question", "format"])]
    pub(in crate::cli) batch: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) filters: FilterArgs,
    /// Most documents the report may stand on [default: 10]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) sources: Option<u32>,
    /// Most rounds of search for each sub-question [default: 3]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) rounds: Option<u32>,
    /// Most sub-questions [default: 12]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) nodes: Option<u32>,
    /// Longest chain of sub-questions that wait for each other [default: 5]
    #[arg(long, value_name = "N")]
    pub(in crate::cli) depth: Option<u32>,
    /// Stop searching after this many milliseconds and report what there is
    #[arg(long, value_name = "MS")]
    pub(in crate::cli) wall_ms: Option<u64>,
    /// Most language-model calls; a tenth of them is kept for the report
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) lm_calls: Option<u64>,
    /// Most language-model tokens, in and out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) lm_tokens: Option<u64>,
    /// Most money, in US dollars
    #[arg(long, value_name = "USD")]
    pub(in crate::cli) money: Option<f64>,
    /// Most pages to fetch
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) pages: Option<u64>,
    /// Answer with this language model, a `[models.NAME]` of indago.toml; `none` for the extractive
    /// reasoner [default: none]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) model: Option<String>,
    /// How the model searches [default: interleave]
    #[arg(long = "loop", value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(crate::loops()))]
    pub(in crate::cli) search_loop: Option<String>,
    /// Words that the model's report should have [default: 300]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(20..=20_000))]
    pub(in crate::cli) words: Option<u32>,
    /// Ask the model again what it was asked before, instead of using its kept answer
    #[arg(long)]
    pub(in crate::cli) no_cache: bool,
    /// How the question is divided [default: extractive; with a model: not, or as its loop does]
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(plan_policies()))]
    pub(in crate::cli) plan: Option<String>,
    /// Ask back when the question can be read in several ways, and wait this long for `indago runs
    /// clarify`; then go on with the likeliest reading (0 does so at once)
    #[arg(long, value_name = "SECONDS")]
    pub(in crate::cli) clarify: Option<u64>,
    /// Pause once the first plan is made, until `indago runs approve`
    #[arg(long, conflicts_with = "batch")]
    pub(in crate::cli) approve: bool,
    /// Retrieve ahead for sub-questions that still wait; changes the time only, not the report
    #[arg(long)]
    pub(in crate::cli) speculate: bool,
    #[command(flatten)]
    pub(in crate::cli) node: NodeLimitArgs,
    /// Print what the run is likely to spend and stop
    #[arg(long, conflicts_with_all = ["batch", "out"])]
    pub(in crate::cli) estimate: bool,
    #[command(flatten)]
    pub(in crate::cli) device: DeviceArgs,
    /// Name the run; what starts a run in another process watches it by this name
    #[arg(long, value_name = "ID", hide = true, conflicts_with = "batch")]
    pub(in crate::cli) run_id: Option<String>,
    /// Leave the run to a process in the background and print its id
    #[arg(long, conflicts_with_all = ["batch", "out", "format", "run_id"])]
    pub(in crate::cli) detach: bool,
    /// Be that process
    #[arg(long, hide = true, requires = "run_id")]
    pub(in crate::cli) host: bool,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// For reading in a terminal.
    Markdown,
    /// For programs; see docs/reference/report-json.md.
    Json,
    /// One self-contained page for a browser.
    Html,
}

/// How a question graph is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum GraphFormat {
    /// For Markdown that renders diagrams.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// A picture.
    Svg,
    /// Nodes and edges, with findings where the run has ended.
    Json,
}

/// Plan policies that need nothing but the question, and those of language models.
fn plan_policies() -> Vec<&'static str> {
    let mut names = indago_planner::policy::NAMES.to_vec();
    names.extend(indago_agents::operators::registry::PLAN_POLICIES);
    names
}

/// What work on one sub-question may spend, whatever is left of the run's budget.
#[derive(Args, Debug)]
#[command(next_help_heading = "Limits of each sub-question")]
pub(in crate::cli) struct NodeLimitArgs {
    /// Most retrieval queries
    #[arg(id = "node_queries", long = "node-queries", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) queries: Option<u64>,
    /// Most language-model calls
    #[arg(id = "node_lm_calls", long = "node-lm-calls", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) lm_calls: Option<u64>,
    /// Most language-model tokens, in and out
    #[arg(id = "node_lm_tokens", long = "node-lm-tokens", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) lm_tokens: Option<u64>,
    /// Most money, in US dollars
    #[arg(id = "node_money", long = "node-money", value_name = "USD")]
    pub(in crate::cli) money: Option<f64>,
    /// Most pages to fetch
    #[arg(id = "node_pages", long = "node-pages", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) pages: Option<u64>,
    /// Give it up after this many milliseconds [default: 600000]
    #[arg(id = "node_wall_ms", long = "node-wall-ms", value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(in crate::cli) wall_ms: Option<u64>,
}

/// Limits that replace those of a run.
#[derive(Args, Debug, Default)]
pub(in crate::cli) struct BudgetArgs {
    /// Most sub-questions
    #[arg(long, value_name = "N")]
    pub(in crate::cli) nodes: Option<u32>,
    /// Longest chain of sub-questions
    #[arg(long, value_name = "N")]
    pub(in crate::cli) depth: Option<u32>,
    /// Most rounds of search for each sub-question
    #[arg(long, value_name = "N")]
    pub(in crate::cli) rounds: Option<u32>,
    /// Most retrieval queries of the whole run
    #[arg(long, value_name = "N")]
    pub(in crate::cli) queries: Option<u32>,
    /// Most documents the report may stand on
    #[arg(long, value_name = "N")]
    pub(in crate::cli) sources: Option<u32>,
    /// Most milliseconds of the whole run; 0 is no limit, here and below
    #[arg(long, value_name = "MS")]
    pub(in crate::cli) wall_ms: Option<u64>,
    /// Most language-model calls of the whole run
    #[arg(long, value_name = "N")]
    pub(in crate::cli) lm_calls: Option<u64>,
    /// Most language-model tokens of the whole run
    #[arg(long, value_name = "N")]
    pub(in crate::cli) lm_tokens: Option<u64>,
    /// Most money of the whole run, in US dollars
    #[arg(long, value_name = "USD")]
    pub(in crate::cli) money: Option<f64>,
    /// Most pages fetched by the whole run
    #[arg(long, value_name = "N")]
    pub(in crate::cli) pages: Option<u64>,
}

/// A sub-question as reports name it: `q2`, or `2`.
pub(super) fn node(text: &str) -> Result<NodeId, String> {
    let number = text.strip_prefix('q').unwrap_or(text).parse();
    number
        .map(NodeId)
        .map_err(|_not_a_number| "expected a sub-question such as q2".to_owned())
}

#[derive(Args, Debug)]
pub(in crate::cli) struct TuiArgs {
    /// A question to ask, a run to open, or `last`
    #[arg(value_name = "QUESTION|RUN")]
    pub(in crate::cli) subject: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) corpus: CorpusChoice,
    /// Wait for the question's plan to be approved
    #[arg(long)]
    pub(in crate::cli) approve: bool,
    /// Colours [default: by the terminal's background]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) theme: Option<String>,
    /// Leave the mouse to the terminal
    #[arg(long)]
    pub(in crate::cli) no_mouse: bool,
    /// Print what happens as lines, and the report; no screen is drawn. With --json, events as JSON
    #[arg(long)]
    pub(in crate::cli) print: bool,
    /// List every key and what it does
    #[arg(long)]
    pub(in crate::cli) keys: bool,
}
