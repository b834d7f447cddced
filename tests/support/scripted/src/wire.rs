//! Answers in the OpenAI wire format.

use serde_json::{Value, json};

use crate::brain::noise;
use crate::{Recorded, Reply, tokens_of};

const MODEL: &str = "scripted";

/// Pieces of a text as tokens: words with the space before them.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for c in text.chars() {
        match pieces.last_mut() {
            Some(last) if !c.is_whitespace() || last.trim().is_empty() => last.push(c),
            _ => pieces.push(c.to_string()),
        }
    }
    pieces
}

fn logprob_entries(reply: &Reply) -> Vec<Value> {
    let given = if reply.logprobs.is_empty() {
        let made = |p: String| {
            let chance = 0.5 + (noise(p.len() as u64) % 50) as f32 / 100.0;
            (p, chance.ln())
        };
        pieces(&reply.text).into_iter().map(made).collect()
    } else {
        reply.logprobs.clone()
    };
    let entry = |(token, logprob): &(String, f32)| {
        let rest = (1.0 - logprob.exp()).max(1e-6).ln();
        json!({
            "token": token, "logprob": logprob, "bytes": token.as_bytes(),
            "top_logprobs": [
                { "token": token, "logprob": logprob, "bytes": token.as_bytes() },
                { "token": " other", "logprob": rest, "bytes": b" other".as_slice() },
            ],
        })
    };
    given.iter().map(entry).collect()
}

fn finish(reply: &Reply) -> &'static str {
    reply.finish.unwrap_or(if reply.tools.is_empty() {
        "stop"
    } else {
        "tool_calls"
    })
}

pub(crate) fn usage(recorded: &Recorded, reply: &Reply) -> Value {
    let reasoning = reply.reasoning.as_deref().map_or(0, tokens_of);
    let tools: usize = reply
        .tools
        .iter()
        .map(|t| tokens_of(&t.arguments) + tokens_of(&t.name))
        .sum();
    let completion = tokens_of(&reply.text) + tools + reasoning;
    json!({
        "prompt_tokens": recorded.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": recorded.prompt_tokens + completion,
        "prompt_tokens_details": { "cached_tokens": recorded.cached_tokens },
        "completion_tokens_details": { "reasoning_tokens": reasoning },
    })
}

fn tool_calls(reply: &Reply, number: usize) -> Vec<Value> {
    let entry = |(i, tool): (usize, &crate::ToolUse)| {
        json!({
            "index": i, "id": format!("call_{number}_{i}"), "type": "function",
            "function": { "name": tool.name, "arguments": tool.arguments },
        })
    };
    reply.tools.iter().enumerate().map(entry).collect()
}

/// A whole answer.
pub(crate) fn completion(recorded: &Recorded, number: usize, reply: &Reply) -> Value {
    let mut message = json!({ "role": "assistant", "content": reply.text });
    if let Some(reasoning) = &reply.reasoning {
        message["reasoning_content"] = json!(reasoning);
    }
    if !reply.tools.is_empty() {
        message["tool_calls"] = tool_calls(reply, number).into();
        if reply.text.is_empty() {
            message["content"] = Value::Null;
        }
    }
    let mut choice =
        json!({ "index": 0, "message": message, "finish_reason": finish(reply), "logprobs": null });
    if recorded.body["logprobs"] == true {
        choice["logprobs"] = json!({ "content": logprob_entries(reply), "refusal": null });
    }
    json!({
        "id": format!("chatcmpl-{number}"), "object": "chat.completion", "created": 0, "model": MODEL,
        "choices": [choice], "usage": usage(recorded, reply),
    })
}

/// The answer as the objects of a stream.
pub(crate) fn chunks(recorded: &Recorded, number: usize, reply: &Reply) -> Vec<Value> {
    let chunk = |delta: Value, finish: Option<&str>, logprobs: Option<Value>| {
        json!({
            "id": format!("chatcmpl-{number}"), "object": "chat.completion.chunk", "created": 0, "model": MODEL,
            "choices": [{ "index": 0, "delta": delta, "finish_reason": finish, "logprobs": logprobs }],
        })
    };
    let mut all = vec![chunk(
        json!({ "role": "assistant", "content": "" }),
        None,
        None,
    )];
    for piece in reply.reasoning.as_deref().map(pieces).unwrap_or_default() {
        all.push(chunk(json!({ "reasoning_content": piece }), None, None));
    }
    if recorded.body["logprobs"] == true {
        for entry in logprob_entries(reply) {
            let delta = json!({ "content": entry["token"] });
            all.push(chunk(
                delta,
                None,
                Some(json!({ "content": [entry], "refusal": null })),
            ));
        }
    } else {
        all.extend(
            pieces(&reply.text)
                .into_iter()
                .map(|piece| chunk(json!({ "content": piece }), None, None)),
        );
    }
    for mut call in tool_calls(reply, number) {
        // Name and id first, arguments in two pieces, as real servers send them; with the second one
        // name and id come again, as some do.
        let arguments = call["function"]["arguments"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        call["function"]["arguments"] = json!("");
        let (front, back) = arguments.split_at(arguments.floor_char_boundary(arguments.len() / 2));
        let first = json!({ "index": call["index"], "function": { "arguments": front } });
        let mut again = call.clone();
        again["function"]["arguments"] = json!(back);
        for part in [call, first, again] {
            all.push(chunk(json!({ "tool_calls": [part] }), None, None));
        }
    }
    all.push(chunk(json!({}), Some(finish(reply)), None));
    if recorded.body["stream_options"]["include_usage"] == true {
        let mut last = chunk(json!({}), None, None);
        last["choices"] = json!([]);
        last["usage"] = usage(recorded, reply);
        all.push(last);
    }
    all
}

/// An error as the protocol words it.
pub(crate) fn error(kind: &str, message: &str) -> Value {
    json!({ "error": { "message": message, "type": kind, "param": null, "code": null } })
}

pub(crate) fn models() -> Value {
    json!({ "object": "list", "data": [{ "id": MODEL, "object": "model", "created": 0, "owned_by": "tests" }] })
}

/// Vectors that depend on words alone: equal words, equal directions.
pub(crate) fn embeddings(body: &Value) -> Value {
    let inputs: Vec<&str> = match &body["input"] {
        Value::String(text) => vec![text],
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let dim = body["dimensions"].as_u64().unwrap_or(32).clamp(1, 4096) as usize;
    let vector = |text: &str| {
        let mut v = vec![0.0_f32; dim];
        for word in text
            .split(|c: char| !c.is_alphanumeric())
            .filter(|w| !w.is_empty())
        {
            let hash = word
                .to_lowercase()
                .bytes()
                .fold(7_u64, |h, b| noise(h ^ u64::from(b)));
            let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
            v[(hash % dim as u64) as usize] += sign;
        }
        v
    };
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(i, text)| json!({ "object": "embedding", "index": i, "embedding": vector(text) }))
        .collect();
    let tokens: usize = inputs.iter().map(|text| tokens_of(text)).sum();
    json!({ "object": "list", "data": data, "model": MODEL, "usage": { "prompt_tokens": tokens, "total_tokens": tokens } })
}

/// Scores by the share of the query's words that a document has, best first, as rerank servers
/// answer.
pub(crate) fn rerank(body: &Value) -> Value {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric())
            .filter(|w| !w.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let query = words(body["query"].as_str().unwrap_or_default());
    let documents = body["documents"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let score = |document: &Value| {
        let text = document
            .as_str()
            .or_else(|| document["text"].as_str())
            .unwrap_or_default();
        let have = words(text);
        query.iter().filter(|w| have.contains(w)).count() as f64 / query.len().max(1) as f64
    };
    let mut results: Vec<(usize, f64)> = documents.iter().map(score).enumerate().collect();
    results.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let list: Vec<Value> = results
        .into_iter()
        .map(|(index, score)| json!({ "index": index, "relevance_score": score }))
        .collect();
    json!({ "id": "rerank-0", "model": MODEL, "results": list })
}
