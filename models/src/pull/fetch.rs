//! One file after another, gone on with where a fetch ended before.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use indago_core::Cancel;
use indago_egress::{Door, EgressError, Limits, Request, Response, Secret, sleep};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::listing::Stated;
use super::{PullError, Pulling, Source, WEIGHTS, Wanted};

/// Attempts in a row that bring no byte.
const ATTEMPTS: u32 = 5;
/// Wait before the second attempt; doubles with each.
const BACKOFF: Duration = Duration::from_millis(250);
/// Longest wait that a server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Where the state of a fetch is kept, beside its files.
const STATE: &str = "pull.json";

/// From where, and what identified each file there: what going on may build on.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    folder: String,
    /// `ETag` or `Last-Modified` by file.
    validators: BTreeMap<String, String>,
}

/// Whether the server has a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fetched {
    Here,
    Absent,
}

/// What one attempt came to.
enum Attempt {
    Done(Fetched),
    /// It may work again, after a wait that the server may have asked for.
    Again(PullError, Option<Duration>),
    /// What is here is of no use: from the beginning.
    Anew,
}

/// A fetch under way.
pub(super) struct Fetch<'a> {
    door: &'a Door,
    source: &'a Source,
    key: Option<Secret>,
    partial: &'a Path,
    state: State,
    progress: &'a mut (dyn FnMut(Pulling<'_>) + Send),
    cancel: &'a Cancel,
    /// Bytes that came over the network.
    pub(super) fetched: u64,
}

impl<'a> Fetch<'a> {
    /// Goes on with what is in `partial`, if it came from the same folder.
    pub(super) fn new(
        door: &'a Door,
        source: &'a Source,
        key: Option<Secret>,
        partial: &'a Path,
        progress: &'a mut (dyn FnMut(Pulling<'_>) + Send),
        cancel: &'a Cancel,
    ) -> Result<Self, PullError> {
        let text = fs::read_to_string(partial.join(STATE)).unwrap_or_default();
        let mut state: State = serde_json::from_str(&text).unwrap_or_default();
        if state.folder != source.folder() {
            state = State {
                folder: source.folder().to_owned(),
                ..State::default()
            };
            remove(&partial.join(WEIGHTS).with_extension("part"))?;
        }
        Ok(Self {
            door,
            source,
            key,
            partial,
            state,
            progress,
            cancel,
            fetched: 0,
        })
    }

    /// Brings a file here whole, and checks it against what is stated.
    pub(super) async fn file(
        &mut self,
        wanted: Wanted,
        stated: &Stated,
    ) -> Result<Fetched, PullError> {
        let path = self.partial.join(wanted.name);
        let part = path.with_extension("part");
        // Only weights are worth going on with; small files are fetched anew, so that they fit them.
        if wanted.name != WEIGHTS {
            remove(&part)?;
        }
        let mut tried = 0;
        loop {
            let (before, had) = (self.fetched, length(&part));
            match self.attempt(wanted, stated, &part).await? {
                Attempt::Done(Fetched::Absent) => return Ok(Fetched::Absent),
                Attempt::Done(Fetched::Here) => break,
                Attempt::Anew if had > 0 => remove(&part)?,
                Attempt::Anew => {
                    let reason = "the server answers with a part of it that was not asked for";
                    return Err(self.mismatch(wanted, reason.to_owned()));
                }
                Attempt::Again(error, asked) => {
                    tried = if self.fetched > before { 1 } else { tried + 1 };
                    if tried >= ATTEMPTS {
                        return Err(error);
                    }
                    let wait = asked.unwrap_or(BACKOFF * 2_u32.pow(tried - 1));
                    sleep(wait.min(LONGEST_WAIT), self.cancel).await?;
                }
            }
        }
        if let Some(sha256) = &stated.sha256 {
            let found = self.sum(&part)?;
            if found != *sha256 {
                remove(&part)?;
                let reason = format!("its SHA-256 is {found}, stated is {sha256}");
                return Err(self.mismatch(wanted, reason));
            }
        }
        fs::rename(&part, &path).map_err(PullError::disk(&path))?;
        Ok(Fetched::Here)
    }

    async fn attempt(
        &mut self,
        wanted: Wanted,
        stated: &Stated,
        part: &Path,
    ) -> Result<Attempt, PullError> {
        let name = wanted.name;
        let validator = self.state.validators.get(name).cloned();
        let mut have = length(part);
        if have > 0 && validator.is_none() && stated.sha256.is_none() {
            // Nothing would tell whether the rest belongs to what is here.
            remove(part)?;
            have = 0;
        }
        let answer = self.ask(wanted, have, validator).await;
        let mut answer = match answer {
            Ok(answer) => answer,
            Err(error) => return self.failed(name, error),
        };
        let range = answer.header("content-range").map(str::to_owned);
        let (first, total) = match answer.status() {
            200 => {
                let length = answer.header("content-length");
                (0, length.and_then(|length| length.parse().ok()))
            }
            206 => match range.as_deref().and_then(range_of) {
                Some((first, total)) if first == have => (first, total),
                _ => return Ok(Attempt::Anew),
            },
            // Nothing behind what is here: whole, if that is its length.
            416 => {
                let total = range
                    .as_deref()
                    .and_then(|range| range.strip_prefix("bytes */"));
                let is_whole = total.and_then(|n| n.parse().ok()) == Some(have);
                return Ok(if is_whole && have > 0 {
                    Attempt::Done(Fetched::Here)
                } else {
                    Attempt::Anew
                });
            }
            404 | 410 => return Ok(Attempt::Done(Fetched::Absent)),
            status => return self.refused(name, status, &answer),
        };
        if let (Some(stated), Some(found)) = (stated.bytes, total)
            && stated != found
        {
            let reason = format!("it has {found} bytes, stated are {stated}");
            return Err(self.mismatch(wanted, reason));
        }
        self.keep_validator(name, &answer)?;
        let mut file = open(part, first)?;
        let mut done = first;
        (self.progress)(Pulling {
            file: name,
            done,
            total,
        });
        loop {
            match answer.chunk().await {
                Ok(Some(piece)) => {
                    file.write_all(&piece).map_err(PullError::disk(part))?;
                    done += piece.len() as u64;
                    self.fetched += piece.len() as u64;
                    (self.progress)(Pulling {
                        file: name,
                        done,
                        total,
                    });
                }
                Ok(None) => break,
                Err(error) => {
                    // A full disk may be noticed only here.
                    file.flush().map_err(PullError::disk(part))?;
                    return self.failed(name, error);
                }
            }
        }
        file.sync_all().map_err(PullError::disk(part))?;
        if total.is_some_and(|total| total != done) {
            let error = EgressError::Broken {
                host: self.source.origin().host().to_owned(),
                reason: format!("it ended after {done} bytes"),
            };
            return self.failed(name, error);
        }
        Ok(Attempt::Done(Fetched::Here))
    }

    async fn ask(
        &self,
        wanted: Wanted,
        have: u64,
        validator: Option<String>,
    ) -> Result<Response, EgressError> {
        // What comes is counted and checked as it stands in the file.
        let mut headers = vec![("accept-encoding".to_owned(), "identity".to_owned())];
        if have > 0 {
            headers.push(("range".to_owned(), format!("bytes={have}-")));
            headers.extend(validator.map(|validator| ("if-range".to_owned(), validator)));
        }
        let request = Request {
            headers,
            bearer: self.key.clone(),
            limits: Limits {
                total: Duration::from_hours(24),
                max_bytes: wanted.max_bytes.saturating_sub(have),
                ..Limits::default()
            },
            ..Request::get("model", format!("{}{}", self.source.folder(), wanted.name))
        };
        self.door.send(request, self.cancel).await
    }

    fn refused(&self, name: &str, status: u16, answer: &Response) -> Result<Attempt, PullError> {
        let url = format!("{}{name}", self.source.folder());
        match status {
            401 | 403 => Err(PullError::Refused { url, status }),
            429 | 500.. => {
                let wait = answer.retry_after();
                Ok(Attempt::Again(PullError::Status { url, status }, wait))
            }
            _ => Err(PullError::Status { url, status }),
        }
    }

    fn failed(&self, name: &str, error: EgressError) -> Result<Attempt, PullError> {
        if error.is_transient() {
            return Ok(Attempt::Again(network(name, error), None));
        }
        Err(network(name, error))
    }

    /// Remembers what identifies the file, before its first byte is written.
    fn keep_validator(&mut self, name: &str, answer: &Response) -> Result<(), PullError> {
        // A weak tag does not say that bytes are the same.
        let tag = answer.header("etag").filter(|tag| !tag.starts_with("W/"));
        let validator = tag.or_else(|| answer.header("last-modified"));
        match validator {
            Some(validator) => {
                let (name, validator) = (name.to_owned(), validator.to_owned());
                self.state.validators.insert(name, validator);
            }
            None => drop(self.state.validators.remove(name)),
        }
        let path = self.partial.join(STATE);
        let text = serde_json::to_string(&self.state).unwrap_or_default();
        fs::write(&path, text).map_err(PullError::disk(&path))
    }

    fn sum(&self, path: &Path) -> Result<String, PullError> {
        let mut file = File::open(path).map_err(PullError::disk(path))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            self.cancel.check()?;
            match file.read(&mut buffer).map_err(PullError::disk(path))? {
                0 => break,
                n => hash.update(&buffer[..n]),
            }
        }
        let digest = hash.finalize();
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn mismatch(&self, wanted: Wanted, reason: String) -> PullError {
        PullError::Mismatch {
            file: wanted.name.to_owned(),
            url: self.source.folder().to_owned(),
            reason,
        }
    }
}

/// A failure on the way, under the name of what was fetched.
pub(super) fn network(file: &str, source: EgressError) -> PullError {
    match source {
        EgressError::Cancelled => PullError::Cancelled(indago_core::Cancelled),
        source => PullError::Network {
            file: file.to_owned(),
            source,
        },
    }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn remove(path: &Path) -> Result<(), PullError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(PullError::disk(path)(e)),
        _ => Ok(()),
    }
}

/// The file, to be written from a byte on; 0 empties it.
fn open(path: &Path, first: u64) -> Result<File, PullError> {
    let mut options = OpenOptions::new();
    if first == 0 {
        options.write(true).create(true).truncate(true);
    } else {
        options.append(true);
    }
    options.open(path).map_err(PullError::disk(path))
}

/// First byte and whole length of `bytes FIRST-LAST/LENGTH` (RFC 9110, section 14.4).
fn range_of(header: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = header.strip_prefix("bytes ")?.split_once('/')?;
    let first = range.split_once('-')?.0.parse().ok()?;
    Some((first, total.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        assert_eq!(range_of("bytes 10-99/100"), Some((10, Some(100))));
        assert_eq!(range_of("bytes 10-99/*"), Some((10, None)));
        for bad in ["", "bytes", "bytes */100", "items 1-2/3", "bytes -5/9"] {
            assert_eq!(range_of(bad), None, "{bad}");
        }
    }
}
