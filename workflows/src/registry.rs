//! Tasks by name: data in, data out, so that a task can be started by another process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use indago_core::ports::{BoxFuture, Output, TaskCtx, TaskError};
use serde_json::Value;

/// What a task returns.
pub type TaskFuture<'a> = BoxFuture<'a, Result<Output, TaskError>>;

/// Code that runs under a registered name. Everything it needs to know about one execution is in
/// its input; what it holds itself (a library, a policy) must be the same on every host.
///
/// After a crash the code runs again from its start, so what it does between steps must depend on
/// the input, on step results and on nothing else.
pub trait Task: Send + Sync {
    /// Runs once from `input`.
    fn run<'a>(&'a self, cx: &'a mut dyn TaskCtx, input: Value) -> TaskFuture<'a>;
}

impl<F> Task for F
where
    F: for<'a> Fn(&'a mut dyn TaskCtx, Value) -> TaskFuture<'a> + Send + Sync,
{
    fn run<'a>(&'a self, cx: &'a mut dyn TaskCtx, input: Value) -> TaskFuture<'a> {
        self(cx, input)
    }
}

/// The tasks that an engine can run.
#[derive(Clone, Default)]
pub struct Registry {
    tasks: BTreeMap<String, Arc<dyn Task>>,
    code_version: u32,
}

impl Registry {
    /// No tasks yet. `code_version` changes whenever the same input and step results could make a
    /// task do something else; a run resumes and replays only under the version it was made with.
    pub fn new(code_version: u32) -> Self {
        Self {
            tasks: BTreeMap::new(),
            code_version,
        }
    }

    /// Registers a task; a later one of the same name replaces the earlier.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, task: impl Task + 'static) -> Self {
        self.tasks.insert(name.into(), Arc::new(task));
        self
    }

    /// The version of the tasks' code.
    pub fn code_version(&self) -> u32 {
        self.code_version
    }

    pub(crate) fn get(&self, name: &str) -> Result<Arc<dyn Task>, TaskError> {
        self.tasks.get(name).cloned().ok_or_else(|| {
            let known: Vec<_> = self.tasks.keys().map(String::as_str).collect();
            TaskError::Terminal(format!(
                "there is no task `{name}`; this build has {}",
                known.join(", ")
            ))
        })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("tasks", &self.tasks.keys().collect::<Vec<_>>())
            .field("code_version", &self.code_version)
            .finish()
    }
}
