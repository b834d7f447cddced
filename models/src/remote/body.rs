//! A request in the dialect of its endpoint.

use indago_core::ports::{OutputSchema, Request};
use serde_json::{Value, json};

use super::config::{ModelConfig, Structured};
use super::layout::add_to_user;
use super::ordered::Ordered;

/// Name of the tool that stands for a schema.
pub(super) const ANSWER_TOOL: &str = "answer";

/// The body of a chat request. `form` is how the schema, if there is one, is asked for.
pub(super) fn chat(
    config: &ModelConfig,
    request: &Request,
    mut messages: Vec<Value>,
    form: Structured,
) -> Value {
    let limit = if config.max_completion_tokens {
        "max_completion_tokens"
    } else {
        "max_tokens"
    };
    let mut body = json!({ "model": config.model });
    body[limit] = request.max_tokens.unwrap_or(config.max_tokens).into();
    let mut tools: Vec<Value> = request
        .tools
        .iter()
        .map(|t| json!({ "type": "function", "function": { "name": t.name, "description": t.description, "parameters": t.parameters } }))
        .collect();
    if let Some(schema) = &request.schema {
        match form {
            Structured::Auto | Structured::JsonSchema => {
                body["response_format"] = json!({
                    "type": "json_schema",
                    "json_schema": { "name": schema.name, "schema": schema.schema, "strict": true },
                });
            }
            Structured::JsonObject => {
                body["response_format"] = json!({ "type": "json_object", "schema": schema.schema });
                add_to_user(&mut messages, &in_words(schema));
            }
            Structured::Tool => {
                let about = "Gives the answer. Has to be called.";
                tools.push(json!({ "type": "function", "function": { "name": ANSWER_TOOL, "description": about, "parameters": schema.schema } }));
                body["tool_choice"] =
                    json!({ "type": "function", "function": { "name": ANSWER_TOOL } });
            }
            Structured::Prompt => add_to_user(&mut messages, &in_words(schema)),
        }
    }
    if !tools.is_empty() {
        body["tools"] = tools.into();
    }
    body["messages"] = messages.into();
    if let Some(temperature) = request.temperature.or(config.temperature) {
        // As text, so that 0.2 is sent as 0.2 and not as the nearest f32.
        body["temperature"] = temperature
            .to_string()
            .parse()
            .map_or(Value::Null, |t: f64| json!(t));
    }
    if let Some(seed) = request.seed.filter(|_| config.seed) {
        // Servers read it as a signed number, some of 32 bits.
        body["seed"] = (seed & 0x7fff_ffff).into();
    }
    if !request.stop.is_empty() {
        body["stop"] = json!(request.stop);
    }
    if request.top_logprobs > 0 && config.logprobs {
        body["logprobs"] = true.into();
        body["top_logprobs"] = request.top_logprobs.min(20).into();
    }
    if let Some(effort) = &config.reasoning_effort {
        body["reasoning_effort"] = json!(effort);
    }
    if config.stream {
        body["stream"] = true.into();
        body["stream_options"] = json!({ "include_usage": true });
    }
    body
}

/// The schema as an instruction, at the end, where it leaves the beginning of the prompt alone.
fn in_words(schema: &OutputSchema) -> String {
    format!(
        "Answer with one JSON value that fits this JSON schema, and nothing else: no explanation, no code fence.\n{}",
        Ordered(&schema.schema)
    )
}
