//! What came and went leaves no trace: changing a corpus gives what making it anew gives.

use indago_retriever::CorpusWriter;
use proptest::prelude::*;

use crate::support::{files, index, index_with, options, state};
use crate::{embed, view};

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
