//! Draws a question graph as SVG on standard output, as reports show it.
//!
//! `cargo run -p indago-planner --example draw_graph > graph.svg`
#![expect(clippy::print_stdout, reason = "it prints the picture")]

use indago_core::{Budget, Dependency, EditRefused, GraphEdit, NodeId};
use indago_planner::{QuestionGraph, ROOT, export};

fn main() -> Result<(), EditRefused> {
    let budget = Budget {
        nodes: 16,
        depth: 5,
        rounds: 4,
        queries: 96,
        sources: 10,
        wall_ms: None,
        ..Budget::STANDARD
    };
    let question = "Which of the companies that sued Acme in 2023 later settled, and what did each \
                    settlement cost?";
    let mut graph = QuestionGraph::new(question, &budget);
    let mut add = |text: &str, depends_on: &[u32]| -> Result<NodeId, EditRefused> {
        let depends_on: Vec<NodeId> = depends_on.iter().copied().map(NodeId).collect();
        let edit = GraphEdit::Add {
            text: text.into(),
            reason: "a step".into(),
            depends_on,
        };
        Ok(graph.apply(edit)?.unwrap_or(ROOT))
    };
    let sued = add("Which companies sued Acme in 2023?", &[])?;
    let bolt = add("Did Bolt Logistics settle with Acme?", &[sued.0])?;
    let crane = add("Did Crane & Sons settle with Acme?", &[sued.0])?;
    let cost = add(
        "What did the settlement of Bolt Logistics with Acme cost?",
        &[bolt.0],
    )?;
    let press = add("What did the press say?", &[])?;
    for on in [crane, cost, sued] {
        graph.apply(GraphEdit::Link(Dependency {
            from: ROOT,
            on,
            reason: "needs its answer".into(),
        }))?;
    }
    graph.apply(GraphEdit::Prune {
        node: press,
        reason: "adds nothing".into(),
    })?;
    graph.start(sued)?;
    println!("{}", export::svg(&graph.view()));
    Ok(())
}
