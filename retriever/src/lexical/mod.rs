//! BM25 over tantivy: a stemmed field of title, headings and text together, and fields of parts of
//! it whose words can be made to count more ([`FIELDS`]).
//!
//! Terms come from [`indago_text::terms`], the analyzer of the whole project, so that document
//! frequencies agree everywhere. The number of passages and the mean length are exact and come
//! from the document store; tantivy's own would count deleted documents. tantivy keeps a
//! passage's length in one byte, as Lucene does, which moves scores by a few per cent at most.
//! Postings are tantivy's, read block by block; adding them up is ours (`score.rs`).

mod collect;
mod directory;
mod fields;
mod guard;
mod score;
mod search;
mod write;

pub use fields::{BadFieldWeights, FieldWeights};
pub(crate) use fields::{FIELDS, N_FIELDS};
pub(crate) use search::Lexical;
pub(crate) use write::LexicalWriter;

use tantivy::schema::{
    Field, IndexRecordOption, STRING, Schema, SchemaBuilder, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::{TextAnalyzer, Token, TokenStream, Tokenizer};

/// Terms of a query that are used, those of the highest weight first: bounds what a query of any
/// length can cost. High enough for a paragraph: with 64, questions as long as CISI's lose half a
/// point of nDCG@10.
pub const MAX_QUERY_TERMS: usize = 256;

const ANALYZER: &str = "indago-terms";

/// The fields of the index.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields {
    /// Index terms of title, headings and text.
    text: Field,
    /// Index terms of each of [`FIELDS`].
    parts: [Field; N_FIELDS],
    /// The document's id, for deleting.
    document: Field,
    /// The passage id as two big-endian halves, so that they order as the id does.
    id_high: Field,
    id_low: Field,
}

fn schema() -> (Schema, Fields) {
    let mut schema = SchemaBuilder::new();
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(ANALYZER)
        .set_index_option(IndexRecordOption::WithFreqs)
        .set_fieldnorms(true);
    let id = tantivy::schema::NumericOptions::default().set_fast();
    let indexed = TextOptions::default().set_indexing_options(indexing);
    let fields = Fields {
        text: schema.add_text_field("text", indexed.clone()),
        parts: FIELDS.map(|field| schema.add_text_field(field.name, indexed.clone())),
        document: schema.add_text_field("document", STRING),
        id_high: schema.add_u64_field("id_high", id.clone()),
        id_low: schema.add_u64_field("id_low", id),
    };
    (schema.build(), fields)
}

fn analyzer() -> TextAnalyzer {
    TextAnalyzer::builder(Spaced::default()).build()
}

/// Splits text that is already a list of terms with a space after each.
#[derive(Clone, Default)]
struct Spaced {
    token: Token,
}

struct SpacedStream<'a> {
    rest: &'a str,
    token: &'a mut Token,
}

impl Tokenizer for Spaced {
    type TokenStream<'a> = SpacedStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        self.token.reset();
        SpacedStream {
            rest: text,
            token: &mut self.token,
        }
    }
}

impl TokenStream for SpacedStream<'_> {
    fn advance(&mut self) -> bool {
        let Some((term, rest)) = self.rest.split_once(' ') else {
            return false;
        };
        self.token.text.clear();
        self.token.text.push_str(term);
        self.token.position = self.token.position.wrapping_add(1);
        self.rest = rest;
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

#[cfg(test)]
mod tests;
