//! Finds the files under the given paths, in an order that does not depend on the file system.
//!
//! Follows symbolic links and notices those that lead back above themselves. What cannot be listed
//! is reported and skipped; only a root that is not there is an error.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ignore::WalkBuilder;

use super::{SkipReason, Skipped};

/// Folders that hold no documents of the user's own.
const SKIPPED_FOLDERS: [&str; 4] = ["node_modules", "target", "__pycache__", "CVS"];

/// Which files are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkOptions {
    /// Honour `.gitignore` and `.ignore` files, inside repositories and outside.
    pub gitignore: bool,
    /// Include files and folders whose name begins with a dot. Version control folders stay out.
    pub hidden: bool,
}

impl Default for WalkOptions {
    /// Everything but hidden files, `.gitignore` honoured.
    fn default() -> Self {
        Self {
            gitignore: true,
            hidden: false,
        }
    }
}

/// A file to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// Where it is, absolute.
    pub path: PathBuf,
    /// Path relative to its root, with `/` on every system; with several roots the root's name
    /// comes first. The id of a document that is alone in its file.
    pub relative: String,
    /// Size in bytes.
    pub bytes: u64,
    /// When it was last written; `None` where the file system does not say.
    pub modified: Option<SystemTime>,
}

/// What was found, and what could not be listed.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// Files, root by root as given, sorted by path within a root.
    pub files: Vec<FoundFile>,
    /// Folders and links that were left out.
    pub skipped: Vec<Skipped>,
}

/// The walk could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// A given path is not there.
    #[error("there is no `{}`", path.display())]
    MissingRoot {
        /// Which.
        path: PathBuf,
    },
    /// A given path cannot be opened.
    #[error("cannot open `{}`", path.display())]
    Root {
        /// Which.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
}

/// Lists the files under `roots` (folders or files). A file reached from two roots is listed once.
pub fn walk(roots: &[PathBuf], options: &WalkOptions) -> Result<Walk, WalkError> {
    let mut walk = Walk::default();
    let mut seen = HashSet::new();
    let prefixes = root_prefixes(roots)?;
    for (root, prefix) in &prefixes {
        if root.is_file() {
            let name = root
                .file_name()
                .unwrap_or(OsStr::new("file"))
                .to_string_lossy();
            let relative = prefix.as_deref().unwrap_or(&name).to_owned();
            if seen.insert(root.clone()) {
                add(&mut walk, root.clone(), relative);
            }
            continue;
        }
        walk_root(root, prefix.as_deref(), *options, &mut seen, &mut walk);
    }
    Ok(walk)
}

/// Roots made absolute, each with the name its files are prefixed with when there are several.
fn root_prefixes(roots: &[PathBuf]) -> Result<Vec<(PathBuf, Option<String>)>, WalkError> {
    let mut named: Vec<(PathBuf, Option<String>)> = Vec::new();
    for root in roots {
        let path = match root.canonicalize() {
            Ok(path) => path,
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                return Err(WalkError::MissingRoot { path: root.clone() });
            }
            Err(source) => {
                return Err(WalkError::Root {
                    path: root.clone(),
                    source,
                });
            }
        };
        if named.iter().all(|(known, _)| *known != path) {
            named.push((path, None));
        }
    }
    if named.len() < 2 {
        return Ok(named);
    }
    let mut taken = HashSet::new();
    for (path, prefix) in &mut named {
        let name = path
            .file_name()
            .unwrap_or(OsStr::new("root"))
            .to_string_lossy()
            .into_owned();
        // Two roots of one name stay apart: `docs`, `docs-2`.
        let mut unique = name.clone();
        let mut n = 1;
        while taken.contains(&unique) {
            n += 1;
            unique = format!("{name}-{n}");
        }
        taken.insert(unique.clone());
        *prefix = Some(unique);
    }
    Ok(named)
}

fn walk_root(
    root: &Path,
    prefix: Option<&str>,
    options: WalkOptions,
    seen: &mut HashSet<PathBuf>,
    walk: &mut Walk,
) {
    let entries = WalkBuilder::new(root)
        .standard_filters(false)
        .hidden(!options.hidden)
        .ignore(options.gitignore)
        .git_ignore(options.gitignore)
        .git_exclude(options.gitignore)
        .parents(options.gitignore)
        .require_git(false)
        .follow_links(true)
        .sort_by_file_name(Ord::cmp)
        .filter_entry(|entry| {
            entry.depth() == 0
                || !entry.file_type().is_some_and(|kind| kind.is_dir())
                || !is_skipped_folder(entry.file_name())
        })
        .build();
    for entry in entries {
        match entry {
            Ok(entry) => {
                if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                    continue;
                }
                // A link and its target are one document.
                let path = entry.path();
                let identity = if entry.path_is_symlink() || path_has_link(root, path) {
                    path.canonicalize().unwrap_or_else(|_gone| path.to_owned())
                } else {
                    path.to_owned()
                };
                if seen.insert(identity) {
                    add(walk, path.to_owned(), relative_to(root, prefix, path));
                }
            }
            Err(error) => walk.skipped.push(skipped_entry(root, prefix, &error)),
        }
    }
}

fn is_skipped_folder(name: &OsStr) -> bool {
    [".git", ".hg", ".svn", ".jj", ".indago"]
        .iter()
        .chain(&SKIPPED_FOLDERS)
        .any(|s| name == *s)
}

/// Whether a folder between `root` and `path` was reached through a link.
fn path_has_link(root: &Path, path: &Path) -> bool {
    path.ancestors()
        .skip(1)
        .take_while(|folder| *folder != root)
        .any(Path::is_symlink)
}

fn add(walk: &mut Walk, path: PathBuf, relative: String) {
    match path.metadata() {
        Ok(metadata) => walk.files.push(FoundFile {
            relative,
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
            path,
        }),
        Err(error) => walk.skipped.push(Skipped::io(&relative, &error)),
    }
}

fn relative_to(root: &Path, prefix: Option<&str>, path: &Path) -> String {
    let inner = path.strip_prefix(root).unwrap_or(path);
    let parts = inner
        .components()
        .map(|part| part.as_os_str().to_string_lossy());
    let parts: Vec<_> = prefix.map(Into::into).into_iter().chain(parts).collect();
    if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    }
}

fn skipped_entry(root: &Path, prefix: Option<&str>, error: &ignore::Error) -> Skipped {
    let (path, cause) = locate(error);
    let relative = path.map_or_else(|| ".".to_owned(), |path| relative_to(root, prefix, path));
    if let ignore::Error::Loop { ancestor, child } = cause {
        let above = relative_to(root, prefix, ancestor);
        let detail = format!("leads back to `{above}`, which is above it");
        return Skipped::new(
            &relative_to(root, prefix, child),
            SkipReason::SymlinkLoop,
            detail,
        );
    }
    let reason = cause
        .io_error()
        .map_or(SkipReason::Unreadable, SkipReason::of_io);
    let detail = cause
        .io_error()
        .map_or_else(|| cause.to_string(), ToString::to_string);
    Skipped::new(&relative, reason, detail)
}

/// The path an error is about, and its innermost cause.
fn locate(error: &ignore::Error) -> (Option<&Path>, &ignore::Error) {
    match error {
        ignore::Error::WithPath { path, err } => (Some(path), locate(err).1),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            locate(err)
        }
        other => (None, other),
    }
}
