//! How good rankings are: the standard measures, comparisons of two systems, TREC files.
//!
//! Definitions follow `trec_eval` (checked against `pytrec_eval` on a recorded run): documents
//! are ranked by descending score, equal scores by descending id; nDCG uses gains as judged and a
//! discount of `log2(rank + 1)`.

mod compare;
mod measure;
mod trec;

pub use compare::{Comparison, Interval, bootstrap, compare};
pub use measure::{Measure, Qrels, Run, evaluate, mean, rank};
pub use trec::{TrecError, read_qrels, read_run, write_qrels, write_run};
