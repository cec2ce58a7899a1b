//! One exchange: admitted, begun, relayed, and its end told to whoever watches.

use std::future::poll_fn;
use std::io::{self, Write};

use tokio::net::TcpStream;

use super::buffer::Buffer;
use super::connection::{Connection, Next};
use super::counts::PlatformFailure;
use super::deadline::Rate;
use super::fields;
use super::problem_reply::Trouble;
use super::relay::{BEGINS, Down, Failure, Relay, Turn, Up};
use super::tunnel::{Following, tunnel};
use super::unsent::read_unsent;
use super::waiting::Waiting;
use crate::capture::Kept;
use crate::capture::Tally;
use crate::capture::client_address::{client_address, is_trusted};
use crate::capture::watching::Watching;
use crate::capture::wire::field::{Line, read_line};
use crate::capture::wire::framing::Framing;
use crate::capture::wire::reply::Asked;
use crate::capture::wire::request::{RequestHead, request_line};
use crate::capture::wire::rewrite::Cuts;
use crate::exchange::{Body, Exchange, Request};

/// What is decided while a request's head is still in the buffer.
struct Admitted {
    /// The head as it goes to the platform.
    head: Vec<u8>,
    watching: Option<Box<Watching>>,
    tally: Option<Tally>,
}

/// How a relay ended.
enum Ended {
    /// Both messages are through: the client's connection stays open or not.
    Through {
        keep_client: bool,
    },
    /// It failed before the client had a byte of the final reply.
    Unanswered(Trouble),
    Over(Next),
}

impl Connection {
    /// The request whose head is at the front of the buffer.
    pub(super) async fn exchange(&mut self, read: RequestHead) -> Next {
        // The chunks that are there are understood before anybody is asked: a
        // request that is refused has not happened, and nobody hears of it.
        if matches!(read.framing, Framing::Chunked(_)) {
            let arrived = self.client.inbound.filled();
            self.sender = self.worker.client_of(self.peer, arrived);
            let body = arrived.get(read.len..).unwrap_or_default();
            if let Err(refusal) = read.framing.clone().advance(body, &mut |_| ()) {
                self.worker.refused(refusal, self.sender, request_line(arrived));
                return self.reply(Trouble::Refused(refusal), read.is_head).await;
            }
        }
        self.worker.counts.requests.add();
        let place = if read.upgrade {
            let Some(place) = self.worker.limits.upgrade(&self.worker.settings) else {
                return self.reply(Trouble::TooManyUpgrades, false).await;
            };
            Some(place)
        } else {
            None
        };
        let Admitted { head, mut watching, tally } = self.admit(&read);
        self.tally = tally;
        self.client.inbound.consume(read.len, &self.worker.spare);
        if let Some(begun) = watching.as_mut().and_then(|watching| watching.begin()) {
            begun.await;
        }
        let next = self.relay(read, head, watching).await;
        self.tally = None;
        drop(place);
        next
    }

    /// Asks whether somebody watches, and writes the head as it goes to the platform.
    fn admit(&self, read: &RequestHead) -> Admitted {
        let worker = &*self.worker;
        let bytes = self.client.inbound.filled();
        let text = |range: &std::ops::Range<usize>| {
            // The gate let only UTF-8 pass.
            bytes.get(range.clone()).and_then(|part| std::str::from_utf8(part).ok()).unwrap_or_default()
        };
        let method = text(&read.method);
        let target = match text(&read.origin) {
            "" => "/",
            target => target,
        };
        let mut cuts = worker.cuts.borrow_mut();
        let witness = worker.observe.admit(method, target);
        let tally = if witness.is_none() { worker.observe.tally(method, target) } else { None };
        let names_itself = worker.settings.add_request_id && !read.has_request_id;
        let started = (witness.is_some() || names_itself).then(|| worker.clock.now());
        let id = started.map(Exchange::number);
        let watching = witness.zip(id.zip(started)).map(|(witness, (id, started))| {
            let headers = fields::headers(bytes, read.fields..read.len, &cuts);
            let trusted = &worker.settings.trusted_proxies;
            let request = Request {
                method: method.to_owned(),
                target: target.to_owned(),
                client: Some(client_address(self.peer, &headers, trusted)),
                headers,
                body: Body::default(),
                peer: Some(self.peer),
                peer_is_trusted: is_trusted(self.peer, trusted),
            };
            Watching::new(witness, id, started, request, worker.copies.clone(), worker.recording.clone())
        });
        let mut head = worker.spare.head();
        if worker.settings.add_forwarded {
            self.forwarded(bytes, read, &mut cuts, &mut head);
        } else {
            cuts.copy(bytes, 0..read.len - 2, &mut head);
        }
        if let (true, Some(id)) = (names_itself, id) {
            // Writing into a vector cannot fail.
            let _ = write!(head, "X-Request-Id: {id}\r\n");
        }
        head.extend_from_slice(match (read.upgrade, read.te_trailers) {
            (true, true) => b"Connection: Upgrade, TE\r\n\r\n",
            (true, false) => b"Connection: Upgrade\r\n\r\n",
            (false, true) => b"Connection: TE\r\n\r\n",
            (false, false) => b"\r\n",
        });
        Admitted { head, watching, tally }
    }

    /// Copies the head and adds `X-Forwarded-*`. What a peer that is not
    /// trusted says of host and scheme is left out; its `X-Forwarded-For` stays
    /// on the left, where nobody believes it.
    fn forwarded(&self, bytes: &[u8], read: &RequestHead, cuts: &mut Cuts, out: &mut Vec<u8>) {
        let trusted = is_trusted(self.peer, &self.worker.settings.trusted_proxies);
        let (mut says_host, mut says_scheme, mut host) = (false, false, None);
        let mut at = read.fields;
        while let Ok(Some(Line::Field(field))) = read_line(bytes, at) {
            at = field.line.end;
            let name = bytes.get(field.name).unwrap_or_default();
            let says = if name.eq_ignore_ascii_case(b"x-forwarded-host") {
                &mut says_host
            } else if name.eq_ignore_ascii_case(b"x-forwarded-proto") {
                &mut says_scheme
            } else {
                if name.eq_ignore_ascii_case(b"host") {
                    host = bytes.get(field.value);
                }
                continue;
            };
            if trusted {
                *says = true;
            } else if !cuts.leaves_out(field.line.start) {
                cuts.leave_out(field.line);
            }
        }
        cuts.copy(bytes, 0..read.len - 2, out);
        // Writing into a vector cannot fail.
        let _ = write!(out, "X-Forwarded-For: {}\r\n", self.peer);
        if let (false, Some(host)) = (says_host, host) {
            out.extend_from_slice(b"X-Forwarded-Host: ");
            out.extend_from_slice(host);
            out.extend_from_slice(b"\r\n");
        }
        if !says_scheme {
            out.extend_from_slice(b"X-Forwarded-Proto: http\r\n");
        }
    }

    /// Relays the exchange, and answers for the platform where it does not.
    async fn relay(&mut self, read: RequestHead, head: Vec<u8>, mut watching: Option<Box<Watching>>) -> Next {
        let is_head = read.is_head;
        let trouble = match self.platform().await {
            Ok((platform, reused)) => match self.run(read, head, &mut watching, platform, reused).await {
                Ended::Through { keep_client: true } => return Next::Request,
                Ended::Through { keep_client: false } => return Next::Close,
                Ended::Over(next) => return next,
                Ended::Unanswered(trouble) => trouble,
            },
            Err(error) => {
                self.worker.spare.keep_head(head);
                self.worker.unreachable(&error);
                if let Some(watching) = &mut watching {
                    let mut framing = read.framing;
                    read_unsent(&self.worker, &mut self.client, &mut framing, read.expects, watching).await;
                }
                no_connection(&error)
            }
        };
        if let Some(recorded) = watching.as_mut().and_then(|watching| watching.end()) {
            // The client learns that it failed in either case.
            let _ = recorded.await;
        }
        self.reply(trouble, is_head).await
    }

    /// A connection to the platform, and whether it carried a request before.
    async fn platform(&self) -> io::Result<(TcpStream, bool)> {
        let worker = &*self.worker;
        if let Some(stream) = worker.pool.take(worker.ticker.now(), &worker.settings) {
            return Ok((stream, true));
        }
        Ok((worker.pool.connect(worker.ticker.now(), &worker.settings).await?, false))
    }

    async fn run(
        &mut self,
        read: RequestHead,
        head: Vec<u8>,
        watching: &mut Option<Box<Watching>>,
        platform: TcpStream,
        reused: bool,
    ) -> Ended {
        let now = self.worker.ticker.now();
        let worker = std::rc::Rc::clone(&self.worker);
        let mut relay = Relay {
            worker: &worker,
            watch: &self.watch,
            client: &mut self.client,
            platform,
            reused,
            asked: Asked { is_head: read.is_head, upgrade: read.upgrade },
            old: read.old,
            keep_client: read.keep_alive,
            up: Up {
                out: Waiting { head, ..Waiting::default() },
                expects: read.expects && !read.framing.is_done(),
                framing: read.framing,
                finished: false,
                broken: false,
                sent: false,
            },
            down: Down {
                out: Waiting { head: worker.spare.head(), ..Waiting::default() },
                inbound: Buffer::default(),
                framing: Framing::NONE,
                status: None,
                ended: false,
                finished: false,
                interims: 0,
                // An HTTP/1.0 request without `Connection: keep-alive` is the last one.
                reusable: !read.old,
            },
            watching: watching.take(),
            following: None,
            sender: self.sender,
            client_at: now,
            platform_at: now,
            eof_at: now,
            deadline: BEGINS,
            rate: Rate { since: now, bytes: 0 },
        };
        let turn = relay.start_and_run().await;
        let ended = relay.end(turn).await;
        *watching = relay.watching.take();
        if let (Some(tally), Some(status)) = (&mut self.tally, relay.down.status) {
            tally.answered(status);
        }
        worker.spare.keep_head(std::mem::take(&mut relay.up.out.head));
        worker.spare.keep_head(std::mem::take(&mut relay.down.out.head));
        relay.down.inbound.give_back(&worker.spare);
        if relay.platform_is_reusable() {
            worker.pool.keep(relay.platform, worker.ticker.now(), &worker.settings);
        }
        ended
    }
}

impl Relay<'_> {
    /// Relays until there is nothing more to relay.
    async fn start_and_run(&mut self) -> Turn {
        if !self.up.framing.is_done() {
            if let Err(failure) = self.take_request_body() {
                return Turn::Failed(failure);
            }
            let joined = self.up.out.join(self.client.inbound.filled());
            self.client.inbound.consume(joined, &self.worker.spare);
        }
        loop {
            match poll_fn(|cx| self.poll(cx)).await {
                Turn::Last => {
                    let Some(mut watching) = self.watching.take() else { continue };
                    if self.down.status == Some(101) {
                        let recording = &self.worker.recording;
                        self.following = watching.follow().map(|follow| Following::new(follow, recording.clone()));
                    }
                    if let Some(recorded) = watching.end()
                        && recorded.await == Kept::Lost
                    {
                        return Turn::Failed(Failure::Unrecorded);
                    }
                }
                Turn::Failed(Failure::Stale) => {
                    let fresh = self.worker.pool.connect(self.worker.ticker.now(), &self.worker.settings).await;
                    match fresh {
                        Ok(fresh) => {
                            self.platform = fresh;
                            self.reused = false;
                        }
                        Err(error) => {
                            self.read_unsent().await;
                            return Turn::Failed(Failure::Platform(
                                PlatformFailure::Unreachable,
                                no_connection(&error),
                            ));
                        }
                    }
                }
                turn => return turn,
            }
        }
    }

    /// Reads what is still to come of a request that cannot be sent, where somebody watches.
    async fn read_unsent(&mut self) {
        let Some(watching) = &mut self.watching else { return };
        // It was copied when it arrived.
        self.client.inbound.consume(std::mem::take(&mut self.up.out.ready), &self.worker.spare);
        read_unsent(self.worker, self.client, &mut self.up.framing, self.up.expects, watching).await;
    }

    /// What the end of the relay means for the client.
    async fn end(&mut self, turn: Turn) -> Ended {
        let failure = match turn {
            Turn::Switched => {
                let counts = &self.worker.counts;
                counts.upgrades.add();
                counts.upgrades_made.add();
                // Whatever it carries from now on is no HTTP: nobody else may ever get it.
                self.down.reusable = false;
                let next = tunnel(self).await;
                counts.upgrades.take();
                return Ended::Over(next);
            }
            Turn::Failed(failure) => failure,
            Turn::Last | Turn::Finished => {
                let keep_client = self.keep_client && self.up.finished;
                return Ended::Through { keep_client };
            }
        };
        let unanswered = self.down.status.is_none() && !self.down.out.is_waiting();
        let counts = &self.worker.counts;
        match failure {
            Failure::ClientGone => {
                counts.clients_gone.add();
                Ended::Over(Next::Drop)
            }
            Failure::ClientSlow => {
                counts.client_timeouts.add();
                if unanswered { Ended::Unanswered(Trouble::ClientTooSlow) } else { Ended::Over(self.cut()) }
            }
            Failure::BadBody(refusal) => {
                // Where it is watched, its own event says that it broke off.
                self.worker.refused(refusal, self.sender, (None, None));
                if unanswered { Ended::Unanswered(Trouble::Refused(refusal)) } else { Ended::Over(self.cut()) }
            }
            Failure::Platform(kind, trouble) => {
                counts.platform_failed(kind);
                if unanswered { Ended::Unanswered(trouble) } else { Ended::Over(self.cut()) }
            }
            // A whole reply would be the proof of a record that there is not.
            Failure::Unrecorded => Ended::Over(self.cut()),
            Failure::GivenUp | Failure::Stale => Ended::Over(Next::Drop),
        }
    }

    /// A reply that breaks off: a client that reads until the close must see a reset.
    fn cut(&self) -> Next {
        if self.down.framing == Framing::UntilClose { Next::Reset } else { Next::Drop }
    }
}

/// What the client hears of a connection that could not be made.
fn no_connection(error: &io::Error) -> Trouble {
    if error.kind() == io::ErrorKind::TimedOut { Trouble::ConnectTimedOut } else { Trouble::Unreachable }
}
