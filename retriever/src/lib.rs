//! From documents to passages to indexes to hits.
//!
//! [`ingest`] reads files and cuts them into passages. [`CorpusWriter`] builds the indexes of a
//! corpus beside the current ones and switches in one step; [`Corpus`] reads what is current,
//! without locks. Retrievers are made by name ([`Corpus::retriever`]), fused by [`fuse`](mod@fuse)
//! and scored by [`metrics`].
//!
//! Models and agents are strangers here: encoders come in through a port of `indago-core`.

pub mod calibrate;
pub mod ingest;

mod build;
mod corpus;
mod dense;
mod disk;
mod encoded;
mod error;
pub mod facts;
mod filter;
#[cfg(test)]
mod forged;
pub mod fuse;
pub mod graph;
mod health;
mod lexical;
mod manifest;
pub mod metrics;
pub mod multivector;
mod names;
mod near_duplicate;
mod prepare;
mod propositions;
mod quality;
pub mod rerank;
pub mod retrievers;
pub mod sparse;
mod store;
mod substring;
pub mod vamana;

pub use build::{
    Committed, CorpusWriter, Extracted, FileState, Generation, PhrasesBuilt, Plan, Stage,
    SubstringsBuilt, VectorsBuilt, WriterOptions, remove,
};
pub use corpus::{
    Approximation, Corpus, Listed, PhraseGraphIndex, SourceInfo, SubstringIndex, Summary, list,
};
pub use error::IndexError;
pub use health::verify;
pub use lexical::{BadFieldWeights, FieldWeights, MAX_QUERY_TERMS};
pub use manifest::FORMAT_VERSION;
pub use prepare::{Prepared, indexed_text, language_of, prepare};
pub use propositions::Propositions;
pub use sparse::SparseBuilt;
