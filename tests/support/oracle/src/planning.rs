//! The same plan in the forms that different plan policies ask for.

use serde_json::{Value, json};

use crate::seen::Seen;

/// Findings that are doubted at most.
const DOUBTED: usize = 2;

/// The reply to `task`, given the edits that the oracle's plan makes next.
pub(crate) fn reply(task: &str, plan: &Value, seen: &Seen) -> Value {
    let asks: Vec<&str> = plan["ops"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|op| op["ask"].as_str())
        .collect();
    match task {
        "perspectives" => {
            let named = asks.iter().enumerate().map(|(i, ask)| {
                json!({ "name": format!("reader {}", i + 1), "focus": "facts", "ask": ask })
            });
            json!({ "perspectives": named.collect::<Vec<_>>() })
        }
        "perspective-next" => match asks.first() {
            Some(ask) => json!({ "done": false, "ask": ask }),
            None => json!({ "done": true }),
        },
        "deepen" => {
            let questions: Vec<Value> = asks.iter().map(|ask| json!({ "ask": ask })).collect();
            json!({ "questions": questions })
        }
        "oppose" => {
            let doubts = seen.blocks("finding").filter_map(|(n, text)| {
                let line = |mark: &str| text.lines().find_map(|l| l.strip_prefix(mark));
                let question = line("Question:")?.trim();
                let answer = line("Answer:")?.trim();
                let ask = format!("Who disputes {answer}: {question}");
                Some(json!({ "about": format!("q{n}"), "ask": ask }))
            });
            json!({ "questions": doubts.take(DOUBTED).collect::<Vec<_>>() })
        }
        _ => json!({ "ambiguous": false }),
    }
}
