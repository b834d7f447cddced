//! indago-workflows.
