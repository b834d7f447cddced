//! indago-planner.
