//! The door against a real server and a hostile resolver.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indago_core::Cancel;
use indago_core::ports::BoxFuture;
use indago_egress::{Door, EgressError, Limits, Origin, Policy, Request, Resolve, Secret};
use indago_scripted::{Call, Fault, Reply, Server};
use serde_json::json;

fn open(server: &Server) -> Door {
    let origins = vec![Origin::of(&server.base_url()).unwrap()];
    Door::new(Policy {
        origins,
        ..Policy::default()
    })
    .unwrap()
}

fn chat(server: &Server) -> Request {
    let body = json!({ "messages": [{ "role": "user", "content": "hi" }] }).to_string();
    Request::post_json(
        "chat",
        format!("{}/chat/completions", server.base_url()),
        body.into_bytes(),
    )
}

/// Sends and reads to the end.
fn fetch(door: &Door, request: Request) -> Result<Vec<u8>, EgressError> {
    let inner = door.clone();
    door.block_on(async move { inner.send(request, &Cancel::new()).await?.bytes().await })
        .unwrap()
}

fn faulty(fault: Fault) -> Server {
    Server::start(move |_: &Call| Reply {
        fault: Some(fault.clone()),
        ..Reply::text("some words to say")
    })
}

/// Answers each question with the next list.
struct Changing(Mutex<Vec<Vec<IpAddr>>>, AtomicUsize);

impl Changing {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |list: &&[&str]| list.iter().map(|ip| ip.parse().unwrap()).collect();
        Arc::new(Self(
            Mutex::new(answers.iter().rev().map(parse).collect()),
            AtomicUsize::new(0),
        ))
    }
}

impl Resolve for Changing {
    fn resolve(&self, _: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.1.fetch_add(1, Ordering::SeqCst);
        let answer = self.0.lock().unwrap().pop().unwrap_or_default();
        Box::pin(async move { Ok(answer) })
    }
}

#[test]
fn a_configured_server_on_this_machine_answers_and_others_do_not() {
    let server = Server::start(Reply::plain);
    assert!(!fetch(&open(&server), chat(&server)).unwrap().is_empty());
    let closed = Door::new(Policy::default()).unwrap();
    let error = fetch(&closed, chat(&server)).unwrap_err();
    assert!(matches!(error, EgressError::Forbidden { .. }), "{error}");
    assert_eq!(
        server.requests().len(),
        1,
        "nothing was sent past the rules"
    );
    assert_eq!(closed.log().len(), 1, "and the refusal was logged");
}

#[test]
fn names_are_judged_by_what_they_resolve_to() {
    for bad in [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "0.0.0.0",
        "::1",
        "::ffff:127.0.0.1",
        "fe80::1",
    ] {
        // One bad address spoils a name that has a good one as well.
        for answer in [vec![bad], vec!["1.1.1.1", bad], vec![bad, "1.1.1.1"]] {
            let resolver = Changing::new(&[&answer]);
            let door = Door::with(Policy::default(), resolver, None).unwrap();
            let error =
                fetch(&door, Request::get("page", "http://rebind.example.org/")).unwrap_err();
            assert!(
                matches!(error, EgressError::Forbidden { .. }),
                "{bad}: {error}"
            );
        }
    }
}

#[test]
fn a_name_that_changes_between_check_and_use_gains_nothing() {
    // First answer public, second local: were the name looked up twice for one connection, the
    // second would be used unchecked. It is looked up once, and every look-up is checked.
    let server = Server::start(Reply::plain);
    let resolver = Changing::new(&[&["192.0.2.1"], &["127.0.0.1"]]);
    let door = Door::with(Policy::default(), resolver.clone(), None).unwrap();
    let url = format!(
        "http://rebind.example.org:{}/v1/models",
        server.address().port()
    );
    for _ in 0..2 {
        let error = fetch(&door, Request::get("page", url.clone())).unwrap_err();
        assert!(matches!(error, EgressError::Forbidden { .. }), "{error}");
    }
    assert_eq!(resolver.1.load(Ordering::SeqCst), 2);
    assert!(server.requests().is_empty());
}

#[test]
fn a_configured_name_may_be_local_but_never_link_local() {
    let server = Server::start(Reply::plain);
    let url = format!("http://llm.internal:{}/v1", server.address().port());
    let policy = Policy {
        origins: vec![Origin::of(&url).unwrap()],
        ..Policy::default()
    };
    let door = Door::with(policy.clone(), Changing::new(&[&["127.0.0.1"]]), None).unwrap();
    assert!(fetch(&door, Request::get("models", format!("{url}/models"))).is_ok());
    let door = Door::with(policy, Changing::new(&[&["169.254.169.254"]]), None).unwrap();
    assert!(fetch(&door, Request::get("models", format!("{url}/models"))).is_err());
}

#[test]
fn redirects_are_judged_step_by_step() {
    let server = faulty(Fault::Redirect(
        "http://169.254.169.254/latest/meta-data/".into(),
    ));
    let error = fetch(&open(&server), chat(&server)).unwrap_err();
    assert!(
        matches!(error, EgressError::Redirect { .. }),
        "what was posted is not sent on: {error}"
    );
    // A reading request follows, and the target is judged: the fault answers only chats, so ask it so.
    let mut get = chat(&server);
    get.method = indago_egress::Method::Get;
    let error = fetch(&open(&server), get).unwrap_err();
    assert!(matches!(error, EgressError::Forbidden { .. }), "{error}");
    let circle = Arc::new(Mutex::new(String::new()));
    let there = circle.clone();
    let server =
        Server::start(move |_: &Call| Reply::fault(Fault::Redirect(there.lock().unwrap().clone())));
    *circle.lock().unwrap() = format!("{}/chat/completions", server.base_url());
    let mut get = chat(&server);
    get.method = indago_egress::Method::Get;
    let error = fetch(&open(&server), get).unwrap_err();
    assert!(error.to_string().contains("too many"), "{error}");
    assert_eq!(server.chats().len(), 6);
}

#[test]
fn keys_go_to_the_server_they_are_for_and_nowhere_else() {
    let other = Server::start(Reply::plain);
    let target = format!("{}/models", other.base_url());
    let server = faulty(Fault::Redirect(target));
    let origins = [&server, &other]
        .map(|s| Origin::of(&s.base_url()).unwrap())
        .to_vec();
    let door = Door::new(Policy {
        origins,
        ..Policy::default()
    })
    .unwrap();
    let mut request = chat(&server);
    request.method = indago_egress::Method::Get;
    request.bearer = Some(Secret::new("sk-very-secret".into()));
    fetch(&door, request).unwrap();
    assert_eq!(
        server.requests()[0].authorization.as_deref(),
        Some("Bearer sk-very-secret")
    );
    assert_eq!(other.requests()[0].authorization, None);
    let shown = format!("{:?} {:?}", door, door.log());
    assert!(!shown.contains("very-secret"), "{shown}");
    // Unencrypted to a server that nobody configured: refused before anything is sent.
    let mut request = Request::get("page", "http://1.1.1.1/");
    request.bearer = Some(Secret::new("sk-very-secret".into()));
    let error = fetch(&door, request).unwrap_err();
    assert!(error.to_string().contains("unencrypted"), "{error}");
}

#[test]
fn limits_of_size_time_and_kind_hold() {
    let quick = |request: Request, ms| Request {
        limits: Limits {
            first_byte: Duration::from_millis(ms),
            between: Duration::from_millis(ms),
            ..request.limits
        },
        ..request
    };
    let server = faulty(Fault::Silence);
    let error = fetch(&open(&server), quick(chat(&server), 100)).unwrap_err();
    assert!(
        matches!(
            error,
            EgressError::TimedOut {
                phase: "answer",
                limit_ms: 100,
                ..
            }
        ),
        "{error}"
    );
    let server = faulty(Fault::Stall(10));
    let error = fetch(&open(&server), quick(chat(&server), 300)).unwrap_err();
    assert!(
        matches!(
            error,
            EgressError::TimedOut {
                phase: "next piece",
                ..
            }
        ),
        "{error}"
    );
    let server = faulty(Fault::Endless(Duration::from_millis(1)));
    let mut request = chat(&server);
    request.limits.total = Duration::from_millis(300);
    let error = fetch(&open(&server), request).unwrap_err();
    assert!(
        matches!(
            error,
            EgressError::TimedOut {
                phase: "complete answer",
                ..
            }
        ),
        "{error}"
    );
    let server = faulty(Fault::Long(1_000_000));
    let mut request = chat(&server);
    request.limits.max_bytes = 100_000;
    let error = fetch(&open(&server), request).unwrap_err();
    assert!(
        matches!(error, EgressError::TooLarge { limit: 100_000, .. }),
        "{error}"
    );
    let server = faulty(Fault::WebPage);
    let mut request = chat(&server);
    request.accept = vec!["application/json"];
    let error = fetch(&open(&server), request).unwrap_err();
    assert!(matches!(error, EgressError::ContentType { .. }), "{error}");
    let server = faulty(Fault::Drop(30));
    let error = fetch(&open(&server), chat(&server)).unwrap_err();
    assert!(matches!(error, EgressError::Broken { .. }), "{error}");
}

#[test]
fn cancelling_ends_a_wait() {
    let server = faulty(Fault::Silence);
    let door = open(&server);
    let (cancel, inner, request) = (Cancel::new(), door.clone(), chat(&server));
    let later = cancel.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        later.cancel();
    });
    let error = door
        .block_on(async move { inner.send(request, &cancel).await.map(|_| ()) })
        .unwrap()
        .unwrap_err();
    assert_eq!(error, EgressError::Cancelled);
}

#[test]
fn a_proxy_is_used_for_what_is_out_there() {
    // The scripted server stands in for a proxy: it sees the request line it would have to forward.
    let proxy = Server::start(Reply::plain);
    let policy = Policy {
        proxy: Some(format!("http://{}", proxy.address())),
        ..Policy::default()
    };
    let door = Door::new(policy).unwrap();
    fetch(
        &door,
        Request::get("page", "http://somewhere.example.org/v1/models"),
    )
    .unwrap();
    assert_eq!(proxy.requests()[0].path, "/v1/models");
    let error = fetch(&door, Request::get("page", "http://169.254.169.254/")).unwrap_err();
    assert!(
        matches!(error, EgressError::Forbidden { .. }),
        "written-out addresses are still judged: {error}"
    );
}

#[test]
fn an_unknown_name_and_a_closed_port_are_told_apart_from_refusals() {
    let door = Door::with(Policy::default(), Changing::new(&[]), None).unwrap();
    let error = fetch(&door, Request::get("page", "http://nowhere.example.org/")).unwrap_err();
    assert!(error.is_transient(), "{error}");
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}/");
    let door = Door::new(Policy {
        origins: vec![Origin::of(&url).unwrap()],
        ..Policy::default()
    })
    .unwrap();
    let error = fetch(&door, Request::get("page", url)).unwrap_err();
    assert!(matches!(error, EgressError::Connect { .. }), "{error}");
}
