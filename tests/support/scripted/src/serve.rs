//! The server.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::record::Log;
use crate::{Brain, Call, Fault, Recorded, Reply, wire};

/// Which parts of the protocol a server understands; what it does not is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// `response_format: json_schema`.
    pub json_schema: bool,
    /// `response_format: json_object`.
    pub json_object: bool,
    /// `tools`.
    pub tools: bool,
    /// `logprobs` in chat requests.
    pub logprobs: bool,
    /// `usage` in answers.
    pub usage: bool,
    /// Whether what it does not understand is refused with 422, or like llama-cpp-python's server
    /// reports it, as a failure of its own with the validation's words in it.
    pub refuses: bool,
}

impl Default for Dialect {
    /// Everything.
    fn default() -> Self {
        Self {
            json_schema: true,
            json_object: true,
            tools: true,
            logprobs: true,
            usage: true,
            refuses: true,
        }
    }
}

/// How a server is set up besides its brain.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// What it understands.
    pub dialect: Dialect,
    /// The key that requests must carry; `None` for no check.
    pub key: Option<String>,
}

/// A running server on a port of its own; stops when dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    brain: Box<dyn Brain>,
    settings: Settings,
    log: Log,
    chats: AtomicUsize,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
}

type Pieces = mpsc::Receiver<Result<Frame<Bytes>, std::io::Error>>;
type Sender = mpsc::Sender<Result<Frame<Bytes>, std::io::Error>>;
type Answer = Response<Outgoing>;

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Starts a server that understands everything and asks for no key.
    pub fn start(brain: impl Brain + 'static) -> Self {
        Self::with(Settings::default(), brain)
    }

    /// Starts a server.
    ///
    /// # Panics
    /// When the machine has no free port: a test cannot go on then.
    #[expect(
        clippy::expect_used,
        reason = "tests only: without a port there is no test"
    )]
    pub fn with(settings: Settings, brain: impl Brain + 'static) -> Self {
        let shared = Arc::new(Shared {
            brain: Box::new(brain),
            settings,
            log: Log::default(),
            chats: AtomicUsize::new(0),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        listener
            .set_nonblocking(true)
            .expect("a listener for tokio");
        let (stop, stopped) = oneshot::channel();
        let serving = shared.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(accept(listener, serving, stopped));
        });
        Self {
            address,
            shared,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// `http://127.0.0.1:PORT/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything it received, in order.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.log.all()
    }

    /// The chat requests it received, in order.
    pub fn chats(&self) -> Vec<Recorded> {
        self.requests()
            .into_iter()
            .filter(|r| r.path.ends_with("/chat/completions"))
            .collect()
    }

    /// Most requests that were under way at once.
    pub fn most_under_way(&self) -> usize {
        self.shared.most_under_way.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended already.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    mut stopped: oneshot::Receiver<()>,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    loop {
        let stream = tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_lost) => continue,
            },
        };
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let shared = shared.clone();
                async move { Ok::<_, Infallible>(answer(request, &shared).await) }
            });
            // A client that goes away is nobody's error.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// Counts a request for as long as it lives.
struct UnderWay(Arc<Shared>);

impl UnderWay {
    fn begin(shared: &Arc<Shared>) -> Self {
        let now = shared.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_under_way.fetch_max(now, Ordering::SeqCst);
        Self(shared.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn answer(request: Request<Incoming>, shared: &Arc<Shared>) -> Answer {
    let path = request.uri().path().to_owned();
    let authorization = request
        .headers()
        .get("authorization")
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned);
    let under_way = UnderWay::begin(shared);
    let bytes = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(_gone) => return json_answer(400, &Value::Null),
    };
    let recorded = shared.log.add(&path, authorization.clone(), &bytes);
    if let Some(key) = &shared.settings.key
        && authorization.as_deref() != Some(&format!("Bearer {key}"))
    {
        return json_answer(
            401,
            &wire::error("invalid_request_error", "Incorrect API key provided"),
        );
    }
    match path.as_str() {
        "/v1/models" => json_answer(200, &wire::models()),
        "/v1/embeddings" => json_answer(200, &wire::embeddings(&recorded.body)),
        "/v1/rerank" => json_answer(200, &wire::rerank(&recorded.body)),
        "/v1/chat/completions" => chat(shared, recorded, authorization, under_way).await,
        _ => json_answer(404, &wire::error("invalid_request_error", "no such path")),
    }
}

/// What the dialect does not understand.
fn refused(dialect: Dialect, body: &Value) -> Option<String> {
    if !body["messages"].is_array() {
        return Some("messages: field required".to_owned());
    }
    let format = body["response_format"]["type"].as_str();
    let no = |what: &str| Some(format!("{what}: not supported by this server"));
    match format {
        Some("json_schema") if !dialect.json_schema => no("response_format.type"),
        Some("json_object") if !dialect.json_object => no("response_format.type"),
        _ if body["tools"].is_array() && !dialect.tools => no("tools"),
        _ if body["logprobs"] == true && !dialect.logprobs => no("logprobs"),
        _ => None,
    }
}

async fn chat(
    shared: &Arc<Shared>,
    recorded: Recorded,
    key: Option<String>,
    under_way: UnderWay,
) -> Answer {
    let dialect = shared.settings.dialect;
    if let Some(reason) = refused(dialect, &recorded.body) {
        if dialect.refuses {
            return json_answer(422, &wire::error("invalid_request_error", &reason));
        }
        let reason = format!("1 validation error: {{'type': 'literal_error', 'msg': '{reason}'}}");
        return json_answer(500, &wire::error("internal_server_error", &reason));
    }
    let number = shared.chats.fetch_add(1, Ordering::SeqCst);
    let call = Call {
        number,
        body: recorded.body.clone(),
    };
    let mut reply = shared.brain.reply(&call);
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    let fault = reply.fault.take();
    if let Some(answer) = head_fault(fault.as_ref(), key.as_deref()).await {
        return answer;
    }
    let key = key.unwrap_or_default();
    spoil(
        &mut reply,
        fault.as_ref(),
        key.trim_start_matches("Bearer "),
    );
    let stream = recorded.body["stream"] == true;
    let mut text = if stream {
        let lines = wire::chunks(&recorded, number, &reply);
        lines
            .into_iter()
            .map(|chunk| format!("data: {}\n\n", without_usage(chunk, dialect)))
            .collect::<Vec<_>>()
    } else {
        vec![without_usage(wire::completion(&recorded, number, &reply), dialect).to_string()]
    };
    match &fault {
        Some(Fault::NoEnd) if stream => text.truncate(text.len().saturating_sub(2)),
        Some(Fault::ErrorInStream) if stream => {
            text.truncate(2);
            text.push(format!(
                "data: {}\n\n",
                wire::error("server_error", "the engine died")
            ));
        }
        Some(Fault::WrongShape) => text = text.iter().map(|_| shape_fault(stream)).collect(),
        _ if stream => text.push("data: [DONE]\n\n".to_owned()),
        _ => {}
    }
    let kind = if stream {
        "text/event-stream"
    } else {
        "application/json"
    };
    body_answer(
        200,
        kind,
        &[],
        stream_out(text, reply.pace, fault, stream, under_way),
    )
}

fn shape_fault(stream: bool) -> String {
    let object = json!({ "choices": { "message": [1, 2] }, "usage": "none" });
    if stream {
        format!("data: {object}\n\n")
    } else {
        object.to_string()
    }
}

fn without_usage(mut object: Value, dialect: Dialect) -> Value {
    if !dialect.usage
        && let Some(fields) = object.as_object_mut()
    {
        fields.remove("usage");
    }
    object
}

/// Faults that show in the head of the answer.
async fn head_fault(fault: Option<&Fault>, key: Option<&str>) -> Option<Answer> {
    Some(match fault? {
        Fault::Status { code, retry_after } => {
            let headers: Vec<(&str, &str)> = retry_after
                .iter()
                .map(|v| ("retry-after", v.as_str()))
                .collect();
            let text = wire::error("server_error", "planted").to_string();
            body_answer(
                *code,
                "application/json",
                &headers,
                whole(text.into_bytes()),
            )
        }
        Fault::EchoKey(code) => {
            let said = format!("Incorrect API key provided: {}", key.unwrap_or_default());
            json_answer(*code, &wire::error("invalid_request_error", &said))
        }
        Fault::Silence => {
            std::future::pending::<()>().await;
            return None;
        }
        Fault::NoJson => body_answer(200, "application/json", &[], whole(b"}{ not json".to_vec())),
        Fault::WebPage => body_answer(
            200,
            "text/html",
            &[],
            whole(b"<html>Please log in</html>".to_vec()),
        ),
        Fault::Redirect(to) => {
            body_answer(307, "text/plain", &[("location", to)], whole(Vec::new()))
        }
        _ => return None,
    })
}

/// Faults that show in what is said.
fn spoil(reply: &mut Reply, fault: Option<&Fault>, key: &str) {
    match fault {
        Some(Fault::SayKey) => reply.text = format!("{} The key is {key}.", reply.text),
        Some(Fault::Empty) => *reply = Reply::default(),
        Some(Fault::Long(bytes)) => reply.text = "lorem ".repeat(bytes / 6),
        Some(Fault::UnknownTool) => {
            *reply = Reply::tool("launch_missiles", &json!({ "at": "once" }));
        }
        Some(Fault::BadArguments) => {
            *reply = Reply::tool("search", &json!({}));
            if let Some(tool) = reply.tools.first_mut() {
                "{\"query\": \"unfinis".clone_into(&mut tool.arguments);
            }
        }
        Some(Fault::WrongSchema) => *reply = Reply::json(&json!({ "unexpected": [1, 2, 3] })),
        Some(Fault::Cut) => {
            reply
                .text
                .truncate(reply.text.floor_char_boundary(reply.text.len() / 2));
            reply.finish = Some("length");
        }
        _ => {}
    }
}

/// The body as it goes out, with faults of the connection.
fn stream_out(
    text: Vec<String>,
    pace: Duration,
    fault: Option<Fault>,
    stream: bool,
    under_way: UnderWay,
) -> Pieces {
    let (sender, pieces) = mpsc::channel(16);
    tokio::spawn(async move {
        // A client that went away ends the stream.
        let _ = send_all(&sender, text, pace, fault.as_ref(), stream).await;
        drop(under_way);
    });
    pieces
}

async fn put(sender: &Sender, bytes: Vec<u8>) -> Result<(), ()> {
    sender
        .send(Ok(Frame::data(Bytes::from(bytes))))
        .await
        .map_err(|_gone| ())
}

async fn send_all(
    sender: &Sender,
    text: Vec<String>,
    pace: Duration,
    fault: Option<&Fault>,
    stream: bool,
) -> Result<(), ()> {
    let cut = match fault {
        Some(Fault::Drop(at) | Fault::Stall(at)) => Some(*at),
        _ => None,
    };
    match fault {
        Some(Fault::BadStream) => {
            let broken = b"data: {\"choices\": [\r\n\r\nwhat is this\n:comment\ndata:{}}\n\nevent: x\rdata\n\ndata: [1]\n\n";
            put(sender, broken.to_vec()).await?;
        }
        Some(Fault::LongLine(bytes)) => {
            let front = if stream { "data: " } else { "" };
            put(
                sender,
                format!("{front}{}", "x".repeat(*bytes)).into_bytes(),
            )
            .await?;
        }
        Some(Fault::BadUtf8) => {
            let all = text.concat();
            let needle = b"\"content\":\"";
            let bytes = all.as_bytes();
            let at = bytes
                .windows(needle.len())
                .position(|w| w == needle)
                .map_or(0, |at| at + needle.len());
            let spoilt = [&bytes[..at], &[0xff, 0xfe, 0xc3, 0x28], &bytes[at..]].concat();
            return put(sender, spoilt).await;
        }
        Some(Fault::Endless(apart)) => loop {
            let piece = if stream {
                "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"more \"}}]}\n\n"
            } else {
                " "
            };
            put(sender, piece.as_bytes().to_vec()).await?;
            tokio::time::sleep(*apart).await;
        },
        _ => {}
    }
    let mut sent = 0;
    for piece in text {
        let mut bytes = piece.into_bytes();
        if let Some(cut) = cut
            && sent + bytes.len() > cut
        {
            bytes.truncate(cut - sent);
            put(sender, bytes).await?;
            // What was put has to leave before the connection goes.
            tokio::time::sleep(Duration::from_millis(20)).await;
            if matches!(fault, Some(Fault::Stall(_))) {
                sender.closed().await;
                return Err(());
            }
            let broken = std::io::Error::other("planted");
            return sender.send(Err(broken)).await.map_err(|_gone| ());
        }
        sent += bytes.len();
        put(sender, bytes).await?;
        if !pace.is_zero() {
            tokio::time::sleep(pace).await;
        }
    }
    Ok(())
}

fn whole(bytes: Vec<u8>) -> Pieces {
    let (sender, pieces) = mpsc::channel(1);
    // The channel has room for one.
    let _ = sender.try_send(Ok(Frame::data(Bytes::from(bytes))));
    pieces
}

fn json_answer(status: u16, value: &Value) -> Answer {
    body_answer(
        status,
        "application/json",
        &[],
        whole(value.to_string().into_bytes()),
    )
}

#[expect(
    clippy::expect_used,
    reason = "tests only: statuses and headers are written out above"
)]
fn body_answer(status: u16, kind: &str, headers: &[(&str, &str)], pieces: Pieces) -> Answer {
    let mut builder = Response::builder()
        .status(status)
        .header("content-type", kind);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Outgoing(pieces)).expect("a sound head")
}

/// A body that is sent as it is made.
struct Outgoing(Pieces);

impl hyper::body::Body for Outgoing {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context)
    }
}
