//! Exports: exactly the filtered set, pinned, in constant memory.
//!
//! The same rows whoever asks: the API streams them, the command line writes
//! them. The bound is fixed and the events are counted before the first byte;
//! where the rows turn out to be others, or the store falls silent, or the
//! client stops taking, the connection is broken: a file never looks whole
//! that is not. The export itself is on disk as an event before it begins.

mod csv;
mod stream;

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, RawQuery, State as From};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::response::{IntoResponse, Response};

pub use csv::{Columns, Guard, csv_head, csv_rows};
pub use stream::Batches;

use super::access::Principal;
use super::error::{ProblemObject, ReadError};
use super::object::{EventObject, rfc3339};
use super::openapi::{ExportParameters, FilterParameters};
use super::own;
use super::query::{Mistake, Params};
use super::state::State;
use super::zone::Zone;
use crate::problem::nearest;
use crate::record::query::{Filter, Stored};

/// The parameters that only an export has, and what they mean.
pub(crate) const PARAMETERS: [(&str, &str); 4] = [
    ("format", "`csv` or `ndjson`; needed."),
    ("order", "`desc` (newest first, unless told) or `asc`."),
    ("bom", "`1`: a byte order mark at the beginning of the CSV, by which spreadsheets know UTF-8."),
    (
        "escape",
        "`formula` (unless told): cells of the CSV that a spreadsheet would take for a formula begin with `'`; `none`.",
    ),
];

/// Their names.
const NAMES: [&str; 4] = ["format", "order", "bom", "escape"];

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180.
    Csv,
    /// One API object a line.
    Ndjson,
}

impl Format {
    /// Every format and its word.
    pub const ALL: [(&'static str, Format); 2] = [("csv", Format::Csv), ("ndjson", Format::Ndjson)];

    /// Its word: `csv`.
    pub fn word(self) -> &'static str {
        Format::ALL.into_iter().find(|(_, format)| *format == self).map_or("", |(word, _)| word)
    }

    fn media_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::Ndjson => "application/x-ndjson",
        }
    }
}

/// How an export is written, in full.
#[derive(Clone, Debug)]
pub struct Layout {
    /// CSV or NDJSON.
    pub format: Format,
    /// How the cells of a CSV look.
    pub columns: Columns,
    /// Whether a CSV begins with a byte order mark.
    pub bom: bool,
}

impl Layout {
    /// What stands before the first row.
    pub fn head(&self) -> Vec<u8> {
        let mut head = Vec::new();
        if self.format == Format::Csv {
            if self.bom {
                head.extend("\u{feff}".bytes());
            }
            head.extend(csv_head());
        }
        head
    }

    /// These events as rows or lines.
    pub fn rows(&self, events: &[Stored]) -> Vec<u8> {
        match self.format {
            Format::Csv => csv_rows(events, &self.columns),
            Format::Ndjson => events.iter().flat_map(ndjson_line).collect(),
        }
    }

    fn of(params: &Params, zone: &Zone, language: Option<&str>) -> Result<Layout, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut word = |name: &'static str, known: &[&'static str], given: Option<&str>| {
            let found = given.and_then(|given| known.iter().find(|known| **known == given));
            if found.is_none() {
                let meant = given.and_then(|given| nearest(given, known.iter().copied()));
                let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
                mistakes.push(Mistake::new(name, format!("is one of `{}`{meant}", known.join("`, `"))));
            }
            found.copied()
        };
        let format = word("format", &["csv", "ndjson"], params.extra("format"));
        let bom = word("bom", &["0", "1"], params.extra("bom").or(Some("0")));
        let escape = word("escape", &["formula", "none"], params.extra("escape").or(Some("formula")));
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        Ok(Layout {
            format: if format == Some("csv") { Format::Csv } else { Format::Ndjson },
            columns: Columns {
                zone: params.tz.clone().unwrap_or_else(|| zone.clone()),
                language: language.map(str::to_owned),
                guard: if escape == Some("none") { Guard::None } else { Guard::Formulas },
            },
            bom: bom == Some("1"),
        })
    }
}

/// An event as a line of NDJSON: the API's object, with the line's end.
pub fn ndjson_line(stored: &Stored) -> Vec<u8> {
    let mut line = serde_json::to_vec(&EventObject::from(stored)).expect("an event's keys are text");
    line.push(b'\n');
    line
}

/// How many events an export holds.
const COUNT: HeaderName = HeaderName::from_static("sidetrail-count");
/// The moment at which it is pinned.
const AS_OF: HeaderName = HeaderName::from_static("sidetrail-as-of");

/// All matching events as a file. Recorded as an event of its own before it begins.
#[utoipa::path(get, path = "/api/v1/events/export", tag = "events", params(FilterParameters, ExportParameters),
    responses(
        (status = 200, description = "The file; `Sidetrail-Count` tells how many events, `Sidetrail-As-Of` the bound"),
        (status = 400, description = "Parameters are wrong: which, and where", body = inline(ProblemObject)),
        (status = 401, description = "A token is needed"),
        (status = 403, description = "The token has no scope `export`", body = inline(ProblemObject)),
        (status = 429, description = "Too many exports run", body = inline(ProblemObject)),
    ))]
pub(crate) async fn export(
    From(state): From<State>,
    principal: Principal,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    method: Method,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, ReadError> {
    if !principal.may_export {
        return Err(ReadError::Forbidden("export"));
    }
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return Err(ReadError::CrossSite);
    }
    let params = Params::parse(query.as_deref().unwrap_or_default(), &NAMES)?;
    let layout = Layout::of(&params, &Zone::utc(), state.settings().language.as_deref())?;
    let now = state.now();
    let filter = params.filter(principal.scope.clone(), now, &Zone::utc())?;
    let turn = state.exports().clone().try_acquire_owned().map_err(|_| ReadError::TooMany(10))?;
    let (filter, count) = state
        .ask_long(move |store| {
            let filter = Filter { upto: Some(store.newest()?), ..filter };
            let count = store.count(&filter, u64::MAX)?;
            Ok((filter, count.value))
        })
        .await?;
    let file = Exported { layout, count, at: rfc3339(now) };
    if method == Method::HEAD {
        return Ok((file.headers(), Body::empty()).into_response());
    }
    let source = own::source(peer, &headers);
    state.recorder().record(own::exported(&principal, &filter, &params, &file, now, source)).await?;
    let headers = file.headers();
    let body = stream::body(state, filter, params.order, file, turn);
    Ok((headers, body).into_response())
}

/// An export that is about to be sent.
pub(crate) struct Exported {
    pub(crate) layout: Layout,
    pub(crate) count: u64,
    pub(crate) at: String,
}

impl Exported {
    fn headers(&self) -> HeaderMap {
        let format = self.layout.format;
        let stamp: String =
            self.at.chars().take(19).filter(|letter| letter.is_ascii_digit() || *letter == 'T').collect();
        let name = format!("attachment; filename=\"audit-log-{stamp}Z.{}\"", format.word());
        let text = |text: &str| HeaderValue::from_str(text).expect("digits and letters");
        HeaderMap::from_iter([
            (header::CONTENT_TYPE, HeaderValue::from_static(format.media_type())),
            (header::CONTENT_DISPOSITION, text(&name)),
            (COUNT, HeaderValue::from(self.count)),
            (AS_OF, text(&self.at)),
        ])
    }
}
