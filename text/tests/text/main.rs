//! Table-driven and property tests of the text crate, in one binary.

mod introductions;
mod languages;
mod names;
mod numbers;
mod properties;
mod questions;
mod sentences;
mod terms;
