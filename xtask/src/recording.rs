//! Records a real run on the example corpus for the tests and pictures of the terminal interface.

use std::path::Path;

use anyhow::Context as _;
use indago::core::Cancel;
use indago::tui::Recording;
use indago::{AskSettings, Asker, IndexRequest, Project};

/// Name of the corpus in the recording.
const CORPUS: &str = "coast";
/// The query of the library screen.
const QUERY: &str = "Who built the ship?";
/// Where the recording lies.
pub(crate) const PATH: &str = "src/tui/tests/coast.json";

/// Indexes the example corpus, asks `question`, and writes what the interface would see.
pub(crate) fn write(root: &Path, question: &str) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let project = Project::at(folder.path());
    let request = IndexRequest::new(CORPUS, vec![root.join("examples/corpus")]);
    indago::index(&project, &request, &mut |_progress| {}, &Cancel::new())?;
    let encoder = indago::wire::encoder()?;
    indago::embed(
        &project,
        CORPUS,
        encoder.as_ref(),
        &mut |_progress| {},
        &Cancel::new(),
    )?;
    let asker = Asker::open(&project, CORPUS, 2)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let report = runtime.block_on(asker.ask(question, &AskSettings::default(), &Cancel::new()))?;
    let recording = Recording::of(&project, &report.run, QUERY)?;
    std::fs::write(root.join(PATH), serde_json::to_string(&recording)? + "\n")?;
    Ok(())
}

/// Reads the recording.
pub(crate) fn read(root: &Path) -> anyhow::Result<Recording> {
    let text = std::fs::read_to_string(root.join(PATH))
        .context("no recording: run `cargo run -p xtask -- recording`")?;
    Ok(serde_json::from_str(&text)?)
}
