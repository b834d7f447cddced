//! Scores of query and text from a server (`/rerank`, as Cohere, Jina, vLLM and llama.cpp have it).

use indago_core::Cancel;
use indago_core::ports::{EncodeError, PairScorer};
use serde_json::json;

use super::config::ModelConfig;
use super::embed::ask;
use super::endpoint::Endpoint;

/// A reranking model behind a server. Blocks its thread while it waits.
#[derive(Debug)]
pub struct RemoteScorer {
    name: String,
    config: ModelConfig,
    endpoint: Endpoint,
}

impl RemoteScorer {
    /// A scorer; nothing is sent yet.
    pub fn new(name: &str, config: ModelConfig, endpoint: Endpoint) -> Self {
        Self {
            name: name.to_owned(),
            config,
            endpoint,
        }
    }
}

impl PairScorer for RemoteScorer {
    fn name(&self) -> &str {
        &self.name
    }

    fn score(&self, query: &str, texts: &[&str], cancel: &Cancel) -> Result<Vec<f32>, EncodeError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |reason: &str| EncodeError::Model {
            model: self.name.clone(),
            reason: reason.to_owned(),
        };
        let body = json!({ "model": self.config.model, "query": query, "documents": texts, "top_n": texts.len() });
        let answer = ask(
            &self.name,
            &self.config,
            &self.endpoint,
            ("rerank", "/rerank"),
            &body,
            cancel,
        )?;
        let results = answer["results"]
            .as_array()
            .ok_or_else(|| failed("the answer has no list of results"))?;
        let mut scores: Vec<Option<f32>> = vec![None; texts.len()];
        for result in results {
            let index = result["index"].as_u64().map_or(usize::MAX, |i| i as usize);
            let score = result["relevance_score"]
                .as_f64()
                .or(result["score"].as_f64());
            if let (Some(slot), Some(score)) = (scores.get_mut(index), score) {
                *slot = Some(score as f32);
            }
        }
        let all: Option<Vec<f32>> = scores.into_iter().collect();
        all.ok_or_else(|| failed("the answer leaves texts without a score"))
    }
}
