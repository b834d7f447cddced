//! Graph memory: passages linked by the names they mention to the passages that define them.
//!
//! HippoRAG (Gutierrez et al., NeurIPS 2024; version 2, 2025) spreads probability over an
//! undirected graph of passages and phrases that a language model extracted. Without one, what
//! carries the gain are *directed* links from a mention to the passage that introduces the name:
//! `docs/quality.md` has the ablation, decision 0025 the reasons. Names are found by rules
//! ([`indago_text::names()`]), the defining passages by the corpus's index of names. A rare name
//! that nothing defines ties together the few passages that have it.

mod evidence;
mod left_out;
mod mention;
mod nearest;
mod phrases;
mod question;
mod shared;
mod trees;
mod weights;

pub(crate) use evidence::{Candidate, Lead, features, judge, leads};
pub use evidence::{FEATURES, Features};
pub use left_out::{LeftOut, UnknownPart};
pub(crate) use mention::followed;
pub use mention::{Mention, mentions, mentions_in_question};
pub(crate) use nearest::keep_nearest;
pub(crate) use phrases::{
    PhraseFile, PhraseGraph, READING, Unread, by_mass, gather, phrases_of, write as write_phrases,
};
pub(crate) use question::{QueryTerms, TermSet, is_abbreviation, specificity};
pub(crate) use shared::shared_names;
pub(crate) use weights::before_links;
