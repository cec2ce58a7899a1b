//! The read listener: who connects, how long a head may take, how many at once, and the end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// From the first moment of waiting for a request to the last byte of its head; an idle connection ends so too.
const HEAD: Duration = Duration::from_secs(30);
/// Connections at one time; the next one waits until one ends.
const CONNECTIONS: usize = 512;
/// How long running answers may go on after the end was asked for.
const DRAIN: Duration = Duration::from_secs(10);
/// After the system had no descriptor or memory for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves `router` until `stop` is cancelled; then running answers have ten seconds to end.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    serve_with(listener, router, stop, HEAD).await;
}

async fn serve_with(listener: TcpListener, router: Router, stop: CancellationToken, head: Duration) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let running = TaskTracker::new();
    let accepting = async {
        loop {
            // Never closed, so there is always a place in the end.
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let connection = answer(stream, peer, router.clone(), stop.clone(), head);
                    running.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the page cannot accept connections; trying again");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop.cancelled() => {}
    }
    running.close();
    // Who is not done by then is cut off: an export breaks, so that nobody takes it for whole.
    let _ = tokio::time::timeout(DRAIN, running.wait()).await;
}

/// One connection, to its end.
async fn answer(stream: TcpStream, peer: SocketAddr, router: Router, stop: CancellationToken, head: Duration) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(head);
    let mut connection = std::pin::pin!(server.serve_connection(TokioIo::new(stream), service));
    // A connection that breaks is the client's affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn start(head: Duration) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }));
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve_with(listener, router, stop.clone(), head));
        (address, stop, serving)
    }

    async fn said(address: SocketAddr, words: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(words).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_head_that_never_ends_ends_the_connection() {
        let (address, ..) = start(Duration::from_millis(100)).await;
        let said = tokio::time::timeout(Duration::from_secs(20), said(address, b"GET / HTTP/1.1\r\nHost: a\r\n")).await;
        assert!(!said.expect("the connection stays open").contains("200"));
    }

    #[tokio::test]
    async fn an_idle_connection_does_not_delay_the_end() {
        let (address, stop, serving) = start(HEAD).await;
        let answer = said(address, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(answer.ends_with("127.0.0.1"), "{answer}");
        let _idle = TcpStream::connect(address).await.unwrap();
        stop.cancel();
        tokio::time::timeout(Duration::from_secs(5), serving).await.expect("it ends at once").unwrap();
    }
}
