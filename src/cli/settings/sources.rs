//! Where values are looked up: the flag, the environment, the file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use indago_kernels::DeviceChoice;
use indago_models::remote::ModelConfig;
use indago_text::LanguageChoice;

use super::{ConfigError, KEY_BINDINGS, KEYS, Origin, Setting};
use crate::cli::args::Format;
use crate::env::{self, Variable};
use crate::remote::NetworkConfig;

/// The file's values, flattened to dotted keys.
pub(super) struct Sources {
    path: PathBuf,
    table: Vec<(String, toml::Value)>,
    pub(super) models: BTreeMap<String, ModelConfig>,
    pub(super) network: NetworkConfig,
}

impl Sources {
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => {
                return Err(ConfigError::Unreadable {
                    path: path.into(),
                    source,
                });
            }
        };
        let mut table: toml::Table =
            text.parse()
                .map_err(|e: toml::de::Error| ConfigError::Syntax {
                    path: path.into(),
                    reason: e.to_string().trim().to_owned(),
                })?;
        let mut models = BTreeMap::new();
        if let Some(named) = table.remove("models") {
            let named: toml::Table = typed(path, "models", named)?;
            for (name, config) in named {
                let shown = format!("models.{name}");
                models.insert(name, typed(path, &shown, config)?);
            }
        }
        let network = match table.remove("network") {
            Some(network) => typed(path, "network", network)?,
            None => NetworkConfig::default(),
        };
        let mut flat = Vec::new();
        flatten("", table, &mut flat);
        for (key, _) in &flat {
            if !KEYS.iter().any(|(known, _)| known == key) && !key.starts_with(KEY_BINDINGS) {
                let nearest = KEYS
                    .iter()
                    .map(|(known, _)| *known)
                    .min_by_key(|known| edit_distance(known, key))
                    .unwrap_or_default();
                return Err(ConfigError::UnknownKey {
                    path: path.into(),
                    key: key.clone(),
                    nearest,
                });
            }
        }
        Ok(Self {
            path: path.into(),
            table: flat,
            models,
            network,
        })
    }

    /// Keys of the terminal interface: pairs of an action's name and its keys.
    pub(super) fn key_bindings(&self) -> Vec<(String, String)> {
        let bindings = self.table.iter().filter_map(|(key, value)| {
            let action = key.strip_prefix(KEY_BINDINGS)?;
            Some((action.to_owned(), plain(value)))
        });
        bindings.collect()
    }

    pub(super) fn pick<T: Readable>(
        &self,
        key: &'static str,
        variable: Variable,
        (flag, typed): (&'static str, Option<T>),
        default: T,
        wanted: &'static str,
    ) -> Result<Setting<T>, ConfigError> {
        if let Some(value) = typed {
            return Ok(Setting {
                value,
                origin: Origin::Flag(flag),
            });
        }
        let from_file = self
            .table
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| plain(v));
        let (text, origin) = match (env::read(variable), from_file) {
            (Some(text), _) => (text, Origin::Environment(variable.name)),
            (None, Some(text)) => (text, Origin::File(self.path.clone())),
            (None, None) => {
                return Ok(Setting {
                    value: default,
                    origin: Origin::Default,
                });
            }
        };
        match T::read(&text) {
            Some(value) => Ok(Setting { value, origin }),
            None => Err(ConfigError::BadValue {
                key,
                origin,
                value: text,
                wanted,
            }),
        }
    }

    pub(super) fn at_least_one<T: Readable + Default + PartialEq + ToString>(
        &self,
        key: &'static str,
        variable: Variable,
        flag: (&'static str, Option<T>),
        default: T,
        wanted: &'static str,
    ) -> Result<Setting<T>, ConfigError> {
        let setting = self.pick(key, variable, flag, default, wanted)?;
        if setting.value == T::default() {
            let Setting { value, origin } = setting;
            return Err(ConfigError::BadValue {
                key,
                origin,
                value: value.to_string(),
                wanted,
            });
        }
        Ok(setting)
    }
}

/// Values that can be read from text.
pub(super) trait Readable: Sized {
    fn read(text: &str) -> Option<Self>;
}

macro_rules! readable_from_str {
    ($($type:ty),+) => {$(
        impl Readable for $type {
            fn read(text: &str) -> Option<Self> {
                Self::from_str(text.trim()).ok()
            }
        }
    )+};
}
readable_from_str!(String, usize, u32, u64, bool, DeviceChoice, LanguageChoice);

impl Readable for Format {
    fn read(text: &str) -> Option<Self> {
        <Self as clap::ValueEnum>::from_str(text.trim(), true).ok()
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Markdown => "markdown",
            Self::Json => "json",
            Self::Html => "html",
        })
    }
}

/// A table as the type that it stands for.
fn typed<T: serde::de::DeserializeOwned>(
    path: &Path,
    table: &str,
    value: toml::Value,
) -> Result<T, ConfigError> {
    value
        .try_into()
        .map_err(|e: toml::de::Error| ConfigError::BadTable {
            path: path.into(),
            table: table.to_owned(),
            reason: e.message().to_owned(),
        })
}

fn flatten(prefix: &str, table: toml::Table, out: &mut Vec<(String, toml::Value)>) {
    for (key, value) in table {
        let path = if prefix.is_empty() {
            key
        } else {
            format!("{prefix}.{key}")
        };
        match value {
            toml::Value::Table(inner) => flatten(&path, inner, out),
            value => out.push((path, value)),
        }
    }
}

/// A TOML value as the text that a user would have typed.
fn plain(value: &toml::Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Levenshtein distance over characters, for "did you mean".
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
