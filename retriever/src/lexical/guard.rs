//! tantivy takes the bytes of its files for granted: what was forged, or damaged in a file too large
//! to be checked at each opening, makes it panic. Such panics are errors that name the index.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use indago_core::ports::RetrieveError;

use crate::error::corrupt;

/// What `read` gives, a panic of it as [`RetrieveError::Corrupt`] of `dir`.
pub(super) fn guarded<T>(
    dir: &Path,
    read: impl FnOnce() -> Result<T, RetrieveError>,
) -> Result<T, RetrieveError> {
    // Readers change nothing; what a search had collected is dropped with it.
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|panic| Err(corrupt(dir, format!("tantivy panicked: {}", told(&*panic)))))
}

fn told(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message")
}
