//! An answer that is read as it comes: for what is too large to be held.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::{CallError, Get, Outgoing, fields_of, request, unreachable};
use crate::exchange::Headers;

/// The longest silence within an answer.
const SILENCE: Duration = Duration::from_secs(60);

/// An answer whose head is there.
pub struct Streamed {
    /// Its status; a redirect is an answer like any other.
    pub status: u16,
    /// Its fields.
    pub headers: Headers,
    body: Incoming,
}

impl Outgoing {
    /// Makes one call and returns with the head of its answer; `timeout` is for that alone, `cap` for nothing.
    ///
    /// # Errors
    /// When the address cannot be called or nothing usable comes back.
    pub async fn stream(&self, get: Get) -> Result<Streamed, CallError> {
        let asked = request(&get)?;
        let client = self.client.clone();
        let begun = self.spawn(async move {
            let answer = tokio::time::timeout(get.timeout, client.request(asked)).await;
            answer.map_err(|_| CallError::Timeout(get.timeout.as_millis()))?.map_err(|error| unreachable(&error))
        });
        let (head, body) = begun.await.map_err(|_| CallError::Stopped)??.into_parts();
        Ok(Streamed { status: head.status.as_u16(), headers: fields_of(&head.headers), body })
    }
}

impl Streamed {
    /// The next bytes; `None` at the end of a whole answer.
    ///
    /// # Errors
    /// When the connection breaks or falls silent before the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        let broken = || CallError::Broken("the connection broke before the end of the answer");
        loop {
            let frame = tokio::time::timeout(SILENCE, self.body.frame()).await;
            let frame = frame.map_err(|_| CallError::Timeout(SILENCE.as_millis()))?;
            match frame.transpose().map_err(|_| broken())?.map(hyper::body::Frame::into_data) {
                None => return Ok(None),
                Some(Ok(bytes)) => return Ok(Some(bytes)),
                // Trailers say nothing here.
                Some(Err(_)) => {}
            }
        }
    }

    /// All of it, at most `cap` bytes.
    ///
    /// # Errors
    /// As [`Streamed::next`], or when it is larger.
    pub async fn whole(&mut self, cap: usize) -> Result<Vec<u8>, CallError> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await? {
            if bytes.len() > cap.saturating_sub(all.len()) {
                return Err(CallError::TooLarge(cap));
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }
}
