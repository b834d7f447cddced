//! One server: the way to it, its key, its pace.

use std::fmt;

use indago_core::ports::LanguageModelError;
use indago_egress::{Door, EgressError, Limiter, Request, Secret};

/// A server that several models may share.
#[derive(Clone)]
pub struct Endpoint {
    /// The door that requests go through.
    pub door: Door,
    /// Where it is, up to and including `/v1`.
    pub base_url: String,
    /// Its key; empty for none.
    pub key: Option<Secret>,
    /// Its pace, shared by everything that asks it.
    pub limiter: Limiter,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// A request of JSON to `path` below the base.
    pub(super) fn post(&self, purpose: &'static str, path: &str, json: Vec<u8>) -> Request {
        let url = format!("{}{path}", self.base_url.trim_end_matches('/'));
        Request {
            bearer: self.key.clone(),
            ..Request::post_json(purpose, url, json)
        }
    }

    /// A reading request to `path` below the base.
    pub(super) fn get(&self, purpose: &'static str, path: &str) -> Request {
        let url = format!("{}{path}", self.base_url.trim_end_matches('/'));
        Request {
            bearer: self.key.clone(),
            ..Request::get(purpose, url)
        }
    }

    /// Text from the server without the key, should it repeat it.
    pub(super) fn clean(&self, text: String) -> String {
        match &self.key {
            Some(key) => key.redact(text),
            None => text,
        }
    }
}

/// A failure on the way as a failure of `model`.
pub(super) fn from_egress(model: &str, error: EgressError) -> LanguageModelError {
    let model = model.to_owned();
    match error {
        EgressError::Cancelled => LanguageModelError::Cancelled,
        EgressError::TimedOut {
            phase, limit_ms, ..
        } => LanguageModelError::TimedOut {
            model,
            phase: phase.to_owned(),
            limit_ms,
        },
        EgressError::TooLarge { .. } | EgressError::ContentType { .. } => {
            LanguageModelError::Malformed {
                model,
                reason: error.to_string(),
            }
        }
        EgressError::Connect { .. } | EgressError::Broken { .. } => {
            LanguageModelError::Unavailable {
                model,
                reason: error.to_string(),
                retry_after_ms: None,
            }
        }
        // Rules and set-up: the same next time.
        refused => LanguageModelError::Refused {
            model,
            reason: refused.to_string(),
        },
    }
}
