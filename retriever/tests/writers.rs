//! Writers: what a crash, a second writer, a damaged disk and odd input leave behind.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use indago_core::ports::{
    CorpusStats, DocumentStore, EncodeError, Encoder, ExtractError, FactExtractor, Facts, Matrix,
    NameIndex, RetrieveError, Role, Triple,
};
use indago_core::{Cancel, Cancelled, Query};
use indago_retriever::{
    Corpus, CorpusWriter, IndexError, Propositions, Stage, prepare, retrievers, verify,
};
use proptest::prelude::*;
use support::{WordHasher, document, files, index, index_with, options, state};

const QUERIES: [&str; 4] = [
    "harbour",
    "river bridge",
    "old stone tower",
    "names of the town",
];

/// Everything a reader can see that must not depend on how the corpus came about.
fn view(dir: &Path) -> BTreeMap<String, Vec<String>> {
    let corpus = Corpus::open(dir).unwrap().unwrap();
    let encoder = Arc::new(WordHasher::new());
    let mut view = BTreeMap::new();
    let mut ids: Vec<String> = corpus.passage_ids().map(|id| id.to_string()).collect();
    ids.sort();
    view.insert("passages".to_owned(), ids);
    for text in QUERIES {
        for name in ["bm25", "dense", "fused", "graph"] {
            let retriever = corpus.retriever(name, Some(encoder.clone())).unwrap();
            let hits = retriever
                .search(&Query::new(text), 50, &Cancel::new())
                .unwrap();
            let mut hits: Vec<String> = hits
                .iter()
                .map(|hit| format!("{:.4} {} {:?}", hit.score, hit.passage, hit.duplicates))
                .collect();
            // Sums in another order differ in the last bit, which may swap neighbours.
            hits.sort();
            view.insert(format!("{name} {text}"), hits);
        }
        let names = corpus.defining(text, 10);
        let names = names
            .iter()
            .map(|hit| format!("{:.3} {}", hit.score, hit.passage))
            .collect();
        view.insert(format!("names {text}"), names);
        let frequency = corpus.document_frequency(text.split(' ').next().unwrap());
        view.insert(format!("df {text}"), vec![frequency.to_string()]);
    }
    assert!(corpus.health().is_empty());
    view
}

fn embed(dir: &Path) {
    let mut writer = CorpusWriter::open(dir, &options()).unwrap();
    writer
        .embed_missing(&WordHasher::new(), |_| (), &Cancel::new())
        .unwrap();
}

/// Every kind of index that is made on request.
fn embed_further(dir: &Path) {
    let mut writer = CorpusWriter::open(dir, &options()).unwrap();
    let (encoder, cancel) = (
        Propositions::new(Arc::new(WordHasher::new())),
        Cancel::new(),
    );
    let fingerprint = encoder.fingerprint().to_owned();
    writer.link_vectors(&fingerprint, true, &cancel).unwrap();
    let tokens = encoder.tokens().unwrap();
    writer.embed_tokens(tokens, true, |_| (), &cancel).unwrap();
    writer.build_sparse(None, &cancel).unwrap();
    writer
        .extract_facts(&FirstWords, 2, |_, _| (), &cancel)
        .unwrap();
}

/// Holds the first two words of a passage for a fact.
struct FirstWords;

impl FactExtractor for FirstWords {
    fn name(&self) -> &'static str {
        "first words"
    }

    fn fingerprint(&self) -> &'static str {
        "first words 1"
    }

    fn extract(&self, _: &str, text: &str, _: &Cancel) -> Result<Facts, ExtractError> {
        let mut words = text.split_whitespace().map(str::to_owned);
        let mut next = || words.next().unwrap_or_default();
        let (subject, object) = (next(), next());
        let names = vec![subject.clone()];
        let relation = "with".to_owned();
        let triples = vec![Triple {
            subject,
            relation,
            object,
        }];
        Ok(Facts { names, triples })
    }
}

fn one_file() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "harbour", "river", "bridge", "old", "stone", "tower", "town", "boats", "market", "Alston",
    ]);
    let sentence = prop::collection::vec(word, 1..12).prop_map(|words| words.join(" "));
    prop::collection::vec(sentence, 0..4).prop_map(|paragraphs| paragraphs.join("\n\n"))
}

fn some_files() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::btree_map("[a-f]", one_file(), 0..6)
        .prop_map(|files| files.into_iter().collect())
}

/// A damaged vector in the middle of the log is made again, and nothing of it stays behind: neither
/// where its passage is still there nor where it is gone.
#[test]
fn a_damaged_vector_is_made_again_and_leaves_nothing_behind() {
    let both = files(&[("a", "old stone tower"), ("b", "river bridge\n\nboats")]);
    for start_over in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        index(dir.path(), &both);
        embed(dir.path());
        let log = all_files(&dir.path().join("vectors"))
            .into_iter()
            .find(|path| path.extension().is_some_and(|end| end == "log"))
            .unwrap();
        let whole = view(dir.path());
        // Every record but the last, whichever passage each is of.
        let mut bytes = fs::read(&log).unwrap();
        let records = (bytes.len() - 64) / 2;
        for byte in &mut bytes[64 + 20..64 + records] {
            *byte ^= 0x5a;
        }
        fs::write(&log, &bytes).unwrap();
        assert!(!verify(dir.path()).unwrap().is_empty());
        if start_over {
            let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
            writer.start_over();
            index_with(&mut writer, &files(&[("a", "old stone tower")]), |_| Ok(())).unwrap();
        }
        embed(dir.path());
        assert!(
            verify(dir.path()).unwrap().is_empty(),
            "start over: {start_over}"
        );
        if !start_over {
            assert_eq!(view(dir.path()), whole);
        }
    }
}

#[test]
fn a_second_corpus_makes_no_vector_that_the_first_one_has() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = |dir: &Path, lenders: Vec<PathBuf>| {
        let encoder = WordHasher::new();
        let mut writer = CorpusWriter::open(dir, &options())
            .unwrap()
            .borrowing_from(lenders);
        writer
            .embed_missing(&encoder, |_| (), &Cancel::new())
            .unwrap();
        encoder.encoded.into_inner()
    };
    index(
        first.path(),
        &files(&[("a", "old stone tower"), ("b", "river")]),
    );
    assert_eq!(made(first.path(), vec![second.path().to_owned()]), 2);
    index(second.path(), &files(&[("b", "river"), ("c", "boats")]));
    let lenders = vec![
        second.path().to_owned(),
        second.path().join("nothing"),
        first.path().to_owned(),
    ];
    assert_eq!(made(second.path(), lenders), 1, "only `boats` is new");
    assert!(verify(second.path()).unwrap().is_empty());
    // A damaged vector is not copied.
    let third = tempfile::tempdir().unwrap();
    let log = all_files(&first.path().join("vectors"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "log"))
        .unwrap();
    let mut bytes = fs::read(&log).unwrap();
    let n = bytes.len();
    bytes[n - 1] ^= 1;
    bytes[64 + 20] ^= 1;
    fs::write(&log, &bytes).unwrap();
    index(
        third.path(),
        &files(&[("a", "old stone tower"), ("b", "river")]),
    );
    assert_eq!(made(third.path(), vec![first.path().to_owned()]), 2);
}

#[test]
fn an_index_whose_list_is_damaged_is_refused_and_made_anew_on_request() {
    let dir = tempfile::tempdir().unwrap();
    index(dir.path(), &files(&[("a", "old stone tower")]));
    fs::write(dir.path().join("manifest.json"), "{}").unwrap();
    assert!(CorpusWriter::open(dir.path(), &options()).is_err());
    let mut writer = CorpusWriter::open_anew(dir.path(), &options()).unwrap();
    assert!(
        Corpus::open(dir.path()).is_err(),
        "untouched until the new one is there"
    );
    index_with(&mut writer, &files(&[("b", "river")]), |_| Ok(())).unwrap();
    assert!(verify(dir.path()).unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(12) })]
    #[test]
    fn adding_changing_and_removing_equals_a_rebuild(
        states in prop::collection::vec(some_files(), 2..4),
    ) {
        let grown = tempfile::tempdir().unwrap();
        for files in &states {
            index(grown.path(), files);
            embed(grown.path());
        }
        let rebuilt = tempfile::tempdir().unwrap();
        index(rebuilt.path(), states.last().unwrap());
        embed(rebuilt.path());
        prop_assert_eq!(view(grown.path()), view(rebuilt.path()));
    }

    #[test]
    fn any_flipped_byte_of_a_corpus_is_noticed(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        mask in 1u8..,
    ) {
        let dir = tempfile::tempdir().unwrap();
        index(dir.path(), &files(&[("a", "old stone tower"), ("b", "river bridge\n\nboats")]));
        embed(dir.path());
        embed_further(dir.path());
        prop_assert!(verify(dir.path()).unwrap().is_empty());
        let all: Vec<PathBuf> =
            all_files(dir.path()).into_iter().filter(|p| fs::metadata(p).unwrap().len() > 0).collect();
        let path = &all[file.index(all.len())];
        let mut bytes = fs::read(path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= mask;
        fs::write(path, &bytes).unwrap();
        let noticed = verify(dir.path()).map_or(true, |problems| !problems.is_empty());
        prop_assert!(noticed, "byte {} of {}", at, path.display());
        // Whatever a reader makes of it, it does not panic.
        if let Ok(Some(corpus)) = Corpus::open(dir.path()) {
            for id in corpus.passage_ids().collect::<Vec<_>>() {
                let _ = corpus.passage(id);
            }
            for name in ["bm25", "dense", "fused", "graph", "exact", "ppr", "sparse", "ann", "plaid", "xtr"] {
                let encoder = Propositions::new(Arc::new(WordHasher::new()));
                if let Ok(retriever) = corpus.retriever(name, Some(Arc::new(encoder))) {
                    let _ = retriever.search(&Query::new("river tower"), 5, &Cancel::new());
                }
            }
            let _ = corpus.defining("a", 3);
        }
        // Made again on request, it is whole, whatever was damaged.
        let mut writer = CorpusWriter::open_anew(dir.path(), &options()).unwrap();
        index_with(&mut writer, &files(&[("a", "old stone tower")]), |_| Ok(())).unwrap();
        drop(writer);
        embed(dir.path());
        embed_further(dir.path());
        prop_assert!(verify(dir.path()).unwrap().is_empty(), "{}", path.display());
        let corpus = Corpus::open(dir.path()).unwrap().unwrap();
        prop_assert_eq!(corpus.passage_ids().count(), 1);
    }
}

/// Every file that belongs to the index.
fn all_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(all_files(&path));
        } else if !path.to_string_lossy().ends_with("lock") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn a_writer_that_dies_at_any_stage_leaves_the_old_or_the_new_index() {
    let before = files(&[("a", "old stone tower"), ("b", "river bridge")]);
    let after = files(&[
        ("a", "old stone tower"),
        ("b", "harbour town"),
        ("c", "boats"),
    ]);
    let stages = [
        Stage::Documents,
        Stage::Lexical,
        Stage::Names,
        Stage::Vectors,
        Stage::Publish,
        Stage::Cleanup,
    ];
    for stage in stages {
        let dir = tempfile::tempdir().unwrap();
        index(dir.path(), &before);
        embed(dir.path());
        let old = view(dir.path());
        {
            let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
            let stop = |now: Stage| if now == stage { Err(Cancelled) } else { Ok(()) };
            let outcome = index_with(&mut writer, &after, stop);
            assert!(
                matches!(outcome, Err(IndexError::Cancelled(_))),
                "{stage:?}"
            );
        }
        // As a kill would, it has left its files where they were.
        let survived = view(dir.path());
        if stage == Stage::Cleanup {
            assert_ne!(survived, old);
        } else {
            assert_eq!(survived, old, "{stage:?}");
        }
        let read = index(dir.path(), &after);
        assert_eq!(
            read,
            if stage == Stage::Cleanup { 0 } else { 2 },
            "{stage:?}"
        );
        embed(dir.path());
        let fresh = tempfile::tempdir().unwrap();
        index(fresh.path(), &after);
        embed(fresh.path());
        assert_eq!(view(dir.path()), view(fresh.path()), "{stage:?}");
        let generations = fs::read_dir(dir.path()).unwrap().flatten();
        let generations = generations.filter(|e| e.file_name().to_string_lossy().starts_with('g'));
        assert_eq!(generations.count(), 1, "{stage:?} leaves nothing behind");
    }
}

#[test]
fn a_second_writer_is_told_who_holds_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let first = CorpusWriter::open(dir.path(), &options()).unwrap();
    let error = CorpusWriter::open(dir.path(), &options()).unwrap_err();
    match &error {
        IndexError::Locked { holder, .. } => assert_eq!(*holder, std::process::id().to_string()),
        other => panic!("{other}"),
    }
    assert!(error.to_string().contains("being indexed by process"));
    drop(first);
    CorpusWriter::open(dir.path(), &options()).unwrap();
}

#[test]
fn a_reader_keeps_its_state_while_a_writer_replaces_it() {
    let dir = tempfile::tempdir().unwrap();
    index(
        dir.path(),
        &files(&[("a", "old stone tower"), ("b", "river bridge")]),
    );
    embed(dir.path());
    let reader = Corpus::open(dir.path()).unwrap().unwrap();
    index(dir.path(), &files(&[("c", "harbour")]));
    index(dir.path(), &files(&[("d", "boats")]));
    let bm25 = reader.retriever("bm25", None).unwrap();
    let dense = reader
        .retriever("dense", Some(Arc::new(WordHasher::new())))
        .unwrap();
    for retriever in [bm25, dense] {
        let hits = retriever
            .search(&Query::new("stone tower"), 1, &Cancel::new())
            .unwrap();
        let passages = reader.passages(&[hits[0].passage]).unwrap();
        assert_eq!(passages[0].text, "old stone tower");
    }
}

#[test]
fn readers_open_whole_states_while_a_writer_publishes() {
    let dir = tempfile::tempdir().unwrap();
    index(dir.path(), &files(&[("f0", "town 0")]));
    let path = dir.path().to_owned();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for i in 1..15 {
                index(
                    &path,
                    &files(&[("f", &format!("town {i}")), ("g", &format!("town {i}"))]),
                );
            }
        });
        let mut seen = 0;
        while !writer.is_finished() || seen == 0 {
            let corpus = Corpus::open(&path).unwrap().unwrap();
            let ids: Vec<_> = corpus.passage_ids().collect();
            let texts: Vec<String> = corpus
                .passages(&ids)
                .unwrap()
                .into_iter()
                .map(|p| p.text)
                .collect();
            assert_eq!(texts.len(), ids.len());
            assert!(texts.windows(2).all(|pair| pair[0] == pair[1]), "{texts:?}");
            let bm25 = corpus.retriever("bm25", None).unwrap();
            let hits = bm25.search(&Query::new("town"), 5, &Cancel::new()).unwrap();
            assert_eq!(hits.len(), ids.len());
            seen += 1;
        }
    });
}

#[test]
fn unchanged_files_are_not_read_and_settings_change_everything() {
    let dir = tempfile::tempdir().unwrap();
    let all = files(&[("a", "old stone tower"), ("b", "river bridge")]);
    assert_eq!(index(dir.path(), &all), 2);
    assert_eq!(index(dir.path(), &all), 0);
    let mut other = options();
    other.settings = "chunks of another size".into();
    let mut writer = CorpusWriter::open(dir.path(), &other).unwrap();
    assert_eq!(index_with(&mut writer, &all, |_| Ok(())).unwrap(), 2);
    // Until the new settings were published, the old index was there.
    assert_eq!(writer.plan(&[state("a", "old stone tower")]).removed, ["b"]);
}

#[test]
fn a_document_id_is_used_once_and_the_writer_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
    let mut next = writer.build(&[]).unwrap();
    let add = |text: &str| {
        let (document, passages) = document("same", "", text);
        prepare(document, passages, indago_text::Language::English).unwrap()
    };
    next.file(state("one.jsonl", "1"));
    next.add(&add("first")).unwrap();
    next.file(state("two.jsonl", "2"));
    match next.add(&add("second")) {
        Err(IndexError::DuplicateDocument { id, first, .. }) => {
            assert_eq!((id.as_str(), first.as_str()), ("same", "one.jsonl"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(next.commit(true, |_| Ok(())).unwrap().documents, 1);
}

#[test]
fn a_passage_that_does_not_fit_its_document_is_refused() {
    let (document, mut passages) = document("a", "", "old stone tower");
    passages[0].span.end = 400;
    assert!(matches!(
        prepare(document, passages, indago_text::Language::English),
        Err(IndexError::BadPassage { .. })
    ));
}

#[test]
fn odd_queries_and_empty_corpora_give_few_hits_and_no_errors() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Corpus::open(dir.path()).unwrap().is_none());
    assert!(Corpus::open(&dir.path().join("none")).unwrap().is_none());
    let encoder = Arc::new(WordHasher::new());
    index(dir.path(), &[]);
    embed(dir.path());
    let search = |text: &str, k: usize| -> Vec<usize> {
        let corpus = Corpus::open(dir.path()).unwrap().unwrap();
        ["bm25", "dense", "fused"]
            .into_iter()
            .map(|name| {
                let retriever = corpus.retriever(name, Some(encoder.clone())).unwrap();
                retriever
                    .search(&Query::new(text), k, &Cancel::new())
                    .unwrap()
                    .len()
            })
            .collect()
    };
    assert_eq!(search("tower", 10), [0, 0, 0]);
    index(
        dir.path(),
        &files(&[("a", "old stone tower"), ("b", "river bridge"), ("c", "")]),
    );
    embed(dir.path());
    embed_further(dir.path());
    assert_eq!(search("tower", 1_000_000), [1, 2, 2]);
    assert_eq!(search("", 10), [0, 0, 0]);
    assert_eq!(search("the of and", 10)[0], 0);
    assert_eq!(search("tower", 0), [0, 0, 0]);
    let many: Vec<String> = (0..20_000).map(|i| format!("w{i}")).collect();
    let long = many.join(" ") + " tower";
    assert!(long.len() > 100_000);
    assert_eq!(search(&long, 10)[0], 1);
    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    let sentences = Arc::new(Propositions::new(encoder));
    for name in retrievers::names() {
        let retriever = corpus.retriever(name, Some(sentences.clone())).unwrap();
        let find = |text: &str, k: usize| {
            let hits = retriever.search(&Query::new(text), k, &Cancel::new());
            hits.unwrap_or_else(|error| panic!("{name}: {error}")).len()
        };
        assert!(find("tower", usize::MAX) >= 1, "{name}");
        assert!(find(&long, 10) <= 10, "{name}");
        assert_eq!(
            (find("", 10), find(" \n", 10), find("tower", 0)),
            (0, 0, 0),
            "{name}"
        );
        for text in ["the of and", "\u{1F5FC}\u{1F5FC}", "a\u{0301}\n\n\t-- ((("] {
            assert!(find(text, 10) <= 2, "{name} {text:?}");
        }
    }
    let cancel = Cancel::new();
    cancel.cancel();
    for name in retrievers::names() {
        let retriever = corpus.retriever(name, Some(sentences.clone())).unwrap();
        let outcome = retriever.search(&Query::new("tower"), 5, &cancel);
        assert!(
            matches!(outcome, Err(RetrieveError::Cancelled(_))),
            "{name}"
        );
    }
}

#[test]
fn near_duplicates_fold_into_the_best_and_other_numbers_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let text = "The harbour of the old town was rebuilt in 1907 after the great storm, and its \
                stone tower has guided boats along the river ever since that time.";
    let pairs = [
        ("a", text.to_owned()),
        ("b", text.replace("great storm,", "great storm")),
        ("c", text.replace("1907", "1911")),
    ];
    let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
    let mut next = writer.build(&[]).unwrap();
    for (id, text) in &pairs {
        next.file(state(id, text));
        let (document, passages) = document(id, "", text);
        next.add(&prepare(document, passages, indago_text::Language::English).unwrap())
            .unwrap();
    }
    next.commit(true, |_| Ok(())).unwrap();
    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    let bm25 = corpus.retriever("bm25", None).unwrap();
    let hits = bm25
        .search(&Query::new("harbour storm"), 5, &Cancel::new())
        .unwrap();
    assert_eq!(hits.len(), 3);
    let hits = corpus.collapse(hits).unwrap();
    let folded: Vec<usize> = hits.iter().map(|hit| hit.duplicates.len()).collect();
    assert_eq!((hits.len(), folded.iter().sum::<usize>()), (2, 1));
}

/// What a broken encoder gives.
#[derive(Clone, Copy, Debug)]
enum Broken {
    NotANumber,
    Longer,
    Fewer,
}

/// An encoder that breaks for the texts that hold `bad`.
struct Breaking(WordHasher, Broken);

impl Encoder for Breaking {
    fn name(&self) -> &'static str {
        "breaking"
    }

    fn fingerprint(&self) -> &str {
        self.0.fingerprint()
    }

    fn dim(&self) -> usize {
        self.0.dim()
    }

    fn encode(&self, texts: &[&str], role: Role, cancel: &Cancel) -> Result<Matrix, EncodeError> {
        let mut matrix = self.0.encode(texts, role, cancel)?;
        if texts.iter().any(|text| text.contains("bad")) {
            match self.1 {
                Broken::NotANumber => matrix.data[3] = f32::NAN,
                Broken::Longer => {
                    matrix.dim += 1;
                    matrix.data.resize(matrix.rows * matrix.dim, 0.0);
                }
                Broken::Fewer => matrix = Matrix::zeros(0, self.dim()),
            }
        }
        Ok(matrix)
    }
}

#[test]
fn vectors_of_another_length_or_without_numbers_are_refused_by_name() {
    for broken in [Broken::NotANumber, Broken::Longer, Broken::Fewer] {
        let dir = tempfile::tempdir().unwrap();
        let mut documents = files(&[("a", "old stone tower"), ("b", "river bridge")]);
        index(dir.path(), &documents);
        let encoder = Arc::new(Breaking(WordHasher::new(), broken));
        let fill = || {
            let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
            writer.embed_missing(encoder.as_ref(), |_| (), &Cancel::new())
        };
        fill().unwrap();
        documents.extend(files(&[("c", "a bad day")]));
        index(dir.path(), &documents);
        let error = fill().unwrap_err().to_string();
        assert!(error.contains("breaking"), "{broken:?}: {error}");
        let corpus = Corpus::open(dir.path()).unwrap().unwrap();
        let dense = corpus.retriever("dense", Some(encoder.clone())).unwrap();
        let search = |text: &str| dense.search(&Query::new(text), 5, &Cancel::new());
        assert_eq!(search("tower").unwrap().len(), 2, "what was made stays");
        let error = search("bad tower").unwrap_err().to_string();
        assert!(error.contains("breaking"), "{broken:?}: {error}");
        // BM25 goes on without vectors.
        let lexical = corpus.retriever("bm25", None).unwrap();
        assert_eq!(
            lexical
                .search(&Query::new("bad"), 5, &Cancel::new())
                .unwrap()
                .len(),
            1
        );
    }
}
