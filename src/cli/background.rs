//! Runs that outlive their command: a process of its own works on them, in a session of its own,
//! so that closing the terminal does not end it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use indago_core::{RunId, RunState};

use crate::{Error, Project, Runs};

/// How often is looked whether the host is there.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a process may take to open its corpus and take the run.
const PATIENCE: Duration = Duration::from_mins(2);

/// Where the host of a run says what goes wrong; removed when nothing did.
fn log_of(project: &Project, run: &RunId) -> PathBuf {
    project
        .journal_dir()
        .join("runs")
        .join(format!("{run}.log"))
}

/// Starts this program again with `args` as the host of `run`, gives it `input`, and waits until
/// it has the run.
pub(super) fn start(
    project: &Project,
    run: &RunId,
    args: impl IntoIterator<Item = std::ffi::OsString>,
    input: Option<&str>,
) -> anyhow::Result<()> {
    let log = log_of(project, run);
    if let Some(folder) = log.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))?;
    }
    let file = std::fs::File::create(&log).map_err(|e| Error::io("create", &log, e))?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(args)
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::null())
        .stderr(file)
        .spawn()?;
    if let (Some(input), Some(mut pipe)) = (input, child.stdin.take()) {
        pipe.write_all(input.as_bytes())?;
    }
    let begun = std::time::Instant::now();
    loop {
        if has_begun(project, run) {
            return Ok(());
        }
        if let Some(status) = child.try_wait()? {
            // It may have begun and ended between the two looks.
            if has_begun(project, run) {
                return Ok(());
            }
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let _removed = std::fs::remove_file(&log);
            let said = said.trim().trim_start_matches("error: ");
            anyhow::bail!("the background process ended ({status}): {said}");
        }
        if begun.elapsed() > PATIENCE {
            anyhow::bail!(
                "the background process has not begun; it says why in `{}`",
                log.display()
            );
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Whether somebody works on the run, or it has ended already.
fn has_begun(project: &Project, run: &RunId) -> bool {
    // Looking must not make a journal where none is yet.
    project.journal_dir().join("journal.sqlite").is_file()
        && Runs::open(project)
            .and_then(|runs| Ok(runs.get(run)?.status()?.state))
            .is_ok_and(|state| state != RunState::Interrupted)
}

/// Leaves the terminal behind, in the process that is to be the host.
pub(super) fn settle() {
    #[cfg(unix)]
    if let Err(error) = rustix::process::setsid() {
        // A process group's leader cannot; then it is no child of ours and needs nothing.
        tracing::debug!(%error, "no session of its own");
    }
}

/// Removes the log of a host that had nothing to say.
pub(super) fn tidy(project: &Project, run: &RunId) {
    let log = log_of(project, run);
    if is_empty(&log) {
        let _gone = std::fs::remove_file(log);
    }
}

fn is_empty(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.len() == 0)
}
