//! `--corpus ./filings`: a folder in place of a corpus name is indexed first, or brought up to date.

use std::path::{Path, PathBuf};

use indago_core::{Cancel, ContentHash};

use super::index;
use super::printer::Printer;
use super::settings::Settings;
use crate::Error;

/// The name of the corpus that the settings mean. A value with a path separator, or `.`, is a
/// folder: its corpus is made or updated before its name is returned.
pub(super) fn resolve(
    settings: &Settings,
    printer: Printer,
    cancel: &Cancel,
) -> Result<String, Error> {
    let Some((name, folder)) = named(&settings.corpus.value)? else {
        return Ok(settings.corpus.value.clone());
    };
    index::update(settings, &name, vec![folder], printer, cancel)?;
    Ok(name)
}

/// The name of a folder's corpus, and the folder; `None` when `value` is a name.
pub(super) fn named(value: &str) -> Result<Option<(String, PathBuf)>, Error> {
    if !is_path(value) {
        return Ok(None);
    }
    let folder = PathBuf::from(value);
    let folder = folder
        .canonicalize()
        .map_err(|e| Error::io("open", folder, e))?;
    Ok(Some((name_of(&folder), folder)))
}

fn is_path(value: &str) -> bool {
    value.contains(std::path::is_separator) || matches!(value, "." | "..")
}

/// The folder's name, so that listings can be read, and a hash of its path, so that two folders of
/// one name stay apart.
fn name_of(folder: &Path) -> String {
    let last = folder.file_name().unwrap_or_default().to_string_lossy();
    let plain: String = last
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(40)
        .collect();
    let hash = ContentHash::of(folder.to_string_lossy().as_bytes()).to_string();
    format!("{}-{}", plain.trim_matches('-'), &hash[..8])
        .trim_start_matches('-')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_folders_are_told_apart() {
        for path in [".", "..", "./a", "/a/b", "a/b"] {
            assert!(is_path(path), "{path}");
        }
        for name in ["default", "a.b", "a-b"] {
            assert!(!is_path(name), "{name}");
        }
    }

    #[test]
    fn a_folder_gives_a_sound_name_of_its_own() {
        let project = crate::Project::at("/p");
        for folder in ["/home/me/Filings 2023", "/другое", "/", "/a/.hidden"] {
            let name = name_of(Path::new(folder));
            assert!(project.corpus_dir(&name).is_ok(), "{folder} gives {name}");
        }
        assert_ne!(name_of(Path::new("/a/docs")), name_of(Path::new("/b/docs")));
    }
}
