//! The command line as a user meets it: exit code, stdout, stderr.

#![expect(
    clippy::panic,
    clippy::print_stdout,
    reason = "test support fails and says what it skips"
)]

mod ask;
mod at_once;
mod attach;
mod bad_input;
mod basics;
mod contracts;
mod dense;
mod device;
mod facts;
mod faults;
mod index;
mod killed;
mod languages;
mod model;
mod models;
mod phrases;
mod pull;
mod rerank;
mod runs;
mod servers;
mod substrings;
mod support;
mod sweep;
mod terminal;
mod tui;
mod web;
