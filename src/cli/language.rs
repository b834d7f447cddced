//! Configured language models for what is not a run: reranking, extraction.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indago_core::Cancel;
use indago_core::ports::{LanguageModel, LanguageModelError, Request};
use indago_models::remote::ResponseCache;
use indago_retriever::rerank::Complete;

use super::project;
use super::settings::Settings;
use crate::remote::Remote;

/// A configured language model whose calls block, and what they took.
pub(super) struct Calls {
    pub(super) model: Arc<dyn LanguageModel>,
    cache: Option<Arc<ResponseCache>>,
    spent: Arc<Spent>,
    runtime: Arc<tokio::runtime::Runtime>,
}

/// Tokens and money of answered calls.
#[derive(Default)]
struct Spent {
    tokens: AtomicU64,
    money_micros: AtomicU64,
}

impl Calls {
    /// The model `name`. Answers are kept in `.indago/responses/`.
    pub(super) fn open(name: &str, settings: &Settings) -> anyhow::Result<Self> {
        let configs = settings.models.clone();
        let remote = Remote::open(&project(settings), configs, &settings.network, true)?;
        let Some(model) = remote.models.chat(name) else {
            anyhow::bail!("the model `{name}` is no language model");
        };
        Ok(Self {
            model,
            cache: remote.cache,
            spent: Arc::default(),
            runtime: Arc::new(crate::asking::runtime()?),
        })
    }

    /// Calls to the server so far: what was kept from before is none.
    pub(super) fn made(&self) -> u64 {
        self.cache.as_ref().map_or(0, |cache| cache.stats().misses)
    }

    /// Tokens and millionths of a dollar that the calls took.
    pub(super) fn spent(&self) -> (u64, u64) {
        let of = |n: &AtomicU64| n.load(Ordering::SeqCst);
        (of(&self.spent.tokens), of(&self.spent.money_micros))
    }

    /// A call that waits for its answer.
    pub(super) fn complete(&self) -> Arc<Complete> {
        let (model, runtime) = (self.model.clone(), self.runtime.clone());
        let spent = self.spent.clone();
        Arc::new(move |request: Request, cancel: &Cancel| {
            let done = runtime.block_on(model.complete(request, None, cancel.clone()))?;
            let tokens = done.usage.prompt + done.usage.completion;
            spent.tokens.fetch_add(tokens, Ordering::SeqCst);
            let money = done.usage.money_micros;
            spent.money_micros.fetch_add(money, Ordering::SeqCst);
            Ok(done)
        })
    }

    /// The same up to `most` calls; what was kept from before does not count.
    pub(super) fn at_most(&self, most: Option<u64>) -> Arc<Complete> {
        let complete = self.complete();
        let Some(most) = most else {
            return complete;
        };
        let (cache, name) = (self.cache.clone(), self.model.name().to_owned());
        let begun = AtomicU64::new(0);
        Arc::new(move |request: Request, cancel: &Cancel| {
            let answered = cache.as_ref().map_or(0, |cache| cache.stats().hits);
            // Those under way count as calls until the cache has answered them.
            let before = begun.fetch_add(1, Ordering::SeqCst);
            if before.saturating_sub(answered) >= most {
                return Err(LanguageModelError::Refused {
                    model: name.clone(),
                    reason: limit_reached(most),
                });
            }
            complete(request, cancel)
        })
    }
}

/// How a call is refused that would be one too many.
pub(super) fn limit_reached(most: u64) -> String {
    format!("the limit of {most} calls is reached")
}
