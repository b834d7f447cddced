//! Models behind servers, as configured: which there are, the door to them, what leaves through it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use indago_egress::{Door, EgressLog, LogEntry, Origin, Policy, SystemResolver};
use indago_models::remote::{ConfigProblem, ModelConfig, ModelSet, ResponseCache, SetOptions};
use serde::{Deserialize, Serialize};

use crate::{Project, env};

/// `[network]` in `indago.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Nothing leaves this machine; configured servers on its loopback addresses still answer.
    pub offline: bool,
    /// `http://host:port` of a proxy.
    pub proxy: Option<String>,
    /// Files of certificates (PEM) of authorities to trust besides the system's.
    pub ca_files: Vec<PathBuf>,
    /// When not empty, only these hosts besides the configured servers.
    pub only_hosts: Vec<String>,
    /// The hub that `models pull` asks instead of the usual one, such as a mirror.
    pub models_url: Option<String>,
    /// Environment variable with the key that the hub wants.
    pub models_key_env: Option<String>,
}

/// The configured models of a project and what they share.
#[derive(Debug)]
pub struct Remote {
    /// The models.
    pub models: ModelSet,
    /// The door that all their requests go through.
    pub door: Door,
    /// Where answers are kept, unless that is switched off.
    pub cache: Option<Arc<ResponseCache>>,
}

impl Remote {
    /// Puts configured models together. Nothing is sent yet; what will be is recorded in
    /// `.indago/egress.jsonl`. With `keep`, answers are kept in `.indago/responses/`.
    ///
    /// # Errors
    /// The first thing that cannot be used as configured.
    pub fn open(
        project: &Project,
        configs: BTreeMap<String, ModelConfig>,
        network: &NetworkConfig,
        keep: bool,
    ) -> Result<Self, ConfigProblem> {
        let door = door(project, network, ModelSet::origins(&configs)?)?;
        let cache =
            keep.then(|| Arc::new(ResponseCache::at(project.journal_dir().join("responses"))));
        let options = SetOptions {
            cache: cache.clone(),
            ..SetOptions::default()
        };
        let models = ModelSet::new(configs, &door, env::secret, options)?;
        Ok(Self {
            models,
            door,
            cache,
        })
    }
}

/// The door of a project: what `network` says, and `origins` as servers that somebody configured. What
/// is sent is recorded in `.indago/egress.jsonl`.
///
/// # Errors
/// When a certificate or proxy cannot be used.
pub(crate) fn door(
    project: &Project,
    network: &NetworkConfig,
    origins: Vec<Origin>,
) -> Result<Door, ConfigProblem> {
    let problem = |reason: String| ConfigProblem {
        model: "(network)".to_owned(),
        reason,
    };
    let mut authorities_pem = Vec::new();
    for file in &network.ca_files {
        let path = project.root().join(file);
        let pem = std::fs::read(&path)
            .map_err(|e| problem(format!("cannot read `{}`: {e}", path.display())))?;
        authorities_pem.push(pem);
    }
    let policy = Policy {
        only_hosts: network.only_hosts.clone(),
        origins,
        offline: network.offline,
        proxy: network.proxy.clone(),
        proxy_credentials: None,
        authorities_pem,
    };
    let log = LogFile::at(&project.journal_dir().join("egress.jsonl"));
    Door::with(policy, Arc::new(SystemResolver), Some(Arc::new(log)))
        .map_err(|e| problem(e.to_string()))
}

/// Appends what was sent where, a line each. Made with the first line.
struct LogFile {
    path: PathBuf,
    file: Mutex<Option<std::fs::File>>,
}

impl LogFile {
    fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: Mutex::default(),
        }
    }

    fn write(&self, entry: &LogEntry) -> std::io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.is_none() {
            if let Some(folder) = self.path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            *file = Some(
                std::fs::OpenOptions::new()
                    .create(true)
                    .append(true)
                    .open(&self.path)?,
            );
        }
        let line = serde_json::to_string(entry)? + "\n";
        file.as_mut()
            .map_or(Ok(()), |file| file.write_all(line.as_bytes()))
    }
}

impl EgressLog for LogFile {
    fn record(&self, entry: &LogEntry) {
        // A log that cannot be written is no reason to fail the request.
        if let Err(error) = self.write(entry) {
            tracing::warn!(path = %self.path.display(), %error, "the egress log cannot be written");
        }
    }
}
