//! What `search` takes, and the filters of whatever searches.

use std::path::PathBuf;

use clap::Args;
use indago_core::Date;

use super::{CorpusChoice, DeviceArgs};

#[derive(Args, Debug)]
pub(in crate::cli) struct SearchArgs {
    /// What to look for
    #[arg(required_unless_present = "batch", value_name = "QUERY")]
    pub(in crate::cli) query: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) corpus: CorpusChoice,
    /// How many hits [default: 10]
    #[arg(short, long)]
    pub(in crate::cli) k: Option<usize>,
    /// Which retriever: graph, fused, rrf, bm25, dense, exact, ppr, sparse, ann, maxsim, maxsim-all,
    /// plaid, muvera or xtr; after an @ with which encoder's vectors, such as
    /// dense@minilm:128 [default: graph]
    #[arg(short, long, value_name = "NAME")]
    pub(in crate::cli) retriever: Option<String>,
    /// Which reranker puts the first hits in order: an added model, a folder, a configured one;
    /// maxsim, token by token with the embedded encoder, or maxsim@NAME with another; a configured
    /// language model with how it is asked, such as writer:listwise (or :pairwise, :pointwise,
    /// :rating, :tournament)
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) rerank: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) filters: FilterArgs,
    /// Queries as JSONL (`_id`, `text`); prints a TREC run file
    #[arg(long, value_name = "FILE", conflicts_with = "query")]
    pub(in crate::cli) batch: Option<PathBuf>,
    /// Write the TREC run file here instead of stdout
    #[arg(short, long, value_name = "FILE", requires = "batch")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Print whole passages
    #[arg(long)]
    pub(in crate::cli) full: bool,
    #[command(flatten)]
    pub(in crate::cli) device: DeviceArgs,
}

/// Restrictions on which documents count.
#[derive(Args, Debug, Default)]
pub(in crate::cli) struct FilterArgs {
    /// Only documents whose path matches this glob; may be given more than once
    #[arg(long = "path", value_name = "GLOB")]
    pub(in crate::cli) paths: Vec<String>,
    /// Only documents dated on or after this day (YYYY, YYYY-MM or YYYY-MM-DD)
    #[arg(long, value_name = "DATE")]
    pub(in crate::cli) after: Option<Date>,
    /// Only documents dated on or before this day
    #[arg(long, value_name = "DATE")]
    pub(in crate::cli) before: Option<Date>,
    /// Only documents with this metadata; may be given more than once
    #[arg(long = "where", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(in crate::cli) metadata: Vec<(String, String)>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}
