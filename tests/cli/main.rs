//! The command line as a user meets it: exit code, stdout, stderr.

mod ask;
mod bad_input;
mod basics;
mod index;
mod support;
