//! What `models` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use indago_models::Precision;

use crate::FolderOptions;

#[derive(Args, Debug)]
pub(in crate::cli) struct ModelsArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ModelsCommand {
    /// List the models this build carries, those that were added and those behind servers
    List,
    /// Add published weights from a folder: an encoder, cross-encoder, sparse encoder or
    /// late-interaction model (ColBERT) of BERT's families (RoBERTa, XLM-R, MPNet, DistilBERT, ELECTRA,
    /// ModernBERT, GTE 1.5, Nomic, DeBERTa)
    Add {
        /// Folder with config.json, tokenizer.json (or vocab.txt) and model.safetensors
        path: PathBuf,
        #[command(flatten)]
        about: About,
    },
    /// Fetch published weights and add them; going on where an earlier attempt ended
    Pull {
        /// `owner/name` or `owner/name@revision` of the hub, or the address of a folder
        #[arg(value_name = "MODEL", required = true)]
        models: Vec<String>,
        /// Address of the hub [default: `models_url` of [network], or https://huggingface.co]
        #[arg(long, value_name = "URL")]
        from: Option<String>,
        #[command(flatten)]
        about: About,
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

/// What is said of a model when it is added.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct About {
    /// Name to know it by [default: its own]
    #[arg(long)]
    name: Option<String>,
    /// What the model wants before queries, such as `query: `
    #[arg(long, value_name = "TEXT")]
    query_prefix: Option<String>,
    /// What the model wants before passages, such as `passage: `
    #[arg(long, value_name = "TEXT")]
    passage_prefix: Option<String>,
    /// What to compute it in: `f32`, as published, or `int8`, about twice as fast and in
    /// less than half of the memory [default: f32]
    #[arg(long)]
    precision: Option<Precision>,
}

impl From<&About> for FolderOptions {
    fn from(about: &About) -> Self {
        let About {
            name,
            query_prefix,
            passage_prefix,
            precision,
        } = about.clone();
        Self {
            name,
            query_prefix,
            passage_prefix,
            precision,
        }
    }
}
