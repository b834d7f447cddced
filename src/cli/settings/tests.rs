//! Where settings come from, and what is said of wrong ones.

use clap::Parser;

use super::*;

fn resolve(file: &str, line: &[&str]) -> Result<Settings, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE_NAME), file).unwrap();
    Settings::resolve(&Cli::parse_from(line), folder.path())
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let file = "[ask]\nsources = 4\nrounds = 2\n";
    let settings = resolve(file, &["indago", "ask", "why?", "--sources", "7"]).unwrap();
    assert_eq!(settings.ask_sources.value, 7);
    assert_eq!(settings.ask_sources.origin, Origin::Flag("--sources"));
    assert_eq!(settings.ask_rounds.value, 2);
    assert!(matches!(settings.ask_rounds.origin, Origin::File(_)));
    assert_eq!(settings.ask_nodes.origin, Origin::Default);
}

#[test]
fn a_misspelt_key_is_refused_with_the_likely_one() {
    let error = resolve("[ask]\nsorces = 4\n", &["indago", "config", "show"]).unwrap_err();
    assert_eq!(error.hint(), "did you mean `ask.sources`?");
}

#[test]
fn a_value_of_the_wrong_kind_names_key_origin_and_wish() {
    let error = resolve("threads = \"many\"\n", &["indago", "config", "show"]).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("`threads` from "), "{text}");
    assert!(
        text.ends_with("`many` is not a whole number of at least 1"),
        "{text}"
    );
}

#[test]
fn an_unknown_language_is_refused_with_those_that_are_known() {
    let codes = indago_text::Language::ALL.iter().map(|l| format!("`{l}`"));
    let all = codes.collect::<Vec<_>>().join(", ");
    assert_eq!(LANGUAGES, format!("one of `auto`, {all}"));
    let error = resolve("[index]\nlanguage = \"xx\"\n", &["indago", "index", "."]);
    let text = error.unwrap_err().to_string();
    assert!(
        text.ends_with(&format!("`xx` is not {LANGUAGES}")),
        "{text}"
    );
    let said = resolve("[index]\nlanguage = \"de\"\n", &["indago", "index", "."]).unwrap();
    assert_eq!(
        said.language().map(|l| l.to_string()).as_deref(),
        Some("de")
    );
    assert_eq!(
        resolve("", &["indago", "index", "."]).unwrap().language(),
        None
    );
}

#[test]
fn zero_threads_are_refused() {
    assert!(resolve("", &["indago", "--threads", "0", "config", "show"]).is_err());
}

#[test]
fn every_key_is_shown_and_documented() {
    let shown = resolve("", &["indago", "config", "show"]).unwrap().show();
    let page = include_str!("../../../docs/reference/configuration.md");
    for (key, doc) in KEYS {
        assert!(shown.iter().any(|s| s.key == *key), "{key} is not shown");
        let row = format!("| `{key}` | {doc} |");
        assert!(
            page.contains(&row),
            "docs/reference/configuration.md lacks: {row}"
        );
    }
}
