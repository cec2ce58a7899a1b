//! Noun 1: a finished HTTP request and its response, or how it failed.
//!
//! Made by `capture`, read by `rules` and `identity`. It holds credentials and
//! raw bodies, so `record` never sees it (the import table forbids it) and it
//! has no `Debug` that prints them.

use std::cell::RefCell;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use uuid::{Builder, Uuid};

/// One finished request and its response, or its failure. Cloning shares the bodies.
#[derive(Clone)]
pub struct Exchange {
    /// Our own number for it, time-ordered (UUIDv7).
    pub id: Uuid,
    /// When the request's head had arrived.
    pub started: Timestamp,
    /// From the request's head to the end of the response (or of hope).
    pub duration: Duration,
    /// What was asked.
    pub request: Request,
    /// What was answered, if an answer's head arrived.
    pub response: Option<Response>,
    /// How it ended.
    pub end: End,
}

impl Exchange {
    /// A number for an exchange that began then (UUIDv7, RFC 9562 §5.7): its millisecond, and 74 random bits.
    pub fn number(started: Timestamp) -> Uuid {
        let millisecond = u64::try_from(started.as_millisecond()).unwrap_or_default();
        Builder::from_unix_timestamp_millis(millisecond, &random()).into_uuid()
    }

    /// When it ended: the time an event carries.
    pub fn finished(&self) -> Timestamp {
        self.started.checked_add(self.duration).unwrap_or(self.started)
    }
}

/// Random bytes that one call to the system brings: enough for 400 numbers.
const DRAWN: usize = 4_000;

thread_local! {
    static RANDOM: RefCell<Vec<[u8; 10]>> = const { RefCell::new(Vec::new()) };
}

/// Ten random bytes of the system's, drawn ahead: a number must cost no system call.
fn random() -> [u8; 10] {
    RANDOM.with_borrow_mut(|ahead| {
        if ahead.is_empty() {
            let mut drawn = [0; DRAWN];
            getrandom::fill(&mut drawn).expect("the system gave random bytes when the store was made");
            ahead.extend(drawn.as_chunks::<10>().0);
        }
        ahead.pop().expect("it was just filled")
    })
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The whole response arrived from the platform.
    Complete,
    /// The platform never got a byte of the request: nothing can have happened.
    NeverSent,
    /// The request left, no whole response came: anything may have happened.
    Unanswered,
}

/// What was asked.
#[derive(Clone)]
pub struct Request {
    /// The method, as sent (`POST`).
    pub method: String,
    /// The target in origin form, as sent: path and query, still percent-encoded.
    pub target: String,
    /// The fields of the head, in their order.
    pub headers: Headers,
    /// What came after the head.
    pub body: Body,
    /// Who opened the connection.
    pub peer: Option<IpAddr>,
    /// The client's address: the peer, or what a trusted proxy said.
    pub client: Option<IpAddr>,
    /// Whether `peer` is one of the trusted proxies of the configuration.
    pub peer_is_trusted: bool,
}

impl Request {
    /// The target's path, still percent-encoded.
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The target's query without its `?`, still percent-encoded.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }
}

/// What was answered.
#[derive(Clone)]
pub struct Response {
    /// The final status (never 1xx except 101).
    pub status: u16,
    /// The fields of the head, in their order.
    pub headers: Headers,
    /// What came after the head.
    pub body: Body,
}

/// The fields of a head, in their order, as sent. Names compare without case.
#[derive(Clone, Default)]
pub struct Headers(Vec<(Bytes, Bytes)>);

impl Headers {
    /// Adds a field at the end.
    pub fn push(&mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.0.push((name.into(), value.into()));
    }

    /// The first field of that name, where its value is text (visible ASCII or UTF-8).
    pub fn first<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// Every field of that name whose value is text.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(field, _)| field.eq_ignore_ascii_case(name.as_bytes()))
            .filter_map(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// Every field: name and value as they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }
}

impl FromIterator<(Bytes, Bytes)> for Headers {
    fn from_iter<T: IntoIterator<Item = (Bytes, Bytes)>>(fields: T) -> Headers {
        Headers(fields.into_iter().collect())
    }
}

impl fmt::Debug for Headers {
    /// Names only: a value may be a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| String::from_utf8_lossy(name))).finish()
    }
}

/// The copy of a body that was made while it streamed by.
#[derive(Clone, Default)]
pub struct Body {
    /// The content after `Content-Encoding` was undone, at most the configured
    /// cap. Empty for multipart, whose content is in `parts`.
    pub content: Bytes,
    /// Bytes on the wire, after transfer coding was undone.
    pub size: u64,
    /// How much of the content the copy holds.
    pub seen: Seen,
    /// Why the copy is cut, where it is not the cap of one copy.
    pub cut_because: Option<&'static str>,
    /// The parts of a `multipart/form-data` body, in their order.
    pub parts: Vec<Part>,
}

/// How much of a body its copy holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    /// Nobody asked for a copy.
    #[default]
    NotRead,
    /// All of it.
    Whole,
    /// The beginning, up to a cap.
    Cut,
    /// Nothing that can be trusted, and why (`"gzip: corrupt deflate stream"`).
    Unreadable(String),
}

/// A part of a `multipart/form-data` body (RFC 7578).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The field's name.
    pub field: String,
    /// The file's name, `filename*` (RFC 8187) before `filename`. A part with one is a file.
    pub filename: Option<String>,
    /// `Content-Type` as sent.
    pub content_type: Option<String>,
    /// Bytes of the part's content, all of them even beyond the cap.
    pub size: u64,
    /// SHA-256 over all of a file's content, in lower-case hex. None for plain fields.
    pub sha256: Option<String>,
    /// The text of a plain field, at most the cap. None for files.
    pub text: Option<String>,
}
