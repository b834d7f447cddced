//! The client against a real HTTP server that behaves as planted.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "remote/json.rs"]
mod json;
#[path = "remote/real_server.rs"]
mod real_server;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indago_core::ports::{
    Completion, Delta, DeltaSink, Encoder as _, FinishReason, LanguageModel, LanguageModelError,
    OutputSchema, PairScorer as _, Request, Role,
};
use indago_core::{Cancel, Prompt, ToolSpec};
use indago_egress::{Door, Policy, Secret};
use indago_models::remote::{
    Attempt, AttemptSink, ModelConfig, ModelRole, ModelSet, ModelTask, ResponseCache, SetOptions,
    Structured,
};
use indago_scripted::{Call, Dialect, Fault, Faulty, Reply, Server, Settings, Sloppy};
use serde_json::{Value, json};

const KEY: &str = "sk-test-0123456789abcdef";

/// Short limits, so that a test of waiting is short.
fn quick(server: &Server) -> ModelConfig {
    ModelConfig {
        key_env: Some("KEY".into()),
        first_token_ms: 400,
        between_tokens_ms: 400,
        call_ms: 2000,
        attempts: 3,
        backoff_ms: 5,
        longest_wait_ms: 1500,
        logprobs: true,
        ..ModelConfig::new(server.base_url(), "scripted")
    }
}

fn set_with(configs: BTreeMap<String, ModelConfig>, options: SetOptions) -> ModelSet {
    let policy = Policy {
        origins: ModelSet::origins(&configs).unwrap(),
        ..Policy::default()
    };
    let door = Door::new(policy).unwrap();
    ModelSet::new(configs, &door, |_| Some(Secret::new(KEY.into())), options).unwrap()
}

fn model(config: ModelConfig) -> Arc<dyn LanguageModel> {
    set_with([("m".to_owned(), config)].into(), SetOptions::default())
        .chat("m")
        .unwrap()
}

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

fn ask(model: &Arc<dyn LanguageModel>, request: Request) -> Result<Completion, LanguageModelError> {
    block(model.complete(request, None, Cancel::new()))
}

fn words(text: &str) -> Request {
    Request {
        prompt: Prompt::default().system("Be brief.").user(text),
        ..Request::default()
    }
}

fn schema() -> OutputSchema {
    let schema = json!({
        "type": "object", "required": ["answer", "sure"], "additionalProperties": false,
        "properties": { "answer": { "type": "string" }, "sure": { "type": "boolean" } }
    });
    OutputSchema {
        name: "verdict".into(),
        schema,
    }
}

fn shaped(text: &str) -> Request {
    Request {
        schema: Some(schema()),
        ..words(text)
    }
}

fn verdict(_: &Call) -> Reply {
    Reply::json(&json!({ "answer": "Paris", "sure": true }))
}

#[test]
fn text_usage_and_deltas_come_streamed_and_whole() {
    let server = Server::start(|call: &Call| Reply {
        reasoning: Some("let me see".into()),
        ..Reply::text(format!("echo {}", call.last_user()))
    });
    for stream in [true, false] {
        let model = model(ModelConfig {
            stream,
            ..quick(&server)
        });
        let seen = Arc::new(Mutex::new((String::new(), String::new())));
        let into = seen.clone();
        let sink: DeltaSink = Arc::new(move |delta| match delta {
            Delta::Text(t) => into.lock().unwrap().0.push_str(&t),
            Delta::Reasoning(r) => into.lock().unwrap().1.push_str(&r),
        });
        let answer = block(model.complete(words("hello"), Some(sink), Cancel::new())).unwrap();
        assert_eq!(answer.text, "echo hello");
        assert_eq!(answer.finish, FinishReason::Stop);
        assert!(answer.usage.prompt > 0 && answer.usage.reasoning > 0 && !answer.usage.estimated);
        assert_eq!(
            *seen.lock().unwrap(),
            ("echo hello".into(), "let me see".into())
        );
    }
    assert_eq!(
        server.chats()[0].authorization.as_deref(),
        Some(format!("Bearer {KEY}").as_str())
    );
}

#[test]
fn inline_reasoning_leaks_neither_into_text_nor_into_deltas() {
    let server = Server::start(|_: &Call| Reply::text("<think>the secret plan</think>The answer."));
    let seen = Arc::new(Mutex::new(String::new()));
    let into = seen.clone();
    let sink: DeltaSink = Arc::new(move |delta| {
        if let Delta::Text(t) = delta {
            into.lock().unwrap().push_str(&t);
        }
    });
    let answer =
        block(model(quick(&server)).complete(words("x"), Some(sink), Cancel::new())).unwrap();
    assert_eq!(answer.text, "The answer.");
    assert_eq!(*seen.lock().unwrap(), "The answer.");
    let server = Server::start(|_: &Call| Reply::text("thinking first</think>The answer."));
    assert_eq!(
        ask(&model(quick(&server)), words("x")).unwrap().text,
        "The answer."
    );
}

#[test]
fn tool_calls_and_logprobs_are_read_from_streams() {
    let server = Server::start(|call: &Call| {
        if call.tools().is_empty() {
            Reply::text("two words")
        } else {
            Reply::tool("search", &json!({ "query": "a \"b\"" }))
        }
    });
    let model = model(quick(&server));
    let tool = ToolSpec {
        name: "search".into(),
        description: "searches".into(),
        parameters: json!({ "type": "object" }),
    };
    let answer = ask(
        &model,
        Request {
            tools: vec![tool],
            ..words("x")
        },
    )
    .unwrap();
    assert_eq!(answer.finish, FinishReason::ToolCalls);
    assert_eq!(answer.tool_calls[0].name, "search");
    assert_eq!(
        serde_json::from_str::<Value>(&answer.tool_calls[0].arguments).unwrap(),
        json!({ "query": "a \"b\"" })
    );
    let answer = ask(
        &model,
        Request {
            top_logprobs: 2,
            ..words("x")
        },
    )
    .unwrap();
    let tokens: String = answer.logprobs.iter().map(|l| l.token.as_str()).collect();
    assert_eq!(tokens, answer.text);
    assert!(
        answer
            .logprobs
            .iter()
            .all(|l| l.logprob < 0.0 && l.top.len() == 2)
    );
}

#[test]
fn every_fault_ends_in_time_with_an_answer_or_a_reason_and_without_the_key() {
    for fault in Fault::all() {
        for stream in [true, false] {
            let planted = fault.clone();
            let server = Server::start(Faulty::new(Reply::plain, move |_| Some(planted.clone())));
            let attempts: Arc<Mutex<Vec<Attempt>>> = Arc::default();
            let into = attempts.clone();
            let sink = AttemptSink(Arc::new(move |a: &Attempt| {
                into.lock().unwrap().push(a.clone());
            }));
            let config = ModelConfig {
                stream,
                ..quick(&server)
            };
            let set = set_with(
                [("m".to_owned(), config)].into(),
                SetOptions {
                    cache: None,
                    attempts: sink,
                },
            );
            let model = set.chat("m").unwrap();
            let start = std::time::Instant::now();
            let shown = Arc::new(Mutex::new(String::new()));
            let into = shown.clone();
            let deltas: DeltaSink =
                Arc::new(move |d| into.lock().unwrap().push_str(&format!("{d:?}")));
            let result = block(model.complete(words("x"), Some(deltas), Cancel::new()));
            // Three attempts of at most two seconds and their waits: bounded, whatever happens.
            assert!(start.elapsed() < Duration::from_secs(30), "{fault:?}");
            let written = format!(
                "{result:?} {:?} {}",
                attempts.lock().unwrap(),
                shown.lock().unwrap()
            );
            assert!(!written.contains(KEY), "{fault:?}: {written}");
            let error = result.as_ref().err();
            let transient = error.is_some_and(LanguageModelError::is_transient);
            let tried = attempts.lock().unwrap().len();
            match &fault {
                Fault::Status {
                    code: 429,
                    retry_after,
                } => {
                    assert!(
                        matches!(error, Some(LanguageModelError::RateLimited { .. })),
                        "{error:?}"
                    );
                    assert_eq!(tried, 3, "{retry_after:?}");
                }
                Fault::Status { code: 500.., .. }
                | Fault::Drop(_)
                | Fault::Silence
                | Fault::Empty => {
                    assert!(
                        transient && tried == 3,
                        "{fault:?} {stream}: {error:?} after {tried}"
                    );
                }
                // What is long may also take longer than is waited for.
                Fault::Stall(_) | Fault::Endless(_) | Fault::Long(_) | Fault::LongLine(_) => {
                    let timed_out = matches!(error, Some(LanguageModelError::TimedOut { .. }));
                    assert!(
                        timed_out || matches!(error, Some(LanguageModelError::Malformed { .. })),
                        "{fault:?}: {error:?}"
                    );
                }
                Fault::Status { .. } | Fault::EchoKey(_) | Fault::Redirect(_) => {
                    assert!(
                        matches!(error, Some(LanguageModelError::Refused { .. })),
                        "{fault:?}: {error:?}"
                    );
                    assert_eq!(tried, 1, "what is refused is not asked again");
                }
                Fault::WrongShape | Fault::NoJson | Fault::WebPage | Fault::BadUtf8 => {
                    assert!(
                        matches!(error, Some(LanguageModelError::Malformed { .. })),
                        "{fault:?} {stream}: {error:?}"
                    );
                }
                Fault::BadStream => assert!(transient, "{fault:?}: {error:?}"),
                Fault::NoEnd | Fault::ErrorInStream if stream => {
                    assert!(transient, "{fault:?}: {error:?}");
                }
                Fault::Cut => assert_eq!(result.unwrap().finish, FinishReason::Length),
                Fault::UnknownTool | Fault::BadArguments => {
                    assert!(!result.unwrap().tool_calls.is_empty());
                }
                _ => assert!(result.is_ok(), "{fault:?} {stream}: {result:?}"),
            }
        }
    }
}

#[test]
fn a_passing_fault_costs_an_attempt_and_the_server_s_wait() {
    let plan = |n| {
        (n == 0).then(|| Fault::Status {
            code: 429,
            retry_after: Some("1".into()),
        })
    };
    let server = Server::start(Faulty::new(Reply::plain, plan));
    let start = std::time::Instant::now();
    assert_eq!(ask(&model(quick(&server)), words("x")).unwrap().text, "ok");
    assert!(start.elapsed() >= Duration::from_secs(1));
    let plan = |n| {
        (n == 0).then(|| Fault::Status {
            code: 503,
            retry_after: Some("3600".into()),
        })
    };
    let server = Server::start(Faulty::new(Reply::plain, plan));
    let error = ask(&model(quick(&server)), words("x")).unwrap_err();
    let wanted = matches!(
        error,
        LanguageModelError::Unavailable {
            retry_after_ms: Some(3_600_000),
            ..
        }
    );
    assert!(wanted, "an hour is the caller's to wait: {error:?}");
}

#[test]
fn what_does_not_fit_is_refused_before_it_is_sent() {
    let server = Server::start(Reply::plain);
    let small = model(ModelConfig {
        window: Some(3000),
        ..quick(&server)
    });
    assert!(ask(&small, words("short")).is_ok());
    let error = ask(&small, words(&"long ".repeat(2000))).unwrap_err();
    assert!(
        matches!(
            error,
            LanguageModelError::ContextWindow {
                needed: 4000..,
                window: 3000,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(server.chats().len(), 1);
    let plain = model(ModelConfig {
        tools: false,
        logprobs: false,
        ..quick(&server)
    });
    let error = ask(
        &plain,
        Request {
            top_logprobs: 1,
            ..words("x")
        },
    )
    .unwrap_err();
    assert!(matches!(error, LanguageModelError::Unsupported { .. }));
}

#[test]
fn a_stand_in_answers_when_the_first_cannot() {
    let broken = Server::start(|_: &Call| {
        Reply::fault(Fault::Status {
            code: 500,
            retry_after: None,
        })
    });
    let sound = Server::start(|_: &Call| Reply::text("from the second"));
    let first = ModelConfig {
        fallback: vec!["second".into()],
        roles: vec![ModelRole::Writer],
        ..quick(&broken)
    };
    let set = set_with(
        [
            ("first".to_owned(), first),
            ("second".to_owned(), quick(&sound)),
        ]
        .into(),
        SetOptions::default(),
    );
    assert_eq!(
        ask(&set.for_role(ModelRole::Writer).unwrap(), words("x"))
            .unwrap()
            .text,
        "from the second"
    );
    assert_eq!(
        set.for_role(ModelRole::Judge).unwrap().name(),
        "second",
        "the one without roles takes the rest"
    );
    assert_eq!(broken.chats().len(), 3);
}

#[test]
fn concurrency_is_held_to_the_endpoint_s_limit() {
    let server = Server::start(|_: &Call| Reply {
        delay: Duration::from_millis(50),
        ..Reply::text("ok")
    });
    let config = ModelConfig {
        concurrent: 2,
        ..quick(&server)
    };
    let set = set_with(
        [("a".to_owned(), config.clone()), ("b".to_owned(), config)].into(),
        SetOptions::default(),
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..8)
            .map(|i| {
                let model = set.chat(if i % 2 == 0 { "a" } else { "b" }).unwrap();
                tokio::spawn(async move { model.complete(words("x"), None, Cancel::new()).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    });
    assert!(server.most_under_way() <= 2, "{}", server.most_under_way());
}

#[test]
fn answers_are_kept_by_model_prompt_and_parameters_and_damage_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|call: &Call| Reply::text(format!("answer {}", call.number)));
    let cache = Arc::new(ResponseCache::at(folder.path()));
    let options = SetOptions {
        cache: Some(cache.clone()),
        ..SetOptions::default()
    };
    let model = set_with([("m".to_owned(), quick(&server))].into(), options)
        .chat("m")
        .unwrap();
    assert_eq!(ask(&model, words("x")).unwrap().text, "answer 0");
    assert_eq!(ask(&model, words("x")).unwrap().text, "answer 0");
    assert_eq!(
        ask(
            &model,
            Request {
                seed: Some(1),
                ..words("x")
            }
        )
        .unwrap()
        .text,
        "answer 1"
    );
    assert_eq!((cache.stats().hits, cache.stats().misses), (1, 2));
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        files.extend(
            std::fs::read_dir(entry.unwrap().path())
                .unwrap()
                .map(|f| f.unwrap().path()),
        );
    }
    assert_eq!(files.len(), 2);
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains(KEY));
        std::fs::write(&file, text.replace("answer", "poison")).unwrap();
    }
    assert_eq!(ask(&model, words("x")).unwrap().text, "answer 2");
}

#[test]
fn a_shared_beginning_is_sent_byte_for_byte_and_shows_as_cached() {
    let server = Server::start(Reply::plain);
    let model = model(quick(&server));
    let begin = || {
        Prompt::default().system("Rules. ".repeat(100)).data(
            "passage",
            None,
            "evidence ".repeat(100),
        )
    };
    let ask_with = |tail: &str| {
        ask(
            &model,
            Request {
                prompt: begin().user(tail),
                ..Request::default()
            },
        )
        .unwrap()
    };
    assert_eq!(ask_with("first?").usage.cached, 0);
    let usage = ask_with("second?").usage;
    assert!(usage.cached as f64 > 0.9 * usage.prompt as f64, "{usage:?}");
}

#[test]
fn cancelling_ends_a_call() {
    let server = Server::start(|_: &Call| Reply {
        delay: Duration::from_secs(20),
        ..Reply::text("late")
    });
    let model = model(ModelConfig {
        first_token_ms: 20_000,
        call_ms: 20_000,
        ..quick(&server)
    });
    let cancel = Cancel::new();
    let later = cancel.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        later.cancel();
    });
    let error = block(model.complete(words("x"), None, cancel)).unwrap_err();
    assert_eq!(error, LanguageModelError::Cancelled);
}

#[test]
fn vectors_and_scores_come_through_their_ports() {
    let server = Server::start(Reply::plain);
    let embed = ModelConfig {
        task: ModelTask::Embeddings,
        ..quick(&server)
    };
    let rerank = ModelConfig {
        task: ModelTask::Rerank,
        ..quick(&server)
    };
    let set = set_with(
        [("e".to_owned(), embed), ("r".to_owned(), rerank)].into(),
        SetOptions::default(),
    );
    let encoder = set.encoder("e", &Cancel::new()).unwrap();
    let texts: Vec<String> = (0..130)
        .map(|i| {
            if i == 5 {
                " ".into()
            } else {
                format!("text number {i}")
            }
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let matrix = encoder
        .encode(&texts, Role::Passage, &Cancel::new())
        .unwrap();
    assert_eq!((matrix.rows, matrix.dim), (130, 32));
    for i in 0..130 {
        let norm: f32 = matrix.row(i).iter().map(|v| v * v).sum();
        assert!(
            if i == 5 {
                norm == 0.0
            } else {
                (norm - 1.0).abs() < 1e-5
            },
            "{i}: {norm}"
        );
    }
    assert_eq!(
        encoder
            .encode(&texts[129..], Role::Passage, &Cancel::new())
            .unwrap()
            .row(0),
        matrix.row(129)
    );
    let scores = set
        .scorer("r")
        .unwrap()
        .score(
            "red cat",
            &["a dog", "the red cat", "a cat"],
            &Cancel::new(),
        )
        .unwrap();
    assert!(scores[1] > scores[2] && scores[2] > scores[0], "{scores:?}");
    assert!(set.chat("e").is_none());
}
