//! The door itself: judges, sends, follows redirects, logs.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indago_core::Cancel;
use reqwest::header::{HeaderName, HeaderValue, LOCATION};
use tokio::time::Instant;
use url::Url;

use crate::address::{Reach, reach};
use crate::background::Background;
use crate::error::from_client;
use crate::log::Latest;
use crate::policy::{Origin, Route, acceptable, parse, shown};
use crate::resolve::Checked;
use crate::response::essence;
use crate::wait::{Ended, until};
use crate::{
    EgressError, EgressLog, LogEntry, Policy, Resolve, Response, Secret, SystemResolver, trust,
};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Sends a body.
    Post,
}

/// What is sent.
#[derive(Clone, Debug, Default)]
pub enum Body {
    /// Nothing.
    #[default]
    Empty,
    /// JSON text.
    Json(Vec<u8>),
}

/// Bounds of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From asking until the answer's head is there, connecting included.
    pub first_byte: Duration,
    /// Between two pieces of the answer.
    pub between: Duration,
    /// From asking until the answer's end.
    pub total: Duration,
    /// Bytes of the answer.
    pub max_bytes: u64,
    /// Redirects that are followed; only reading requests follow any.
    pub redirects: u8,
}

impl Default for Limits {
    /// 30 s, 30 s, 60 s, 8 MiB, 5 redirects.
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(30),
            between: Duration::from_secs(30),
            total: Duration::from_mins(1),
            max_bytes: 8 << 20,
            redirects: 5,
        }
    }
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// What it is for, for the log: `chat`, `embeddings`.
    pub purpose: &'static str,
    /// What is done.
    pub method: Method,
    /// Where to.
    pub url: String,
    /// Headers, none of them secret.
    pub headers: Vec<(String, String)>,
    /// Sent as `Authorization: Bearer`, never to another origin than that of `url`.
    pub bearer: Option<Secret>,
    /// What is sent.
    pub body: Body,
    /// Media types that a 2xx answer may have; empty for any. `text/*` covers a family.
    pub accept: Vec<&'static str>,
    /// Its bounds.
    pub limits: Limits,
}

impl Request {
    /// A reading request with default bounds.
    pub fn get(purpose: &'static str, url: impl Into<String>) -> Self {
        Self {
            purpose,
            method: Method::Get,
            url: url.into(),
            headers: Vec::new(),
            bearer: None,
            body: Body::Empty,
            accept: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// A request that sends JSON text, with default bounds.
    pub fn post_json(purpose: &'static str, url: impl Into<String>, json: Vec<u8>) -> Self {
        Self {
            method: Method::Post,
            body: Body::Json(json),
            ..Self::get(purpose, url)
        }
    }
}

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// The door. Clones share connections and log.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

struct Inner {
    policy: Policy,
    /// For public addresses, through the proxy where there is one.
    public: reqwest::Client,
    /// For configured servers that a proxy must not see, or without a proxy all of them.
    direct: reqwest::Client,
    latest: Latest,
    sink: Option<Arc<dyn EgressLog>>,
    background: Background,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}

impl Door {
    /// A door that keeps to `policy` and asks the system's resolver.
    ///
    /// # Errors
    /// [`EgressError::Setup`] when a proxy or certificate cannot be used.
    pub fn new(policy: Policy) -> Result<Self, EgressError> {
        Self::with(policy, Arc::new(SystemResolver), None)
    }

    /// A door with a resolver and a log of one's own.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with(
        policy: Policy,
        resolver: Arc<dyn Resolve>,
        sink: Option<Arc<dyn EgressLog>>,
    ) -> Result<Self, EgressError> {
        let setup = |reason: String| EgressError::Setup { reason };
        let tls = trust::client_config(&policy.authorities_pem)?;
        let builder = |route: Route| {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .dns_resolver(Checked {
                    resolver: resolver.clone(),
                    route,
                })
                // Redirects are followed here, where each step is judged.
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .connect_timeout(CONNECT)
                .user_agent(concat!("indago/", env!("CARGO_PKG_VERSION")))
        };
        let direct = builder(Route::Configured)
            .build()
            .map_err(|e| setup(e.to_string()))?;
        let mut public = builder(Route::Public);
        if let Some(address) = &policy.proxy {
            parse(address)?;
            let mut proxy = reqwest::Proxy::all(address).map_err(|e| setup(e.to_string()))?;
            if let Some((user, password)) = &policy.proxy_credentials {
                proxy = proxy.basic_auth(user, password.expose());
            }
            // The client resolves the proxy's own name only, which somebody configured.
            public = builder(Route::Configured).proxy(proxy);
        }
        let public = public.build().map_err(|e| setup(e.to_string()))?;
        let inner = Inner {
            policy,
            public,
            direct,
            latest: Latest::default(),
            sink,
            background: Background::default(),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// What it keeps to.
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// The latest requests, oldest first.
    pub fn log(&self) -> Vec<LogEntry> {
        self.0.latest.all()
    }

    /// Runs `work` on a thread of the door's own and waits: for callers that are plain threads. Must
    /// not be called where waiting would block an async runtime.
    ///
    /// # Errors
    /// [`EgressError::Setup`] when that thread cannot be had.
    pub fn block_on<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, EgressError> {
        self.0.background.run(work)
    }

    /// Sends a request and returns when its answer's head is there. Needs a tokio runtime with time
    /// and sockets. An answer of any status is an answer.
    ///
    /// # Errors
    /// When the rules forbid it, a limit is passed, the connection fails, or it was cancelled.
    pub async fn send(&self, request: Request, cancel: &Cancel) -> Result<Response, EgressError> {
        let start = Instant::now();
        let deadline = start + request.limits.total;
        let mut url = parse(&request.url)?;
        let mut bearer = request.bearer.clone();
        let mut left = request.limits.redirects;
        loop {
            let response = self
                .once(&request, &url, bearer.as_ref(), start, deadline, cancel)
                .await?;
            let status = response.inner.status();
            let location = response.inner.headers().get(LOCATION).cloned();
            let Some(location) = location.filter(|_| status.is_redirection()) else {
                check_answer(&request, &response)?;
                return Ok(response);
            };
            let next = next_step(&request, &url, &location, left)?;
            if Origin::of_url(&next)? != Origin::of_url(&url)? {
                bearer = None;
            }
            left -= 1;
            url = next;
        }
    }

    /// One hop, logged.
    async fn once(
        &self,
        request: &Request,
        url: &Url,
        bearer: Option<&Secret>,
        start: Instant,
        deadline: Instant,
        cancel: &Cancel,
    ) -> Result<Response, EgressError> {
        let at_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |t| t.as_millis() as u64);
        let sent = match &request.body {
            Body::Empty => 0,
            Body::Json(json) => json.len() as u64,
        };
        let result = self
            .hop(request, url, bearer, start, deadline, cancel)
            .await;
        let entry = LogEntry {
            at_ms,
            purpose: request.purpose,
            method: match request.method {
                Method::Get => "GET",
                Method::Post => "POST",
            },
            url: shown(url),
            address: result
                .as_ref()
                .ok()
                .and_then(|r| r.inner.remote_addr())
                .map(|a| a.to_string()),
            sent,
            status: result.as_ref().ok().map(Response::status),
            took_ms: start.elapsed().as_millis() as u64,
            error: result.as_ref().err().map(ToString::to_string),
        };
        tracing::debug!(
            purpose = entry.purpose,
            url = entry.url,
            status = entry.status,
            took_ms = entry.took_ms,
            error = entry.error,
            "egress"
        );
        if let Some(sink) = &self.0.sink {
            sink.record(&entry);
        }
        self.0.latest.push(entry);
        result
    }

    async fn hop(
        &self,
        request: &Request,
        url: &Url,
        bearer: Option<&Secret>,
        start: Instant,
        deadline: Instant,
        cancel: &Cancel,
    ) -> Result<Response, EgressError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        let route = self.0.policy.judge(url)?;
        let client = self.client(route, url);
        let mut builder = match request.method {
            Method::Get => client.get(url.clone()),
            Method::Post => client.post(url.clone()),
        };
        if let Body::Json(json) = &request.body {
            builder = builder
                .header("content-type", "application/json")
                .body(json.clone());
        }
        for (name, value) in &request.headers {
            let bad = |reason: String| EgressError::Setup {
                reason: format!("header `{name}`: {reason}"),
            };
            let header = HeaderName::try_from(name).map_err(|e| bad(e.to_string()))?;
            let value = HeaderValue::try_from(value).map_err(|e| bad(e.to_string()))?;
            builder = builder.header(header, value);
        }
        if let Some(secret) = bearer.filter(|secret| !secret.is_empty()) {
            builder = builder.header("authorization", authorization(secret, route, url)?);
        }
        let phase_end = start + request.limits.first_byte;
        let sent = until(builder.send(), Some(phase_end.min(deadline)), cancel).await;
        let inner = match sent {
            Ok(sent) => sent.map_err(|e| from_client(&host, CONNECT.as_millis() as u64, e))?,
            Err(Ended::Cancelled) => return Err(EgressError::Cancelled),
            Err(Ended::TimeIsUp) => {
                return Err(EgressError::TimedOut {
                    host,
                    phase: "answer",
                    limit_ms: request
                        .limits
                        .first_byte
                        .min(request.limits.total)
                        .as_millis() as u64,
                });
            }
        };
        Ok(Response {
            inner,
            host,
            cancel: cancel.clone(),
            between: request.limits.between,
            total: request.limits.total,
            deadline,
            max_bytes: request.limits.max_bytes,
            read: 0,
        })
    }

    /// A configured server is asked directly, unless there is a proxy and the server is out there.
    fn client(&self, route: Route, url: &Url) -> &reqwest::Client {
        let near = match url.host() {
            Some(url::Host::Ipv4(v4)) => reach(v4.into()) == Reach::Local,
            Some(url::Host::Ipv6(v6)) => reach(v6.into()) == Reach::Local,
            // A name without a dot means nothing outside this network.
            Some(url::Host::Domain(name)) => !name.contains('.'),
            None => false,
        };
        match route {
            Route::Configured if near || self.0.policy.proxy.is_none() => &self.0.direct,
            _ => &self.0.public,
        }
    }
}

/// The header that carries a secret; refused where everybody on the way could read it.
fn authorization(secret: &Secret, route: Route, url: &Url) -> Result<HeaderValue, EgressError> {
    if url.scheme() != "https" && route != Route::Configured {
        return Err(EgressError::Forbidden {
            host: url.host_str().unwrap_or_default().to_owned(),
            reason: "a key would travel unencrypted; use https".to_owned(),
        });
    }
    let text = zeroize::Zeroizing::new(format!("Bearer {}", secret.expose()));
    // The error says nothing about the value, and neither do we.
    let value = HeaderValue::from_str(&text).map_err(|_not_a_header| EgressError::Setup {
        reason: "the key has characters that no header can carry".to_owned(),
    });
    value.map(|mut value| {
        value.set_sensitive(true);
        value
    })
}

/// Where a redirect leads, if it is followed.
fn next_step(
    request: &Request,
    url: &Url,
    location: &HeaderValue,
    left: u8,
) -> Result<Url, EgressError> {
    let no = |reason: &str| EgressError::Redirect {
        host: url.host_str().unwrap_or_default().to_owned(),
        reason: reason.to_owned(),
    };
    if request.method != Method::Get {
        return Err(no(
            "what was sent is not sent elsewhere; configure the address it names",
        ));
    }
    if left == 0 {
        return Err(no("too many times"));
    }
    let target = location
        .to_str()
        .map_err(|_not_text| no("to something that is no address"))?;
    let next = url
        .join(target)
        .map_err(|_not_a_url| no("to something that is no address"))?;
    acceptable(&next)?;
    if url.scheme() == "https" && next.scheme() == "http" {
        return Err(no("from https to http"));
    }
    Ok(next)
}

/// Length and kind, as the head states them.
fn check_answer(request: &Request, response: &Response) -> Result<(), EgressError> {
    let limit = request.limits.max_bytes;
    if response
        .inner
        .content_length()
        .is_some_and(|length| length > limit)
    {
        return Err(EgressError::TooLarge {
            host: response.host.clone(),
            limit,
        });
    }
    if !response.is_success() || request.accept.is_empty() {
        return Ok(());
    }
    let found = essence(response.header("content-type").unwrap_or_default());
    let fits = |wanted: &&str| match wanted.strip_suffix('*') {
        Some(family) => found.starts_with(family),
        None => found == **wanted,
    };
    if request.accept.iter().any(fits) {
        return Ok(());
    }
    Err(EgressError::ContentType {
        host: response.host.clone(),
        found,
        wanted: request.accept.join(" or "),
    })
}
