//! Answers that were given before, kept as files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indago_core::ports::{
    BoxFuture, Completion, Delta, DeltaSink, LanguageModel, LanguageModelError, Request, TokenUsage,
};
use indago_core::{Cancel, ContentHash};
use serde::{Deserialize, Serialize};

/// Largest file that is read.
const MAX_FILE: u64 = 16 << 20;

/// A folder of answers, one file each, named by the hash of model, prompt and parameters. May be
/// deleted at any time.
#[derive(Debug)]
pub struct ResponseCache {
    folder: PathBuf,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// How often an answer was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CacheStats {
    /// Answers that were taken from the cache.
    pub hits: u64,
    /// Answers that were paid for.
    pub misses: u64,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    /// Hash of the answer's JSON: a damaged file is asked again, not believed.
    checksum: String,
    completion: Completion,
}

impl ResponseCache {
    /// The cache in `folder`, which need not exist yet.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }

    /// How often an answer was there, in this process.
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
        }
    }

    fn file(&self, model: &dyn LanguageModel, request: &Request) -> Option<PathBuf> {
        let key = serde_json::to_vec(&(model.fingerprint(), request)).ok()?;
        let hash = ContentHash::of(&key).to_string();
        Some(self.folder.join(&hash[..2]).join(format!("{hash}.json")))
    }

    fn read(path: &Path) -> Option<Completion> {
        let length = fs::metadata(path).ok()?.len();
        let bytes = (length <= MAX_FILE)
            .then(|| fs::read(path).ok())
            .flatten()?;
        let entry: Entry = serde_json::from_slice(&bytes).ok()?;
        (checksum(&entry.completion)? == entry.checksum).then_some(entry.completion)
    }

    /// Written beside and moved into place, so that no reader sees half of it.
    fn write(path: &Path, completion: &Completion) -> io::Result<()> {
        let Some((folder, checksum)) = path.parent().zip(checksum(completion)) else {
            return Ok(());
        };
        fs::create_dir_all(folder)?;
        let entry = Entry {
            checksum,
            completion: completion.clone(),
        };
        let beside = path.with_extension(format!("{}.tmp", std::process::id()));
        fs::write(&beside, serde_json::to_vec(&entry)?)?;
        fs::rename(&beside, path)
    }
}

fn checksum(completion: &Completion) -> Option<String> {
    Some(ContentHash::of(&serde_json::to_vec(completion).ok()?).to_string())
}

/// A model whose answers are kept.
pub struct Cached {
    inner: Arc<dyn LanguageModel>,
    cache: Arc<ResponseCache>,
}

impl std::fmt::Debug for Cached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cached")
            .field("model", &self.inner.name())
            .field("cache", &self.cache)
            .finish()
    }
}

impl Cached {
    /// Keeps the answers of `inner` in `cache`.
    pub fn new(inner: Arc<dyn LanguageModel>, cache: Arc<ResponseCache>) -> Self {
        Self { inner, cache }
    }
}

impl LanguageModel for Cached {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn fingerprint(&self) -> &str {
        self.inner.fingerprint()
    }

    fn window(&self) -> Option<u64> {
        self.inner.window()
    }

    fn count(&self, request: &Request) -> (u64, bool) {
        self.inner.count(request)
    }

    fn gives_logprobs(&self) -> bool {
        self.inner.gives_logprobs()
    }

    fn price_micros(&self, usage: TokenUsage) -> u64 {
        self.inner.price_micros(usage)
    }

    fn complete(
        &self,
        request: Request,
        deltas: Option<DeltaSink>,
        cancel: Cancel,
    ) -> BoxFuture<'_, Result<Completion, LanguageModelError>> {
        Box::pin(async move {
            let path = self.cache.file(&*self.inner, &request);
            if let Some(mut known) = path.as_deref().and_then(ResponseCache::read) {
                known.usage.money_micros = 0;
                self.cache.hits.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(
                    model = self.inner.name(),
                    "answered from the response cache"
                );
                if let Some(show) = deltas {
                    show(Delta::Text(known.text.clone()));
                }
                return Ok(known);
            }
            let answer = self.inner.complete(request, deltas, cancel).await?;
            self.cache.misses.fetch_add(1, Ordering::Relaxed);
            if let Some(path) = path
                && let Err(error) = ResponseCache::write(&path, &answer)
            {
                tracing::warn!(%error, "an answer could not be kept");
            }
            Ok(answer)
        })
    }
}
