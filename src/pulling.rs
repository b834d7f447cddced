//! Fetching models into the registry: from where, through which door.

use indago_core::Cancel;
use indago_models::pull::{HUB, Pulled, Pulling, Source};
use indago_models::registry::FolderOptions;

use crate::asking::runtime;
use crate::remote::NetworkConfig;
use crate::{Error, Project, env, remote, wire};

/// Fetches the model that `what` names (`owner/name`, `owner/name@revision`, or the address of a
/// folder) and adds it to the registry. What was interrupted before is gone on with. The hub that
/// `network` names, and an address that is given, may be on this machine or in a private network,
/// unless `only_hosts` says what may be reached. Blocks; not for async callers.
///
/// # Errors
/// [`Error::Pull`]; [`Error::Config`] when the network cannot be used as configured.
pub fn pull(
    project: &Project,
    network: &NetworkConfig,
    what: &str,
    options: &FolderOptions,
    progress: &mut (dyn FnMut(Pulling<'_>) + Send),
    cancel: &Cancel,
) -> Result<Pulled, Error> {
    let configured = network.models_url.as_deref();
    let hub = configured.unwrap_or(HUB);
    let source = Source::parse(what, hub)?;
    let hub = Source::parse("hub/itself", hub)?;
    let mut origins = Vec::new();
    if configured.is_some() {
        origins.push(hub.origin().clone());
    }
    if what.contains("://") && network.only_hosts.is_empty() {
        origins.push(source.origin().clone());
    }
    // The hub's key is nobody else's.
    let key = network.models_key_env.as_deref();
    let key = key.filter(|_| source.origin() == hub.origin());
    let key = key.and_then(env::secret);
    let door = remote::door(project, network, origins)?;
    let registry = wire::registry();
    let pulled = runtime()?.block_on(indago_models::pull::pull(
        &door, &registry, &source, key, options, progress, cancel,
    ));
    Ok(pulled?)
}
