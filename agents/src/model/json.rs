//! JSON from a model: read with tolerance for its dress, refused when its shape is wrong, repaired
//! a bounded number of times.

use indago_core::ports::{OutputSchema, TaskError};
use indago_core::{Reuse, Segment, SegmentKind, Speaker, Usage};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::call::{Ask, Ports, complete, unusable};
use super::prompts::Repair;

/// Repairs after the first try.
const REPAIRS: usize = 2;

/// Makes a call whose output has to satisfy `schema` and reads it as `T`; asks again, with what was
/// wrong, at most twice.
///
/// # Errors
/// As [`complete`]; [`TaskError::Terminal`] when the output does not fit after the repairs.
pub async fn complete_json<T: DeserializeOwned>(
    ports: &mut Ports<'_>,
    mut ask: Ask,
    name: &str,
    schema: Value,
    usage: &mut Usage,
) -> Result<T, TaskError> {
    ask.request.schema = Some(OutputSchema {
        name: name.to_owned(),
        schema,
    });
    let purpose = ask.purpose.clone();
    let mut tried = 0;
    loop {
        let done = complete(ports, ask.clone(), usage).await?;
        let wrong = match parse_json(&done.text) {
            Ok(value) => return Ok(value),
            Err(wrong) => wrong,
        };
        if tried == REPAIRS {
            return Err(unusable(format!(
                "{purpose}: its JSON does not fit after {REPAIRS} repairs: {wrong}"
            )));
        }
        tried += 1;
        ask.purpose = format!("{purpose}/repair/{tried}");
        let mut say = |speaker, text| {
            ask.request.prompt.segments.push(Segment {
                speaker,
                kind: SegmentKind::Instruction,
                text,
                reuse: Reuse::None,
            });
        };
        say(Speaker::Assistant, clipped(&done.text, 4000));
        say(Speaker::User, Repair::new(&wrong).render());
    }
}

/// The first JSON object in `text` as a `T`: code fences and words around it are passed over.
///
/// # Errors
/// What is wrong, in words a model can act on.
pub fn parse_json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let start = text.find('{').ok_or("there is no JSON object in it")?;
    let mut stream = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
    let value = match stream.next() {
        Some(Ok(value)) => value,
        Some(Err(error)) => return Err(error.to_string()),
        None => return Err("there is no JSON object in it".to_owned()),
    };
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// At most `bytes` of `text`, cut between characters.
pub(crate) fn clipped(text: &str, bytes: usize) -> String {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Pair {
        a: u32,
    }

    #[test]
    fn json_is_found_in_its_dress_and_refused_with_a_reason() {
        assert_eq!(
            parse_json("Sure!\n```json\n{\"a\": 1}\n```"),
            Ok(Pair { a: 1 })
        );
        assert!(parse_json::<Pair>("no").unwrap_err().contains("no JSON"));
        assert!(
            parse_json::<Pair>("{\"a\": \"x\"}")
                .unwrap_err()
                .contains("invalid type")
        );
        assert!(parse_json::<Pair>("{\"a\": ").unwrap_err().contains("EOF"));
    }

    #[test]
    fn clipping_keeps_characters_whole() {
        assert_eq!(clipped("aéb", 2), "a");
        assert_eq!(clipped("ab", 9), "ab");
    }
}
