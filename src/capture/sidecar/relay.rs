//! One exchange on the wire: the request up, the reply down, both at once.
//!
//! Bytes go on as soon as they have arrived and been understood; at most one
//! buffer waits in each direction. The last bytes of a watched reply are held
//! until the witness is done.

use std::net::IpAddr;
use std::task::{Context, Poll};

use tokio::net::TcpStream;

use super::buffer::Buffer;
use super::counts::PlatformFailure;
use super::deadline::Rate;
use super::fields;
use super::problem_reply::Trouble;
use super::tunnel::Following;
use super::waiting::Waiting;
use super::watch::{NEVER, Watch};
use super::worker::Worker;
use crate::capture::watching::Watching;
use crate::capture::wire::framing::Framing;
use crate::capture::wire::refusal::Refusal;
use crate::capture::wire::reply::{Asked, ReplyHead, VERSION, read_reply};

/// A client's connection.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    /// What has arrived and was not used: this request's body, and the next requests.
    pub(super) inbound: Buffer,
    /// Whether the client has closed its sending side.
    pub(super) eof: bool,
}

/// What one poll came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The reply's end is here; a witness must hear of it before the client does.
    Last,
    /// Both messages are through, as far as they will get.
    Finished,
    /// The platform switched protocols and the client knows it.
    Switched,
    Failed(Failure),
}

/// Why an exchange cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A kept connection turned out dead before it took one byte: a fresh one is the same as the first.
    Stale,
    ClientGone,
    /// The client sends or takes too slowly.
    ClientSlow,
    /// The client's body has no single meaning.
    BadBody(Refusal),
    Platform(PlatformFailure, Trouble),
    /// The sidecar stops and time is up.
    GivenUp,
    /// The reply is whole, and there is no record of it.
    Unrecorded,
}

/// The request on its way up.
pub(super) struct Up {
    pub(super) out: Waiting,
    pub(super) framing: Framing,
    /// All of it has left.
    pub(super) finished: bool,
    /// It will never leave: the platform takes no more, or the client broke off.
    pub(super) broken: bool,
    /// Whether any byte left on this connection.
    pub(super) sent: bool,
    /// The client waits for `100 Continue`: its silence is the platform's.
    pub(super) expects: bool,
}

/// The reply on its way down.
pub(super) struct Down {
    pub(super) out: Waiting,
    pub(super) inbound: Buffer,
    pub(super) framing: Framing,
    /// The final head, once it is there.
    pub(super) status: Option<u16>,
    pub(super) ended: bool,
    pub(super) finished: bool,
    pub(super) interims: u32,
    /// The platform's connection may be reused, as far as the reply says.
    pub(super) reusable: bool,
}

/// One exchange.
pub(super) struct Relay<'a> {
    pub(super) worker: &'a Worker,
    pub(super) watch: &'a Watch,
    pub(super) client: &'a mut Client,
    pub(super) platform: TcpStream,
    /// Whether the platform's connection carried a request before.
    pub(super) reused: bool,
    pub(super) asked: Asked,
    /// Whether the client speaks HTTP/1.0.
    pub(super) old: bool,
    /// Whether the client's connection stays open afterwards.
    pub(super) keep_client: bool,
    pub(super) up: Up,
    pub(super) down: Down,
    pub(super) watching: Option<Box<Watching>>,
    /// Hears of the end of the WebSocket that this exchange opens.
    pub(super) following: Option<Following>,
    pub(super) sender: IpAddr,
    /// When the client, and the platform, last did something; when the client closed its side.
    pub(super) client_at: u64,
    pub(super) platform_at: u64,
    pub(super) eof_at: u64,
    pub(super) deadline: u64,
    pub(super) rate: Rate,
}

impl Relay<'_> {
    /// Goes on as far as possible.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Turn> {
        let now = self.worker.ticker.now();
        if self.worker.gives_up() {
            return Poll::Ready(Turn::Failed(Failure::GivenUp));
        }
        if now >= self.deadline
            && let Some(failure) = self.expired(now)
        {
            return Poll::Ready(Turn::Failed(failure));
        }
        let turn = match self.poll_up(now, cx) {
            Err(failure) => Some(Turn::Failed(failure)),
            // The client is looked after last: most replies are through by then.
            Ok(()) => match self.poll_down(now, cx) {
                Err(failure) => Some(Turn::Failed(failure)),
                Ok(None) => self.watch_client(now, cx).err().map(Turn::Failed),
                Ok(turn) => turn,
            },
        };
        if let Some(turn) = turn {
            return Poll::Ready(turn);
        }
        let (deadline, _) = self.next_deadline();
        self.deadline = deadline;
        self.watch.arm(deadline, cx);
        Poll::Pending
    }

    /// The request's side. Returns when it waits, or is through.
    fn poll_up(&mut self, now: u64, cx: &mut Context<'_>) -> Result<(), Failure> {
        while !self.up.finished && !self.up.broken {
            if self.up.out.is_waiting() {
                let was_blocked = self.up.out.blocked;
                let body = self.client.inbound.filled();
                let Poll::Ready(written) = self.up.out.poll_write(&mut self.platform, body, cx) else { return Ok(()) };
                self.platform_at = now;
                if was_blocked {
                    // The platform kept the client waiting, not the other way round.
                    self.client_at = now;
                    self.rate = Rate { since: now, bytes: 0 };
                }
                match written {
                    Ok(from_body) => {
                        self.client.inbound.consume(from_body, &self.worker.spare);
                        self.note_sent();
                    }
                    Err(_) if self.reused && !self.up.sent => return Err(Failure::Stale),
                    Err(_) => self.up.broken = true,
                }
                continue;
            }
            if self.up.framing.is_done() {
                self.up.finished = true;
                if let Some(watching) = &mut self.watching {
                    watching.request_whole = true;
                }
                break;
            }
            let Poll::Ready(read) = self.client.inbound.poll_fill(&mut self.client.stream, &self.worker.spare, cx)
            else {
                return Ok(());
            };
            match read {
                Err(_) => return Err(Failure::ClientGone),
                Ok(0) => self.client_closed(now),
                Ok(count) => {
                    self.client_at = now;
                    self.rate.bytes += count as u64;
                    self.up.expects = false;
                    self.take_request_body()?;
                }
            }
        }
        Ok(())
    }

    fn note_sent(&mut self) {
        if !self.up.sent {
            self.up.sent = true;
            if let Some(watching) = &mut self.watching {
                watching.sent = true;
            }
        }
    }

    /// Understands what has arrived of the request's body.
    pub(super) fn take_request_body(&mut self) -> Result<(), Failure> {
        let fresh = self.client.inbound.filled().get(self.up.out.ready..).unwrap_or_default();
        let taken = match &mut self.watching {
            Some(watching) => self.up.framing.advance(fresh, &mut |content| watching.request_content(content)),
            None => self.up.framing.advance(fresh, &mut |_| ()),
        };
        self.up.out.ready += taken.map_err(Failure::BadBody)?;
        Ok(())
    }

    /// Notices that the client left while there is nothing to read from it.
    fn watch_client(&mut self, now: u64, cx: &mut Context<'_>) -> Result<(), Failure> {
        let request_is_out = self.up.finished || self.up.broken;
        while request_is_out && !self.client.eof && !self.client.inbound.is_full() {
            match self.client.inbound.poll_fill(&mut self.client.stream, &self.worker.spare, cx) {
                Poll::Pending => break,
                Poll::Ready(Err(_)) => return Err(Failure::ClientGone),
                Poll::Ready(Ok(0)) => self.client_closed(now),
                Poll::Ready(Ok(_)) => {}
            }
        }
        Ok(())
    }

    /// The client closed its sending side: it may still read. The platform is
    /// told the same way, and decides as it would without us.
    fn client_closed(&mut self, now: u64) {
        self.client.eof = true;
        self.eof_at = now;
        if !self.up.finished {
            self.up.broken = true;
        }
        if self.client.inbound.is_empty() || self.up.broken {
            // A failure shows when the reply is read.
            let _ = socket2::SockRef::from(&self.platform).shutdown(std::net::Shutdown::Write);
            self.down.reusable = false;
        }
    }

    /// The reply's side. `None`: it waits.
    fn poll_down(&mut self, now: u64, cx: &mut Context<'_>) -> Result<Option<Turn>, Failure> {
        loop {
            if self.down.ended && self.watching.is_some() {
                return Ok(Some(Turn::Last));
            }
            if self.down.out.is_waiting() {
                let body = self.down.inbound.filled();
                let Poll::Ready(written) = self.down.out.poll_write(&mut self.client.stream, body, cx) else {
                    return Ok(None);
                };
                let from_body = written.map_err(|_| Failure::ClientGone)?;
                self.down.inbound.consume(from_body, &self.worker.spare);
                self.client_at = now;
                continue;
            }
            if self.down.ended {
                self.down.finished = true;
                if self.down.status == Some(101) {
                    return Ok(Some(Turn::Switched));
                }
                if self.up.finished || self.up.broken || !self.down.reusable {
                    return Ok(Some(Turn::Finished));
                }
            }
            if self.down.status.is_none() && !self.down.inbound.is_empty() && self.read_head()? {
                continue;
            }
            let Poll::Ready(read) = self.down.inbound.poll_fill(&mut self.platform, &self.worker.spare, cx) else {
                return Ok(None);
            };
            self.platform_at = now;
            if self.down.finished {
                // The request is still on its way, and the platform closed or said something unasked.
                self.up.broken = true;
                self.down.reusable = false;
                continue;
            }
            match read {
                Ok(0) if self.down.framing == Framing::UntilClose => self.reply_ended(),
                Ok(0) | Err(_) => return Err(closed()),
                Ok(_) if self.down.status.is_some() => self.take_reply_body()?,
                Ok(_) => {}
            }
        }
    }

    /// Understands what has arrived of the reply's body.
    fn take_reply_body(&mut self) -> Result<(), Failure> {
        let fresh = self.down.inbound.filled().get(self.down.out.ready..).unwrap_or_default();
        let taken = match &mut self.watching {
            Some(watching) => self.down.framing.advance(fresh, &mut |content| watching.response_content(content)),
            None => self.down.framing.advance(fresh, &mut |_| ()),
        };
        self.down.out.ready += taken.map_err(malformed)?;
        if self.down.framing.is_done() {
            self.reply_ended();
        }
        Ok(())
    }

    fn reply_ended(&mut self) {
        self.down.ended = true;
        if let Some(watching) = &mut self.watching {
            watching.response_whole = true;
        }
    }

    /// Reads the head of a reply, interim or final, if it is all there.
    fn read_head(&mut self) -> Result<bool, Failure> {
        let bytes = self.down.inbound.filled();
        let mut cuts = self.worker.cuts.borrow_mut();
        let read = read_reply(bytes, self.asked, self.worker.reply_limits, &mut cuts).map_err(malformed)?;
        let Some(head) = read else { return Ok(false) };
        let interim = head.is_interim();
        if interim {
            self.down.interims += 1;
            if self.down.interims > self.worker.settings.interim_max {
                return Err(malformed(Refusal::StatusLine));
            }
            self.up.expects = false;
        } else {
            self.keep_client &= head.framing != Framing::UntilClose && !head.doubtful && !self.worker.drains();
            // The platform will not read the rest of the request.
            self.keep_client &= self.up.finished || head.keep_alive;
        }
        // No 1xx for HTTP/1.0 (RFC 9110 section 15.2).
        if !(interim && self.old) {
            let out = &mut self.down.out.head;
            let from = if head.old { VERSION.end } else { 0 };
            if head.old {
                out.extend_from_slice(b"HTTP/1.1");
            }
            cuts.copy(bytes, from..head.len - 2, out);
            if !interim && head.status != 101 {
                if !self.keep_client {
                    out.extend_from_slice(b"Connection: close\r\n");
                } else if self.old {
                    out.extend_from_slice(b"Connection: keep-alive\r\n");
                }
            }
            out.extend_from_slice(b"\r\n");
        }
        if !interim && let Some(watching) = &mut self.watching {
            watching.reply(head.status, fields::headers(bytes, head.fields..head.len, &cuts));
        }
        drop(cuts);
        self.down.inbound.consume(head.len, &self.worker.spare);
        if !interim {
            self.begin_body(head)?;
        }
        Ok(true)
    }

    fn begin_body(&mut self, head: ReplyHead) -> Result<(), Failure> {
        self.down.status = Some(head.status);
        self.down.framing = head.framing;
        self.down.reusable &= head.keep_alive && !head.doubtful;
        if self.down.framing.is_done() {
            self.reply_ended();
        } else {
            self.take_reply_body()?;
            let joined = self.down.out.join(self.down.inbound.filled());
            self.down.inbound.consume(joined, &self.worker.spare);
            if !self.down.framing.is_done() && self.down.inbound.is_empty() {
                self.acknowledge();
            }
        }
        Ok(())
    }

    /// Acknowledges what came at once. A platform that writes head and body apart and lets Nagle's algorithm hold
    /// the second piece waits for that, and the kernel would take its time (RFC 1122 section 4.2.3.2: up to 500 ms).
    fn acknowledge(&self) {
        #[cfg(target_os = "linux")]
        let _ = socket2::SockRef::from(&self.platform).set_tcp_quickack(true);
    }

    /// Whether the platform's connection is as good as new.
    pub(super) fn platform_is_reusable(&self) -> bool {
        self.down.reusable && self.down.finished && self.up.finished && self.down.inbound.is_empty()
    }
}

fn closed() -> Failure {
    Failure::Platform(PlatformFailure::Closed, Trouble::PlatformClosed)
}

fn malformed(refusal: Refusal) -> Failure {
    Failure::Platform(PlatformFailure::Malformed, Trouble::BadReply(refusal))
}

/// A relay that begins with no deadline.
pub(super) const BEGINS: u64 = NEVER;
