//! Calls to language models that are under way, for whoever watches a run from another process.
//!
//! Beside the journal there is a small file for each call from its beginning to its end, with the
//! end of what the model has written so far. It is for display only: nothing reads it back into a
//! run, and what is lost with it is shown again by nobody.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indago_core::ports::{Delta, DeltaSink};
use indago_core::{ContentHash, RunId};
use serde::{Deserialize, Serialize};

/// Bytes of text that are kept of a call: the last ones.
const MAX_TEXT: usize = 4096;
/// Bytes of a file, at most: what is larger is none of ours.
const MAX_FILE: u64 = 64 * 1024;
/// Calls that are told of.
const MAX_CALLS: usize = 64;
/// How often what is written is told.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// A call that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveCall {
    /// The model's configured name.
    pub model: String,
    /// The step that made it, such as `write/1`.
    pub step: String,
    /// The end of what it has written, reasoning included; empty where nothing comes before the end.
    pub text: String,
}

/// The calls of a run that are under way, in the order of their steps. `folder` is the journal's.
pub fn live_calls(folder: &Path, run: &RunId) -> Vec<LiveCall> {
    let Ok(entries) = std::fs::read_dir(place(folder, run)) else {
        return Vec::new();
    };
    let mut calls: Vec<LiveCall> = entries
        .flatten()
        .take(MAX_CALLS)
        .filter(|entry| entry.path().extension().is_none())
        .filter(|entry| entry.metadata().is_ok_and(|found| found.len() <= MAX_FILE))
        // A file that is being replaced or removed is no call to show.
        .filter_map(|entry| serde_json::from_slice(&std::fs::read(entry.path()).ok()?).ok())
        .collect();
    calls.sort_by(|a, b| (&a.step, &a.model).cmp(&(&b.step, &b.model)));
    calls
}

/// Where the calls of a run are told. Ids come from outside and are no paths.
fn place(folder: &Path, run: &RunId) -> PathBuf {
    let hash = indago_core::ContentHash::of(run.as_str().as_bytes()).to_string();
    folder.join("live").join(hash)
}

/// Tells of one call until it is dropped.
pub(crate) struct Telling {
    path: PathBuf,
    said: Mutex<Said>,
}

struct Said {
    call: LiveCall,
    told: Instant,
}

impl Telling {
    /// Begins to tell of a call. A folder that cannot be written is no reason not to make it.
    pub(crate) fn begin(
        folder: &Path,
        run: &RunId,
        request: ContentHash,
        call: LiveCall,
    ) -> Arc<Self> {
        let place = place(folder, run);
        forget_earlier(&place);
        let telling = Self {
            path: place.join(request.to_string()),
            said: Mutex::new(Said {
                call,
                told: Instant::now(),
            }),
        };
        telling.tell(&telling.lock().call);
        Arc::new(telling)
    }

    /// A sink that tells, and passes on to another one.
    pub(crate) fn sink(self: &Arc<Self>, next: Option<DeltaSink>) -> DeltaSink {
        let this = Arc::clone(self);
        Arc::new(move |delta: Delta| {
            let (Delta::Text(text) | Delta::Reasoning(text)) = &delta;
            this.add(text);
            if let Some(next) = &next {
                next(delta);
            }
        })
    }

    fn add(&self, text: &str) {
        let mut said = self.lock();
        let written = &mut said.call.text;
        written.push_str(text);
        if let Some(mut cut) = written.len().checked_sub(MAX_TEXT) {
            while !written.is_char_boundary(cut) {
                cut += 1;
            }
            written.drain(..cut);
        }
        if said.told.elapsed() >= TELL_EVERY {
            said.told = Instant::now();
            self.tell(&said.call);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the file, so that nobody reads a half.
    fn tell(&self, call: &LiveCall) {
        let part = self.path.with_extension("part");
        let told = serde_json::to_vec(call)
            .map_err(std::io::Error::from)
            .and_then(|bytes| std::fs::write(&part, bytes))
            .and_then(|()| std::fs::rename(&part, &self.path));
        if let Err(error) = told {
            tracing::debug!(%error, "a call under way cannot be told of");
        }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        // Somebody may have cleaned up before.
        let _gone = std::fs::remove_file(&self.path);
    }
}

/// Makes the folder, without what a process that died has left there: a run has one host at a time.
fn forget_earlier(place: &Path) {
    static MINE: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
    let mut mine = MINE.lock().unwrap_or_else(PoisonError::into_inner);
    if mine.get_or_insert_default().insert(place.to_owned()) {
        // It need not be there.
        let _none = std::fs::remove_dir_all(place);
    }
    // What comes of it shows at the first file.
    let _made = std::fs::create_dir_all(place);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(step: &str) -> LiveCall {
        LiveCall {
            model: "tiny".to_owned(),
            step: step.to_owned(),
            text: String::new(),
        }
    }

    #[test]
    fn a_call_is_told_of_while_it_is_under_way() {
        let folder = tempfile::tempdir().unwrap();
        let (run, other) = (RunId::new("../../r 1"), RunId::new("r2"));
        assert_eq!(live_calls(folder.path(), &run), []);
        let first = ContentHash::of(b"1");
        let telling = Telling::begin(folder.path(), &run, first, call("write/1"));
        let second = Telling::begin(folder.path(), &run, ContentHash::of(b"2"), call("read/1"));
        let steps = |run: &RunId| -> Vec<String> {
            let calls = live_calls(folder.path(), run);
            calls.into_iter().map(|call| call.step).collect()
        };
        assert_eq!(steps(&run), ["read/1", "write/1"]);
        assert!(steps(&other).is_empty());
        drop(second);
        let passed = Arc::new(Mutex::new(0));
        let count = Arc::clone(&passed);
        let sink = telling.sink(Some(Arc::new(move |_delta| *count.lock().unwrap() += 1)));
        for _ in 0..3000 {
            sink(Delta::Text("Æther ".to_owned()));
        }
        std::thread::sleep(TELL_EVERY);
        sink(Delta::Reasoning("at last".to_owned()));
        assert_eq!(*passed.lock().unwrap(), 3001);
        let told = live_calls(folder.path(), &run).remove(0);
        assert!(told.text.len() <= MAX_TEXT && told.text.ends_with("Æther at last"));
        drop((sink, telling));
        assert!(steps(&run).is_empty());
    }

    #[test]
    fn what_is_no_call_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunId::new("r");
        let place = place(folder.path(), &run);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("half"), "{\"model\": \"x").unwrap();
        std::fs::write(place.join("large"), vec![b' '; 1 << 20]).unwrap();
        assert_eq!(live_calls(folder.path(), &run), []);
    }
}
