//! Tools that read a corpus: search, open a document, find words in it, read around a passage.
//!
//! All of them work on the asynchronous [`Library`] and give text with the quotes it stands on.

use std::ops::Range;
use std::sync::Arc;

use indago_core::ports::{BoxFuture, Effect, Library, RetrieveError, Tool, ToolError};
use indago_core::{
    Cancel, Date, DocumentId, Filters, Observation, Passage, PassageId, Query, Quote, ToolSpec,
};
use serde_json::{Value, json};

use crate::{Registry, RegistryError};

/// The names of these tools.
pub const NAMES: [&str; 4] = [
    "corpus_search",
    "document_open",
    "document_find",
    "read_around",
];

/// Bytes of a document that are read at once.
const PIECE: u64 = 6000;
/// Most bytes on each side of a passage.
const AROUND: u64 = 4000;
/// Longest document that is searched for words.
const SEARCHED: u64 = 4 << 20;
/// Bytes shown on each side of what was found.
const MARGIN: usize = 200;

/// Registers the tools over `library`.
///
/// # Errors
/// When one of their names is taken.
pub fn register(registry: &mut Registry, library: &Arc<dyn Library>) -> Result<(), RegistryError> {
    registry.add(Arc::new(CorpusTool::new(Kind::Search, library.clone())))?;
    registry.add(Arc::new(CorpusTool::new(Kind::Open, library.clone())))?;
    registry.add(Arc::new(CorpusTool::new(Kind::Find, library.clone())))?;
    registry.add(Arc::new(CorpusTool::new(Kind::Around, library.clone())))
}

#[derive(Clone, Copy)]
enum Kind {
    Search,
    Open,
    Find,
    Around,
}

struct CorpusTool {
    kind: Kind,
    spec: ToolSpec,
    library: Arc<dyn Library>,
}

impl CorpusTool {
    fn new(kind: Kind, library: Arc<dyn Library>) -> Self {
        let text = |about: &str| json!({ "type": "string", "minLength": 1, "maxLength": 2000, "description": about });
        let whole = |least: u64, most: u64, about: &str| json!({ "type": "integer", "minimum": least, "maximum": most, "description": about });
        let (name, description, properties, required) = match kind {
            Kind::Search => (
                NAMES[0],
                "Searches the corpus and shows the best passages with their ids.",
                json!({
                    "query": text("what to look for, in natural language"),
                    "k": whole(1, 20, "how many passages; 5 when left out"),
                    "paths": { "type": "array", "maxItems": 20, "items": text("glob on the document's path") },
                    "after": text("only documents dated on or after this day: YYYY, YYYY-MM or YYYY-MM-DD"),
                    "before": text("only documents dated on or before this day"),
                    "metadata": { "type": "object", "maxProperties": 20, "additionalProperties": { "type": "string", "maxLength": 2000 }, "description": "metadata that has to be equal" },
                }),
                vec!["query"],
            ),
            Kind::Open => (
                NAMES[1],
                "Reads a document from a byte on, a piece at a time.",
                json!({ "document": text("the document's id"), "start": whole(0, u64::from(u32::MAX), "byte to start at; 0 when left out") }),
                vec!["document"],
            ),
            Kind::Find => (
                NAMES[2],
                "Finds an exact piece of text in a document, upper and lower case alike, and shows where it stands.",
                json!({ "document": text("the document's id"), "text": text("what to find"), "most": whole(1, 20, "how many places; 5 when left out") }),
                vec!["document", "text"],
            ),
            Kind::Around => (
                NAMES[3],
                "Reads what stands before and after a passage.",
                json!({ "passage": text("the passage's id"), "bytes": whole(1, AROUND, "how much on each side; 1500 when left out") }),
                vec!["passage"],
            ),
        };
        let parameters = json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
        let spec = ToolSpec {
            name: name.to_owned(),
            description: description.to_owned(),
            parameters,
        };
        Self {
            kind,
            spec,
            library,
        }
    }

    async fn run(&self, arguments: Value, cancel: Cancel) -> Result<Observation, ToolError> {
        cancel.check().map_err(|e| ToolError {
            say: "Cancelled.".into(),
            cause: e.to_string(),
            transient: false,
        })?;
        match self.kind {
            Kind::Search => self.search(&arguments).await,
            Kind::Open => {
                let document = DocumentId::new(word(&arguments, "document"));
                let start = arguments["start"].as_u64().unwrap_or(0);
                let (range, text) = self
                    .piece(&document, start..start.saturating_add(PIECE))
                    .await?;
                let more = if range.end - range.start >= PIECE - 8 {
                    format!("\n[goes on at byte {}]", range.end)
                } else {
                    String::new()
                };
                let shown = format!(
                    "{} bytes {} to {}:\n{text}{more}",
                    document.as_str(),
                    range.start,
                    range.end
                );
                Ok(observe(
                    shown,
                    vec![quote(&document, range, &text)],
                    Vec::new(),
                ))
            }
            Kind::Find => self.find(&arguments).await,
            Kind::Around => self.around(&arguments).await,
        }
    }

    async fn search(&self, arguments: &Value) -> Result<Observation, ToolError> {
        let date = |key: &str| -> Result<Option<Date>, ToolError> {
            let text = arguments[key].as_str();
            text.map(|text| text.parse().map_err(|e| bad(&format!("`{key}`: {e}."))))
                .transpose()
        };
        let list = arguments["paths"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let pairs = arguments["metadata"].as_object().into_iter().flatten();
        let filters = Filters {
            paths: list
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            after: date("after")?,
            before: date("before")?,
            metadata: pairs
                .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
                .collect(),
            except: Vec::new(),
        };
        let query = Query {
            filters,
            ..Query::new(word(arguments, "query"))
        };
        let k = arguments["k"].as_u64().unwrap_or(5).clamp(1, 20) as usize;
        let hits = self
            .library
            .search(vec![query], k)
            .await
            .map_err(failed)?
            .into_iter()
            .next()
            .unwrap_or_default();
        let ids: Vec<PassageId> = hits.iter().map(|hit| hit.passage).collect();
        let passages = self.library.passages(ids.clone()).await.map_err(failed)?;
        if passages.is_empty() {
            return Ok(observe(
                "Nothing was found.".to_owned(),
                Vec::new(),
                Vec::new(),
            ));
        }
        let shown: Vec<String> = passages.iter().map(show).collect();
        let quotes = passages
            .iter()
            .map(|p| quote(&p.document, p.span.clone(), &p.text))
            .collect();
        Ok(observe(shown.join("\n\n"), quotes, ids))
    }

    async fn find(&self, arguments: &Value) -> Result<Observation, ToolError> {
        let document = DocumentId::new(word(arguments, "document"));
        let wanted = word(arguments, "text").to_lowercase();
        let most = arguments["most"].as_u64().unwrap_or(5).clamp(1, 20) as usize;
        let mut at = 0;
        let (mut shown, mut quotes) = (Vec::new(), Vec::new());
        // Pieces overlap, so that what stands across their border is found too.
        let overlap = (wanted.len() as u64 + 64).min(PIECE / 2);
        while at < SEARCHED && quotes.len() < most {
            let (range, text) = match self.piece(&document, at..at + PIECE).await {
                Ok(piece) => piece,
                Err(_past_the_end) if at > 0 => break,
                Err(error) => return Err(error),
            };
            for found in places(&text, &wanted) {
                let start = range.start + found.start as u64;
                if quotes.iter().any(|q: &Quote| q.start == start) || quotes.len() == most {
                    continue;
                }
                let from = text.floor_char_boundary(found.start.saturating_sub(MARGIN));
                let to = text.ceil_char_boundary((found.end + MARGIN).min(text.len()));
                shown.push(format!("at byte {start}: ...{}...", &text[from..to]));
                quotes.push(quote(
                    &document,
                    start..range.start + found.end as u64,
                    &text[found],
                ));
            }
            if range.end - range.start < PIECE - 8 {
                break;
            }
            at = range.end.saturating_sub(overlap).max(at + 1);
        }
        let text = if shown.is_empty() {
            "That text is not in this document.".to_owned()
        } else {
            shown.join("\n")
        };
        Ok(observe(text, quotes, Vec::new()))
    }

    async fn around(&self, arguments: &Value) -> Result<Observation, ToolError> {
        let id: PassageId = word(arguments, "passage").parse().map_err(|_not_an_id| {
            bad("That is no passage id. Search first; ids stand before the passages.")
        })?;
        let found = self.library.passages(vec![id]).await.map_err(failed)?;
        let passage = found
            .into_iter()
            .next()
            .ok_or_else(|| bad("No passage has this id. Search first."))?;
        let bytes = arguments["bytes"].as_u64().unwrap_or(1500).min(AROUND);
        let wide = passage.span.start.saturating_sub(bytes)..passage.span.end.saturating_add(bytes);
        let (range, text) = self.piece(&passage.document, wide).await?;
        let shown = format!(
            "{} bytes {} to {}:\n{text}",
            passage.document.as_str(),
            range.start,
            range.end
        );
        Ok(observe(
            shown,
            vec![quote(&passage.document, range, &text)],
            vec![id],
        ))
    }

    /// The text of a range, moved to character boundaries and to the end of the document.
    async fn piece(
        &self,
        document: &DocumentId,
        range: Range<u64>,
    ) -> Result<(Range<u64>, String), ToolError> {
        // A boundary is at most three bytes away; the end of the document may be anywhere before.
        for start in range.start..range.start.saturating_add(4) {
            for end in (range.end.saturating_sub(4)..=range.end).rev() {
                if let Some(text) = self.read(document, start..end).await? {
                    return Ok((start..end, text));
                }
            }
            // The document ends inside: find where by halving.
            let (mut good, mut bad_end) = (start, range.end);
            while bad_end > good + 1 {
                let middle = good + (bad_end - good) / 2;
                let mut fits = None;
                for end in middle..(middle + 4).min(bad_end) {
                    if self.read(document, start..end).await?.is_some() {
                        fits = Some(end);
                        break;
                    }
                }
                match fits {
                    Some(end) => good = end,
                    None => bad_end = middle,
                }
            }
            if good > start
                && let Some(text) = self.read(document, start..good).await?
            {
                return Ok((start..good, text));
            }
        }
        Err(bad(
            "There is no such document, or it ends before that byte. Ids stand in search results.",
        ))
    }

    async fn read(
        &self,
        document: &DocumentId,
        range: Range<u64>,
    ) -> Result<Option<String>, ToolError> {
        self.library
            .reread(quote(document, range, ""))
            .await
            .map_err(failed)
    }
}

/// Where `wanted` (lower-cased) stands in `text`, by characters that lower-case to it.
fn places(text: &str, wanted: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, _) in text.char_indices() {
        let mut rest = wanted;
        for (offset, c) in text[at..].char_indices() {
            let lower: String = c.to_lowercase().collect();
            match rest.strip_prefix(lower.as_str()) {
                Some("") => {
                    found.push(at..at + offset + c.len_utf8());
                    break;
                }
                Some(left) => rest = left,
                None => break,
            }
        }
    }
    found
}

fn word(arguments: &Value, key: &str) -> String {
    arguments[key].as_str().unwrap_or_default().to_owned()
}

fn quote(document: &DocumentId, range: Range<u64>, text: &str) -> Quote {
    Quote {
        document: document.clone(),
        passage: PassageId::of(document, range.start, range.end, text),
        start: range.start,
        end: range.end,
        text: text.to_owned(),
    }
}

/// A passage with what a model needs to ask for more of it.
fn show(passage: &Passage) -> String {
    let date = passage
        .date
        .map(|date| format!(", {date}"))
        .unwrap_or_default();
    format!(
        "[passage {}] {} (document {}{date})\n{}",
        passage.id,
        passage.title,
        passage.document.as_str(),
        passage.text
    )
}

fn observe(text: String, quotes: Vec<Quote>, passages: Vec<PassageId>) -> Observation {
    Observation {
        text,
        quotes,
        passages,
    }
}

fn bad(say: &str) -> ToolError {
    ToolError {
        say: say.to_owned(),
        cause: say.to_owned(),
        transient: false,
    }
}

/// The model is told what to do; what broke goes to the log.
fn failed(error: RetrieveError) -> ToolError {
    let say = match &error {
        RetrieveError::BadFilter { filter, reason } => {
            format!("The filter `{filter}` cannot be used: {reason}.")
        }
        _ => "The corpus cannot be read at the moment. Go on with what you have.".to_owned(),
    };
    ToolError {
        say,
        cause: error.to_string(),
        transient: !matches!(error, RetrieveError::BadFilter { .. }),
    }
}

impl Tool for CorpusTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn effects(&self) -> &[Effect] {
        &[Effect::ReadsCorpus]
    }

    fn call(
        &self,
        arguments: Value,
        cancel: Cancel,
    ) -> BoxFuture<'_, Result<Observation, ToolError>> {
        Box::pin(self.run(arguments, cancel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whatever_their_case() {
        assert_eq!(places("Ärger, ÄRGER", "ärger"), [0..6, 8..14]);
        assert_eq!(places("aaa", "aa"), [0..2, 1..3]);
        assert!(places("abc", "abcd").is_empty());
    }
}
