//! Without a language model: a name of the question that several documents define.
//!
//! `Mercury` is asked about, and the corpus has `Mercury (planet)` and `Mercury (element)`, or two
//! documents of the title `Mercury`. The likeliest reading is the one whose document the question
//! as it stands finds first.

use indago_core::ports::{BoxFuture, Library, StepKey, TaskCtx, TaskCtxExt as _, TaskError};
use indago_core::{Allowance, DocumentId, Passage, PassageId, Usage};
use indago_text::{names_in_question, normalize_name, sentences, strip_disambiguation};

use super::{Ambiguity, Clarifier, MOST_READINGS, Reading, differ, found};
use crate::Extractive;

/// Names of a question that are looked up.
const MOST_NAMES: usize = 8;

/// Passages that may define one name.
const MOST_DEFINING: usize = 12;

/// Characters of a sentence that tells two documents of one title apart.
const DESCRIPTION_CHARS: usize = 90;

/// What a name may mean: a document, told apart from the others.
struct Sense {
    document: DocumentId,
    reading: Reading,
}

impl Clarifier for Extractive {
    fn name(&self) -> &'static str {
        "extractive"
    }

    fn clarify<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        library: &'a dyn Library,
        question: &'a str,
        _allowance: Allowance,
        _spent: &'a mut Usage,
    ) -> BoxFuture<'a, Result<Option<Ambiguity>, TaskError>> {
        Box::pin(clarify(cx, library, question))
    }
}

async fn clarify(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    question: &str,
) -> Result<Option<Ambiguity>, TaskError> {
    let mut names: Vec<String> = Vec::new();
    for name in names_in_question(question) {
        // A name that says which one is meant is not asked about.
        let is_told = strip_disambiguation(&name.text) != name.text
            || question[name.range.end..].trim_start().starts_with('(');
        if !is_told && !names.contains(&name.text) && names.len() < MOST_NAMES {
            names.push(name.text);
        }
    }
    for name in names {
        let senses = senses(cx, library, question, &name).await?;
        if senses.len() < 2 {
            continue;
        }
        let mut questions: Vec<&str> = senses.iter().map(|s| s.reading.question.as_str()).collect();
        questions.push(question);
        let mut lists = found(cx, library, &questions).await?;
        let as_it_stands = lists.pop().unwrap_or_default();
        if !differ(&lists) {
            continue;
        }
        let likeliest = likeliest(cx, library, &senses, as_it_stands).await?;
        return Ok(Some(Ambiguity {
            question: format!("Which \u{201c}{name}\u{201d} is meant?"),
            readings: senses.into_iter().map(|sense| sense.reading).collect(),
            likeliest,
        }));
    }
    Ok(None)
}

/// The documents that `name` may stand for, best first; at most one may lack a description of its
/// own.
async fn senses(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    question: &str,
    name: &str,
) -> Result<Vec<Sense>, TaskError> {
    let asked = name.to_owned();
    let passages: Vec<Passage> = cx
        .run_step(StepKey::new("clarify/defining", &name), async move {
            let hits = library.defining(vec![asked], MOST_DEFINING).await?;
            let ids: Vec<PassageId> = hits.into_iter().flatten().map(|hit| hit.passage).collect();
            let mut passages = library.passages(ids).await?;
            // What is recorded stays small: a title and a first sentence tell documents apart.
            for passage in &mut passages {
                passage.text = first_sentence(&passage.text);
            }
            Ok(passages)
        })
        .await?;
    let mut documents: Vec<&Passage> = Vec::new();
    for passage in &passages {
        let same_name =
            normalize_name(strip_disambiguation(&passage.title)) == normalize_name(name);
        let is_known = documents.iter().any(|p| p.document == passage.document);
        if same_name && !is_known && documents.len() < MOST_READINGS {
            documents.push(passage);
        }
    }
    let mut senses: Vec<Sense> = Vec::new();
    for passage in documents {
        let title = passage.title.trim();
        let is_qualified = strip_disambiguation(title) != title;
        let reading = if is_qualified {
            Reading {
                reading: title.to_owned(),
                question: question.replacen(name, title, 1),
            }
        } else {
            Reading {
                reading: format!("{title}: {}", passage.text),
                question: format!("{} ({})", question.trim_end(), passage.text),
            }
        };
        if senses.iter().all(|s| s.reading.reading != reading.reading) {
            senses.push(Sense {
                document: passage.document.clone(),
                reading,
            });
        }
    }
    Ok(senses)
}

/// The sense whose document stands first among `ids`.
async fn likeliest(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    senses: &[Sense],
    ids: Vec<PassageId>,
) -> Result<usize, TaskError> {
    let key = StepKey::new("clarify/documents", &ids);
    let documents: Vec<DocumentId> = cx
        .run_step(key, async move {
            let passages = library.passages(ids).await?;
            Ok(passages.into_iter().map(|p| p.document).collect())
        })
        .await?;
    let place = |document: &DocumentId| senses.iter().position(|s| s.document == *document);
    Ok(documents.iter().find_map(place).unwrap_or(0))
}

fn first_sentence(text: &str) -> String {
    let first = sentences(text).into_iter().next();
    let line = text[first.unwrap_or(0..0)]
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    match line.char_indices().nth(DESCRIPTION_CHARS) {
        Some((cut, _)) => format!("{}\u{2026}", &line[..cut]),
        None => line,
    }
}
