//! Answers, read piece by piece within their limits.

use std::time::{Duration, SystemTime};

use indago_core::Cancel;
use tokio::time::Instant;

use crate::EgressError;
use crate::error::from_client;
use crate::wait::{Ended, until};

/// An answer whose head has come.
#[derive(Debug)]
pub struct Response {
    pub(crate) inner: reqwest::Response,
    pub(crate) host: String,
    pub(crate) cancel: Cancel,
    pub(crate) between: Duration,
    pub(crate) total: Duration,
    pub(crate) deadline: Instant,
    pub(crate) max_bytes: u64,
    pub(crate) read: u64,
}

impl Response {
    /// Status code.
    pub fn status(&self) -> u16 {
        self.inner.status().as_u16()
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        self.inner.status().is_success()
    }

    /// A header's value; `None` when absent or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.inner.headers().get(name)?.to_str().ok()
    }

    /// How long the server asks to wait: seconds, or a date in the future.
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(self.header("retry-after")?, SystemTime::now())
    }

    /// Media type without its parameters, lower-cased; empty when none was sent.
    pub fn content_type(&self) -> String {
        essence(self.header("content-type").unwrap_or_default())
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When a limit is passed, the connection breaks, or the request was cancelled.
    pub async fn chunk(&mut self) -> Result<Option<Vec<u8>>, EgressError> {
        self.chunk_within(self.between, "next piece").await
    }

    /// The next piece, waited for at most `limit`, which `phase` names.
    ///
    /// # Errors
    /// As [`Self::chunk`].
    pub async fn chunk_within(
        &mut self,
        limit: Duration,
        phase: &'static str,
    ) -> Result<Option<Vec<u8>>, EgressError> {
        let phase_end = Instant::now() + limit;
        let end = phase_end.min(self.deadline);
        let piece = match until(self.inner.chunk(), Some(end), &self.cancel).await {
            Ok(piece) => piece.map_err(|e| from_client(&self.host, 0, e))?,
            Err(Ended::Cancelled) => return Err(EgressError::Cancelled),
            Err(Ended::TimeIsUp) => {
                let (phase, limit) = if phase_end <= self.deadline {
                    (phase, limit)
                } else {
                    ("complete answer", self.total)
                };
                return Err(EgressError::TimedOut {
                    host: self.host.clone(),
                    phase,
                    limit_ms: limit.as_millis() as u64,
                });
            }
        };
        let Some(piece) = piece else { return Ok(None) };
        self.read += piece.len() as u64;
        if self.read > self.max_bytes {
            return Err(EgressError::TooLarge {
                host: self.host.clone(),
                limit: self.max_bytes,
            });
        }
        Ok(Some(piece.to_vec()))
    }

    /// All that is left.
    ///
    /// # Errors
    /// As [`Self::chunk`].
    pub async fn bytes(mut self) -> Result<Vec<u8>, EgressError> {
        let mut all = Vec::new();
        while let Some(piece) = self.chunk().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }
}

/// The media type in front of its parameters.
pub(crate) fn essence(header: &str) -> String {
    header
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// `Retry-After` (RFC 9110, section 10.2.3); a date that has passed asks for nothing.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    match value.trim().parse::<u32>() {
        Ok(seconds) => Some(Duration::from_secs(seconds.into())),
        Err(_not_a_number) => httpdate::parse_http_date(value)
            .ok()?
            .duration_since(now)
            .ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_as_seconds_or_dates() {
        let now = httpdate::parse_http_date("Wed, 21 Oct 2015 07:28:00 GMT").unwrap();
        assert_eq!(retry_after(" 7 ", now), Some(Duration::from_secs(7)));
        let later = retry_after("Wed, 21 Oct 2015 07:29:00 GMT", now);
        assert_eq!(later, Some(Duration::from_mins(1)));
        for nothing in [
            "-3",
            "soon",
            "",
            "Wed, 21 Oct 2015 07:27:00 GMT",
            "99999999999999999999",
        ] {
            assert_eq!(retry_after(nothing, now), None, "{nothing}");
        }
    }
}
