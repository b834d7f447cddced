//! Types that nobody here wrote read what the server sends, and it reads what they write.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{Read as _, Write as _};

use async_openai::types::chat::{
    ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequestArgs,
    CreateChatCompletionResponse, CreateChatCompletionStreamResponse,
};
use async_openai::types::embeddings::CreateEmbeddingResponse;
use indago_scripted::{Call, Fault, Reply, Server, Settings};
use serde_json::{Value, json};

/// A request over a bare socket: status, head and body with its chunks joined.
fn post(server: &Server, path: &str, body: &Value) -> (u16, String, Vec<u8>) {
    let mut socket = std::net::TcpStream::connect(server.address()).unwrap();
    let body = body.to_string();
    write!(socket, "POST /v1{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut all = Vec::new();
    // A planted break shows as an error or an early end.
    let _ = socket.read_to_end(&mut all);
    let split = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(all[..split].to_vec()).unwrap();
    let status = head[9..12].parse().unwrap();
    let (mut rest, mut joined) = (&all[split + 4..], Vec::new());
    while let Some(line) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        let end = (line + 2 + size).min(rest.len());
        joined.extend_from_slice(&rest[line + 2..end]);
        rest = rest.get(end + 2..).unwrap_or_default();
    }
    (status, head, joined)
}

fn request(stream: bool) -> Value {
    let message = ChatCompletionRequestUserMessageArgs::default()
        .content("hello there")
        .build()
        .unwrap();
    let request = CreateChatCompletionRequestArgs::default()
        .model("scripted")
        .messages([message.into()])
        .logprobs(true)
        .top_logprobs(2_u8)
        .stream(stream)
        .build()
        .unwrap();
    serde_json::to_value(request).unwrap()
}

fn talk(call: &Call) -> Reply {
    Reply {
        reasoning: Some("hm".into()),
        ..Reply::text(format!("you said {}", call.last_user()))
    }
    .and_tool("search", &json!({ "query": "x" }))
}

#[test]
fn whole_answers_are_read_by_foreign_types() {
    let server = Server::start(talk);
    let (status, _, body) = post(&server, "/chat/completions", &request(false));
    assert_eq!(status, 200);
    let answer: CreateChatCompletionResponse = serde_json::from_slice(&body).unwrap();
    let choice = &answer.choices[0];
    assert_eq!(
        choice.message.content.as_deref(),
        Some("you said hello there")
    );
    assert_eq!(choice.message.tool_calls.as_ref().unwrap().len(), 1);
    assert!(
        !choice
            .logprobs
            .as_ref()
            .unwrap()
            .content
            .as_ref()
            .unwrap()
            .is_empty()
    );
    assert!(answer.usage.unwrap().prompt_tokens > 0);
}

#[test]
fn streams_are_read_by_foreign_types_and_add_up() {
    let server = Server::start(talk);
    let (_, head, body) = post(&server, "/chat/completions", &request(true));
    assert!(head.contains("text/event-stream"));
    let text = String::from_utf8(body).unwrap();
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter(|data| *data != "[DONE]");
    let mut said = String::new();
    for line in lines {
        let chunk: CreateChatCompletionStreamResponse = serde_json::from_str(line).unwrap();
        said.extend(chunk.choices.iter().filter_map(|c| c.delta.content.clone()));
    }
    assert_eq!(said, "you said hello there");
    assert!(text.trim_end().ends_with("data: [DONE]"));
}

#[test]
fn embeddings_and_rerank_answer_in_their_form() {
    let server = Server::start(Reply::plain);
    let (_, _, body) = post(
        &server,
        "/embeddings",
        &json!({ "model": "m", "input": ["a cat", "a cat", "a dog"] }),
    );
    let answer: CreateEmbeddingResponse = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer.data[0].embedding, answer.data[1].embedding);
    assert_ne!(answer.data[0].embedding, answer.data[2].embedding);
    let (_, _, body) = post(
        &server,
        "/rerank",
        &json!({ "query": "a cat", "documents": ["dogs", "a cat sat"] }),
    );
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(answer["results"][0]["index"], 1);
}

#[test]
fn keys_are_asked_for_and_faults_are_planted_where_the_plan_says() {
    let settings = Settings {
        key: Some("k".into()),
        ..Settings::default()
    };
    let server = Server::with(settings, Reply::plain);
    assert_eq!(post(&server, "/chat/completions", &request(false)).0, 401);
    let plan = |n| {
        (n == 1).then(|| Fault::Status {
            code: 429,
            retry_after: Some("7".into()),
        })
    };
    let server = Server::start(indago_scripted::Faulty::new(Reply::plain, plan));
    assert_eq!(post(&server, "/chat/completions", &request(false)).0, 200);
    let (status, head, _) = post(&server, "/chat/completions", &request(false));
    assert_eq!(status, 429);
    assert!(head.contains("retry-after: 7"), "{head}");
    assert_eq!(post(&server, "/chat/completions", &request(false)).0, 200);
}

#[test]
fn a_dropped_body_is_cut_where_the_plan_says() {
    let server = Server::start(|_: &Call| Reply {
        fault: Some(Fault::Drop(20)),
        ..Reply::text("a text of some length")
    });
    let (status, _, body) = post(&server, "/chat/completions", &request(false));
    assert_eq!((status, body.len()), (200, 20));
}
