//! The pingora front: the phases of a `ProxyHttp` shown to the same door.
//!
//! A gateway calls [`Tap`] from its phases, each with the method of that name,
//! and keeps the [`Tapped`] in its context. It gets what the sidecar gives:
//! copies aside, the end of a reply held until it is recorded, an observation
//! whatever way the exchange ends. What it cannot give is the sidecar's gate:
//! pingora forwards what it forwards. Two things a gateway must set itself:
//! `max_retries = 1` in the server's configuration (it counts attempts: with 0
//! nothing is ever sent) and [`never_again`] in `error_while_proxy`, for by
//! default pingora sends a GET or a DELETE again that the platform may have
//! executed.

use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use bytes::Bytes;
use http::{Method, Version};
use pingora_core::{BError, protocols::l4::socket::SocketAddr};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use super::body::{Budget, COPIES_BYTES, COPY_BYTES};
use super::client_address::{client_address, is_trusted};
use super::recording::Recording;
use super::shared::{Shared, fields};
use super::watching::{Copies, Watching};
use super::{Network, Observe, Recorded, Tally};
use crate::clock::Clock;
use crate::exchange;

/// Shows a gateway's exchanges to an observer. Clones share it.
#[derive(Clone)]
pub struct Tap {
    observe: Arc<dyn Observe>,
    clock: Clock,
    copies: Copies,
    trusted: Arc<[Network]>,
    recording: Recording,
    _thread: Arc<oneshot::Sender<()>>,
}

/// One exchange: a gateway's context, or a part of it.
#[derive(Default)]
pub struct Tapped {
    watched: Option<Shared>,
    /// Where nobody watches, and only the end is of interest.
    tally: Mutex<Option<Tally>>,
    recording: Option<Handle>,
}

impl Tap {
    /// Starts the thread that records while a phase, which cannot wait asynchronously, is waiting for it.
    pub fn new(observe: Arc<dyn Observe>, clock: Clock) -> io::Result<Tap> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let recording = Recording { runtime: Some(runtime.handle().clone()), ..Recording::default() };
        let (thread, stopped) = oneshot::channel::<()>();
        std::thread::Builder::new().name("tap".to_owned()).spawn(move || {
            // Ends when the last tap is dropped; nothing is ever sent.
            let _ = runtime.block_on(stopped);
        })?;
        let trusted = Arc::new([]);
        let copies = Copies { each: COPY_BYTES, all: Budget::new(COPIES_BYTES) };
        Ok(Tap { observe, clock, copies, trusted, recording, _thread: Arc::new(thread) })
    }

    /// How much of each body is copied, in bytes (256 KiB).
    #[must_use]
    pub fn copy_bytes(mut self, copy_bytes: usize) -> Tap {
        self.copies.each = copy_bytes;
        self
    }

    /// How much the copies of all bodies may hold together, in bytes (64 MiB). Beyond it a copy is cut.
    #[must_use]
    pub fn copies_bytes(mut self, copies_bytes: usize) -> Tap {
        self.copies.all = Budget::new(copies_bytes);
        self
    }

    /// The proxies whose `X-Forwarded-For` (and identity headers) are believed.
    #[must_use]
    pub fn trusting(mut self, proxies: impl IntoIterator<Item = Network>) -> Tap {
        self.trusted = proxies.into_iter().collect();
        self
    }

    /// Waits until everything that clients left behind is recorded: the last thing before the process ends.
    pub async fn settled(&self) {
        self.recording.settled().await;
    }

    /// From `request_filter`, before the gateway changes anything.
    pub async fn request_filter(&self, session: &Session) -> Tapped {
        let head = session.req_header();
        let target = String::from_utf8_lossy(head.raw_path());
        let Some(witness) = self.observe.admit(head.method.as_str(), &target) else {
            let tally = self.observe.tally(head.method.as_str(), &target);
            return Tapped { tally: Mutex::new(tally), ..Tapped::default() };
        };
        let peer = session.client_addr().and_then(address);
        let headers = fields(&head.headers);
        let request = exchange::Request {
            method: head.method.as_str().to_owned(),
            target: target.into_owned(),
            client: peer.map(|peer| client_address(peer, &headers, &self.trusted)),
            peer_is_trusted: peer.is_some_and(|peer| is_trusted(peer, &self.trusted)),
            peer,
            headers,
            body: exchange::Body::default(),
        };
        let started = self.clock.now();
        let id = exchange::Exchange::number(started);
        let (copies, recording) = (self.copies.clone(), self.recording.clone());
        let watched = Shared::new(Watching::new(witness, id, started, request, copies, recording));
        let announced = |name| head.headers.get(name).is_some_and(|value| value != "0");
        if head.version != Version::HTTP_2 && !announced("content-length") && !announced("transfer-encoding") {
            // No body, so no phase of it will say that it is over.
            watched.with(|it| it.request_whole = true);
        }
        if let Some(pending) = watched.with(Watching::begin) {
            pending.await;
        }
        Tapped { watched: Some(watched), tally: Mutex::default(), recording: self.recording.runtime.clone() }
    }
}

impl Tapped {
    /// From `upstream_request_filter`: from now on anything may have happened.
    pub fn upstream_request_filter(&self) {
        if let Some(watched) = &self.watched {
            watched.with(|it| it.sent = true);
        }
    }

    /// From `request_body_filter`.
    pub fn request_body_filter(&self, body: Option<&Bytes>, end_of_stream: bool) {
        let Some(watched) = &self.watched else { return };
        if let Some(content) = body {
            watched.with(|it| it.request_content(content));
        }
        if end_of_stream {
            watched.with(|it| it.request_whole = true);
        }
    }

    /// From `response_filter`. A reply without a body is recorded here, before its head goes out.
    pub async fn response_filter(&self, session: &Session, head: &ResponseHeader) {
        let status = head.status;
        if status.is_informational() && status.as_u16() != 101 {
            return;
        }
        if let Some(tally) = &mut *self.tally.lock().unwrap_or_else(PoisonError::into_inner) {
            tally.answered(status.as_u16());
        }
        let Some(watched) = &self.watched else { return };
        watched.with(|it| it.reply(status.as_u16(), fields(&head.headers)));
        let bare = session.req_header().method == Method::HEAD
            || matches!(status.as_u16(), 101 | 204 | 304)
            || head.headers.get("content-length").is_some_and(|length| length == "0");
        if let Some(recorded) = bare.then(|| watched.complete()).flatten() {
            let _ = recorded.await;
        }
    }

    /// From `response_body_filter`. pingora gives no chance to wait asynchronously there, so at the end of a watched
    /// reply this blocks its thread until the event is on disk.
    pub fn response_body_filter(&self, body: Option<&Bytes>, end_of_stream: bool) {
        let Some(watched) = &self.watched else { return };
        if let Some(content) = body {
            watched.with(|it| it.response_content(content));
        }
        if let (true, Some(runtime)) = (end_of_stream, &self.recording)
            && let Some(recorded) = watched.complete()
        {
            wait(recorded, runtime);
        }
    }

    /// From `logging`: whatever has not come to its end by now never will.
    pub async fn logging(&mut self) {
        if let Some(recorded) = self.watched.take().and_then(|watched| watched.broken()) {
            let _ = recorded.await;
        }
    }
}

/// For `error_while_proxy`: a request that has left is never sent again.
pub fn never_again(mut error: BError) -> BError {
    error.set_retry(false);
    error
}

/// Blocks until it is recorded, by a thread that is not this one.
fn wait(recorded: Recorded, runtime: &Handle) {
    let (done, told) = mpsc::sync_channel::<()>(1);
    runtime.spawn(async move {
        let _ = recorded.await;
        let _ = done.send(());
    });
    // An error means that the thread is gone, and with it everybody who could tell.
    let blocked = || {
        let _ = told.recv();
    };
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(blocked),
        _ => blocked(),
    }
}

fn address(address: &SocketAddr) -> Option<IpAddr> {
    address.as_inet().map(std::net::SocketAddr::ip)
}
