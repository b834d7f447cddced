//! The dependency rules of ARCHITECTURE.md, asked of Cargo itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Direct dependencies on our own crates that each package may have. A crate that is not in the
/// workspace yet is not listed.
const ALLOWED: &[(&str, &[&str])] = &[
    ("indago-core", &[]),
    ("indago-text", &["indago-core"]),
    ("indago-kernels", &["indago-core"]),
    ("indago-egress", &["indago-core"]),
    ("indago-scripted", &[]),
    (
        "indago-tools",
        &["indago-core", "indago-egress", "indago-text"],
    ),
    (
        "indago-models",
        &["indago-core", "indago-egress", "indago-kernels"],
    ),
    (
        "indago-retriever",
        &["indago-core", "indago-kernels", "indago-text"],
    ),
    ("indago-planner", &["indago-core", "indago-text"]),
    ("indago-agents", &["indago-core", "indago-text"]),
    // Support of tests and evaluation: a dev-dependency of whoever measures with it.
    ("indago-oracle", &["indago-core", "indago-text"]),
    (
        "indago-workflows",
        &[
            "indago-agents",
            "indago-core",
            "indago-planner",
            "indago-text",
        ],
    ),
];

/// What a crate must never name in its sources, and why.
const ABSENT: &[(&str, &[&str])] = &[
    ("core", RUNTIME_AND_IO),
    ("planner", RUNTIME_AND_IO),
    ("agents", RUNTIME_AND_IO),
    ("text", RUNTIME_AND_IO),
    (
        "kernels",
        &["std::fs", "std::net", "std::env::var", "tokio"],
    ),
    ("retriever", &["std::net", "std::env::var", "tokio"]),
    ("models", &["std::net", "std::env::var", "tokio"]),
    ("tools", RUNTIME_AND_IO),
    ("egress", &["std::fs", "std::env::var", "std::process"]),
    ("workflows", &["std::net", "std::env::var"]),
    ("src", &["std::net"]),
];

const RUNTIME_AND_IO: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "SystemTime",
    "Instant::now",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn cargo_metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--offline",
            "--format-version",
            "1",
            "--no-deps",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

/// Normal and build dependencies on our own crates, by package.
fn own_dependencies() -> BTreeMap<String, Vec<String>> {
    let metadata = cargo_metadata();
    let packages = metadata["packages"].as_array().expect("packages").iter();
    packages
        .map(|package| {
            let name = package["name"].as_str().expect("a name").to_owned();
            let dependencies = package["dependencies"]
                .as_array()
                .expect("dependencies")
                .iter();
            let own = dependencies
                .filter(|d| d["kind"].as_str() != Some("dev"))
                .filter_map(|d| d["name"].as_str())
                .filter(|d| d.starts_with("indago"))
                .map(str::to_owned)
                .collect();
            (name, own)
        })
        .collect()
}

#[test]
fn crates_depend_only_downwards() {
    let actual = own_dependencies();
    for (package, allowed) in ALLOWED {
        let own = actual
            .get(*package)
            .unwrap_or_else(|| panic!("{package} is not a member"));
        let extra: Vec<_> = own
            .iter()
            .filter(|d| !allowed.contains(&d.as_str()))
            .collect();
        assert!(
            extra.is_empty(),
            "{package} gained {extra:?}: move the code, or write a decision record and edit ALLOWED"
        );
    }
}

#[test]
fn every_crate_is_in_the_table_and_none_depends_on_the_app() {
    for (package, own) in own_dependencies() {
        let known = ALLOWED.iter().any(|(name, _)| *name == package);
        assert!(
            known || package == "indago" || package == "xtask",
            "{package} is not in ALLOWED"
        );
        assert!(
            package == "xtask" || !own.contains(&"indago".to_owned()),
            "{package} uses indago"
        );
    }
}

/// Rust files under `folder`, tests left out.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "tests") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|ext| ext == "rs")
            && path.file_stem().is_none_or(|stem| stem != "tests")
        {
            found.push(path);
        }
    }
}

/// The part of a file that ships: no comments, nothing below its tests.
fn shipped(text: &str) -> String {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn pure_crates_name_no_runtime_no_file_no_socket_and_no_clock() {
    let mut offences = Vec::new();
    for (folder, absent) in ABSENT {
        let base = if *folder == "src" {
            root().join("src")
        } else {
            root().join(folder).join("src")
        };
        let mut files = Vec::new();
        sources(&base, &mut files);
        assert!(!files.is_empty(), "no sources under {}", base.display());
        for file in files {
            let code = shipped(&std::fs::read_to_string(&file).expect("UTF-8 source"));
            for word in *absent {
                if code.contains(word) {
                    let shown = file
                        .strip_prefix(root())
                        .unwrap_or(&file)
                        .display()
                        .to_string();
                    offences.push(format!("{shown} names `{word}`"));
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn only_the_environment_module_reads_the_environment() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    for file in files {
        let code = shipped(&std::fs::read_to_string(&file).expect("UTF-8 source"));
        let reads = code.contains("env::var(") || code.contains("env::var_os(");
        assert!(
            !reads || file.ends_with("src/env.rs"),
            "{} reads the environment",
            file.display()
        );
    }
}

#[test]
fn only_the_printer_and_the_screen_write_to_the_terminal() {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    for file in files {
        let code = shipped(&std::fs::read_to_string(&file).expect("UTF-8 source"));
        let writes = code.contains("io::stdout(") || code.contains("io::stderr().lock");
        assert!(
            !writes || file.ends_with("cli/printer.rs") || file.ends_with("tui/terminal.rs"),
            "{} prints",
            file.display()
        );
    }
}
