//! Why a call of the facade failed, sorted by what the caller can do.

use std::io;
use std::path::PathBuf;

use indago_core::Cancelled;
use indago_core::ports::{EncodeError, RetrieveError, RunError, StoreError, TaskError};
use indago_egress::EgressError;
use indago_models::pull::PullError;
use indago_retriever::graph::UnknownPart;
use indago_retriever::ingest::WalkError;
use indago_retriever::{BadFieldWeights, IndexError};

/// A call of the facade failed. [`Error::hint`] says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No corpus has this name.
    #[error("there is no corpus `{name}` in `{}`", project.display())]
    NoCorpus {
        /// The name.
        name: String,
        /// The project looked in.
        project: PathBuf,
    },
    /// The corpus holds no passage.
    #[error("corpus `{name}` is empty")]
    EmptyCorpus {
        /// Its name.
        name: String,
    },
    /// The name cannot be a folder's name.
    #[error("`{0}` is not a name for a corpus")]
    BadName(String),
    /// Indexing was asked for without paths, and the corpus remembers none.
    #[error("corpus `{name}` has no paths to update")]
    NoPaths {
        /// Its name.
        name: String,
    },
    /// Nothing under the given paths could be read.
    #[error("nothing to index: none of the {files} files could be read")]
    NothingReadable {
        /// Files that were found.
        files: usize,
    },
    /// There are no files under the given paths.
    #[error("nothing to index: no files under {}", list(paths))]
    NoFiles {
        /// The paths.
        paths: Vec<PathBuf>,
    },
    /// A folder that the corpus was made from is gone.
    #[error("`{}`, which corpus `{name}` was made from, is not there", path.display())]
    RootGone {
        /// The corpus.
        name: String,
        /// The folder.
        path: PathBuf,
    },
    /// The question has no words.
    #[error("the question is empty")]
    EmptyQuestion,
    /// The question is longer than anything that can be answered.
    #[error("the question has {bytes} bytes, at most {limit} can be answered")]
    QuestionTooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A line of a batch file cannot be used.
    #[error("`{}` line {line}: {reason}", path.display())]
    BadBatch {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// No chat model is configured under this name.
    #[error("no language model `{name}` is configured{}", which(configured))]
    NoModel {
        /// The name.
        name: String,
        /// Those that are.
        configured: Vec<String>,
    },
    /// No weights of an encoder or reranker are known under this name.
    #[error("there is no model `{0}`: none of that name was added, and it is no folder")]
    NoWeights(String),
    /// The network is closed, and the model is behind it.
    #[error("the network is closed (`offline`), and the model `{0}` is not on this machine")]
    Offline(String),
    /// The model failed before anything was answered.
    #[error("the model failed at the first question: {0}")]
    ModelFailed(String),
    /// A plan policy asks a model, and none is chosen.
    #[error("the plan `{0}` is made by a language model, and none is chosen")]
    PlanNeedsModel(String),
    /// No search strategy has this name.
    #[error("there is no loop `{0}`")]
    NoLoop(String),
    /// A model cannot be used as configured.
    #[error(transparent)]
    Config(#[from] indago_models::remote::ConfigProblem),
    /// A run can only be gone on with by the reasoner that began it.
    #[error("run `{run}` was begun {}", by(model.as_deref()))]
    OtherReasoner {
        /// The run.
        run: String,
        /// The model that was chosen for it; none for the extractive reasoner.
        model: Option<String>,
    },
    /// A folder holds no data to measure with.
    #[error("no data set in `{}`", path.display())]
    NoData {
        /// The folder.
        path: PathBuf,
    },
    /// The report recorded for a run cannot be read.
    #[error("the recorded report of run `{run}` cannot be read: {reason}")]
    BadReport {
        /// The run.
        run: String,
        /// What does not fit.
        reason: String,
    },
    /// The paths cannot be listed.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// The corpus could not be written.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The corpus could not be read or searched.
    #[error(transparent)]
    Retrieve(#[from] RetrieveError),
    /// Weights of fields cannot be read.
    #[error(transparent)]
    FieldWeights(#[from] BadFieldWeights),
    /// Something is to be left out that is no part of a retriever.
    #[error(transparent)]
    LeftOut(#[from] UnknownPart),
    /// A document could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The embedded encoder cannot be used.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The device that was asked for cannot be used.
    #[error(transparent)]
    Device(#[from] indago_kernels::cuda::DeviceError),
    /// No document of this id is in the corpus or kept with the run.
    #[error("there is no document `{0}`")]
    NoDocument(String),
    /// The terminal interface has nothing to draw on.
    #[error(transparent)]
    NoTerminal(crate::tui::Unsuitable),
    /// Threads or the runtime could not be started.
    #[error("cannot start threads: {0}")]
    Threads(String),
    /// The run failed or could not be recorded.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A model could not be fetched.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// The operating system refused.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried: `read`, `write`, `create`.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// Cancelled.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
}

impl Error {
    /// An answer of the operating system to `action` on `path`.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.into(),
            source,
        }
    }

    /// Whether another process holds what is needed, so that waiting helps.
    pub fn is_busy(&self) -> bool {
        matches!(
            self,
            Self::Index(IndexError::Locked { .. })
                | Self::Run(RunError::Locked { .. } | RunError::Hosted(_))
                | Self::Pull(PullError::Busy(_))
        )
    }

    /// Whether what was asked for makes no sense, so that nothing was tried.
    pub fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::BadName(_)
                | Self::NoPaths { .. }
                | Self::EmptyQuestion
                | Self::QuestionTooLong { .. }
                | Self::BadBatch { .. }
                | Self::NoModel { .. }
                | Self::NoLoop(_)
                | Self::PlanNeedsModel(_)
                | Self::Offline(_)
                | Self::Config(_)
                | Self::FieldWeights(_)
                | Self::LeftOut(_)
                | Self::Pull(PullError::BadSource { .. })
                | Self::Run(RunError::BadSteering(_))
                | Self::Retrieve(
                    RetrieveError::UnknownRetriever(_) | RetrieveError::BadFilter { .. }
                )
        )
    }

    /// Whether it was cancelled from outside.
    pub fn is_cancelled(&self) -> bool {
        matches!(
            self,
            Self::Cancelled(_)
                | Self::Index(
                    IndexError::Cancelled(_)
                        | IndexError::Encode(EncodeError::Cancelled(_))
                        | IndexError::Read(RetrieveError::Cancelled(_))
                )
                | Self::Retrieve(RetrieveError::Cancelled(_))
                | Self::Encode(EncodeError::Cancelled(_))
                | Self::Run(RunError::Failed(TaskError::Cancelled))
                | Self::Pull(PullError::Cancelled(_))
        )
    }

    /// What to do about it, in one line; `None` where the message says it all.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoCorpus { name, .. } if name == "default" => {
                "make it with `indago index PATH`, or name another with --corpus; `indago corpus \
                 list` shows what there is"
                    .to_owned()
            }
            Self::NoCorpus { name, .. } => format!(
                "make it with `indago index PATH --corpus {name}`; `indago corpus list` shows what \
                 there is"
            ),
            Self::EmptyCorpus { name } => {
                format!("add documents with `indago index PATH --corpus {name}`")
            }
            Self::BadName(_) => "use letters, digits, `-`, `_` and `.`, at most 64".to_owned(),
            Self::NoPaths { .. } => "name at least one file or folder".to_owned(),
            Self::NothingReadable { .. } => "the table above says why for each".to_owned(),
            Self::NoFiles { .. } => {
                "check the path; hidden files and what .gitignore names are left out".to_owned()
            }
            Self::RootGone { .. } => {
                "restore or mount it, or start over without it: `indago index --rebuild PATH`"
                    .to_owned()
            }
            Self::EmptyQuestion => {
                "ask in words: `indago ask \"Who built the bridge?\"`".to_owned()
            }
            Self::QuestionTooLong { .. } => {
                "ask about one thing; long texts are for `indago index`".to_owned()
            }
            Self::BadBatch { .. } => {
                "every line is a JSON object with `_id` and `text`, both strings".to_owned()
            }
            Self::NoModel { name, .. } => format!(
                "add `[models.{name}]` with `base_url` and `model` to indago.toml; `indago models \
                 list` shows what is configured"
            ),
            Self::NoWeights(_) => "`indago models list` shows what there is; `indago models add \
                                   FOLDER` and `models pull` add one"
                .to_owned(),
            Self::Offline(_) => {
                "take `offline` out of [network] in indago.toml, or choose a model on \
                              this machine; `--model none` asks without one"
                    .to_owned()
            }
            Self::ModelFailed(_) => "`indago models test` checks the model".to_owned(),
            Self::PlanNeedsModel(_) => "choose one with --model NAME".to_owned(),
            Self::NoLoop(_) => format!("there are {}", crate::loops().join(", ")),
            Self::Config(_) => "`indago models test` checks every configured model; \
                 docs/guide/models.md shows how they are configured"
                .to_owned(),
            Self::OtherReasoner { .. } => {
                "`indago runs resume` finds out by itself which one that was".to_owned()
            }
            Self::NoData { .. } => "a data set is a folder with corpus.jsonl[.gz], queries.jsonl \
                                    and qrels.tsv"
                .to_owned(),
            Self::Walk(_) => "check the path".to_owned(),
            Self::Index(IndexError::Locked { .. }) => {
                "searching and asking work meanwhile".to_owned()
            }
            Self::Index(IndexError::DiskFull { .. }) => {
                "free some space and run the same command again; nothing is lost".to_owned()
            }
            Self::Index(IndexError::Read(inner)) | Self::Retrieve(inner) => return of_read(inner),
            Self::Run(RunError::Unknown(_)) => "`indago runs list` shows what there is".to_owned(),
            Self::Run(RunError::Hosted(run)) => {
                format!("`indago runs attach {run}` watches it, `runs detach {run}` moves it")
            }
            Self::Run(RunError::CannotFork { .. }) => {
                "`indago runs show --events` lists the events of a run".to_owned()
            }
            Self::Run(RunError::FormatVersion { .. }) => {
                "use the newer indago that wrote it, or another --project".to_owned()
            }
            Self::Encode(EncodeError::Model { .. }) => {
                "`indago models verify` checks the models; reinstall if it complains".to_owned()
            }
            Self::Pull(error) => return of_pull(error),
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "check the permissions".to_owned()
            }
            _ => return None,
        };
        Some(hint)
    }
}

fn which(configured: &[String]) -> String {
    if configured.is_empty() {
        return String::new();
    }
    format!("; there are {}", configured.join(", "))
}

fn by(model: Option<&str>) -> String {
    match model {
        Some(model) => format!("with the model `{model}`"),
        None => "without a model".to_owned(),
    }
}

fn of_pull(error: &PullError) -> Option<String> {
    let network = |source: &EgressError| match source {
        EgressError::Offline { .. } => {
            "take `offline` out of [network] in indago.toml, or bring the folder here and use \
             `indago models add`"
        }
        EgressError::Forbidden { .. } => {
            "[network] in indago.toml says what may be reached: `models_url` names a mirror, \
             `only_hosts` what is allowed"
        }
        EgressError::Connect { .. } => {
            "check the address and the network; behind a proxy, set `proxy` in [network]"
        }
        _ => "run the same command again: it goes on where it ended",
    };
    let hint = match error {
        PullError::Network { source, .. } => network(source),
        PullError::NotFound { .. } => "check owner, name and revision, or the address",
        PullError::Refused { .. } => {
            "set `models_key_env` in [network] to the variable that holds your key, and accept the \
             model's terms on its page where it has some"
        }
        PullError::NotAModel { .. } => {
            "BERT-type encoders, cross-encoders and sparse encoders with model.safetensors can be used"
        }
        PullError::Mismatch { .. } => "run the same command again; if it stays so, do not use it",
        PullError::Status { .. } => "the server has a problem; try again later",
        error if error.is_disk_full() => {
            "free some space and run the same command again: it goes on where it ended"
        }
        PullError::Disk { .. } => "check the permissions; `INDAGO_MODELS` names another folder",
        PullError::Model(_) => "`indago models rm NAME` removes a model that is not sound",
        _ => return None,
    };
    Some(hint.to_owned())
}

fn of_read(error: &RetrieveError) -> Option<String> {
    Some(match error {
        RetrieveError::FormatVersion {
            found, expected, ..
        } if found > expected => {
            "a newer indago wrote it: use that one, or rebuild with `indago index --rebuild PATH`"
                .to_owned()
        }
        RetrieveError::FormatVersion { .. } | RetrieveError::Corrupt { .. } => {
            "rebuild it with `indago index --rebuild PATH`; the documents themselves are untouched"
                .to_owned()
        }
        RetrieveError::ModelMismatch { .. } => {
            "`indago index --vectors-only` makes those of the embedded encoder too; \
             `--retriever dense@NAME` searches those of one that was added or is in a folder"
                .to_owned()
        }
        RetrieveError::UnknownRetriever(_) => {
            let names: Vec<_> = indago_retriever::retrievers::names().collect();
            format!("there are {}", names.join(", "))
        }
        _ => return None,
    })
}

fn list(paths: &[PathBuf]) -> String {
    let shown: Vec<_> = paths.iter().map(|p| format!("`{}`", p.display())).collect();
    shown.join(", ")
}
