//! The tower Layer: the same events from inside a Rust service.
//!
//! Put outermost around an axum or hyper service it shows every exchange to an
//! [`Observe`], like the sidecar does from outside. It promises what the
//! sidecar promises: bodies stream through (only copies are made aside), the
//! reply ends only after its event is recorded, and a client that hangs up is
//! observed too. It never answers by itself.

mod bodies;

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Extensions, Method, StatusCode};
use http_body::Body;

use super::body::{Budget, COPIES_BYTES, COPY_BYTES};
use super::client_address::{client_address, is_trusted};
use super::recording::Recording;
use super::shared::{Shared, fields};
use super::watching::{Copies, Watching};
use super::{Network, Observe};
use crate::clock::Clock;
use crate::exchange;
pub use bodies::{ReplyBody, RequestBody};

/// How long a reply may wait for a body that the service did not read.
const UNREAD: Duration = Duration::from_secs(1);

/// Finds out who opened the connection.
type Peer = Arc<dyn Fn(&Extensions) -> Option<IpAddr> + Send + Sync>;

/// Wraps services. Clones share the observer.
#[derive(Clone)]
pub struct Layer {
    observe: Arc<dyn Observe>,
    clock: Clock,
    copies: Copies,
    peer: Peer,
    trusted: Arc<[Network]>,
    recording: Recording,
}

/// A wrapped service.
#[derive(Clone)]
pub struct Service<S> {
    inner: S,
    layer: Layer,
}

impl Layer {
    /// A layer that shows exchanges to `observe`.
    pub fn new(observe: Arc<dyn Observe>, clock: Clock) -> Layer {
        Layer {
            observe,
            clock,
            copies: Copies { each: COPY_BYTES, all: Budget::new(COPIES_BYTES) },
            peer: Arc::new(|_| None),
            trusted: Arc::new([]),
            recording: Recording::default(),
        }
    }

    /// How much of each body is copied, in bytes (256 KiB).
    #[must_use]
    pub fn copy_bytes(mut self, copy_bytes: usize) -> Layer {
        self.copies.each = copy_bytes;
        self
    }

    /// How much the copies of all bodies may hold together, in bytes (64 MiB). Beyond it a copy is cut.
    #[must_use]
    pub fn copies_bytes(mut self, copies_bytes: usize) -> Layer {
        self.copies.all = Budget::new(copies_bytes);
        self
    }

    /// Where the address of the connection is. A service knows it only from what its server puts into the
    /// request's extensions: with axum's `ConnectInfo<SocketAddr>`, `|e| e.get::<ConnectInfo<_>>().map(|c| c.0.ip())`.
    #[must_use]
    pub fn peer(mut self, peer: impl Fn(&Extensions) -> Option<IpAddr> + Send + Sync + 'static) -> Layer {
        self.peer = Arc::new(peer);
        self
    }

    /// The proxies whose `X-Forwarded-For` (and identity headers) are believed.
    #[must_use]
    pub fn trusting(mut self, proxies: impl IntoIterator<Item = Network>) -> Layer {
        self.trusted = proxies.into_iter().collect();
        self
    }

    /// Waits until everything that clients left behind is recorded: the last thing before the process ends.
    pub async fn settled(&self) {
        self.recording.settled().await;
    }

    /// What the witness will be shown of a request.
    fn head<B>(&self, request: &http::Request<B>, target: String) -> exchange::Request {
        let peer = (self.peer)(request.extensions());
        let headers = fields(request.headers());
        exchange::Request {
            method: request.method().as_str().to_owned(),
            target,
            client: peer.map(|peer| client_address(peer, &headers, &self.trusted)),
            peer_is_trusted: peer.is_some_and(|peer| is_trusted(peer, &self.trusted)),
            peer,
            headers,
            body: exchange::Body::default(),
        }
    }
}

impl<S> tower::Layer<S> for Layer {
    type Service = Service<S>;

    fn layer(&self, inner: S) -> Service<S> {
        Service { inner, layer: self.clone() }
    }
}

impl<S, B, R> tower::Service<http::Request<B>> for Service<S>
where
    S: tower::Service<http::Request<RequestBody<B>>, Response = http::Response<R>>,
    S::Future: Send + 'static,
    S: Clone + Send + 'static,
    S::Error: Send,
    B: Body<Data = Bytes> + Send + 'static,
    R: Body<Data = Bytes> + Send + 'static,
{
    type Response = http::Response<ReplyBody<R>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let Some(witness) = self.layer.observe.admit(request.method().as_str(), target) else {
            let tally = self.layer.observe.tally(request.method().as_str(), target);
            let reply = self.inner.call(request.map(RequestBody::unwatched));
            return Box::pin(async move {
                let mut tally = tally;
                let reply = reply.await?;
                if let Some(tally) = &mut tally {
                    tally.answered(reply.status().as_u16());
                }
                Ok(reply.map(ReplyBody::unwatched))
            });
        };
        let layer = &self.layer;
        let head = layer.head(&request, target.to_owned());
        let started = layer.clock.now();
        let id = exchange::Exchange::number(started);
        let (copies, recording) = (layer.copies.clone(), layer.recording.clone());
        let watched = Shared::new(Watching::new(witness, id, started, head, copies, recording));
        // The service that was polled ready is the one to call; a clone takes its place.
        let fresh = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, fresh);
        Box::pin(async move {
            if let Some(pending) = watched.with(Watching::begin) {
                pending.await;
            }
            let method = request.method().clone();
            watched.with(|it| it.sent = true);
            let expects = request.headers().contains_key(http::header::EXPECT);
            let answered = inner.call(request.map(|body| RequestBody::watched(body, watched.clone()))).await;
            if !expects {
                read_unread(&watched).await;
            }
            match answered {
                Ok(reply) => Ok(answer(reply, &method, watched).await),
                Err(error) => {
                    if let Some(recorded) = watched.broken() {
                        let _ = recorded.await;
                    }
                    Err(error)
                }
            }
        })
    }
}

/// Reads what the service left of the request's body, for a moment. Not where the client waits for a `100 Continue`:
/// reading would send it.
async fn read_unread(watched: &Shared) {
    if let Some(rest) = watched.take_unread() {
        // Late is the same as not at all: the reply must not wait for a slow upload that nobody wants.
        let _ = tokio::time::timeout(UNREAD, rest(watched.clone())).await;
    }
}

/// Wraps a reply. One whose body nobody will ask for is recorded before its head goes out.
async fn answer<R>(reply: http::Response<R>, method: &Method, watched: Shared) -> http::Response<ReplyBody<R>>
where
    R: Body<Data = Bytes>,
{
    let status = reply.status();
    watched.with(|it| it.reply(status.as_u16(), fields(reply.headers())));
    let length = reply.headers().get(http::header::CONTENT_LENGTH);
    let length: Option<u64> = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let bare = method == Method::HEAD
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || length == Some(0)
        || reply.body().is_end_stream();
    if bare {
        if let Some(recorded) = watched.complete() {
            let _ = recorded.await;
        }
        return reply.map(ReplyBody::unwatched);
    }
    reply.map(|body| ReplyBody::watched(body, watched, length))
}
