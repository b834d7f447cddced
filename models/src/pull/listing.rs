//! What a server states about a model's files.

use std::collections::BTreeMap;
use std::time::Duration;

use indago_core::Cancel;
use indago_egress::{Door, Limits, Request, Secret};
use serde::Deserialize;

use super::fetch::network;
use super::{PullError, Source};

/// Longest list.
const MAX_BYTES: u64 = 8 << 20;

/// What is stated of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Stated {
    pub(super) bytes: Option<u64>,
    /// 64 hexadecimal digits, lower case.
    pub(super) sha256: Option<String>,
}

/// What is stated of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Listing {
    files: BTreeMap<String, Stated>,
    /// Whether a file that is not listed is not there.
    pub(super) is_whole: bool,
    /// Weights in forms that are not read.
    pub(super) other_weights: Vec<String>,
}

impl Listing {
    pub(super) fn get(&self, file: &str) -> Option<&Stated> {
        self.files.get(file)
    }
}

#[derive(Deserialize)]
struct Row {
    path: String,
    size: Option<u64>,
    lfs: Option<Stored>,
}

#[derive(Deserialize)]
struct Stored {
    oid: Option<String>,
    size: Option<u64>,
}

/// Asks a hub for its list, any other server for `SHA256SUMS`. A server that has none states nothing.
pub(super) async fn read(
    door: &Door,
    source: &Source,
    key: Option<&Secret>,
    cancel: &Cancel,
) -> Result<Listing, PullError> {
    let (file, url) = match source.listing() {
        Some(url) => ("the list of files", url.to_owned()),
        None => ("SHA256SUMS", format!("{}SHA256SUMS", source.folder())),
    };
    let request = Request {
        bearer: key.cloned(),
        limits: Limits {
            max_bytes: MAX_BYTES,
            total: Duration::from_mins(2),
            ..Limits::default()
        },
        ..Request::get("model", url)
    };
    let answer = door.send(request, cancel).await;
    let answer = answer.map_err(|e| network(file, e))?;
    if !answer.is_success() {
        return Ok(Listing::default());
    }
    let bytes = answer.bytes().await.map_err(|e| network(file, e))?;
    Ok(match source.listing() {
        Some(_) => of_hub(&bytes).unwrap_or_default(),
        None => of_sums(&String::from_utf8_lossy(&bytes)),
    })
}

fn of_hub(bytes: &[u8]) -> Option<Listing> {
    let rows: Vec<Row> = serde_json::from_slice(bytes).ok()?;
    let mut listing = Listing {
        is_whole: !rows.is_empty(),
        ..Listing::default()
    };
    for row in rows {
        let is_other = row.path != super::WEIGHTS
            && !row.path.contains('/')
            && [".bin", ".safetensors", ".gguf", ".h5", ".onnx"]
                .iter()
                .any(|end| row.path.ends_with(end));
        if is_other && listing.other_weights.len() < 5 {
            listing.other_weights.push(row.path.clone());
        }
        let stored = row.lfs.as_ref();
        let stated = Stated {
            bytes: stored.and_then(|s| s.size).or(row.size),
            sha256: stored.and_then(|s| s.oid.as_deref()).and_then(digest),
        };
        listing.files.insert(row.path, stated);
    }
    Some(listing)
}

/// Lines of `sha256sum`: a sum, two spaces or a space and `*`, a name.
fn of_sums(text: &str) -> Listing {
    let files = text.lines().filter_map(|line| {
        let (sum, name) = line.split_once(' ')?;
        let name = name.trim_start_matches([' ', '*']).trim_end();
        let name = name.strip_prefix("./").unwrap_or(name);
        let stated = Stated {
            bytes: None,
            sha256: Some(digest(sum)?),
        };
        Some((name.to_owned(), stated))
    });
    Listing {
        files: files.collect(),
        ..Listing::default()
    }
}

fn digest(text: &str) -> Option<String> {
    let text = text.strip_prefix("sha256:").unwrap_or(text);
    let is_hex = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hubs_list_states_lengths_and_sums() {
        let sum = "AB".repeat(32);
        let text = format!(
            r#"[{{"type":"file","path":"config.json","size":12,"oid":"0a"}},
                {{"type":"file","path":"model.safetensors","size":7,"oid":"0b",
                  "lfs":{{"oid":"{sum}","size":7,"pointerSize":130}}}},
                {{"type":"file","path":"pytorch_model.bin","size":9}},
                {{"type":"file","path":"onnx/model.onnx","size":9}}]"#
        );
        let listing = of_hub(text.as_bytes()).unwrap();
        assert!(listing.is_whole);
        assert_eq!(listing.get("config.json").unwrap().bytes, Some(12));
        let weights = listing.get("model.safetensors").unwrap();
        assert_eq!(weights.sha256, Some("ab".repeat(32)));
        assert_eq!(listing.other_weights, ["pytorch_model.bin"]);
        assert_eq!(of_hub(b"<html>"), None);
    }

    #[test]
    fn sums_are_read_as_sha256sum_writes_them() {
        let (a, b) = ("0a".repeat(32), "0b".repeat(32));
        let listing = of_sums(&format!(
            "{a}  config.json\n{b} *./model.safetensors\nno sum\n"
        ));
        assert_eq!(listing.get("config.json").unwrap().sha256, Some(a));
        assert_eq!(listing.get("model.safetensors").unwrap().sha256, Some(b));
        assert!(!listing.is_whole && listing.get("sum").is_none());
    }

    proptest! {
        #[test]
        fn no_list_panics(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            of_sums(&text);
            of_hub(&bytes);
            of_hub(text.as_bytes());
        }
    }
}
