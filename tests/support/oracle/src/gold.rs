//! What data sets say about how their questions fall into parts.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use indago_text::sentences;
use serde_json::Value;

/// One part of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// What to ask; `#2` stands for the answer of the second part.
    pub ask: String,
    /// Its answer.
    pub answer: String,
    /// Sentences of which one has to be seen before it can be answered.
    pub support: Vec<String>,
    /// The document they stand in.
    pub document: String,
}

/// A question with its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gold {
    /// `_id`.
    pub id: String,
    /// The question.
    pub question: String,
    /// Accepted answers; the first is given.
    pub answers: Vec<String>,
    /// In an order in which they can be asked.
    pub hops: Vec<Hop>,
}

impl Hop {
    /// Parts whose answers it needs, from 0.
    pub fn needs(&self) -> Vec<usize> {
        let mut needs = Vec::new();
        for piece in self.ask.split('#').skip(1) {
            let digits: String = piece.chars().take_while(char::is_ascii_digit).collect();
            if let Ok(n) = digits.parse::<usize>()
                && n > 0
            {
                needs.push(n - 1);
            }
        }
        needs
    }

    /// Its words with the answers of the parts it needs filled in.
    pub fn render(&self, hops: &[Hop]) -> String {
        let mut text = self.ask.clone();
        for need in self.needs() {
            if let Some(hop) = hops.get(need) {
                text = text.replace(&format!("#{}", need + 1), &hop.answer);
            }
        }
        text
    }
}

/// Lower-cased letters and digits with single spaces: what is compared.
pub fn norm(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in indago_text::fold(text).chars() {
        if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        } else if !out.ends_with(' ') && !out.is_empty() {
            out.push(' ');
        }
    }
    out.truncate(out.trim_end().len());
    out
}

fn contains(text: &str, phrase: &str) -> bool {
    !phrase.is_empty() && format!(" {text} ").contains(&format!(" {phrase} "))
}

/// The gold parts of every question of a data set in BEIR's layout. Knows the metadata of MuSiQue
/// (`decomposition`), 2WikiMultihopQA (`evidences`), HotpotQA (`supporting_facts`) and MultiHop-RAG
/// (`evidence`).
///
/// # Errors
/// When a file cannot be read.
pub fn read_gold(folder: &Path) -> std::io::Result<Vec<Gold>> {
    let mut documents: HashMap<String, String> = HashMap::new();
    let packed = folder.join("corpus.jsonl.gz");
    let reader: Box<dyn Read> = if packed.is_file() {
        Box::new(flate2::read::MultiGzDecoder::new(File::open(packed)?))
    } else {
        Box::new(File::open(folder.join("corpus.jsonl"))?)
    };
    for line in BufReader::new(reader).lines() {
        let value: Value = serde_json::from_str(&line?)?;
        documents.insert(text(&value["_id"]), text(&value["text"]));
    }
    let mut gold = Vec::new();
    for line in BufReader::new(File::open(folder.join("queries.jsonl"))?).lines() {
        let value: Value = serde_json::from_str(&line?)?;
        let question = text(&value["text"]);
        let meta = &value["metadata"];
        let hops = if let Some(list) = meta["decomposition"].as_array() {
            list.iter().map(|h| musique(h, &documents)).collect()
        } else if let Some(list) = meta["evidences"].as_array() {
            wiki(list, &meta["supporting_facts"], &question)
        } else if let Some(list) = meta["supporting_facts"].as_array() {
            hotpot(list, &documents, &question)
        } else if let Some(list) = meta["evidence"].as_array() {
            news(list, &documents, &question)
        } else {
            Vec::new()
        };
        gold.push(Gold {
            id: text(&value["_id"]),
            answers: value["answers"]
                .as_array()
                .map(|a| a.iter().map(text).collect())
                .unwrap_or_default(),
            question,
            hops,
        });
    }
    Ok(gold)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn musique(hop: &Value, documents: &HashMap<String, String>) -> Hop {
    let answer = text(&hop["answer"]);
    let document = text(&hop["corpus_id"]);
    let body = documents.get(&document).map_or("", String::as_str);
    let all: Vec<String> = sentences(body)
        .into_iter()
        .map(|r| body[r].to_owned())
        .collect();
    let key = norm(&answer);
    let mut support: Vec<String> = all
        .iter()
        .filter(|s| contains(&norm(s), &key))
        .cloned()
        .collect();
    if support.is_empty() {
        support.extend(all.into_iter().next());
    }
    Hop {
        ask: text(&hop["question"]).replace(" >> ", " "),
        answer,
        support,
        document,
    }
}

fn wiki(triples: &[Value], facts: &Value, question: &str) -> Vec<Hop> {
    let empty = Vec::new();
    let facts = facts.as_array().unwrap_or(&empty);
    let asked = norm(question);
    let mut hops: Vec<Hop> = Vec::new();
    let part = |t: &Value, i: usize| text(&t[i]);
    for triple in triples {
        let (subject, relation, object) = (part(triple, 0), part(triple, 1), part(triple, 2));
        let key = norm(&subject);
        let of_subject: Vec<&Value> = facts
            .iter()
            .filter(|f| {
                let title = norm(&text(&f["title"]));
                title == key || contains(&title, &key) || contains(&key, &title)
            })
            .collect();
        let chosen: Vec<&Value> = if of_subject.is_empty() {
            facts
                .iter()
                .filter(|f| contains(&norm(&text(&f["text"])), &norm(&object)))
                .collect()
        } else {
            of_subject
        };
        let earlier = hops.iter().position(|h| norm(&h.answer) == key);
        let ask = match earlier {
            Some(k) if !contains(&asked, &key) => format!("#{} {relation}", k + 1),
            _ => format!("{subject} {relation}"),
        };
        hops.push(Hop {
            ask,
            answer: object,
            support: chosen.iter().map(|f| text(&f["text"])).collect(),
            document: chosen
                .first()
                .map(|f| text(&f["corpus_id"]))
                .unwrap_or_default(),
        });
    }
    hops.retain(|h| !h.support.is_empty());
    hops
}

fn hotpot(facts: &[Value], documents: &HashMap<String, String>, question: &str) -> Vec<Hop> {
    let asked = norm(question);
    let mut docs: Vec<(String, String, Vec<String>)> = Vec::new();
    for fact in facts {
        let id = text(&fact["corpus_id"]);
        match docs.iter_mut().find(|d| d.0 == id) {
            Some(doc) => doc.2.push(text(&fact["text"])),
            None => docs.push((id, text(&fact["title"]), vec![text(&fact["text"])])),
        }
    }
    let bare = |title: &str| norm(indago_text::strip_disambiguation(title));
    // Named in the question first; then what the texts of those name.
    docs.sort_by_key(|(_, title, _)| !contains(&asked, &bare(title)));
    let mut hops: Vec<Hop> = Vec::new();
    for (id, title, support) in &docs {
        let key = bare(title);
        let named_by = hops.iter().position(|h| {
            documents
                .get(&h.document)
                .is_some_and(|d| contains(&norm(d), &key))
        });
        let ask = match named_by {
            _ if contains(&asked, &key) => title.clone(),
            Some(_) => title.clone(),
            None => question.to_owned(),
        };
        hops.push(Hop {
            // The name of a bridge is known only once the passage that has it was seen.
            ask: match named_by {
                Some(k) if !contains(&asked, &key) => format!("{ask} \u{2190}#{}", k + 1),
                _ => ask,
            },
            answer: title.clone(),
            support: support.clone(),
            document: id.clone(),
        });
    }
    hops
}

fn news(evidence: &[Value], documents: &HashMap<String, String>, question: &str) -> Vec<Hop> {
    let mut clauses: Vec<&str> = vec![question];
    for mark in [", while ", ", and ", "; ", " and ", " while ", ", "] {
        clauses = clauses.iter().flat_map(|c| c.split(mark)).collect();
    }
    clauses.retain(|c| c.split_whitespace().count() >= 3);
    evidence
        .iter()
        .map(|id| {
            let document = text(id);
            let body = documents.get(&document).cloned().unwrap_or_default();
            let there = indago_text::terms(&body);
            let shared = |clause: &&&str| {
                indago_text::terms(clause)
                    .iter()
                    .filter(|t| there.contains(t))
                    .count()
            };
            let ask = clauses
                .iter()
                .max_by_key(shared)
                .map_or(question, |c| *c)
                .to_owned();
            Hop {
                answer: body.clone(),
                ask: ask.replace('#', ""),
                support: vec![body],
                document,
            }
        })
        .collect()
}
