//! Step 1: from the wire to an [`Exchange`].
//!
//! Several fronts (the sidecar, a tower Layer, pingora, a HAR file) share one
//! door to what comes behind: [`Observe`]. A front forwards; it knows nothing
//! of rules or stores.

pub(crate) mod body;
pub mod har;
#[cfg(feature = "layer")]
pub mod layer;
#[cfg(feature = "pingora")]
pub mod pingora;
mod recording;
#[cfg(any(feature = "layer", feature = "pingora"))]
mod shared;
mod watching;

pub(crate) mod client_address;
pub(crate) mod settings;
pub mod sidecar;
pub(crate) mod wire;

pub use client_address::{Network, NetworkError};
pub use settings::{Settings, Upstream, UpstreamError};

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::exchange::{Exchange, Request};

/// A future that a front awaits.
pub type Pending = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A future that a front awaits before it lets a reply end.
pub type Recorded = Pin<Box<dyn Future<Output = Kept> + Send>>;

/// What became of the record of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Kept {
    /// Whatever there was to keep is on disk.
    OnDisk,
    /// It is not, and cannot be: the client must not take the reply for acknowledged.
    Lost,
}

/// The door between capture and the rest: asked once for each request.
pub trait Observe: Send + Sync + 'static {
    /// Called when a request's head has arrived and before anything goes
    /// upstream. `target` is the origin form as sent (path and query).
    ///
    /// `None`: nobody is interested; the front copies nothing and calls nothing
    /// more. This is the path of most requests: it must cost one route look-up
    /// and no allocation.
    fn admit(&self, method: &str, target: &str) -> Option<Box<dyn Witness>>;

    /// Asked after [`Observe::admit`] said `None`: whether it is of interest how
    /// the request ends, and nothing else. By default it is not.
    fn tally(&self, _method: &str, _target: &str) -> Option<Tally> {
        None
    }

    /// Called for a request that the front refused by itself: nothing went
    /// upstream. It must return at once; by default nobody is interested.
    fn refused(&self, _refused: &Refused<'_>) {}
}

/// Hears how requests end that nobody watches. It must return at once.
pub trait Ended: Send + Sync + 'static {
    /// `path` is as sent, without the query; `status` that of the final reply, where there was one.
    fn ended(&self, method: &str, path: &str, status: Option<u16>);
}

/// Waits for the status of a request that nobody watches; tells it when it goes.
pub struct Tally {
    hears: Arc<dyn Ended>,
    /// Method and path, one behind the other: most requests pass here, and each piece of memory has its price.
    line: Box<str>,
    method: usize,
    status: Option<u16>,
}

impl Tally {
    /// `target` is the origin form as sent; its query is not kept.
    pub fn new(hears: Arc<dyn Ended>, method: &str, target: &str) -> Tally {
        let path = memchr::memchr(b'?', target.as_bytes()).and_then(|end| target.get(..end)).unwrap_or(target);
        let mut line = String::with_capacity(method.len() + path.len());
        line.push_str(method);
        line.push_str(path);
        Tally { hears, line: line.into_boxed_str(), method: method.len(), status: None }
    }

    /// The head of the final reply came.
    pub(crate) fn answered(&mut self, status: u16) {
        self.status = Some(status);
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        if let Some((method, path)) = self.line.split_at_checked(self.method) {
            self.hears.ended(method, path, self.status);
        }
    }
}

/// A request that a front refused: it has no single meaning, or is larger than allowed.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// Why, as a sentence.
    pub reason: &'a str,
    /// Why, as a word: `host`.
    pub label: &'a str,
    /// What the client was answered.
    pub status: u16,
    /// Who opened the connection; behind a trusted proxy the client that it names, where the head could be read.
    pub client: IpAddr,
    /// The method, where the request line could be read.
    pub method: Option<&'a str>,
    /// The target as sent, where the request line could be read.
    pub target: Option<&'a str>,
}

/// What watches one exchange that somebody is interested in.
pub trait Witness: Send {
    /// Which bodies to copy aside.
    fn wants(&self) -> Wants;

    /// Called once with the head (its body is still empty), before the request
    /// goes on. A future that comes back is awaited first (a look-up of what is
    /// about to be deleted); it bounds its own time.
    fn begin(&mut self, request: &Request) -> Option<Pending>;

    /// Who wants to hear of the end of the connection that this exchange
    /// opens, asked before [`Witness::observe`] where the platform switched
    /// protocols and the front carries the connection itself.
    fn follow(&mut self) -> Option<Box<dyn Follow>> {
        None
    }

    /// Called once when the exchange has ended: well, badly, or because the
    /// client left. The front lets the reply end (sends its last byte) only
    /// after the future is done, and breaks the connection instead where the
    /// record is lost. The future bounds its own time.
    ///
    /// A front that is itself dropped must still call this (and spawn the
    /// future): a client that hangs up still acted.
    fn observe(self: Box<Self>, exchange: Exchange) -> Recorded;
}

/// What hears of the end of a connection that an exchange opened.
pub trait Follow: Send {
    /// Called once, when the connection has ended, however it ended. The future bounds its own time.
    fn closed(self: Box<Self>, carried: Carried) -> Recorded;
}

/// What a connection carried after it had switched protocols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Bytes from the client to the platform.
    pub up: u64,
    /// Bytes from the platform to the client.
    pub down: u64,
    /// From the switch to the end.
    pub duration: Duration,
}

/// Which bodies a witness wants copied aside, and how much of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// Copy the request's body.
    pub request_body: bool,
    /// Copy the response's body.
    pub response_body: bool,
}
