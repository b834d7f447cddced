//! A document that somebody distrusts: nothing stands on it any more, whatever was under way.

use std::sync::Arc;

use indago_core::ports::RunEngine as _;
use indago_core::{Claim, DocumentId, Event, Report, RunId, Steering};
use indago_workflows::deep_research::ResearchInput;
use indago_workflows::{Fork, SqliteJournal, fork_point};

use crate::library::Dozen;
use crate::runs::{QUESTION, engine};

fn documents(report: &Report) -> Vec<String> {
    let in_sections = report.sections.iter().flat_map(|s| &s.claims);
    let in_graph = report.graph.nodes.iter().filter_map(|n| n.finding.as_ref());
    let claims = in_sections.chain(in_graph.flat_map(|f| &f.claims));
    claims
        .flat_map(Claim::quotes)
        .map(|quote| quote.document.to_string())
        .collect()
}

/// Distrusted at every point of the run at which the plan can be changed: by a fork of the same
/// run, so that the moment is exact.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_on_a_distrusted_document_is_gone_whenever_it_is_said() {
    let more = [(
        "Strand, Elin",
        "The engineer Elin Strand, builder of the Harbour Tower, was born in Hamar in Norway.",
    )];
    let library = Arc::new(Dozen::with(&more));
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(SqliteJournal::open(folder.path()).unwrap());
    let engine = engine(journal, &library);
    let id = RunId::new("parent");
    let input = ResearchInput::new(QUESTION, "dozen").spec(7).unwrap();
    engine.start(id.clone(), input).await.unwrap();
    let report: Report = serde_json::from_value(engine.attach(id.clone()).await.unwrap()).unwrap();
    assert!(documents(&report).contains(&"d01".to_owned()));
    let last = fork_point(&engine.events(&id).unwrap()).unwrap();
    assert!(last > 3);
    let mut reopened = 0;
    for at in 0..=last {
        let fork = Fork {
            id: RunId::new(format!("fork-{at}")),
            at: Some(at),
            steerings: vec![Steering::Distrust {
                document: DocumentId::new("d01"),
                reason: "it is a joke".into(),
            }],
        };
        let run = engine.fork(&id, fork).await.unwrap();
        run.resume().await.unwrap();
        let report = run.report().await.unwrap();
        assert!(
            !documents(&report).contains(&"d01".to_owned()),
            "distrusted at event {at}: {:?}",
            documents(&report)
        );
        assert!(report.sources.iter().all(|s| s.document.as_str() != "d01"));
        let events = engine.events(run.id()).unwrap();
        reopened += events
            .iter()
            .filter(|e| {
                matches!(
                    &e.event,
                    Event::Edited {
                        edit: indago_core::GraphEdit::Reopen { .. },
                        ..
                    }
                )
            })
            .count();
    }
    assert!(reopened > 0, "nothing was asked again");
}
