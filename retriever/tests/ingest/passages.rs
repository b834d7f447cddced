//! What chunking promises, for documents of every shape.

use indago_core::ports::TokenCounter;
use indago_core::{ContentHash, Document, DocumentId, DocumentKind, PageStart, Passage};
use indago_retriever::ingest::{
    Block, BlockKind, ChunkOptions, Heading, Lines, Outline, TokenEstimate, chunk,
};
use proptest::prelude::*;

use crate::{only, write};

fn document(text: &str) -> Document {
    Document {
        id: DocumentId::new("d"),
        path: "d".into(),
        title: String::new(),
        text: text.into(),
        kind: DocumentKind::Text,
        date: None,
        metadata: std::collections::BTreeMap::new(),
        pages: Vec::new(),
        hash: ContentHash([0; 32]),
    }
}

/// Fails unless `passages` are what the promise says of `document`.
fn check(document: &Document, passages: &[Passage], options: &ChunkOptions) {
    let text: &str = &document.text;
    let mut covered = 0;
    for (ordinal, passage) in passages.iter().enumerate() {
        let (start, end) = (passage.span.start as usize, passage.span.end as usize);
        assert_eq!(passage.ordinal as usize, ordinal);
        assert!(!passage.text.is_empty());
        assert_eq!(
            text.get(start..end),
            Some(passage.text.as_str()),
            "span {start}..{end}"
        );
        assert!(end > covered, "passages advance");
        if options.overlap_tokens == 0 {
            assert!(start >= covered, "passages do not overlap");
        }
        if start > covered {
            let gap = &text[covered..start];
            assert!(gap.trim().is_empty(), "left out: {gap:?}");
        }
        let tokens = TokenEstimate.count(&passage.text);
        assert!(
            tokens <= options.max_tokens,
            "{tokens} tokens over {}",
            options.max_tokens
        );
        covered = end;
    }
    assert!(
        text[covered..].trim().is_empty(),
        "left out at the end: {:?}",
        &text[covered..]
    );
}

/// Text with the marks that cutting looks at, and wide characters.
fn any_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-z]{1,12}",
        Just(" ".to_owned()),
        Just("\n".to_owned()),
        Just("\n\n".to_owned()),
        Just("\r\n".to_owned()),
        Just(". ".to_owned()),
        Just("# ".to_owned()),
        Just("\n## h\n".to_owned()),
        Just("\n```\n".to_owned()),
        Just("- ".to_owned()),
        Just("|".to_owned()),
        Just("\u{4e2d}\u{6587}\u{3002}".to_owned()),
        Just("\u{1f6a2}".to_owned()),
        Just("\u{2028}\u{a0}".to_owned()),
        "[a-zA-Z0-9]{200,400}",
        "\\PC{0,20}",
    ];
    prop::collection::vec(part, 0..120).prop_map(|parts| parts.concat())
}

fn any_options() -> impl Strategy<Value = ChunkOptions> {
    (
        1_usize..60,
        0_usize..60,
        0_usize..30,
        prop_oneof![Just(0), 0_usize..30],
    )
        .prop_map(
            |(target_tokens, more, min_tokens, overlap_tokens)| ChunkOptions {
                target_tokens,
                max_tokens: (target_tokens + more).max(4),
                min_tokens,
                overlap_tokens,
            },
        )
}

/// An outline that need not make sense: chunking is a public function.
fn any_outline() -> impl Strategy<Value = Outline> {
    let range = (0_usize..2000, 0_usize..300).prop_map(|(start, n)| start..start + n);
    let heading = (range.clone(), "[a-z]{1,5}").prop_map(|(range, text)| Heading { range, text });
    let kind = prop_oneof![
        Just(BlockKind::Prose),
        Just(BlockKind::Heading),
        Just(BlockKind::Code),
        Just(BlockKind::Row)
    ];
    let block = (range, kind).prop_map(|(range, kind)| Block { range, kind });
    (
        prop::collection::vec(heading, 0..8),
        prop::collection::vec(block, 0..20),
        any::<bool>(),
    )
        .prop_map(|(headings, blocks, record)| Outline {
            headings,
            blocks,
            lines: Lines::From(1),
            record,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn passages_cover_arbitrary_text_under_arbitrary_outlines(
        text in any_text(), options in any_options(), outline in any_outline(),
    ) {
        let document = document(&text);
        let passages = chunk(&document, &outline, &options, &TokenEstimate);
        check(&document, &passages, &options);
    }

    #[test]
    fn passages_cover_arbitrary_markdown_and_code(
        text in any_text(), options in any_options(), extension in prop_oneof![Just("md"), Just("rs"), Just("py"), Just("html"), Just("txt")],
    ) {
        let folder = tempfile::tempdir().unwrap();
        let file = write(folder.path(), &format!("a.{extension}"), &text);
        let (parsed, _, _) = crate::read(&file, &indago_retriever::ingest::LoadLimits::default());
        for parsed in parsed {
            let passages = chunk(&parsed.document, &parsed.outline, &options, &TokenEstimate);
            check(&parsed.document, &passages, &options);
        }
    }
}

fn texts(source: &str, options: ChunkOptions) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let parsed = only(&write(folder.path(), "a.md", source));
    let passages = chunk(&parsed.document, &parsed.outline, &options, &TokenEstimate);
    check(&parsed.document, &passages, &options);
    passages.into_iter().map(|p| p.text).collect()
}

fn sized(target_tokens: usize, max_tokens: usize, min_tokens: usize) -> ChunkOptions {
    ChunkOptions {
        target_tokens,
        max_tokens,
        min_tokens,
        overlap_tokens: 0,
    }
}

#[test]
fn a_heading_stays_with_what_follows_it() {
    let source = "# A\n\n## B\n\nOne two three.\n\n## C\n\nFour five six.\n";
    assert_eq!(
        texts(source, sized(20, 20, 0)),
        ["# A\n\n## B\n\nOne two three.", "## C\n\nFour five six."]
    );
}

#[test]
fn a_short_section_joins_the_next_and_keeps_the_heading_they_share() {
    let folder = tempfile::tempdir().unwrap();
    let source = "# A\n\n## B\n\nOne.\n\n## C\n\nTwo.\n";
    let parsed = only(&write(folder.path(), "a.md", source));
    let passages = chunk(
        &parsed.document,
        &parsed.outline,
        &ChunkOptions::default(),
        &TokenEstimate,
    );
    assert_eq!(passages.len(), 1);
    assert_eq!(passages[0].location.headings, ["A"]);
}

#[test]
fn a_long_paragraph_is_cut_between_sentences() {
    let source = "Ships sail at noon. Boats sail at dusk. Rafts never sail.";
    assert_eq!(
        texts(source, sized(10, 10, 0)),
        [
            "Ships sail at noon. Boats sail at dusk.",
            "Rafts never sail."
        ]
    );
}

#[test]
fn list_items_and_code_lines_are_not_torn() {
    let source = "- one two three\n- four five six\n- seven eight nine\n\n```\nlet a = 1;\nlet b = 2;\n```\n";
    let found = texts(source, sized(9, 20, 0));
    assert_eq!(
        found,
        [
            "- one two three\n- four five six",
            "- seven eight nine",
            "```\nlet a = 1;\nlet b = 2;\n```"
        ]
    );
}

#[test]
fn overlap_repeats_whole_sentences() {
    let source = "Ships sail at noon. Boats sail at dusk. Rafts never sail. Kites fly by day.";
    let options = ChunkOptions {
        target_tokens: 10,
        max_tokens: 15,
        min_tokens: 0,
        overlap_tokens: 5,
    };
    assert_eq!(
        texts(source, options),
        [
            "Ships sail at noon. Boats sail at dusk.",
            "Boats sail at dusk. Rafts never sail. Kites fly by day."
        ]
    );
}

#[test]
fn a_record_that_fits_is_one_passage_whatever_its_shape() {
    let mut document = document("# A\n\none\n\n# B\n\ntwo");
    document.pages = vec![PageStart { page: 4, start: 0 }];
    let outline = Outline {
        record: true,
        lines: Lines::At(9),
        ..Outline::default()
    };
    let passages = chunk(
        &document,
        &outline,
        &ChunkOptions::default(),
        &TokenEstimate,
    );
    assert_eq!(passages.len(), 1);
    assert_eq!(passages[0].location.line, Some(9));
    assert_eq!(passages[0].location.page, Some(4));
}
