//! JSON that has to fit a schema, out of whatever a model wrote.

use serde_json::Value;

use super::mend;

/// Most problems that a model is told of at once.
const TOLD: usize = 5;

/// The first JSON value in `text` that fits `schema`; else what is wrong, in words for the model.
pub(super) fn read(text: &str, schema: &Value) -> Result<Value, String> {
    let validator = jsonschema::validator_for(schema)
        .map_err(|e| format!("the schema itself is wrong: {e}"))?;
    let mut problem = None;
    for mut value in candidates(text) {
        mend::shorten(&mut value, schema);
        let problems: Vec<String> = validator
            .iter_errors(&value)
            .take(TOLD)
            .map(|e| format!("at `{}`: {}", e.instance_path(), brief(&e.to_string())))
            .collect();
        if problems.is_empty() {
            return Ok(value);
        }
        problem.get_or_insert(problems.join("; "));
    }
    Err(problem.unwrap_or_else(|| "there is no complete JSON value in it".to_owned()))
}

/// The same of a text that was cut off before its end: what was complete of its first value.
pub(super) fn read_cut(text: &str, schema: &Value) -> Option<Value> {
    let validator = jsonschema::validator_for(schema).ok()?;
    mend::completed(text, schema)
        .map(|mut value| {
            mend::shorten(&mut value, schema);
            value
        })
        .find(|value| validator.is_valid(value))
}

/// An error repeats the value it is about, which may be the whole answer.
fn brief(text: &str) -> &str {
    &text[..text.floor_char_boundary(300)]
}

/// Places tried for the start of a value.
const TRIES: usize = 64;

/// The values in a text: all of it, then each that starts with a brace or bracket, outermost first.
fn candidates(text: &str) -> impl Iterator<Item = Value> {
    let whole = serde_json::from_str(text.trim()).ok();
    let mut found = Vec::new();
    if whole.is_none() {
        let mut at = 0;
        for _ in 0..TRIES {
            let Some(next) = text[at..].find(['{', '[']) else {
                break;
            };
            at += next;
            let mut values = serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>();
            match values.next() {
                Some(Ok(value)) => {
                    found.push(value);
                    at += values.byte_offset().max(1);
                }
                _ => at += 1,
            }
        }
    }
    whole.into_iter().chain(found)
}

/// What a model is told when its JSON does not fit.
pub(super) fn complaint(problem: &str) -> String {
    format!(
        "That does not fit the schema: {problem}. Answer again with the corrected JSON value alone."
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({ "type": "object", "required": ["a"], "properties": { "a": { "type": "integer" } }, "additionalProperties": false })
    }

    #[test]
    fn json_is_found_where_models_put_it() {
        for text in [
            r#"{"a": 1}"#,
            "Sure!\n```json\n{\"a\": 1}\n```\nHope it helps.",
            r#"I think of {"b": 2}, no: {"a": 1}"#,
            r#"[not json] then {"a": 1} and {"a": 2}"#,
        ] {
            assert_eq!(read(text, &schema()).unwrap(), json!({ "a": 1 }), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told() {
        assert!(read(r#"{"a": "x"}"#, &schema()).unwrap_err().contains("/a"));
        assert!(
            read(r#"{"a": 1"#, &schema())
                .unwrap_err()
                .contains("no complete")
        );
        assert!(read(&"[".repeat(100_000), &schema()).is_err());
        assert!(read("", &schema()).is_err());
    }
}
