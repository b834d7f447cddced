//! Models behind an HTTP server that speaks the OpenAI wire format: hosted services, vLLM, SGLang,
//! llama.cpp, Ollama and the like.
//!
//! One call goes through these files in this order: `layout` turns segments into messages, `body`
//! into a request of the endpoint's dialect, `ordered` into bytes with a schema's properties in
//! order, `attempt` sends it and tries again where that helps, `stream` and `reading` take the
//! answer apart, `think` keeps reasoning out of it, `structured` checks it against its schema,
//! `mend` saves what nearly fits. `client` holds them together behind `LanguageModel`.

mod attempt;
mod body;
mod cache;
mod chain;
mod client;
mod config;
mod embed;
mod endpoint;
mod layout;
mod mend;
mod ordered;
mod reading;
mod registry;
mod rerank;
mod stream;
mod structured;
mod think;

pub use attempt::{Attempt, AttemptSink};
pub use cache::{CacheStats, Cached, ResponseCache};
pub use chain::Chain;
pub use client::RemoteModel;
pub use config::{ConfigProblem, ModelConfig, ModelRole, ModelTask, Patience, Price, Structured};
pub use embed::RemoteEncoder;
pub use endpoint::Endpoint;
pub use registry::{ModelSet, SetOptions};
pub use rerank::RemoteScorer;
