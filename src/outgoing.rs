//! sidetrail's own outgoing calls: one bounded GET, used for `/me`, JWKS and `fetch`.
//!
//! Every call has a deadline, a largest answer and a place in a bounded
//! number; none follows a redirect, and each carries `sidetrail-lookup: 1`,
//! so that the platform can tell it apart. Only `http://`: TLS is refused by
//! name. The calls run on one thread of their own, because a kept connection
//! must outlive whichever runtime asked first.

mod streamed;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Uri};
use http_body::Body;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};

use crate::exchange::Headers;
pub use streamed::Streamed;

/// The field that marks our calls.
pub const MARK: &str = "sidetrail-lookup";
/// Calls under way at once; one more is refused, because its answer would come too late.
const MOST_CALLS: usize = 256;
/// Below the 5 s after which Node platforms close an idle connection.
const IDLE: Duration = Duration::from_secs(4);
/// Idle connections kept to one host.
const MOST_IDLE: usize = 16;

/// Makes calls. Clones share connections and the thread, which ends with the last of them.
#[derive(Clone)]
pub struct Outgoing {
    client: Client<HttpConnector, Empty<Bytes>>,
    runtime: Handle,
    places: Arc<Semaphore>,
    _thread: Arc<Running>,
}

/// Its drop ends the thread.
struct Running {
    _stop: oneshot::Sender<()>,
}

/// What is asked.
#[derive(Clone)]
pub struct Get {
    /// `http://host[:port]/path?query`.
    pub url: String,
    /// Fields to send besides `Host` (taken from `url` unless it is here) and our own.
    pub headers: Headers,
    /// For all of it: connecting, sending, reading the last byte.
    pub timeout: Duration,
    /// The largest answer that is read, in bytes.
    pub cap: usize,
}

/// What came back.
pub struct Answer {
    /// Its status; a redirect is an answer like any other.
    pub status: u16,
    /// Its fields.
    pub headers: Headers,
    /// All of its body.
    pub body: Bytes,
}

/// Why nothing usable came back. None of the texts holds a part of the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The address is not one.
    #[error("`{0}` is not an address of the form http://host/path")]
    Address(String),
    /// The address asks for TLS.
    #[error("https is not supported for sidetrail's own calls yet")]
    Tls,
    /// Too many calls are under way.
    #[error("more than {MOST_CALLS} calls were under way")]
    Busy,
    /// The time ran out.
    #[error("no answer within {0} ms")]
    Timeout(u128),
    /// No connection, or one that broke.
    #[error("{0}")]
    Broken(&'static str),
    /// The answer is larger than what was asked for.
    #[error("an answer of more than {0} bytes")]
    TooLarge(usize),
    /// The answer has a content coding although none was accepted.
    #[error("an answer with a content coding that nobody asked for")]
    Coded,
    /// The thread is gone.
    #[error("sidetrail is shutting down")]
    Stopped,
}

impl Outgoing {
    /// Starts the thread.
    pub fn start() -> io::Result<Outgoing> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::Builder::new().name("outgoing".to_owned()).spawn(move || {
            // Ends when the sender is dropped; nothing is ever sent.
            let _ = runtime.block_on(stopped);
        })?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MOST_IDLE)
            .pool_timer(TokioTimer::new())
            .build(connector);
        let places = Arc::new(Semaphore::new(MOST_CALLS));
        Ok(Outgoing { client, runtime: handle, places, _thread: Arc::new(Running { _stop: stop }) })
    }

    /// Makes one call. It begins at once, whether or not the future is polled,
    /// and the future may be awaited on any runtime.
    pub fn get(&self, get: Get) -> impl Future<Output = Result<Answer, CallError>> + Send + use<> {
        let begun = self.begin(get);
        async move { begun?.await.map_err(|_| CallError::Stopped)? }
    }

    /// Runs a future on the calls' own thread, from now on. It must not block.
    pub(crate) fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Spawned<T> {
        self.runtime.spawn(work)
    }

    fn begin(&self, get: Get) -> Result<Spawned<Result<Answer, CallError>>, CallError> {
        let request = request(&get)?;
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| CallError::Busy)?;
        let client = self.client.clone();
        Ok(self.spawn(async move {
            let _place = place;
            let timeout = get.timeout;
            match tokio::time::timeout(timeout, call(&client, request, get.cap)).await {
                Ok(answer) => answer,
                Err(_) => Err(CallError::Timeout(timeout.as_millis())),
            }
        }))
    }
}

/// What [`Outgoing::spawn`] started: awaited or left alone, it goes on.
pub(crate) type Spawned<T> = tokio::task::JoinHandle<T>;

/// Checks that an address can be called: for the moment a configuration is read.
pub fn check_address(url: &str) -> Result<(), CallError> {
    address(url).map(drop)
}

fn address(url: &str) -> Result<Uri, CallError> {
    let uri: Uri = url.parse().map_err(|_| CallError::Address(url.to_owned()))?;
    match (uri.scheme_str(), uri.host()) {
        (Some("http"), Some(_)) => Ok(uri),
        (Some("https"), _) => Err(CallError::Tls),
        _ => Err(CallError::Address(url.to_owned())),
    }
}

fn request(get: &Get) -> Result<http::Request<Empty<Bytes>>, CallError> {
    let mut request = http::Request::new(Empty::new());
    *request.uri_mut() = address(&get.url)?;
    let fields = request.headers_mut();
    for (name, value) in get.headers.iter() {
        // What came in over HTTP passes; what does not is left out, as it could only confuse.
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            fields.append(name, value);
        }
    }
    fields.insert(MARK, HeaderValue::from_static("1"));
    fields.insert(http::header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    fields.insert(http::header::USER_AGENT, HeaderValue::from_static(concat!("sidetrail/", env!("CARGO_PKG_VERSION"))));
    Ok(request)
}

async fn call(
    client: &Client<HttpConnector, Empty<Bytes>>,
    request: http::Request<Empty<Bytes>>,
    cap: usize,
) -> Result<Answer, CallError> {
    let response = match client.request(request.clone()).await {
        // A kept connection that the platform closed meanwhile: a GET of our own may be sent again, once.
        Err(error) if !error.is_connect() => client.request(request).await,
        first => first,
    };
    let response = response.map_err(|error| unreachable(&error))?;
    let (head, mut body) = response.into_parts();
    if head.headers.get(http::header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(CallError::Coded);
    }
    // What is announced as too large is not waited for.
    if body.size_hint().lower() > u64::try_from(cap).unwrap_or(u64::MAX) {
        return Err(CallError::TooLarge(cap));
    }
    let mut content = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| CallError::Broken("the connection broke before the end of the answer"))?;
        if let Some(data) = frame.data_ref() {
            if data.len() > cap.saturating_sub(content.len()) {
                return Err(CallError::TooLarge(cap));
            }
            content.extend_from_slice(data);
        }
    }
    Ok(Answer { status: head.status.as_u16(), headers: fields_of(&head.headers), body: content.freeze() })
}

fn unreachable(error: &hyper_util::client::legacy::Error) -> CallError {
    match error.is_connect() {
        true => CallError::Broken("no connection"),
        false => CallError::Broken("the connection broke before an answer"),
    }
}

fn fields_of(headers: &http::HeaderMap) -> Headers {
    let copy = |(name, value): (&HeaderName, &HeaderValue)| {
        (Bytes::copy_from_slice(name.as_ref()), Bytes::copy_from_slice(value.as_bytes()))
    };
    headers.iter().map(copy).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A platform that answers every request with `answer`; gives its address, the number of its connections, the last request.
    async fn platform(
        answer: &'static [u8],
    ) -> (String, Arc<AtomicUsize>, Arc<std::sync::Mutex<String>>, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (connections, last) = (Arc::new(AtomicUsize::new(0)), Arc::default());
        let (count, heard) = (Arc::clone(&connections), Arc::clone(&last));
        let task = tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let heard: Arc<std::sync::Mutex<String>> = Arc::clone(&heard);
                tokio::spawn(async move {
                    let mut bytes = [0; 4096];
                    while let Ok(length @ 1..) = socket.read(&mut bytes).await {
                        *heard.lock().unwrap() = String::from_utf8_lossy(&bytes[..length]).into_owned();
                        if !answer.is_empty() {
                            socket.write_all(answer).await.unwrap();
                        }
                    }
                });
            }
        });
        (url, connections, last, task)
    }

    fn ask(url: &str) -> Get {
        let mut headers = Headers::default();
        headers.push("Authorization", "Bearer t");
        Get { url: url.to_owned(), headers, timeout: Duration::from_secs(5), cap: 100 }
    }

    #[tokio::test]
    async fn a_call_is_marked_and_its_connection_kept() {
        let (url, connections, last, _task) =
            platform(b"HTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n\r\nhi").await;
        let outgoing = Outgoing::start().unwrap();
        for _ in 0..3 {
            let answer = outgoing.get(ask(&format!("{url}/me?x=1"))).await.unwrap();
            assert_eq!((answer.status, &answer.body[..], answer.headers.first("x-a")), (200, &b"hi"[..], Some("b")));
        }
        assert_eq!(connections.load(Ordering::SeqCst), 1);
        let request = last.lock().unwrap().clone();
        assert!(request.starts_with("GET /me?x=1 HTTP/1.1\r\n"), "{request}");
        for line in ["sidetrail-lookup: 1", "authorization: Bearer t", "accept-encoding: identity", "host: 127.0.0.1:"]
        {
            assert!(request.contains(line), "{line} in {request}");
        }
    }

    #[test]
    fn a_connection_outlives_the_runtime_that_asked_first() {
        let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (url, connections, _, _task) = server.block_on(platform(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"));
        let outgoing = Outgoing::start().unwrap();
        for _ in 0..2 {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            assert_eq!(runtime.block_on(outgoing.get(ask(&url))).unwrap().status, 200);
        }
        assert_eq!(connections.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn what_is_not_a_good_answer_is_an_error_by_name() {
        let outgoing = Outgoing::start().unwrap();
        let cases: [(&[u8], CallError); 4] = [
            (b"", CallError::Timeout(200)),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", CallError::TooLarge(100)),
            (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi", CallError::Coded),
            (b"nonsense\r\n\r\n", CallError::Broken("the connection broke before an answer")),
        ];
        for (answer, error) in cases {
            let (url, ..) = platform(answer).await;
            let get = Get { timeout: Duration::from_millis(200), ..ask(&url) };
            assert_eq!(outgoing.get(get).await.err(), Some(error));
        }
        let (url, ..) = platform(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await;
        assert_eq!(outgoing.get(Get { cap: 4, ..ask(&url) }).await.err(), Some(CallError::TooLarge(4)));
        assert_eq!(outgoing.get(ask("https://localhost/")).await.err(), Some(CallError::Tls));
        assert_eq!(outgoing.get(ask("/me")).await.err(), Some(CallError::Address("/me".to_owned())));
        let closed = format!("http://{}", TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap());
        assert_eq!(outgoing.get(ask(&closed)).await.err(), Some(CallError::Broken("no connection")));
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let (url, connections, ..) =
            platform(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n").await;
        let outgoing = Outgoing::start().unwrap();
        assert_eq!(outgoing.get(ask(&url)).await.unwrap().status, 302);
        assert_eq!(connections.load(Ordering::SeqCst), 1);
    }
}
