//! JSON schemas with their properties in the order in which `required` lists them.
//!
//! Servers that force a schema (llama.cpp's grammars, vLLM's guided decoding, OpenAI's strict mode)
//! have the model write the members of an object in the order of its `properties`. `serde_json`
//! keeps an object's members sorted: claims would be written before the quotes that they rest on,
//! and an answer before either. `required` is a list, so it can say the order.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value};

/// Serialises a value with the `properties` of each schema in it put in order: those that are
/// required as they are listed, then the others by name.
pub(super) struct Ordered<'a>(pub(super) &'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(object) => {
                let mut map = serializer.serialize_map(Some(object.len()))?;
                for (key, value) in object {
                    match (key.as_str(), value, object.get("required")) {
                        ("properties", Value::Object(of), Some(Value::Array(required))) => {
                            map.serialize_entry(key, &Properties { of, required })?;
                        }
                        _ => map.serialize_entry(key, &Ordered(value))?,
                    }
                }
                map.end()
            }
            Value::Array(values) => {
                let mut seq = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    seq.serialize_element(&Ordered(value))?;
                }
                seq.end()
            }
            plain => plain.serialize(serializer),
        }
    }
}

/// As JSON text.
impl fmt::Display for Ordered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_unwritable| fmt::Error)?)
    }
}

struct Properties<'a> {
    of: &'a Map<String, Value>,
    required: &'a [Value],
}

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = |name: &str| {
            let listed = self.required.iter().position(|r| r.as_str() == Some(name));
            listed.unwrap_or(self.required.len())
        };
        let mut members: Vec<(&String, &Value)> = self.of.iter().collect();
        // Stable: what is not required stays sorted by name.
        members.sort_by_key(|(name, _)| place(name));
        let mut map = serializer.serialize_map(Some(members.len()))?;
        for (name, value) in members {
            map.serialize_entry(name, &Ordered(value))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn properties_come_as_they_are_required_at_every_depth() {
        let schema = json!({
            "type": "object",
            "properties": {
                "answer": { "type": "string" },
                "about": { "type": "string" },
                "quotes": { "type": "array", "items": {
                    "type": "object",
                    "properties": { "text": { "type": "string" }, "passage": { "type": "integer" } },
                    "required": ["text", "passage"],
                }},
            },
            "required": ["quotes", "answer"],
        });
        assert_eq!(
            Ordered(&schema).to_string(),
            concat!(
                r#"{"properties":{"quotes":{"items":{"properties":{"text":{"type":"string"},"#,
                r#""passage":{"type":"integer"}},"required":["text","passage"],"type":"object"},"#,
                r#""type":"array"},"answer":{"type":"string"},"about":{"type":"string"}},"#,
                r#""required":["quotes","answer"],"type":"object"}"#,
            )
        );
    }

    /// Values with members that look like those of schemas, at any place and of any kind.
    fn values() -> impl Strategy<Value = Value> {
        let key = prop_oneof![
            Just("properties".to_owned()),
            Just("required".to_owned()),
            "[a-c]"
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[a-c\"]".prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(key.clone(), inner, 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_but_order_changes(value in values()) {
            let read: Value = serde_json::from_str(&Ordered(&value).to_string()).unwrap();
            prop_assert_eq!(read, value);
        }
    }
}
