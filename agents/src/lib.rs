//! indago-agents.
