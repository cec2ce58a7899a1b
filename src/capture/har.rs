//! A recording (HAR 1.2) as exchanges: what browsers and proxies write down.
//!
//! Reads what Chrome, Firefox and mitmproxy write: bodies as text or base64,
//! forms as text or as parameters, bodies that were left out. A recording
//! holds bodies as they were read, with `Content-Encoding` undone. What was
//! never on its way to a platform (`data:`, the browser's cache) is left out.
//! Exchanges come in the order in which they ended, as a front would see them.

mod file;

use std::io;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;

use super::body::{Budget, COPY_BYTES, Copier};
use crate::exchange::{Body, End, Exchange, Headers, Part, Request, Response, Seen};
use file::{Content, Entry, Field, Parameter, PostData, Recording};

/// Network errors of browsers that mean: nothing was sent.
const NEVER_SENT: [&str; 5] = ["REFUSED", "NOT_RESOLVED", "BLOCKED", "ADDRESS_UNREACHABLE", "INTERNET_DISCONNECTED"];

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HarError {
    /// The file.
    #[error("the recording cannot be read")]
    File(#[from] io::Error),
    /// It is not JSON of that form: line, column, the member, and what is wrong.
    #[error("{line}:{column}: `{at}`: {what}")]
    Form {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// `log.entries[3].request.url`.
        at: String,
        /// What is wrong.
        what: String,
    },
    /// A value that means nothing.
    #[error("`log.entries[{entry}].{member}`: {what}")]
    Value {
        /// From 0, as in the path of the member.
        entry: usize,
        /// `startedDateTime`.
        member: &'static str,
        /// What is wrong.
        what: String,
    },
}

/// Reads a recording.
pub fn read(path: &Path) -> Result<Vec<Exchange>, HarError> {
    parse(&std::fs::read(path)?)
}

/// Reads a recording's text.
pub fn parse(text: &[u8]) -> Result<Vec<Exchange>, HarError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut json = serde_json::Deserializer::from_slice(text);
    let recording: Recording = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let inner = error.inner();
        let what = inner.to_string();
        // The place is said in front.
        let what = what.split_once(" at line ").map_or(what.as_str(), |(what, _)| what).to_owned();
        HarError::Form { line: inner.line(), column: inner.column(), at: error.path().to_string(), what }
    })?;
    let mut exchanges = Vec::new();
    for (number, entry) in recording.log.entries.into_iter().enumerate() {
        exchanges.extend(exchange(number, entry)?);
    }
    exchanges.sort_by_key(Exchange::finished);
    Ok(exchanges)
}

/// One entry; `None` where it never was on its way to a platform.
fn exchange(entry: usize, recorded: Entry) -> Result<Option<Exchange>, HarError> {
    let Entry { started_date_time, time, request, response, from_cache, error } = recorded;
    let Some((authority, target)) = target(&request.url) else { return Ok(None) };
    if from_cache.is_some() {
        return Ok(None);
    }
    let wrong = |member, what: String| HarError::Value { entry, member, what };
    let started: Timestamp = started_date_time
        .parse()
        .map_err(|_| wrong("startedDateTime", format!("`{started_date_time}` is not a time (RFC 3339)")))?;
    let duration = Duration::try_from_secs_f64(time.unwrap_or(0.0).max(0.0) / 1000.0).unwrap_or_default();

    let mut headers = fields(request.headers);
    if headers.first("host").is_none() {
        headers.push("host", authority.to_owned());
    }
    if headers.first("cookie").is_none() && !request.cookies.is_empty() {
        let cookies: Vec<_> =
            request.cookies.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        headers.push("cookie", cookies.join("; "));
    }
    let body = sent(&headers, request.post_data, request.body_size);
    let answered = response.filter(|response| response.status > 0);
    let end = match (&answered, &error) {
        (Some(_), _) => End::Complete,
        (None, Some(error)) if NEVER_SENT.iter().any(|sign| error.contains(sign)) => End::NeverSent,
        (None, _) => End::Unanswered,
    };
    let response = match answered {
        Some(response) => {
            let status = u16::try_from(response.status)
                .map_err(|_| wrong("response.status", format!("{} is not a status", response.status)))?;
            let headers = fields(response.headers);
            let body = answered_with(&headers, response.content);
            Some(Response { status, headers, body })
        }
        None => None,
    };
    let method = request.method;
    let request = Request { method, target, headers, body, peer: None, client: None, peer_is_trusted: false };
    Ok(Some(Exchange { id: Exchange::number(started), started, duration, request, response, end }))
}

/// Authority and origin form of an `http:` or `https:` address, as it was sent: nothing is normalised.
fn target(url: &str) -> Option<(&str, String)> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(at)?;
    Some((authority, if target.starts_with('/') { target.to_owned() } else { format!("/{target}") }))
}

fn fields(recorded: Vec<Field>) -> Headers {
    // `:path` and its like are HTTP/2's way to write the request line.
    let real = recorded.into_iter().filter(|field| !field.name.starts_with(':'));
    real.map(|field| (Bytes::from(field.name), Bytes::from(field.value))).collect()
}

fn sent(headers: &Headers, data: Option<PostData>, size: Option<f64>) -> Body {
    let Some(PostData { mime_type, text, encoding, params }) = data else {
        let announced = headers.first("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        return left_out(size.map_or(announced, bytes_of));
    };
    // The header has the boundary, which some leave out of `mimeType`.
    let kind = headers.first("content-type").map_or(mime_type, str::to_owned);
    let is_form = kind.to_ascii_lowercase().starts_with("multipart/form-data");
    let text = text.filter(|text| !text.is_empty());
    let read = match (text, encoding.as_deref()) {
        (Some(text), Some("base64")) => {
            decoded(&text, |content| copied(&kind, headers.first("content-encoding"), content))
        }
        (Some(text), _) => copied(without_charset(&kind), None, text.as_bytes()),
        (None, _) if params.is_empty() => return left_out(size.map_or(0, bytes_of)),
        (None, _) if is_form => Body { seen: Seen::Unreadable(String::new()), ..Body::default() },
        (None, _) => copied(&kind, None, encoded(&params).as_bytes()),
    };
    match read.seen {
        // Browsers leave the files' content out of the text, and with it the form's structure.
        Seen::Unreadable(_) if is_form && !params.is_empty() => {
            Body { parts: params.into_iter().map(part).collect(), seen: Seen::Whole, ..read }
        }
        _ => read,
    }
}

fn answered_with(headers: &Headers, content: Option<Content>) -> Body {
    let Some(Content { size, text, encoding }) = content else { return Body::default() };
    let kind = headers.first("content-type").unwrap_or_default();
    match (text, encoding.as_deref()) {
        (Some(text), Some("base64")) => decoded(&text, |content| copied(kind, None, content)),
        (Some(text), _) => copied(without_charset(kind), None, text.as_bytes()),
        (None, _) => left_out(size.map_or(0, bytes_of)),
    }
}

/// A recording's text is Unicode already, whatever charset its bytes had. A boundary is still needed.
fn without_charset(kind: &str) -> &str {
    let bare = kind.split(';').next().unwrap_or(kind);
    if bare.trim_end().to_ascii_lowercase().starts_with("multipart/") { kind } else { bare }
}

/// The copy that a front would have made.
fn copied(kind: &str, coding: Option<&str>, content: &[u8]) -> Body {
    let mut headers = Headers::default();
    headers.push("content-type", kind.to_owned());
    if let Some(coding) = coding {
        headers.push("content-encoding", coding.to_owned());
    }
    let mut copier = Copier::new(&headers, COPY_BYTES, &Budget::unlimited());
    copier.push(content);
    copier.finish(true)
}

fn decoded(text: &str, read: impl FnOnce(&[u8]) -> Body) -> Body {
    match STANDARD.decode(text) {
        Ok(content) => read(&content),
        Err(_) => Body { seen: Seen::Unreadable("the recording's base64 is broken".to_owned()), ..Body::default() },
    }
}

/// A body that is not in the recording.
fn left_out(size: u64) -> Body {
    match size {
        0 => Body { seen: Seen::Whole, ..Body::default() },
        _ => Body { size, seen: Seen::Unreadable("the recording does not hold it".to_owned()), ..Body::default() },
    }
}

/// A form's parameters as they were sent.
fn encoded(params: &[Parameter]) -> String {
    let pairs = params.iter().map(|param| (&param.name, param.value.as_deref().unwrap_or_default()));
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A part as far as a recording tells: of a file neither content nor hash.
fn part(param: Parameter) -> Part {
    let Parameter { name, value, file_name, content_type } = param;
    let size = value.as_ref().map_or(0, |value| value.len() as u64);
    let text = value.filter(|_| file_name.is_none());
    Part { field: name, filename: file_name, content_type, size, sha256: None, text }
}

/// Sizes are written as numbers of any sort; -1 is "not known".
fn bytes_of(size: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float saturates and has no sign here"
    )]
    let bytes = size.max(0.0) as u64;
    bytes
}
