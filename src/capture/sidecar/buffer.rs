//! 64 KB buffers from a free list: a connection holds one only while bytes wait in it.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;

/// Large enough that a large body costs few system calls.
pub(super) const BUFFER_BYTES: usize = 64 * 1024;
/// Spare buffers and head vectors a thread keeps: 4 MB at most.
const SPARE: usize = 64;
/// A head vector that grew beyond this is not kept.
const HEAD_KEPT: usize = 64 * 1024;

/// A thread's spare memory.
#[derive(Default)]
pub(super) struct Spare {
    buffers: RefCell<Vec<Box<[u8]>>>,
    heads: RefCell<Vec<Vec<u8>>>,
}

impl Spare {
    fn buffer(&self) -> Box<[u8]> {
        self.buffers.borrow_mut().pop().unwrap_or_else(|| vec![0; BUFFER_BYTES].into_boxed_slice())
    }

    fn keep_buffer(&self, buffer: Box<[u8]>) {
        let mut buffers = self.buffers.borrow_mut();
        if buffers.len() < SPARE && !buffer.is_empty() {
            buffers.push(buffer);
        }
    }

    /// An empty vector to write a head into.
    pub(super) fn head(&self) -> Vec<u8> {
        self.heads.borrow_mut().pop().unwrap_or_else(|| Vec::with_capacity(1024))
    }

    pub(super) fn keep_head(&self, mut head: Vec<u8>) {
        let mut heads = self.heads.borrow_mut();
        if heads.len() < SPARE && head.capacity() <= HEAD_KEPT {
            head.clear();
            heads.push(head);
        }
    }
}

/// Bytes that were read and not yet used. Without bytes it has no memory.
#[derive(Default)]
pub(super) struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(super) fn filled(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Whether no more can be read before something is consumed.
    pub(super) fn is_full(&self) -> bool {
        self.end - self.start == BUFFER_BYTES
    }

    /// Takes bytes off the front; an empty buffer gives its memory back.
    pub(super) fn consume(&mut self, count: usize, spare: &Spare) {
        self.start = self.end.min(self.start + count);
        if self.is_empty() {
            self.give_back(spare);
        }
    }

    pub(super) fn give_back(&mut self, spare: &Spare) {
        spare.keep_buffer(std::mem::take(&mut self.bytes));
        self.start = 0;
        self.end = 0;
    }

    /// Reads what has arrived behind the bytes that are there. 0 is the
    /// sender's end. Not to be called on a full buffer.
    pub(super) fn poll_fill(
        &mut self,
        stream: &mut TcpStream,
        spare: &Spare,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.bytes.is_empty() {
            ready!(stream.poll_read_ready(cx))?;
            self.bytes = spare.buffer();
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let mut room = ReadBuf::new(self.bytes.get_mut(self.end..).unwrap_or_default());
        let read = Pin::new(stream).poll_read(cx, &mut room);
        let count = room.filled().len();
        self.end += count;
        if self.is_empty() {
            self.give_back(spare);
        }
        read.map_ok(|()| count)
    }
}
