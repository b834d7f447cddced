//! The question graph as others see it: nodes, edges, and the only way to change them.

use serde::{Deserialize, Serialize};

use crate::{Finding, NodeId};

/// Where a sub-question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Known, but something it depends on is not answered yet.
    Proposed,
    /// May run now.
    Ready,
    /// A searcher works on it.
    Running,
    /// Has a finding that carries evidence.
    Answered,
    /// Work ended without evidence.
    Unanswerable,
    /// Was answered; its evidence was contradicted and it will run again.
    Reopened,
    /// Taken out of the plan.
    Pruned,
}

/// A node of the question graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubQuestion {
    /// Its number; 0 is the question itself.
    pub id: NodeId,
    /// The question in words.
    pub text: String,
    /// Where it stands.
    pub state: NodeState,
    /// Why it is in the graph.
    pub reason: String,
    /// What was found; present once answered or unanswerable.
    pub finding: Option<Finding>,
}

/// `from` needs the finding of `on`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// The node that waits.
    pub from: NodeId,
    /// The node it waits for.
    pub on: NodeId,
    /// Why, in words.
    pub reason: String,
}

/// The only way the graph changes. Edits are validated before they apply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum GraphEdit {
    /// Adds a sub-question that depends on `depends_on`.
    Add {
        /// The question in words.
        text: String,
        /// Why it is needed.
        reason: String,
        /// Existing nodes whose findings it needs.
        depends_on: Vec<NodeId>,
    },
    /// Adds a dependency between existing nodes.
    Link(Dependency),
    /// Changes a node's words before it runs, for example to fill in a parent's answer.
    Reword {
        /// Which node.
        node: NodeId,
        /// Its new words.
        text: String,
        /// Why.
        reason: String,
    },
    /// Takes a node out of the plan.
    Prune {
        /// Which node.
        node: NodeId,
        /// Why.
        reason: String,
    },
    /// Sends an answered node back to work.
    Reopen {
        /// Which node.
        node: NodeId,
        /// Why.
        reason: String,
    },
    /// Ends planning: nothing more is needed.
    Finish {
        /// Why.
        reason: String,
    },
}

/// Why an edit was not applied. An event, never a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum EditRefused {
    /// The edge would close a cycle.
    #[error("{from} already leads to {on}: the edge would close a cycle")]
    Cycle {
        /// The node that would wait.
        from: NodeId,
        /// The node it would wait for.
        on: NodeId,
    },
    /// The same question is in the graph already.
    #[error("the same question is already {0}")]
    Duplicate(NodeId),
    /// No such node.
    #[error("there is no node {0}")]
    UnknownNode(NodeId),
    /// The node's state does not allow the edit.
    #[error("{node} is {state:?}, which does not allow this edit")]
    WrongState {
        /// Which node.
        node: NodeId,
        /// Its state.
        state: NodeState,
    },
    /// The question has no words.
    #[error("the question is empty")]
    EmptyQuestion,
    /// The graph has as many nodes as the budget allows.
    #[error("the graph has its {0} nodes already")]
    NodeBudget(u32),
    /// The chain of dependencies is as long as the budget allows.
    #[error("the node would stand deeper than {0}")]
    DepthBudget(u32),
    /// The question is longer than anything one would search for.
    #[error("the question has {bytes} bytes, at most {most} are accepted")]
    QuestionTooLong {
        /// Its length.
        bytes: usize,
        /// The longest that is accepted.
        most: usize,
    },
    /// The node was reopened so often that asking again would only oscillate.
    #[error("{node} was reopened {times} times and is left as disputed")]
    Disputed {
        /// Which node.
        node: NodeId,
        /// How often it was reopened.
        times: u32,
    },
    /// Planning has ended.
    #[error("planning has ended")]
    Finished,
}

/// A snapshot of the graph: what plan policies decide on and what reports draw.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GraphView {
    /// All nodes in order of creation.
    pub nodes: Vec<SubQuestion>,
    /// All dependencies in order of creation.
    pub edges: Vec<Dependency>,
}

impl GraphView {
    /// The node `id`, if it exists.
    pub fn node(&self, id: NodeId) -> Option<&SubQuestion> {
        self.nodes.get(id.0 as usize)
    }

    /// What `id` waits for.
    pub fn dependencies(&self, id: NodeId) -> impl Iterator<Item = &SubQuestion> {
        self.edges
            .iter()
            .filter(move |e| e.from == id)
            .filter_map(|e| self.node(e.on))
    }
}
