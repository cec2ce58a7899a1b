//! Bytes on their way out: one write for a head and a small body, two slices for a large one.

use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

/// Beside a head, so much of a body is copied to go out in one plain write.
const JOINED: usize = 8 * 1024;

/// Bytes that wait to be written: a head, then the front of a buffer.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) head: Vec<u8>,
    pub(super) head_at: usize,
    /// How many bytes of the buffer belong to the message and may go.
    pub(super) ready: usize,
    /// Whether the receiver took nothing at the last try.
    pub(super) blocked: bool,
}

impl Waiting {
    pub(super) fn is_waiting(&self) -> bool {
        self.ready > 0 || self.head_at < self.head.len()
    }

    /// Moves a small body into the head's vector, to save a write. Returns how many bytes moved.
    pub(super) fn join(&mut self, body: &[u8]) -> usize {
        if self.ready == 0 || self.ready > JOINED {
            return 0;
        }
        self.head.extend_from_slice(body.get(..self.ready).unwrap_or_default());
        std::mem::take(&mut self.ready)
    }

    /// Writes what it can in one call. Returns how many bytes of `body` went.
    pub(super) fn poll_write(
        &mut self,
        stream: &mut TcpStream,
        body: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<std::io::Result<usize>> {
        let head = self.head.get(self.head_at..).unwrap_or_default();
        let body = body.get(..self.ready).unwrap_or_default();
        let stream = Pin::new(stream);
        let polled = match (head.is_empty(), body.is_empty()) {
            (false, false) => stream.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)]),
            (false, true) => stream.poll_write(cx, head),
            (true, _) => stream.poll_write(cx, body),
        };
        self.blocked = polled.is_pending();
        let of_head = head.len();
        polled.map_ok(|written| {
            let of_head = written.min(of_head);
            self.head_at += of_head;
            if self.head_at == self.head.len() {
                self.head.clear();
                self.head_at = 0;
            }
            self.ready -= written - of_head;
            written - of_head
        })
    }
}
