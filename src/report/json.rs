//! The report's JSON: a documented, versioned contract (`docs/reference/report-json.md`), kept
//! apart from the working types so that those may change without breaking it.

use indago_core::{
    Answer, Claim, Contradiction, Dropped, Location, NotFound, Report, Source, Usage,
};
use serde::{Deserialize, Serialize};

/// Raised when a field changes its meaning or goes away; added fields do not raise it.
pub const SCHEMA_VERSION: u32 = 1;

/// A report as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonReport {
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// `_id` of the batch item; absent for a single question.
    #[serde(rename = "_id", default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The run it came from; `indago runs show` takes it.
    pub run: String,
    /// The question as asked.
    pub question: String,
    /// Which reasoner wrote it.
    pub reasoner: String,
    /// Short answer, or `null`.
    pub answer: Option<String>,
    /// Its type, or `null`.
    pub answer_kind: Option<indago_core::AnswerKind>,
    /// Whether the corpus does not answer the question.
    pub abstained: bool,
    /// 0 to 1.
    pub confidence: f32,
    /// In reading order.
    pub claims: Vec<JsonClaim>,
    /// In order of importance.
    pub sources: Vec<JsonSource>,
    /// What was looked for in vain.
    pub not_found: Vec<JsonNotFound>,
    /// Sources that disagree.
    pub contradictions: Vec<JsonContradiction>,
    /// Sentences that were written and did not survive the checks.
    #[serde(default)]
    pub dropped: Vec<Dropped>,
    /// The question graph.
    pub graph: JsonGraph,
    /// Why the run ended.
    pub stop_reason: indago_core::StopReason,
    /// What was spent.
    pub usage: JsonUsage,
    /// How far the vectors were.
    pub coverage: JsonCoverage,
}

/// A claim with what it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonClaim {
    /// The sentence.
    pub text: String,
    /// The sub-question it answers, as in `graph`; absent in contradictions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<u32>,
    /// How it was checked; every claim that is shown was.
    #[serde(default)]
    pub checked: Checked,
    /// Never empty.
    pub quotes: Vec<JsonQuote>,
}

/// How a claim was checked. Its quotes were read again at their bytes in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checked {
    /// It says what its quotes say, word for word.
    #[default]
    Quoted,
    /// It is worded otherwise: its numbers, dates, names and negations stand in its quotes.
    Compared,
}

/// An exact span of a document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonQuote {
    /// The document's own id.
    pub document: String,
    /// The passage it was found in.
    pub passage: String,
    /// The quoted text.
    pub text: String,
    /// First byte in the document's decoded text.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

/// A document that claims quote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonSource {
    /// Number in the report, from 1.
    pub n: u32,
    /// The document's own id.
    pub document: String,
    /// Its title, or its id.
    pub title: String,
    /// Where the first quote stands.
    pub location: JsonLocation,
}

/// Where something stands, for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonLocation {
    /// Page, from 1, or `null`.
    pub page: Option<u32>,
    /// Line, from 1, or `null`.
    pub line: Option<u32>,
    /// Headings, outermost first.
    pub headings: Vec<String>,
}

/// A sub-question that stayed open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonNotFound {
    /// The sub-question in words.
    pub question: String,
    /// Queries that were tried.
    pub tried: Vec<String>,
    /// What is missing.
    pub missing: Vec<String>,
}

/// Claims that cannot all hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonContradiction {
    /// What they disagree on.
    pub about: String,
    /// The claims.
    pub claims: Vec<JsonClaim>,
}

/// The question graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonGraph {
    /// In order of creation; node 0 is the question.
    pub nodes: Vec<JsonNode>,
    /// In order of creation.
    pub edges: Vec<JsonEdge>,
}

/// A sub-question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonNode {
    /// Its number.
    pub id: u32,
    /// The question in words.
    pub text: String,
    /// Where it ended.
    pub state: indago_core::NodeState,
    /// Why it was asked.
    pub reason: String,
    /// Its short answer, or `null`.
    pub answer: Option<String>,
    /// 0 to 1, or `null` when nobody worked on it.
    pub confidence: Option<f32>,
}

/// `from` needs the answer of `on`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonEdge {
    /// The node that waits.
    pub from: u32,
    /// The node it waits for.
    pub on: u32,
    /// Why.
    pub reason: String,
}

/// What was spent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonUsage {
    /// Retrieval queries.
    pub queries: u64,
    /// Passages read.
    pub passages: u64,
    /// Rounds of search over all sub-questions.
    pub rounds: u64,
    /// Language-model calls.
    pub lm_calls: u64,
    /// Language-model tokens, in and out.
    pub lm_tokens: u64,
    /// Of the tokens in, those that a server had cached.
    #[serde(default)]
    pub lm_cached_tokens: u64,
    /// Millionths of a US dollar, as far as prices are known.
    #[serde(default)]
    pub money_micros: u64,
    /// Pages fetched.
    #[serde(default)]
    pub pages: u64,
    /// Milliseconds from question to report.
    pub wall_ms: u64,
}

/// How far the vectors were when the question was asked.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonCoverage {
    /// Passages in the corpus.
    pub passages: u64,
    /// Passages with a vector.
    pub embedded: u64,
}

/// The report as its JSON contract; `id` is the batch item's `_id`.
pub fn json(report: &Report, id: Option<&str>) -> JsonReport {
    JsonReport {
        schema_version: SCHEMA_VERSION,
        id: id.map(str::to_owned),
        run: report.run.to_string(),
        question: report.question.clone(),
        reasoner: report.reasoner.clone(),
        answer: report
            .answer
            .as_ref()
            .map(|Answer { text, .. }| text.clone()),
        answer_kind: report.answer.as_ref().map(|answer| answer.kind),
        abstained: report.abstained,
        confidence: report.confidence,
        claims: report
            .sections
            .iter()
            .flat_map(|section| {
                section
                    .claims
                    .iter()
                    .map(|c| claim(c, Some(section.node.0)))
            })
            .collect(),
        sources: report.sources.iter().map(source).collect(),
        not_found: report.not_found.iter().map(not_found).collect(),
        contradictions: report.contradictions.iter().map(contradiction).collect(),
        dropped: report.dropped.clone(),
        graph: graph(report),
        stop_reason: report.stop_reason,
        usage: usage(report.usage),
        coverage: JsonCoverage {
            passages: report.coverage.passages,
            embedded: report.coverage.embedded,
        },
    }
}

fn claim(claim: &Claim, node: Option<u32>) -> JsonClaim {
    JsonClaim {
        text: claim.text().to_owned(),
        node,
        checked: if super::is_quoted(claim) {
            Checked::Quoted
        } else {
            Checked::Compared
        },
        quotes: claim
            .quotes()
            .iter()
            .map(|quote| JsonQuote {
                document: quote.document.to_string(),
                passage: quote.passage.to_string(),
                text: quote.text.clone(),
                start: quote.start,
                end: quote.end,
            })
            .collect(),
    }
}

fn source(source: &Source) -> JsonSource {
    let Location {
        page,
        line,
        headings,
    } = &source.location;
    JsonSource {
        n: source.n,
        document: source.document.to_string(),
        title: source.title.clone(),
        location: JsonLocation {
            page: *page,
            line: *line,
            headings: headings.clone(),
        },
    }
}

fn not_found(open: &NotFound) -> JsonNotFound {
    JsonNotFound {
        question: open.question.clone(),
        tried: open.tried.clone(),
        missing: open.missing.clone(),
    }
}

fn contradiction(contradiction: &Contradiction) -> JsonContradiction {
    JsonContradiction {
        about: contradiction.about.clone(),
        claims: contradiction
            .claims
            .iter()
            .map(|c| claim(c, None))
            .collect(),
    }
}

fn graph(report: &Report) -> JsonGraph {
    let node = |node: &indago_core::SubQuestion| JsonNode {
        id: node.id.0,
        text: node.text.clone(),
        state: node.state,
        reason: node.reason.clone(),
        answer: node
            .finding
            .as_ref()
            .and_then(|f| f.answer.as_ref())
            .map(|a| a.text.clone()),
        confidence: node.finding.as_ref().map(|f| f.confidence),
    };
    let edge = |edge: &indago_core::Dependency| JsonEdge {
        from: edge.from.0,
        on: edge.on.0,
        reason: edge.reason.clone(),
    };
    JsonGraph {
        nodes: report.graph.nodes.iter().map(node).collect(),
        edges: report.graph.edges.iter().map(edge).collect(),
    }
}

fn usage(usage: Usage) -> JsonUsage {
    let Usage {
        queries,
        passages,
        rounds,
        lm_calls,
        lm_tokens,
        lm_cached,
        money_micros,
        pages,
        wall_ms,
    } = usage;
    JsonUsage {
        queries,
        passages,
        rounds,
        lm_calls,
        lm_tokens,
        lm_cached_tokens: lm_cached,
        money_micros,
        pages,
        wall_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_contract_looks_like_this() {
        insta::assert_json_snapshot!("report_json", json(&sample::answered(), Some("q-7")));
    }

    #[test]
    fn an_abstention_has_a_null_answer() {
        let value = serde_json::to_value(json(&sample::abstained(), None)).unwrap();
        assert_eq!(value["answer"], serde_json::Value::Null);
        assert_eq!(value["abstained"], true);
        assert!(value.get("_id").is_none());
    }

    #[test]
    fn every_field_is_documented() {
        let page = include_str!("../../docs/reference/report-json.md");
        fn fields(value: &serde_json::Value, out: &mut Vec<String>) {
            match value {
                serde_json::Value::Object(map) => {
                    for (key, inner) in map {
                        out.push(key.clone());
                        fields(inner, out);
                    }
                }
                serde_json::Value::Array(items) => items.iter().for_each(|i| fields(i, out)),
                _ => {}
            }
        }
        let mut names = Vec::new();
        let report = json(&sample::answered(), Some("q-7"));
        fields(&serde_json::to_value(report).unwrap(), &mut names);
        for name in names {
            assert!(
                page.contains(&format!("`{name}`")),
                "report-json.md lacks `{name}`"
            );
        }
    }
}
