//! The sidecar front: our own HTTP/1.1 forwarder.
//!
//! It forwards what arrived, unchanged and streaming, or refuses it for a
//! reason of the RFCs; it never sends a request twice; and it lets the reply
//! to a watched request end only after its witness is done. One thread and one
//! runtime for each core, each with a listener of its own (`SO_REUSEPORT`).

mod buffer;
mod connection;
mod counts;
mod deadline;
mod descriptors;
mod exchange;
mod fields;
mod limits;
mod pool;
mod problem_reply;
mod relay;
mod tunnel;
mod unsent;
mod waiting;
mod watch;
mod worker;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use prometheus_client::registry::Registry;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Observe;
use super::body::Budget;
use super::settings::{HEAD_LEAST, HEAD_MOST, Settings};
use crate::clock::Clock;
use counts::{AllCounts, Counts};
pub use descriptors::{Descriptors, raise_descriptors};
use limits::Limits;
use worker::Worker;

/// Connections that wait to be accepted, for each thread.
const BACKLOG: i32 = 4096;

/// A forwarder whose addresses are taken, not yet serving.
pub struct Sidecar {
    listeners: Vec<TcpListener>,
    address: SocketAddr,
    settings: Arc<Settings>,
    counts: AllCounts,
    copies: Budget,
}

/// Why the sidecar cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The system refused.
    #[error("cannot listen on `{address}`")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A value that cannot work.
    #[error("`{key}` must be {must}")]
    Setting {
        /// The key in `[proxy]`.
        key: &'static str,
        /// What it must be.
        must: &'static str,
    },
}

impl Sidecar {
    /// Takes the addresses. Nothing is accepted before [`Sidecar::run`].
    ///
    /// # Errors
    /// An address that is taken or not ours; a setting that cannot work.
    pub fn bind(settings: &Settings) -> Result<Sidecar, BindError> {
        if !(HEAD_LEAST..=HEAD_MOST).contains(&settings.head_max_bytes) {
            return Err(BindError::Setting { key: "head_max_bytes", must: "between 1024 and 57344" });
        }
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = if settings.threads == 0 { cores() } else { settings.threads };
        let mut address = settings.listen;
        let mut listeners = Vec::with_capacity(threads);
        for _ in 0..threads {
            let failed = |source| BindError::Listen { address, source };
            let listener = listen(address).map_err(failed)?;
            // The first one chooses the port where 0 was asked for.
            address = listener.local_addr().map_err(failed)?;
            listeners.push(listener);
        }
        let copies = Budget::new(settings.body_copies_bytes);
        let threads = (0..threads).map(|_| Arc::new(Counts::default())).collect();
        let counts = AllCounts { threads, copies: copies.clone() };
        Ok(Sidecar { listeners, address, settings: Arc::new(settings.clone()), counts, copies })
    }

    /// Where it listens, with the port that was chosen.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Adds the forwarder's counters.
    pub fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(self.counts.clone()));
    }

    /// Serves on threads of its own until `stop`, then finishes what was
    /// accepted, for at most `drain_ms`. Dropping the future stops it too.
    ///
    /// # Errors
    /// A thread or its runtime that could not be started.
    pub async fn run(self, observe: Arc<dyn Observe>, clock: Clock, stop: CancellationToken) -> io::Result<()> {
        let stop = stop.child_token();
        let _stop_when_dropped = stop.clone().drop_guard();
        let limits = Arc::new(Limits::default());
        let mut running = Vec::with_capacity(self.listeners.len());
        for (number, (listener, counts)) in self.listeners.into_iter().zip(self.counts.threads).enumerate() {
            let (done, is_done) = oneshot::channel();
            let (settings, observe, clock) = (Arc::clone(&self.settings), Arc::clone(&observe), clock.clone());
            let (limits, stop, copies) = (Arc::clone(&limits), stop.clone(), self.copies.clone());
            std::thread::Builder::new().name(format!("proxy-{number}")).spawn(move || {
                let served =
                    serve(listener, stop, move || Worker::new(settings, observe, clock, counts, limits, copies));
                // Nobody waits where the future was dropped.
                let _ = done.send(served);
            })?;
            running.push(is_done);
        }
        for is_done in running {
            is_done.await.map_err(|_| io::Error::other("a forwarding thread panicked"))??;
        }
        Ok(())
    }
}

/// One thread's life.
fn serve(
    listener: TcpListener,
    stop: CancellationToken,
    worker: impl FnOnce() -> std::rc::Rc<Worker>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?;
    runtime.block_on(worker().run(listener, stop))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
