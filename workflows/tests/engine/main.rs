//! What every engine owes a run, checked against the journal in memory and the one on disk.

mod conformance;
mod crash;
mod disk;
mod tasks;
