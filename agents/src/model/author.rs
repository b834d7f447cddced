//! The model-driven writer: outline, then sections, each a task, every sentence checked against the
//! quotes it names.
//!
//! The ledger of verified claims is all it ever sees of the evidence. Where a call fails, the
//! ledger's own claims stand in for the section: a failed call never costs the report.

use std::collections::BTreeSet;
use std::sync::Arc;

use indago_core::ports::{
    BoxFuture, Entailment, Library, Request, TaskCtx, TaskError, TaskKey, TaskSet,
};
use indago_core::{
    Allowance, Answer, Claim, Dropped, Event, NodeId, NodeState, Prompt, Report, StopReason, Usage,
};
use serde_json::json;

use super::prompts::{
    Outline, Section as Task, SectionPart, SectionRepair, note, opening, role, said,
};
use super::support::settle;
use super::{Ask, Models, Ports, Role, complete_json};
use crate::contradict::disagreements;
use crate::operators::is_fatal;
use crate::reasoner::{Author, SectionInput, WrittenSection};
use crate::verify::Verifier;
use crate::{WriteInput, drop_claim, write_from};

mod forms;
mod said;

use forms::{Planned, PlannedSection, Sentence, Sentences, outline_schema, section_schema};
use said::Said;

/// Sections at most, claims of the ledger that the outline sees, and sentences of a section.
const MAX_SECTIONS: usize = 6;
const MAX_LEDGER: usize = 60;
const MAX_SENTENCES: usize = 30;

/// Writes with a language model.
#[derive(Clone)]
pub struct ModelAuthor {
    name: String,
    models: Models,
    entailment: Option<Arc<dyn Entailment>>,
    words: u32,
}

impl std::fmt::Debug for ModelAuthor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ModelAuthor({:?}, {} words)", self.models, self.words)
    }
}

impl ModelAuthor {
    /// Writes reports of about `words` words.
    pub fn new(models: Models, words: u32) -> Self {
        Self {
            name: "model".to_owned(),
            models,
            entailment: None,
            words,
        }
    }

    /// Under another name, which stands in its reports.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Has what the rules cannot tell judged by `entailment` before the judge among the models is
    /// asked.
    #[must_use]
    pub fn with_entailment(mut self, entailment: Arc<dyn Entailment>) -> Self {
        self.entailment = Some(entailment);
        self
    }
}

impl Author for ModelAuthor {
    fn name(&self) -> &str {
        &self.name
    }

    fn write<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        library: &'a dyn Library,
        input: WriteInput,
    ) -> BoxFuture<'a, Result<Report, TaskError>> {
        Box::pin(self.compose(cx, library, input, true))
    }

    fn assemble<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        library: &'a dyn Library,
        input: WriteInput,
    ) -> BoxFuture<'a, Result<Report, TaskError>> {
        Box::pin(self.compose(cx, library, input, false))
    }

    fn section<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        library: &'a dyn Library,
        input: SectionInput,
    ) -> BoxFuture<'a, Result<WrittenSection, TaskError>> {
        Box::pin(self.write_section(cx, library, input))
    }
}

impl ModelAuthor {
    async fn compose(
        &self,
        cx: &mut dyn TaskCtx,
        library: &dyn Library,
        input: WriteInput,
        may_call: bool,
    ) -> Result<Report, TaskError> {
        let mut dropped = Vec::new();
        // Verified claims of all findings, each once, the oldest node first: the ledger only grows
        // at its end, so that the writer's prompts share their beginning.
        let mut ledger: Vec<(NodeId, Claim)> = Vec::new();
        let mut usage = Usage::default();
        for node in &input.graph.nodes {
            let Some(finding) = node
                .finding
                .as_ref()
                .filter(|_| node.state != NodeState::Pruned)
            else {
                continue;
            };
            let claims = finding.claims.clone();
            let (kept, refused) = if may_call {
                let looked = Verifier::strict().look(library, claims).await?;
                let purpose = format!("support/{}", node.id);
                let mut ports = Ports::new(cx, library, &self.models).within(input.allowance);
                let local = self.entailment.as_deref();
                settle(
                    &mut ports,
                    local,
                    (&input.question, &purpose),
                    looked,
                    &mut usage,
                )
                .await?
            } else {
                let checked = Verifier::strict().verify(library, claims).await?;
                (checked.kept, checked.dropped)
            };
            for (claim, reason) in refused {
                drop_claim(cx, &mut dropped, claim, reason);
            }
            for claim in kept {
                if ledger.iter().all(|(_, known)| known != &claim) && ledger.len() < MAX_LEDGER {
                    ledger.push((node.id, claim));
                }
            }
        }
        let root = input.graph.node(NodeId(0)).and_then(|n| n.finding.as_ref());
        let mut answer = root.and_then(|f| f.answer.clone());
        let mut sections: Vec<(NodeId, String, Vec<Claim>)> = Vec::new();
        if !may_call {
            let said = Said::by(library, &ledger).await?;
            answer = answer.and_then(|answer| carried(&said, answer, &input.question));
            sections = assembled(&ledger);
        } else if !ledger.is_empty() {
            let said = Said::by(library, &ledger).await?;
            answer = answer.and_then(|answer| carried(&said, answer, &input.question));
            let planned = self
                .outline(cx, library, &input, &ledger, &mut usage)
                .await?;
            // The outline has seen everything: its answer comes before one that is more often wrong
            // than right.
            let unsure = root.is_none_or(|finding| finding.confidence < Answer::LIKELY);
            if answer.is_none() || unsure {
                let text = planned.answer;
                let text = text.and_then(|text| said.carried(&text, &input.question));
                answer = text.map(short).or(answer);
            }
            sections = self
                .write_sections(
                    cx,
                    &input,
                    planned.sections,
                    &ledger,
                    (&mut usage, &mut dropped),
                )
                .await?;
        }
        let mut total = input.usage;
        total += usage;
        let mut report = write_from(
            cx,
            library,
            WriteInput {
                usage: total,
                ..input
            },
            self.name(),
            sections,
            answer,
            dropped,
        )
        .await?;
        // Of all that was verified, also of what no section shows.
        let verified: Vec<&Claim> = ledger.iter().map(|(_, claim)| claim).collect();
        for one in disagreements(&verified) {
            if !report.contradictions.contains(&one) {
                report.contradictions.push(one);
            }
        }
        Ok(report)
    }

    /// The plan of the report; one section per sub-question where the model gives none.
    async fn outline(
        &self,
        cx: &mut dyn TaskCtx,
        library: &dyn Library,
        input: &WriteInput,
        ledger: &[(NodeId, Claim)],
        usage: &mut Usage,
    ) -> Result<Planned, TaskError> {
        let claims = ledger.iter().map(|(_, claim)| claim);
        let prompt = role(
            with_ledger(&input.question, claims),
            Outline::new().render(),
        );
        let ask = Ask {
            role: Role::Writer,
            purpose: "write/outline".to_owned(),
            request: request(prompt, 800),
        };
        let mut ports = Ports::new(cx, library, &self.models).within(input.allowance);
        match complete_json::<Planned>(&mut ports, ask, "outline", outline_schema(), usage).await {
            Ok(mut planned) => {
                planned.sections.truncate(MAX_SECTIONS);
                for section in &mut planned.sections {
                    section.evidence.retain(|n| (1..=ledger.len()).contains(n));
                    section.evidence.dedup();
                }
                planned.sections.retain(|s| !s.evidence.is_empty());
                if planned.sections.is_empty() {
                    planned.sections = by_node(ledger);
                }
                Ok(planned)
            }
            Err(error) if is_fatal(&error) => Err(error),
            Err(error) => {
                cx.emit(Event::Warned {
                    message: format!("the outline failed, sections follow the plan: {error}"),
                });
                Ok(Planned {
                    sections: by_node(ledger),
                    answer: None,
                })
            }
        }
    }

    /// Writes all sections at once, each a child task, and gives them in the order of the outline.
    async fn write_sections(
        &self,
        cx: &mut dyn TaskCtx,
        whole: &WriteInput,
        planned: Vec<PlannedSection>,
        ledger: &[(NodeId, Claim)],
        (usage, dropped): (&mut Usage, &mut Vec<Dropped>),
    ) -> Result<Vec<(NodeId, String, Vec<Claim>)>, TaskError> {
        let mut set = TaskSet::default();
        let sections = planned.len().max(1);
        let words = self.words / sections as u32;
        let left = whole.allowance.after(usage);
        let mut inputs = Vec::new();
        for (index, section) in planned.into_iter().enumerate() {
            let first = section.evidence.first().and_then(|n| ledger.get(n - 1));
            let node = first.map_or(NodeId(0), |(node, _)| *node);
            // Up to the last statement it rests on: what a follow-up adds behind it leaves the
            // section, and the call that wrote it, as they were.
            let last = section.evidence.iter().max().copied().unwrap_or(0);
            let input = SectionInput {
                question: whole.question.clone(),
                heading: section.heading,
                ledger: ledger
                    .iter()
                    .take(last)
                    .map(|(_, claim)| claim.clone())
                    .collect(),
                evidence: section.evidence,
                words,
                index: index as u32,
                allowance: share(left, index as u64, sections as u64),
            };
            let data = super::call::to_value(&input)?;
            cx.spawn(
                "section",
                TaskKey(format!("section-{index}")),
                data,
                &mut set,
            )
            .await?;
            inputs.push((node, input));
        }
        let mut written: Vec<Option<Vec<Claim>>> = vec![None; inputs.len()];
        while let Some((key, result)) = cx.next_done(&mut set).await {
            let index: usize = key
                .0
                .strip_prefix("section-")
                .and_then(|n| n.parse().ok())
                .unwrap_or(usize::MAX);
            let section = result
                .and_then(|value| super::call::from_value::<WrittenSection>("section", value));
            match section {
                Ok(section) => {
                    *usage += section.usage;
                    for (claim, reason) in section.dropped {
                        drop_claim(cx, dropped, claim, reason);
                    }
                    if let Some(reason) = section.failed {
                        cx.emit(failed_section(index, &reason));
                    }
                    if let Some(slot) = written.get_mut(index)
                        && !section.claims.is_empty()
                    {
                        *slot = Some(section.claims);
                    }
                }
                Err(TaskError::Cancelled) => return Err(TaskError::Cancelled),
                Err(error) => cx.emit(failed_section(index, &error.to_string())),
            }
        }
        Ok(inputs
            .into_iter()
            .zip(written)
            .map(|((node, input), claims)| {
                let own = || {
                    let chosen = input
                        .evidence
                        .iter()
                        .filter_map(|n| input.ledger.get(n - 1));
                    chosen.cloned().collect()
                };
                (node, input.heading.clone(), claims.unwrap_or_else(own))
            })
            .collect())
    }

    async fn write_section(
        &self,
        cx: &mut dyn TaskCtx,
        library: &dyn Library,
        input: SectionInput,
    ) -> Result<WrittenSection, TaskError> {
        let words = input.words.to_string();
        let numbers: Vec<String> = input.evidence.iter().map(usize::to_string).collect();
        let part = SectionPart::new(&input.heading, &words, &numbers.join(", ")).render();
        let ledger = with_ledger(&input.question, &input.ledger);
        let prompt = role(ledger, Task::new().render()).user(part);
        let mut section = WrittenSection::default();
        let mut ports = Ports::new(cx, library, &self.models).within(input.allowance);
        let purpose = format!("write/section/{}", input.index);
        let first = match self
            .sentences(&mut ports, &purpose, prompt.clone(), &mut section.usage)
            .await
        {
            Ok(first) => first,
            Err(error) if is_fatal(&error) => return Err(error),
            // What it took is counted all the same.
            Err(error) => {
                section.failed = Some(error.to_string());
                return Ok(section);
            }
        };
        let failed = self
            .check(&mut ports, &purpose, &input, first, &mut section)
            .await?;
        if failed.is_empty() {
            return Ok(section);
        }
        // One repair round, for the sentences that did not pass.
        let texts: Vec<&str> = failed.iter().map(|(text, _)| text.as_str()).collect();
        let mut again = said(prompt, json!({ "refused": texts }).to_string())
            .user(SectionRepair::new().render());
        for (text, reason) in &failed {
            again = note(
                again,
                "refused sentence",
                format!("{text}\nReason: {reason}"),
            );
        }
        let purpose = format!("{purpose}/again");
        match self
            .sentences(&mut ports, &purpose, again, &mut section.usage)
            .await
        {
            Ok(second) => {
                let still = self
                    .check(&mut ports, &purpose, &input, second, &mut section)
                    .await?;
                section.dropped.extend(still);
            }
            Err(error) if is_fatal(&error) => return Err(error),
            Err(_call_failed) => section.dropped.extend(failed),
        }
        Ok(section)
    }

    async fn sentences(
        &self,
        ports: &mut Ports<'_>,
        purpose: &str,
        prompt: Prompt,
        usage: &mut Usage,
    ) -> Result<Vec<Sentence>, TaskError> {
        let ask = Ask {
            role: Role::Writer,
            purpose: purpose.to_owned(),
            request: request(prompt, 1200),
        };
        let written: Sentences =
            complete_json(ports, ask, "section", section_schema(), usage).await?;
        Ok(written.sentences)
    }

    /// Adds the sentences that pass to `section` and gives the others with the reason.
    async fn check(
        &self,
        ports: &mut Ports<'_>,
        purpose: &str,
        input: &SectionInput,
        sentences: Vec<Sentence>,
        section: &mut WrittenSection,
    ) -> Result<Vec<(String, String)>, TaskError> {
        let mut failed = Vec::new();
        let mut claims: Vec<Claim> = Vec::new();
        for sentence in sentences.into_iter().take(MAX_SENTENCES) {
            let named: BTreeSet<usize> = sentence.evidence.into_iter().collect();
            let mut quotes = Vec::new();
            for quote in named
                .iter()
                .filter(|n| input.evidence.contains(n))
                .filter_map(|n| input.ledger.get(n.checked_sub(1)?))
                .flat_map(Claim::quotes)
            {
                if !quotes.contains(quote) {
                    quotes.push(quote.clone());
                }
            }
            let Some(claim) = Claim::new(sentence.text.trim(), quotes) else {
                failed.push((sentence.text, "it names no statement".to_owned()));
                continue;
            };
            let mut known = section.claims.iter().chain(&claims);
            if !known.any(|known| known.text() == claim.text()) {
                claims.push(claim);
            }
        }
        let looked = Verifier::strict().look(ports.library, claims).await?;
        let purpose = format!("{purpose}/support");
        let local = self.entailment.as_deref();
        let about = (input.question.as_str(), purpose.as_str());
        let (kept, refused) = settle(ports, local, about, looked, &mut section.usage).await?;
        section.claims.extend(kept);
        failed.extend(refused);
        Ok(failed)
    }
}

/// The part of `whole` that the section `index` of `n` may spend; what does not divide goes to the
/// first ones.
fn share(whole: Allowance, index: u64, n: u64) -> Allowance {
    let part = |limit: Option<u64>| limit.map(|all| all / n + u64::from(index < all % n));
    Allowance {
        calls: part(whole.calls),
        tokens: part(whole.tokens),
        money_micros: part(whole.money_micros),
    }
}

fn failed_section(index: usize, reason: &str) -> Event {
    Event::Warned {
        message: format!(
            "section {} failed, its evidence stands in: {reason}",
            index.saturating_add(1)
        ),
    }
}

/// Sections of the ledger's own claims, by node.
fn assembled(ledger: &[(NodeId, Claim)]) -> Vec<(NodeId, String, Vec<Claim>)> {
    by_node(ledger)
        .into_iter()
        .filter_map(|section| {
            let chosen = section.evidence.iter().filter_map(|n| ledger.get(n - 1));
            let node = chosen.clone().next()?.0;
            Some((
                node,
                section.heading,
                chosen.map(|(_, claim)| claim.clone()).collect(),
            ))
        })
        .collect()
}

/// The question and the ledger, which all calls of the writer begin with.
fn with_ledger<'a>(question: &str, claims: impl IntoIterator<Item = &'a Claim>) -> Prompt {
    let mut prompt = opening(question);
    for (i, claim) in claims.into_iter().enumerate() {
        prompt = note(prompt, &format!("statement {}", i + 1), claim.text());
    }
    prompt
}

fn request(prompt: Prompt, max_tokens: u32) -> Request {
    Request {
        prompt,
        max_tokens: Some(max_tokens),
        temperature: Some(0.0),
        ..Request::default()
    }
}

/// The answer of a finding, as far as what was said carries it.
fn carried(said: &Said, answer: Answer, question: &str) -> Option<Answer> {
    let text = said.carried(&answer.text, question)?;
    Some(if text == answer.text {
        answer
    } else {
        short(text)
    })
}

/// An answer in these words.
fn short(text: String) -> Answer {
    Answer {
        kind: crate::operators::kind(&text),
        text,
    }
}

/// One section for each node that has claims.
fn by_node(ledger: &[(NodeId, Claim)]) -> Vec<PlannedSection> {
    let nodes: BTreeSet<NodeId> = ledger.iter().map(|(node, _)| *node).collect();
    nodes
        .into_iter()
        .map(|node| PlannedSection {
            heading: String::new(),
            evidence: (1..=ledger.len())
                .filter(|n| ledger[n - 1].0 == node)
                .collect(),
        })
        .collect()
}

/// Why a run ended, as its report says it.
pub(crate) fn stop_reason(
    stopped: Option<StopReason>,
    abstained: bool,
    root: Option<StopReason>,
) -> StopReason {
    stopped.unwrap_or(match root {
        // What could not be looked for is not what was looked for in vain.
        Some(StopReason::Failed) => StopReason::Failed,
        Some(StopReason::Budget) => StopReason::Budget,
        _ if abstained => StopReason::NothingFound,
        Some(reason) => reason,
        None => StopReason::NothingFound,
    })
}
