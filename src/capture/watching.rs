//! One exchange that a witness watches, for every front: what is copied aside,
//! and the promise that the witness hears of its end whatever way it ends.

use std::time::Instant;

use jiff::Timestamp;
use uuid::Uuid;

use super::body::{Budget, Copier};
use super::recording::Recording;
use super::{Follow, Pending, Recorded, Wants, Witness};
use crate::exchange::{Body, End, Exchange, Headers, Request, Response};

/// How bodies are copied: one for a front.
#[derive(Clone, Debug)]
pub(crate) struct Copies {
    /// How much of each body, in bytes.
    pub(crate) each: usize,
    /// How much of all of them.
    pub(crate) all: Budget,
}

/// The watched side of one exchange. When it is dropped without having been
/// ended, it tells the witness by itself: a client that hangs up still acted.
pub(crate) struct Watching {
    witness: Option<Box<dyn Witness>>,
    wants: Wants,
    copies: Copies,
    id: Uuid,
    started: Timestamp,
    began: Instant,
    request: Option<Request>,
    request_copy: Option<Copier>,
    request_bytes: usize,
    response: Option<(u16, Headers)>,
    response_copy: Option<Copier>,
    /// Whether a byte of the request has left: from then on anything may have happened.
    pub(crate) sent: bool,
    pub(crate) request_whole: bool,
    pub(crate) response_whole: bool,
    pub(super) recording: Recording,
}

impl Watching {
    /// Begins to watch.
    pub(crate) fn new(
        witness: Box<dyn Witness>,
        id: Uuid,
        started: Timestamp,
        request: Request,
        copies: Copies,
        recording: Recording,
    ) -> Box<Watching> {
        let wants = witness.wants();
        let request_copy = wants.request_body.then(|| Copier::new(&request.headers, copies.each, &copies.all));
        Box::new(Watching {
            witness: Some(witness),
            wants,
            copies,
            id,
            started,
            began: Instant::now(),
            request: Some(request),
            request_copy,
            request_bytes: 0,
            response: None,
            response_copy: None,
            sent: false,
            request_whole: false,
            response_whole: false,
            recording,
        })
    }

    /// Shows the head to the witness, before anything goes to the platform.
    pub(crate) fn begin(&mut self) -> Option<Pending> {
        self.witness.as_mut()?.begin(self.request.as_ref()?)
    }

    pub(crate) fn request_content(&mut self, content: &[u8]) {
        self.request_bytes = self.request_bytes.saturating_add(content.len());
        if let Some(copy) = &mut self.request_copy {
            copy.push(content);
        }
    }

    /// Whether more of the request's body would be copied.
    pub(crate) fn lacks_request(&self) -> bool {
        self.request_copy.is_some() && !self.request_whole && self.request_bytes <= self.copies.each
    }

    /// The final reply's head has arrived.
    pub(crate) fn reply(&mut self, status: u16, headers: Headers) {
        let Copies { each, all } = &self.copies;
        self.response_copy = self.wants.response_body.then(|| Copier::new(&headers, *each, all));
        self.response = Some((status, headers));
    }

    pub(crate) fn response_content(&mut self, content: &[u8]) {
        if let Some(copy) = &mut self.response_copy {
            copy.push(content);
        }
    }

    /// Who hears of the end of a connection that this exchange opens, asked before [`Watching::end`].
    pub(crate) fn follow(&mut self) -> Option<Box<dyn Follow>> {
        self.witness.as_mut()?.follow()
    }

    /// The end, as far as it is known now. What comes back is awaited before the client sees the end.
    pub(crate) fn end(&mut self) -> Option<Recorded> {
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

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(recorded) = self.end() {
            self.recording.leave(recorded);
        }
    }
}
