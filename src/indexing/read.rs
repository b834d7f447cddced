//! Reads files on several threads and hands their documents over in the order of the files.
//!
//! Workers take files in order and each file has a short queue of its own, so memory is bounded by
//! the queues and the file whose turn it is always has a worker. The records of one file are cut and
//! analysed on all cores, a batch at a time: often one large file is all there is.

use std::collections::VecDeque;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indago_core::{Cancel, Cancelled, ContentHash};
use indago_retriever::ingest::{
    ChunkOptions, FoundFile, LoadLimits, Parsed, SkipReason, Skipped, TokenEstimate, Warning,
    chunk, load,
};
use indago_retriever::{FileState, IndexError, Prepared, language_of, prepare};
use indago_text::LanguageChoice;
use rayon::prelude::*;

use crate::Error;

/// Batches of documents of one file that may wait to be written.
const QUEUE: usize = 4;
/// Documents of a batch, at most: enough that handing one over costs little beside making it.
const BATCH: usize = 64;
/// Bytes of text from which a batch is full.
const BATCH_BYTES: usize = 1 << 18;
/// Files that may be read ahead, for each thread.
const AHEAD: usize = 8;
/// How long a cancelled reader goes on to the end of the file it is in, because only whole files
/// can be kept.
const GRACE: Duration = Duration::from_secs(2);

/// How files are read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) threads: usize,
    pub(super) limits: LoadLimits,
    pub(super) chunks: ChunkOptions,
    pub(super) language: LanguageChoice,
    pub(super) cancel: &'a Cancel,
}

/// What reading a file comes to, in this order: one `Begin` unless nothing is to be remembered of
/// it, then documents, skips and warnings, then one `End`.
pub(super) enum Step {
    /// The documents that follow are this file's.
    Begin(FileState),
    /// Documents in their order, ready to be written.
    Documents(Vec<Prepared>),
    /// The file or one of its records was left out.
    Skipped(Skipped),
    /// Something was changed while reading.
    Warning(Warning),
    /// The file is done.
    End {
        /// Its path.
        path: String,
        /// Its length.
        bytes: u64,
    },
}

/// How far reading came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coverage {
    /// All files were read.
    All,
    /// Cancelled after some files, each of them whole.
    Some,
}

type Job = (FoundFile, FileState, SyncSender<Result<Step, Error>>);

impl Reader<'_> {
    /// Reads `files` and calls `take` for every step, file by file in their order.
    ///
    /// # Errors
    /// What `take` returns; [`Error::Cancelled`] when cancelled within a file that does not end soon.
    pub(super) fn run(
        &self,
        files: Vec<(FoundFile, FileState)>,
        mut take: impl FnMut(Step) -> Result<(), Error>,
    ) -> Result<Coverage, Error> {
        let threads = self.threads.max(1);
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Mutex::new(queue);
        std::thread::scope(|scope| {
            // Owned by this closure, so that an early return closes the channels and ends the
            // workers.
            let jobs = jobs;
            for _ in 0..threads {
                scope.spawn(|| self.work(&queue));
            }
            let mut files = files.into_iter();
            let mut waiting: VecDeque<Receiver<Result<Step, Error>>> = VecDeque::new();
            loop {
                while waiting.len() < threads * AHEAD {
                    let Some((file, state)) = files.next() else {
                        break;
                    };
                    let (sender, receiver) = mpsc::sync_channel(QUEUE);
                    if jobs.send((file, state, sender)).is_err() {
                        break;
                    }
                    waiting.push_back(receiver);
                }
                let Some(steps) = waiting.pop_front() else {
                    return Ok(Coverage::All);
                };
                if self.cancel.is_cancelled() {
                    return Ok(Coverage::Some);
                }
                let mut cancelled_at = None;
                for step in steps {
                    if self.cancel.is_cancelled()
                        && cancelled_at.get_or_insert_with(Instant::now).elapsed() > GRACE
                    {
                        return Err(Cancelled.into());
                    }
                    take(step?)?;
                }
            }
        })
    }

    fn work(&self, queue: &Mutex<Receiver<Job>>) {
        loop {
            let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((file, state, steps)) = job else {
                return;
            };
            if let Err(Some(error)) = self.read(&file, state, &steps) {
                // Nobody listens any more when the reader gave up; then neither do we.
                let _ = steps.send(Err(error));
            }
        }
    }

    /// `Err(None)` when the receiver is gone.
    fn read(
        &self,
        file: &FoundFile,
        mut state: FileState,
        steps: &SyncSender<Result<Step, Error>>,
    ) -> Result<(), Option<Error>> {
        let send = |step: Step| steps.send(Ok(step)).map_err(|_closed| None);
        match load(file, &self.limits) {
            Err(skipped) => {
                // What the system refused may be granted later without the file changing, so
                // nothing is remembered that would keep it from being tried again.
                let transient = matches!(
                    skipped.reason,
                    SkipReason::NoPermission | SkipReason::NotFound | SkipReason::Unreadable
                );
                if !transient {
                    send(Step::Begin(state))?;
                }
                send(Step::Skipped(skipped))?;
            }
            Ok(mut documents) => {
                state.hash = state.hash.or_else(|| hash_file(&file.path).ok());
                send(Step::Begin(state))?;
                let mut batch = Vec::new();
                let mut bytes = 0;
                for parsed in documents.by_ref() {
                    match parsed {
                        Err(skipped) => send(Step::Skipped(skipped))?,
                        Ok(parsed) => {
                            bytes += parsed.document.text.len();
                            batch.push(parsed);
                            if batch.len() >= BATCH || bytes >= BATCH_BYTES {
                                send(self.prepared(std::mem::take(&mut batch))?)?;
                                bytes = 0;
                            }
                        }
                    }
                }
                if !batch.is_empty() {
                    send(self.prepared(batch)?)?;
                }
                for warning in documents.warnings() {
                    send(Step::Warning(warning.clone()))?;
                }
            }
        }
        send(Step::End {
            path: file.relative.clone(),
            bytes: file.bytes,
        })
    }

    /// Cuts and analyses a batch, on all cores unless it is a single document or one thread is all
    /// that may be used.
    fn prepared(&self, batch: Vec<Parsed>) -> Result<Step, Error> {
        let one = |parsed: Parsed| -> Result<Prepared, IndexError> {
            let Parsed { document, outline } = parsed;
            let passages = chunk(&document, &outline, &self.chunks, &TokenEstimate);
            let language = language_of(&document, self.language);
            prepare(document, passages, language)
        };
        let prepared: Result<Vec<Prepared>, IndexError> = if batch.len() == 1 || self.threads == 1 {
            batch.into_iter().map(one).collect()
        } else {
            batch.into_par_iter().map(one).collect()
        };
        Ok(Step::Documents(prepared?))
    }
}

/// Hash of a file's bytes, read in pieces.
pub(crate) fn hash_file(path: &Path) -> std::io::Result<ContentHash> {
    let mut file = std::fs::File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(ContentHash(*hasher.finalize().as_bytes())),
            n => hasher.update(&buffer[..n]),
        };
    }
}
