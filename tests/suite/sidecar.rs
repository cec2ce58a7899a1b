//! Stories of the forwarder over real sockets: a scripted platform on one
//! side, a client that writes its bytes by hand on the other.

mod ends;
mod limits;
mod messages;
mod trouble;
mod upgrades;

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
