//! What `eval` takes.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use indago_retriever::metrics::Measure;

use crate::eval::Half;
use crate::eval::retrieval::DEPTH;

#[derive(Args, Debug)]
pub(in crate::cli) struct EvalArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: EvalCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum EvalCommand {
    /// Score retrievers: Recall, AllR, nDCG, MRR, MAP, with intervals
    Retrieval {
        #[command(flatten)]
        data: EvalData,
        /// The measure whose interval the table shows and by which systems are compared:
        /// `recall@5`, `allr@10`, `hits@10`, `mrr@10`, `map`, `ndcg@20`, `precision@5`, ...; at most
        /// 100 documents are looked at
        #[arg(long, value_name = "NAME@K", default_value = "ndcg@10", value_parser = measure)]
        measure: Measure,
    },
    /// Score answers: all gold passages quoted, EM, F1, abstention
    Ask {
        #[command(flatten)]
        data: EvalData,
        /// Also ask with the gold documents removed, where it should abstain
        #[arg(long)]
        without_gold: bool,
        /// Answer with this language model, a `[models.NAME]` of indago.toml [default: the extractive
        /// reasoner]
        #[arg(long, value_name = "NAME")]
        model: Option<String>,
        /// How the model searches [default: interleave]
        #[arg(long = "loop", value_name = "NAME", requires = "model", value_parser = clap::builder::PossibleValuesParser::new(crate::loops()))]
        search_loop: Option<String>,
        /// Most language-model calls for a question [default: 100]
        #[arg(long, value_name = "N", requires = "model", value_parser = clap::value_parser!(u64).range(1..))]
        lm_calls: Option<u64>,
    },
}

/// A measure whose cut-off is not beyond what is asked of a retriever.
fn measure(text: &str) -> Result<Measure, String> {
    let measure: Measure = text.to_lowercase().parse().map_err(|e| format!("{e}"))?;
    if measure.cut_off().is_some_and(|k| k > DEPTH) {
        return Err(format!("only the first {DEPTH} documents are looked at"));
    }
    // Judgements are read without grades.
    Ok(match measure {
        Measure::Ndcg(k) => Measure::NdcgBinary(k),
        other => other,
    })
}

/// Data in BEIR's layout: `corpus.jsonl[.gz]`, `queries.jsonl`, `qrels.tsv`.
#[derive(Args, Debug)]
pub(in crate::cli) struct EvalData {
    /// A data set, or a folder of data sets
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) data: PathBuf,
    /// Only these data sets of the folder; may be given more than once
    #[arg(long = "set", value_name = "NAME")]
    pub(in crate::cli) sets: Vec<String>,
    /// Which half of the questions, split by the hash of `_id`
    #[arg(long, value_enum, default_value_t = Half::Report)]
    pub(in crate::cli) half: Half,
    /// Score only the first N questions of the half
    #[arg(long, value_name = "N")]
    pub(in crate::cli) limit: Option<usize>,
    /// Which retrievers to score, each with `@` and an encoder where it is not the embedded one:
    /// `dense@static`, `dense@FOLDER` with published weights [default: bm25, dense,
    /// fused, graph]
    #[arg(long = "retriever", value_name = "NAME")]
    pub(in crate::cli) retrievers: Vec<String>,
    /// Compare with this retriever (a paired randomisation test, on nDCG@10 unless `--measure`
    /// names another)
    #[arg(long, value_name = "NAME", default_value = "bm25")]
    pub(in crate::cli) baseline: String,
    /// Write the rankings here as TREC run files, and the judgements
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) runs: Option<PathBuf>,
    /// Without titles
    #[arg(long)]
    pub(in crate::cli) no_titles: bool,
    /// Keep the indexes here between runs [default: a temporary folder]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) work: Option<PathBuf>,
    /// Write one JSON line per question here
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) per_question: Option<PathBuf>,
}
