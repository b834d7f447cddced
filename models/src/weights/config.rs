//! `config.json`, whose settings have other names in other families, some under two at once.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::folder::json;
use crate::ModelError;

/// A model's configuration.
#[derive(Debug)]
pub(crate) struct Config {
    settings: Map<String, Value>,
}

impl Config {
    /// The configuration in `folder`.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub(super) fn read(folder: &Path) -> Result<Self, ModelError> {
        let settings = json(&folder.join("config.json"))?.ok_or_else(|| {
            ModelError::format(folder.display().to_string(), "it has no config.json")
        })?;
        Ok(Self { settings })
    }

    /// The value of the first of `names` that is there, deeper ones as `a.b`.
    ///
    /// # Errors
    /// When it is of another kind.
    pub(super) fn get<T: DeserializeOwned>(&self, names: &[&str]) -> Result<Option<T>, String> {
        let found = names
            .iter()
            .find_map(|name| Some((name, self.value(name)?)));
        let read = found.map(|(name, value)| {
            T::deserialize(value).map_err(|error| format!("`{name}`: {error}"))
        });
        read.transpose()
    }

    /// As [`Self::get`], of what every model has.
    ///
    /// # Errors
    /// When it is missing or of another kind.
    pub(super) fn need<T: DeserializeOwned>(&self, names: &[&str]) -> Result<T, String> {
        let found = self.get(names)?;
        found.ok_or_else(|| format!("missing field `{}`", names.first().unwrap_or(&"")))
    }

    /// The class of its first architecture.
    pub(super) fn class(&self) -> Option<&str> {
        self.value("architectures")?.get(0)?.as_str()
    }

    /// Whether a setting is there and neither `false` nor 0.
    pub(super) fn is_on(&self, name: &str) -> bool {
        let off = |value: &Value| value.as_bool() == Some(false) || value.as_f64() == Some(0.0);
        self.value(name).is_some_and(|value| !off(value))
    }

    /// The value under `name`; `null` counts as none.
    fn value(&self, name: &str) -> Option<&Value> {
        let mut parts = name.split('.');
        let first = self.settings.get(parts.next()?)?;
        let found = parts.try_fold(first, |value, part| value.get(part))?;
        (!found.is_null()).then_some(found)
    }
}

#[cfg(test)]
impl Config {
    /// A configuration with these settings.
    pub(super) fn of(settings: Value) -> Self {
        let Value::Object(settings) = settings else {
            unreachable!("settings are an object")
        };
        Self { settings }
    }
}
