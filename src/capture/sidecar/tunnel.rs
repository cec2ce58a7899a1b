//! After a switch of protocols: bytes both ways, nothing understood.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use super::buffer::{Buffer, Spare};
use super::connection::Next;
use super::relay::Relay;
use super::watch::NEVER;
use crate::capture::recording::Recording;
use crate::capture::{Carried, Follow};

/// One direction's progress.
#[derive(Default)]
struct Way {
    eof: bool,
    shut: bool,
    /// Bytes that went this way.
    carried: u64,
}

/// Whoever hears of a tunnel's end. Told when this is dropped, however the tunnel ended.
pub(super) struct Following {
    follow: Option<Box<dyn Follow>>,
    began: Instant,
    carried: Carried,
    recording: Recording,
}

impl Following {
    pub(super) fn new(follow: Box<dyn Follow>, recording: Recording) -> Following {
        Following { follow: Some(follow), began: Instant::now(), carried: Carried::default(), recording }
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(follow) = self.follow.take() {
            let carried = Carried { duration: self.began.elapsed(), ..self.carried };
            self.recording.leave(follow.closed(carried));
        }
    }
}

/// Carries bytes until both sides have closed, one broke, or both are silent for too long.
pub(super) async fn tunnel(relay: &mut Relay<'_>) -> Next {
    let (worker, watch) = (relay.worker, relay.watch);
    let (mut up, mut down) = (Way { eof: relay.client.eof, ..Way::default() }, Way::default());
    let mut deadline = NEVER;
    poll_fn(|cx| {
        let now = worker.ticker.now();
        if worker.drains() || now >= deadline {
            return Poll::Ready(());
        }
        let mut moved = 0;
        let client = &mut *relay.client;
        let (platform, inbound) = (&mut relay.platform, &mut relay.down.inbound);
        let polled = [
            up.poll(&mut client.stream, &mut client.inbound, platform, &worker.spare, &mut moved, cx),
            down.poll(platform, inbound, &mut client.stream, &worker.spare, &mut moved, cx),
        ];
        if let (Some(following), 1..) = (&mut relay.following, moved) {
            (following.carried.up, following.carried.down) = (up.carried, down.carried);
        }
        if polled.iter().any(|way| matches!(way, Poll::Ready(Err(_)))) || (up.shut && down.shut) {
            return Poll::Ready(());
        }
        if moved > 0 || deadline == NEVER {
            deadline = now + worker.settings.upgrade_idle_timeout_ms;
        }
        watch.arm(deadline, cx);
        Poll::Pending
    })
    .await;
    Next::Drop
}

impl Way {
    fn poll(
        &mut self,
        from: &mut TcpStream,
        buffer: &mut Buffer,
        to: &mut TcpStream,
        spare: &Spare,
        moved: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        loop {
            if !buffer.is_empty() {
                let written = std::task::ready!(std::pin::Pin::new(&mut *to).poll_write(cx, buffer.filled()))?;
                buffer.consume(written, spare);
                *moved += written;
                self.carried += written as u64;
            } else if self.eof {
                if !self.shut {
                    std::task::ready!(std::pin::Pin::new(&mut *to).poll_shutdown(cx))?;
                    self.shut = true;
                }
                return Poll::Ready(Ok(()));
            } else if std::task::ready!(buffer.poll_fill(from, spare, cx))? == 0 {
                self.eof = true;
            }
        }
    }
}
