//! One exchange that a witness watches: what is copied aside, and the promise
//! that the witness hears of its end, whatever way it ends.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::capture::body::Copier;
use crate::capture::wire::field::{Line, read_line};
use crate::capture::wire::rewrite::Cuts;
use crate::capture::{Pending, Recorded, Wants, Witness};
use crate::exchange::{Body, End, Exchange, Headers, Request, Response};

/// How many ends are being recorded on behalf of connections that are gone.
pub(super) type Unattended = Arc<AtomicUsize>;

/// The watched side of one exchange. When it is dropped without having been
/// ended, it tells the witness by itself.
pub(super) struct Tee {
    witness: Option<Box<dyn Witness>>,
    wants: Wants,
    copy_bytes: usize,
    id: Uuid,
    started: Timestamp,
    began: Instant,
    request: Option<Request>,
    request_copy: Option<Copier>,
    response: Option<(u16, Headers)>,
    response_copy: Option<Copier>,
    /// Whether a byte of the request has left.
    pub(super) sent: bool,
    pub(super) request_whole: bool,
    pub(super) response_whole: bool,
    unattended: Unattended,
}

impl Tee {
    pub(super) fn new(
        witness: Box<dyn Witness>,
        id: Uuid,
        started: Timestamp,
        request: Request,
        copy_bytes: usize,
        unattended: Unattended,
    ) -> Box<Tee> {
        let wants = witness.wants();
        let request_copy = wants.request_body.then(|| Copier::new(&request.headers, copy_bytes));
        Box::new(Tee {
            witness: Some(witness),
            wants,
            copy_bytes,
            id,
            started,
            began: Instant::now(),
            request: Some(request),
            request_copy,
            response: None,
            response_copy: None,
            sent: false,
            request_whole: false,
            response_whole: false,
            unattended,
        })
    }

    /// Shows the head to the witness, before anything goes upstream.
    pub(super) fn begin(&mut self) -> Option<Pending> {
        self.witness.as_mut()?.begin(self.request.as_ref()?)
    }

    pub(super) fn request_content(&mut self, content: &[u8]) {
        if let Some(copy) = &mut self.request_copy {
            copy.push(content);
        }
    }

    /// The final reply's head has arrived.
    pub(super) fn reply(&mut self, status: u16, headers: Headers) {
        self.response_copy = self.wants.response_body.then(|| Copier::new(&headers, self.copy_bytes));
        self.response = Some((status, headers));
    }

    pub(super) fn response_content(&mut self, content: &[u8]) {
        if let Some(copy) = &mut self.response_copy {
            copy.push(content);
        }
    }

    /// The end, as far as it is known now. What comes back is awaited before the client sees the end.
    pub(super) fn end(&mut self) -> Option<Recorded> {
        let witness = self.witness.take()?;
        let mut request = self.request.take()?;
        request.body = self.request_copy.take().map_or_else(Body::default, |copy| copy.finish(self.request_whole));
        let response = self.response.take().map(|(status, headers)| Response {
            status,
            headers,
            body: self.response_copy.take().map_or_else(Body::default, |copy| copy.finish(self.response_whole)),
        });
        let end = match (self.sent, self.response_whole) {
            (_, true) => End::Complete,
            (true, false) => End::Unanswered,
            (false, false) => End::NeverSent,
        };
        Some(witness.observe(Exchange {
            id: self.id,
            started: self.started,
            duration: self.began.elapsed(),
            request,
            response,
            end,
        }))
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        let Some(recorded) = self.end() else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let unattended = Arc::clone(&self.unattended);
            unattended.fetch_add(1, Relaxed);
            runtime.spawn(async move {
                // Nobody is left who could be told; the observer says what was lost.
                let _ = recorded.await;
                unattended.fetch_sub(1, Relaxed);
            });
        }
    }
}

/// The fields of a head that was read before, without the lines that are left
/// out: copied once, the fields are slices of the copy.
pub(super) fn headers(head: &[u8], fields: Range<usize>, cuts: &Cuts) -> Headers {
    let copy = Bytes::copy_from_slice(head.get(fields.clone()).unwrap_or_default());
    let mut at = fields.start;
    std::iter::from_fn(|| {
        loop {
            let Ok(Some(Line::Field(field))) = read_line(head, at) else { return None };
            at = field.line.end;
            if cuts.leaves_out(field.line.start) {
                continue;
            }
            let slice = |range: Range<usize>| copy.slice(range.start - fields.start..range.end - fields.start);
            return Some((slice(field.name), slice(field.value)));
        }
    })
    .collect()
}
