//! Graph memory: links from names to the passages that define them.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::path::Path;
use std::sync::Arc;

use indago_core::ports::{EncodeError, Encoder, Matrix, Retriever, Role};
use indago_core::{Cancel, Filters, Query, RetrieverWeight};
use indago_retriever::retrievers::Graph;
use indago_retriever::{Corpus, CorpusWriter};
use support::{files, index};

const FILM: &str = "The Glass Harbour is a 1931 drama film. It was directed by Signe Ravnkilde and shot in one winter.";
const DIRECTOR: &str =
    "Signe Ravnkilde (1894-1961) was a Norwegian painter. She grew up on a farm near Tromsoe.";

/// A film, its director, and passages that share the question's words without answering it.
fn pairs() -> Vec<(String, String)> {
    let mut pairs = files(&[("film.txt", FILM), ("painter.txt", DIRECTOR)]);
    for i in 0..30 {
        let text = format!(
            "Village number {i} is where a drama film director was born, some say, in a harbour."
        );
        pairs.push((format!("village{i}.txt"), text));
    }
    pairs
}

fn found(dir: &Path, name: &str, query: &Query, k: usize) -> Vec<String> {
    let corpus = Corpus::open(dir).unwrap().unwrap();
    let retriever = corpus.retriever(name, None).unwrap();
    let hits = retriever.search(query, k, &Cancel::new()).unwrap();
    hits.iter()
        .map(|hit| corpus.source_of(hit.passage).unwrap().unwrap().path)
        .collect()
}

const QUESTION: &str = "Where was the director of the film The Glass Harbour born?";

#[test]
fn a_name_leads_to_a_passage_without_a_word_of_the_question() {
    let dir = tempfile::tempdir().unwrap();
    index(dir.path(), &pairs());
    let query = Query::new(QUESTION);
    assert!(!found(dir.path(), "fused", &query, 10).contains(&"painter.txt".to_owned()));
    let linked = found(dir.path(), "graph", &query, 2);
    assert_eq!(linked, ["film.txt", "painter.txt"]);

    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    let graph = corpus.retriever("graph", None).unwrap();
    let hits = graph.search(&query, 2, &Cancel::new()).unwrap();
    let why: Vec<&str> = hits[1].why.iter().map(|w| w.retriever.as_str()).collect();
    assert_eq!(why, ["links"]);
}

#[test]
fn a_rare_name_that_nothing_defines_ties_passages_together() {
    let dir = tempfile::tempdir().unwrap();
    let mut pairs = pairs();
    // From the middle of an article: nobody is introduced, and no title says who it is about.
    let farm = "For some years a small farm near Tromsoe was home to young Signe Ravnkilde.";
    pairs[1] = ("farm.txt".to_owned(), farm.to_owned());
    index(dir.path(), &pairs);
    let query = Query::new(QUESTION);
    assert!(!found(dir.path(), "fused", &query, 60).contains(&"farm.txt".to_owned()));
    assert!(found(dir.path(), "graph", &query, 60).contains(&"farm.txt".to_owned()));

    // A name that many passages have ties nothing together.
    for i in 0..8 {
        let text = format!("Letter {i} was sent to Signe Ravnkilde in spring.");
        pairs.push((format!("letter{i}.txt"), text));
    }
    let crowded = tempfile::tempdir().unwrap();
    index(crowded.path(), &pairs);
    assert!(!found(crowded.path(), "graph", &query, 60).contains(&"farm.txt".to_owned()));
}

#[test]
fn links_follow_the_corpus_as_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let mut pairs = pairs();
    let query = Query::new(QUESTION);
    let director = pairs.remove(1);
    index(dir.path(), &pairs);
    assert!(!found(dir.path(), "graph", &query, 10).contains(&"painter.txt".to_owned()));
    pairs.push(director);
    index(dir.path(), &pairs);
    assert_eq!(found(dir.path(), "graph", &query, 2)[1], "painter.txt");
    pairs.pop();
    index(dir.path(), &pairs);
    assert!(!found(dir.path(), "graph", &query, 10).contains(&"painter.txt".to_owned()));
}

#[test]
fn filters_hold_for_linked_passages_too() {
    let dir = tempfile::tempdir().unwrap();
    index(dir.path(), &pairs());
    let query = Query {
        filters: Filters {
            paths: vec!["film.txt".into(), "village*".into()],
            ..Filters::default()
        },
        ..Query::new(QUESTION)
    };
    let hits = found(dir.path(), "graph", &query, 40);
    assert_eq!(hits[0], "film.txt");
    assert!(!hits.contains(&"painter.txt".to_owned()));
}

#[test]
fn a_query_that_names_its_retrievers_gets_no_links() {
    let dir = tempfile::tempdir().unwrap();
    index(dir.path(), &pairs());
    let query = Query {
        retrievers: vec![RetrieverWeight {
            name: "bm25".into(),
            weight: 1.0,
        }],
        ..Query::new(QUESTION)
    };
    let graph = found(dir.path(), "graph", &query, 10);
    assert_eq!(graph, found(dir.path(), "fused", &query, 10));
}

/// Knows that vessels are ships; what says `ships` in so many words is a little less near.
struct Meaning;

impl Encoder for Meaning {
    fn name(&self) -> &'static str {
        "meaning"
    }

    fn fingerprint(&self) -> &'static str {
        "meaning/1"
    }

    fn dim(&self) -> usize {
        2
    }

    fn encode(&self, texts: &[&str], role: Role, _: &Cancel) -> Result<Matrix, EncodeError> {
        let vector = |text: &&str| match role {
            Role::Passage if !text.contains("Vessels") => [0.9, 0.19_f32.sqrt()],
            Role::Passage | Role::Query => [1.0, 0.0],
        };
        let mut matrix = Matrix::zeros(texts.len(), 2);
        matrix.data = texts.iter().flat_map(vector).collect();
        Ok(matrix)
    }
}

/// A corpus of `pairs` with vectors of [`Meaning`].
fn indexed_by_meaning(dir: &Path, pairs: &[(String, String)]) -> Corpus {
    index(dir, pairs);
    let mut writer = CorpusWriter::open(dir, &support::options()).unwrap();
    writer
        .embed_missing(&Meaning, |_| (), &Cancel::new())
        .unwrap();
    drop(writer);
    Corpus::open(dir).unwrap().unwrap()
}

#[test]
fn what_is_nearest_in_meaning_keeps_a_place_among_the_first_ten() {
    let dir = tempfile::tempdir().unwrap();
    let mut pairs = files(&[("bay.txt", "Vessels lie at anchor in the quiet bay.")]);
    for i in 0..20 {
        let text = format!("At berth {i} ships rest overnight.");
        pairs.push((format!("berth{i}.txt"), text));
    }
    let corpus = indexed_by_meaning(dir.path(), &pairs);
    let place = |retriever: &dyn Retriever| {
        let query = Query::new("Where do ships rest?");
        let hits = retriever.search(&query, 30, &Cancel::new()).unwrap();
        assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
        hits.iter().position(|hit| {
            let source = corpus.source_of(hit.passage).unwrap().unwrap();
            source.path == "bay.txt"
        })
    };
    let dense = corpus.retriever("dense", Some(Arc::new(Meaning))).unwrap();
    assert_eq!(place(&*dense), Some(0));
    let graph = || Graph::over(&corpus, Some(Arc::new(Meaning))).unwrap();
    let without = graph().without("-nearest".parse().unwrap());
    assert_eq!(place(&without), Some(20));
    // The other of the nearest two is a berth.
    assert!(matches!(place(&graph()), Some(8 | 9)));
}

#[test]
fn odd_queries_are_answered() {
    let dir = tempfile::tempdir().unwrap();
    index(dir.path(), &pairs());
    let long: String = (0..10_000)
        .map(|i| {
            if i % 3 == 0 {
                "Glass Harbour "
            } else {
                "director "
            }
        })
        .collect();
    for (text, k) in [
        ("", 5),
        ("   ", 5),
        ("?!", 5),
        ("zzyzx", 5),
        (QUESTION, 0),
        (QUESTION, 10_000),
        (long.as_str(), 10),
    ] {
        let hits = found(dir.path(), "graph", &Query::new(text), k);
        assert!(hits.len() <= k.min(32), "{text:.20} {k}");
    }
    // More is asked than there is: everything that any list or link holds, once.
    let mut all = found(dir.path(), "graph", &Query::new(QUESTION), 10_000);
    let n = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), n);
    assert!(all.contains(&"painter.txt".to_owned()));
    assert!(found(dir.path(), "graph", &Query::new(""), 5).is_empty());
}

#[test]
fn a_walk_over_phrases_reaches_a_passage_without_a_word_of_the_question() {
    let dir = tempfile::tempdir().unwrap();
    index(dir.path(), &pairs());
    let query = Query::new(QUESTION);
    let walked = found(dir.path(), "ppr", &query, 10);
    assert_eq!(walked[0], "film.txt");
    assert!(walked.contains(&"painter.txt".to_owned()), "{walked:?}");
    let again = found(dir.path(), "ppr", &query, 10);
    assert_eq!(walked, again);
    let filtered = Query {
        filters: Filters {
            paths: vec!["village*".into()],
            ..Filters::default()
        },
        ..query
    };
    let hits = found(dir.path(), "ppr", &filtered, 50);
    assert!(!hits.is_empty() && hits.iter().all(|path| path.starts_with("village")));
    assert!(found(dir.path(), "ppr", &Query::new(""), 10).is_empty());
}

#[test]
fn a_walk_starts_from_the_fact_that_means_what_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let orders = "Vessels lie at anchor by order of Ada Quill. Bruno Lund counts how ships rest.";
    let pairs = files(&[
        ("orders.txt", orders),
        ("quill.txt", "Ada Quill came from a village in the hills."),
        ("lund.txt", "Bruno Lund came from a village in the hills."),
        ("bread.txt", "Bread needs flour, water, salt and yeast."),
    ]);
    let corpus = indexed_by_meaning(dir.path(), &pairs);
    let found = |encoder: Option<Arc<dyn Encoder>>| -> Vec<String> {
        let walk = corpus.retriever("ppr", encoder).unwrap();
        let query = Query::new("Where do ships rest?");
        let hits = walk.search(&query, 3, &Cancel::new()).unwrap();
        hits.iter()
            .map(|hit| corpus.source_of(hit.passage).unwrap().unwrap().path)
            .collect()
    };
    assert_eq!(
        found(Some(Arc::new(Meaning))),
        ["orders.txt", "quill.txt", "lund.txt"]
    );
    // Words alone lead to the other.
    assert_eq!(found(None)[..2], ["orders.txt", "lund.txt"]);
}
