//! A web server on this machine over files in memory, which breaks off, lies and refuses.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A request as it came: path and headers, lower-cased names.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
}

/// What the server does.
#[derive(Debug, Default)]
pub(crate) struct Behaviour {
    /// Files by path.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Bytes of a body after which the connection is cut, once for each entry.
    pub(crate) cuts: Vec<usize>,
    /// Answers with this status whatever is asked, as often as there are entries.
    pub(crate) statuses: Vec<u16>,
    /// Whether ranges are ignored.
    pub(crate) no_ranges: bool,
    /// Milliseconds between pieces of 4 kB.
    pub(crate) pause_ms: u64,
    /// Redirects everything there.
    pub(crate) elsewhere: Option<String>,
    pub(crate) seen: Vec<Seen>,
}

/// A web server over files in memory.
pub(crate) struct Web {
    address: String,
    behaviour: Arc<Mutex<Behaviour>>,
    is_over: Arc<AtomicBool>,
}

impl Web {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let behaviour = Arc::new(Mutex::new(Behaviour::default()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (shared, over) = (Arc::clone(&behaviour), Arc::clone(&is_over));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&shared);
                // A client that goes away is what some of these tests are about.
                std::thread::spawn(move || drop(answer(stream, &shared)));
            }
        });
        Self {
            address,
            behaviour,
            is_over,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn now(&self) -> MutexGuard<'_, Behaviour> {
        self.behaviour
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows a folder of models as a hub does, with its list.
    pub(crate) fn hub(&self, name: &str, folder: &Path) {
        let mut rows = Vec::new();
        for (file, bytes) in files(folder) {
            rows.push(serde_json::json!({
                "type": "file", "path": file, "size": bytes.len(),
                "lfs": { "oid": sum(&bytes), "size": bytes.len() },
            }));
            let path = format!("/{name}/resolve/main/{file}");
            self.now().files.insert(path, bytes);
        }
        let list = Value::Array(rows).to_string().into_bytes();
        self.now()
            .files
            .insert(format!("/api/models/{name}/tree/main"), list);
    }

    /// Shows a folder as any server does.
    pub(crate) fn folder(&self, at: &str, folder: &Path) {
        for (file, bytes) in files(folder) {
            self.now().files.insert(format!("/{at}/{file}"), bytes);
        }
    }

    /// Waits between pieces of weights.
    pub(crate) fn slow_down(&self, pause_ms: u64) {
        self.now().pause_ms = pause_ms;
    }

    /// Whether somebody asked for the rest of some weights.
    pub(crate) fn went_on(&self) -> bool {
        self.ranges().iter().any(Option::is_some)
    }

    pub(crate) fn ranges(&self) -> Vec<Option<String>> {
        let now = self.now();
        let weights = now
            .seen
            .iter()
            .filter(|seen| seen.path.ends_with("model.safetensors"));
        weights
            .map(|seen| seen.headers.get("range").cloned())
            .collect()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(&self.address));
    }
}

pub(crate) fn sum(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            let below = files(&path).into_iter();
            all.extend(below.map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            all.push((name, std::fs::read(&path).expect("a file")));
        }
    }
    all
}

fn answer(mut stream: TcpStream, shared: &Mutex<Behaviour>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
    let mut now = lock();
    now.seen.push(Seen {
        path: path.clone(),
        headers: headers.clone(),
    });
    let weights = path.ends_with("model.safetensors");
    if let Some(elsewhere) = &now.elsewhere {
        let head = format!(
            "HTTP/1.1 302 Found\r\nlocation: {elsewhere}{path}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        );
        return stream.write_all(head.as_bytes());
    }
    if weights && let Some(status) = now.statuses.pop() {
        let head = format!(
            "HTTP/1.1 {status} No\r\ncontent-length: 0\r\nretry-after: 0\r\nconnection: close\r\n\r\n"
        );
        return stream.write_all(head.as_bytes());
    }
    let Some(bytes) = now.files.get(&path).cloned() else {
        return stream.write_all(
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        );
    };
    let tag = format!("\"{}\"", &sum(&bytes)[..16]);
    let wanted = headers.get("range").and_then(|range| {
        let fits = headers.get("if-range").is_none_or(|known| *known == tag);
        let first = range.strip_prefix("bytes=")?.strip_suffix('-')?;
        first
            .parse::<usize>()
            .ok()
            .filter(|_| fits && !now.no_ranges)
    });
    let (from, status) = match wanted {
        Some(from) if from >= bytes.len() => {
            let head = format!(
                "HTTP/1.1 416 No\r\ncontent-range: bytes */{}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
                bytes.len()
            );
            return stream.write_all(head.as_bytes());
        }
        Some(from) => (
            from,
            format!(
                "206 Part\r\ncontent-range: bytes {from}-{}/{}",
                bytes.len() - 1,
                bytes.len()
            ),
        ),
        None => (0, "200 OK".to_owned()),
    };
    let cut = if weights { now.cuts.pop() } else { None };
    let pause = if weights { now.pause_ms } else { 0 };
    drop(now);
    let body = &bytes[from..];
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\netag: {tag}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    let body = &body[..cut.unwrap_or(body.len()).min(body.len())];
    for piece in body.chunks(4096) {
        stream.write_all(piece)?;
        if pause > 0 {
            std::thread::sleep(Duration::from_millis(pause));
        }
    }
    // Waits for the client to close, so that what was sent arrives.
    if cut.is_none() {
        let _ = stream.read(&mut [0]);
    }
    Ok(())
}
