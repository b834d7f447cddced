//! Every environment variable that indago reads. Nothing else in the workspace reads any.

/// A variable: its name and what it sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Name in the environment.
    pub name: &'static str,
    /// What it sets, in one line.
    pub doc: &'static str,
}

macro_rules! variables {
    ($($(#[doc = $doc:literal])+ $constant:ident = $name:literal;)+) => {
        $(
            $(#[doc = $doc])+
            pub const $constant: Variable =
                Variable { name: $name, doc: concat!($($doc),+) };
        )+

        /// All of them, in the order of the reference page.
        pub const ALL: &[Variable] = &[$($constant),+];
    };
}

variables! {
    /// Folder whose `.indago/` holds corpora and runs.
    PROJECT = "INDAGO_PROJECT";
    /// Name of the corpus that commands use.
    CORPUS = "INDAGO_CORPUS";
    /// Threads for indexing and encoding.
    THREADS = "INDAGO_THREADS";
    /// Where vectors are made and searched: `auto`, `cpu` or `cuda:N`.
    DEVICE = "INDAGO_DEVICE";
    /// Whether `index` encodes passages: `true` or `false`.
    INDEX_VECTORS = "INDAGO_INDEX_VECTORS";
    /// Language of the documents that `index` reads: `auto` or a code such as `de`.
    INDEX_LANGUAGE = "INDAGO_INDEX_LANGUAGE";
    /// How many hits `search` shows.
    SEARCH_K = "INDAGO_SEARCH_K";
    /// Which retriever `search` asks.
    SEARCH_RETRIEVER = "INDAGO_SEARCH_RETRIEVER";
    /// How `ask` prints its report: `markdown`, `json` or `html`.
    ASK_FORMAT = "INDAGO_ASK_FORMAT";
    /// Most documents a report may stand on.
    ASK_SOURCES = "INDAGO_ASK_SOURCES";
    /// Most rounds of search for each sub-question.
    ASK_ROUNDS = "INDAGO_ASK_ROUNDS";
    /// Most sub-questions.
    ASK_NODES = "INDAGO_ASK_NODES";
    /// Longest chain of sub-questions.
    ASK_DEPTH = "INDAGO_ASK_DEPTH";
    /// Most retrieval queries of a run.
    ASK_QUERIES = "INDAGO_ASK_QUERIES";
    /// Milliseconds after which `ask` reports what there is.
    ASK_WALL_MS = "INDAGO_ASK_WALL_MS";
    /// Name of the configured model that answers; `none` for the extractive reasoner.
    ASK_MODEL = "INDAGO_ASK_MODEL";
    /// How a model searches, such as `interleave`, `auto_rag` or `mind_search`.
    ASK_LOOP = "INDAGO_ASK_LOOP";
    /// Which reranker puts the hits of `search` in order.
    RERANK_MODEL = "INDAGO_RERANK_MODEL";
    /// How many hits the reranker sees.
    RERANK_DEPTH = "INDAGO_RERANK_DEPTH";
    /// Folder of the models that `models add` copies.
    MODELS = "INDAGO_MODELS";
    /// Where `INDAGO_MODELS` is looked for when it is unset: `indago/models` in it.
    XDG_DATA_HOME = "XDG_DATA_HOME";
    /// Home folder, used when neither is set: `.local/share/indago/models` in it.
    HOME = "HOME";
    /// Theme of the terminal interface: `auto`, `dark`, `light` or `mono`.
    TUI_THEME = "INDAGO_TUI_THEME";
    /// Whether the terminal interface takes the mouse: `true` or `false`.
    TUI_MOUSE = "INDAGO_TUI_MOUSE";
    /// Log filter for stderr, such as `debug` or `indago_retriever=trace`; off by default.
    LOG = "INDAGO_LOG";
    /// When set and not empty, nothing is coloured (see no-color.org).
    NO_COLOR = "NO_COLOR";
    /// What the terminal is; `dumb` gets plain output.
    TERM = "TERM";
    /// `truecolor` or `24bit` where the terminal has all colours.
    COLORTERM = "COLORTERM";
    /// Colours of the terminal; the last number is the background.
    COLORFGBG = "COLORFGBG";
    /// Locale of everything; without UTF-8 in it the interface draws in ASCII.
    LC_ALL = "LC_ALL";
    /// Locale of characters, where `LC_ALL` is unset.
    LC_CTYPE = "LC_CTYPE";
    /// Locale, where neither is set.
    LANG = "LANG";
}

/// The variable's value; `None` when unset, empty or not UTF-8.
pub fn read(variable: Variable) -> Option<String> {
    std::env::var(variable.name)
        .ok()
        .filter(|value| !value.is_empty())
}

/// Folder of the models that were added.
pub fn models_folder() -> std::path::PathBuf {
    read(MODELS).map_or_else(|| data_folder().join("models"), std::path::PathBuf::from)
}

/// Folder of the GPU kernels that were compiled on this machine.
pub(crate) fn kernels_folder() -> std::path::PathBuf {
    data_folder().join("kernels")
}

fn data_folder() -> std::path::PathBuf {
    let home = || std::path::PathBuf::from(read(HOME).unwrap_or_default()).join(".local/share");
    let data = read(XDG_DATA_HOME).map_or_else(home, std::path::PathBuf::from);
    data.join("indago")
}

/// A key from the environment variable that a model's configuration names.
pub fn secret(name: &str) -> Option<indago_egress::Secret> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
    Some(indago_egress::Secret::new(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_page_lists_every_variable() {
        let page = include_str!("../docs/reference/environment.md");
        for Variable { name, doc } in ALL {
            let row = format!("| `{name}` | {} |", doc.trim());
            assert!(
                page.contains(&row),
                "docs/reference/environment.md lacks: {row}"
            );
        }
    }
}
