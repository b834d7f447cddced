//! A language model whose calls wait for their slot.

use std::sync::Arc;

use indago_core::ports::{
    BoxFuture, Completion, DeltaSink, LanguageModel, LanguageModelError, Request, TokenUsage,
};
use indago_core::{Cancel, NodeId};
use indago_planner::slots::Resource;

use crate::engine::Place;
use crate::gate::Gate;

/// Calls within the steps of a run wait for a [`Resource::LanguageModel`] slot: the longest
/// remaining path first, runs in turn. Calls outside of any run go straight through.
///
/// Belongs *inside* a [`PaidModel`](crate::PaidModel): an answer that is recorded needs no slot.
pub struct GatedModel {
    inner: Arc<dyn LanguageModel>,
    gate: Gate,
}

impl std::fmt::Debug for GatedModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GatedModel({})", self.inner.name())
    }
}

impl GatedModel {
    /// Lets the calls of `inner` through `gate`.
    pub fn new(inner: Arc<dyn LanguageModel>, gate: Gate) -> Self {
        Self { inner, gate }
    }
}

/// The node on which the task at `path` works: `q3` for `q3-0`. Planning and writing belong to
/// none: everything waits for them.
fn node_of(path: &str) -> Option<NodeId> {
    path.split('/').rev().find_map(|part| {
        let (node, _) = part.strip_prefix('q')?.split_once('-')?;
        node.parse().ok().map(NodeId)
    })
}

impl LanguageModel for GatedModel {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn fingerprint(&self) -> &str {
        self.inner.fingerprint()
    }

    fn window(&self) -> Option<u64> {
        self.inner.window()
    }

    fn count(&self, request: &Request) -> (u64, bool) {
        self.inner.count(request)
    }

    fn gives_logprobs(&self) -> bool {
        self.inner.gives_logprobs()
    }

    fn price_micros(&self, usage: TokenUsage) -> u64 {
        self.inner.price_micros(usage)
    }

    fn complete(
        &self,
        request: Request,
        deltas: Option<DeltaSink>,
        cancel: Cancel,
    ) -> BoxFuture<'_, Result<Completion, LanguageModelError>> {
        let place = Place::current();
        Box::pin(async move {
            let _permit = match place {
                Some(place) => {
                    let node = node_of(&place.path);
                    let call = self.gate.call(&place.run, node, Resource::LanguageModel);
                    Some(self.gate.acquire(call).await)
                }
                None => None,
            };
            cancel.check()?;
            self.inner.complete(request, deltas, cancel).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_is_read_off_the_path() {
        assert_eq!(node_of("root/q12-3"), Some(NodeId(12)));
        assert_eq!(node_of("root/q1-0/inner"), Some(NodeId(1)));
        assert_eq!(node_of("root/write/section-2"), None);
        assert_eq!(node_of("root/plan-0"), None);
    }
}
