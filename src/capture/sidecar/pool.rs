//! Connections to the platform: kept for reuse a little, made anew by name or address.
//!
//! A connection is reused only if it was idle for less than the platform's
//! keep-alive and if not one byte and no end has arrived on it meanwhile: what
//! came unasked must never be taken for the next client's reply.

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::capture::settings::Settings;

#[derive(Default)]
pub(super) struct Pool {
    /// The most recently used last, and when it was given back.
    idle: RefCell<Vec<(TcpStream, u64)>>,
    /// What the platform's name stands for, and when that was looked up.
    addresses: RefCell<(Vec<SocketAddr>, u64)>,
}

impl Pool {
    /// An idle connection that is as good as a fresh one.
    pub(super) fn take(&self, now: u64, settings: &Settings) -> Option<TcpStream> {
        let mut idle = self.idle.borrow_mut();
        while let Some((stream, since)) = idle.pop() {
            if now.saturating_sub(since) >= settings.pool_idle_ms {
                // The most recent one is too old: all are.
                idle.clear();
                return None;
            }
            if is_silent(&stream) {
                return Some(stream);
            }
        }
        None
    }

    pub(super) fn keep(&self, stream: TcpStream, now: u64, settings: &Settings) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < settings.pool_max && settings.pool_idle_ms > 0 {
            idle.push((stream, now));
        }
    }

    /// Closes what is too old to be reused.
    pub(super) fn sweep(&self, now: u64, settings: &Settings) {
        let mut idle = self.idle.borrow_mut();
        let old = idle.partition_point(|(_, since)| now.saturating_sub(*since) >= settings.pool_idle_ms);
        idle.drain(..old);
    }

    pub(super) fn clear(&self) {
        self.idle.borrow_mut().clear();
    }

    /// A fresh connection: each of the platform's addresses is tried in turn.
    ///
    /// # Errors
    /// The last address's failure; `TimedOut` when time was up.
    pub(super) async fn connect(&self, now: u64, settings: &Settings) -> io::Result<TcpStream> {
        let budget = Duration::from_millis(settings.connect_timeout_ms);
        timeout(budget, async {
            let addresses = self.addresses(now, settings).await?;
            let share = budget / u32::try_from(addresses.len().max(1)).unwrap_or(1);
            let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            for address in addresses {
                match timeout(share, TcpStream::connect(address)).await {
                    Ok(Ok(stream)) => {
                        stream.set_nodelay(true)?;
                        return Ok(stream);
                    }
                    Ok(Err(error)) => failure = error,
                    Err(_) => failure = io::ErrorKind::TimedOut.into(),
                }
            }
            Err(failure)
        })
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn addresses(&self, now: u64, settings: &Settings) -> io::Result<Vec<SocketAddr>> {
        let upstream = &settings.upstream;
        if let Ok(address) = upstream.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, upstream.port)]);
        }
        {
            let known = self.addresses.borrow();
            if !known.0.is_empty() && now.saturating_sub(known.1) < settings.dns_ttl_ms {
                return Ok(known.0.clone());
            }
        }
        let found: Vec<SocketAddr> = tokio::net::lookup_host((upstream.host.as_str(), upstream.port)).await?.collect();
        *self.addresses.borrow_mut() = (found.clone(), now);
        Ok(found)
    }
}

/// Whether nothing has arrived: asks the system, because the runtime may not have heard of it yet.
fn is_silent(stream: &TcpStream) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    SockRef::from(stream).peek(&mut byte).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
