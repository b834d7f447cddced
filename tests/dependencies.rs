//! The policy of `deny.toml`, enforced from what Cargo resolved: licences, bans, sources.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn policy() -> toml::Table {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    text.parse().expect("deny.toml is TOML")
}

/// Every package that takes part in a build for this platform, ours left out.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1"])
        .args(["--filter-platform", host().as_str()])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let resolved: Vec<&str> = metadata["resolve"]["nodes"]
        .as_array()
        .expect("a resolved graph")
        .iter()
        .filter_map(|node| node["id"].as_str())
        .collect();
    metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .filter(|p| !p["source"].is_null())
        .filter(|p| p["id"].as_str().is_some_and(|id| resolved.contains(&id)))
        .cloned()
        .collect()
}

fn host() -> String {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .expect("rustc runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("host: "));
    line.expect("rustc names its host").to_owned()
}

fn name(package: &Value) -> String {
    let part = |key: &str| package[key].as_str().unwrap_or("?").to_owned();
    format!("{} {}", part("name"), part("version"))
}

/// Whether a licence expression can be satisfied with `allowed` licences alone.
fn satisfied(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let result = any_of(&tokens, &mut at, allowed);
    result && at == tokens.len()
}

fn any_of(tokens: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
    let mut result = all_of(tokens, at, allowed);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        result |= all_of(tokens, at, allowed);
    }
    result
}

fn all_of(tokens: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
    let mut result = one(tokens, at, allowed);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        result &= one(tokens, at, allowed);
    }
    result
}

fn one(tokens: &[&str], at: &mut usize, allowed: &[&str]) -> bool {
    match tokens.get(*at) {
        Some(&"(") => {
            *at += 1;
            let result = any_of(tokens, at, allowed);
            *at += usize::from(tokens.get(*at) == Some(&")"));
            result
        }
        Some(licence) => {
            *at += 1;
            let mut full = (*licence).to_owned();
            if tokens.get(*at) == Some(&"WITH") {
                full = format!(
                    "{full} WITH {}",
                    tokens.get(*at + 1).copied().unwrap_or_default()
                );
                *at += 2;
            }
            allowed.contains(&full.as_str())
        }
        None => false,
    }
}

#[test]
fn licence_expressions_are_read_as_spdx_means_them() {
    let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception", "Zlib"];
    for (expression, wanted) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT OR GPL-3.0", true),
        ("MIT/GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("(GPL-3.0 OR Zlib) AND MIT", true),
        ("(GPL-3.0 OR Zlib) AND BSD-3-Clause", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
        ("", false),
    ] {
        assert_eq!(satisfied(expression, &allowed), wanted, "{expression}");
    }
}

#[test]
fn every_dependency_may_be_used_under_an_allowed_licence() {
    let policy = policy();
    let allowed: Vec<&str> = policy["licenses"]["allow"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(toml::Value::as_str)
        .collect();
    let offences: Vec<String> = packages()
        .iter()
        .filter(|p| !satisfied(p["license"].as_str().unwrap_or_default(), &allowed))
        .map(|p| format!("{}: {}", name(p), p["license"]))
        .collect();
    assert!(
        offences.is_empty(),
        "not allowed by deny.toml:\n{}",
        offences.join("\n")
    );
}

#[test]
fn no_banned_crate_is_in_the_graph() {
    let policy = policy();
    let banned: Vec<&str> = policy["bans"]["deny"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|entry| entry["crate"].as_str())
        .collect();
    assert!(
        banned.contains(&"openssl-sys"),
        "the ban on OpenSSL is gone"
    );
    let offences: Vec<String> = packages()
        .iter()
        .filter(|p| p["name"].as_str().is_some_and(|n| banned.contains(&n)))
        .map(name)
        .collect();
    assert!(offences.is_empty(), "banned by deny.toml: {offences:?}");
}

#[test]
fn every_dependency_comes_from_the_crates_registry() {
    for package in packages() {
        let source = package["source"].as_str().unwrap_or_default();
        assert!(
            source.starts_with("registry+"),
            "{} comes from {source}",
            name(&package)
        );
    }
}

#[test]
fn every_direct_dependency_has_its_reason_in_writing() {
    let page = std::fs::read_to_string(root().join("docs/dependencies.md")).expect("the page");
    let text = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let manifest: toml::Table = text.parse().expect("TOML");
    let direct = manifest["workspace"]["dependencies"]
        .as_table()
        .expect("a table");
    let missing: Vec<&String> = direct
        .keys()
        .filter(|name| !name.starts_with("indago-"))
        .filter(|name| !page.contains(&format!("| `{name}` |")))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/dependencies.md gives no reason for {missing:?}"
    );
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let name = line
            .trim_start_matches("| `")
            .split('`')
            .next()
            .unwrap_or_default();
        assert!(
            direct.contains_key(name),
            "docs/dependencies.md explains `{name}`, which is gone"
        );
    }
}
