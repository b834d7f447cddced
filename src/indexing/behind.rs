//! What fills in behind the documents: vectors of passages and tokens, the other indexes, facts.

use indago_core::ports::{EncodeError, Encoder, FactExtractor, SparseEncoder};
use indago_core::{Cancel, IndexCoverage};
use indago_retriever::{
    Approximation, Extracted, PhrasesBuilt, SparseBuilt, SubstringsBuilt, VectorsBuilt,
};

use super::{IndexRequest, Progress, open_writer};
use crate::{Error, Project};

/// Begins the notes of a corpus that say how the encoder of a sparse index is opened.
const SPARSE_NOTE: &str = "sparse:";

/// Makes the vectors that a corpus lacks, those that the project has already (in another corpus, or
/// as longer ones of the same encoder) without encoding. Interrupted work is kept.
///
/// # Errors
/// [`Error::NoCorpus`] when there is nothing to encode; [`Error::Cancelled`] soon after `cancel`.
pub fn embed(
    project: &Project,
    corpus: &str,
    encoder: &dyn Encoder,
    progress: &mut dyn FnMut(Progress<'_>),
    cancel: &Cancel,
) -> Result<VectorsBuilt, Error> {
    let dir = project.corpus_dir(corpus)?;
    // What is damaged beside the documents is made again further down.
    if matches!(indago_retriever::Corpus::open(&dir), Ok(None)) {
        let project = project.root().to_owned();
        return Err(Error::NoCorpus {
            name: corpus.to_owned(),
            project,
        });
    }
    let request = IndexRequest::new(corpus, Vec::new());
    let others = std::fs::read_dir(project.corpora_dir());
    let others = others.into_iter().flatten().flatten();
    let mut writer =
        open_writer(&dir, &request)?.borrowing_from(others.map(|entry| entry.path()).collect());
    let told = |coverage| progress(Progress::Vectors(coverage));
    Ok(writer.embed_missing(encoder, told, cancel)?)
}

/// Leaves at most `per_mille` of 1000 passages, those that say least whatever is asked, without
/// vectors; 0 leaves out none. They are still found by words. Gives the number of passages left out.
///
/// # Errors
/// [`Error::Cancelled`] soon after `cancel`.
pub fn prune(
    project: &Project,
    corpus: &str,
    per_mille: u32,
    cancel: &Cancel,
) -> Result<u64, Error> {
    let dir = project.corpus_dir(corpus)?;
    let mut writer = open_writer(&dir, &IndexRequest::new(corpus, Vec::new()))?;
    Ok(writer.prune(per_mille, cancel)?)
}

/// Has names and facts extracted from the passages of a corpus, `at_once` at a time, for the graph
/// that `ppr` follows; without an extractor it goes back to names found by rules. `progress` is told
/// how many texts are done, of how many.
///
/// # Errors
/// [`Error::NoCorpus`]; [`Error::Cancelled`] soon after `cancel`: what came so far is kept.
pub fn extract_facts(
    project: &Project,
    corpus: &str,
    extractor: Option<&dyn FactExtractor>,
    at_once: usize,
    progress: &mut dyn FnMut(u64, u64),
    cancel: &Cancel,
) -> Result<Extracted, Error> {
    let dir = project.corpus_dir(corpus)?;
    let mut writer = open_writer(&dir, &IndexRequest::new(corpus, Vec::new()))?;
    let Some(extractor) = extractor else {
        writer.forget_facts()?;
        return Ok(Extracted::default());
    };
    let done = writer.extract_facts(extractor, at_once, progress, cancel)?;
    done.ok_or_else(|| Error::NoCorpus {
        name: corpus.to_owned(),
        project: project.root().to_owned(),
    })
}

/// Makes a sparse index of a corpus or brings it up to date, by the vectors of an encoder, given with
/// the name that it was opened by, or by BM25's weights.
///
/// # Errors
/// [`Error::NoCorpus`] when there is nothing to index; [`Error::Cancelled`] soon after `cancel`.
pub fn index_sparse(
    project: &Project,
    corpus: &str,
    encoder: Option<(&dyn SparseEncoder, &str)>,
    cancel: &Cancel,
) -> Result<SparseBuilt, Error> {
    let dir = project.corpus_dir(corpus)?;
    let mut writer = open_writer(&dir, &IndexRequest::new(corpus, Vec::new()))?;
    if let Some((encoder, opened_as)) = encoder {
        let key = format!("{SPARSE_NOTE}{}", encoder.name());
        writer.notes_mut().insert(key, opened_as.to_owned());
    }
    let built = writer.build_sparse(encoder.map(|(encoder, _)| encoder), cancel)?;
    built.ok_or_else(|| Error::NoCorpus {
        name: corpus.to_owned(),
        project: project.root().to_owned(),
    })
}

/// The encoders of sparse indexes that lack passages, by the names that they were opened by.
///
/// # Errors
/// When the corpus cannot be opened.
pub fn sparse_behind(project: &Project, corpus: &str) -> Result<Vec<String>, Error> {
    let corpus = crate::open(project, corpus)?;
    let summary = corpus.summary();
    let sets = corpus.sparse_indexes().into_iter();
    Ok(sets
        .filter(|(_, passages, _)| *passages < summary.passages)
        .filter_map(|(name, ..)| summary.notes.get(&format!("{SPARSE_NOTE}{name}")).cloned())
        .collect())
}

/// Makes the index of where any piece of text stands when `wanted` is true, does away with it when it
/// is false, and otherwise brings the one that the corpus has up to date. Gives what it is; `None`
/// where there is none. `progress` is told the bytes sorted, and how many there are to sort.
///
/// # Errors
/// [`Error::NoCorpus`] when it is wanted of nothing; [`Error::Cancelled`] soon after `cancel`: what
/// was sorted stays.
pub fn index_substrings(
    project: &Project,
    corpus: &str,
    wanted: Option<bool>,
    progress: &mut dyn FnMut(u64, u64),
    cancel: &Cancel,
) -> Result<Option<SubstringsBuilt>, Error> {
    let dir = project.corpus_dir(corpus)?;
    let mut writer = open_writer(&dir, &IndexRequest::new(corpus, Vec::new()))?;
    if wanted == Some(false) {
        writer.forget_substrings()?;
        return Ok(None);
    }
    let wanted = wanted.is_some();
    let built = writer.build_substrings(wanted, progress, cancel)?;
    if built.is_none() && wanted {
        return Err(Error::NoCorpus {
            name: corpus.to_owned(),
            project: project.root().to_owned(),
        });
    }
    Ok(built)
}

/// Stores the graph of passages and phrases when `wanted` is true, does away with it when it is false,
/// and otherwise brings the one that the corpus has up to date. Gives what it is; `None` where there
/// is none. `progress` is told the texts read, and how many there are to read.
///
/// # Errors
/// [`Error::NoCorpus`] when it is wanted of nothing; [`Error::Cancelled`] soon after `cancel`: what
/// was read is not read again.
pub fn index_phrases(
    project: &Project,
    corpus: &str,
    wanted: Option<bool>,
    progress: &mut dyn FnMut(u64, u64),
    cancel: &Cancel,
) -> Result<Option<PhrasesBuilt>, Error> {
    let dir = project.corpus_dir(corpus)?;
    let mut writer = open_writer(&dir, &IndexRequest::new(corpus, Vec::new()))?;
    if wanted == Some(false) {
        writer.forget_phrases()?;
        return Ok(None);
    }
    let built = writer.build_phrases(wanted.is_some(), progress, cancel)?;
    if built.is_none() && wanted.is_some() {
        return Err(Error::NoCorpus {
            name: corpus.to_owned(),
            project: project.root().to_owned(),
        });
    }
    Ok(built)
}

/// Brings the graph for approximate search over an encoder's vectors up to date: the one that a corpus
/// has, or a first one where `wanted`. Gives what it finds; `None` where there is none.
///
/// # Errors
/// [`Error::NoCorpus`]; [`Error::Cancelled`] soon after `cancel`.
pub fn link(
    project: &Project,
    corpus: &str,
    encoder: &dyn Encoder,
    wanted: bool,
    cancel: &Cancel,
) -> Result<Option<Approximation>, Error> {
    let dir = project.corpus_dir(corpus)?;
    let request = IndexRequest::new(corpus, Vec::new());
    let mut writer = open_writer(&dir, &request)?;
    Ok(writer.link_vectors(encoder.fingerprint(), wanted, cancel)?)
}

/// Makes the token vectors that a corpus lacks, where it has some of this encoder already or they are
/// `wanted`.
///
/// # Errors
/// When the encoder gives none, or cannot be used; [`Error::NoCorpus`] when they are wanted of
/// nothing; [`Error::Cancelled`] soon after `cancel`.
pub fn embed_tokens(
    project: &Project,
    corpus: &str,
    encoder: &dyn Encoder,
    wanted: bool,
    progress: &mut dyn FnMut(Progress<'_>),
    cancel: &Cancel,
) -> Result<Option<IndexCoverage>, Error> {
    let Some(tokens) = encoder.tokens() else {
        if !wanted {
            return Ok(None);
        }
        return Err(Error::Encode(EncodeError::Model {
            model: encoder.name().to_owned(),
            reason: "it gives no vectors of tokens".to_owned(),
        }));
    };
    let dir = project.corpus_dir(corpus)?;
    let request = IndexRequest::new(corpus, Vec::new());
    let mut writer = open_writer(&dir, &request)?;
    let told = |coverage| progress(Progress::Vectors(coverage));
    let made = writer.embed_tokens(tokens, wanted, told, cancel)?;
    if made.is_none() && wanted {
        return Err(Error::NoCorpus {
            name: corpus.to_owned(),
            project: project.root().to_owned(),
        });
    }
    Ok(made)
}
