//! A client's connection: one request after the other, until one side has had enough.

use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::buffer::Buffer;
use super::limits::Place;
use super::problem_reply::Trouble;
use super::relay::Client;
use super::watch::{NEVER, Watch};
use super::worker::Worker;
use crate::capture::Tally;
use crate::capture::wire::refusal::Refusal;
use crate::capture::wire::request::{RequestHead, leading_empty_lines, read_request, request_line};

/// How long, and how many bytes, a client may still send after a last reply,
/// so that it reads the reply before it meets a reset.
const LINGER_MS: u64 = 2_000;
const LINGER_BYTES: usize = 1 << 20;

/// One client's connection.
pub(super) struct Connection {
    pub(super) worker: Rc<Worker>,
    pub(super) watch: Rc<Watch>,
    pub(super) peer: IpAddr,
    /// Who sent the request under way, for the case that its chunks are refused.
    pub(super) sender: IpAddr,
    pub(super) client: Client,
    /// Of the request under way, where only its end is of interest.
    pub(super) tally: Option<Tally>,
    _place: Place,
}

/// What comes after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next request.
    Request,
    /// The end, when the client has read what was sent.
    Close,
    /// The end, at once.
    Drop,
    /// The end, so that the client sees that something is missing.
    Reset,
}

/// What a wait for a request came to.
enum Arrival {
    Head(RequestHead),
    Refused(Refusal),
    /// The client has nothing more to ask, or asks too slowly.
    Closed,
    TooSlow,
}

impl Connection {
    pub(super) fn new(worker: Rc<Worker>, stream: TcpStream, peer: IpAddr, place: Place) -> Connection {
        let watch = worker.ticker.watch();
        worker.counts.open.add();
        let client = Client { stream, inbound: Buffer::default(), eof: false };
        Connection { worker, watch, peer, sender: peer, client, tally: None, _place: place }
    }

    /// Serves the client to the end.
    pub(super) async fn serve(mut self) {
        loop {
            let next = match self.next_request().await {
                Arrival::Head(head) => self.exchange(head).await,
                Arrival::Refused(refusal) => {
                    let head = self.client.inbound.filled();
                    self.worker.refused(refusal, self.worker.client_of(self.peer, head), request_line(head));
                    self.reply(Trouble::Refused(refusal), false).await
                }
                Arrival::TooSlow => {
                    self.worker.counts.client_timeouts.add();
                    self.reply(Trouble::ClientTooSlow, false).await
                }
                Arrival::Closed => Next::Drop,
            };
            match next {
                Next::Request => {}
                Next::Close => return self.linger().await,
                Next::Drop => return,
                Next::Reset => {
                    // The unsent rest is thrown away: the client must not take a part for the whole.
                    let _ = socket2::SockRef::from(&self.client.stream).set_linger(Some(Duration::ZERO));
                    return;
                }
            }
        }
    }

    async fn next_request(&mut self) -> Arrival {
        let mut parsed = 0;
        let mut began = self.worker.ticker.now();
        let mut deadline = NEVER;
        poll_fn(|cx| self.poll_request(&mut parsed, &mut began, &mut deadline, cx)).await
    }

    /// `parsed`: how much was there when the head was last tried.
    fn poll_request(
        &mut self,
        parsed: &mut usize,
        began: &mut u64,
        deadline: &mut u64,
        cx: &mut Context<'_>,
    ) -> Poll<Arrival> {
        let worker = &*self.worker;
        let now = worker.ticker.now();
        if worker.gives_up() {
            return Poll::Ready(Arrival::Closed);
        }
        loop {
            let bytes = self.client.inbound.filled();
            let skipped = if *parsed == 0 { leading_empty_lines(bytes) } else { 0 };
            if skipped > 0 {
                self.client.inbound.consume(skipped, &worker.spare);
                continue;
            }
            // Only a new line end can change the verdict: a head sent byte by byte is not read again for each.
            let fresh = bytes.get(*parsed..).unwrap_or_default();
            if fresh.contains(&b'\n') || bytes.len() >= worker.request_limits.bytes {
                match read_request(bytes, worker.request_limits, &mut worker.cuts.borrow_mut()) {
                    Ok(Some(head)) => return Poll::Ready(Arrival::Head(head)),
                    Ok(None) => *parsed = bytes.len(),
                    Err(refusal) => return Poll::Ready(Arrival::Refused(refusal)),
                }
            }
            let was_empty = self.client.inbound.is_empty();
            if self.client.eof {
                return Poll::Ready(Arrival::Closed);
            }
            match self.client.inbound.poll_fill(&mut self.client.stream, &worker.spare, cx) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Arrival::Closed),
                Poll::Ready(Ok(_)) if was_empty => *began = now,
                Poll::Ready(Ok(_)) => {}
                Poll::Pending if was_empty && (worker.drains() || now >= *deadline) => {
                    return Poll::Ready(Arrival::Closed);
                }
                Poll::Pending if now >= *deadline => return Poll::Ready(Arrival::TooSlow),
                Poll::Pending => {
                    let settings = &worker.settings;
                    let wait = if was_empty { settings.idle_timeout_ms } else { settings.head_timeout_ms };
                    *deadline = *began + wait;
                    self.watch.arm(*deadline, cx);
                    return Poll::Pending;
                }
            }
        }
    }

    /// A reply of ours, after which the connection closes.
    pub(super) async fn reply(&mut self, trouble: Trouble, is_head: bool) -> Next {
        let mut out = self.worker.spare.head();
        trouble.write(&self.worker.clock, is_head, &mut out);
        let limit = Duration::from_millis(self.worker.settings.send_timeout_ms);
        let written = timeout(limit, self.client.stream.write_all(&out)).await;
        self.worker.spare.keep_head(out);
        if matches!(written, Ok(Ok(()))) { Next::Close } else { Next::Drop }
    }

    /// Closes the sending side and reads on for a little: a client that is
    /// still sending would meet a reset, and lose the reply with it.
    async fn linger(mut self) {
        if self.client.stream.shutdown().await.is_err() {
            return;
        }
        let worker = Rc::clone(&self.worker);
        let until = worker.ticker.now() + LINGER_MS;
        let mut left = LINGER_BYTES;
        poll_fn(|cx| {
            loop {
                self.client.inbound.give_back(&worker.spare);
                if worker.ticker.now() >= until || worker.gives_up() {
                    return Poll::Ready(());
                }
                match self.client.inbound.poll_fill(&mut self.client.stream, &worker.spare, cx) {
                    Poll::Ready(Ok(count)) if count > 0 && left > count => left -= count,
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => {
                        self.watch.arm(until, cx);
                        return Poll::Pending;
                    }
                }
            }
        })
        .await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.client.inbound.give_back(&self.worker.spare);
        self.worker.counts.open.take();
    }
}
