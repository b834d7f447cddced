//! A server that nobody here wrote.

use super::*;

/// Where a server is that nobody here wrote (`benches/real_server.sh` starts one).
fn real_server() -> ModelConfig {
    let url = std::env::var("INDAGO_REAL_SERVER").unwrap();
    ModelConfig {
        window: Some(4096),
        max_tokens: 48,
        concurrent: 1,
        ..ModelConfig::new(url, "tiny")
    }
}

/// A request whose answer is short whatever the weights say.
fn short(text: &str) -> Request {
    Request {
        max_tokens: Some(16),
        temperature: Some(0.0),
        seed: Some(7),
        ..words(text)
    }
}

#[test]
#[ignore = "needs a server: benches/real_server.sh"]
fn real_server_streams_what_it_says_whole() {
    let streamed = Arc::new(Mutex::new(String::new()));
    let sink: DeltaSink = {
        let streamed = Arc::clone(&streamed);
        Arc::new(move |delta: Delta| {
            if let Delta::Text(text) = delta {
                streamed.lock().unwrap().push_str(&text);
            }
        })
    };
    let stream = model(real_server());
    let answer = block(stream.complete(short("One two three"), Some(sink), Cancel::new())).unwrap();
    assert_eq!(*streamed.lock().unwrap(), answer.text);
    assert_eq!(answer.finish, FinishReason::Length);
    assert!(answer.usage.prompt > 0 && answer.usage.completion > 0);
    let whole = model(ModelConfig {
        stream: false,
        ..real_server()
    });
    let again = ask(&whole, short("One two three")).unwrap();
    assert_eq!(again.text, answer.text, "the same seed and temperature 0");
}

#[test]
#[ignore = "needs a server: benches/real_server.sh"]
fn real_server_writes_json_in_every_form_it_takes() {
    let object = json!({
        "type": "object", "required": ["sure"], "additionalProperties": false,
        "properties": { "sure": { "type": "boolean" } }
    });
    let shaped = || Request {
        schema: Some(OutputSchema {
            name: "verdict".into(),
            schema: object.clone(),
        }),
        max_tokens: Some(64),
        ..short("Is it so?")
    };
    for structured in [Structured::Auto, Structured::JsonObject, Structured::Tool] {
        let model = model(ModelConfig {
            structured,
            ..real_server()
        });
        let answer = ask(&model, shaped());
        let answer = answer.unwrap_or_else(|e| panic!("{structured:?}: {e}"));
        let value: Value = serde_json::from_str(&answer.text).unwrap();
        assert!(value["sure"].is_boolean(), "{structured:?}: {value}");
    }
}

#[test]
#[ignore = "needs a server: benches/real_server.sh"]
fn real_server_is_refused_what_does_not_fit_and_says_why_it_fails() {
    let long = "word ".repeat(8000);
    let error = ask(&model(real_server()), short(&long)).unwrap_err();
    assert!(
        matches!(error, LanguageModelError::ContextWindow { .. }),
        "{error}"
    );
    // Without a known window the server itself says no, and that is an answer too.
    let blind = ModelConfig {
        window: None,
        attempts: 1,
        ..real_server()
    };
    let error = ask(&model(blind), short(&long)).unwrap_err();
    assert!(!error.to_string().is_empty());
    assert!(!matches!(error, LanguageModelError::Cancelled), "{error}");
    let elsewhere = ModelConfig {
        base_url: real_server().base_url.replace("/v1", "/nowhere"),
        attempts: 1,
        ..real_server()
    };
    let error = ask(&model(elsewhere), short("x")).unwrap_err();
    assert!(error.to_string().contains("404"), "{error}");
    // And it still answers.
    assert!(ask(&model(real_server()), short("One two three")).is_ok());
}

#[test]
#[ignore = "needs a server: benches/real_server.sh"]
fn real_server_is_left_when_a_call_is_cancelled() {
    let model = model(real_server());
    let cancel = Cancel::new();
    let at_first = cancel.clone();
    let sink: DeltaSink = Arc::new(move |_: Delta| at_first.cancel());
    let long = Request {
        max_tokens: Some(800),
        ..short("One two three")
    };
    let error = block(model.complete(long, Some(sink), cancel)).unwrap_err();
    assert!(matches!(error, LanguageModelError::Cancelled), "{error}");
    assert!(ask(&model, short("One two three")).is_ok());
}
