//! Our scoring against tantivy's own, on the same files.

use std::collections::HashMap;

use indago_core::{Cancel, PassageId};
use proptest::prelude::*;
use tantivy::collector::TopDocs;
use tantivy::query::{Bm25StatisticsProvider, BooleanQuery, BoostQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Index, IndexSettings, TantivyDocument, Term};

use super::{ANALYZER, FieldWeights, Lexical, N_FIELDS, analyzer, schema};

/// No field counts on top of the passage.
const NONE: FieldWeights = FieldWeights([0.0; N_FIELDS]);

/// Deterministic numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n.max(1)
    }

    /// A word, few of them common.
    fn word(&mut self, vocabulary: u64) -> String {
        let most = self.below(vocabulary) + 1;
        format!("w{}", self.below(most))
    }
}

/// An index of `n` passages in segments of `per_segment`, and the number of its terms.
fn write(dir: &std::path::Path, n: u64, per_segment: u64, vocabulary: u64, seed: u64) -> u64 {
    let (schema, fields) = schema();
    let directory = tantivy::directory::MmapDirectory::open(dir).unwrap();
    let index = Index::create(directory, schema, IndexSettings::default()).unwrap();
    index.tokenizers().register(ANALYZER, analyzer());
    let mut writer = index.writer_with_num_threads(1, 20 << 20).unwrap();
    writer.set_merge_policy(Box::new(tantivy::merge_policy::NoMergePolicy));
    let mut numbers = Numbers(seed | 1);
    let mut n_terms = 0;
    for i in 0..n {
        let length = 1 + numbers.below(30);
        n_terms += length;
        let words: String = (0..length)
            .map(|_| numbers.word(vocabulary) + " ")
            .collect();
        let mut document = TantivyDocument::default();
        document.add_text(fields.text, &words);
        document.add_text(fields.document, "d");
        // Ids in another order than documents, so that ties are seen to go by id.
        document.add_u64(fields.id_high, i.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        document.add_u64(fields.id_low, i);
        writer.add_document(document).unwrap();
        if i % per_segment == per_segment - 1 {
            writer.commit().unwrap();
        }
    }
    writer.commit().unwrap();
    n_terms
}

/// tantivy's statistics with the exact mean length, as ours.
struct Exact<'a>(&'a tantivy::Searcher, u64, u64);

impl Bm25StatisticsProvider for Exact<'_> {
    fn total_num_tokens(&self, _: Field) -> tantivy::Result<u64> {
        Ok(self.2)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.1)
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        self.0.doc_freq(term)
    }
}

/// Every passage's score by tantivy, its postings walked document by document.
fn by_tantivy(dir: &std::path::Path, query: &str, n: u64, n_terms: u64) -> HashMap<u64, f32> {
    let index = Index::open_in_dir(dir).unwrap();
    let (_, fields) = schema();
    let searcher = index.reader().unwrap().searcher();
    let mut times: HashMap<&str, u32> = HashMap::new();
    for word in query.split_whitespace() {
        *times.entry(word).or_default() += 1;
    }
    let clauses = times.into_iter().map(|(word, times)| {
        let term = Term::from_field_text(fields.text, word);
        let query = TermQuery::new(term, IndexRecordOption::WithFreqs);
        let query: Box<dyn Query> = Box::new(BoostQuery::new(Box::new(query), times as f32));
        (Occur::Should, query)
    });
    let query = BooleanQuery::new(clauses.collect());
    let exact = Exact(&searcher, n, n_terms);
    let collector = TopDocs::with_limit(n as usize).order_by_score();
    let found = searcher
        .search_with_statistics_provider(&query, &collector, &exact)
        .unwrap();
    let id = |address: tantivy::DocAddress| {
        let segment = searcher.segment_reader(address.segment_ord);
        let low = segment.fast_fields().u64("id_low").unwrap();
        low.first(address.doc_id).unwrap()
    };
    found
        .into_iter()
        .map(|(score, address)| (id(address), score))
        .collect()
}

fn check(n: u64, per_segment: u64, vocabulary: u64, query_words: u64, seed: u64) {
    let dir = tempfile::tempdir().unwrap();
    let n_terms = write(dir.path(), n, per_segment, vocabulary, seed);
    let lexical = Lexical::open(dir.path(), n, n_terms).unwrap();
    let mut numbers = Numbers(!seed | 1);
    let words: Vec<String> = (0..query_words)
        .map(|_| numbers.word(vocabulary * 2))
        .collect();
    let query = words.join(" ");
    let expected = by_tantivy(dir.path(), &query, n, n_terms);
    let all = lexical
        .search(&query, n as usize, NONE, None, &Cancel::new())
        .unwrap();
    assert_eq!(all.len(), expected.len(), "{query}");
    for (id, score) in &all {
        let number = u128::from_be_bytes(id.0) as u64;
        let theirs = expected[&number];
        // tantivy rounds `1 + x` to 32 bits before the logarithm, which shows where a term is
        // in almost every passage.
        let bound = 1e-5 * theirs + 1e-6 * query_words as f32;
        assert!((score - theirs).abs() <= bound, "{score} {theirs}");
    }
    let best_first =
        |a: &(PassageId, f32), b: &(PassageId, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    assert!(all.is_sorted_by(|a, b| best_first(a, b).is_lt()));
    // Pruning changes nothing: a shorter list is the beginning of the longest, bit for bit.
    for k in [0, 1, 2, 10, 100, 1000, n as usize + 5] {
        let some = lexical
            .search(&query, k, NONE, None, &Cancel::new())
            .unwrap();
        assert_eq!(some, all[..k.min(all.len())], "k = {k}, {query}");
    }
}

#[test]
fn many_windows_and_segments_give_what_tantivy_gives() {
    check(40_000, 35_000, 2_000, 12, 7);
    check(20_000, 20_000, 50, 40, 8);
}

#[test]
fn passages_that_tie_come_by_id() {
    // One word and few lengths: almost everything ties.
    check(5_000, 1_700, 1, 3, 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn scores_are_those_of_tantivy(
        n in 1u64..700,
        per_segment in 100u64..400,
        vocabulary in 1u64..3000,
        query_words in 0u64..60,
        seed in any::<u64>(),
    ) {
        check(n, per_segment, vocabulary, query_words, seed);
    }
}

#[test]
fn a_cancelled_search_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let n_terms = write(dir.path(), 10, 10, 3, 1);
    let lexical = Lexical::open(dir.path(), 10, n_terms).unwrap();
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(lexical.search("w0", 3, NONE, None, &cancel).is_err());
}

/// A passage's words, and those of its title and headings, which are among them.
type Words = [Vec<String>; 1 + N_FIELDS];

/// An index of passages with titles (every second one) and headings (every third one).
fn write_fields(dir: &std::path::Path, n: u64, per_segment: u64, seed: u64) -> Vec<Words> {
    let (schema, fields) = schema();
    let directory = tantivy::directory::MmapDirectory::open(dir).unwrap();
    let index = Index::create(directory, schema, IndexSettings::default()).unwrap();
    index.tokenizers().register(ANALYZER, analyzer());
    let mut writer = index.writer_with_num_threads(1, 20 << 20).unwrap();
    writer.set_merge_policy(Box::new(tantivy::merge_policy::NoMergePolicy));
    let mut numbers = Numbers(seed | 1);
    let mut all = Vec::new();
    for i in 0..n {
        let mut draw = |most: u64| -> Vec<String> {
            let length = 1 + numbers.below(most);
            (0..length).map(|_| numbers.word(40)).collect()
        };
        let title = if i % 2 == 0 { draw(5) } else { Vec::new() };
        let headings = if i % 3 == 0 { draw(8) } else { Vec::new() };
        let mut whole = [title.clone(), headings.clone()].concat();
        whole.extend(draw(30));
        let words = [whole, title, headings];
        let joined = |words: &[String]| words.iter().map(|w| w.clone() + " ").collect::<String>();
        let mut document = TantivyDocument::default();
        document.add_text(fields.text, joined(&words[0]));
        for (field, words) in fields.parts.into_iter().zip(&words[1..]) {
            if !words.is_empty() {
                document.add_text(field, joined(words));
            }
        }
        document.add_text(fields.document, "d");
        document.add_u64(fields.id_high, 0);
        document.add_u64(fields.id_low, i);
        writer.add_document(document).unwrap();
        if i % per_segment == per_segment - 1 {
            writer.commit().unwrap();
        }
        all.push(words);
    }
    writer.commit().unwrap();
    all
}

/// BM25 with weighted fields as it is defined, lengths exact.
fn by_definition(all: &[Words], query: &str, weights: [f32; N_FIELDS]) -> Vec<f32> {
    let n = all.len() as f32;
    let mean = |f: usize| {
        let lengths = all.iter().map(|words| words[f].len() as f32);
        let having = all
            .iter()
            .filter(|words| f == 0 || !words[f].is_empty())
            .count();
        lengths.sum::<f32>() / having.max(1) as f32
    };
    let means = [mean(0), mean(1).max(1.0), mean(2).max(1.0)];
    let count = |words: &[String], term: &str| words.iter().filter(|w| *w == term).count() as f32;
    let score = |words: &Words| -> f32 {
        let one = |term: &str| {
            let having = all
                .iter()
                .filter(|words| count(&words[0], term) > 0.0)
                .count() as f32;
            if having == 0.0 {
                return 0.0;
            }
            let idf = (1.0 + (n - having + 0.5) / (having + 0.5)).ln();
            let tf: f32 = [1.0, weights[0], weights[1]]
                .into_iter()
                .enumerate()
                .map(|(f, weight)| {
                    let length = words[f].len() as f32 / means[f];
                    weight * count(&words[f], term) / (0.25 + 0.75 * length)
                })
                .sum();
            idf * 2.2 * tf / (tf + 1.2)
        };
        query.split(' ').map(one).sum()
    };
    all.iter().map(score).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn weighted_fields_follow_the_definition(
        n in 1u64..300,
        per_segment in 50u64..200,
        title in 0.0f32..8.0,
        headings in 0.0f32..8.0,
        seed in any::<u64>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let all = write_fields(dir.path(), n, per_segment, seed);
        let n_terms = all.iter().map(|words| words[0].len() as u64).sum();
        let lexical = Lexical::open(dir.path(), n, n_terms).unwrap();
        let mut numbers = Numbers(!seed | 1);
        let mut words: Vec<String> = (0..6).map(|_| numbers.word(50)).collect();
        words.sort();
        words.dedup();
        let query = words.join(" ");
        let weights = FieldWeights([title, headings]);
        let found = lexical.search(&query, n as usize, weights, None, &Cancel::new()).unwrap();
        let expected = by_definition(&all, &query, weights.0);
        prop_assert_eq!(found.len(), expected.iter().filter(|score| **score > 0.0).count());
        for (id, score) in &found {
            let wanted = expected[u128::from_be_bytes(id.0) as usize];
            // No length here is above 43, where codes of lengths begin to round.
            prop_assert!((score - wanted).abs() < 0.02 * wanted + 1e-4, "{score} {wanted}");
        }
        for k in [1, 5, 20] {
            let some = lexical.search(&query, k, weights, None, &Cancel::new()).unwrap();
            prop_assert_eq!(&some[..], &found[..k.min(found.len())]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Against the passages of each term, one after the other.
    #[test]
    fn passages_with_all_terms_are_found(
        n in 1_u64..300, per_segment in 20_u64..200, seed: u64, limit in 1_u64..400, most in 4_usize..300,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let n_terms = write(dir.path(), n, per_segment, 40, seed);
        let lexical = Lexical::open(dir.path(), n, n_terms).unwrap();
        let mut numbers = Numbers(!seed | 1);
        let terms: Vec<String> = (0..=numbers.below(3)).map(|_| numbers.word(40)).collect();
        let having: Vec<Vec<PassageId>> = terms
            .iter()
            .map(|term| lexical.passages_with(term, &Cancel::new()).unwrap())
            .collect();
        let rarest = having.iter().min_by_key(|list| list.len()).unwrap();
        let in_all = |id: &&PassageId| having.iter().all(|list| list.contains(id));
        let all: Vec<PassageId> = rarest.iter().filter(in_all).copied().collect();
        match lexical.passages_with_all(&terms, limit, most).unwrap() {
            // It may stop narrowing down early, but it leaves none out and holds to both limits.
            Some(found) => {
                prop_assert!(found.len() <= most && rarest.len() as u64 <= limit);
                prop_assert!(all.iter().all(|id| found.contains(id)));
                let holds = |list: &Vec<PassageId>| {
                    list.len() == rarest.len() && found.iter().all(|id| list.contains(id))
                };
                prop_assert!(having.iter().any(holds));
            }
            None => prop_assert!(rarest.len() as u64 > limit || rarest.len() > most),
        }
    }
}
