//! What can go wrong on the way out, sorted by what the caller can do.

/// A request was refused here, or failed on its way. No variant holds a secret: URLs are shown
/// without user, query and fragment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EgressError {
    /// The offline switch is on.
    #[error("offline: nothing is sent to `{host}`")]
    Offline {
        /// Where it would have gone.
        host: String,
    },
    /// The address cannot be used.
    #[error("address `{url}`: {reason}")]
    BadUrl {
        /// The address, as far as it may be shown.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The rules forbid it.
    #[error("`{host}` may not be reached: {reason}")]
    Forbidden {
        /// Where it would have gone.
        host: String,
        /// Which rule.
        reason: String,
    },
    /// The server answered with a redirect that is not followed.
    #[error("`{host}` redirects: {reason}")]
    Redirect {
        /// Who redirects.
        host: String,
        /// Why it is not followed.
        reason: String,
    },
    /// A phase took longer than its limit.
    #[error("`{host}` gave no {phase} within {limit_ms} ms")]
    TimedOut {
        /// Who was asked.
        host: String,
        /// `connection`, `answer`, `next piece` or `complete answer`.
        phase: &'static str,
        /// The limit.
        limit_ms: u64,
    },
    /// The answer is longer than it may be. What was read of it is dropped.
    #[error("`{host}` sent more than {limit} bytes")]
    TooLarge {
        /// Who was asked.
        host: String,
        /// The limit.
        limit: u64,
    },
    /// The answer is of another kind than what was asked for.
    #[error("`{host}` sent `{found}`, not {wanted}")]
    ContentType {
        /// Who was asked.
        host: String,
        /// What came.
        found: String,
        /// What was wanted.
        wanted: String,
    },
    /// No connection: the name is unknown, nobody listens, the certificate is not trusted.
    #[error("cannot connect to `{host}`: {reason}")]
    Connect {
        /// Who was asked.
        host: String,
        /// What happened.
        reason: String,
    },
    /// The connection broke, or what came is no HTTP.
    #[error("the connection to `{host}` broke: {reason}")]
    Broken {
        /// Who was asked.
        host: String,
        /// What happened.
        reason: String,
    },
    /// The door itself cannot be built from its policy.
    #[error("cannot set up the network client: {reason}")]
    Setup {
        /// What is wrong.
        reason: String,
    },
    /// Cancelled.
    #[error("cancelled")]
    Cancelled,
}

impl EgressError {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::TimedOut { .. } | Self::Connect { .. } | Self::Broken { .. }
        )
    }
}

/// An error of the HTTP client as one of ours. Refusals by the resolver hook come back as they were.
pub(crate) fn from_client(host: &str, connect_ms: u64, error: reqwest::Error) -> EgressError {
    let host = host.to_owned();
    let error = error.without_url();
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    let mut reason = String::new();
    while let Some(inner) = cause {
        if let Some(ours) = inner.downcast_ref::<EgressError>() {
            return ours.clone();
        }
        let text = inner.to_string();
        if !reason.contains(&text) {
            reason = if reason.is_empty() {
                text
            } else {
                format!("{reason}: {text}")
            };
        }
        cause = inner.source();
    }
    if error.is_timeout() {
        EgressError::TimedOut {
            host,
            phase: "connection",
            limit_ms: connect_ms,
        }
    } else if error.is_connect() {
        EgressError::Connect { host, reason }
    } else {
        EgressError::Broken { host, reason }
    }
}
