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
    ///
    /// A policy that calls language models stays within `purse` and adds what it spends, also where
    /// the turn fails.
    fn plan<'a>(
        &'a self,
        cx: &'a mut dyn TaskCtx,
        graph: &'a GraphView,
        news: &'a [NodeId],
        purse: Purse<'a>,
    ) -> BoxFuture<'a, Result<Vec<GraphEdit>, TaskError>>;
}

/// What a turn of planning may spend, and what it spent.
#[derive(Debug)]
pub struct Purse<'a> {
    /// From the start of the turn.
    pub allowance: Allowance,
    /// Added to as it is spent.
    pub spent: &'a mut Usage,
}
