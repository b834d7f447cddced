//! Models that stand in for one another.

use std::sync::Arc;

use indago_core::Cancel;
use indago_core::ports::{
    BoxFuture, Completion, DeltaSink, LanguageModel, LanguageModelError, Request, TokenUsage,
};

/// Asks the first model; when it fails, the next. Cancelling ends it.
pub struct Chain {
    models: Vec<Arc<dyn LanguageModel>>,
    fingerprint: String,
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.models.iter().map(|m| m.name().to_owned()))
            .finish()
    }
}

impl Chain {
    /// `first`, then the others in order.
    pub fn new(first: Arc<dyn LanguageModel>, others: Vec<Arc<dyn LanguageModel>>) -> Self {
        let mut models = vec![first];
        models.extend(others);
        let fingerprint = models
            .iter()
            .map(|m| m.fingerprint())
            .collect::<Vec<_>>()
            .join("|");
        Self {
            models,
            fingerprint,
        }
    }
}

impl LanguageModel for Chain {
    fn name(&self) -> &str {
        self.models[0].name()
    }

    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The smallest, so that what fits one fits all.
    fn window(&self) -> Option<u64> {
        self.models.iter().filter_map(|m| m.window()).min()
    }

    fn count(&self, request: &Request) -> (u64, bool) {
        let counts: Vec<(u64, bool)> = self.models.iter().map(|m| m.count(request)).collect();
        (
            counts.iter().map(|c| c.0).max().unwrap_or(0),
            counts.iter().any(|c| c.1),
        )
    }

    fn gives_logprobs(&self) -> bool {
        self.models.iter().all(|m| m.gives_logprobs())
    }

    /// The dearest: nobody knows yet which will answer.
    fn price_micros(&self, usage: TokenUsage) -> u64 {
        let prices = self.models.iter().map(|m| m.price_micros(usage));
        prices.max().unwrap_or(0)
    }

    fn complete(
        &self,
        request: Request,
        deltas: Option<DeltaSink>,
        cancel: Cancel,
    ) -> BoxFuture<'_, Result<Completion, LanguageModelError>> {
        Box::pin(async move {
            let mut last = LanguageModelError::Cancelled;
            for model in &self.models {
                last = match model
                    .complete(request.clone(), deltas.clone(), cancel.clone())
                    .await
                {
                    Ok(done) => return Ok(done),
                    Err(LanguageModelError::Cancelled) => {
                        return Err(LanguageModelError::Cancelled);
                    }
                    Err(error) => error,
                };
                tracing::info!(model = model.name(), error = %last, "asking the next model");
            }
            Err(last)
        })
    }
}
