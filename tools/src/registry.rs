//! The tools of a program, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use indago_core::ports::Tool;

/// Longest name of a tool, as servers have it.
const MAX_NAME: usize = 64;

/// A tool cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Two tools have this name.
    #[error("there are two tools named `{0}`")]
    Twice(String),
    /// Servers do not take this name.
    #[error("`{0}` cannot name a tool: use up to 64 letters, digits, underscores or dashes")]
    BadName(String),
    /// The schema of the arguments is no schema.
    #[error("the schema of `{tool}` cannot be used: {reason}")]
    BadSchema {
        /// Which tool.
        tool: String,
        /// What is wrong.
        reason: String,
    },
}

pub(crate) struct Entry {
    pub(crate) tool: Arc<dyn Tool>,
    pub(crate) arguments: jsonschema::Validator,
}

/// Tools in the order of their names, so that every prompt lists them alike.
#[derive(Default)]
pub struct Registry(pub(crate) BTreeMap<String, Entry>);

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Registry {
    /// Adds a tool.
    ///
    /// # Errors
    /// When its name or schema cannot be used.
    pub fn add(&mut self, tool: Arc<dyn Tool>) -> Result<(), RegistryError> {
        let name = tool.spec().name.clone();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(plain) {
            return Err(RegistryError::BadName(name));
        }
        let arguments = jsonschema::validator_for(&tool.spec().parameters).map_err(|e| {
            RegistryError::BadSchema {
                tool: name.clone(),
                reason: e.to_string(),
            }
        })?;
        if self.0.contains_key(&name) {
            return Err(RegistryError::Twice(name));
        }
        self.0.insert(name, Entry { tool, arguments });
        Ok(())
    }
}
