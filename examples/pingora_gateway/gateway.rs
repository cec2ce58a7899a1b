//! A gateway built on pingora, with sidetrail's tap in its phases.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pingora_core::apps::ServerApp;
use pingora_core::protocols::{GetSocketDigest, SocketDigest, l4::stream::Stream};
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{BError, Error, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{ProxyHttp, Session, http_proxy};
use sidetrail::capture::pingora::{Tap, Tapped, never_again};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Forwards everything to one platform.
pub(crate) struct Gateway {
    pub(crate) tap: Tap,
    pub(crate) upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Gateway {
    type CTX = Tapped;

    fn new_ctx(&self) -> Tapped {
        Tapped::default()
    }

    async fn upstream_peer(&self, _: &mut Session, _: &mut Tapped) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }

    async fn request_filter(&self, session: &mut Session, tapped: &mut Tapped) -> Result<bool> {
        *tapped = self.tap.request_filter(session).await;
        Ok(false)
    }

    async fn upstream_request_filter(&self, _: &mut Session, _: &mut RequestHeader, tapped: &mut Tapped) -> Result<()> {
        tapped.upstream_request_filter();
        Ok(())
    }

    async fn request_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        tapped: &mut Tapped,
    ) -> Result<()> {
        tapped.request_body_filter(body.as_ref(), end_of_stream);
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        head: &mut ResponseHeader,
        tapped: &mut Tapped,
    ) -> Result<()> {
        tapped.response_filter(session, head).await;
        Ok(())
    }

    fn response_body_filter(
        &self,
        _: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        tapped: &mut Tapped,
    ) -> Result<Option<Duration>> {
        tapped.response_body_filter(body.as_ref(), end_of_stream);
        Ok(None)
    }

    fn error_while_proxy(&self, _: &HttpPeer, _: &mut Session, error: BError, _: &mut Tapped, _: bool) -> BError {
        never_again(error)
    }

    async fn logging(&self, _: &mut Session, _: Option<&Error>, tapped: &mut Tapped) {
        tapped.logging().await;
    }
}

/// Serves until the future is dropped. pingora's own `Server` cannot run inside a runtime; its proxy can.
pub(crate) async fn serve(gateway: Gateway, listener: TcpListener) -> std::io::Result<()> {
    // It counts attempts, not retries.
    let settings = ServerConf { max_retries: 1, ..ServerConf::default() };
    let proxy = Arc::new(http_proxy(&Arc::new(settings), gateway));
    let (_running, shutdown) = watch::channel(false);
    loop {
        let (socket, peer) = listener.accept().await?;
        let mut stream = Stream::from(socket);
        let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
        // The cell is new, so it is empty.
        let _ = digest.peer_addr.set(Some(peer.into()));
        stream.set_socket_digest(digest);
        let (proxy, shutdown) = (Arc::clone(&proxy), shutdown.clone());
        tokio::spawn(async move { proxy.process_new(Box::new(stream), &shutdown).await });
    }
}
