//! From text to the token ids of BERT-type models: normalisation, words, word pieces.
//!
//! Written for the models we ship, because it then starts in a millisecond (no JSON, no regular
//! expressions), streams (a text is read only as far as tokens are wanted) and never takes a text's
//! `[SEP]` for the special token. `tests/tokens.rs` compares it with the reference tokenizer.

mod normalize;
mod vocabulary;
mod wordpiece;

pub use vocabulary::Vocabulary;
pub use wordpiece::WordPiece;
