//! A language model server for tests: a real HTTP server that speaks the OpenAI wire format and
//! behaves as it was told to.
//!
//! ```
//! use indago_scripted::{Call, Dialect, Reply, Server};
//!
//! let server = Server::start(|call: &Call| Reply::text(format!("{} messages", call.messages().len())));
//! assert!(server.base_url().ends_with("/v1"));
//! ```
//!
//! What it answers comes from a [`Brain`]; a brain can be wrapped into one that is [`Sloppy`],
//! [`Gullible`] or [`Faulty`]. Every request is recorded as it came, and `usage` counts the prompt's
//! tokens, of which as many are cached as it has in common with the start of an earlier request.

mod brain;
mod call;
mod fault;
mod record;
mod serve;
mod shape;
mod wire;

pub use brain::{Brain, Gullible, Reply, Sloppy, ToolUse};
pub use call::{Call, Message};
pub use fault::{Fault, Faulty};
pub use record::{Recorded, tokens_of};
pub use serve::{Dialect, Server, Settings};
pub use shape::instance_of;
