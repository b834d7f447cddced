//! The reasoner that settings and flags ask for.

use std::collections::{BTreeMap, BTreeSet};

use indago_core::Report;
use indago_models::remote::{ModelConfig, ModelTask};

use super::printer::Printer;
use super::project;
use super::settings::Settings;
use crate::reasoner::failure;
use crate::remote::Remote;
use crate::{Error, ModelChoice, ModelReasoner};

/// The name that asks for no model.
const NONE: &str = "none";

/// The model that is asked for; none for the extractive reasoner.
pub(super) fn chosen(settings: &Settings, words: Option<u32>) -> Result<Option<Chosen>, Error> {
    let model = settings.ask_model.value.trim();
    if model.is_empty() || model == NONE {
        return Ok(None);
    }
    named(model, settings.ask_loop.value.trim(), words).map(Some)
}

/// A model with the loop of this name.
pub(super) fn named(model: &str, name: &str, words: Option<u32>) -> Result<Chosen, Error> {
    let (strategy, plan) = crate::loop_named(name).ok_or_else(|| Error::NoLoop(name.to_owned()))?;
    Ok(Chosen {
        choice: ModelChoice {
            model: model.to_owned(),
            strategy: strategy.to_owned(),
            words: words.unwrap_or(crate::DEFAULT_WORDS),
        },
        plan: plan.map(str::to_owned),
    })
}

/// A choice, and the plan policy that belongs to its loop.
pub(super) struct Chosen {
    pub(super) choice: ModelChoice,
    pub(super) plan: Option<String>,
}

/// A reasoner and what it talks through.
pub(super) struct Open {
    pub(super) reasoner: ModelReasoner,
    remote: Remote,
}

/// Opens the models of a choice: the one it names, those that play a role, and their stand-ins.
/// Others may be configured wrongly or lack a key. Nothing is sent yet.
pub(super) fn open(settings: &Settings, choice: ModelChoice, keep: bool) -> Result<Open, Error> {
    let configs = wanted(&settings.models, &choice.model);
    if settings.network.offline
        && let Some((name, _)) = configs.iter().find(|(_, c)| !is_here(&c.base_url))
    {
        return Err(Error::Offline(name.clone()));
    }
    let remote = Remote::open(&project(settings), configs, &settings.network, keep)?;
    let reasoner = match ModelReasoner::of(&remote, choice) {
        Err(Error::NoModel { name, .. }) => {
            let chats = settings.models.iter();
            return Err(Error::NoModel {
                name,
                configured: chats
                    .filter(|(_, config)| config.task == ModelTask::Chat)
                    .map(|(name, _)| name.clone())
                    .collect(),
            });
        }
        opened => opened?,
    };
    Ok(Open { reasoner, remote })
}

/// Whether a server is on this machine.
fn is_here(url: &str) -> bool {
    indago_egress::Origin::of(url).is_ok_and(|origin| {
        let host = origin.host().trim_matches(['[', ']']);
        let address = host.parse::<core::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
}

fn wanted(all: &BTreeMap<String, ModelConfig>, name: &str) -> BTreeMap<String, ModelConfig> {
    let mut names: BTreeSet<String> = all
        .iter()
        .filter(|(known, config)| {
            let plays = config.task == ModelTask::Chat && !config.roles.is_empty();
            known.as_str() == name || (plays && all.contains_key(name))
        })
        .map(|(known, _)| known.clone())
        .collect();
    loop {
        let more: Vec<String> = names
            .iter()
            .filter_map(|name| all.get(name))
            .flat_map(|config| config.fallback.iter().cloned())
            .filter(|name| !names.contains(name))
            .collect();
        if more.is_empty() {
            break;
        }
        names.extend(more);
    }
    all.iter()
        .filter(|(known, _)| names.contains(*known))
        .map(|(known, config)| (known.clone(), config.clone()))
        .collect()
}

impl Open {
    /// Says how much came out of the response cache.
    pub(super) fn note(&self, printer: Printer) {
        let hits = self.remote.cache.as_ref().map_or(0, |c| c.stats().hits);
        if hits > 0 {
            printer.note(&format!(
                "{hits} answers of the model were kept from before; --no-cache asks again"
            ));
        }
    }
}

/// Says on stderr why a run without a result failed; gives whether it did.
pub(super) fn complain(report: &Report, printer: Printer) -> bool {
    let Some(reason) = failure(report) else {
        return false;
    };
    let hint = report.reasoner.strip_prefix("model:").and_then(|name| {
        let (model, _) = name.rsplit_once('/')?;
        Some(format!(
            "`indago models test {model}` checks the model; `indago runs show {} --events` shows \
             what happened",
            report.run
        ))
    });
    printer.error(
        &format!("the question was not worked on: {reason}"),
        hint.as_deref(),
    );
    true
}
