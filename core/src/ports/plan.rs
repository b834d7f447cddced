//! The seam between a graph and whoever decides how it grows.

use super::{BoxFuture, TaskCtx, TaskError};
use crate::{Allowance, GraphEdit, GraphView, NodeId, Usage};

/// Decides how the question graph grows. One file and one registration each.
pub trait PlanPolicy: Send + Sync {
    /// Registered name, such as `extractive`.
    fn name(&self) -> &str;

    /// Whether edits may follow from findings. A policy whose plan is complete after the first
    /// call says no and is not asked again.
    fn reacts(&self) -> bool {
        true
    }

    /// Whether it words questions freely, so that the same question may come again in other words.
    fn paraphrases(&self) -> bool {
        false
    }

    /// Edits that follow from the graph and the nodes that were answered since the last call
    /// (empty on the first call, when the graph holds only the question). Returning no edit while
    /// nothing runs ends planning.
    fn plan<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        graph: &'a GraphView,
        news: &'a [NodeId],
    ) -> BoxFuture<'a, Result<Vec<GraphEdit>, TaskError>>;

    /// As [`PlanPolicy::plan`], for policies that call language models: within `allowance`, with
    /// what was spent added to `spent`, also where the turn fails.
    fn plan_within<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        graph: &'a GraphView,
        news: &'a [NodeId],
        _allowance: Allowance,
        _spent: &'a mut Usage,
    ) -> BoxFuture<'a, Result<Vec<GraphEdit>, TaskError>> {
        self.plan(cx, graph, news)
    }
}
