//! Starts the processes that host runs.
//!
//! A run is hosted by an `indago` of its own, in a process group of its own: it outlives the
//! interface, a hang-up of the terminal and a panic here. It is watched and steered through the
//! journal, in the same way as a run that somebody started in another window.

use std::ffi::OsString;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};

use indago_core::RunId;

use super::model::Workflow;
use crate::Project;

/// Bytes of a host's complaints that are kept.
const MAX_COMPLAINT: u64 = 16 * 1024;

/// Starts hosts for the runs of a project.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    project: Project,
    threads: usize,
}

impl Hosts {
    pub(super) fn new(project: Project, threads: usize) -> Self {
        Self { project, threads }
    }

    /// Asks a question as run `id`.
    pub(super) fn ask(
        &self,
        id: &RunId,
        question: &str,
        corpus: &str,
        approve: bool,
        workflow: &Workflow,
    ) -> std::io::Result<Child> {
        let mut line: Vec<OsString> =
            ["ask", "--corpus", corpus, "--run-id", id.as_str(), "--json"]
                .map(OsString::from)
                .to_vec();
        if approve {
            line.push("--approve".into());
        }
        // Said either way: the settings may name a model.
        match workflow {
            Workflow::Extractive => line.extend(["--model", "none"].map(OsString::from)),
            Workflow::Model { model, strategy } => {
                let named = ["--model", model, "--loop", strategy];
                line.extend(named.map(OsString::from));
            }
        }
        // A question may begin with a dash.
        line.extend(["--".into(), question.into()]);
        self.spawn(line)
    }

    /// Lets an interrupted run go on.
    pub(super) fn resume(&self, id: &RunId) -> std::io::Result<Child> {
        self.spawn(
            ["runs", "resume", id.as_str(), "--json"]
                .map(OsString::from)
                .to_vec(),
        )
    }

    fn spawn(&self, line: Vec<OsString>) -> std::io::Result<Child> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("--project")
            .arg(self.project.root())
            .args(["--threads", &self.threads.to_string(), "--quiet"])
            .args(line)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command.spawn()
    }
}

/// Waits for a host to end; what it complained about, if it failed.
pub(super) fn complaint(mut host: Child) -> Option<String> {
    let mut said = String::new();
    if let Some(stderr) = host.stderr.take() {
        let _cut = stderr.take(MAX_COMPLAINT).read_to_string(&mut said);
    }
    let status = host.wait().ok()?;
    // 3: the corpus has no answer, which is a report like any other.
    if status.success() || status.code() == Some(3) {
        return None;
    }
    let said = said.trim().replace("\nhint:", "; hint:");
    Some(if said.is_empty() {
        format!("the run's process ended: {status}")
    } else {
        said
    })
}
