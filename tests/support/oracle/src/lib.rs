//! The oracle: a language model for evaluation that knows how each question of a data set falls
//! into parts, and nothing else.
//!
//! It knows what to ask next, because data sets say so, but it *answers* a part only when the
//! passage that supports it stands in the messages it was sent; otherwise it says what is missing.
//! What a loop gets out of it is therefore what the loop's retrieval brought in front of it. It
//! reads messages as a server gets them: roles and text.
//!
//! [`OracleModel`] puts it behind the `LanguageModel` port and records every request; a server may
//! call [`Oracle::reply`] with the messages it received. [`Planter`] makes a careless writer of it:
//! one that invents quotes and changes numbers, names and negations, and remembers what it planted.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "support of tests and evaluation"
)]

mod answer;
mod gold;
mod model;
mod planning;
mod plant;
mod seen;

pub use answer::Oracle;
pub use gold::{Gold, Hop, norm, read_gold};
pub use model::{OracleModel, Recorded, Spoil, common_prefix, repeated, words_of};
pub use plant::{Error, Planted, Planter};
pub use seen::Seen;
