//! The search on a planted corpus.

mod support;

use indago_agents::{Limits, SearchInput, search_sub_question};
use indago_core::{Filters, NodeId};
use support::{Doc, MemoryLibrary, PlainCtx, block_on};

fn input(question: &str) -> SearchInput {
    SearchInput {
        node: NodeId(0),
        question: question.to_owned(),
        whole: question.to_owned(),
        parents: Vec::new(),
        filters: Filters::default(),
        limits: Limits::default(),
    }
}

#[test]
fn a_bridge_is_followed_to_the_passage_about_it() {
    let library = MemoryLibrary::of(&[
        Doc::new(
            "a",
            "Anna Vale",
            "Anna Vale (born 1970) is a painter married to Kris Benton.",
        ),
        Doc::new(
            "b",
            "Kris Benton",
            "Kris Benton is a pitcher who played for the Harbour Gulls.",
        ),
        Doc::new("c", "Weather", "Rain is expected in the north on Monday."),
    ]);
    let mut cx = PlainCtx::default();
    let searched = block_on(search_sub_question(
        &mut cx,
        &library,
        &input("What team was Anna Vale's husband on?"),
    ))
    .unwrap();
    let documents: Vec<&str> = searched
        .finding
        .claims
        .iter()
        .flat_map(indago_core::Claim::quotes)
        .map(|q| q.document.as_str())
        .collect();
    assert!(
        documents.contains(&"a") && documents.contains(&"b"),
        "{documents:?}"
    );
    for claim in &searched.finding.claims {
        for quote in claim.quotes() {
            let passage = library
                .corpus
                .passages
                .iter()
                .find(|p| p.document == quote.document)
                .unwrap();
            assert_eq!(
                &passage.text[quote.start as usize..quote.end as usize],
                quote.text
            );
        }
    }
}
