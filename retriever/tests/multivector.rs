//! Compressed late interaction against brute force.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::sync::Arc;

use indago_core::ports::{DocumentStore as _, Encoder, Matrix, RetrieveError};
use indago_core::{Cancel, Filters, Query};
use indago_kernels::RowsF32;
use indago_kernels::reference;
use indago_retriever::multivector::{
    Codec, FixedDimension, Index, IndexBuilder, Scope, k_means, nearest,
};
use indago_retriever::{Corpus, CorpusWriter, Propositions};
use proptest::prelude::*;
use support::{WordHasher, Words, WordsAlone, files, index, options};

struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    }

    /// `n` vectors of length 1 around a few topics.
    fn tokens(&mut self, topics: &[f32], dim: usize, n: usize) -> Vec<f32> {
        let mut out = Vec::new();
        for _ in 0..n {
            let topic = (self.next().abs() * (topics.len() / dim) as f32) as usize;
            let topic = &topics[topic.min(topics.len() / dim - 1) * dim..][..dim];
            let row: Vec<f32> = topic.iter().map(|t| t + 0.8 * self.next()).collect();
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-9);
            out.extend(row.iter().map(|x| x / length));
        }
        out
    }
}

const WIDE: usize = 24;
const EVERYTHING: Scope = Scope {
    probes: usize::MAX,
    candidates: usize::MAX / 8,
};

/// Passages with their matrices, and some queries.
fn sample(n: usize, bits: usize, seed: u64) -> (Vec<Vec<f32>>, Index, Vec<Matrix>) {
    let mut random = Random(seed | 1);
    let topics: Vec<f32> = (0..20 * WIDE).map(|_| random.next()).collect();
    let passages: Vec<Vec<f32>> = (0..n)
        .map(|i| random.tokens(&topics, WIDE, 3 + i % 9))
        .collect();
    let all = passages.concat();
    let codec = Codec::train(&all, WIDE, bits, all.len() / WIDE, &Cancel::new()).unwrap();
    let mut builder = IndexBuilder::new(codec);
    let views: Vec<&[f32]> = passages.iter().map(Vec::as_slice).collect();
    for part in views.chunks(7) {
        builder.push(part, &Cancel::new()).unwrap();
    }
    let queries = (0..12)
        .map(|i| {
            let data = random.tokens(&topics, WIDE, 2 + i % 4);
            Matrix {
                rows: data.len() / WIDE,
                dim: WIDE,
                data,
            }
        })
        .collect();
    (passages, builder.finish(), queries)
}

/// Mean over query tokens of the best dot product, in f64.
fn brute(query: &Matrix, passage: &[f32]) -> f64 {
    let best = |q: &[f32]| {
        let dots = passage
            .chunks_exact(query.dim)
            .map(|d| reference::dot_f32(q, d));
        dots.fold(f64::NEG_INFINITY, f64::max)
    };
    let sum: f64 = query.data.chunks_exact(query.dim).map(best).sum();
    sum / query.rows as f64
}

/// Brute force over what the index stores.
fn brute_ranking(index: &Index, query: &Matrix) -> Vec<(u32, f64)> {
    let mut all: Vec<(u32, f64)> = (0..index.len() as u32)
        .map(|passage| {
            let mut tokens = Vec::new();
            index.decode(passage, &mut tokens);
            (passage, brute(query, &tokens))
        })
        .collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    all
}

fn close(found: &[(u32, f32)], exact: &[(u32, f64)]) -> bool {
    found.len() == exact.len()
        && found
            .iter()
            .zip(exact)
            .all(|(f, e)| (f64::from(f.1) - e.1).abs() < 1e-4)
}

#[test]
fn with_everything_in_view_each_way_gives_what_brute_force_gives() {
    let (_, index, queries) = sample(160, 4, 3);
    let cancel = Cancel::new();
    for query in &queries {
        let exact = &brute_ranking(&index, query)[..10];
        let all: Vec<u32> = (0..160).collect();
        assert!(close(&index.rank(query, &all, 10, &cancel).unwrap(), exact));
        let plaid = index
            .plaid(query, 10, EVERYTHING, |_| true, &cancel)
            .unwrap();
        assert!(close(&plaid, exact), "{plaid:?} {exact:?}");
        let muvera = index
            .muvera(query, 10, EVERYTHING, |_| true, &cancel)
            .unwrap();
        assert!(close(&muvera, exact));
        let xtr = index.xtr(query, 10, EVERYTHING, |_| true, &cancel).unwrap();
        assert!(close(&xtr, exact), "{xtr:?} {exact:?}");
        let odd = index
            .plaid(query, 10, EVERYTHING, |p| p % 2 == 1, &cancel)
            .unwrap();
        let exact: Vec<_> = brute_ranking(&index, query)
            .into_iter()
            .filter(|(p, _)| p % 2 == 1)
            .take(10)
            .collect();
        assert!(close(&odd, &exact), "filters stay exact");
    }
}

#[test]
fn pruned_searches_keep_most_of_the_best_and_imputed_scores_are_upper_bounds() {
    let (_, index, queries) = sample(400, 4, 9);
    let cancel = Cancel::new();
    let (mut plaid_hits, mut muvera_hits, mut of) = (0, 0, 0);
    let plaid = Scope {
        probes: 8,
        candidates: 320,
    };
    let muvera = Scope {
        probes: 0,
        candidates: 100,
    };
    for query in &queries {
        let ranking = brute_ranking(&index, query);
        let worst = ranking[9].1 - 1e-5;
        let count = |found: Vec<(u32, f32)>| {
            found
                .iter()
                .filter(|(_, score)| f64::from(*score) >= worst)
                .count()
        };
        plaid_hits += count(index.plaid(query, 10, plaid, |_| true, &cancel).unwrap());
        muvera_hits += count(index.muvera(query, 10, muvera, |_| true, &cancel).unwrap());
        of += 10;
        let few = Scope {
            probes: usize::MAX,
            candidates: 40,
        };
        for (passage, score) in index.xtr(query, 400, few, |_| true, &cancel).unwrap() {
            let (_, exact) = ranking.iter().find(|(p, _)| *p == passage).unwrap();
            assert!(f64::from(score) >= exact - 1e-4, "{score} {exact}");
        }
    }
    assert!(plaid_hits * 100 >= of * 90, "{plaid_hits} of {of}");
    assert!(muvera_hits * 100 >= of * 80, "{muvera_hits} of {of}");
}

#[test]
fn more_bits_are_nearer_and_copies_are_the_same() {
    let mut last = f64::INFINITY;
    for bits in [1, 2, 4, 8] {
        let (passages, index, _) = sample(60, bits, 21);
        let mut error = 0.0;
        let mut decoded = Vec::new();
        for (i, passage) in passages.iter().enumerate() {
            decoded.clear();
            index.decode(i as u32, &mut decoded);
            assert_eq!(decoded.len(), passage.len());
            let pairs = decoded.iter().zip(passage);
            error += pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        }
        assert!(error < last, "{bits} bits: {error} after {last}");
        last = error;
        let mut copy = IndexBuilder::new(index.codec().clone());
        for passage in (0..60).rev() {
            copy.copy(&index, passage);
        }
        let copy = copy.finish();
        let mut again = Vec::new();
        copy.decode(59, &mut again);
        decoded.clear();
        index.decode(0, &mut decoded);
        assert_eq!(again, decoded);
    }
    assert!(last < 1.0, "{last}");
}

#[test]
fn encodings_of_one_region_and_of_one_token_are_exact_as_the_paper_says() {
    let cancel = Cancel::new();
    let (passages, ..) = sample(5, 4, 33);
    let dot = |a: &[f32], b: &[f32]| reference::dot_f32(a, b);
    let sum = |tokens: &[f32]| {
        let mut sum = vec![0.0; WIDE];
        for token in tokens.chunks_exact(WIDE) {
            for (s, x) in sum.iter_mut().zip(token) {
                *s += x;
            }
        }
        sum
    };
    // No planes: the query's sum with the passage's mean.
    let whole = FixedDimension::new(WIDE, 0, WIDE, 1, 1);
    let (q, p) = (&passages[0], &passages[1]);
    let expected = dot(&sum(q), &sum(p)) / (p.len() / WIDE) as f64;
    let found = dot(&whole.of_query(q), &whole.of_passage(p));
    assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    // One token a passage: every region holds it, so the estimate is exact.
    let cut = FixedDimension::new(WIDE, 3, WIDE, 4, 5);
    let token = &passages[2][..WIDE];
    let query = Matrix {
        rows: q.len() / WIDE,
        dim: WIDE,
        data: q.clone(),
    };
    let estimate = dot(&cut.of_query(q), &cut.of_passage(token)) / 4.0;
    let exact = brute(&query, token) * query.rows as f64;
    assert!((estimate - exact).abs() < 1e-3, "{estimate} {exact}");
    assert_eq!(FixedDimension::new(WIDE, 4, 8, 20, 1).len(), 2560);
    assert!(
        FixedDimension::new(WIDE, 2, 8, 3, 7)
            .of_passage(&[])
            .iter()
            .all(|x| *x == 0.0)
    );
    // Clusters: the assigned centroid is the best one.
    let all = passages.concat();
    let centroids = k_means(&all, WIDE, 4, 3, &cancel).unwrap();
    let assigned = nearest(&centroids, &all, WIDE, &cancel).unwrap();
    let rows = RowsF32::new(&all, WIDE).unwrap();
    assert_eq!(assigned.len(), rows.len());
    for (row, &centroid) in all.chunks_exact(WIDE).zip(&assigned) {
        let score = |i: usize| dot(row, &centroids[i * WIDE..][..WIDE]);
        assert!((0..4).all(|i| score(i) <= score(centroid as usize) + 1e-6));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn odd_shapes_pass(n in 0usize..6, bits in 1usize..9, k in 0usize..8, seed in any::<u64>()) {
        let (passages, index, queries) = if n == 0 {
            let codec = Codec::train(&[], WIDE, bits, 0, &Cancel::new()).unwrap();
            (Vec::new(), IndexBuilder::new(codec).finish(), sample(1, 4, seed).2)
        } else {
            sample(n, bits, seed)
        };
        let cancel = Cancel::new();
        let none = Matrix { rows: 0, dim: WIDE, data: Vec::new() };
        for query in queries.iter().take(3).chain([&none]) {
            for scope in [EVERYTHING, Scope { probes: 0, candidates: 0 }, Scope { probes: 1, candidates: 1 }] {
                prop_assert!(index.plaid(query, k, scope, |_| true, &cancel).unwrap().len() <= k.min(n));
                prop_assert!(index.muvera(query, k, scope, |_| true, &cancel).unwrap().len() <= k.min(n));
                prop_assert!(index.xtr(query, k, scope, |_| true, &cancel).unwrap().len() <= k.min(n));
            }
        }
        prop_assert_eq!(index.len(), passages.len());
        let wrong = Matrix { rows: 1, dim: WIDE - 1, data: vec![0.0; WIDE - 1] };
        prop_assert!(index.plaid(&wrong, 3, EVERYTHING, |_| true, &cancel).is_err());
        prop_assert!(index.max_sim(&wrong, &[0], &cancel).is_err());
    }
}

const NAMES: [&str; 5] = ["maxsim", "maxsim-all", "muvera", "plaid", "xtr"];

fn texts_of(dir: &std::path::Path, name: &str, query: &Query) -> Vec<String> {
    let corpus = Corpus::open(dir).unwrap().unwrap();
    let encoder: Arc<dyn Encoder> = Arc::new(Words(WordHasher::new()));
    let retriever = corpus.retriever(name, Some(encoder)).unwrap();
    let hits = retriever.search(query, 5, &Cancel::new()).unwrap();
    let ids: Vec<_> = hits.iter().map(|hit| hit.passage).collect();
    let passages = corpus.passages(&ids).unwrap();
    passages.into_iter().map(|passage| passage.text).collect()
}

fn embed(dir: &std::path::Path, wanted: bool) -> usize {
    let mut writer = CorpusWriter::open(dir, &options()).unwrap();
    let encoder = Words(WordHasher::new());
    let cancel = Cancel::new();
    writer.embed_missing(&encoder, |_| {}, &cancel).unwrap();
    let before = encoder.0.count();
    writer
        .embed_tokens(&encoder, wanted, |_| {}, &cancel)
        .unwrap();
    encoder.0.count() - before
}

#[test]
fn token_vectors_are_kept_updated_filtered_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let mut pairs = files(&[
        ("a", "ferry timetable winter harbour"),
        ("b", "lighthouse keeper lamp oil"),
        ("c", "granite quarry workers strike"),
        ("d", "lighthouse keeper lamp oil"),
    ]);
    index(dir.path(), &pairs);
    let query = Query::new("lamp keeper");
    let missing = {
        let corpus = Corpus::open(dir.path()).unwrap().unwrap();
        let encoder: Arc<dyn Encoder> = Arc::new(Words(WordHasher::new()));
        corpus.retriever("plaid", Some(encoder)).err().unwrap()
    };
    assert!(missing.to_string().contains("index --tokens"), "{missing}");
    assert_eq!(embed(dir.path(), false), 0);
    assert!(embed(dir.path(), true) > 0);
    assert_eq!(embed(dir.path(), true), 0, "all is there");
    for name in NAMES {
        let found = texts_of(dir.path(), name, &query);
        assert_eq!(found[0], "lighthouse keeper lamp oil", "{name}");
        assert!(found.len() >= 2, "{name}");
        let mut filtered = query.clone();
        filtered.filters = Filters {
            paths: vec!["c".to_owned()],
            ..Filters::default()
        };
        let found = texts_of(dir.path(), name, &filtered);
        assert!(
            found.iter().all(|text| text.starts_with("granite")),
            "{name}"
        );
        assert!(texts_of(dir.path(), name, &Query::new("  ")).is_empty());
    }
    // One goes, one comes: only the new words are encoded, and what went is not found.
    pairs.retain(|(path, _)| path != "b" && path != "d");
    pairs.extend(files(&[("e", "glass blowers guild lamp")]));
    index(dir.path(), &pairs);
    let found = texts_of(dir.path(), "plaid", &query);
    assert!(
        found.iter().all(|text| !text.starts_with("lighthouse")),
        "{found:?}"
    );
    let encoded = embed(dir.path(), false);
    assert!((1..10).contains(&encoded), "{encoded}");
    assert_eq!(
        texts_of(dir.path(), "plaid", &query)[0],
        "glass blowers guild lamp"
    );

    let folder = dir.path().join("vectors");
    let entries = std::fs::read_dir(&folder).unwrap();
    let path = entries
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().ends_with(".tokens.bin"))
        .unwrap();
    let whole = std::fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(whole.len() / 61) {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        std::fs::write(&path, &bytes).unwrap();
        let error = Corpus::open(dir.path()).unwrap_err();
        let named = match &error {
            RetrieveError::Corrupt { path, .. } | RetrieveError::FormatVersion { path, .. } => path,
            other => panic!("{other}"),
        };
        assert_eq!(*named, path);
    }
    assert!(embed(dir.path(), false) > 0, "made again");
    assert!(
        Corpus::open(dir.path())
            .unwrap()
            .unwrap()
            .health()
            .is_empty()
    );
}

/// Whether centroids are being made or known already: what was encoded before an interruption is not
/// encoded again, up to the batch that was under way.
#[test]
fn an_interrupted_encoding_loses_no_more_than_a_batch() {
    let dir = tempfile::tempdir().unwrap();
    let text = |i: usize| {
        (
            format!("f{i}"),
            format!("harbour number {i} has {} boats", i * 7),
        )
    };
    let mut all: Vec<(String, String)> = (0..300).map(text).collect();
    let run = |fails_after: usize| {
        let hasher = Arc::new(WordHasher {
            fails_after,
            ..WordHasher::new()
        });
        let encoder = Propositions::new(hasher.clone());
        let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
        let tokens = encoder.tokens().unwrap();
        let done = writer.embed_tokens(tokens, true, |_| (), &Cancel::new());
        (done.is_ok(), hasher.count())
    };
    let pending = || {
        let entries = std::fs::read_dir(dir.path().join("vectors")).unwrap();
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("pending")).count()
    };
    index(dir.path(), &all);
    let (done, _) = run(100);
    assert!(!done && pending() > 0);
    assert_eq!(run(0), (true, 300 - 64), "one batch of 64 was whole");
    assert_eq!(pending(), 0, "nothing is waited for any more");

    all.extend((300..500).map(text));
    index(dir.path(), &all);
    let (done, _) = run(150);
    assert!(!done);
    assert_eq!(run(0), (true, 200 - 128), "two batches were whole");
    assert_eq!(run(0), (true, 0));
}

#[test]
fn an_encoder_of_tokens_alone_is_searched_with_in_every_way_but_by_text_vectors() {
    let dir = tempfile::tempdir().unwrap();
    let texts = [
        ("a", "ferry timetable winter harbour"),
        ("b", "lighthouse keeper lamp oil"),
        ("c", "granite quarry workers strike"),
    ];
    index(dir.path(), &files(&texts));
    let cancel = Cancel::new();
    let encoder = || Arc::new(WordsAlone(Words(WordHasher::new()))) as Arc<dyn Encoder>;
    let mut writer = CorpusWriter::open(dir.path(), &options()).unwrap();
    // The vectors of another encoder stand in nobody's way.
    let other = WordHasher {
        fingerprint: "other/1".into(),
        ..WordHasher::new()
    };
    writer.embed_missing(&other, |_| {}, &cancel).unwrap();
    let refused = writer.embed_missing(encoder().as_ref(), |_| {}, &cancel);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("none of whole texts"), "{refused}");
    let made = writer.embed_tokens(encoder().tokens().unwrap(), true, |_| {}, &cancel);
    assert_eq!(made.unwrap().unwrap().embedded, 3);

    let corpus = Corpus::open(dir.path()).unwrap().unwrap();
    for name in NAMES {
        let retriever = corpus.retriever(name, Some(encoder())).unwrap();
        let hits = retriever.search(&Query::new("lamp keeper"), 3, &cancel);
        let hits = hits.unwrap();
        let found = corpus.passages(&[hits[0].passage]).unwrap();
        assert_eq!(found[0].text, "lighthouse keeper lamp oil", "{name}");
    }
    for name in ["dense", "ann", "fused", "graph"] {
        let error = corpus.retriever(name, Some(encoder())).err().unwrap();
        let error = error.to_string();
        assert!(error.contains("words-alone"), "{name}: {error}");
        assert!(error.contains("plaid, muvera, xtr"), "{name}: {error}");
    }
}
