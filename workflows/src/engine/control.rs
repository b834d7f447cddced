//! The control channel of a living run: a local socket that only its owner may use.
//!
//! Whoever steers a run of another process asks its host here, which checks, records and obeys at
//! once. Where there is no such socket (another system, a path that is too long, too many runs)
//! the journal carries the same: the request is recorded there and the host, which looks every
//! few milliseconds whether others wrote, obeys it then. Nothing goes over the socket that is not
//! recorded.
//!
//! One request a connection, one JSON object a line: `{"steer": …}` is answered with
//! `{"number": 3}` or `{"refused": "why"}`.

use std::path::{Path, PathBuf};

use indago_core::{RunId, Steering};
use serde::{Deserialize, Serialize};

/// Longest line that is read, in bytes.
const MAX_LINE_BYTES: u64 = 1 << 22;

/// What a host answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reply {
    Number(u32),
    Refused(String),
}

/// What is asked of a host.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Ask {
    Steering(Steering),
}

/// Where the socket of a run of the journal in `folder` lies.
fn path_of(folder: &Path, run: &RunId) -> PathBuf {
    folder.join("control").join(format!("{run}.sock"))
}

#[cfg(unix)]
pub(crate) use unix::{ask, listen};

#[cfg(unix)]
mod unix {
    use std::fs;
    use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Duration;

    use indago_core::{RunId, Steering};

    use super::{Ask, MAX_LINE_BYTES, Reply, path_of};

    /// How long either side waits for the other: both are on this machine.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// Sockets of one process at most; further runs are steered through the journal.
    const MAX_SOCKETS: usize = 64;

    static OPEN: AtomicUsize = AtomicUsize::new(0);

    /// A socket that is listened to; dropping it closes and removes it.
    pub(crate) struct Listening {
        path: PathBuf,
        is_over: Arc<AtomicBool>,
    }

    impl Drop for Listening {
        fn drop(&mut self) {
            self.is_over.store(true, Ordering::Release);
            // Wakes the thread that waits for a connection, so that it sees the end.
            let _woken = UnixStream::connect(&self.path);
            let _gone = fs::remove_file(&self.path);
            OPEN.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Listens for steerings of a run and hands them to `obey`, which says under which number each
    /// was recorded. `None` where no socket can be had.
    pub(crate) fn listen(
        folder: &Path,
        run: &RunId,
        obey: impl Fn(Steering) -> Result<u32, String> + Send + 'static,
    ) -> Option<Listening> {
        if OPEN.fetch_add(1, Ordering::AcqRel) >= MAX_SOCKETS {
            OPEN.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        let path = path_of(folder, run);
        match open(&path, obey) {
            Ok(is_over) => Some(Listening { path, is_over }),
            Err(error) => {
                tracing::debug!(%run, %error, "no control socket; the journal carries requests");
                OPEN.fetch_sub(1, Ordering::AcqRel);
                None
            }
        }
    }

    fn open(
        path: &Path,
        obey: impl Fn(Steering) -> Result<u32, String> + Send + 'static,
    ) -> io::Result<Arc<AtomicBool>> {
        let folder = path.parent().unwrap_or(path);
        // Closed to others before the socket is there, so there is no moment at which it is open.
        match fs::DirBuilder::new().mode(0o700).create(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?,
        }
        // We hold the run's lock, so a socket that lies there is a dead process's.
        let _stale = fs::remove_file(path);
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        std::thread::Builder::new()
            .name("indago-control".into())
            .stack_size(256 << 10)
            .spawn(move || {
                for connection in listener.incoming() {
                    if ends.load(Ordering::Acquire) {
                        break;
                    }
                    let served = connection.and_then(|stream| serve(stream, &obey));
                    if let Err(error) = served {
                        tracing::debug!(%error, "a control connection failed");
                    }
                }
            })?;
        Ok(is_over)
    }

    fn serve(
        stream: UnixStream,
        obey: &impl Fn(Steering) -> Result<u32, String>,
    ) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let line = read_line(&stream)?;
        let reply = match serde_json::from_slice(&line) {
            Ok(Ask::Steering(steering)) => match obey(steering) {
                Ok(number) => Reply::Number(number),
                Err(reason) => Reply::Refused(reason),
            },
            Err(error) => Reply::Refused(format!("this is no request: {error}")),
        };
        write_line(&stream, &reply)
    }

    /// Asks the host of a run. `None` when nobody listens there; then the journal is the way.
    pub(crate) fn ask(
        folder: &Path,
        run: &RunId,
        steering: &Steering,
    ) -> Option<Result<u32, String>> {
        let ask = || -> io::Result<Reply> {
            let stream = UnixStream::connect(path_of(folder, run))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            write_line(&stream, &Ask::Steering(steering.clone()))?;
            Ok(serde_json::from_slice(&read_line(&stream)?)?)
        };
        match ask() {
            Ok(Reply::Number(number)) => Some(Ok(number)),
            Ok(Reply::Refused(reason)) => Some(Err(reason)),
            Err(error) => {
                tracing::debug!(%run, %error, "the control socket does not answer");
                None
            }
        }
    }

    fn read_line(stream: &UnixStream) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        BufReader::new(stream)
            .take(MAX_LINE_BYTES)
            .read_until(b'\n', &mut line)?;
        Ok(line)
    }

    fn write_line(mut stream: &UnixStream, value: &impl serde::Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        stream.write_all(&line)
    }
}

#[cfg(not(unix))]
pub(crate) use elsewhere::{ask, listen};

#[cfg(not(unix))]
mod elsewhere {
    use std::path::Path;

    use indago_core::{RunId, Steering};

    pub(crate) struct Listening;

    pub(crate) fn listen(
        _folder: &Path,
        _run: &RunId,
        _obey: impl Fn(Steering) -> Result<u32, String> + Send + 'static,
    ) -> Option<Listening> {
        None
    }

    pub(crate) fn ask(
        _folder: &Path,
        _run: &RunId,
        _steering: &Steering,
    ) -> Option<Result<u32, String>> {
        None
    }
}
