//! One thread: a runtime of its own, a listener of its own, nothing shared but counters and limits.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::buffer::Spare;
use super::connection::Connection;
use super::counts::{Counts, PlatformFailure};
use super::fields;
use super::limits::Limits;
use super::pool::Pool;
use super::problem_reply::Trouble;
use super::watch::{TICK, Ticker};
use crate::capture::body::Budget;
use crate::capture::client_address::{client_address, is_trusted};
use crate::capture::recording::Recording;
use crate::capture::settings::{HEAD_MOST, Settings};
use crate::capture::watching::Copies;
use crate::capture::wire::HeadLimits;
use crate::capture::wire::refusal::Refusal;
use crate::capture::wire::rewrite::Cuts;
use crate::capture::{Observe, Refused};
use crate::clock::Clock;

/// After the system had no descriptor or memory for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often a drain looks whether it is done.
const DRAIN_STEP: Duration = Duration::from_millis(10);
/// For what is left when time was up: connections close, ends are recorded.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// What traffic causes is logged once in so long, in milliseconds.
const LOG_EVERY: u64 = 1_000;

/// How far a stop has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Serving,
    Draining,
    GivingUp,
}

/// What the connections of one thread share.
pub(super) struct Worker {
    pub(super) settings: Arc<Settings>,
    pub(super) observe: Arc<dyn Observe>,
    pub(super) clock: Clock,
    pub(super) counts: Arc<Counts>,
    pub(super) limits: Arc<Limits>,
    pub(super) ticker: Ticker,
    pub(super) pool: Pool,
    pub(super) spare: Spare,
    /// The lines left out of the head that was read last: used before anything is awaited.
    pub(super) cuts: RefCell<Cuts>,
    pub(super) request_limits: HeadLimits,
    pub(super) reply_limits: HeadLimits,
    pub(super) copies: Copies,
    /// Ends that are being recorded on behalf of connections that are gone.
    pub(super) recording: Recording,
    phase: Cell<Phase>,
    logged: Cell<u64>,
}

impl Worker {
    pub(super) fn new(
        settings: Arc<Settings>,
        observe: Arc<dyn Observe>,
        clock: Clock,
        counts: Arc<Counts>,
        limits: Arc<Limits>,
        copies: Budget,
    ) -> Rc<Worker> {
        let fields = settings.head_max_fields;
        Rc::new(Worker {
            request_limits: HeadLimits { bytes: settings.head_max_bytes, fields },
            reply_limits: HeadLimits { bytes: HEAD_MOST, fields },
            copies: Copies { each: settings.body_copy_bytes, all: copies },
            settings,
            observe,
            clock,
            counts,
            limits,
            ticker: Ticker::new(),
            pool: Pool::default(),
            spare: Spare::default(),
            cuts: RefCell::default(),
            recording: Recording::default(),
            phase: Cell::new(Phase::Serving),
            logged: Cell::new(0),
        })
    }

    /// Whether connections end after what they are doing.
    pub(super) fn drains(&self) -> bool {
        self.phase.get() != Phase::Serving
    }

    /// Whether connections end now.
    pub(super) fn gives_up(&self) -> bool {
        self.phase.get() == Phase::GivingUp
    }

    /// Counts a refusal, tells of it, and names it in the log now and then.
    pub(super) fn refused(&self, refusal: Refusal, client: IpAddr, line: (Option<&str>, Option<&str>)) {
        self.counts.refused(refusal);
        let (reason, (method, target)) = (refusal.to_string(), line);
        let (label, status) = (refusal.label(), refusal.status());
        self.observe.refused(&Refused { reason: &reason, label, status, client, method, target });
        if self.may_log() {
            tracing::info!(reason = refusal.label(), "refused a request: {refusal}");
        }
    }

    /// Whose request a head is that may be refused: the peer, or what a trusted one says where it can be read.
    pub(super) fn client_of(&self, peer: IpAddr, head: &[u8]) -> IpAddr {
        let trusted = &self.settings.trusted_proxies;
        let says = if is_trusted(peer, trusted) { fields::of_refused(head) } else { None };
        says.map_or(peer, |headers| client_address(peer, &headers, trusted))
    }

    /// Counts a connection that could not be made, and tells the log now and then.
    pub(super) fn unreachable(&self, error: &io::Error) {
        self.counts.platform_failed(PlatformFailure::Unreachable);
        if self.may_log() {
            tracing::warn!(error = %error, "no connection to the platform");
        }
    }

    /// Whether the last line of this sort is long enough ago: traffic must not fill the log.
    fn may_log(&self) -> bool {
        let now = self.ticker.now();
        let may = now >= self.logged.get();
        if may {
            self.logged.set(now + LOG_EVERY);
        }
        may
    }

    /// Serves until stopped, then until what was accepted is done.
    pub(super) async fn run(
        self: Rc<Self>,
        listener: std::net::TcpListener,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let listener = TcpListener::from_std(listener)?;
        let ticking = tokio::task::spawn_local(Rc::clone(&self).tick());
        self.accept_until(&listener, &stop).await;
        self.phase.set(Phase::Draining);
        self.accept_rest(listener);
        self.ticker.wake_all();
        self.drain().await;
        self.pool.clear();
        ticking.abort();
        Ok(())
    }

    async fn tick(self: Rc<Self>) {
        let mut every = tokio::time::interval(TICK);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            self.ticker.tick();
            self.pool.sweep(self.ticker.now(), &self.settings);
        }
    }

    async fn accept_until(self: &Rc<Self>, listener: &TcpListener, stop: &CancellationToken) {
        let mut stopped = std::pin::pin!(stop.cancelled());
        loop {
            let accepted = poll_fn(|cx| {
                if stopped.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                listener.poll_accept(cx).map(Some)
            })
            .await;
            match accepted {
                None => return,
                Some(Ok((stream, peer))) => self.welcome(stream, peer.ip()),
                Some(Err(error)) if is_about_one_connection(&error) => {}
                Some(Err(error)) => {
                    self.counts.accept_failed.add();
                    if self.may_log() {
                        tracing::warn!(error = %error, "cannot accept connections; trying again");
                    }
                    self.pool.clear();
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Takes what the system accepted for us before the listener closes.
    fn accept_rest(self: &Rc<Self>, listener: TcpListener) {
        let Ok(listener) = listener.into_std() else { return };
        while let Ok((stream, peer)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok()
                && let Ok(stream) = TcpStream::from_std(stream)
            {
                self.welcome(stream, peer.ip());
            }
        }
    }

    fn welcome(self: &Rc<Self>, stream: TcpStream, peer: IpAddr) {
        let peer = peer.to_canonical();
        let Some(place) = self.limits.enter(peer, &self.settings) else {
            self.counts.turned_away.add();
            let mut reply = Vec::new();
            Trouble::TooManyConnections.write(&self.clock, false, &mut reply);
            // One try: a client beyond the limit is not waited for.
            let _ = stream.try_write(&reply);
            return;
        };
        // Without it a reply's last bytes may wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        tokio::task::spawn_local(Connection::new(Rc::clone(self), stream, peer, place).serve());
    }

    async fn drain(&self) {
        let until = tokio::time::Instant::now() + Duration::from_millis(self.settings.drain_ms);
        while self.is_busy() && tokio::time::Instant::now() < until {
            tokio::time::sleep(DRAIN_STEP).await;
        }
        if !self.is_busy() {
            return;
        }
        self.phase.set(Phase::GivingUp);
        self.ticker.wake_all();
        let until = tokio::time::Instant::now() + LAST_WORDS;
        while self.is_busy() && tokio::time::Instant::now() < until {
            tokio::time::sleep(DRAIN_STEP).await;
        }
    }

    fn is_busy(&self) -> bool {
        self.counts.open.now() > 0 || !self.recording.is_idle()
    }
}

/// Whether accepting failed because of the connection that was to be accepted.
fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
