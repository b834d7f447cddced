//! The report: verified claims by sub-question, sources in order of importance.

use std::collections::BTreeMap;

use indago_core::ports::{Library, TaskCtx, TaskError};
use indago_core::{
    Claim, DocumentId, Dropped, Event, Finding, NodeId, NodeState, NotFound, Passage, PassageId,
    Report, Section, Source, StopReason, SubQuestion,
};

use crate::asked::contains_phrase;
use crate::contradict::contradictions;
use crate::{WriteInput, verify};

/// The question itself.
const ROOT: NodeId = NodeId(0);

/// Writes the report from the findings in the graph. Never writes a claim without a quote that was
/// read again from the stored document.
///
/// The documents that the root's finding quotes come first; findings of sub-questions add theirs
/// as far as there is room. A quote is shown once, under the first sub-question that has it.
pub async fn write(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    input: WriteInput,
) -> Result<Report, TaskError> {
    let mut verified: Vec<(&SubQuestion, &Finding, Vec<Claim>)> = Vec::new();
    let mut dropped = Vec::new();
    for node in input
        .graph
        .nodes
        .iter()
        .filter(|n| n.state != NodeState::Pruned)
    {
        let Some(finding) = &node.finding else {
            continue;
        };
        // The nearest that there is helps where the whole question is not answered; of a part, it
        // would stand among the evidence.
        let claims = if finding.stop == StopReason::NothingFound && node.id != ROOT {
            Vec::new()
        } else {
            finding.claims.clone()
        };
        let checked = verify(library, claims).await?;
        for (claim, reason) in checked.dropped {
            drop_claim(cx, &mut dropped, claim, reason);
        }
        verified.push((node, finding, checked.kept));
    }
    let root = input.graph.node(ROOT).and_then(|n| n.finding.as_ref());
    let sources = sources(library, &verified, input.sources as usize).await?;
    let (mut sections, mut not_found) = sections(&verified, &sources);
    if let Some(answer) = root.and_then(|f| f.answer.as_ref()) {
        answer_first(&mut sections, &answer.text);
    }

    let confidence = root.map_or(0.0, |f| f.confidence);
    let abstained = sections.is_empty() || root.is_none_or(|f| f.stop == StopReason::NothingFound);
    if abstained && not_found.iter().all(|n| n.node != ROOT) {
        not_found.insert(
            0,
            NotFound {
                node: ROOT,
                question: input.question.clone(),
                tried: root.map(|f| f.tried.clone()).unwrap_or_default(),
                missing: root.map(|f| f.open.clone()).unwrap_or_default(),
            },
        );
    }
    let all: Vec<&Claim> = sections.iter().flat_map(|s| &s.claims).collect();
    let contradictions = contradictions(&all);
    let stop_reason = input.stopped.unwrap_or(match root {
        _ if abstained => StopReason::NothingFound,
        Some(finding) => finding.stop,
        None => StopReason::NothingFound,
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
        contradictions,
        dropped,
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

/// Tells of a sentence that did not survive, and keeps it for the report, each once.
pub(crate) fn drop_claim(
    cx: &mut dyn TaskCtx,
    dropped: &mut Vec<Dropped>,
    claim: String,
    reason: String,
) {
    let one = Dropped { claim, reason };
    cx.emit(Event::Dropped {
        claim: one.claim.clone(),
        reason: one.reason.clone(),
    });
    if !dropped.contains(&one) {
        dropped.push(one);
    }
}

/// The report of an author who wrote `sections` (node, heading, verified claims). Without claims the
/// report abstains; an answer stands only on claims.
pub(crate) async fn write_from(
    cx: &mut dyn TaskCtx,
    library: &dyn Library,
    input: WriteInput,
    reasoner: &str,
    written: Vec<(NodeId, String, Vec<Claim>)>,
    answer: Option<indago_core::Answer>,
    dropped: Vec<Dropped>,
) -> Result<Report, TaskError> {
    let root = input.graph.node(ROOT).and_then(|n| n.finding.as_ref());
    let mut quotes: Vec<(DocumentId, PassageId)> = Vec::new();
    for quote in written
        .iter()
        .flat_map(|(_, _, claims)| claims)
        .flat_map(Claim::quotes)
    {
        if quotes
            .iter()
            .all(|(document, _)| *document != quote.document)
        {
            quotes.push((quote.document.clone(), quote.passage));
        }
    }
    quotes.truncate(input.sources as usize);
    let sources = number(library, quotes).await?;
    let stands = |claim: &Claim| {
        claim
            .quotes()
            .iter()
            .all(|q| sources.iter().any(|s| s.document == q.document))
    };
    let mut sections = Vec::new();
    for (node, heading, claims) in written {
        let claims: Vec<Claim> = claims.into_iter().filter(|c| stands(c)).collect();
        if claims.is_empty() {
            continue;
        }
        let heading = if heading.trim().is_empty() {
            input
                .graph
                .node(node)
                .map(|n| n.text.clone())
                .unwrap_or_default()
        } else {
            heading.trim().to_owned()
        };
        sections.push(Section {
            node,
            heading,
            claims,
        });
    }
    let abstained = sections.is_empty();
    let mut not_found = Vec::new();
    for node in input
        .graph
        .nodes
        .iter()
        .filter(|n| n.state != NodeState::Pruned)
    {
        let silent = node.finding.as_ref().is_none_or(|f| f.claims.is_empty());
        if silent || (abstained && node.id == ROOT) {
            not_found.push(NotFound {
                node: node.id,
                question: node.text.clone(),
                tried: node
                    .finding
                    .as_ref()
                    .map(|f| f.tried.clone())
                    .unwrap_or_default(),
                missing: node
                    .finding
                    .as_ref()
                    .map(|f| f.open.clone())
                    .unwrap_or_default(),
            });
        }
    }
    let all: Vec<&Claim> = sections.iter().flat_map(|s| &s.claims).collect();
    let contradictions = contradictions(&all);
    let report = Report {
        run: cx.run().clone(),
        reasoner: reasoner.to_owned(),
        answer: answer.filter(|_| !abstained),
        abstained,
        confidence: root.map_or(0.0, |f| f.confidence),
        sections,
        sources,
        not_found,
        contradictions,
        dropped,
        stop_reason: crate::model::stop_reason(input.stopped, abstained, root.map(|f| f.stop)),
        question: input.question,
        graph: input.graph,
        usage: input.usage,
        coverage: library.coverage(),
    };
    cx.emit(Event::Reported {
        claims: report.sections.iter().map(|s| s.claims.len() as u32).sum(),
        sources: report.sources.len() as u32,
    });
    Ok(report)
}

/// The first `limit` documents that claims quote: the root's in its order, then the others'.
async fn sources(
    library: &dyn Library,
    verified: &[(&SubQuestion, &Finding, Vec<Claim>)],
    limit: usize,
) -> Result<Vec<Source>, TaskError> {
    let (of_root, of_parts): (Vec<_>, Vec<_>) =
        verified.iter().partition(|(node, _, _)| node.id == ROOT);
    let mut chosen: Vec<(DocumentId, PassageId)> = Vec::new();
    let claims = of_root
        .iter()
        .chain(&of_parts)
        .flat_map(|(_, _, claims)| claims);
    for quote in claims.flat_map(Claim::quotes) {
        if chosen.len() < limit
            && chosen
                .iter()
                .all(|(document, _)| *document != quote.document)
        {
            chosen.push((quote.document.clone(), quote.passage));
        }
    }
    number(library, chosen).await
}

/// Documents as numbered sources, each with its first passage.
async fn number(
    library: &dyn Library,
    chosen: Vec<(DocumentId, PassageId)>,
) -> Result<Vec<Source>, TaskError> {
    let passages = library
        .passages(chosen.iter().map(|(_, id)| *id).collect())
        .await?;
    let mut passages: BTreeMap<PassageId, Passage> =
        passages.into_iter().map(|p| (p.id, p)).collect();
    let sources = chosen
        .into_iter()
        .enumerate()
        .map(|(i, (document, passage))| {
            let (title, location) = passages
                .remove(&passage)
                .map(|p| (p.title, p.location))
                .unwrap_or_default();
            Source {
                n: i as u32 + 1,
                title: if title.is_empty() {
                    document.to_string()
                } else {
                    title
                },
                document,
                location,
                passage,
            }
        });
    Ok(sources.collect())
}

/// Puts sections, and the claims in each, that have the words of the answer before the others.
fn answer_first(sections: &mut [Section], answer: &str) {
    let key = indago_text::normalize_name(answer);
    let has = |claim: &Claim| contains_phrase(&indago_text::normalize_name(claim.text()), &key);
    for section in sections.iter_mut() {
        section.claims.sort_by_key(|claim| !has(claim));
    }
    sections.sort_by_key(|section| !section.claims.iter().any(has));
}

/// Claims that stand on `sources` under their sub-questions, the root's last, and the
/// sub-questions that are left without any.
fn sections(
    verified: &[(&SubQuestion, &Finding, Vec<Claim>)],
    sources: &[Source],
) -> (Vec<Section>, Vec<NotFound>) {
    let mut order: Vec<_> = verified.iter().collect();
    order.sort_by_key(|(node, _, _)| (node.id == ROOT, node.id));
    let mut shown: Vec<(DocumentId, u64, u64)> = Vec::new();
    let mut sections = Vec::new();
    let mut not_found = Vec::new();
    for (node, finding, claims) in order {
        let mut kept = Vec::new();
        let mut repeated = false;
        for claim in claims {
            let stands = claim
                .quotes()
                .iter()
                .all(|q| sources.iter().any(|s| s.document == q.document));
            let key = |c: &Claim| {
                c.quotes()
                    .first()
                    .map(|q| (q.document.clone(), q.start, q.end))
            };
            let Some(place) = key(claim).filter(|_| stands) else {
                continue;
            };
            if shown.contains(&place) {
                repeated = true;
            } else {
                shown.push(place);
                kept.push(claim.clone());
            }
        }
        if !kept.is_empty() {
            sections.push(Section {
                node: node.id,
                heading: node.text.clone(),
                claims: kept,
            });
        } else if !repeated {
            not_found.push(NotFound {
                node: node.id,
                question: node.text.clone(),
                tried: finding.tried.clone(),
                missing: finding.open.clone(),
            });
        }
    }
    (sections, not_found)
}
