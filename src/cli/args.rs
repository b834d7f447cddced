//! What was typed. What it means once files, environment and defaults are known is
//! [`settings`](crate::settings).

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use indago_core::{Date, NodeId};
use indago_kernels::DeviceChoice;
use indago_text::LanguageChoice;

use super::printer::ColourChoice;
use crate::eval::Half;

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

/// Restrictions on which documents count.
#[derive(Args, Debug, Default)]
pub(super) struct FilterArgs {
    /// Only documents whose path matches this glob; may be given more than once
    #[arg(long = "path", value_name = "GLOB")]
    pub(super) paths: Vec<String>,
    /// Only documents dated on or after this day (YYYY, YYYY-MM or YYYY-MM-DD)
    #[arg(long, value_name = "DATE")]
    pub(super) after: Option<Date>,
    /// Only documents dated on or before this day
    #[arg(long, value_name = "DATE")]
    pub(super) before: Option<Date>,
    /// Only documents with this metadata; may be given more than once
    #[arg(long = "where", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(super) metadata: Vec<(String, String)>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// A share between 0 and 0.9, as parts of 1000.
fn share(text: &str) -> Result<u32, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=0.9).contains(&share) => Ok((share * 1000.0).round() as u32),
        _ => Err("expected a share from 0 to 0.9".to_owned()),
    }
}

#[derive(Args, Debug)]
pub(super) struct IndexArgs {
    /// Files and folders to add; none updates what the corpus is made from
    #[arg(value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) corpus: CorpusChoice,
    /// Stop after the lexical index; vectors can follow with --vectors-only
    #[arg(long, conflicts_with = "vectors_only")]
    pub(super) no_vectors: bool,
    /// Read nothing; encode the passages that still lack vectors
    #[arg(long, conflicts_with = "paths")]
    pub(super) vectors_only: bool,
    /// Encode passages with this: minilm, static, a model that was added, a folder with published
    /// weights, or any of these with fewer dimensions, such as minilm:128; search with
    /// `--retriever dense@NAME`, `fused@NAME` or `graph@NAME`
    #[arg(
        long,
        value_name = "NAME",
        default_value = "minilm",
        conflicts_with = "no_vectors"
    )]
    pub(super) encoder: String,
    /// Also link near vectors for approximate search (`--retriever ann`); kept up to date from then on
    #[arg(long, conflicts_with = "no_vectors")]
    pub(super) approximate: bool,
    /// Also store a vector for each token, for late interaction (`--retriever plaid`, `maxsim`,
    /// `muvera` or `xtr`), or with `--encoder minilm:sentences` for each sentence
    /// (`--retriever plaid@minilm:sentences`); kept up to date from then on
    #[arg(long, conflicts_with = "no_vectors")]
    pub(super) tokens: bool,
    /// Leave this share of the passages, those that say least whatever is asked, without vectors,
    /// as in 0.25; words still find them. Kept from then on; 0 gives vectors to all again
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(super) prune: Option<u32>,
    /// Have a configured language model read names and facts off every passage for the graph of
    /// `--retriever ppr`; passages that come later are read when this is given again. `rules` goes
    /// back to names found by rules
    #[arg(long, value_name = "MODEL", conflicts_with = "vectors_only")]
    pub(super) graph_extractor: Option<String>,
    /// Make at most this many calls for --graph-extractor, two a passage; the next time goes on
    #[arg(long, value_name = "N", requires = "graph_extractor")]
    pub(super) graph_calls: Option<u64>,
    /// Language of the documents, as in de, or auto for what each states or shows; kept from then on
    /// and changed by reading every file again [default: auto]
    #[arg(long, value_name = "CODE", conflicts_with = "vectors_only")]
    pub(super) language: Option<LanguageChoice>,
    /// Also make a sparse index: by BM25's weights, or by an added sparse encoder; search with
    /// `--retriever sparse` or `sparse@NAME`
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "bm25")]
    pub(super) sparse: Option<String>,
    /// Also index where any piece of text stands, parts of words too (`--retriever exact` and quotes
    /// then read no documents); some 4 bytes a byte of text, kept up to date from then on. `off` does
    /// away with it
    #[arg(long, value_name = "WHETHER", num_args = 0..=1, default_missing_value = "on", conflicts_with = "vectors_only")]
    pub(super) substrings: Option<Whether>,
    /// Also store the graph of passages and the phrases they hold (`--retriever ppr` then opens it
    /// instead of making it in memory); kept up to date from then on. `off` does away with it
    #[arg(long, value_name = "WHETHER", num_args = 0..=1, default_missing_value = "on", conflicts_with = "vectors_only")]
    pub(super) phrase_graph: Option<Whether>,
    /// Read every file again and build the index from nothing
    #[arg(long)]
    pub(super) rebuild: bool,
    /// End with exit code 4 when a file could not be read
    #[arg(long)]
    pub(super) strict: bool,
    /// Show every unreadable file, not only the first 20
    #[arg(long)]
    pub(super) list_all: bool,
    #[command(flatten)]
    pub(super) device: DeviceArgs,
}

/// Whether an optional index is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Whether {
    /// Make it and keep it up to date
    On,
    /// Do away with it
    Off,
}

#[derive(Args, Debug)]
pub(super) struct SearchArgs {
    /// What to look for
    #[arg(required_unless_present = "batch", value_name = "QUERY")]
    pub(super) query: Option<String>,
    #[command(flatten)]
    pub(super) corpus: CorpusChoice,
    /// How many hits [default: 10]
    #[arg(short, long)]
    pub(super) k: Option<usize>,
    /// Which retriever: graph, fused, rrf, bm25, dense, exact, ppr, sparse, ann, maxsim, maxsim-all,
    /// plaid, muvera or xtr; after an @ with which encoder's vectors, such as
    /// dense@minilm:128 [default: graph]
    #[arg(short, long, value_name = "NAME")]
    pub(super) retriever: Option<String>,
    /// Which reranker puts the first hits in order: an added model, a folder, a configured one; a
    /// configured language model with how it is asked, such as writer:listwise (or :pairwise,
    /// :pointwise)
    #[arg(long, value_name = "NAME")]
    pub(super) rerank: Option<String>,
    #[command(flatten)]
    pub(super) filters: FilterArgs,
    /// Queries as JSONL (`_id`, `text`); prints a TREC run file
    #[arg(long, value_name = "FILE", conflicts_with = "query")]
    pub(super) batch: Option<PathBuf>,
    /// Write the TREC run file here instead of stdout
    #[arg(short, long, value_name = "FILE", requires = "batch")]
    pub(super) out: Option<PathBuf>,
    /// Print whole passages
    #[arg(long)]
    pub(super) full: bool,
    #[command(flatten)]
    pub(super) device: DeviceArgs,
}

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For reading in a terminal.
    Markdown,
    /// For programs; see docs/reference/report-json.md.
    Json,
    /// One self-contained page for a browser.
    Html,
}

/// Plan policies that need nothing but the question, and those of language models.
fn plan_policies() -> Vec<&'static str> {
    let mut names = indago_planner::policy::NAMES.to_vec();
    names.extend(indago_agents::operators::registry::PLAN_POLICIES);
    names
}

/// How a question graph is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum GraphFormat {
    /// For Markdown that renders diagrams.
    Mermaid,
    /// For Graphviz.
    Dot,
    /// A picture.
    Svg,
    /// Nodes and edges, with findings where the run has ended.
    Json,
}

#[derive(Args, Debug)]
pub(super) struct AskArgs {
    /// The question; `-` reads it from stdin
    #[arg(required_unless_present = "batch", value_name = "QUESTION")]
    pub(super) question: Option<String>,
    #[command(flatten)]
    pub(super) corpus: CorpusChoice,
    /// How to print the report [default: markdown]
    #[arg(short, long, value_enum)]
    pub(super) format: Option<Format>,
    /// Write the report here instead of stdout; a batch continues an existing file
    #[arg(short, long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Questions as JSONL (`_id`, `text`); prints one JSON report a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["question", "format"])]
    pub(super) batch: Option<PathBuf>,
    #[command(flatten)]
    pub(super) filters: FilterArgs,
    /// Most documents the report may stand on [default: 10]
    #[arg(long, value_name = "N")]
    pub(super) sources: Option<u32>,
    /// Most rounds of search for each sub-question [default: 3]
    #[arg(long, value_name = "N")]
    pub(super) rounds: Option<u32>,
    /// Most sub-questions [default: 12]
    #[arg(long, value_name = "N")]
    pub(super) nodes: Option<u32>,
    /// Longest chain of sub-questions that wait for each other [default: 5]
    #[arg(long, value_name = "N")]
    pub(super) depth: Option<u32>,
    /// Stop searching after this many milliseconds and report what there is
    #[arg(long, value_name = "MS")]
    pub(super) wall_ms: Option<u64>,
    /// Most language-model calls; a tenth of them is kept for the report
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) lm_calls: Option<u64>,
    /// Most language-model tokens, in and out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) lm_tokens: Option<u64>,
    /// Most money, in US dollars
    #[arg(long, value_name = "USD")]
    pub(super) money: Option<f64>,
    /// Most pages to fetch
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) pages: Option<u64>,
    /// Answer with this language model, a `[models.NAME]` of indago.toml; `none` for the extractive
    /// reasoner [default: none]
    #[arg(long, value_name = "NAME")]
    pub(super) model: Option<String>,
    /// How the model searches [default: interleave]
    #[arg(long = "loop", value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(crate::loops()))]
    pub(super) search_loop: Option<String>,
    /// Words that the model's report should have [default: 300]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(20..=20_000))]
    pub(super) words: Option<u32>,
    /// Ask the model again what it was asked before, instead of using its kept answer
    #[arg(long)]
    pub(super) no_cache: bool,
    /// How the question is divided [default: extractive; with a model: not, or as its loop does]
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(plan_policies()))]
    pub(super) plan: Option<String>,
    /// Ask back when the question can be read in several ways, and wait this long for `indago runs
    /// clarify`; then go on with the likeliest reading (0 does so at once)
    #[arg(long, value_name = "SECONDS")]
    pub(super) clarify: Option<u64>,
    /// Pause once the first plan is made, until `indago runs approve`
    #[arg(long, conflicts_with = "batch")]
    pub(super) approve: bool,
    /// Retrieve ahead for sub-questions that still wait; changes the time only, not the report
    #[arg(long)]
    pub(super) speculate: bool,
    #[command(flatten)]
    pub(super) node: NodeLimitArgs,
    /// Print what the run is likely to spend and stop
    #[arg(long, conflicts_with_all = ["batch", "out"])]
    pub(super) estimate: bool,
    #[command(flatten)]
    pub(super) device: DeviceArgs,
    /// Name the run; what starts a run in another process watches it by this name
    #[arg(long, value_name = "ID", hide = true, conflicts_with = "batch")]
    pub(super) run_id: Option<String>,
    /// Leave the run to a process in the background and print its id
    #[arg(long, conflicts_with_all = ["batch", "out", "format", "run_id"])]
    pub(super) detach: bool,
    /// Be that process
    #[arg(long, hide = true, requires = "run_id")]
    pub(super) host: bool,
}

/// What work on one sub-question may spend, whatever is left of the run's budget.
#[derive(Args, Debug)]
#[command(next_help_heading = "Limits of each sub-question")]
pub(super) struct NodeLimitArgs {
    /// Most retrieval queries
    #[arg(id = "node_queries", long = "node-queries", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) queries: Option<u64>,
    /// Most language-model calls
    #[arg(id = "node_lm_calls", long = "node-lm-calls", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) lm_calls: Option<u64>,
    /// Most language-model tokens, in and out
    #[arg(id = "node_lm_tokens", long = "node-lm-tokens", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) lm_tokens: Option<u64>,
    /// Most money, in US dollars
    #[arg(id = "node_money", long = "node-money", value_name = "USD")]
    pub(super) money: Option<f64>,
    /// Most pages to fetch
    #[arg(id = "node_pages", long = "node-pages", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) pages: Option<u64>,
    /// Give it up after this many milliseconds [default: 600000]
    #[arg(id = "node_wall_ms", long = "node-wall-ms", value_name = "MS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) wall_ms: Option<u64>,
}

#[derive(Args, Debug)]
pub(super) struct TuiArgs {
    /// A question to ask, a run to open, or `last`
    #[arg(value_name = "QUESTION|RUN")]
    pub(super) subject: Option<String>,
    #[command(flatten)]
    pub(super) corpus: CorpusChoice,
    /// Wait for the question's plan to be approved
    #[arg(long)]
    pub(super) approve: bool,
    /// Colours [default: by the terminal's background]
    #[arg(long, value_name = "NAME")]
    pub(super) theme: Option<String>,
    /// Leave the mouse to the terminal
    #[arg(long)]
    pub(super) no_mouse: bool,
    /// Print what happens as lines, and the report; no screen is drawn. With --json, events as JSON
    #[arg(long)]
    pub(super) print: bool,
    /// List every key and what it does
    #[arg(long)]
    pub(super) keys: bool,
}

#[derive(Args, Debug)]
pub(super) struct RunsArgs {
    #[command(subcommand)]
    pub(super) command: RunsCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum RunsCommand {
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

/// Limits that replace those of a run.
#[derive(Args, Debug, Default)]
pub(super) struct BudgetArgs {
    /// Most sub-questions
    #[arg(long, value_name = "N")]
    pub(super) nodes: Option<u32>,
    /// Longest chain of sub-questions
    #[arg(long, value_name = "N")]
    pub(super) depth: Option<u32>,
    /// Most rounds of search for each sub-question
    #[arg(long, value_name = "N")]
    pub(super) rounds: Option<u32>,
    /// Most retrieval queries of the whole run
    #[arg(long, value_name = "N")]
    pub(super) queries: Option<u32>,
    /// Most documents the report may stand on
    #[arg(long, value_name = "N")]
    pub(super) sources: Option<u32>,
    /// Most milliseconds of the whole run; 0 is no limit, here and below
    #[arg(long, value_name = "MS")]
    pub(super) wall_ms: Option<u64>,
    /// Most language-model calls of the whole run
    #[arg(long, value_name = "N")]
    pub(super) lm_calls: Option<u64>,
    /// Most language-model tokens of the whole run
    #[arg(long, value_name = "N")]
    pub(super) lm_tokens: Option<u64>,
    /// Most money of the whole run, in US dollars
    #[arg(long, value_name = "USD")]
    pub(super) money: Option<f64>,
    /// Most pages fetched by the whole run
    #[arg(long, value_name = "N")]
    pub(super) pages: Option<u64>,
}

/// A sub-question as reports name it: `q2`, or `2`.
fn node(text: &str) -> Result<NodeId, String> {
    let number = text.strip_prefix('q').unwrap_or(text).parse();
    number
        .map(NodeId)
        .map_err(|_not_a_number| "expected a sub-question such as q2".to_owned())
}

#[derive(Args, Debug)]
pub(super) struct CorpusArgs {
    #[command(subcommand)]
    pub(super) command: CorpusCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum CorpusCommand {
    /// List corpora
    List,
    /// Describe a corpus
    Stats {
        #[command(flatten)]
        corpus: CorpusChoice,
    },
    /// Remove a corpus and its indexes; the documents themselves stay
    Rm {
        /// Its name
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Args, Debug)]
pub(super) struct EvalArgs {
    #[command(subcommand)]
    pub(super) command: EvalCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum EvalCommand {
    /// Score retrievers: Recall, AllR, nDCG, MRR, MAP, with intervals
    Retrieval(EvalData),
    /// Score answers: all gold passages quoted, EM, F1, abstention
    Ask {
        #[command(flatten)]
        data: EvalData,
        /// Also ask with the gold documents removed, where it should abstain
        #[arg(long)]
        without_gold: bool,
    },
}

/// Data in BEIR's layout: `corpus.jsonl[.gz]`, `queries.jsonl`, `qrels.tsv`.
#[derive(Args, Debug)]
pub(super) struct EvalData {
    /// A data set, or a folder of data sets
    #[arg(long, value_name = "DIR")]
    pub(super) data: PathBuf,
    /// Only these data sets of the folder; may be given more than once
    #[arg(long = "set", value_name = "NAME")]
    pub(super) sets: Vec<String>,
    /// Which half of the questions, split by the hash of `_id`
    #[arg(long, value_enum, default_value_t = Half::Report)]
    pub(super) half: Half,
    /// Score only the first N questions of the half
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
    /// Which retrievers to score, each with `@` and an encoder where it is not the embedded one:
    /// `dense@static`, `dense@FOLDER` with published weights [default: bm25, dense,
    /// fused, graph]
    #[arg(long = "retriever", value_name = "NAME")]
    pub(super) retrievers: Vec<String>,
    /// Compare with this retriever (a paired randomisation test on nDCG@10)
    #[arg(long, value_name = "NAME", default_value = "bm25")]
    pub(super) baseline: String,
    /// Write the rankings here as TREC run files, and the judgements
    #[arg(long, value_name = "DIR")]
    pub(super) runs: Option<PathBuf>,
    /// Without titles
    #[arg(long)]
    pub(super) no_titles: bool,
    /// Keep the indexes here between runs [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    pub(super) work: Option<PathBuf>,
    /// Write one JSON line per question here
    #[arg(long, value_name = "FILE")]
    pub(super) per_question: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct ModelsArgs {
    #[command(subcommand)]
    pub(super) command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List the models this build carries, those that were added and those behind servers
    List,
    /// Add published weights from a folder: a BERT-type encoder, cross-encoder or sparse encoder
    Add {
        /// Folder with config.json, tokenizer.json (or vocab.txt) and model.safetensors
        path: PathBuf,
        /// Name to know it by [default: the folder's]
        #[arg(long)]
        name: Option<String>,
        /// What the model wants before queries, such as `query: `
        #[arg(long, value_name = "TEXT")]
        query_prefix: Option<String>,
        /// What the model wants before passages, such as `passage: `
        #[arg(long, value_name = "TEXT")]
        passage_prefix: Option<String>,
    },
    /// Fetch published weights and add them; going on where an earlier attempt ended
    Pull {
        /// `owner/name` or `owner/name@revision` of the hub, or the address of a folder
        #[arg(value_name = "MODEL", required = true)]
        models: Vec<String>,
        /// Address of the hub [default: `models_url` of [network], or https://huggingface.co]
        #[arg(long, value_name = "URL")]
        from: Option<String>,
        /// Name to know it by [default: its own]
        #[arg(long)]
        name: Option<String>,
        /// What the model wants before queries, such as `query: `
        #[arg(long, value_name = "TEXT")]
        query_prefix: Option<String>,
        /// What the model wants before passages, such as `passage: `
        #[arg(long, value_name = "TEXT")]
        passage_prefix: Option<String>,
    },
    /// Remove a model that was added
    Rm {
        /// Its name
        name: String,
    },
    /// Ask configured models a small question and say what their servers can do
    Test {
        /// Name of the model; all of them when left out
        name: Option<String>,
    },
    /// Check the bytes of every carried and added model against their checksums
    Verify,
    /// Make the int8 encoder file from the published weights
    Quantize {
        /// Folder with model.safetensors, tokenizer.json and config.json
        folder: PathBuf,
        /// File to write
        #[arg(short, long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Distil the static encoder from the published weights
    Distill {
        /// Folder with model.safetensors, tokenizer.json and config.json
        folder: PathBuf,
        /// File to write
        #[arg(short, long, value_name = "FILE")]
        out: PathBuf,
    },
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
