//! What the oracle says.

use std::collections::HashMap;

use indago_text::sentences;
use serde_json::{Value, json};

use crate::gold::{Gold, Hop, norm};
use crate::planning;
use crate::seen::Seen;

/// Knows the parts of questions; answers from what it is shown.
#[derive(Debug)]
pub struct Oracle {
    by_question: HashMap<String, Gold>,
    ways: usize,
}

/// The parts that a request is about, and which of them its messages support.
struct View<'a> {
    gold: &'a Gold,
    /// The parts in scope: all, or the one that the sub-question asks.
    scope: Vec<usize>,
    known: Vec<bool>,
    /// Whether the request is about the whole question.
    whole: bool,
    ways: usize,
}

impl View<'_> {
    fn hop(&self, i: usize) -> &Hop {
        &self.gold.hops[i]
    }

    fn render(&self, i: usize) -> String {
        let text = self.hop(i).render(&self.gold.hops);
        // Behind the arrow stands only what has to be known first.
        text.split('\u{2190}')
            .next()
            .unwrap_or(&text)
            .trim()
            .to_owned()
    }

    /// Parts that are open and whose words are known.
    fn open(&self) -> Vec<usize> {
        self.scope
            .iter()
            .copied()
            .filter(|i| !self.known[*i])
            .filter(|i| {
                !self.whole
                    || self
                        .hop(*i)
                        .needs()
                        .iter()
                        .all(|n| self.known.get(*n) == Some(&true))
            })
            .collect()
    }

    fn done(&self) -> bool {
        !self.scope.is_empty() && self.scope.iter().all(|i| self.known[*i])
    }

    fn answer(&self) -> Option<String> {
        if !self.done() {
            return None;
        }
        if self.whole {
            self.gold.answers.first().cloned()
        } else {
            self.scope.last().map(|i| self.hop(*i).answer.clone())
        }
    }

    /// Ways to ask for a part, best first.
    fn phrasings(&self, i: usize) -> Vec<String> {
        let first = self.render(i);
        let subject: Vec<&str> = first.split_whitespace().collect();
        let short = subject[..subject.len().saturating_sub(1).max(1).min(subject.len())].join(" ");
        let long = format!("{first} {}", self.gold.question);
        vec![first, long, short]
    }
}

impl Oracle {
    /// Knows these questions.
    pub fn new(gold: impl IntoIterator<Item = Gold>) -> Self {
        Self {
            by_question: gold.into_iter().map(|g| (norm(&g.question), g)).collect(),
            ways: 1,
        }
    }

    /// Asks for a part in up to `ways` different wordings (at most 3) before it gives it up.
    #[must_use]
    pub fn in_ways(mut self, ways: usize) -> Self {
        self.ways = ways;
        self
    }

    /// The reply to `messages` (role and text, in order).
    pub fn reply(&self, messages: Vec<(String, String)>) -> String {
        let seen = Seen::new(messages);
        let task = seen.task().to_owned();
        if let Some(text) = transcribe(&task, &seen) {
            return text;
        }
        let Some(view) = self.view(&seen) else {
            return unknown(&task);
        };
        match task.as_str() {
            "search-dialogue" | "tool-dialogue" => dialogue(&view, &seen),
            "react" => react(&view, &seen),
            "interleave" => interleave(&view, &seen),
            "read-draft" => draft(&view),
            "read-quotes" => read(&view, &seen).to_string(),
            "plan" => plan(&view, &seen).to_string(),
            "outline" => outline(&view, &seen).to_string(),
            "perspectives" | "perspective-next" | "deepen" | "oppose" | "clarify" => {
                planning::reply(&task, &plan(&view, &seen), &seen).to_string()
            }
            "queries" => {
                let open = view.open();
                let queries: Vec<String> = open.iter().map(|i| view.render(*i)).collect();
                json!({ "restated": view.gold.question, "queries": queries }).to_string()
            }
            "collate" => collate(&view, &seen).to_string(),
            "assess" => {
                let missing: Vec<String> = view.open().iter().map(|i| view.render(*i)).collect();
                json!({
                    "answer": view.answer(), "reliable": view.done(),
                    "missing": missing, "queries": missing,
                })
                .to_string()
            }
            "sufficient" => {
                let missing: Vec<String> = view.open().iter().map(|i| view.render(*i)).collect();
                json!({ "enough": view.done(), "missing": missing }).to_string()
            }
            "useful" => {
                let helps = view
                    .gold
                    .hops
                    .iter()
                    .any(|h| h.support.iter().any(|s| seen.has(s)));
                json!({ "verdict": if helps { "entailment" } else { "neutral" } }).to_string()
            }
            // A judge that trusts whatever it is shown: what rules can see, they must see alone.
            "support" => {
                let trusts = |(n, _): (usize, &str)| json!({ "claim": n, "verdict": "supported" });
                let verdicts: Vec<Value> = seen.blocks("claim").map(trusts).collect();
                json!({ "verdicts": verdicts }).to_string()
            }
            "elicit-passage" => "I do not know of such a passage.".to_owned(),
            _ => view.answer().unwrap_or_else(|| "unknown".to_owned()),
        }
    }

    fn view<'a>(&'a self, seen: &Seen) -> Option<View<'a>> {
        let question = seen.tag("question")?;
        let gold = self.by_question.get(&norm(&question))?;
        let part = seen.tag("sub-question").unwrap_or_else(|| question.clone());
        let mut whole = norm(&part) == norm(&question);
        let mut view = View {
            gold,
            scope: (0..gold.hops.len()).collect(),
            known: gold
                .hops
                .iter()
                .map(|h| h.support.iter().any(|s| seen.has(s)))
                .collect(),
            whole: true,
            ways: self.ways,
        };
        if !whole {
            let asked = (0..gold.hops.len()).find(|i| norm(&view.render(*i)) == norm(&part));
            match asked {
                Some(i) => view.scope = vec![i],
                None => whole = true,
            }
        }
        view.whole = whole;
        Some(view)
    }
}

/// Tasks that need no knowledge.
fn transcribe(task: &str, seen: &Seen) -> Option<String> {
    (task == "section").then(|| {
        let chosen = seen.statements();
        let sentences: Vec<Value> = seen
            .blocks("statement")
            .filter(|(n, _)| chosen.contains(n))
            .map(|(n, text)| json!({ "text": text.trim(), "evidence": [n] }))
            .collect();
        json!({ "sentences": sentences }).to_string()
    })
}

/// What is said about a question it does not know.
fn unknown(task: &str) -> String {
    match task {
        "search-dialogue" | "tool-dialogue" => "Final Answer: not found".to_owned(),
        "react" => "Action: finish[not found]".to_owned(),
        "plan" => json!({ "ops": [{ "op": "finish" }] }).to_string(),
        "perspectives" | "perspective-next" | "deepen" | "oppose" | "clarify" => {
            let nothing = json!({ "ops": [{ "op": "finish" }] });
            planning::reply(task, &nothing, &Seen::new(Vec::new())).to_string()
        }
        "read-quotes" => {
            json!({ "quotes": [], "claims": [], "answer": null, "missing": [] }).to_string()
        }
        _ => "unknown".to_owned(),
    }
}

/// The next query that was not asked yet; `None` when every way of asking was tried.
fn next_query(view: &View<'_>, asked: &[String]) -> Option<String> {
    let asked: Vec<String> = asked.iter().map(|q| norm(q)).collect();
    let open = view.open();
    // Every open part once before any is asked in other words.
    (0..view.ways).find_map(|way| {
        open.iter().find_map(|i| {
            view.phrasings(*i)
                .into_iter()
                .nth(way)
                .filter(|q| !asked.contains(&norm(q)))
        })
    })
}

fn dialogue(view: &View<'_>, seen: &Seen) -> String {
    let asked: Vec<String> = seen
        .own()
        .flat_map(str::lines)
        .filter_map(|l| {
            l.strip_prefix("Query: ")
                .or_else(|| l.strip_prefix("Refined Query: "))
        })
        .map(str::to_owned)
        .collect();
    let said = established(view);
    if let Some(answer) = view.answer() {
        return format!("{said}\nFinal Answer: {answer}");
    }
    match next_query(view, &asked) {
        Some(query) if asked.is_empty() => format!("I have to find out: {query}.\nQuery: {query}"),
        Some(query) => format!("{said} Missing: {query}.\nRefined Query: {query}"),
        None => format!("{said}\nFinal Answer: not found"),
    }
}

fn react(view: &View<'_>, seen: &Seen) -> String {
    let asked: Vec<String> = seen
        .own()
        .flat_map(str::lines)
        .filter_map(|l| l.strip_prefix("Action: search["))
        .map(|q| q.trim_end_matches(']').to_owned())
        .collect();
    let said = established(view);
    if let Some(answer) = view.answer() {
        return format!("Thought: {said}\nAction: finish[{answer}]");
    }
    match next_query(view, &asked) {
        Some(query) => format!("Thought: {said} Next: {query}.\nAction: search[{query}]"),
        None => "Thought: nothing more can be found.\nAction: finish[not found]".to_owned(),
    }
}

fn interleave(view: &View<'_>, seen: &Seen) -> String {
    let so_far: Vec<String> = seen.own().map(norm).collect();
    let fresh = |sentence: &String| so_far.iter().all(|s| !s.contains(&norm(sentence)));
    if let Some(answer) = view.answer() {
        return format!("So the answer is: {answer}");
    }
    let facts = view.scope.iter().filter(|i| view.known[**i]);
    let asks = view.open();
    let mut sentences = asks
        .iter()
        .map(|i| format!("The next thing to know is {}.", view.render(*i)))
        .chain(facts.map(|i| format!("{} is {}.", view.render(*i), view.hop(*i).answer)));
    sentences
        .find(fresh)
        .unwrap_or_else(|| "So the answer is: unknown".to_owned())
}

/// What the messages establish, in words.
fn established(view: &View<'_>) -> String {
    let facts: Vec<String> = view
        .scope
        .iter()
        .filter(|i| view.known[**i])
        .map(|i| {
            let answer: String = view.hop(*i).answer.chars().take(120).collect();
            format!("{}: {answer}.", view.render(*i))
        })
        .collect();
    if facts.is_empty() {
        "Nothing is established so far.".to_owned()
    } else {
        facts.join(" ")
    }
}

fn draft(view: &View<'_>) -> String {
    let open: Vec<String> = view.open().iter().map(|i| view.render(*i)).collect();
    let missing = if open.is_empty() {
        String::new()
    } else {
        format!(" Not stated: {}.", open.join("; "))
    };
    let answer = view.answer().unwrap_or_else(|| "unknown".to_owned());
    format!("{}{missing}\nSo the answer is: {answer}", established(view))
}

/// The sentence of a shown passage that supports a part: passage number and its exact text.
fn quote(hop: &Hop, seen: &Seen) -> Option<(usize, String)> {
    let wanted: Vec<String> = hop.support.iter().map(|s| norm(s)).collect();
    for (n, block) in seen.blocks("passage") {
        for line in block.lines() {
            for range in sentences(line) {
                let sentence = &line[range];
                let plain = norm(sentence);
                let fits = |w: &String| {
                    plain.contains(w.as_str()) || (plain.len() > 30 && w.contains(&plain))
                };
                if !plain.is_empty() && wanted.iter().any(fits) {
                    return Some((n, sentence.to_owned()));
                }
            }
        }
    }
    None
}

fn read(view: &View<'_>, seen: &Seen) -> Value {
    let mut quotes: Vec<Value> = Vec::new();
    let mut claims: Vec<Value> = Vec::new();
    for i in view.scope.iter().filter(|i| view.known[**i]) {
        if let Some((n, sentence)) = quote(view.hop(*i), seen) {
            claims.push(json!({ "text": sentence, "quotes": [quotes.len()] }));
            quotes.push(json!({ "passage": n, "text": sentence }));
        }
    }
    let missing: Vec<String> = view.open().iter().map(|i| view.render(*i)).collect();
    json!({ "quotes": quotes, "claims": claims, "answer": view.answer(), "missing": missing })
}

fn plan(view: &View<'_>, seen: &Seen) -> Value {
    // What is known here is what findings say, not passages: a planner sees none.
    let findings: Vec<(usize, String, String)> = seen
        .blocks("finding")
        .map(|(n, text)| {
            let line = |mark: &str| {
                let found = text.lines().find_map(|l| l.strip_prefix(mark));
                norm(found.unwrap_or_default())
            };
            (n, line("Question:"), line("Answer:"))
        })
        .collect();
    let node_of = |i: usize| {
        let asked = norm(&view.render(i));
        findings.iter().find(|(_, q, _)| *q == asked)
    };
    let answered = |i: usize| node_of(i).is_some_and(|(_, _, a)| *a == norm(&view.hop(i).answer));
    let mut ops: Vec<Value> = Vec::new();
    for i in 0..view.gold.hops.len() {
        let needs = view.hop(i).needs();
        if node_of(i).is_none() && needs.iter().all(|n| answered(*n)) {
            let after: Vec<String> = needs
                .iter()
                .filter_map(|n| node_of(*n))
                .map(|(n, _, _)| format!("q{n}"))
                .collect();
            let ask = view.render(i);
            let repeated = ops
                .iter()
                .any(|op: &Value| op["ask"].as_str() == Some(ask.as_str()));
            if !repeated && norm(&ask) != norm(&view.gold.question) {
                let id = format!("n{}", i + 1);
                ops.push(json!({ "op": "add", "id": id, "ask": ask, "after": after }));
            }
        }
    }
    if ops.is_empty() {
        ops.push(json!({ "op": "finish" }));
    }
    json!({ "ops": ops })
}

fn outline(view: &View<'_>, seen: &Seen) -> Value {
    let all: Vec<usize> = seen.blocks("statement").map(|(n, _)| n).collect();
    let half = all.len().div_ceil(2).max(1);
    let sections: Vec<Value> = all
        .chunks(half)
        .enumerate()
        .map(|(i, part)| json!({ "heading": format!("Part {}", i + 1), "evidence": part }))
        .collect();
    json!({ "sections": sections, "answer": view.answer() })
}

fn collate(view: &View<'_>, seen: &Seen) -> Value {
    let mut statements: Vec<Value> = Vec::new();
    for i in view.scope.iter().filter(|i| view.known[**i]) {
        if let Some((n, sentence)) = quote(view.hop(*i), seen) {
            statements.push(json!({
                "text": sentence, "passages": [n], "aspect": view.render(*i),
            }));
        }
    }
    json!({ "statements": statements, "withdraw": [], "revise": [] })
}
