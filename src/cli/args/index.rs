//! What `index` and `corpus` take.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use indago_text::LanguageChoice;

use super::{CorpusChoice, DeviceArgs};

#[derive(Args, Debug)]
pub(in crate::cli) struct IndexArgs {
    /// Files and folders to add; none updates what the corpus is made from
    #[arg(value_name = "PATH")]
    pub(in crate::cli) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) corpus: CorpusChoice,
    /// Stop after the lexical index; vectors can follow with --vectors-only
    #[arg(long, conflicts_with = "vectors_only")]
    pub(in crate::cli) no_vectors: bool,
    /// Read nothing; encode the passages that still lack vectors
    #[arg(long, conflicts_with = "paths")]
    pub(in crate::cli) vectors_only: bool,
    /// Encode passages with this: minilm, static, a model that was added, a folder with published
    /// weights, or any of these with fewer dimensions, such as minilm:128; search with
    /// `--retriever dense@NAME`, `fused@NAME` or `graph@NAME`
    #[arg(
        long,
        value_name = "NAME",
        default_value = "minilm",
        conflicts_with = "no_vectors"
    )]
    pub(in crate::cli) encoder: String,
    /// Also link near vectors for approximate search (`--retriever ann`); kept up to date from then on
    #[arg(long, conflicts_with = "no_vectors")]
    pub(in crate::cli) approximate: bool,
    /// Also store a vector for each token, for late interaction (`--retriever plaid`, `maxsim`,
    /// `muvera` or `xtr`, with `@NAME` for another encoder than minilm), or with `--encoder
    /// minilm:sentences` for each sentence (`--retriever plaid@minilm:sentences`); kept up to date
    /// from then on. A late-interaction model as `--encoder` needs no `--tokens`
    #[arg(long, conflicts_with = "no_vectors")]
    pub(in crate::cli) tokens: bool,
    /// Leave this share of the passages, those that say least whatever is asked, without vectors,
    /// as in 0.25; words still find them. Kept from then on; 0 gives vectors to all again
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(in crate::cli) prune: Option<u32>,
    /// Have a configured language model read names and facts off every passage for the graph of
    /// `--retriever ppr`; passages that come later are read when this is given again. `rules` goes
    /// back to names found by rules
    #[arg(long, value_name = "MODEL", conflicts_with = "vectors_only")]
    pub(in crate::cli) graph_extractor: Option<String>,
    /// Make at most this many calls for --graph-extractor, two a passage; the next time goes on
    #[arg(long, value_name = "N", requires = "graph_extractor")]
    pub(in crate::cli) graph_calls: Option<u64>,
    /// Language of the documents, as in de, or auto for what each states or shows; kept from then on
    /// and changed by reading every file again [default: auto]
    #[arg(long, value_name = "CODE", conflicts_with = "vectors_only")]
    pub(in crate::cli) language: Option<LanguageChoice>,
    /// Also make a sparse index: by BM25's weights, or by an added sparse encoder; search with
    /// `--retriever sparse` or `sparse@NAME`
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "bm25")]
    pub(in crate::cli) sparse: Option<String>,
    /// Also index where any piece of text stands, parts of words too (`--retriever exact` and quotes
    /// then read no documents); some 4 bytes a byte of text, kept up to date from then on. `off` does
    /// away with it
    #[arg(long, value_name = "WHETHER", num_args = 0..=1, default_missing_value = "on", conflicts_with = "vectors_only")]
    pub(in crate::cli) substrings: Option<Whether>,
    /// Also store the graph of passages and the phrases they hold (`--retriever ppr` then opens it
    /// instead of making it in memory); kept up to date from then on. `off` does away with it
    #[arg(long, value_name = "WHETHER", num_args = 0..=1, default_missing_value = "on", conflicts_with = "vectors_only")]
    pub(in crate::cli) phrase_graph: Option<Whether>,
    /// Read every file again and build the index from nothing
    #[arg(long)]
    pub(in crate::cli) rebuild: bool,
    /// End with exit code 4 when a file could not be read
    #[arg(long)]
    pub(in crate::cli) strict: bool,
    /// Show every unreadable file, not only the first 20
    #[arg(long)]
    pub(in crate::cli) list_all: bool,
    #[command(flatten)]
    pub(in crate::cli) device: DeviceArgs,
}

/// Whether an optional index is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Whether {
    /// Make it and keep it up to date
    On,
    /// Do away with it
    Off,
}

/// A share between 0 and 0.9, as parts of 1000.
fn share(text: &str) -> Result<u32, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=0.9).contains(&share) => Ok((share * 1000.0).round() as u32),
        _ => Err("expected a share from 0 to 0.9".to_owned()),
    }
}

#[derive(Args, Debug)]
pub(in crate::cli) struct CorpusArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: CorpusCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CorpusCommand {
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
