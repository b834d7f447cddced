//! indago-text.
