//! Reading: quotes first, then claims that rest on them.
//!
//! The model copies quotes; the program looks each up in the passage it names. A quote that does
//! not stand there, letter for letter up to typography, never becomes part of a claim.

use indago_core::ports::{Request, TaskError};
use indago_core::{Claim, Finding, Passage, PassageId, Prompt, Quote};
use serde::Deserialize;
use serde_json::json;

use super::loops::is_not_found;
use super::resting::Quoted;
use super::state::{Draft, Origin, SearchState};
use crate::model::prompts::{Read, SubQuestionPart, note, opening, passage, role};
use crate::model::{Ask, Ports, Role, complete_json};
use crate::verify::{Standing, Verifier};

/// Quotes and claims of one reading, and texts of what is missing. The schema says so, or a model
/// that repeats itself would go on to the last token it may write.
const MAX_QUOTES: usize = 24;
const MAX_CLAIMS: usize = 16;
const MAX_MISSING: usize = 8;
/// Fewest words that are looked for in passages that the model does not name.
const COPIED_WORDS: usize = 4;

#[derive(Debug, Default, Deserialize)]
struct Reading {
    #[serde(default)]
    quotes: Vec<RawQuote>,
    #[serde(default)]
    claims: Vec<RawClaim>,
    #[serde(default)]
    answer: Option<String>,
    #[serde(default)]
    missing: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct RawQuote {
    passage: u32,
    text: String,
}

#[derive(Debug, Deserialize)]
struct RawClaim {
    text: String,
    #[serde(default)]
    quotes: Vec<usize>,
}

/// Appends the sub-question, where it is not the whole question, and what its parents found.
#[must_use]
pub fn asked_part(prompt: Prompt, state: &SearchState) -> Prompt {
    let mut prompt = prompt.user(SubQuestionPart::new(&state.question).render());
    for (i, finding) in state.parents.iter().enumerate() {
        let question = state.parent_questions.get(i).map_or("", String::as_str);
        prompt = note(prompt, "finding", parent(question, finding));
    }
    prompt
}

/// A parent's finding in words.
fn parent(question: &str, finding: &Finding) -> String {
    let answer = finding
        .answer
        .as_ref()
        .map_or("not found", |a| a.text.as_str());
    let mut text = format!("Question: {question}\nAnswer: {answer}");
    for claim in finding.claims.iter().take(3) {
        text.push_str(&format!("\n- {}", claim.text()));
    }
    text
}

/// Shows the passages that the parents' quotes stand in: the evidence of a synthesis.
///
/// # Errors
/// When the corpus cannot be read.
pub async fn adopt_parents(
    ports: &mut Ports<'_>,
    state: &mut SearchState,
) -> Result<(), TaskError> {
    let ids = passages_of(state.parents.iter().flat_map(|finding| &finding.claims));
    let passages = ports.library.passages(ids).await?;
    state.show(passages, Origin::Retrieved);
    Ok(())
}

/// The passages that the quotes of claims stand in, each once and in the order of the quotes.
pub(super) fn passages_of<'a>(claims: impl Iterator<Item = &'a Claim>) -> Vec<PassageId> {
    let mut ids = Vec::new();
    for quote in claims.flat_map(Claim::quotes) {
        if !ids.contains(&quote.passage) {
            ids.push(quote.passage);
        }
    }
    ids
}

/// What came of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It can be gone on from, also where it found nothing.
    Read,
    /// The model said something, and nothing of it stands in the passages.
    Unusable,
}

/// Reads the evidence: sets claims, what is missing, and the short answer. Without evidence nothing
/// is asked and nothing is claimed.
///
/// # Errors
/// As [`complete_json`].
pub async fn quotes_first(
    ports: &mut Ports<'_>,
    state: &mut SearchState,
) -> Result<Outcome, TaskError> {
    let read = state.reading();
    if read.is_empty() {
        return Ok(Outcome::Read);
    }
    let prompt = match state.dialogue.take() {
        Some(dialogue) => role(dialogue, Read::new().render()),
        None => {
            let mut prompt = asked_part(opening(&state.whole), state);
            for one in read.into_iter().filter_map(|n| state.shown(n)) {
                prompt = match state.excerpts.get(&one.n) {
                    Some(parts) => passage(prompt, one.n, &excerpt(&one.passage, parts)),
                    None => passage(prompt, one.n, &one.passage),
                };
            }
            let prompt = role(prompt, Read::new().render());
            match state.draft.as_ref().and_then(|d| d.answer.as_deref()) {
                Some(answer) => note(prompt, "proposed answer", answer),
                None => prompt,
            }
        }
    };
    let ask = Ask {
        role: Role::Reader,
        purpose: "read/quotes".to_owned(),
        request: Request {
            prompt,
            max_tokens: Some(1200),
            temperature: Some(0.0),
            ..Request::default()
        },
    };
    let reading: Reading = complete_json(ports, ask, "reading", schema(), &mut state.usage).await?;
    // Quotes alone say that nothing follows from them: that is believed.
    let answers = reading.answer.as_deref().is_some_and(|a| !is_not_found(a));
    let says = !reading.claims.is_empty() || answers && !reading.quotes.is_empty();
    let quotes = reading
        .quotes
        .iter()
        .take(MAX_QUOTES)
        .map(|raw| {
            let stands = |passage| locate(passage, &raw.text);
            let named = state.cited(raw.passage).and_then(stands);
            // Words that stand in another passage than the one it names are that one's.
            (raw.passage, named.or_else(|| found(state, &raw.text)))
        })
        .collect();
    let claims = &reading.claims[..reading.claims.len().min(MAX_CLAIMS)];
    let quoted = Quoted::new(quotes, claims.iter().flat_map(|raw| &raw.quotes).copied());
    for raw in claims {
        let mut resting = quoted.named(&raw.quotes);
        if resting.is_empty() {
            // A claim in a passage's own words is a quote.
            resting.extend(found(state, &raw.text));
        }
        state.claims.extend(Claim::new(raw.text.trim(), resting));
    }
    if state.claims.is_empty() && says {
        // Quotes that stand there are evidence, also where no claim could be bound to them.
        let quotes = quoted.into_quotes().take(MAX_CLAIMS);
        state
            .claims
            .extend(quotes.filter_map(crate::read::in_its_own_words));
    }
    let answer = reading
        .answer
        .map(|a| a.trim().to_owned())
        .filter(|a| !is_not_found(a));
    let draft = state.draft.get_or_insert_with(Draft::default);
    draft.answer = answer.or(draft.answer.take());
    state.missing = reading.missing.into_iter().take(MAX_MISSING).collect();
    if !says {
        return Ok(Outcome::Read);
    }
    let verifier = Verifier::strict();
    let looked = verifier.look(ports.library, state.claims.clone()).await?;
    let refused = |(_, standing): &(Claim, Standing)| matches!(standing, Standing::Dropped(_));
    Ok(if looked.iter().all(refused) {
        Outcome::Unusable
    } else {
        Outcome::Read
    })
}

/// Where words stand, in the first of the passages read that has them; not for so few that they may
/// stand anywhere.
fn found(state: &SearchState, words: &str) -> Option<Quote> {
    if words.split_whitespace().count() < COPIED_WORDS {
        return None;
    }
    let read = state.reading().into_iter();
    read.filter_map(|n| state.cited(n))
        .find_map(|passage| locate(passage, words))
}

/// A passage of which only parts are shown. Its id stays: what is quoted is looked up in the whole.
fn excerpt(passage: &Passage, parts: &[(usize, usize)]) -> Passage {
    let texts: Vec<&str> = parts
        .iter()
        .filter_map(|(start, end)| passage.text.get(*start..*end))
        .map(str::trim)
        .collect();
    Passage {
        text: texts.join(" ... "),
        ..passage.clone()
    }
}

fn schema() -> serde_json::Value {
    json!({
        "type": "object",
        "properties": {
            "quotes": {"type": "array", "maxItems": MAX_QUOTES, "items": {
                "type": "object",
                "properties": {"passage": {"type": "integer"}, "text": {"type": "string"}},
                "required": ["passage", "text"], "additionalProperties": false
            }},
            "claims": {"type": "array", "maxItems": MAX_CLAIMS, "items": {
                "type": "object",
                "properties": {
                    "text": {"type": "string"},
                    "quotes": {"type": "array", "items": {"type": "integer"}}
                },
                "required": ["text", "quotes"], "additionalProperties": false
            }},
            "answer": {"type": ["string", "null"]},
            "missing": {"type": "array", "maxItems": MAX_MISSING, "items": {"type": "string"}}
        },
        "required": ["quotes", "claims", "answer", "missing"],
        "additionalProperties": false
    })
}

/// The place of `text` in `passage` as an exact quote: byte for byte, else up to white space,
/// quotation marks and dashes. `None` when it does not stand there.
pub fn locate(passage: &Passage, text: &str) -> Option<Quote> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let range = match passage.text.find(text) {
        Some(start) => start..start + text.len(),
        None => loosely(&passage.text, text)?,
    };
    Some(Quote {
        document: passage.document.clone(),
        passage: passage.id,
        start: passage.span.start + range.start as u64,
        end: passage.span.start + range.end as u64,
        text: passage.text[range].to_owned(),
    })
}

/// Where `needle` stands in `text` once both have plain typography and single spaces.
fn loosely(text: &str, needle: &str) -> Option<std::ops::Range<usize>> {
    let needle = indago_text::quote::canonical(needle);
    // Canonical characters with the bytes of the text that each stands for.
    let mut plain = String::with_capacity(text.len());
    let mut places: Vec<(usize, usize)> = Vec::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        if c.is_whitespace() {
            if plain.ends_with(' ') || plain.is_empty() {
                continue;
            }
            plain.push(' ');
            places.push((at, end));
            continue;
        }
        let mut buffer = [0; 4];
        for canonical in indago_text::quote::canonical(c.encode_utf8(&mut buffer)).chars() {
            plain.push(canonical);
            for _ in 0..canonical.len_utf8() {
                places.push((at, end));
            }
        }
    }
    let start = plain.find(&needle)?;
    let (first, last) = (places.get(start)?, places.get(start + needle.len() - 1)?);
    Some(first.0..last.1)
}

#[cfg(test)]
mod tests {
    use indago_core::{DocumentId, Location};

    use super::*;

    fn passage(text: &str) -> Passage {
        let document = DocumentId::new("d");
        Passage {
            id: PassageId::of(&document, 100, 100 + text.len() as u64, text),
            document,
            title: String::new(),
            span: 100..100 + text.len() as u64,
            text: text.to_owned(),
            ordinal: 0,
            location: Location::default(),
            date: None,
            metadata: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn a_quote_is_found_as_it_stands_or_up_to_typography() {
        let p = passage("“Ada”  Quill — born\n1970 — led it.");
        let exact = locate(&p, "led it.").unwrap();
        assert_eq!((exact.start, exact.text.as_str()), (135, "led it."));
        let loose = locate(&p, "\"Ada\" Quill - born 1970").unwrap();
        assert_eq!(loose.text, "“Ada”  Quill — born\n1970");
        assert_eq!(loose.start, 100);
        assert_eq!(locate(&p, "Ada Quill led it"), None);
        assert_eq!(locate(&p, "  "), None);
    }
}
