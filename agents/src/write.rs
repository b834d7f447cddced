//! The report: verified claims by sub-question, sources in order of importance.

use indago_core::ports::{Library, TaskCtx, TaskError};
use indago_core::{Event, NodeId, NodeState, NotFound, Report, Section, Source, StopReason};

use crate::abstain::abstains;
use crate::{WriteInput, verify};

/// Writes the report from the findings in the graph. Never writes a claim without a quote that was
/// read again from the stored document.
pub async fn write(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    input: WriteInput,
) -> Result<Report, TaskError> {
    let mut sections: Vec<Section> = Vec::new();
    let mut sources: Vec<Source> = Vec::new();
    let mut not_found = Vec::new();
    for node in &input.graph.nodes {
        let Some(finding) = &node.finding else {
            continue;
        };
        if node.state == NodeState::Pruned {
            continue;
        }
        let verified = verify(library, finding.claims.clone()).await?;
        for (claim, reason) in verified.dropped {
            cx.emit(Event::Dropped { claim, reason });
        }
        let mut claims = Vec::new();
        for claim in verified.kept {
            let mut fits = true;
            for quote in claim.quotes() {
                if sources.iter().any(|s| s.document == quote.document) {
                    continue;
                }
                let passages = library.passages(vec![quote.passage]).await?;
                match passages.into_iter().next() {
                    Some(passage) if sources.len() < input.sources as usize => {
                        sources.push(Source {
                            n: sources.len() as u32 + 1,
                            document: quote.document.clone(),
                            title: if passage.title.is_empty() {
                                quote.document.to_string()
                            } else {
                                passage.title
                            },
                            location: passage.location,
                            passage: quote.passage,
                        });
                    }
                    _ => fits = false,
                }
            }
            if fits {
                claims.push(claim);
            }
        }
        if claims.is_empty() {
            not_found.push(NotFound {
                node: node.id,
                question: node.text.clone(),
                tried: finding.tried.clone(),
                missing: finding.open.clone(),
            });
        } else {
            sections.push(Section {
                node: node.id,
                heading: node.text.clone(),
                claims,
            });
        }
    }
    let root = input.graph.node(NodeId(0)).and_then(|n| n.finding.as_ref());
    let confidence = root.map_or(0.0, |f| f.confidence);
    let abstained = sections.is_empty() || abstains(f64::from(confidence));
    let stop_reason = input.stopped.unwrap_or(if abstained {
        StopReason::NothingFound
    } else {
        StopReason::Answered
    });
    let report = Report {
        run: cx.run().clone(),
        question: input.question,
        reasoner: "extractive".to_owned(),
        answer: root.filter(|_| !abstained).and_then(|f| f.answer.clone()),
        abstained,
        confidence,
        sections,
        sources,
        not_found,
        contradictions: Vec::new(),
        graph: input.graph,
        stop_reason,
        usage: input.usage,
        coverage: library.coverage(),
    };
    cx.emit(Event::Reported {
        claims: report.sections.iter().map(|s| s.claims.len() as u32).sum(),
        sources: report.sources.len() as u32,
    });
    Ok(report)
}
