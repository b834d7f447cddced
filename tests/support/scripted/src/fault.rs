//! What can go wrong on a server's side.

use std::time::Duration;

use crate::{Brain, Call, Reply};

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A status with an error body, and `Retry-After` in seconds where given.
    Status {
        /// The status, such as 429 or 503.
        code: u16,
        /// Value of `Retry-After`.
        retry_after: Option<String>,
    },
    /// The request's key is repeated in an error of this status, as some servers do.
    EchoKey(u16),
    /// The request's key is repeated in the answer's text.
    SayKey,
    /// The connection breaks after this many bytes of the body.
    Drop(usize),
    /// Nothing more comes after this many bytes of the body, and the connection stays open.
    Stall(usize),
    /// No answer at all; the connection stays open.
    Silence,
    /// The stream is no proper one: broken JSON, wrong line ends, lines without a field.
    BadStream,
    /// JSON of another shape than the protocol's.
    WrongShape,
    /// A body that is no JSON, under a JSON media type.
    NoJson,
    /// A web page with status 200, as captive portals send.
    WebPage,
    /// No text and no tool call.
    Empty,
    /// A text of this many bytes.
    Long(usize),
    /// A stream line of this many bytes without an end.
    LongLine(usize),
    /// Bytes that are no UTF-8 in the middle of the text.
    BadUtf8,
    /// A call of a tool that nobody offered.
    UnknownTool,
    /// A call whose arguments are no JSON.
    BadArguments,
    /// JSON that does not fit the schema.
    WrongSchema,
    /// A stream that ends without its end mark and without a finish reason.
    NoEnd,
    /// One endless stream of pieces, this far apart.
    Endless(Duration),
    /// A redirect to this address.
    Redirect(String),
    /// `finish_reason` `length` in the middle of a word.
    Cut,
    /// An error object inside a stream that began with status 200.
    ErrorInStream,
}

impl Fault {
    /// One of each, with sizes and times that suit a test.
    pub fn all() -> Vec<Self> {
        let status = |code, retry_after: Option<&str>| Self::Status {
            code,
            retry_after: retry_after.map(str::to_owned),
        };
        vec![
            status(429, None),
            status(429, Some("1")),
            status(429, Some("Wed, 21 Oct 2015 07:28:00 GMT")),
            status(429, Some("-3")),
            status(500, None),
            status(502, None),
            status(503, Some("1")),
            status(400, None),
            status(401, None),
            status(404, None),
            Self::EchoKey(401),
            Self::SayKey,
            Self::Drop(0),
            Self::Drop(150),
            Self::Stall(0),
            Self::Stall(150),
            Self::Silence,
            Self::BadStream,
            Self::WrongShape,
            Self::NoJson,
            Self::WebPage,
            Self::Empty,
            Self::Long(1_000_000),
            Self::LongLine(3_000_000),
            Self::BadUtf8,
            Self::UnknownTool,
            Self::BadArguments,
            Self::WrongSchema,
            Self::NoEnd,
            Self::Endless(Duration::from_millis(5)),
            Self::Redirect("http://169.254.169.254/latest/meta-data/".to_owned()),
            Self::Cut,
            Self::ErrorInStream,
        ]
    }
}

/// Answers as its inner brain, except where a plan says what goes wrong at which request (counted
/// from 0).
#[derive(Debug)]
pub struct Faulty<B, P> {
    inner: B,
    plan: P,
}

impl<B: Brain, P: Fn(usize) -> Option<Fault> + Send + Sync> Faulty<B, P> {
    /// Follows `plan`.
    pub fn new(inner: B, plan: P) -> Self {
        Self { inner, plan }
    }
}

impl<B: Brain, P: Fn(usize) -> Option<Fault> + Send + Sync> Brain for Faulty<B, P> {
    fn reply(&self, call: &Call) -> Reply {
        let mut reply = self.inner.reply(call);
        if let Some(fault) = (self.plan)(call.number) {
            reply.fault = Some(fault);
        }
        reply
    }
}
