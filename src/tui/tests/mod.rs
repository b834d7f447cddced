//! Screens, keys and floods, without a terminal.

mod bytes;
mod floods;
mod keys;
mod panics;
mod snapshots;

use super::charset::Charset;
use super::stage::{Recording, Stage};
use super::theme::ThemeName;

/// A real run of the example corpus, written by `cargo run -p xtask -- recording`.
pub(super) fn recording() -> Recording {
    serde_json::from_str(include_str!("coast.json")).unwrap()
}

/// The same with a language model: the scripted server, reached through the real client.
pub(super) fn model_recording() -> Recording {
    serde_json::from_str(include_str!("coast-model.json")).unwrap()
}

/// A stage with runs, corpora, the whole run and its report told.
pub(super) fn stage(width: u16, height: u16) -> (Stage, Recording) {
    let recording = recording();
    let mut stage = Stage::new(width, height, ThemeName::Dark, Charset::default());
    stage.tell_lists(&recording);
    stage.tell_events(&recording, usize::MAX);
    stage.draw();
    (stage, recording)
}
