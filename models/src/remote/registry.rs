//! The models that are configured, by name and by role.

use std::collections::BTreeMap;
use std::sync::Arc;

use indago_core::Cancel;
use indago_core::ports::{EncodeError, LanguageModel};
use indago_egress::{Door, EgressError, Limiter, Origin, Rates, Request, Secret};

use super::attempt::AttemptSink;
use super::cache::{Cached, ResponseCache};
use super::chain::Chain;
use super::client::RemoteModel;
use super::config::{ConfigProblem, ModelConfig, ModelRole, ModelTask};
use super::embed::RemoteEncoder;
use super::endpoint::Endpoint;
use super::rerank::RemoteScorer;

/// How a set is put together.
#[derive(Debug, Default)]
pub struct SetOptions {
    /// Where answers are kept; `None` to ask every time.
    pub cache: Option<Arc<ResponseCache>>,
    /// Where failed attempts go.
    pub attempts: AttemptSink,
}

/// The configured models.
pub struct ModelSet {
    configs: BTreeMap<String, ModelConfig>,
    endpoints: BTreeMap<String, Endpoint>,
    chats: BTreeMap<String, Arc<dyn LanguageModel>>,
}

impl std::fmt::Debug for ModelSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelSet")
            .field("models", &self.configs.keys())
            .finish_non_exhaustive()
    }
}

impl ModelSet {
    /// The servers that a door has to let through for these models.
    ///
    /// # Errors
    /// The first model that cannot be used as configured.
    pub fn origins(configs: &BTreeMap<String, ModelConfig>) -> Result<Vec<Origin>, ConfigProblem> {
        let origin = |(name, config): (&String, &ModelConfig)| {
            config.check(name)?;
            Origin::of(&config.base_url).map_err(|e| ConfigProblem {
                model: name.clone(),
                reason: e.to_string(),
            })
        };
        configs.iter().map(origin).collect()
    }

    /// All models, behind `door`. `key` gives the key that an environment variable holds. Nothing is
    /// sent yet.
    ///
    /// # Errors
    /// The first model that cannot be used as configured.
    pub fn new(
        configs: BTreeMap<String, ModelConfig>,
        door: &Door,
        key: impl Fn(&str) -> Option<Secret>,
        options: SetOptions,
    ) -> Result<Self, ConfigProblem> {
        let mut endpoints: BTreeMap<String, Endpoint> = BTreeMap::new();
        let mut limiters: BTreeMap<String, Limiter> = BTreeMap::new();
        for (name, config) in &configs {
            config.check(name)?;
            let problem = |reason: String| ConfigProblem {
                model: name.clone(),
                reason,
            };
            let secret = match &config.key_env {
                None => None,
                Some(variable) => {
                    let missing = || {
                        problem(format!(
                            "the environment variable `{variable}` is not set; it has to hold the key"
                        ))
                    };
                    Some(
                        key(variable)
                            .filter(|secret| !secret.is_empty())
                            .ok_or_else(missing)?,
                    )
                }
            };
            // Models of one server share its pace: that of the first of them by name.
            let rates = Rates {
                concurrent: config.concurrent,
                requests_per_minute: config.requests_per_minute,
                tokens_per_minute: config.tokens_per_minute,
            };
            let limiter = limiters
                .entry(config.base_url.clone())
                .or_insert_with(|| Limiter::new(rates))
                .clone();
            let endpoint = Endpoint {
                door: door.clone(),
                base_url: config.base_url.clone(),
                key: secret,
                limiter,
            };
            endpoints.insert(name.clone(), endpoint);
        }
        let bare: BTreeMap<String, Arc<dyn LanguageModel>> = configs
            .iter()
            .filter(|(_, config)| config.task == ModelTask::Chat)
            .map(|(name, config)| {
                let model = RemoteModel::new(name, config.clone(), endpoints[name].clone())
                    .reporting_to(options.attempts.clone());
                (name.clone(), Arc::new(model) as Arc<dyn LanguageModel>)
            })
            .collect();
        let mut chats = BTreeMap::new();
        for (name, model) in &bare {
            let mut others = Vec::new();
            for other in &configs[name].fallback {
                let found = bare.get(other).filter(|_| other != name);
                others.push(found.cloned().ok_or_else(|| ConfigProblem {
                    model: name.clone(),
                    reason: format!("`fallback` names `{other}`, which is no other chat model"),
                })?);
            }
            let mut whole = model.clone();
            if !others.is_empty() {
                whole = Arc::new(Chain::new(whole, others));
            }
            if let Some(cache) = &options.cache {
                whole = Arc::new(Cached::new(whole, cache.clone()));
            }
            chats.insert(name.clone(), whole);
        }
        Ok(Self {
            configs,
            endpoints,
            chats,
        })
    }

    /// How each model is configured.
    pub fn configs(&self) -> &BTreeMap<String, ModelConfig> {
        &self.configs
    }

    /// The chat model `name`, with its stand-ins and its cache.
    pub fn chat(&self, name: &str) -> Option<Arc<dyn LanguageModel>> {
        self.chats.get(name).cloned()
    }

    /// The chat model for a role: the first that names it, else the first that names none.
    pub fn for_role(&self, role: ModelRole) -> Option<Arc<dyn LanguageModel>> {
        let chat = |wanted: &dyn Fn(&ModelConfig) -> bool| {
            let mut all = self
                .configs
                .iter()
                .filter(|(name, _)| self.chats.contains_key(*name));
            all.find(|(_, config)| wanted(config))
                .map(|(name, _)| name.clone())
        };
        let name = chat(&|c| c.roles.contains(&role)).or_else(|| chat(&|c| c.roles.is_empty()))?;
        self.chat(&name)
    }

    /// The embedding model `name`; asks its server once.
    ///
    /// # Errors
    /// When there is none, or its server does not answer as one.
    pub fn encoder(&self, name: &str, cancel: &Cancel) -> Result<Arc<RemoteEncoder>, EncodeError> {
        let (config, endpoint) = self.of_task(name, ModelTask::Embeddings)?;
        RemoteEncoder::connect(name, config, endpoint, cancel)
    }

    /// The reranking model `name`.
    ///
    /// # Errors
    /// When there is none.
    pub fn scorer(&self, name: &str) -> Result<RemoteScorer, EncodeError> {
        let (config, endpoint) = self.of_task(name, ModelTask::Rerank)?;
        Ok(RemoteScorer::new(name, config, endpoint))
    }

    fn of_task(&self, name: &str, task: ModelTask) -> Result<(ModelConfig, Endpoint), EncodeError> {
        let config = self.configs.get(name).filter(|config| config.task == task);
        config
            .map(|config| (config.clone(), self.endpoints[name].clone()))
            .ok_or_else(|| EncodeError::Model {
                model: name.to_owned(),
                reason: format!("no model of this name is configured with task {task:?}"),
            })
    }

    /// Models that the server of `name` lists, by asking it.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn listed(&self, name: &str, cancel: &Cancel) -> Result<Vec<String>, EgressError> {
        let Some(endpoint) = self.endpoints.get(name) else {
            return Ok(Vec::new());
        };
        let request = Request {
            accept: vec!["application/json"],
            ..endpoint.get("models", "/models")
        };
        let response = endpoint.door.send(request, cancel).await?;
        let bytes = response.bytes().await?;
        let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let data = body["data"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        Ok(data
            .iter()
            .filter_map(|m| m["id"].as_str())
            .map(|id| endpoint.clean(id.to_owned()))
            .collect())
    }
}
