//! From text to the token ids of BERT-type models: normalisation, words, word pieces.
//!
//! Written for the models we ship, because it then starts in a millisecond (no JSON, no regular
//! expressions), streams (a text is read only as far as tokens are wanted) and never takes a text's
//! `[SEP]` for the special token. What other models cut texts by is left to the library that their
//! files were written with.

mod folder;
mod normalize;
mod published;
mod vocabulary;
mod wordpiece;

pub(crate) use folder::Tokenizer;
pub use vocabulary::Vocabulary;
pub use wordpiece::WordPiece;
