//! Stories of the forwarder over real sockets: a scripted platform on one
//! side, a client that writes its bytes by hand on the other.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sidetrail::capture::sidecar::Sidecar;
use sidetrail::capture::{Kept, Observe, Pending, Recorded, Settings, Wants, Witness};
use sidetrail::clock::Clock;
use sidetrail::exchange::{End, Exchange, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const SOON: Duration = Duration::from_secs(10);

/// A forwarder in front of a scripted platform.
struct Proxy {
    address: SocketAddr,
    stop: CancellationToken,
    done: tokio::task::JoinHandle<std::io::Result<()>>,
    seen: mpsc::Receiver<Exchange>,
    /// Lets the witness finish, where it was told to wait.
    release: Arc<Notify>,
}

/// Watches what its flag says, and passes each exchange on.
struct Watcher {
    watches: bool,
    waits: bool,
    loses: bool,
    seen: mpsc::Sender<Exchange>,
    release: Arc<Notify>,
}

struct Seer(mpsc::Sender<Exchange>, Option<Arc<Notify>>, bool);

impl Observe for Watcher {
    fn admit(&self, _method: &str, _target: &str) -> Option<Box<dyn Witness>> {
        let wait = self.waits.then(|| Arc::clone(&self.release));
        self.watches.then(|| Box::new(Seer(self.seen.clone(), wait, self.loses)) as Box<dyn Witness>)
    }
}

impl Witness for Seer {
    fn wants(&self) -> Wants {
        Wants { request_body: true, response_body: true }
    }

    fn begin(&mut self, _request: &Request) -> Option<Pending> {
        None
    }

    fn observe(self: Box<Self>, exchange: Exchange) -> Recorded {
        Box::pin(async move {
            self.0.send(exchange).await.expect("the test still listens");
            if let Some(release) = &self.1 {
                release.notified().await;
            }
            if self.2 { Kept::Lost } else { Kept::OnDisk }
        })
    }
}

/// What the stories differ in.
#[derive(Clone, Copy, Default)]
struct With {
    watches: bool,
    waits: bool,
    loses: bool,
}

const WATCHED: With = With { watches: true, waits: false, loses: false };

fn start(platform: SocketAddr, with: With, change: impl FnOnce(&mut Settings)) -> Proxy {
    let mut settings = Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        upstream: format!("http://{platform}").parse().unwrap(),
        threads: 1,
        ..Settings::default()
    };
    change(&mut settings);
    let sidecar = Sidecar::bind(&settings).unwrap();
    let (address, stop, release) = (sidecar.local_addr(), CancellationToken::new(), Arc::new(Notify::new()));
    let (sender, seen) = mpsc::channel(64);
    let watcher = Watcher {
        watches: with.watches,
        waits: with.waits,
        loses: with.loses,
        seen: sender,
        release: Arc::clone(&release),
    };
    let done = tokio::spawn(sidecar.run(Arc::new(watcher), Clock::system(), stop.clone()));
    Proxy { address, stop, done, seen, release }
}

/// A platform: each connection is given to `serve`, with its number.
async fn platform<F, S>(serve: F) -> SocketAddr
where
    F: Fn(usize, Peer) -> S + Send + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut number = 0;
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(number, Peer::new(stream)));
            number += 1;
        }
    });
    address
}

/// One end of a connection, read by hand.
struct Peer {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Peer {
    fn new(stream: TcpStream) -> Peer {
        Peer { stream, read: Vec::new() }
    }

    async fn connect(proxy: &Proxy) -> Peer {
        Peer::new(TcpStream::connect(proxy.address).await.unwrap())
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Everything up to and with `end`; panics with what was there if it does not come.
    async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end.as_bytes()) {
                let rest = self.read.split_off(at + end.len());
                let all = std::mem::replace(&mut self.read, rest);
                return String::from_utf8_lossy(&all).into_owned();
            }
            let mut chunk = [0; 65536];
            let count = match timeout(SOON, self.stream.read(&mut chunk)).await {
                Ok(Ok(count)) if count > 0 => count,
                other => panic!("no `{end}` but {other:?} after {:?}", String::from_utf8_lossy(&self.read)),
            };
            self.read.extend_from_slice(&chunk[..count]);
        }
    }

    /// Whether the other side sends nothing for a while.
    async fn is_silent(&mut self) -> bool {
        let mut byte = [0; 1];
        self.read.is_empty() && timeout(Duration::from_millis(150), self.stream.peek(&mut byte)).await.is_err()
    }

    /// What is left until the other side closes.
    async fn rest(mut self) -> std::io::Result<String> {
        let mut all = self.read;
        timeout(SOON, self.stream.read_to_end(&mut all)).await.expect("the other side never closed")?;
        Ok(String::from_utf8_lossy(&all).into_owned())
    }
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n")
}

fn ok(content: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{content}", content.len())
}

/// Answers every request on every connection with its start line.
async fn echo_start_lines() -> SocketAddr {
    platform(|number, mut peer| async move {
        loop {
            let mut byte = [0; 1];
            if peer.read.is_empty() && !matches!(peer.stream.peek(&mut byte).await, Ok(1)) {
                return;
            }
            let head = peer.until("\r\n\r\n").await;
            peer.send(ok(&format!("{number} {}", head.lines().next().unwrap()))).await;
        }
    })
    .await
}

async fn next_seen(proxy: &mut Proxy) -> Exchange {
    timeout(SOON, proxy.seen.recv()).await.expect("nothing was observed").unwrap()
}

#[tokio::test]
async fn one_connection_carries_many_requests_up_and_down() {
    let proxy = start(echo_start_lines().await, With::default(), |_| ());
    let mut client = Peer::connect(&proxy).await;
    for path in ["/1", "/2", "/3"] {
        client.send(get(path)).await;
        assert!(client.until(&format!("0 GET {path} HTTP/1.1")).await.starts_with("HTTP/1.1 200 OK\r\nContent-Length"));
    }
    client.send(format!("{}{}{}", get("/4"), get("/5"), get("/6"))).await;
    let replies = client.until("0 GET /6 HTTP/1.1").await;
    let (four, five) = (replies.find("GET /4"), replies.find("GET /5"));
    assert!(four.is_some() && four < five, "{replies}");
}

#[tokio::test]
async fn chunks_and_trailers_arrive_as_they_were_sent_both_ways() {
    let body = "5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n";
    let address = platform(move |_, mut peer| async move {
        let request = peer.until("X-Sum: 1\r\n\r\n").await;
        assert!(request.ends_with(body), "{request:?}");
        peer.send(format!("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n{body}")).await;
    })
    .await;
    let mut proxy = start(address, WATCHED, |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send(format!("POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}")).await;
    assert!(client.until("X-Sum: 1\r\n\r\n").await.ends_with(body));
    let exchange = next_seen(&mut proxy).await;
    assert_eq!(exchange.end, End::Complete);
    assert_eq!(&exchange.request.body.content[..], b"hello");
    assert_eq!(&exchange.response.unwrap().body.content[..], b"hello");
}

#[tokio::test]
async fn interim_replies_and_the_expectation_go_end_to_end() {
    let address = platform(|_, mut peer| async move {
        assert!(peer.until("\r\n\r\n").await.contains("Expect: 100-continue"));
        peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n").await;
        peer.until("hello").await;
        peer.send(ok("done")).await;
    })
    .await;
    let proxy = start(address, With::default(), |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send("POST /e HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n").await;
    let interim = client.until("100 Continue\r\n\r\n").await;
    assert!(interim.starts_with("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"), "{interim}");
    client.send("hello").await;
    client.until("done").await;
}

#[tokio::test]
async fn a_websocket_is_carried_both_ways_and_seen_when_it_opens() {
    let address = platform(|_, mut peer| async move {
        let head = peer.until("\r\n\r\n").await;
        assert!(head.contains("Upgrade: websocket\r\n") && head.contains("Connection: Upgrade\r\n"), "{head}");
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n").await;
        let said = peer.until("!").await;
        peer.send(format!("echo {said}")).await;
        peer.stream.shutdown().await.unwrap();
    })
    .await;
    let mut proxy = start(address, WATCHED, |_| ());
    let mut client = Peer::connect(&proxy).await;
    client
        .send("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\nhel")
        .await;
    client.until("Upgrade: websocket\r\n\r\n").await;
    assert_eq!(next_seen(&mut proxy).await.response.unwrap().status, 101);
    client.send("lo!").await;
    client.until("echo hello!").await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.rest().await.unwrap(), "");
}

#[tokio::test]
async fn an_event_of_a_stream_arrives_before_the_stream_ends() {
    let released = Arc::new(Notify::new());
    let waits = Arc::clone(&released);
    let address = platform(move |_, mut peer| {
        let waits = Arc::clone(&waits);
        async move {
            peer.until("\r\n\r\n").await;
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n").await;
            peer.send("9\r\ndata: 1\n\n\r\n").await;
            waits.notified().await;
            peer.send("0\r\n\r\n").await;
        }
    })
    .await;
    let proxy = start(address, WATCHED, |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/sse")).await;
    client.until("data: 1\n\n").await;
    released.notify_one();
    client.until("0\r\n\r\n").await;
}

#[tokio::test]
async fn a_client_that_only_closed_its_sending_side_gets_its_reply() {
    let address = platform(|_, mut peer| async move {
        peer.until("\r\n\r\n").await;
        // The platform is told the same, and answers nevertheless.
        assert_eq!(peer.stream.read(&mut [0; 8]).await.unwrap(), 0);
        peer.send(ok("late")).await;
    })
    .await;
    let proxy = start(address, With::default(), |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/h")).await;
    client.stream.shutdown().await.unwrap();
    assert!(client.rest().await.unwrap().ends_with("late"));
}

#[tokio::test]
async fn a_client_that_leaves_while_the_platform_is_silent_is_noticed() {
    let (gone, mut platform_saw) = mpsc::channel(1);
    let address = platform(move |_, mut peer| {
        let gone = gone.clone();
        async move {
            peer.until("body").await;
            // Silent until the other side is gone.
            let _ = peer.stream.read(&mut [0; 8]).await;
            gone.send(()).await.unwrap();
        }
    })
    .await;
    let mut proxy = start(address, WATCHED, |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send("POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    socket2::SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(client);
    let exchange = next_seen(&mut proxy).await;
    assert_eq!(exchange.end, End::Unanswered);
    assert_eq!(&exchange.request.body.content[..], b"body");
    assert!(exchange.response.is_none());
    timeout(SOON, platform_saw.recv()).await.expect("the platform was not told").unwrap();
}

#[tokio::test]
async fn a_half_closed_client_is_not_waited_for_forever() {
    let address = platform(|_, mut peer| async move {
        peer.until("\r\n\r\n").await;
        tokio::time::sleep(SOON * 2).await;
    })
    .await;
    let mut proxy = start(address, WATCHED, |settings| settings.half_close_timeout_ms = 200);
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/h")).await;
    drop(client.stream);
    assert_eq!(next_seen(&mut proxy).await.end, End::Unanswered);
}

#[tokio::test]
async fn a_platform_that_is_away_is_a_502_and_nothing_was_sent() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut proxy = start(nobody, WATCHED, |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/n")).await;
    let reply = client.rest().await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 502 Bad Gateway\r\n"), "{reply}");
    assert!(reply.contains("application/problem+json") && reply.contains("platform-unreachable"), "{reply}");
    assert_eq!(next_seen(&mut proxy).await.end, End::NeverSent);
}

#[tokio::test]
async fn a_platform_that_is_silent_is_a_504() {
    let address = platform(|_, mut peer| async move {
        peer.until("\r\n\r\n").await;
        tokio::time::sleep(SOON * 2).await;
    })
    .await;
    let mut proxy = start(address, WATCHED, |settings| settings.reply_timeout_ms = 150);
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/s")).await;
    let reply = client.rest().await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 504 Gateway Timeout\r\n"), "{reply}");
    assert_eq!(next_seen(&mut proxy).await.end, End::Unanswered);
}

#[tokio::test]
async fn a_reply_without_a_record_is_never_presented_as_whole() {
    for reply in ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HTTP/1.1 204 No Content\r\n\r\n"] {
        let address = platform(move |_, mut peer| async move {
            peer.until("\r\n\r\n").await;
            peer.send(reply).await;
        })
        .await;
        let proxy = start(address, With { loses: true, ..WATCHED }, |_| ());
        let mut client = Peer::connect(&proxy).await;
        client.send("POST /things HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await;
        let (mut got, mut chunk) = (Vec::new(), [0; 4096]);
        while let Ok(Ok(count @ 1..)) = timeout(SOON, client.stream.read(&mut chunk)).await {
            got.extend_from_slice(&chunk[..count]);
        }
        assert!(got.len() < reply.len() && !got.ends_with(b"ok"), "{}", String::from_utf8_lossy(&got));
    }
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_never_presented_as_whole() {
    let address = platform(|number, mut peer| async move {
        peer.until("\r\n\r\n").await;
        match number {
            0 => peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this").await,
            _ => peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\nZZ\r\n").await,
        }
    })
    .await;
    let mut proxy = start(address, WATCHED, |_| ());
    for _ in 0..2 {
        let mut client = Peer::connect(&proxy).await;
        client.send(get("/b")).await;
        let reply = client.rest().await.unwrap_or_default();
        assert!(!reply.ends_with("0\r\n\r\n"), "{reply}");
        let exchange = next_seen(&mut proxy).await;
        assert_eq!(exchange.end, End::Unanswered);
        assert_eq!(exchange.response.unwrap().status, 200);
    }
}

#[tokio::test]
async fn a_request_that_left_is_never_sent_again() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&requests);
    let address = platform(move |number, mut peer| {
        let log = Arc::clone(&log);
        async move {
            for _ in 0..2 {
                let head = peer.until("\r\n\r\n").await;
                log.lock().unwrap().push((number, head.split(' ').nth(1).unwrap().to_owned()));
                if head.contains("/stale") {
                    return;
                }
                peer.send(ok("fine")).await;
            }
        }
    })
    .await;
    let proxy = start(address, With::default(), |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/first")).await;
    client.until("fine").await;
    client.send(get("/stale")).await;
    assert!(client.rest().await.unwrap().starts_with("HTTP/1.1 502"));
    let expected = vec![(0, "/first".to_owned()), (0, "/stale".to_owned())];
    assert_eq!(*requests.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_kept_connection_on_which_something_arrived_unasked_is_not_reused() {
    let address = platform(|number, mut peer| async move {
        peer.until("\r\n\r\n").await;
        peer.send(ok(&format!("from {number}"))).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        peer.send(ok("EVIL")).await;
        tokio::time::sleep(SOON).await;
    })
    .await;
    let proxy = start(address, With::default(), |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/1")).await;
    client.until("from 0").await;
    tokio::time::sleep(Duration::from_millis(150)).await;
    client.send(get("/2")).await;
    client.until("from 1").await;
}

#[tokio::test]
async fn a_large_body_passes_both_ways_at_once_unchanged() {
    const SIZE: usize = 20 << 20;
    let address = platform(|_, mut peer| async move {
        peer.until("\r\n\r\n").await;
        peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")).await;
        let mut echoed = std::mem::take(&mut peer.read);
        let mut total = 0;
        while total < SIZE {
            total += echoed.len();
            peer.send(&echoed).await;
            echoed.resize(65536, 0);
            let count = if total < SIZE { peer.stream.read(&mut echoed).await.unwrap() } else { 0 };
            echoed.truncate(count);
        }
    })
    .await;
    let proxy = start(address, With::default(), |_| ());
    let client = Peer::connect(&proxy).await;
    let (mut read, mut write) = client.stream.into_split();
    let writing = tokio::spawn(async move {
        write
            .write_all(format!("POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let block: Vec<u8> = (0..=255).cycle().take(64 * 1024).collect();
        for _ in 0..SIZE / block.len() {
            write.write_all(&block).await.unwrap();
        }
        write
    });
    let mut block = vec![0; 65536];
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(read.read_u8().await.unwrap());
    }
    let (mut at, mut right) = (0usize, true);
    while at < SIZE {
        let count = timeout(SOON, read.read(&mut block)).await.unwrap().unwrap();
        assert!(count > 0, "the reply ended after {at} bytes");
        right &= block[..count].iter().enumerate().all(|(place, byte)| usize::from(*byte) == (at + place) % 256);
        at += count;
    }
    assert!(right, "bytes were changed");
    drop(writing.await.unwrap());
}

#[tokio::test]
async fn a_body_that_nobody_reads_waits_at_the_client_and_not_in_memory() {
    const SIZE: usize = 256 << 20;
    let address = platform(|_, mut peer| async move {
        peer.until("\r\n\r\n").await;
        tokio::time::sleep(SOON * 2).await;
    })
    .await;
    let proxy = start(address, With::default(), |_| ());
    let mut client = Peer::connect(&proxy).await;
    client.send(format!("POST /l HTTP/1.1\r\nHost: a\r\nContent-Length: {SIZE}\r\n\r\n")).await;
    let block = vec![0; 1 << 20];
    let mut taken = 0;
    while let Ok(count) = timeout(Duration::from_millis(300), client.stream.write(&block)).await {
        taken += count.unwrap();
        assert!(taken < SIZE / 4, "{taken} bytes were taken: more than the sockets hold");
    }
}

#[tokio::test]
async fn a_watched_reply_ends_only_when_its_witness_is_done() {
    let replies = [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nhello",
        "no reply at all",
    ];
    for reply in replies {
        let address = platform(move |_, mut peer| async move {
            peer.until("\r\n\r\n").await;
            peer.send(reply).await;
        })
        .await;
        let mut proxy = start(address, With { waits: true, ..WATCHED }, |_| ());
        let mut client = Peer::connect(&proxy).await;
        client.send("GET /w HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        next_seen(&mut proxy).await;
        // Whatever is there by now is not the end.
        let mut early = vec![0; 4096];
        let count = timeout(Duration::from_millis(150), client.stream.read(&mut early)).await.map_or(0, Result::unwrap);
        early.truncate(count);
        let until_close = reply.ends_with("\r\n\r\nhello") && !reply.contains("Content-Length");
        assert!(until_close || !early.ends_with(b"hello"), "{reply:?} ended early");
        assert!(!early.ends_with(b"0\r\n\r\n") && !early.starts_with(b"HTTP/1.1 204"), "{reply:?} ended early");
        proxy.release.notify_one();
        let rest = client.rest().await.unwrap();
        assert!(until_close || !rest.is_empty(), "{reply:?} never ended");
    }
}

#[tokio::test]
async fn a_stop_lets_what_is_under_way_finish_and_closes_what_is_idle() {
    let (asked, mut was_asked) = mpsc::channel(1);
    let address = platform(move |_, mut peer| {
        let asked = asked.clone();
        async move {
            peer.until("\r\n\r\n").await;
            asked.send(()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(300)).await;
            peer.send(ok("finished")).await;
        }
    })
    .await;
    let proxy = start(address, With::default(), |_| ());
    let idle = Peer::connect(&proxy).await;
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/d")).await;
    was_asked.recv().await.unwrap();
    proxy.stop.cancel();
    assert_eq!(idle.rest().await.unwrap(), "");
    let reply = client.rest().await.unwrap();
    assert!(reply.contains("Connection: close\r\n") && reply.ends_with("finished"), "{reply}");
    timeout(SOON, proxy.done).await.expect("the drain never ended").unwrap().unwrap();
    assert!(TcpStream::connect(proxy.address).await.is_err());
}

#[tokio::test]
async fn a_stop_gives_up_in_the_end_and_what_was_sent_is_still_observed() {
    let address = platform(|_, mut peer| async move {
        peer.until("\r\n\r\n").await;
        tokio::time::sleep(SOON * 2).await;
    })
    .await;
    let mut proxy = start(address, WATCHED, |settings| settings.drain_ms = 200);
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/g")).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    proxy.stop.cancel();
    assert_eq!(next_seen(&mut proxy).await.end, End::Unanswered);
    timeout(SOON, proxy.done).await.expect("the drain never ended").unwrap().unwrap();
}

#[tokio::test]
async fn connections_beyond_a_limit_are_turned_away_with_a_503() {
    let proxy = start(echo_start_lines().await, With::default(), |settings| settings.connections_per_address = 1);
    let mut first = Peer::connect(&proxy).await;
    first.send(get("/1")).await;
    first.until("GET /1 HTTP/1.1").await;
    let second = Peer::connect(&proxy).await;
    assert!(second.rest().await.unwrap().starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
}

#[tokio::test]
async fn a_client_that_is_too_slow_gets_a_408_and_an_idle_one_is_closed() {
    let proxy = start(echo_start_lines().await, With::default(), |settings| {
        settings.head_timeout_ms = 150;
        settings.idle_timeout_ms = 150;
        settings.body_timeout_ms = 150;
    });
    let mut slow_head = Peer::connect(&proxy).await;
    slow_head.send("GET / HT").await;
    let mut slow_body = Peer::connect(&proxy).await;
    slow_body.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe").await;
    let idle = Peer::connect(&proxy).await;
    let began = Instant::now();
    assert!(slow_head.rest().await.unwrap().starts_with("HTTP/1.1 408"));
    assert_eq!(idle.rest().await.unwrap(), "");
    // Its head went through, and was answered before the body.
    assert!(slow_body.rest().await.unwrap().starts_with("HTTP/1.1 200"));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_request_without_a_single_meaning_reaches_nobody_and_is_not_observed() {
    let mut proxy = start(echo_start_lines().await, WATCHED, |_| ());
    for request in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n",
        "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        let mut client = Peer::connect(&proxy).await;
        client.send(request).await;
        let reply = client.rest().await.unwrap();
        assert!(reply.starts_with("HTTP/1.1 400 Bad Request\r\n") && reply.contains("problem+json"), "{reply}");
    }
    let mut client = Peer::connect(&proxy).await;
    client.send(get("/good")).await;
    client.until("0 GET /good HTTP/1.1").await;
    assert_eq!(next_seen(&mut proxy).await.request.target, "/good");
    assert!(client.is_silent().await);
}

#[tokio::test]
async fn names_and_forwarded_addresses_are_added_only_where_asked_for() {
    let echo = platform(|_, mut peer| async move {
        let head = peer.until("\r\n\r\n").await;
        peer.send(ok(&head)).await;
    })
    .await;
    let plain = start(echo, With::default(), |_| ());
    let mut client = Peer::connect(&plain).await;
    client.send("GET / HTTP/1.1\r\nhOst: a\r\nConnection: keep-alive\r\nX-a: 1\r\n\r\n").await;
    let reply = client.until("X-a: 1\r\n\r\n").await;
    assert!(reply.ends_with("\r\n\r\nGET / HTTP/1.1\r\nhOst: a\r\nX-a: 1\r\n\r\n"), "{reply}");
    let adding = start(echo, With::default(), |settings| {
        settings.add_forwarded = true;
        settings.add_request_id = true;
    });
    let mut client = Peer::connect(&adding).await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n").await;
    let reply = client.until("X-Request-Id: ").await;
    let added =
        "Host: a\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: a\r\nX-Forwarded-Proto: http\r\nX-Request-Id: ";
    assert!(reply.ends_with(added), "{reply}");
}

#[tokio::test]
async fn a_platform_is_found_by_name_and_the_counters_tell() {
    let address = echo_start_lines().await;
    let settings = Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        upstream: format!("http://localhost:{}", address.port()).parse().unwrap(),
        threads: 2,
        ..Settings::default()
    };
    let sidecar = Sidecar::bind(&settings).unwrap();
    let mut registry = prometheus_client::registry::Registry::default();
    sidecar.register(&mut registry);
    let (stop, listen) = (CancellationToken::new(), sidecar.local_addr());
    let (seen, _kept) = mpsc::channel(1);
    let watcher = Watcher { watches: false, waits: false, loses: false, seen, release: Arc::default() };
    let done = tokio::spawn(sidecar.run(Arc::new(watcher), Clock::system(), stop.clone()));
    let mut client = Peer::new(TcpStream::connect(listen).await.unwrap());
    client.send(get("/name")).await;
    client.until("GET /name HTTP/1.1").await;
    client.send("nonsense\r\n\r\n").await;
    client.rest().await.unwrap();
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(text.contains("proxy_requests_total 1\n"), "{text}");
    assert!(text.contains("proxy_refused_total{reason=\"start-line\"} 1\n"), "{text}");
    stop.cancel();
    timeout(SOON, done).await.unwrap().unwrap().unwrap();
}
