//! The words and ports of indago: what every crate means by a passage, a quote, a run, a task.
//!
//! Types are plain data; traits in [`ports`] are the seams behind which retrievers, encoders,
//! stores, plan policies and run engines are swapped. There is no logic and no I/O here beyond
//! constructors that keep an invariant. Every addition names the two crates that need it.

mod cancel;
mod document;
mod evidence;
mod graph;
mod ids;
pub mod ports;
mod prompt;
mod query;
mod report;
mod run;
mod steer;

pub use cancel::{Cancel, Cancelled};
pub use document::{Date, Document, DocumentKind, Location, PageStart, Passage};
pub use evidence::{Answer, AnswerKind, Bridge, Claim, Finding, Quote};
pub use graph::{Dependency, EditRefused, GraphEdit, GraphView, NodeState, SubQuestion};
pub use ids::{ContentHash, DocumentId, NodeId, PassageId, RunId};
pub use prompt::{Observation, Prompt, Reuse, Segment, SegmentKind, Speaker, ToolCall, ToolSpec};
pub use query::{Filters, Hit, Provenance, Query, RetrieverWeight};
pub use report::{Contradiction, Dropped, IndexCoverage, NotFound, Report, Section, Source};
pub use run::{Allowance, Budget, Estimate, Event, NodeBudget, RunState, Spend, StopReason, Usage};
pub use steer::{BudgetChange, Steering, SteeringRefused};
