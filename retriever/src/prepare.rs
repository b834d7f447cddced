//! What is computed of a document before it is written: pure, so that callers run it on all cores.

use indago_core::{Document, DocumentKind, Passage};
use indago_text::{Language, LanguageChoice};

use crate::error::IndexError;
use crate::lexical;
use crate::names::{self, Basis};
use crate::near_duplicate;
use crate::store::rows::{PassageRow, pack_date};
use crate::store::{Extra, Record};

/// A document that is ready to be written.
#[derive(Debug)]
pub struct Prepared {
    pub(crate) document: Document,
    pub(crate) language: Language,
    pub(crate) rows: Vec<PassageRow>,
    /// Per row.
    pub(crate) terms: Vec<Terms>,
    pub(crate) record: Vec<u8>,
    pub(crate) extras: Vec<u8>,
    pub(crate) packed_date: i32,
}

/// Index terms of a passage, a space after each.
#[derive(Debug, Default)]
pub(crate) struct Terms {
    /// Of title, headings and text.
    pub(crate) whole: String,
    /// Of each of [`lexical::FIELDS`].
    pub(crate) fields: [String; lexical::N_FIELDS],
}

/// What fields take their words from.
pub(crate) struct Parts<'a> {
    pub(crate) title: &'a str,
    /// One a line, without one that repeats the title.
    pub(crate) headings: &'a str,
}

/// The text that stands for a passage in every index: title, headings, blank line, text. Both
/// BM25 and the encoders see these words, and only these.
pub fn indexed_text(title: &str, headings: &[String], text: &str) -> String {
    let mut whole = String::with_capacity(title.len() + text.len() + 64);
    whole.push_str(title);
    for heading in headings.iter().filter(|heading| *heading != title) {
        if !whole.is_empty() {
            whole.push('\n');
        }
        whole.push_str(heading);
    }
    if !whole.is_empty() {
        whole.push_str("\n\n");
    }
    whole.push_str(text);
    whole
}

/// The key under which a text's vector is kept, per encoder.
pub(crate) fn embed_key(indexed_text: &str) -> [u8; 16] {
    let mut key = [0; 16];
    key.copy_from_slice(&blake3::hash(indexed_text.as_bytes()).as_bytes()[..16]);
    key
}

/// The language that a document's words are analysed in: as its `lang` or `language` says, else as
/// its text shows, unless `choice` names one. Programs are English.
pub fn language_of(document: &Document, choice: LanguageChoice) -> Language {
    if choice == LanguageChoice::Auto && document.kind == DocumentKind::SourceCode {
        return Language::English;
    }
    let mut stated = ["lang", "language"].iter();
    let stated = stated.find_map(|key| document.metadata.get(*key));
    choice.of(stated.map(String::as_str), &document.text)
}

/// The index terms of a text, a space after each.
fn terms_of(language: Language, text: &str) -> String {
    let mut terms = String::with_capacity(text.len());
    indago_text::for_each_term_in(language, text, |term, _| {
        terms.push_str(term);
        terms.push(' ');
    });
    terms
}

/// Analyses a document and its passages, whose words are in `language` ([`language_of`]).
///
/// # Errors
/// [`IndexError::BadPassage`] when a passage's span does not hold its text.
pub fn prepare(
    document: Document,
    passages: Vec<Passage>,
    language: Language,
) -> Result<Prepared, IndexError> {
    let record = Record {
        id: document.id.as_str().to_owned(),
        path: document.path.clone(),
        title: document.title.clone(),
        kind: document.kind,
        date: document.date,
        metadata: document.metadata.clone(),
        pages: document.pages.clone(),
        hash: document.hash,
        language: Record::language(language),
    };
    // Maps have string keys and numbers are finite: this JSON cannot fail.
    let record = serde_json::to_vec(&record).unwrap_or_default();
    let extras_at = document.text.len() + record.len();
    let mut prepared = Prepared {
        packed_date: pack_date(document.date),
        rows: Vec::with_capacity(passages.len()),
        terms: Vec::with_capacity(passages.len()),
        extras: Vec::new(),
        record,
        document,
        language,
    };
    let mut above: Option<Vec<String>> = None;
    let mut seen = std::collections::HashSet::with_capacity(passages.len());
    for passage in passages {
        let text = &prepared.document.text;
        let span = passage.span.start as usize..passage.span.end as usize;
        if text.get(span) != Some(passage.text.as_str()) {
            return Err(IndexError::BadPassage {
                document: prepared.document.id.clone(),
                span: passage.span,
                len: text.len() as u64,
            });
        }
        if !seen.insert(passage.id) {
            continue;
        }
        let mut names = names::of_passage(&passage);
        // A heading names the first passage below it, not every one.
        if above.as_ref() != Some(&passage.location.headings)
            && let Some(heading) = passage.location.headings.last()
        {
            names.push((heading.clone(), Basis::Heading));
        }
        let indexed = indexed_text(&passage.title, &passage.location.headings, &passage.text);
        let analysed = near_duplicate::analyse(language, &indexed);
        let headings = passage.location.headings.iter();
        let headings: Vec<&str> = headings
            .map(String::as_str)
            .filter(|heading| *heading != passage.title)
            .collect();
        let parts = Parts {
            title: &passage.title,
            headings: &headings.join("\n"),
        };
        let fields = lexical::FIELDS.map(|field| terms_of(language, (field.text)(&parts)));
        let extra = Extra {
            headings: passage.location.headings.clone(),
            names,
        };
        let extra = serde_json::to_vec(&extra).unwrap_or_default();
        prepared.rows.push(PassageRow {
            id: passage.id,
            embed_key: embed_key(&indexed),
            start: passage.span.start,
            end: passage.span.end,
            simhash: analysed.simhash,
            text_hash: near_duplicate::text_hash(&passage.text),
            terms: analysed.n_terms,
            document: 0,
            ordinal: passage.ordinal,
            line: passage.location.line.unwrap_or(0),
            page: passage.location.page.unwrap_or(0),
            extra: u32::try_from(extras_at + prepared.extras.len())
                .map_err(|_over| IndexError::TooMany(u64::from(u32::MAX), "bytes per document"))?,
            extra_bytes: extra.len() as u32,
        });
        prepared.extras.extend(extra);
        prepared.terms.push(Terms {
            whole: analysed.terms,
            fields,
        });
        above = Some(passage.location.headings);
    }
    Ok(prepared)
}
