//! Developer commands. `readme` runs the README's question on the example corpus, puts what it
//! printed into README.md and draws it as `docs/img/ask.svg`, so that neither shows a program that
//! no longer exists. `recording` records two runs, without and with a language model, for the tests
//! and pictures of the terminal interface;
//! `pictures` draws them.

mod pictures;
mod recording;
mod terminal;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};

/// The README's question: two hops over Markdown and HTML.
const QUESTION: &str =
    "Which foundation does the predecessor of Maren Okafor-Lind as director chair?";

/// Lines of the report in the picture and the README.
const LINES: usize = 30;
const BEGIN: &str = "<!-- output: written by `cargo run -p xtask -- readme` -->";
const END: &str = "<!-- end of output -->";

fn main() -> anyhow::Result<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        Some("readme") => readme()?,
        Some("recording") => recording::write(&root(), QUESTION)?,
        Some("pictures") => {
            let (plain, model) = (recording::PATH, recording::MODEL_PATH);
            let read = |path| recording::read(&root(), path);
            pictures::write(&root(), &read(plain)?, &read(model)?)?;
        }
        _ => bail!("usage: cargo run -p xtask -- readme | recording | pictures"),
    }
    Ok(ExitCode::SUCCESS)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
        .to_owned()
}

fn readme() -> anyhow::Result<()> {
    let root = root();
    let output = ask(&root)?;
    let lines: Vec<&str> = output.lines().collect();
    let shown = &lines[..lines.len().min(LINES)];
    let more = lines.len() > shown.len();

    let picture = terminal::picture(&format!("$ indago ask \"{QUESTION}\""), shown, more);
    let folder = root.join("docs/img");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("ask.svg"), picture)?;

    let path = root.join("README.md");
    let text = std::fs::read_to_string(&path).context("README.md")?;
    let (before, rest) = text
        .split_once(BEGIN)
        .context("README.md has no output block")?;
    let (_, after) = rest
        .split_once(END)
        .context("the output block of README.md has no end")?;
    let dots = if more { "\n[...]" } else { "" };
    let block = format!(
        "{BEGIN}\n````markdown\n{}{dots}\n````\n{END}",
        shown.join("\n")
    );
    std::fs::write(&path, format!("{before}{block}{after}"))?;
    Ok(())
}

/// What the release build prints for the README's question, in a project of its own.
fn ask(root: &Path) -> anyhow::Result<String> {
    let project = tempfile::tempdir()?;
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked", "-p", "indago"])
        .current_dir(root)
        .status()?;
    anyhow::ensure!(status.success(), "the release build failed");
    let run = || {
        Command::new("cargo")
            .args(["run", "--release", "--locked", "-q", "-p", "indago", "--"])
            .args(["ask", QUESTION, "--corpus", "examples/corpus", "--project"])
            .arg(project.path())
            .current_dir(root)
            .output()
    };
    // The first one indexes; the second one shows what asking takes.
    run()?;
    let output = run()?;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    anyhow::ensure!(output.status.success(), "indago ask failed: {error}");
    Ok(String::from_utf8(output.stdout)?)
}
