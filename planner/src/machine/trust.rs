//! Documents that somebody marks as not to be trusted: nothing more may stand on them.

use std::collections::BTreeSet;

use indago_core::{Claim, DocumentId, Event, Finding, GraphEdit, NodeState, StopReason};

use super::{Phase, Planner};

impl Planner {
    /// Sends every node back to work whose claims quote the document, and keeps it out of all
    /// later searches and of the report.
    pub(super) fn distrust(
        &mut self,
        document: &DocumentId,
        reason: &str,
        events: &mut Vec<Event>,
    ) {
        self.distrusted.insert(document.clone());
        if self.phase != Phase::Searching {
            return;
        }
        let edits: Vec<GraphEdit> = self
            .graph
            .nodes()
            .filter(|node| node.state == NodeState::Answered)
            .filter(|node| node.finding.as_ref().is_some_and(|f| quotes(f, document)))
            .map(|node| GraphEdit::Reopen {
                node: node.id,
                reason: format!("`{document}` is not trusted: {reason}"),
            })
            .collect();
        let base = self.graph.len() as u32;
        self.apply(edits, &[], base, events);
    }
}

fn quotes(finding: &Finding, document: &DocumentId) -> bool {
    let mut quotes = finding.claims.iter().flat_map(Claim::quotes);
    quotes.any(|quote| quote.document == *document)
}

/// Takes the claims that quote one of `documents` out, and the short answer where no other claim
/// has it. Gives their texts.
pub(super) fn strip(finding: &mut Finding, documents: &BTreeSet<DocumentId>) -> Vec<String> {
    if documents.is_empty() {
        return Vec::new();
    }
    let stands_on_one = |claim: &Claim| {
        claim
            .quotes()
            .iter()
            .any(|q| documents.contains(&q.document))
    };
    let (out, kept): (Vec<Claim>, Vec<Claim>) = std::mem::take(&mut finding.claims)
        .into_iter()
        .partition(stands_on_one);
    finding.claims = kept;
    if !out.is_empty() {
        let has = |answer: &str| {
            let mut quotes = finding.claims.iter().flat_map(Claim::quotes);
            quotes.any(|quote| quote.text.contains(answer))
        };
        if finding.answer.as_ref().is_some_and(|a| !has(&a.text)) {
            finding.answer = None;
        }
        if finding.claims.is_empty() {
            finding.confidence = 0.0;
            finding.stop = StopReason::NothingFound;
        }
    }
    out.iter().map(|claim| claim.text().to_owned()).collect()
}
