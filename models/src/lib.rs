//! indago-models.
