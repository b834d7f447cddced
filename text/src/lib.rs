//! Text analysis without models: sentences, words, names, dates, numbers, questions.
//!
//! Rules are written for English first. Other languages get fewer answers, never wrong bytes:
//! every span is a byte range of the input on character boundaries. Everything is a pure function
//! of its arguments, takes time linear in the input, and never panics.
//!
//! This crate knows no corpus: whether a name exists anywhere is for the indexes to say.

mod acronyms;
mod dates;
mod introduction;
mod language;
mod names;
mod normalize;
mod numbers;
mod phrases;
pub mod polarity;
pub mod question;
pub mod quote;
mod sentences;
mod stem;
mod stop_words;
mod terms;
mod words;

pub use acronyms::{Acronym, acronyms};
pub use dates::{DateMention, dates, is_month};
pub use introduction::{introduced_name, introduced_names, is_definition};
pub use language::{
    Language, LanguageChoice, Languages, UnknownLanguage, detect_language, for_each_term_in,
    query_terms,
};
pub use names::{Name, NameKind, names, names_in_question};
pub use normalize::{fold, normalize_name, strip_disambiguation};
pub use numbers::{NumberMention, numbers};
pub use phrases::noun_phrases;
pub use sentences::sentences;
pub use stem::stem;
pub use stop_words::{is_function_word, is_stop_word};
pub use terms::{for_each_term, terms};
pub use words::words;
