//! How the sample platform answers: JSON, tables, problems; gzip'd and in
//! pieces where the client takes that.

use std::convert::Infallible;
use std::io::Write;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::{ACCEPT_ENCODING, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::stream;
use serde_json::{Value, json};

use super::world::Thing;

/// What every route gives.
pub(crate) type Answer = Result<Response, Refusal>;

/// The largest JSON body that is read.
const MAX_JSON_BYTES: usize = 2 << 20;

/// A request that is not done, and why (RFC 9457).
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    detail: String,
}

impl Refusal {
    /// A refusal with this status.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Refusal {
        Refusal { status, detail: detail.into() }
    }

    /// 400: the request makes no sense.
    pub(crate) fn bad(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 403: known, but not allowed.
    pub(crate) fn forbidden(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::FORBIDDEN, detail)
    }

    /// 404: there is no such thing.
    pub(crate) fn not_found(what: &str, id: &str) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, format!("there is no {what} {id}"))
    }

    /// 409: it cannot be done now.
    pub(crate) fn conflict(detail: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::CONFLICT, detail)
    }

    /// Why, in words.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let mut response =
            json(self.status, &json!({"title": title, "status": self.status.as_u16(), "detail": self.detail}));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert("www-authenticate", HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// A body of JSON.
pub(crate) fn json(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// 200 with one thing under its name.
pub(crate) fn shown(name: &str, thing: &Thing) -> Answer {
    Ok(json(StatusCode::OK, &json!({ name: thing })))
}

/// 201 with one thing under its name.
pub(crate) fn made(name: &str, thing: &Thing) -> Answer {
    Ok(json(StatusCode::CREATED, &json!({ name: thing })))
}

/// 204.
pub(crate) fn done() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A file that is sent in pieces, its length unknown before.
pub(crate) fn download(content_type: &'static str, filename: &str, pieces: Vec<Bytes>) -> Answer {
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{filename}\""))
        .map_err(|_| Refusal::bad("a file name of visible ASCII is needed"))?;
    let mut response = Response::new(pieces_of(pieces));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CONTENT_DISPOSITION, disposition);
    Ok(response)
}

fn pieces_of(pieces: Vec<Bytes>) -> Body {
    Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)))
}

/// The answer for a path that nothing is at.
pub(crate) async fn no_such_route(uri: Uri) -> Refusal {
    Refusal::not_found("route", uri.path())
}

/// Sends JSON and tables gzip'd and in two pieces to whoever takes gzip.
pub(crate) async fn compress(request: Request, next: Next) -> Response {
    let accepts = request.headers().get(ACCEPT_ENCODING).is_some_and(|value| value.as_bytes().starts_with(b"gzip"));
    let response = next.run(request).await;
    let has_body = response.headers().contains_key(CONTENT_TYPE);
    if !accepts || !has_body {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(plain) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let Ok(packed) = encoder.write_all(&plain).and_then(|()| encoder.finish()) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    head.headers.remove(CONTENT_LENGTH);
    head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    let mut first = Bytes::from(packed);
    let second = first.split_off(first.len() / 2);
    Response::from_parts(head, pieces_of(vec![first, second]))
}

/// A request's JSON object.
pub(crate) struct Input(pub(crate) Thing);

impl Input {
    /// A field's text; a refusal where it is missing or empty.
    pub(crate) fn text(&self, field: &str) -> Result<&str, Refusal> {
        text_of(&self.0, field)
    }
}

/// A field's text; a refusal where it is missing or empty.
pub(crate) fn text_of<'a>(fields: &'a Thing, field: &str) -> Result<&'a str, Refusal> {
    let text = fields.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| Refusal::bad(format!("`{field}` is missing")))
}

impl<S: Send + Sync> FromRequest<S> for Input {
    type Rejection = Refusal;

    async fn from_request(request: Request, _state: &S) -> Result<Input, Refusal> {
        let body = to_bytes(request.into_body(), MAX_JSON_BYTES)
            .await
            .map_err(|_| Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is longer than 2 MiB"))?;
        if body.is_empty() {
            return Ok(Input(Thing::new()));
        }
        match serde_json::from_slice(&body) {
            Ok(Value::Object(fields)) => Ok(Input(fields)),
            Ok(_) => Err(Refusal::bad("the body must be a JSON object")),
            Err(error) => Err(Refusal::bad(format!("the body is not JSON: {error}"))),
        }
    }
}
