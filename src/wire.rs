//! The composition root: the only place that names concrete models, retrievers and engines.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use indago_agents::ModelClarifier;
use indago_agents::model::ModelAuthor;
use indago_agents::operators::registry;
use indago_core::ports::{
    EncodeError, Encoder, FactExtractor, LanguageModel, Library, PairScorer, PlanPolicy, Reranker,
    Retriever, Role, SpanReader, SparseEncoder,
};
use indago_core::{Cancel, IndexCoverage};
use indago_models::registry::Registry;
use indago_models::{
    ColBert, CrossEncoder, FolderKind, MiniLm, Reader, SentenceEncoder, Splade, StaticEncoder,
    Truncated,
};
use indago_planner::policy;
use indago_retriever::facts::LanguageExtractor;
use indago_retriever::rerank::{ByPairs, Complete, DEFAULT_DEPTH, MaxSim, Reranked};
use indago_retriever::retrievers::Graph;
use indago_retriever::{Corpus, Propositions};
use indago_tools::CorpusTools;
use indago_workflows::deep_research::Research;
use indago_workflows::{
    CpuLibrary, CpuLibraryParts, Gate, GatedModel, PaidModel, Similarity, SqliteEngine,
    SqliteJournal,
};

use crate::{Compute, Error, ModelReasoner, Project};

/// The model of the fast tier.
const FAST_TIER: &str = "static-minilm/int8";
/// The reader of short answers.
const READER_NAME: &str = "reader/int8";

/// The embedded encoder; unpacked once per process.
///
/// # Errors
/// When its bytes are damaged.
pub fn encoder() -> Result<Arc<dyn Encoder>, Error> {
    static ENCODER: OnceLock<Result<Arc<dyn Encoder>, String>> = OnceLock::new();
    let made = ENCODER.get_or_init(|| match MiniLm::embedded() {
        Ok(encoder) => Ok(Arc::new(encoder)),
        Err(error) => Err(error.to_string()),
    });
    made.clone().map_err(|reason| {
        Error::Encode(EncodeError::Model {
            model: "all-MiniLM-L6-v2/int8".to_owned(),
            reason,
        })
    })
}

/// The fast tier: close enough to compare hundreds of sentences with a question in milliseconds.
///
/// # Errors
/// When its bytes are damaged.
pub fn fast_encoder() -> Result<Arc<dyn Encoder>, Error> {
    static ENCODER: OnceLock<Result<Arc<dyn Encoder>, String>> = OnceLock::new();
    let made = ENCODER.get_or_init(|| match StaticEncoder::embedded() {
        Ok(encoder) => Ok(Arc::new(encoder)),
        Err(error) => Err(error.to_string()),
    });
    made.clone().map_err(|reason| {
        Error::Encode(EncodeError::Model {
            model: FAST_TIER.to_owned(),
            reason,
        })
    })
}

/// The embedded reader.
///
/// # Errors
/// When its bytes are damaged.
pub fn reader() -> Result<Arc<dyn SpanReader>, Error> {
    static READER: OnceLock<Result<Arc<dyn SpanReader>, String>> = OnceLock::new();
    let made = READER.get_or_init(|| match Reader::embedded() {
        Ok(reader) => Ok(Arc::new(reader)),
        Err(error) => Err(error.to_string()),
    });
    made.clone().map_err(|reason| {
        Error::Encode(EncodeError::Model {
            model: READER_NAME.to_owned(),
            reason,
        })
    })
}

/// The models that were added to this machine.
pub fn registry() -> Registry {
    Registry::new(crate::env::models_folder())
}

/// The folder of published weights that `name` stands for: a model that was added, or a path.
///
/// # Errors
/// [`Error::NoWeights`] when it is neither.
pub(crate) fn weights_of(name: &str) -> Result<PathBuf, Error> {
    let added = registry().folder_of(name);
    let folder = added.or_else(|| Some(PathBuf::from(name)).filter(|path| path.is_dir()));
    folder.ok_or_else(|| Error::NoWeights(name.to_owned()))
}

/// An encoder by name: `minilm` (the embedded one), `static` (the fast tier), a model that was
/// added ([`registry()`]), a folder with published weights, which are used unquantised, or a file
/// made by `models quantize`; after a `:` how many leading dimensions are kept, as in
/// `minilm:128`, or that late interaction is over sentences, as in `minilm:sentences`.
///
/// # Errors
/// When there is no such model, or it has fewer dimensions.
pub fn encoder_named(name: &str) -> Result<Arc<dyn Encoder>, Error> {
    if let Some(name) = name.strip_suffix(":sentences") {
        return Ok(Arc::new(Propositions::new(encoder_named(name)?)));
    }
    if let Some((name, dim)) = name.rsplit_once(':')
        && let Ok(dim) = dim.parse()
    {
        return Ok(Arc::new(Truncated::new(encoder_named(name)?, dim)?));
    }
    match name {
        "minilm" => encoder(),
        "static" => fast_encoder(),
        file if Path::new(file).is_file() => Ok(Arc::new(MiniLm::open(Path::new(file))?)),
        name if is_token_encoder(name) => Ok(Arc::new(ColBert::open(&weights_of(name)?)?)),
        name => Ok(Arc::new(SentenceEncoder::open(&weights_of(name)?)?)),
    }
}

/// A sparse encoder that was added or is in a folder.
///
/// # Errors
/// When there is no such model.
pub fn sparse_encoder(name: &str) -> Result<Arc<dyn SparseEncoder>, Error> {
    Ok(Arc::new(Splade::open(&weights_of(name)?)?))
}

/// A reranker by name: a cross-encoder, a sentence encoder or a token encoder that was added or is
/// in a folder; `minilm` and `static` compare by the cosine of the embedded encoders; `maxsim` and
/// `maxsim@NAME` compare token by token, by the embedded encoder or the one named.
///
/// # Errors
/// When there is no such model.
pub fn reranker(name: &str) -> Result<Arc<dyn Reranker>, Error> {
    let scorer: Arc<dyn PairScorer> = match name {
        "minilm" => Arc::new(MiniLm::embedded()?),
        "static" => Arc::new(StaticEncoder::embedded()?),
        name if let Some(encoder) = maxsim_encoder(name) => {
            Arc::new(MaxSim::new(encoder_named(encoder)?)?)
        }
        name => {
            let folder = weights_of(name)?;
            // What cannot be read is reported by the encoder that opens it.
            match FolderKind::of(&folder) {
                Ok(FolderKind::CrossEncoder) => Arc::new(CrossEncoder::open(&folder)?),
                _ => Arc::new(SentenceEncoder::open(&folder)?),
            }
        }
    };
    Ok(Arc::new(ByPairs::new(scorer)))
}

/// The encoder of a reranker by late interaction: what stands behind `maxsim@`, the embedded one
/// for `maxsim`, and a token encoder by itself, which has no other use as a reranker.
pub(crate) fn maxsim_encoder(name: &str) -> Option<&str> {
    if name == "maxsim" {
        return Some("minilm");
    }
    name.strip_prefix("maxsim@")
        .or_else(|| is_token_encoder(name).then_some(name))
}

/// Whether `name` is a model that makes vectors of tokens alone.
pub(crate) fn is_token_encoder(name: &str) -> bool {
    matches!(
        weights_of(name).map(|folder| FolderKind::of(&folder)),
        Ok(Ok(FolderKind::TokenEncoder))
    )
}

/// A language model as extractor of names and facts for the graph.
pub fn fact_extractor(
    model: &dyn LanguageModel,
    complete: Arc<Complete>,
) -> Arc<dyn FactExtractor> {
    Arc::new(LanguageExtractor::new(
        model.name(),
        model.fingerprint(),
        complete,
    ))
}

/// `first`, whose best `depth` hits `reranker` puts in order.
pub fn reranked(
    corpus: &Corpus,
    first: Arc<dyn Retriever>,
    reranker: Arc<dyn Reranker>,
    depth: usize,
) -> Arc<dyn Retriever> {
    Arc::new(Reranked::new(corpus, first, reranker, depth))
}

/// A retriever's registered name and, after an `@`, the name of its encoder: `dense@static`.
/// Rerankers, each behind a `+` and perhaps with an `@` of its own, are left out.
pub fn split_retriever(name: &str) -> (&str, &str) {
    let name = name.split_once('+').map_or(name, |(first, _)| first);
    name.split_once('@').unwrap_or((name, "minilm"))
}

/// Retrievers that need vectors of tokens.
pub const LATE_INTERACTION: [&str; 5] = ["maxsim", "maxsim-all", "muvera", "plaid", "xtr"];

/// What is searched with unless something else is asked for (decision 0025).
pub const DEFAULT_RETRIEVER: &str = "graph";

/// Retrievers that never need an encoder.
const BY_WORDS: [&str; 2] = ["bm25", "exact"];

/// The encoder that a corpus is searched with where none is named: the embedded one, or if it made
/// none of the vectors the first of those that did and can be had.
///
/// # Errors
/// When the embedded encoder cannot be used.
pub fn encoder_of(corpus: &Corpus, compute: &Compute) -> Result<Arc<dyn Encoder>, Error> {
    let embedded = compute.encoder_named("minilm")?;
    let sets = corpus.encoders();
    let made = |encoder: &dyn Encoder| sets.iter().any(|set| set.1 == encoder.fingerprint());
    if sets.is_empty() || made(embedded.as_ref()) {
        return Ok(embedded);
    }
    let others = sets.iter().filter_map(|(name, _, _)| {
        // Models that are part of the program are asked for by shorter names.
        let carried = [(embedded.name(), "minilm"), (FAST_TIER, "static")];
        let mut short = carried
            .into_iter()
            .filter_map(|(long, short)| Some(format!("{short}{}", name.strip_prefix(long)?)));
        let asked = short.next().unwrap_or_else(|| name.clone());
        compute.encoder_named(&asked).ok()
    });
    let mut others = others.filter(|encoder| made(encoder.as_ref()));
    // Without any the retriever says whose vectors are there.
    Ok(others.next().unwrap_or(embedded))
}

/// The retriever registered as `name` over `corpus`, with [`encoder_of`] it unless the name says
/// otherwise ([`split_retriever`]). What stands behind a `:` are weights of fields, as in
/// `bm25:title=2` ([`indago_retriever::FieldWeights`]), or parts that the default one does without,
/// as in `graph:-trees` ([`indago_retriever::graph::LeftOut`]); what stands behind a `+` is a
/// [`reranker`] for its first 50 hits, as in `fused+minilm`. While the corpus has no vectors the default one
/// searches by words and costs no encoder.
///
/// # Errors
/// [`Error::Retrieve`] for an unknown name, or vectors of another encoder.
pub fn retriever(corpus: &Corpus, name: &str) -> Result<Arc<dyn Retriever>, Error> {
    retriever_on(corpus, name, &Compute::cpu())
}

/// The same with queries encoded and hits reranked on `compute`.
///
/// # Errors
/// As [`retriever`].
pub fn retriever_on(
    corpus: &Corpus,
    name: &str,
    compute: &Compute,
) -> Result<Arc<dyn Retriever>, Error> {
    if let Some((first, second)) = name.rsplit_once('+') {
        let first = retriever_on(corpus, first, compute)?;
        let second = compute.reranker(second)?;
        return Ok(reranked(corpus, first, second, DEFAULT_DEPTH));
    }
    let whole = name;
    let (name, encoder) = split_retriever(name);
    let names_encoder = whole.contains('@');
    let (name, changes) = name.split_once(':').unwrap_or((name, ""));
    // Parts of the evidence to leave out, or weights of fields.
    let (left_out, weights) = match changes {
        "" => (None, None),
        parts if name == DEFAULT_RETRIEVER && parts.starts_with('-') => {
            (Some(parts.parse()?), None)
        }
        weights => (None, Some(weights.parse()?)),
    };
    let weighted = weights.map(|weights| corpus.with_field_weights(weights));
    let corpus = weighted.as_ref().unwrap_or(corpus);
    if name == "sparse" {
        let encoder = whole.split_once('@').map(|(_, name)| sparse_encoder(name));
        return Ok(corpus.sparse_retriever(encoder.transpose()?)?);
    }
    let optional = name == "fused" || name == DEFAULT_RETRIEVER;
    let without = BY_WORDS.contains(&name) || (optional && corpus.encoders().is_empty());
    let encoder = if without {
        None
    } else {
        Some(match encoder {
            // Devices give no vectors of tokens.
            encoder if LATE_INTERACTION.contains(&name) => encoder_named(encoder)?,
            named if names_encoder => compute.encoder_named(named)?,
            _ => encoder_of(corpus, compute)?,
        })
    };
    if let Some(left_out) = left_out {
        return Ok(Arc::new(Graph::over(corpus, encoder)?.without(left_out)));
    }
    Ok(corpus.retriever(name, encoder)?)
}

/// How far the vectors are of the encoder that a corpus is searched with ([`encoder_of`]); `None`
/// when it cannot be used.
pub fn coverage(corpus: &Corpus, compute: &Compute) -> Option<IndexCoverage> {
    let encoder = encoder_of(corpus, compute).ok()?;
    Some(corpus.coverage(encoder.fingerprint()))
}

/// The journal of a project; made when it is not there.
///
/// # Errors
/// When it cannot be opened, or a newer build wrote it.
pub fn journal(project: &Project) -> Result<Arc<SqliteJournal>, Error> {
    Ok(Arc::new(SqliteJournal::open(project.journal_dir())?))
}

/// An engine that answers questions over `corpus` and records its runs in `journal`.
///
/// # Errors
/// When the encoder cannot be used or threads cannot be started.
pub fn engine(
    corpus: &Corpus,
    journal: Arc<SqliteJournal>,
    threads: usize,
    compute: &Compute,
    reasoner: Option<&ModelReasoner>,
) -> Result<SqliteEngine, Error> {
    let library = library_on(corpus, threads, compute)?;
    let research = match reasoner {
        None => Research::extractive(library, plan_policy(), journal.clone()),
        Some(reasoner) => model_driven(reasoner, library, journal.clone())?,
    };
    Ok(SqliteEngine::new(journal, research.registry()))
}

/// Research with language models, whose calls are recorded in `journal` around the call itself.
fn model_driven(
    reasoner: &ModelReasoner,
    library: Arc<dyn Library>,
    journal: Arc<SqliteJournal>,
) -> Result<Research, Error> {
    let choice = reasoner.choice();
    let gate = Gate::default();
    let models = reasoner.models(|model| {
        let gated = Arc::new(GatedModel::new(model, gate.clone()));
        Arc::new(PaidModel::new(gated, journal.clone()))
    });
    let no_loop = || Error::NoLoop(choice.strategy.clone());
    let strategy = if choice.strategy == "tool_calls" {
        let tools = CorpusTools::new(Arc::clone(&library)).map_err(|_named_twice| no_loop())?;
        registry::with_tools(&models, Arc::new(tools))
    } else {
        registry::strategy(&choice.strategy, &models).ok_or_else(no_loop)?
    };
    let policies = registry::PLAN_POLICIES
        .iter()
        .filter_map(|name| registry::plan_policy(name, &models))
        .map(Arc::from)
        .collect();
    let name = format!("model:{}/{}", choice.model, choice.strategy);
    let clarifier = ModelClarifier::new(models.clone());
    let author = ModelAuthor::new(models, choice.words).named(name);
    let mut research = Research::new(
        library,
        Arc::new(policy::Single),
        Arc::from(strategy),
        Arc::new(author),
        journal,
    );
    research.gate = gate;
    research.clarifier = Arc::new(clarifier);
    Ok(research.with_policies(policies))
}

/// What agents see of `corpus`.
///
/// # Errors
/// When the encoder cannot be used or threads cannot be started.
pub fn library(corpus: &Corpus, threads: usize) -> Result<Arc<dyn Library>, Error> {
    library_on(corpus, threads, &Compute::cpu())
}

/// The same with queries encoded on `compute`.
///
/// # Errors
/// As [`library`].
pub fn library_on(
    corpus: &Corpus,
    threads: usize,
    compute: &Compute,
) -> Result<Arc<dyn Library>, Error> {
    let parts = CpuLibraryParts {
        retriever: retriever_on(corpus, DEFAULT_RETRIEVER, compute)?,
        store: Arc::new(corpus.clone()),
        stats: Arc::new(corpus.clone()),
        names: Arc::new(corpus.clone()),
        similarity: Similarity::Encoder(fast_encoder()?),
        reader: Some(reader()?),
        coverage: coverage(corpus, compute).unwrap_or_default(),
    };
    let library = CpuLibrary::new(parts, threads).map_err(|e| Error::Threads(e.to_string()))?;
    Ok(Arc::new(library))
}

/// The plan policy of the embedded reasoner.
fn plan_policy() -> Arc<dyn PlanPolicy> {
    policy::by_name("extractive").map_or_else(|| Arc::new(policy::Single) as _, Arc::from)
}

/// A model that is part of the program.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Carried {
    /// Its name.
    pub name: &'static str,
    /// What it is used for.
    pub purpose: &'static str,
    /// Length of its vectors: of texts, or of the tokens of a reader.
    pub dim: usize,
    /// Licence of its weights.
    pub licence: &'static str,
    #[serde(skip)]
    check: fn() -> Option<String>,
}

/// Every model that is part of the program.
pub fn carried() -> Vec<Carried> {
    vec![
        Carried {
            name: "all-MiniLM-L6-v2/int8",
            purpose: "vectors of passages and questions",
            dim: 384,
            licence: "Apache-2.0",
            check: || problem_of_encoder(MiniLm::embedded(), 384),
        },
        Carried {
            name: FAST_TIER,
            purpose: "comparing sentences with a question; distilled from the former",
            dim: 256,
            licence: "Apache-2.0",
            check: || problem_of_encoder(StaticEncoder::embedded(), 256),
        },
        Carried {
            name: READER_NAME,
            purpose: "where in a passage a short answer stands; trained from the first",
            dim: 384,
            licence: "Apache-2.0",
            check: problem_of_reader,
        },
    ]
}

/// Two sentences of one meaning and one of another: a sound encoder tells them apart.
const PROBE: [&str; 3] = [
    "The lighthouse was built in 1888.",
    "They erected the lighthouse in 1888.",
    "Bread needs yeast.",
];

/// A question, its answer and the sentence around it.
const READ: (&str, &str, &str) = (
    "When was the lighthouse built?",
    "1888",
    "Engineers from Port Selwyn built the lighthouse in 1888 and painted it white.",
);

impl Carried {
    /// What is wrong with the model's bytes or with what it computes here; `None` when it is sound.
    pub fn problem(&self) -> Option<String> {
        (self.check)()
    }
}

fn problem_of_encoder<E: Encoder>(opened: Result<E, EncodeError>, dim: usize) -> Option<String> {
    let encoder = match opened {
        Ok(encoder) => encoder,
        Err(error) => return Some(error.to_string()),
    };
    if encoder.dim() != dim {
        return Some(format!(
            "vectors have {} dimensions, not {dim}",
            encoder.dim()
        ));
    }
    let vectors = match encoder.encode(&PROBE, Role::Passage, &Cancel::new()) {
        Ok(vectors) => vectors,
        Err(error) => return Some(error.to_string()),
    };
    let cosine = |a: usize, b: usize| -> f32 {
        vectors
            .row(a)
            .iter()
            .zip(vectors.row(b))
            .map(|(x, y)| x * y)
            .sum()
    };
    let (alike, unlike) = (cosine(0, 1), cosine(0, 2));
    let sane = alike > unlike + 0.3 && (cosine(0, 0) - 1.0).abs() < 1e-3;
    (!sane).then(|| format!("wrong vectors on this CPU: {alike:.3} against {unlike:.3}"))
}

fn problem_of_reader() -> Option<String> {
    let (question, answer, text) = READ;
    let read =
        Reader::embedded().and_then(|reader| reader.read(question, &[("", text)], &Cancel::new()));
    let scores = match read {
        Ok(scores) => scores,
        Err(error) => return Some(error.to_string()),
    };
    let best = scores.first().and_then(|passage| passage.best(1).pop());
    let found = best
        .and_then(|(range, _)| text.get(range))
        .unwrap_or_default();
    (found != answer).then(|| format!("wrong answers on this CPU: `{found}` for `{answer}`"))
}

#[cfg(test)]
mod tests {
    use indago_retriever::calibrate::scale_of;
    use indago_retriever::fuse::ScoreScale;

    use super::*;

    /// The embedded encoder under another name.
    struct Stranger(Arc<dyn Encoder>);

    impl Encoder for Stranger {
        fn name(&self) -> &'static str {
            "stranger"
        }

        fn fingerprint(&self) -> &'static str {
            "stranger"
        }

        fn dim(&self) -> usize {
            self.0.dim()
        }

        fn encode(
            &self,
            texts: &[&str],
            role: Role,
            cancel: &Cancel,
        ) -> Result<indago_core::ports::Matrix, EncodeError> {
            self.0.encode(texts, role, cancel)
        }
    }

    #[test]
    fn the_scale_that_all_others_are_compared_with_is_that_of_the_embedded_encoder() {
        let embedded = encoder().unwrap();
        assert!(embedded.strangers().is_some());
        assert_eq!(scale_of(embedded.as_ref()).unwrap(), ScoreScale::COSINE);
        let measured = scale_of(&Stranger(embedded)).unwrap();
        for (measured, stated) in [
            (measured.floor, ScoreScale::COSINE.floor),
            (measured.unrelated, ScoreScale::COSINE.unrelated),
            (measured.silent, ScoreScale::COSINE.silent),
            (measured.sure, ScoreScale::COSINE.sure),
        ] {
            assert!((measured - stated).abs() < 2e-3, "{measured} {stated}");
        }
        assert_ne!(measured, ScoreScale::COSINE, "it was measured");
    }

    #[test]
    fn rerankers_are_no_part_of_a_retriever_and_its_encoder() {
        for (name, parts) in [
            ("bm25", ("bm25", "minilm")),
            ("dense@static", ("dense", "static")),
            ("bm25+maxsim", ("bm25", "minilm")),
            ("bm25+maxsim@late", ("bm25", "minilm")),
            ("plaid@late+minilm", ("plaid", "late")),
            ("plaid@late+static+maxsim@other", ("plaid", "late")),
            ("bm25:title=2+maxsim@late", ("bm25:title=2", "minilm")),
        ] {
            assert_eq!(split_retriever(name), parts, "{name}");
        }
    }

    #[test]
    fn late_interaction_is_told_apart_from_other_rerankers() {
        assert_eq!(maxsim_encoder("maxsim"), Some("minilm"));
        assert_eq!(
            maxsim_encoder("maxsim@minilm:sentences"),
            Some("minilm:sentences")
        );
        assert_eq!(maxsim_encoder("maxsim-all"), None);
        assert_eq!(maxsim_encoder("no-such-model"), None);
    }
}
