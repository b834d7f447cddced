//! Language models as the reasoner: which of them plays which role, and how they search.

use std::sync::Arc;

use indago_agents::model::{Models, Role};
use indago_agents::operators::registry;
use indago_core::ports::LanguageModel;
use indago_core::{Report, StopReason};
use indago_models::remote::{ModelRole, ModelTask};
use indago_planner::Profile;
pub use indago_workflows::deep_research::ModelChoice;

use crate::Error;
use crate::remote::Remote;

/// The strategy of a run that names none: most evidence for the fewest calls with the oracle
/// (`docs/quality.md`).
pub const DEFAULT_LOOP: &str = "interleave";

/// Words of a report whose length nobody chose.
pub const DEFAULT_WORDS: u32 = 300;

/// Model calls of a run whose number nobody limited.
pub const DEFAULT_CALLS: u64 = 100;

/// The names that [`loop_named`] knows.
pub fn loops() -> Vec<&'static str> {
    let mut names: Vec<&str> = registry::STRATEGIES.to_vec();
    names.extend(["ircot", "mind_search"]);
    names
}

/// What a loop's name stands for: a search strategy, and the plan policy that belongs to it.
pub fn loop_named(name: &str) -> Option<(&'static str, Option<&'static str>)> {
    match name {
        "ircot" => Some(("interleave", None)),
        // Its searchers are the paper's own retrieval loop, one for each node of its graph.
        "mind_search" => Some(("auto_rag", Some("mind_search"))),
        name => {
            let mut known = registry::STRATEGIES.iter();
            known
                .find(|known| **known == name)
                .map(|name| (*name, None))
        }
    }
}

/// Why a run that reports nothing failed; `None` where it did not, or where it reports something.
pub(crate) fn failure(report: &Report) -> Option<&str> {
    if report.stop_reason != StopReason::Failed || !report.sections.is_empty() {
        return None;
    }
    let mut missing = report.not_found.iter().flat_map(|open| &open.missing);
    let reason = missing.find_map(|reason| Some(reason.split_once("model_failed: ")?.1));
    Some(reason.unwrap_or("its events say why"))
}

/// Language models that answer questions, within the run engine's records and budgets.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let project = indago::Project::at(".");
/// use indago::models::ModelConfig;
/// use indago::remote::{NetworkConfig, Remote};
/// use indago::{AskSettings, Asker, ModelChoice, ModelReasoner};
///
/// let config = ModelConfig::new("http://localhost:8000/v1", "qwen3-8b");
/// let configs = [("local".to_owned(), config)].into();
/// let remote = Remote::open(&project, configs, &NetworkConfig::default(), true)?;
/// let choice = ModelChoice {
///     model: "local".into(),
///     strategy: "auto_rag".into(),
///     words: 300,
/// };
/// let models = ModelReasoner::of(&remote, choice)?;
/// let asker = Asker::open_with(&project, "default", 2, Some(models))?;
/// # let _ = asker;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ModelReasoner {
    choice: ModelChoice,
    models: Models,
    profile: Profile,
}

impl ModelReasoner {
    /// The configured model that `choice` names, with the models that are configured for roles.
    ///
    /// # Errors
    /// [`Error::NoModel`], [`Error::NoLoop`].
    pub fn of(remote: &Remote, choice: ModelChoice) -> Result<Self, Error> {
        let set = &remote.models;
        let missing = || Error::NoModel {
            name: choice.model.clone(),
            configured: {
                let chats = set.configs().iter();
                chats
                    .filter(|(_, config)| config.task == ModelTask::Chat)
                    .map(|(name, _)| name.clone())
                    .collect()
            },
        };
        let chosen = set.chat(&choice.model).ok_or_else(missing)?;
        let mut models = Models::one(chosen);
        for (role, played) in [
            (ModelRole::Planner, &[Role::Planner, Role::Searcher][..]),
            (ModelRole::Reader, &[Role::Reader]),
            (ModelRole::Writer, &[Role::Writer]),
            (ModelRole::Judge, &[Role::Judge]),
        ] {
            let named = set.configs().iter();
            let mut named = named.filter(|(_, config)| config.roles.contains(&role));
            let model = named.find_map(|(name, _)| set.chat(name));
            for one in model.iter().flat_map(|_| played) {
                if let Some(model) = &model {
                    models = models.with(*one, Arc::clone(model));
                }
            }
        }
        let price = set.configs().get(&choice.model).and_then(|c| c.price);
        let mut this = Self::with_models(models, choice)?;
        this.profile.money_micros_per_1000 = price.map_or(0.0, |price| price.input * 1e3);
        Ok(this)
    }

    /// Any models behind the port.
    ///
    /// # Errors
    /// [`Error::NoLoop`].
    pub fn with_models(models: Models, choice: ModelChoice) -> Result<Self, Error> {
        if !registry::STRATEGIES.contains(&choice.strategy.as_str()) {
            return Err(Error::NoLoop(choice.strategy));
        }
        Ok(Self {
            choice,
            models,
            profile: Profile::MODEL_DRIVEN,
        })
    }

    /// What was chosen.
    pub fn choice(&self) -> &ModelChoice {
        &self.choice
    }

    /// The models by role, each as `wrap` makes it.
    pub(crate) fn models(
        &self,
        wrap: impl Fn(Arc<dyn LanguageModel>) -> Arc<dyn LanguageModel>,
    ) -> Models {
        self.models.clone().map(wrap)
    }

    /// What calls are expected to take.
    pub(crate) fn profile(&self) -> Profile {
        self.profile
    }
}
