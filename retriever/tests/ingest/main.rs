//! From files to passages, through the public functions only.

mod bad_input;
mod formats;
mod passages;
mod robustness;

use std::fs;
use std::path::{Path, PathBuf};

use indago_retriever::ingest::{
    FoundFile, LoadLimits, Parsed, Skipped, Walk, WalkOptions, load, walk,
};

/// A file that was committed for these tests.
fn fixture(name: &str) -> FoundFile {
    found(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name),
    )
}

/// A file as the walk would report it, named by its own name.
fn found(path: &Path) -> FoundFile {
    let metadata = fs::metadata(path).expect("the file is there");
    FoundFile {
        path: path.to_owned(),
        relative: path
            .file_name()
            .expect("a file name")
            .to_string_lossy()
            .into_owned(),
        bytes: metadata.len(),
        modified: metadata.modified().ok(),
    }
}

/// Writes a file and reports it.
fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> FoundFile {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder can be made");
    fs::write(&path, bytes).expect("a file can be written");
    found(&path)
}

/// All that a file gives: documents, what was left out, and the warnings.
fn read(file: &FoundFile, limits: &LoadLimits) -> (Vec<Parsed>, Vec<Skipped>, Vec<String>) {
    let mut loaded = match load(file, limits) {
        Ok(loaded) => loaded,
        Err(skipped) => return (Vec::new(), vec![skipped], Vec::new()),
    };
    let (mut parsed, mut skipped) = (Vec::new(), Vec::new());
    for item in &mut loaded {
        match item {
            Ok(document) => parsed.push(document),
            Err(left_out) => skipped.push(left_out),
        }
    }
    let warnings = loaded.warnings().iter().map(ToString::to_string).collect();
    (parsed, skipped, warnings)
}

/// The only document of a sound file.
fn only(file: &FoundFile) -> Parsed {
    let (mut parsed, skipped, _) = read(file, &LoadLimits::default());
    assert_eq!(skipped, []);
    assert_eq!(parsed.len(), 1, "{} documents", parsed.len());
    parsed.remove(0)
}

fn walk_all(roots: &[PathBuf]) -> Walk {
    walk(roots, &WalkOptions::default()).expect("the roots are there")
}
