//! Our scoring against tantivy's own, on the same files.

use std::collections::HashMap;

use indago_core::{Cancel, PassageId};
use proptest::prelude::*;
use tantivy::collector::TopDocs;
use tantivy::query::{Bm25StatisticsProvider, BooleanQuery, BoostQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{Index, IndexSettings, TantivyDocument, Term};

use super::{ANALYZER, Lexical, analyzer, schema};

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
        .search(&query, n as usize, None, &Cancel::new())
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
        let some = lexical.search(&query, k, None, &Cancel::new()).unwrap();
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
    assert!(lexical.search("w0", 3, None, &cancel).is_err());
}
