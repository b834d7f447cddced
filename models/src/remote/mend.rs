//! JSON that nearly fits: lists that are too long, and answers that were cut off at the most tokens
//! the model may write.

use serde_json::Value;

/// Places tried at which an answer that was cut off can be closed, from the last.
const TRIES: usize = 8;
/// Depth beyond which nothing is read: `serde_json` reads no deeper, and each place keeps what is open.
const DEEPEST: usize = 128;

/// Leaves out what lists hold beyond `maxItems` of their schema.
pub(super) fn shorten(value: &mut Value, schema: &Value) {
    match value {
        Value::Array(items) => {
            if let Some(most) = schema["maxItems"].as_u64() {
                items.truncate(usize::try_from(most).unwrap_or(usize::MAX));
            }
            for item in items {
                shorten(item, &schema["items"]);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                shorten(member, &schema["properties"][name]);
            }
        }
        _ => {}
    }
}

/// What was complete in the first JSON value of `text` when it was cut off, the longest first:
/// without the part that was being written, its lists and objects closed, and what is required but
/// was not reached empty where the schema takes that.
pub(super) fn completed<'a>(text: &'a str, schema: &'a Value) -> impl Iterator<Item = Value> + 'a {
    let places = places(text);
    places.into_iter().rev().take(TRIES).filter_map(|place| {
        let mut closed = text[place.start..place.end].to_owned();
        closed.extend(place.open.iter().rev());
        let mut value = serde_json::from_str(&closed).ok()?;
        fill(&mut value, schema);
        Some(value)
    })
}

/// Where a value can be closed: its bytes so far, and what closes what is open there.
struct Place {
    start: usize,
    end: usize,
    open: Vec<char>,
}

fn places(text: &str) -> Vec<Place> {
    let Some(start) = text.find(['{', '[']) else {
        return Vec::new();
    };
    let (mut open, mut places) = (Vec::new(), Vec::new());
    let (mut in_string, mut escaped) = (false, false);
    for (at, c) in text[start..].char_indices() {
        let at = start + at;
        if in_string {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = false,
                _ => {}
            }
            continue;
        }
        let end = match c {
            '"' => {
                in_string = true;
                continue;
            }
            '{' | '[' => {
                if open.len() == DEEPEST {
                    break;
                }
                open.push(if c == '{' { '}' } else { ']' });
                at + 1
            }
            '}' | ']' => {
                if open.pop() != Some(c) {
                    break;
                }
                at + 1
            }
            ',' => at,
            _ => continue,
        };
        places.push(Place {
            start,
            end,
            open: open.clone(),
        });
        if open.is_empty() {
            break;
        }
        // What lies further back than is tried need not be kept.
        if places.len() > 4 * TRIES {
            places.drain(..2 * TRIES);
        }
    }
    places
}

/// Adds what is required and not there, where nothing or an empty list fits.
fn fill(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                fill(member, &schema["properties"][name]);
            }
            let required = schema["required"].as_array().into_iter().flatten();
            for name in required.filter_map(Value::as_str) {
                let wanted = &schema["properties"][name]["type"];
                let is = |kind: &str| {
                    let among = |kinds: &Vec<Value>| kinds.iter().any(|k| k == kind);
                    wanted == kind || wanted.as_array().is_some_and(among)
                };
                let empty = if is("null") {
                    Value::Null
                } else if is("array") {
                    Value::Array(Vec::new())
                } else {
                    continue;
                };
                members.entry(name).or_insert(empty);
            }
        }
        Value::Array(items) => {
            for item in items {
                fill(item, &schema["items"]);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "quotes": { "type": "array", "maxItems": 3, "items": {
                    "type": "object",
                    "properties": { "passage": { "type": "integer" }, "text": { "type": "string" } },
                    "required": ["passage", "text"], "additionalProperties": false,
                }},
                "answer": { "type": ["string", "null"] },
                "missing": { "type": "array", "items": { "type": "string" } },
            },
            "required": ["quotes", "answer", "missing"], "additionalProperties": false,
        })
    }

    fn first_that_fits(text: &str) -> Option<Value> {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        completed(text, &schema()).find(|value| validator.is_valid(value))
    }

    #[test]
    fn what_was_complete_is_kept() {
        let one = json!({ "passage": 1, "text": "a, \"b\" } c" });
        let whole = json!({ "quotes": [one], "answer": null, "missing": [] });
        for cut in [
            r#"{"quotes": [{"passage": 1, "text": "a, \"b\" } c"}"#,
            r#"{"quotes": [{"passage": 1, "text": "a, \"b\" } c"}, {"pass"#,
            r#"{"quotes": [{"passage": 1, "text": "a, \"b\" } c"}, {"passage": 2, "text": "x"#,
            r#"Here: {"quotes": [{"passage": 1, "text": "a, \"b\" } c"}], "answer": "An"#,
        ] {
            assert_eq!(first_that_fits(cut), Some(whole.clone()), "{cut}");
        }
        assert_eq!(first_that_fits("no JSON"), None);
        assert_eq!(first_that_fits(&"[".repeat(1_000_000)), None);
        assert_eq!(
            first_that_fits(r#"{"quotes": ["#).unwrap()["quotes"],
            json!([])
        );
        // A text that is required cannot be made up.
        assert_eq!(first_that_fits(r#"[{"quotes": "#), None);
    }

    #[test]
    fn lists_end_where_the_schema_says() {
        let quote = json!({ "passage": 1, "text": "a" });
        let mut value = json!({ "quotes": vec![quote; 9], "missing": ["x"], "else": [1, 2] });
        shorten(&mut value, &schema());
        assert_eq!(value["quotes"].as_array().unwrap().len(), 3);
        assert_eq!(value["else"], json!([1, 2]));
    }

    proptest! {
        /// Wherever a valid answer is cut: what is kept begins the whole.
        #[test]
        fn any_cut_keeps_a_beginning(
            quotes in prop::collection::vec((0..9_u32, "[a\"\\\\{},é]{0,6}"), 0..4),
            answer in prop::option::of("[a\"]{0,4}"),
            at in 0..400_usize,
        ) {
            let quotes: Vec<Value> = quotes
                .into_iter()
                .take(3)
                .map(|(passage, text)| json!({ "passage": passage, "text": text }))
                .collect();
            let whole = json!({ "quotes": quotes, "answer": answer, "missing": [] });
            let text = whole.to_string();
            let cut = &text[..text.floor_char_boundary(at.clamp(1, text.len()))];
            let kept = first_that_fits(cut).unwrap();
            let kept = kept["quotes"].as_array().unwrap();
            prop_assert!(whole["quotes"].as_array().unwrap().starts_with(kept));
        }
    }
}
