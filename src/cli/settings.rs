//! What was meant: `indago.toml` < environment < flags, each value with where it came from.
//!
//! Every key is declared once, in [`Settings::resolve`]; an unknown key in the file is refused by
//! name, because a misspelt setting that is silently ignored is worse than an error.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use indago_kernels::DeviceChoice;
use indago_models::remote::ModelConfig;
use indago_text::LanguageChoice;
use serde::Serialize;

use super::args::{AskArgs, Cli, Command, Format};
use crate::env;
use crate::remote::NetworkConfig;

mod sources;

use sources::Sources;

/// The project's settings file.
pub(super) const FILE_NAME: &str = "indago.toml";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub(super) enum Origin {
    /// Nobody said anything.
    Default,
    /// The project's `indago.toml`.
    File(PathBuf),
    /// An environment variable.
    Environment(&'static str),
    /// The command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "{name}"),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Setting<T> {
    /// The value.
    pub(super) value: T,
    /// Where it came from.
    pub(super) origin: Origin,
}

/// A setting as `config show` prints it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Shown {
    /// Its key in `indago.toml`.
    pub(super) key: &'static str,
    /// Its value as text.
    pub(super) value: String,
    /// Where the value came from.
    pub(super) origin: Origin,
}

/// The settings file or the environment cannot be understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigError {
    /// The file is not TOML.
    #[error("`{}` is not valid TOML: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        reason: String,
    },
    /// The file has a key that means nothing.
    #[error("`{}` has an unknown key `{key}`", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// The known key that looks most like it.
        nearest: &'static str,
    },
    /// A value cannot be read as what the key wants.
    #[error("`{key}` from {origin}: `{value}` is not {wanted}")]
    BadValue {
        /// The key.
        key: &'static str,
        /// Where the value came from.
        origin: Origin,
        /// The value.
        value: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A table of the file cannot be used.
    #[error("`{}`: [{table}]: {reason}", path.display())]
    BadTable {
        /// The file.
        path: PathBuf,
        /// The table.
        table: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is there and cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
}

impl ConfigError {
    /// What to do about it.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::UnknownKey { nearest, .. } => format!("did you mean `{nearest}`?"),
            Self::Syntax { .. } | Self::BadValue { .. } | Self::BadTable { .. } => {
                "docs/reference/configuration.md lists every key".to_owned()
            }
            Self::Unreadable { .. } => "check the file's permissions".to_owned(),
        }
    }
}

/// Everything that can be configured, resolved.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Folder that holds `.indago/`.
    pub(super) project: Setting<PathBuf>,
    /// Name of the corpus.
    pub(super) corpus: Setting<String>,
    /// Models behind servers, by name.
    pub(super) models: BTreeMap<String, ModelConfig>,
    /// How the network is used.
    pub(super) network: NetworkConfig,
    /// Threads for indexing and encoding.
    pub(super) threads: Setting<usize>,
    /// Where vectors are made and searched.
    pub(super) device: Setting<DeviceChoice>,
    /// Whether `index` encodes passages.
    pub(super) index_vectors: Setting<bool>,
    /// Language of the documents; a default is not asked for.
    pub(super) index_language: Setting<LanguageChoice>,
    /// Hits that `search` shows.
    pub(super) search_k: Setting<usize>,
    /// Retriever that `search` asks.
    pub(super) search_retriever: Setting<String>,
    /// Reranker of `search`; empty for none.
    pub(super) rerank_model: Setting<String>,
    /// Hits that it sees.
    pub(super) rerank_depth: Setting<usize>,
    /// How `ask` prints.
    pub(super) ask_format: Setting<Format>,
    /// Most documents of a report.
    pub(super) ask_sources: Setting<u32>,
    /// Most rounds of a sub-question.
    pub(super) ask_rounds: Setting<u32>,
    /// Most sub-questions.
    pub(super) ask_nodes: Setting<u32>,
    /// Longest chain of sub-questions.
    pub(super) ask_depth: Setting<u32>,
    /// Most queries of a run.
    pub(super) ask_queries: Setting<u32>,
    /// Model that answers; empty for the extractive reasoner.
    pub(super) ask_model: Setting<String>,
    /// How it searches.
    pub(super) ask_loop: Setting<String>,
    /// Wall time of a run in milliseconds, 0 for no limit.
    pub(super) ask_wall_ms: Setting<u64>,
    /// Theme of the terminal interface.
    pub(super) tui_theme: Setting<String>,
    /// Whether it takes the mouse.
    pub(super) tui_mouse: Setting<bool>,
    /// Its keys that differ from the default, by the name of the action.
    pub(super) tui_keys: Vec<(String, String)>,
}

/// Keys of `indago.toml`, in the order of the reference page.
pub(super) const KEYS: &[(&str, &str)] = &[
    ("corpus", "name of the corpus that commands use"),
    ("threads", "threads for indexing and encoding"),
    (
        "device",
        "where vectors are made and searched: `auto`, `cpu` or `cuda:N`",
    ),
    ("index.vectors", "whether `index` encodes passages"),
    (
        "index.language",
        "language of the documents that `index` reads: `auto` or a code such as `de`",
    ),
    ("search.k", "how many hits `search` shows"),
    (
        "search.retriever",
        "which retriever `search` asks: `graph`, `fused`, `bm25`, `dense` or `exact`",
    ),
    (
        "rerank.model",
        "which reranker puts the hits of `search` in order; empty for none",
    ),
    ("rerank.depth", "how many hits the reranker sees"),
    (
        "ask.format",
        "how `ask` prints its report: `markdown`, `json` or `html`",
    ),
    ("ask.sources", "most documents a report may stand on"),
    ("ask.rounds", "most rounds of search for each sub-question"),
    ("ask.nodes", "most sub-questions"),
    ("ask.depth", "longest chain of sub-questions"),
    ("ask.queries", "most retrieval queries of a run"),
    (
        "ask.wall_ms",
        "milliseconds after which `ask` reports what there is; 0 is no limit",
    ),
    (
        "ask.model",
        "name of the configured model that answers; `none` for the extractive reasoner",
    ),
    (
        "ask.loop",
        "how a model searches, such as `interleave`, `auto_rag`, `mind_search` or `tool_calls`",
    ),
    (
        "tui.theme",
        "theme of the terminal interface: `auto`, `dark`, `light` or `mono`",
    ),
    (
        "tui.mouse",
        "whether the terminal interface takes the mouse",
    ),
];

/// What `index.language` may be; a test holds it to the languages there are.
const LANGUAGES: &str = "one of `auto`, `ar`, `ca`, `cs`, `da`, `de`, `el`, `en`, `eo`, `es`, `et`, \
    `eu`, `fa`, `fi`, `fr`, `ga`, `hi`, `hu`, `hy`, `id`, `it`, `ja`, `ko`, `lt`, `ne`, `nl`, `no`, \
    `pl`, `pt`, `ro`, `ru`, `sr`, `sv`, `ta`, `th`, `tr`, `yi`, `zh`, `und`";

/// What keys of the terminal interface begin with; their names are its actions'.
const KEY_BINDINGS: &str = "tui.keys.";

impl Settings {
    /// Resolves settings for a command line in the folder `here`.
    pub(super) fn resolve(cli: &Cli, here: &Path) -> Result<Self, ConfigError> {
        let project = find_project(cli, here);
        let sources = Sources::read(&project.value.join(FILE_NAME))?;
        let (corpus, k, retriever, ask) = flags(&cli.command);
        let ask_flag = |pick: fn(&AskArgs) -> Option<u32>| ask.and_then(pick);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let model = ask.and_then(|a| a.model.clone());
        let tui = match &cli.command {
            Command::Tui(args) => Some(args),
            _ => None,
        };
        let rerank = match &cli.command {
            Command::Search(args) => args.rerank.clone(),
            _ => None,
        };
        let language = match &cli.command {
            Command::Index(args) => args.language,
            _ => None,
        };
        let no_vectors = matches!(&cli.command, Command::Index(a) if a.no_vectors);
        let whole = "a whole number of at least 1";
        Ok(Self {
            corpus: sources.pick(
                "corpus",
                env::CORPUS,
                ("--corpus", corpus),
                "default".into(),
                "a name of letters, digits, `-`, `_` and `.`",
            )?,
            threads: sources.at_least_one(
                "threads",
                env::THREADS,
                ("--threads", cli.global.threads),
                cores,
                whole,
            )?,
            device: sources.pick(
                "device",
                env::DEVICE,
                ("--device", device(&cli.command)),
                DeviceChoice::Auto,
                "`auto`, `cpu`, or `cuda:N` with N from 0",
            )?,
            index_vectors: sources.pick(
                "index.vectors",
                env::INDEX_VECTORS,
                ("--no-vectors", no_vectors.then_some(false)),
                true,
                "`true` or `false`",
            )?,
            index_language: sources.pick(
                "index.language",
                env::INDEX_LANGUAGE,
                ("--language", language),
                LanguageChoice::Auto,
                LANGUAGES,
            )?,
            search_k: sources.at_least_one("search.k", env::SEARCH_K, ("--k", k), 10, whole)?,
            search_retriever: sources.pick(
                "search.retriever",
                env::SEARCH_RETRIEVER,
                ("--retriever", retriever),
                crate::wire::DEFAULT_RETRIEVER.into(),
                "a retriever's name",
            )?,
            rerank_model: sources.pick(
                "rerank.model",
                env::RERANK_MODEL,
                ("--rerank", rerank),
                String::new(),
                "a reranker's name",
            )?,
            rerank_depth: sources.at_least_one(
                "rerank.depth",
                env::RERANK_DEPTH,
                ("--rerank-depth", None),
                50,
                whole,
            )?,
            ask_format: sources.pick(
                "ask.format",
                env::ASK_FORMAT,
                ("--format", ask.and_then(|a| a.format)),
                Format::Markdown,
                "`markdown`, `json` or `html`",
            )?,
            ask_sources: sources.at_least_one(
                "ask.sources",
                env::ASK_SOURCES,
                ("--sources", ask_flag(|a| a.sources)),
                10,
                whole,
            )?,
            ask_rounds: sources.at_least_one(
                "ask.rounds",
                env::ASK_ROUNDS,
                ("--rounds", ask_flag(|a| a.rounds)),
                3,
                whole,
            )?,
            ask_nodes: sources.at_least_one(
                "ask.nodes",
                env::ASK_NODES,
                ("--nodes", ask_flag(|a| a.nodes)),
                12,
                whole,
            )?,
            ask_depth: sources.at_least_one(
                "ask.depth",
                env::ASK_DEPTH,
                ("--depth", ask_flag(|a| a.depth)),
                4,
                whole,
            )?,
            ask_queries: sources.at_least_one(
                "ask.queries",
                env::ASK_QUERIES,
                ("--queries", None),
                200,
                whole,
            )?,
            ask_wall_ms: sources.pick(
                "ask.wall_ms",
                env::ASK_WALL_MS,
                ("--wall-ms", ask.and_then(|a| a.wall_ms)),
                0,
                "a whole number of milliseconds",
            )?,
            ask_model: sources.pick(
                "ask.model",
                env::ASK_MODEL,
                ("--model", model),
                "none".into(),
                "a model's name",
            )?,
            ask_loop: sources.pick(
                "ask.loop",
                env::ASK_LOOP,
                ("--loop", ask.and_then(|a| a.search_loop.clone())),
                crate::DEFAULT_LOOP.into(),
                "a loop's name",
            )?,
            tui_theme: sources.pick(
                "tui.theme",
                env::TUI_THEME,
                ("--theme", tui.and_then(|a| a.theme.clone())),
                "auto".into(),
                "`auto`, `dark`, `light` or `mono`",
            )?,
            tui_mouse: sources.pick(
                "tui.mouse",
                env::TUI_MOUSE,
                ("--no-mouse", tui.filter(|a| a.no_mouse).map(|_| false)),
                true,
                "`true` or `false`",
            )?,
            tui_keys: sources.key_bindings(),
            models: sources.models,
            network: sources.network,
            project,
        })
    }

    /// The language that documents are said to be in; `None` where nothing is said.
    pub(super) fn language(&self) -> Option<LanguageChoice> {
        let said = self.index_language.origin != Origin::Default;
        said.then_some(self.index_language.value)
    }

    /// All settings as `config show` prints them.
    pub(super) fn show(&self) -> Vec<Shown> {
        fn row<T: ToString>(key: &'static str, setting: &Setting<T>) -> Shown {
            Shown {
                key,
                value: setting.value.to_string(),
                origin: setting.origin.clone(),
            }
        }
        vec![
            Shown {
                key: "project",
                value: self.project.value.display().to_string(),
                origin: self.project.origin.clone(),
            },
            row("corpus", &self.corpus),
            row("threads", &self.threads),
            row("device", &self.device),
            row("index.vectors", &self.index_vectors),
            row("index.language", &self.index_language),
            row("search.k", &self.search_k),
            row("search.retriever", &self.search_retriever),
            row("rerank.model", &self.rerank_model),
            row("rerank.depth", &self.rerank_depth),
            row("ask.format", &self.ask_format),
            row("ask.sources", &self.ask_sources),
            row("ask.rounds", &self.ask_rounds),
            row("ask.nodes", &self.ask_nodes),
            row("ask.depth", &self.ask_depth),
            row("ask.queries", &self.ask_queries),
            row("ask.wall_ms", &self.ask_wall_ms),
            row("ask.model", &self.ask_model),
            row("ask.loop", &self.ask_loop),
            row("tui.theme", &self.tui_theme),
            row("tui.mouse", &self.tui_mouse),
        ]
    }
}

/// Flags that stand for settings: corpus, k, retriever, and everything of `ask`.
type Flags<'a> = (
    Option<String>,
    Option<usize>,
    Option<String>,
    Option<&'a AskArgs>,
);

fn flags(command: &Command) -> Flags<'_> {
    match command {
        Command::Index(a) => (a.corpus.corpus.clone(), None, None, None),
        Command::Search(a) => (a.corpus.corpus.clone(), a.k, a.retriever.clone(), None),
        Command::Ask(a) => (a.corpus.corpus.clone(), None, None, Some(a.as_ref())),
        Command::Tui(a) => (a.corpus.corpus.clone(), None, None, None),
        Command::Corpus(a) => match &a.command {
            super::args::CorpusCommand::Stats { corpus } => {
                (corpus.corpus.clone(), None, None, None)
            }
            super::args::CorpusCommand::List | super::args::CorpusCommand::Rm { .. } => {
                (None, None, None, None)
            }
        },
        Command::Runs(_)
        | Command::Eval(_)
        | Command::Models(_)
        | Command::Config(_)
        | Command::Doctor(_)
        | Command::Completions { .. }
        | Command::Man { .. } => (None, None, None, None),
    }
}

/// The device typed, where the command takes one.
fn device(command: &Command) -> Option<DeviceChoice> {
    match command {
        Command::Index(a) => a.device.device,
        Command::Search(a) => a.device.device,
        Command::Ask(a) => a.device.device,
        _ => None,
    }
}

/// The folder given, or the nearest one upwards that is a project, or `here`.
fn find_project(cli: &Cli, here: &Path) -> Setting<PathBuf> {
    if let Some(folder) = &cli.global.project {
        return Setting {
            value: here.join(folder),
            origin: Origin::Flag("--project"),
        };
    }
    if let Some(folder) = env::read(env::PROJECT) {
        let origin = Origin::Environment(env::PROJECT.name);
        return Setting {
            value: here.join(folder),
            origin,
        };
    }
    let is_project =
        |folder: &&Path| folder.join(".indago").is_dir() || folder.join(FILE_NAME).is_file();
    let value = here
        .ancestors()
        .find(is_project)
        .unwrap_or(here)
        .to_path_buf();
    Setting {
        value,
        origin: Origin::Default,
    }
}

#[cfg(test)]
mod tests;
