//! The two bodies of a watched exchange, as `http_body` bodies.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::capture::Recorded;
use crate::capture::shared::Shared;

/// The request's body on its way to the service.
pub struct RequestBody<B>
where
    B: Body<Data = Bytes> + Send + 'static,
{
    /// Gone once the body came to its end.
    inner: Option<Pin<Box<B>>>,
    watched: Option<Shared>,
}

/// The reply's body on its way to the client. Its end waits for the record.
pub struct ReplyBody<R> {
    inner: Pin<Box<R>>,
    watched: Option<Shared>,
    /// Bytes to come, where the head announced them: hyper asks for no more once it has them.
    announced: Option<u64>,
    /// The last frame, while its exchange is being recorded.
    last: Option<Frame<Bytes>>,
    recording: Option<Recorded>,
}

impl<B: Body<Data = Bytes> + Send + 'static> RequestBody<B> {
    pub(super) fn unwatched(inner: B) -> RequestBody<B> {
        RequestBody { inner: Some(Box::pin(inner)), watched: None }
    }

    pub(super) fn watched(inner: B, watched: Shared) -> RequestBody<B> {
        if inner.is_end_stream() {
            watched.with(|it| it.request_whole = true);
        }
        RequestBody { inner: Some(Box::pin(inner)), watched: Some(watched) }
    }
}

impl<B: Body<Data = Bytes> + Send + 'static> Body for RequestBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let frame = ready!(inner.as_mut().poll_frame(cx));
        let ended = inner.is_end_stream();
        if let Some(watched) = &self.watched {
            note(watched, frame.as_ref().map(Result::as_ref), ended);
        }
        if !matches!(frame, Some(Ok(_))) {
            self.inner = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(|inner| inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), |inner| inner.size_hint())
    }
}

impl<B: Body<Data = Bytes> + Send + 'static> Drop for RequestBody<B> {
    /// A service that refuses a request does not read its body; what was asked is known all the same.
    fn drop(&mut self) {
        let (Some(inner), Some(watched)) = (self.inner.take(), self.watched.take()) else { return };
        if !inner.is_end_stream() {
            watched.leave_unread(Box::new(move |watched| Box::pin(read_on(inner, watched))));
        }
    }
}

/// Reads what a service left, as far as it is copied.
async fn read_on<B: Body<Data = Bytes>>(mut body: Pin<Box<B>>, watched: Shared) {
    while watched.with(|it| it.lacks_request()) {
        let frame = poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
        let ended = body.is_end_stream();
        note(&watched, frame.as_ref().map(Result::as_ref), ended);
        if !matches!(frame, Some(Ok(_))) {
            return;
        }
    }
}

/// Copies a frame of a request.
fn note<E>(watched: &Shared, frame: Option<Result<&Frame<Bytes>, E>>, ended: bool) {
    match frame {
        Some(Ok(frame)) => {
            if let Some(data) = frame.data_ref() {
                watched.with(|it| it.request_content(data));
            }
            if ended {
                watched.with(|it| it.request_whole = true);
            }
        }
        Some(Err(_)) => {}
        None => watched.with(|it| it.request_whole = true),
    }
}

impl<R: Body<Data = Bytes>> ReplyBody<R> {
    pub(super) fn unwatched(inner: R) -> ReplyBody<R> {
        ReplyBody { inner: Box::pin(inner), watched: None, announced: None, last: None, recording: None }
    }

    pub(super) fn watched(inner: R, watched: Shared, announced: Option<u64>) -> ReplyBody<R> {
        ReplyBody { inner: Box::pin(inner), watched: Some(watched), announced, last: None, recording: None }
    }

    /// Copies a frame; answers whether the client will take it for the last one.
    fn look_at(&mut self, frame: &Frame<Bytes>) -> bool {
        if let (Some(data), Some(watched)) = (frame.data_ref(), &self.watched) {
            watched.with(|it| it.response_content(data));
            self.announced = self.announced.map(|left| left.saturating_sub(data.len() as u64));
        }
        frame.is_trailers() || self.announced == Some(0) || self.inner.is_end_stream()
    }
}

impl<R: Body<Data = Bytes>> Body for ReplyBody<R> {
    type Data = Bytes;
    type Error = R::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, R::Error>>> {
        loop {
            if let Some(recording) = &mut self.recording {
                // A service's reply cannot be broken from here: what is lost is counted and said by the observer.
                let _ = ready!(recording.as_mut().poll(cx));
                self.recording = None;
                self.watched = None;
                return Poll::Ready(self.last.take().map(Ok));
            }
            let frame = ready!(self.inner.as_mut().poll_frame(cx));
            if self.watched.is_none() {
                return Poll::Ready(frame);
            }
            let last = match frame {
                Some(Ok(frame)) if self.look_at(&frame) => Some(frame),
                None => None,
                // A reply that broke is observed as such when the body is dropped.
                other => return Poll::Ready(other),
            };
            self.recording = self.watched.as_ref().and_then(Shared::complete);
            if self.recording.is_none() {
                return Poll::Ready(last.map(Ok));
            }
            self.last = last;
        }
    }

    fn is_end_stream(&self) -> bool {
        self.recording.is_none() && self.watched.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let held = self.last.as_ref().and_then(Frame::data_ref).map_or(0, |data| data.len() as u64);
        let inner = self.inner.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(held));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(held));
        }
        hint
    }
}
