//! Vectors from a server.

use std::sync::Arc;

use indago_core::Cancel;
use indago_core::ports::{EncodeError, Encoder, LanguageModelError, Matrix, Role};
use serde_json::{Value, json};
use xxhash_rust::xxh3::xxh3_64;

use super::attempt::{AttemptSink, Retry};
use super::config::ModelConfig;
use super::endpoint::{Endpoint, from_egress};

/// Texts of one request.
const BATCH: usize = 64;
/// Longest vector that is believed.
const MAX_DIM: usize = 16_384;

/// Asks a server's endpoint for JSON, with retries; waits on the calling thread.
pub(super) fn ask(
    name: &str,
    config: &ModelConfig,
    endpoint: &Endpoint,
    (purpose, path): (&'static str, &'static str),
    body: &Value,
    cancel: &Cancel,
) -> Result<Value, EncodeError> {
    let failed = |reason: String| EncodeError::Model {
        model: name.to_owned(),
        reason,
    };
    let bytes = serde_json::to_vec(body).map_err(|e| failed(e.to_string()))?;
    let (owned, endpoint2, config, cancel2) = (
        name.to_owned(),
        endpoint.clone(),
        config.clone(),
        cancel.clone(),
    );
    let work = async move {
        let sink = AttemptSink::default();
        let retry = Retry {
            model: &owned,
            patience: config.patience(),
            limiter: &endpoint2.limiter,
            tokens: bytes.len() as u64 / 4,
            seed: xxh3_64(&bytes),
            sink: &sink,
        };
        let once = || {
            let (endpoint, bytes, model, cancel) = (
                endpoint2.clone(),
                bytes.clone(),
                owned.clone(),
                cancel2.clone(),
            );
            let patience = config.patience();
            let future: indago_core::ports::BoxFuture<'static, _> = Box::pin(async move {
                let mut request = endpoint.post(purpose, path, bytes);
                request.accept = vec!["application/json"];
                request.limits.first_byte = patience.first_token;
                request.limits.total = patience.call;
                request.limits.max_bytes = 64 << 20;
                let response = endpoint
                    .door
                    .send(request, &cancel)
                    .await
                    .map_err(|e| from_egress(&model, e))?;
                let (status, wait) = (
                    response.status(),
                    response.retry_after().map(|w| w.as_millis() as u64),
                );
                let bytes = response.bytes().await.map_err(|e| from_egress(&model, e))?;
                match status {
                    200..300 => {
                        serde_json::from_slice(&bytes).map_err(|e| LanguageModelError::Malformed {
                            model,
                            reason: e.to_string(),
                        })
                    }
                    429 => Err(LanguageModelError::RateLimited {
                        model,
                        retry_after_ms: wait,
                    }),
                    408 | 500.. => Err(LanguageModelError::Unavailable {
                        model,
                        reason: format!("status {status}"),
                        retry_after_ms: wait,
                    }),
                    _ => {
                        let said: String =
                            String::from_utf8_lossy(&bytes).chars().take(300).collect();
                        Err(LanguageModelError::Refused {
                            model,
                            reason: endpoint.clean(format!("status {status}: {said}")),
                        })
                    }
                }
            });
            future
        };
        retry.run(&cancel2, once).await
    };
    let done = endpoint
        .door
        .block_on(work)
        .map_err(|e| failed(e.to_string()))?;
    done.map_err(|error| match error {
        LanguageModelError::Cancelled => EncodeError::Cancelled(indago_core::Cancelled),
        error => failed(error.to_string()),
    })
}

/// An embedding model behind a server. Blocks its thread while it waits.
#[derive(Debug)]
pub struct RemoteEncoder {
    name: String,
    config: ModelConfig,
    endpoint: Endpoint,
    fingerprint: String,
    dim: usize,
}

impl RemoteEncoder {
    /// An encoder whose dimension is learnt by encoding one word.
    ///
    /// # Errors
    /// When the server does not answer as an embedding server.
    pub fn connect(
        name: &str,
        config: ModelConfig,
        endpoint: Endpoint,
        cancel: &Cancel,
    ) -> Result<Arc<Self>, EncodeError> {
        let mut encoder = Self {
            name: name.to_owned(),
            config,
            endpoint,
            fingerprint: String::new(),
            dim: 0,
        };
        let probe = encoder.batch(&["word".to_owned()], cancel)?;
        encoder.dim = probe.first().map_or(0, Vec::len);
        let c = &encoder.config;
        encoder.fingerprint = format!(
            "remote:{}:{}:{}:{}:{}",
            encoder.endpoint.base_url, c.model, encoder.dim, c.query_prefix, c.passage_prefix
        );
        Ok(Arc::new(encoder))
    }

    fn failed(&self, reason: impl Into<String>) -> EncodeError {
        EncodeError::Model {
            model: self.name.clone(),
            reason: reason.into(),
        }
    }

    /// Vectors of at most [`BATCH`] texts, in their order, of length 1.
    fn batch(&self, texts: &[String], cancel: &Cancel) -> Result<Vec<Vec<f32>>, EncodeError> {
        let mut body =
            json!({ "model": self.config.model, "input": texts, "encoding_format": "float" });
        if let Some(dimensions) = self.config.dimensions {
            body["dimensions"] = dimensions.into();
        }
        let answer = ask(
            &self.name,
            &self.config,
            &self.endpoint,
            ("embeddings", "/embeddings"),
            &body,
            cancel,
        )?;
        let data = answer["data"]
            .as_array()
            .ok_or_else(|| self.failed("the answer has no list of vectors"))?;
        let mut rows: Vec<Vec<f32>> = vec![Vec::new(); texts.len()];
        for (place, entry) in data.iter().enumerate() {
            let index = entry["index"].as_u64().map_or(place, |i| i as usize);
            let values = entry["embedding"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            let mut row: Vec<f32> = values
                .iter()
                .filter_map(Value::as_f64)
                .map(|v| v as f32)
                .collect();
            let sound = !row.is_empty()
                && row.len() == values.len()
                && row.len() <= MAX_DIM
                && row.iter().all(|v| v.is_finite());
            let slot = rows.get_mut(index).filter(|slot| slot.is_empty() && sound);
            let slot =
                slot.ok_or_else(|| self.failed("the answer has a vector that cannot be used"))?;
            let norm = row.iter().map(|v| v * v).sum::<f32>().sqrt();
            if norm > 0.0 {
                for v in &mut row {
                    *v /= norm;
                }
            }
            *slot = row;
        }
        let dim = if self.dim == 0 {
            rows.first().map_or(0, Vec::len)
        } else {
            self.dim
        };
        if rows.iter().any(|row| row.len() != dim || dim == 0) {
            return Err(self.failed(format!(
                "the answer lacks vectors, or they have not {dim} dimensions"
            )));
        }
        Ok(rows)
    }
}

impl Encoder for RemoteEncoder {
    fn name(&self) -> &str {
        &self.name
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn encode(&self, texts: &[&str], role: Role, cancel: &Cancel) -> Result<Matrix, EncodeError> {
        let prefix = match role {
            Role::Query => &self.config.query_prefix,
            Role::Passage => &self.config.passage_prefix,
        };
        let mut matrix = Matrix::zeros(0, self.dim);
        for batch in texts.chunks(BATCH) {
            cancel.check()?;
            // Servers refuse empty texts; a text without tokens has the vector of zeros.
            let full: Vec<String> = batch
                .iter()
                .filter(|t| !t.trim().is_empty())
                .map(|t| format!("{prefix}{t}"))
                .collect();
            let mut rows = if full.is_empty() {
                Vec::new()
            } else {
                self.batch(&full, cancel)?
            }
            .into_iter();
            for text in batch {
                let row = if text.trim().is_empty() {
                    None
                } else {
                    rows.next()
                };
                matrix
                    .data
                    .extend(row.unwrap_or_else(|| vec![0.0; self.dim]));
                matrix.rows += 1;
            }
        }
        Ok(matrix)
    }
}
