//! The smallest thing that satisfies a schema.

use serde_json::{Map, Value};

/// An instance of `schema`: its constant, its first alternative, its required properties. Covers
/// what prompts of this project use; `$ref` only within the schema.
pub fn instance_of(schema: &Value) -> Value {
    instance(schema, schema, 0)
}

fn instance(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > 32 {
        return Value::Null;
    }
    if let Some(target) = schema["$ref"]
        .as_str()
        .and_then(|r| root.pointer(r.trim_start_matches('#')))
    {
        return instance(target, root, depth + 1);
    }
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    if let Some(first) = schema["enum"].as_array().and_then(|e| e.first()) {
        return first.clone();
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema[choice].as_array().and_then(|c| c.first()) {
            return instance(first, root, depth + 1);
        }
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.first().and_then(Value::as_str),
        kind => kind.as_str(),
    };
    match kind {
        Some("string") => {
            let least = schema["minLength"].as_u64().unwrap_or(0).max(1) as usize;
            Value::String("a".repeat(least))
        }
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(Value::from(0)),
        Some("boolean") => Value::Bool(false),
        Some("array") => {
            let least = schema["minItems"].as_u64().unwrap_or(0);
            (0..least)
                .map(|_| instance(&schema["items"], root, depth + 1))
                .collect()
        }
        Some("null") => Value::Null,
        _ => {
            let required = schema["required"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            let properties = required.iter().filter_map(Value::as_str);
            let filled = properties.map(|p| {
                (
                    p.to_owned(),
                    instance(&schema["properties"][p], root, depth + 1),
                )
            });
            Value::Object(filled.collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn required_properties_are_filled() {
        let schema = json!({
            "type": "object", "required": ["a", "b", "c"],
            "properties": {
                "a": { "enum": ["x", "y"] }, "b": { "type": "array", "minItems": 1, "items": { "type": "integer", "minimum": 3 } },
                "c": { "$ref": "#/$defs/n" }, "d": { "type": "string" }
            },
            "$defs": { "n": { "type": "boolean" } }
        });
        assert_eq!(
            instance_of(&schema),
            json!({ "a": "x", "b": [3], "c": false })
        );
    }
}
