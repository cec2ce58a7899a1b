//! Why a question is not answered, as problem+json (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::query::Mistake;
use crate::record::{RecordError, StoreError};

/// Why a question is not answered.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Parameters are unknown or malformed.
    #[error("the parameters cannot be read")]
    Parameters(Vec<Mistake>),
    /// Nobody is signed in, or the token is not known.
    #[error("a token is needed: send `Authorization: Bearer st_…`")]
    SignedOut,
    /// The token does not allow it.
    #[error("this token has no scope `{0}`")]
    Forbidden(&'static str),
    /// Not there, or somebody else's: nobody is told which.
    #[error("there is no such thing here")]
    NotFound,
    /// Another method is needed.
    #[error("this address is not asked like that")]
    Method,
    /// A site that a browser was led to, not the one it asked for (DNS rebinding).
    #[error("sidetrail does not answer for this host name; set `read.public_url` to the address that browsers use")]
    Misdirected,
    /// A browser sent it from another site.
    #[error("this request came from another site")]
    CrossSite,
    /// Too many sign-ins failed, or too many exports run.
    #[error("too many at once: try again in {0} s")]
    TooMany(u32),
    /// The store is asked too much at once.
    #[error("the log is asked too much at once")]
    Busy,
    /// It would take longer than it may, in ms.
    #[error(
        "this question takes longer than {0} ms: ask for a shorter time (`since`, `until`), or name a category, a user \
         or a whole word; for all of it take an export"
    )]
    Slow(u64),
    /// The store has no answer.
    #[error("the log cannot be read")]
    Store(#[from] StoreError),
    /// What must be recorded first cannot be.
    #[error("the log cannot be written, and this must be recorded first")]
    Record(#[from] RecordError),
    /// Events wait for a store that cannot be written.
    #[error(
        "the log cannot be written: its events wait in the spill file, or in memory where that cannot be written either"
    )]
    Unwritable,
    /// The process was told to end.
    #[error("sidetrail is stopping: it takes no new connections")]
    Stopping,
    /// A bug: a question ended in a panic.
    #[error("sidetrail failed to answer")]
    Broken,
}

impl ReadError {
    /// The status that it is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            ReadError::Parameters(_) => StatusCode::BAD_REQUEST,
            ReadError::SignedOut => StatusCode::UNAUTHORIZED,
            ReadError::Forbidden(_) | ReadError::CrossSite => StatusCode::FORBIDDEN,
            ReadError::NotFound => StatusCode::NOT_FOUND,
            ReadError::Method => StatusCode::METHOD_NOT_ALLOWED,
            ReadError::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            ReadError::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            ReadError::Busy
            | ReadError::Slow(_)
            | ReadError::Store(_)
            | ReadError::Record(_)
            | ReadError::Unwritable
            | ReadError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            ReadError::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            ReadError::TooMany(seconds) => Some(*seconds),
            ReadError::Busy | ReadError::Store(_) | ReadError::Record(_) | ReadError::Unwritable => Some(1),
            _ => None,
        }
    }
}

/// A refusal as it is sent (RFC 9457).
#[derive(Debug, serde::Serialize, utoipa::ToSchema)]
pub(crate) struct ProblemObject {
    /// Always `about:blank`: the title is the status's own phrase.
    #[serde(rename = "type")]
    sort: &'static str,
    /// The status's phrase.
    title: &'static str,
    /// The status.
    status: u16,
    /// What is wrong and what would be right.
    detail: String,
    /// The parameters that are wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Mistake>,
}

impl IntoResponse for ReadError {
    fn into_response(self) -> Response {
        let status = self.status();
        if let ReadError::Store(source) = &self {
            tracing::warn!(error = source as &dyn std::error::Error, "the log cannot be read");
        }
        if let ReadError::Record(source) = &self {
            tracing::warn!(error = source as &dyn std::error::Error, "an event of a reader cannot be written");
        }
        let retry_after = self.retry_after();
        let signed_out = matches!(self, ReadError::SignedOut);
        let detail = self.to_string();
        let errors = if let ReadError::Parameters(mistakes) = self { mistakes } else { Vec::new() };
        let title = status.canonical_reason().unwrap_or("Error");
        let problem = ProblemObject { sort: "about:blank", title, status: status.as_u16(), detail, errors };
        let mut response = (status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if signed_out {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"sidetrail\""));
        }
        response
    }
}

impl From<Vec<Mistake>> for ReadError {
    fn from(mistakes: Vec<Mistake>) -> ReadError {
        ReadError::Parameters(mistakes)
    }
}

/// What no route answers.
pub(crate) async fn no_such_page() -> ReadError {
    ReadError::NotFound
}

/// What a route does not answer with this method; the router adds `Allow`.
pub(crate) async fn no_such_method() -> ReadError {
    ReadError::Method
}
