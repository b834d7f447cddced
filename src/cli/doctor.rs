//! `indago doctor`: what works here and what does not; `--bundle` writes it down without anything
//! private.

use std::collections::BTreeMap;
use std::path::Path;

use indago_core::RunState;
use indago_core::ports::RetrieveError;
use indago_kernels::cuda::{Gpu, Launcher as _};
use indago_kernels::{Device, DeviceChoice};
use indago_workflows::journal::Journal;
use serde::Serialize;

use super::args::DoctorArgs;
use super::printer::Printer;
use super::settings::{Origin, Settings};
use super::table::Table;
use super::{Exit, project};
use crate::{Error, Project, wire};

/// One thing that was looked at.
#[derive(Serialize)]
struct Check {
    what: String,
    ok: bool,
    detail: String,
}

/// The support file. No name, path or text of the user's own is in it.
#[derive(Serialize)]
struct Bundle {
    version: &'static str,
    os: &'static str,
    arch: &'static str,
    cores: usize,
    settings: BTreeMap<&'static str, String>,
    models: BTreeMap<&'static str, String>,
    corpora: Vec<CorpusFacts>,
    runs: BTreeMap<&'static str, usize>,
    journal: String,
}

/// A corpus in numbers.
#[derive(Serialize)]
struct CorpusFacts {
    documents: u64,
    passages: u64,
    text_bytes: u64,
    complete: bool,
    problems: Vec<&'static str>,
}

pub(super) fn run(
    args: &DoctorArgs,
    settings: &Settings,
    json: bool,
    printer: Printer,
) -> anyhow::Result<Exit> {
    let project = project(settings);
    if let Some(path) = &args.bundle {
        let bundle = bundle(settings, &project)?;
        let text = serde_json::to_string_pretty(&bundle)? + "\n";
        std::fs::write(path, text).map_err(|e| Error::io("write", path, e))?;
        printer.note(&format!(
            "support file without names, paths and texts: {}; read it before you send it",
            path.display()
        ));
        return Ok(Exit::Done);
    }
    let checks = checks(&project, settings);
    let sound = checks.iter().all(|check| check.ok);
    if json {
        printer.json(&checks)?;
    } else {
        let mut table = Table::new(&["check", "state", "detail"]);
        for check in checks {
            let state = if check.ok { "ok" } else { "PROBLEM" };
            table.row([check.what, state.to_owned(), check.detail]);
        }
        printer.data(&table.to_string())?;
    }
    Ok(if sound { Exit::Done } else { Exit::Failed })
}

fn checks(project: &Project, settings: &Settings) -> Vec<Check> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut checks = vec![Check {
        what: "program".to_owned(),
        ok: true,
        detail: format!(
            "indago {} on {} {}, {cores} cores",
            env!("CARGO_PKG_VERSION"),
            std::env::consts::OS,
            std::env::consts::ARCH
        ),
    }];
    checks.push(check_device());
    for model in wire::carried() {
        let problem = model.problem();
        checks.push(Check {
            what: format!("model {}", model.name),
            ok: problem.is_none(),
            detail: problem.unwrap_or_else(|| format!("{} dimensions", model.dim)),
        });
    }
    checks.extend(check_servers(settings));
    checks.push(check_writable(project));
    match indago_retriever::list(&project.corpora_dir()) {
        Err(error) => {
            checks.push(Check {
                what: "corpora".to_owned(),
                ok: false,
                detail: error.to_string(),
            });
        }
        Ok(corpora) => {
            for (name, summary) in corpora {
                checks.push(check_corpus(project, &name, summary));
            }
        }
    }
    checks.push(check_journal(project));
    checks
}

/// Which devices there are and what would run where; a machine without a GPU is no problem.
fn check_device() -> Check {
    let cpu = Device::Cpu(indago_kernels::Isa::active());
    let driver = Gpu::driver().unwrap_or_else(|error| error.to_string());
    let all = Gpu::list().unwrap_or_default().join(", ");
    let detail = match indago_kernels::pick(DeviceChoice::Auto) {
        Ok(picked) => match picked.device {
            Device::Cuda(gpu) => {
                let products = match gpu.library() {
                    Ok(library) => format!("by {library}"),
                    Err(why) => format!("by own kernels ({why})"),
                };
                format!(
                    "{all} (driver: CUDA {driver}); `index` encodes there, `search` and `ask` \
                     search and rerank there from {} vectors or when it is named, the rest runs \
                     on {cpu}; products of encoders {products}",
                    crate::AUTO_SCAN_FROM,
                )
            }
            Device::Cpu(_) if all.is_empty() => format!("{cpu}; {}; all runs here", picked.why),
            // There is a device, and something of what it needs is not.
            Device::Cpu(_) => format!(
                "{cpu}; {all} (driver: CUDA {driver}) is not used: {}; all runs here",
                picked.why
            ),
        },
        Err(error) => error.to_string(),
    };
    Check {
        what: "device".to_owned(),
        ok: true,
        detail,
    }
}

/// Models behind servers, as configured; nothing is sent.
fn check_servers(settings: &Settings) -> Vec<Check> {
    let check = |(name, config): (&String, &indago_models::remote::ModelConfig)| {
        let key = config.key_env.as_deref();
        let missing = key.filter(|variable| crate::env::secret(variable).is_none());
        let problem = match (config.check(name), missing) {
            (Err(problem), _) => Some(problem.reason),
            (Ok(()), Some(variable)) => {
                Some(format!("`{variable}` is not set; it has to hold the key"))
            }
            (Ok(()), None) => None,
        };
        Check {
            what: format!("server of {name}"),
            ok: problem.is_none(),
            detail: problem.unwrap_or_else(|| format!("{} at {}", config.model, config.base_url)),
        }
    };
    settings.models.iter().map(check).collect()
}

fn check_writable(project: &Project) -> Check {
    let folder = project.root();
    let probe = folder.join(format!(".indago-probe-{}", std::process::id()));
    let written = std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe));
    Check {
        what: "project folder".to_owned(),
        ok: written.is_ok(),
        detail: match written {
            Ok(()) => format!("`{}` may be written", folder.display()),
            Err(error) => format!("`{}` may not be written: {error}", folder.display()),
        },
    }
}

fn check_corpus(
    project: &Project,
    name: &str,
    summary: Result<indago_retriever::Summary, RetrieveError>,
) -> Check {
    let what = format!("corpus {name}");
    let problems = match &summary {
        Err(error) => vec![error.to_string()],
        Ok(_) => match indago_retriever::verify(&project.corpora_dir().join(name)) {
            Ok(problems) => problems.iter().map(ToString::to_string).collect(),
            Err(error) => vec![error.to_string()],
        },
    };
    let detail = match (&summary, problems.first()) {
        (_, Some(first)) => format!("{} problems; {first}", problems.len()),
        (Ok(s), None) if !s.complete => "interrupted; run `indago index` to complete it".to_owned(),
        (Ok(s), None) => format!(
            "{} documents, {} passages, checksums match",
            s.documents, s.passages
        ),
        (Err(_), None) => String::new(),
    };
    Check {
        what,
        ok: problems.is_empty(),
        detail,
    }
}

fn has_journal(project: &Project) -> bool {
    project.journal_dir().join("journal.sqlite").is_file()
}

fn check_journal(project: &Project) -> Check {
    let what = "journal".to_owned();
    if !has_journal(project) {
        return Check {
            what,
            ok: true,
            detail: "no runs yet".to_owned(),
        };
    }
    let runs = wire::journal(project).and_then(|journal| Ok(journal.list()?.len()));
    match runs {
        Ok(n) => Check {
            what,
            ok: true,
            detail: format!("{n} runs"),
        },
        Err(error) => Check {
            what,
            ok: false,
            detail: error.to_string(),
        },
    }
}

fn bundle(settings: &Settings, project: &Project) -> Result<Bundle, Error> {
    let shown = settings.show().into_iter().map(|setting| {
        // Numbers and switches are harmless; names and paths are not.
        let harmless = setting.value.parse::<f64>().is_ok()
            || matches!(
                setting.value.as_str(),
                "true" | "false" | "markdown" | "json" | "html"
            );
        let value = if harmless {
            setting.value
        } else {
            "(redacted)".to_owned()
        };
        let from = match setting.origin {
            Origin::Default => "default",
            Origin::File(_) => "file",
            Origin::Environment(_) => "environment",
            Origin::Flag(_) => "flag",
        };
        (setting.key, format!("{value} ({from})"))
    });
    let models = wire::carried().into_iter().map(|model| {
        // A problem's text names no file: the models are inside the program.
        (
            model.name,
            model.problem().unwrap_or_else(|| "sound".to_owned()),
        )
    });
    let mut corpora = Vec::new();
    for (name, summary) in indago_retriever::list(&project.corpora_dir())? {
        corpora.push(facts(&project.corpora_dir().join(name), summary));
    }
    let mut runs = BTreeMap::new();
    let mut journal = "none".to_owned();
    if has_journal(project) {
        match wire::journal(project).and_then(|journal| Ok((journal.list()?, journal))) {
            Ok((metas, opened)) => {
                "sound".clone_into(&mut journal);
                for meta in metas {
                    let hosted = meta.outcome.is_none() && opened.is_hosted(&meta.id);
                    let state = match meta.status(hosted).state {
                        RunState::Running => "running",
                        RunState::Finished => "finished",
                        RunState::Stopped => "stopped",
                        RunState::Interrupted => "interrupted",
                    };
                    *runs.entry(state).or_default() += 1;
                }
            }
            Err(_unreadable) => "unreadable".clone_into(&mut journal),
        }
    }
    Ok(Bundle {
        version: env!("CARGO_PKG_VERSION"),
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        settings: shown.collect(),
        models: models.collect(),
        corpora,
        runs,
        journal,
    })
}

fn facts(dir: &Path, summary: Result<indago_retriever::Summary, RetrieveError>) -> CorpusFacts {
    let problems = match &summary {
        Err(error) => vec![kind(error)],
        Ok(_) => match indago_retriever::verify(dir) {
            Ok(problems) => problems.iter().map(kind).collect(),
            Err(error) => vec![kind(&error)],
        },
    };
    let (documents, passages, text_bytes, complete) = summary.map_or((0, 0, 0, false), |s| {
        (s.documents, s.passages, s.text_bytes, s.complete)
    });
    CorpusFacts {
        documents,
        passages,
        text_bytes,
        complete,
        problems,
    }
}

/// The kind of an error; its text would name files.
fn kind(error: &RetrieveError) -> &'static str {
    match error {
        RetrieveError::FormatVersion { .. } => "format version",
        RetrieveError::Corrupt { .. } => "corrupt",
        RetrieveError::Io { .. } => "unreadable",
        _ => "other",
    }
}
