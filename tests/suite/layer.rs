//! The tower Layer around an axum service, over real sockets.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use axum::routing::{any, get, post};
use sidetrail::capture::layer::Layer;
use sidetrail::capture::{Kept, Observe, Pending, Recorded, Wants, Witness};
use sidetrail::clock::Clock;
use sidetrail::exchange::{End, Exchange, Request, Seen};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// Sees everything but `/ignored`; records only while its gate is open.
#[derive(Clone, Default)]
struct Watcher(Arc<Notes>);

#[derive(Default)]
struct Notes {
    begun: Mutex<Vec<String>>,
    seen: Mutex<Vec<Exchange>>,
    gate: Mutex<Option<Arc<Notify>>>,
}

impl Observe for Watcher {
    fn admit(&self, _: &str, target: &str) -> Option<Box<dyn Witness>> {
        (!target.starts_with("/ignored")).then(|| Box::new(self.clone()) as Box<dyn Witness>)
    }
}

impl Witness for Watcher {
    fn wants(&self) -> Wants {
        Wants { request_body: true, response_body: true }
    }

    fn begin(&mut self, request: &Request) -> Option<Pending> {
        self.0.begun.lock().unwrap().push(request.target.clone());
        None
    }

    fn observe(self: Box<Self>, exchange: Exchange) -> Recorded {
        let gate = self.0.gate.lock().unwrap().clone();
        Box::pin(async move {
            if let Some(gate) = gate {
                gate.notified().await;
            }
            self.0.seen.lock().unwrap().push(exchange);
            Kept::OnDisk
        })
    }
}

impl Watcher {
    fn close_gate(&self) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        *self.0.gate.lock().unwrap() = Some(Arc::clone(&gate));
        gate
    }

    fn take(&self) -> Vec<Exchange> {
        std::mem::take(&mut *self.0.seen.lock().unwrap())
    }
}

fn stream(pieces: &'static [&'static str]) -> Body {
    Body::from_stream(futures_util::stream::iter(pieces.iter().map(|piece| Ok::<_, std::io::Error>(*piece))))
}

async fn start(watcher: &Watcher) -> (SocketAddr, Layer) {
    let layer = Layer::new(Arc::new(watcher.clone()), Clock::system())
        .copy_bytes(64)
        .trusting(["127.0.0.0/8".parse().unwrap()])
        .peer(|extensions| extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip()));
    let service = Router::new()
        .route("/echo", post(|body: Bytes| async { (StatusCode::CREATED, body) }))
        .route("/stream", get(|| async { stream(&["one ", "two ", "three"]) }))
        .route("/empty", any(|| async { StatusCode::NO_CONTENT }))
        .route("/unread", post(|| async { "not interested" }))
        .route("/nothing", get(|| async { ([("content-length", "0")], stream(&[])) }))
        .route("/ignored", get(|| async { "ignored" }))
        .route(
            "/forever",
            get(|| async {
                tokio::time::sleep(Duration::from_secs(60)).await;
                "never"
            }),
        )
        .route(
            "/broken",
            get(|| async {
                Body::from_stream(futures_util::stream::iter([Ok("half"), Err(std::io::Error::other("broken"))]))
            }),
        )
        .layer(layer.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        axum::serve(listener, service.into_make_service_with_connect_info::<SocketAddr>()).await.unwrap();
    });
    (address, layer)
}

async fn send(address: SocketAddr, request: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    socket
}

async fn ask(address: SocketAddr, line: &str, body: &str) -> String {
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.7\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let mut socket = send(address, &request).await;
    let mut reply = String::new();
    socket.read_to_string(&mut reply).await.unwrap();
    reply
}

#[tokio::test]
async fn an_exchange_is_seen_as_it_was() {
    let watcher = Watcher::default();
    let (address, _) = start(&watcher).await;
    let reply = ask(address, "POST /echo?x=%20", "{\"name\":\"Price list.pdf\"}").await;
    assert!(reply.starts_with("HTTP/1.1 201 ") && reply.ends_with("{\"name\":\"Price list.pdf\"}"), "{reply}");
    let [exchange] = <[Exchange; 1]>::try_from(watcher.take()).ok().unwrap();
    assert_eq!((exchange.request.method.as_str(), exchange.request.target.as_str()), ("POST", "/echo?x=%20"));
    assert_eq!(exchange.request.headers.first("host"), Some("h"));
    assert_eq!(exchange.request.peer, Some(IpAddr::from([127, 0, 0, 1])));
    assert_eq!(exchange.request.client, Some(IpAddr::from([203, 0, 113, 7])));
    assert!(exchange.request.peer_is_trusted);
    assert_eq!(
        (&exchange.request.body.content[..], &exchange.request.body.seen),
        (&b"{\"name\":\"Price list.pdf\"}"[..], &Seen::Whole)
    );
    let response = exchange.response.unwrap();
    assert_eq!((response.status, response.body.size, response.body.seen), (201, 25, Seen::Whole));
    assert_eq!(
        (exchange.end, watcher.0.begun.lock().unwrap().as_slice()),
        (End::Complete, &["/echo?x=%20".to_owned()][..])
    );
}

#[tokio::test]
async fn a_streamed_reply_that_announced_no_byte_is_complete() {
    let watcher = Watcher::default();
    let (address, _) = start(&watcher).await;
    ask(address, "GET /nothing", "").await;
    assert_eq!(watcher.take().iter().map(|exchange| exchange.end).collect::<Vec<_>>(), [End::Complete]);
}

#[tokio::test]
async fn copies_end_at_the_cap_and_the_traffic_does_not() {
    let watcher = Watcher::default();
    let (address, _) = start(&watcher).await;
    let long = "x".repeat(300_000);
    assert!(ask(address, "POST /echo", &long).await.ends_with(&long));
    let exchange = watcher.take().pop().unwrap();
    for body in [&exchange.request.body, &exchange.response.unwrap().body] {
        assert_eq!((body.size, body.content.len(), &body.seen), (300_000, 64, &Seen::Cut));
    }
}

#[tokio::test]
async fn no_reply_ends_before_it_is_recorded() {
    let watcher = Watcher::default();
    let (address, _) = start(&watcher).await;
    for (line, ending) in [
        ("POST /echo", "hello"),
        ("GET /stream", "5\r\nthree\r\n0\r\n\r\n"),
        ("DELETE /empty", "\r\n\r\n"),
        ("HEAD /stream", "\r\n\r\n"),
        ("GET /nowhere", "\r\n\r\n"),
    ] {
        let gate = watcher.close_gate();
        let body = if line.starts_with("POST") { "hello" } else { "" };
        let mut asking = tokio::spawn(ask_owned(address, line, body));
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut asking).await.is_err(), "{line} ended early");
        assert!(watcher.take().is_empty());
        gate.notify_one();
        let reply = asking.await.unwrap();
        assert!(reply.ends_with(ending), "{line}: {reply}");
        assert_eq!(watcher.take().len(), 1, "{line}");
    }
}

async fn ask_owned(address: SocketAddr, line: &'static str, body: &'static str) -> String {
    ask(address, line, body).await
}

#[tokio::test]
async fn a_client_that_hangs_up_still_acted() {
    let watcher = Watcher::default();
    let (address, layer) = start(&watcher).await;
    drop(send(address, "GET /forever HTTP/1.1\r\nHost: h\r\n\r\n").await);
    until(|| !watcher.0.seen.lock().unwrap().is_empty()).await;
    layer.settled().await;
    let exchange = watcher.take().pop().unwrap();
    assert_eq!((exchange.end, exchange.response.is_none()), (End::Unanswered, true));
}

#[tokio::test]
async fn a_client_that_hangs_up_while_its_event_is_written_does_not_undo_it() {
    let watcher = Watcher::default();
    let (address, layer) = start(&watcher).await;
    let gate = watcher.close_gate();
    let mut socket = send(address, "GET /stream HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let mut some = [0; 16];
    socket.read_exact(&mut some).await.unwrap();
    drop(socket);
    tokio::time::sleep(Duration::from_millis(50)).await;
    gate.notify_one();
    until(|| !watcher.0.seen.lock().unwrap().is_empty()).await;
    layer.settled().await;
    assert_eq!(watcher.take().pop().unwrap().request.target, "/stream");
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_unanswered() {
    let watcher = Watcher::default();
    let (address, layer) = start(&watcher).await;
    assert!(!ask(address, "GET /broken", "").await.ends_with("0\r\n\r\n"));
    until(|| !watcher.0.seen.lock().unwrap().is_empty()).await;
    layer.settled().await;
    let exchange = watcher.take().pop().unwrap();
    assert_eq!(exchange.end, End::Unanswered);
    assert_eq!(exchange.response.unwrap().body.seen, Seen::Cut);
}

#[tokio::test]
async fn a_body_that_the_service_does_not_read_is_seen_up_to_the_cap() {
    let watcher = Watcher::default();
    let (address, _) = start(&watcher).await;
    let reply = ask(address, "POST /unread", "hello").await;
    assert!(reply.ends_with("not interested"), "{reply}");
    ask(address, "GET /ignored", "").await;
    let [exchange] = <[Exchange; 1]>::try_from(watcher.take()).ok().unwrap();
    assert_eq!((&exchange.request.body.content[..], exchange.request.body.seen), (&b"hello"[..], Seen::Whole));
}

#[tokio::test]
async fn a_client_that_waits_to_be_told_to_go_on_is_not_told_so_by_us() {
    let watcher = Watcher::default();
    let (address, _) = start(&watcher).await;
    let head = "POST /unread HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let mut socket = send(address, head).await;
    let mut reply = vec![0; 12];
    socket.read_exact(&mut reply).await.unwrap();
    assert_eq!(reply, b"HTTP/1.1 200");
    until(|| !watcher.0.seen.lock().unwrap().is_empty()).await;
    assert_eq!(watcher.take().pop().unwrap().request.body.seen, Seen::Cut);
}

/// Polls until it is so, for ten seconds at most.
async fn until(so: impl Fn() -> bool) {
    for _ in 0..1000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come to be so");
}
