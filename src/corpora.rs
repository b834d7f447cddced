//! Opening, searching and removing what was indexed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use indago_core::ports::Retriever;
use indago_core::{Cancel, DocumentId, Query};
use indago_retriever::Corpus;

use crate::{Error, Project};

/// Longest question, in bytes. Longer texts have no one answer and cost a query term for each word.
pub const MAX_QUESTION_BYTES: usize = 8 * 1024;
/// Passages asked for per wanted document: several passages of one document may come first.
const PASSAGES_PER_DOCUMENT: usize = 4;

/// Opens a corpus as it is now; writers do not disturb it.
///
/// # Errors
/// [`Error::NoCorpus`], [`Error::EmptyCorpus`], or why its files cannot be read.
pub fn open(project: &Project, name: &str) -> Result<Corpus, Error> {
    let dir = project.corpus_dir(name)?;
    let corpus = Corpus::open(&dir)?.ok_or_else(|| Error::NoCorpus {
        name: name.to_owned(),
        project: project.root().to_owned(),
    })?;
    if corpus.summary().passages == 0 {
        return Err(Error::EmptyCorpus {
            name: name.to_owned(),
        });
    }
    Ok(corpus)
}

/// Removes a corpus and its indexes. The documents themselves stay, and so do recorded runs.
///
/// # Errors
/// [`Error::NoCorpus`]; [`Error::Index`] while another process writes it.
pub fn remove(project: &Project, name: &str) -> Result<(), Error> {
    let dir = project.corpus_dir(name)?;
    if !dir.is_dir() {
        let project = project.root().to_owned();
        return Err(Error::NoCorpus {
            name: name.to_owned(),
            project,
        });
    }
    Ok(indago_retriever::remove(&dir)?)
}

/// Refuses what is no question: no words, or too many.
///
/// # Errors
/// [`Error::EmptyQuestion`], [`Error::QuestionTooLong`].
pub fn check_question(text: &str) -> Result<(), Error> {
    if !text.chars().any(char::is_alphanumeric) {
        return Err(Error::EmptyQuestion);
    }
    if text.len() > MAX_QUESTION_BYTES {
        return Err(Error::QuestionTooLong {
            bytes: text.len(),
            limit: MAX_QUESTION_BYTES,
        });
    }
    Ok(())
}

/// The best documents for a query, each with the score of its best passage.
///
/// # Errors
/// When the search fails or is cancelled.
pub fn documents(
    corpus: &Corpus,
    retriever: &dyn Retriever,
    query: &Query,
    k: usize,
    cancel: &Cancel,
) -> Result<Vec<(DocumentId, f32)>, Error> {
    // Some documents will have several passages among the best.
    let mut asked = k.max(1).saturating_add(k / 4);
    loop {
        let hits = retriever.search(query, asked, cancel)?;
        let ranked = corpus.documents_of(&hits, k)?;
        if ranked.len() >= k || hits.len() < asked {
            return Ok(ranked);
        }
        asked = asked.saturating_mul(PASSAGES_PER_DOCUMENT);
    }
}

/// The paths a corpus was made from, as its notes tell.
pub fn roots_of(notes: &BTreeMap<String, String>) -> Vec<PathBuf> {
    let noted = notes.get(crate::indexing::ROOTS_NOTE);
    noted
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_needs_words_and_an_end() {
        assert!(matches!(
            check_question(" ?! \n"),
            Err(Error::EmptyQuestion)
        ));
        let long = "why ".repeat(25_000);
        assert!(matches!(
            check_question(&long),
            Err(Error::QuestionTooLong { .. })
        ));
        assert!(check_question("Wo?").is_ok());
    }
}
