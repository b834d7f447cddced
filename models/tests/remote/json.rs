//! Answers in a form that was asked for, by servers that know it and by models that break it.

use super::*;

#[test]
fn every_dialect_is_brought_to_write_json() {
    let dialects = [
        (Dialect::default(), 1),
        (
            Dialect {
                json_schema: false,
                ..Dialect::default()
            },
            2,
        ),
        (
            Dialect {
                json_schema: false,
                json_object: false,
                ..Dialect::default()
            },
            3,
        ),
        (
            Dialect {
                json_schema: false,
                json_object: false,
                tools: false,
                ..Dialect::default()
            },
            4,
        ),
        (
            Dialect {
                json_schema: false,
                refuses: false,
                ..Dialect::default()
            },
            2,
        ),
    ];
    for (dialect, requests) in dialects {
        let brain = |call: &Call| match call.tools().as_slice() {
            [tool] => Reply::tool(tool.clone(), &json!({ "answer": "Paris", "sure": true })),
            _ => Reply::text("Sure!\n```json\n{\"answer\": \"Paris\", \"sure\": true}\n```"),
        };
        let server = Server::with(Settings { dialect, key: None }, brain);
        let model = model(quick(&server));
        for _ in 0..2 {
            let answer = ask(&model, shaped("capital of France?")).unwrap();
            let value: Value = serde_json::from_str(&answer.text).unwrap();
            assert_eq!(value["answer"], "Paris", "{dialect:?}");
        }
        // What a server refuses is tried once and remembered.
        assert_eq!(server.chats().len(), requests + 1, "{dialect:?}");
    }
}

#[test]
fn members_are_asked_for_in_the_order_in_which_they_are_required() {
    let schema = json!({
        "type": "object", "required": ["quotes", "answer"], "additionalProperties": false,
        "properties": { "answer": { "type": "string" }, "quotes": { "type": "array" } }
    });
    let request = Request {
        schema: Some(OutputSchema {
            name: "reading".into(),
            schema,
        }),
        ..words("x")
    };
    let plain = r#""properties":{"quotes":{"type":"array"},"answer":{"type":"string"}}"#;
    for form in [
        Structured::JsonSchema,
        Structured::JsonObject,
        Structured::Tool,
        Structured::Prompt,
    ] {
        let answer = json!({ "quotes": [], "answer": "Paris" });
        let server = Server::start(move |call: &Call| match call.tools().as_slice() {
            [tool] => Reply::tool(tool.clone(), &answer),
            _ => Reply::json(&answer),
        });
        let config = ModelConfig {
            structured: form,
            ..quick(&server)
        };
        ask(&model(config), request.clone()).unwrap();
        let sent = server.chats().remove(0).sent.replace('\\', "");
        assert!(sent.contains(plain), "{form:?}: {sent}");
    }
}

#[test]
fn of_json_that_was_cut_off_the_complete_parts_are_used() {
    let server = Server::start(|_: &Call| Reply {
        finish: Some("length"),
        ..Reply::text(r#"{"sure": true, "answer": "Paris", "why": "beca"#)
    });
    let answer = ask(&model(quick(&server)), shaped("x")).unwrap();
    let value: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(value, json!({ "answer": "Paris", "sure": true }));
    assert_eq!(answer.finish, FinishReason::Length);
    assert_eq!(server.chats().len(), 1, "nothing is asked again");
}

#[test]
fn json_is_mended_within_its_rounds_and_then_given_up() {
    let server = Server::start(|call: &Call| {
        let told = call.last_user().contains("does not fit the schema");
        if told {
            verdict(call)
        } else {
            Reply::text(r#"{"answer": 3}"#)
        }
    });
    let answer = ask(&model(quick(&server)), shaped("x")).unwrap();
    assert!(answer.text.contains("Paris"));
    assert_eq!(server.chats().len(), 2);
    assert!(
        answer.usage.prompt > server.chats()[1].prompt_tokens as u64,
        "both rounds are counted"
    );
    let server = Server::start(|_: &Call| Reply::text("no JSON at all"));
    let error = ask(&model(quick(&server)), shaped("x")).unwrap_err();
    assert!(
        matches!(error, LanguageModelError::Malformed { .. }),
        "{error}"
    );
    assert_eq!(server.chats().len(), 3, "the first and two repairs");
}

#[test]
fn a_sloppy_model_is_usable_or_says_why_not() {
    let server = Server::start(Sloppy::new(verdict, 7, 80));
    let model = model(ModelConfig {
        structured: Structured::Prompt,
        repairs: 4,
        ..quick(&server)
    });
    let mut good = 0;
    for i in 0..40 {
        match ask(&model, shaped(&format!("question {i}"))) {
            Ok(answer) => {
                let value: Value = serde_json::from_str(&answer.text).unwrap();
                assert_eq!(value, json!({ "answer": "Paris", "sure": true }));
                good += 1;
            }
            Err(error) => assert!(
                matches!(error, LanguageModelError::Malformed { .. }),
                "{error}"
            ),
        }
    }
    assert!(good >= 36, "{good} of 40");
}
