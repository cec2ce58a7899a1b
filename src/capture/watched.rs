//! One exchange that a witness watches, seen from a front that is built of
//! `http` types: what is copied aside, and the promise that the witness hears
//! of its end whatever way it ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use crate::capture::body::Copier;
use crate::capture::{Kept, Pending, Recorded, Wants, Witness};
use crate::exchange::{Body, End, Exchange, Headers, Request, Response};

/// The watched side of an exchange, shared by whoever moves its two bodies.
#[derive(Clone)]
pub(crate) struct Watched(Arc<Mutex<Inner>>);

struct Inner {
    witness: Option<Box<dyn Witness>>,
    wants: Wants,
    copy_bytes: usize,
    started: Timestamp,
    began: Instant,
    request: Option<Request>,
    request_copy: Option<Copier>,
    request_whole: bool,
    request_bytes: usize,
    unread: Option<Unread>,
    sent: bool,
    response: Option<(u16, Headers)>,
    response_copy: Option<Copier>,
    response_whole: bool,
    recording: Recording,
}

/// Reads the rest of a request's body that nobody else will.
pub(crate) type Unread = Box<dyn FnOnce(Watched) -> Pending + Send>;

/// Where records are made when nobody can wait for them, or when nobody is left who could.
#[derive(Clone, Default)]
pub(crate) struct Recording {
    /// Knows of all that is under way.
    pub(crate) tasks: TaskTracker,
    /// The runtime; the caller's own where this is `None`.
    pub(crate) runtime: Option<Handle>,
}

impl Recording {
    /// Lets it go on by itself; what comes back may be awaited or dropped. Without a runtime it is given back.
    fn spawn(&self, recorded: Recorded) -> Result<JoinHandle<Kept>, Recorded> {
        match self.runtime.clone().map_or_else(Handle::try_current, Ok) {
            Ok(runtime) => Ok(self.tasks.spawn_on(recorded, &runtime)),
            Err(_) => Err(recorded),
        }
    }

    /// Waits until all that was left behind is recorded.
    pub(crate) async fn settled(&self) {
        self.tasks.close();
        self.tasks.wait().await;
        self.tasks.reopen();
    }
}

impl Watched {
    /// Begins to watch.
    pub(crate) fn new(
        witness: Box<dyn Witness>,
        request: Request,
        started: Timestamp,
        copy_bytes: usize,
        recording: Recording,
    ) -> Watched {
        let wants = witness.wants();
        Watched(Arc::new(Mutex::new(Inner {
            request_copy: wants.request_body.then(|| Copier::new(&request.headers, copy_bytes)),
            witness: Some(witness),
            wants,
            copy_bytes,
            started,
            began: Instant::now(),
            request: Some(request),
            request_whole: false,
            request_bytes: 0,
            unread: None,
            sent: false,
            response: None,
            response_copy: None,
            response_whole: false,
            recording,
        })))
    }

    /// Shows the head to the witness, before the request goes on.
    pub(crate) fn begin(&self) -> Option<Pending> {
        let mut inner = self.lock();
        let Inner { witness, request, .. } = &mut *inner;
        witness.as_mut()?.begin(request.as_ref()?)
    }

    /// The request goes on: from now on anything may have happened.
    pub(crate) fn sent(&self) {
        self.lock().sent = true;
    }

    pub(crate) fn request_content(&self, content: &[u8]) {
        let mut inner = self.lock();
        inner.request_bytes = inner.request_bytes.saturating_add(content.len());
        if let Some(copy) = &mut inner.request_copy {
            copy.push(content);
        }
    }

    pub(crate) fn request_whole(&self) {
        self.lock().request_whole = true;
    }

    /// Whether more of the request's body would be copied.
    pub(crate) fn lacks_request(&self) -> bool {
        let inner = self.lock();
        inner.request_copy.is_some() && !inner.request_whole && inner.request_bytes <= inner.copy_bytes
    }

    /// Keeps what reads on where the service did not.
    pub(crate) fn leave_unread(&self, rest: Unread) {
        if self.lacks_request() {
            self.lock().unread = Some(rest);
        }
    }

    pub(crate) fn take_unread(&self) -> Option<Unread> {
        self.lock().unread.take()
    }

    /// The reply's head.
    pub(crate) fn reply(&self, status: u16, headers: Headers) {
        let mut inner = self.lock();
        inner.response_copy = inner.wants.response_body.then(|| Copier::new(&headers, inner.copy_bytes));
        inner.response = Some((status, headers));
    }

    pub(crate) fn response_content(&self, content: &[u8]) {
        if let Some(copy) = &mut self.lock().response_copy {
            copy.push(content);
        }
    }

    /// The end of the whole reply; what comes back is awaited before the client sees it. Dropped, it goes on.
    pub(crate) fn complete(&self) -> Option<Recorded> {
        self.lock().response_whole = true;
        self.broken()
    }

    /// The end without a whole reply.
    pub(crate) fn broken(&self) -> Option<Recorded> {
        let mut inner = self.lock();
        let recorded = inner.end()?;
        match inner.recording.spawn(recorded) {
            Ok(task) => Some(Box::pin(async move { task.await.unwrap_or(Kept::Lost) })),
            Err(recorded) => Some(recorded),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn end(&mut self) -> Option<Recorded> {
        let witness = self.witness.take()?;
        let mut request = self.request.take()?;
        request.body = self.request_copy.take().map_or_else(Body::default, |copy| copy.finish(self.request_whole));
        let whole = self.response_whole;
        let response = self.response.take().map(|(status, headers)| Response {
            status,
            headers,
            body: self.response_copy.take().map_or_else(Body::default, |copy| copy.finish(whole)),
        });
        let end = match (whole, self.sent) {
            (true, _) => End::Complete,
            (false, true) => End::Unanswered,
            (false, false) => End::NeverSent,
        };
        let (started, duration) = (self.started, self.began.elapsed());
        Some(witness.observe(Exchange { id: Exchange::number(started), started, duration, request, response, end }))
    }
}

impl Drop for Inner {
    /// A client that hangs up still acted.
    fn drop(&mut self) {
        let Some(recorded) = self.end() else { return };
        if self.recording.spawn(recorded).is_err() {
            // Only a service that is dropped after its runtime comes here.
            tracing::error!("an exchange ended outside of the runtime: its event is lost");
        }
    }
}

/// The fields of a head.
pub(crate) fn fields(map: &http::HeaderMap) -> Headers {
    map.iter()
        .map(|(name, value)| (Bytes::copy_from_slice(name.as_ref()), Bytes::copy_from_slice(value.as_bytes())))
        .collect()
}
