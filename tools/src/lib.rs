//! What an agent may call: tools with JSON schemas, declared effects and grants.
//!
//! A [`Registry`] holds the tools of a program, a [`Grant`] what one run may use of them. A model's
//! call comes in as text: [`Desk::call`] checks the name, the grant, the effects and the arguments
//! before anything runs, and whatever it refuses is recorded and answered with a sentence that the
//! model can act on. [`corpus`] has the tools that read a corpus.

pub mod corpus;
mod desk;
mod grant;
mod registry;
mod scoped;

pub use desk::{CallRecord, Desk, Outcome};
pub use grant::Grant;
pub use registry::{Registry, RegistryError};
pub use scoped::CorpusTools;
