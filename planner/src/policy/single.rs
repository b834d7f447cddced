//! The question as it stands: one node, one search.

use indago_core::ports::{BoxFuture, PlanPolicy, Purse, TaskCtx, TaskError};
use indago_core::{GraphEdit, GraphView, NodeId};

/// Never adds a node: the root is searched as asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Single;

impl PlanPolicy for Single {
    fn name(&self) -> &'static str {
        "single"
    }

    fn reacts(&self) -> bool {
        false
    }

    fn plan<'a>(
        &'a self,
        _cx: &'a mut dyn TaskCtx,
        _graph: &'a GraphView,
        _news: &'a [NodeId],
        _purse: Purse<'a>,
    ) -> BoxFuture<'a, Result<Vec<GraphEdit>, TaskError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
