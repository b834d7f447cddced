//! The one door to the network.
//!
//! Everything that leaves this machine goes through a [`Door`]: it checks where a request goes
//! *after* the name was resolved and again on every redirect, bounds size and time, keeps
//! [`Secret`]s out of everything that is written, obeys the offline switch and logs what was sent
//! where. Crates that speak HTTP are given a door; none opens a socket of its own.
//!
//! By default only public addresses are reached. Loopback and private ranges need an [`Origin`]
//! that somebody configured; link-local addresses (cloud metadata lives there), unspecified,
//! multicast and reserved ones are never reached. `docs/decisions/0021-one-door.md` has the rules
//! and their reasons.

mod address;
mod background;
mod door;
mod error;
mod limiter;
mod log;
mod policy;
mod resolve;
mod response;
mod secret;
mod trust;
mod wait;

pub use address::{Reach, reach};
pub use door::{Body, Door, Limits, Method, Request};
pub use error::EgressError;
pub use limiter::{Limiter, Permit, Rates};
pub use log::{EgressLog, LogEntry};
pub use policy::{Origin, Policy};
pub use resolve::{Resolve, SystemResolver};
pub use response::Response;
pub use secret::Secret;
pub use wait::{or_cancelled, sleep};
