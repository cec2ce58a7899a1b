//! The page that people read the log on: server-rendered, complete without a script.
//!
//! All state is in the URL; what a reader prefers (rows, columns, chart) is
//! also remembered in a cookie. Every word from outside is escaped by the
//! templates. The store is asked on threads that may block, never more than
//! the page shows.

mod assets;
mod chart;
mod coverage;
mod desk;
mod detail;
mod empty;
mod event;
mod families;
mod filters;
mod format;
mod frame;
mod list;
mod looks;
mod mistake;
mod notice;
mod person;
mod range;
mod rows;
mod sentence;
mod status;

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{Path, RawQuery, State as From};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use uuid::Uuid;

use super::access::{Principal, identify};
use super::query::{Mistake, Params};
use super::{ReadError, State};
use desk::{Desk, PAGE_NAMES};
use families::Families;
use looks::Looks;

pub(crate) use notice::sign_in_page;

/// The header by which the script asks for the panel alone.
const PANEL: &str = "x-sidetrail-panel";
/// How long choices are remembered: a year.
const REMEMBERED: u32 = 31_536_000;

/// `/`, `/events/{id}`, `/coverage` and the files they need.
pub(crate) fn router() -> Router<State> {
    Router::new()
        .route("/", get(show_list))
        .route("/events/{id}", get(show_event))
        .route("/coverage", get(show_coverage))
        .route("/assets/{name}", get(assets::asset))
}

async fn show_list(From(state): From<State>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let principal = match reader(&state, &headers, query.as_deref(), "/").await {
        Ok(principal) => principal,
        Err(answer) => return answer,
    };
    let (desk, mistakes) = desk(&state, query.as_deref(), &headers);
    if mistakes.is_empty()
        && let Some(better) = filters::canonical(&desk.params, query.as_deref().unwrap_or_default(), &desk.home)
    {
        return Redirect::to(&better).into_response();
    }
    let says_looks =
        desk.params.limit.is_some() || ["show", "chart"].iter().any(|name| desk.params.extra(name).is_some());
    let cookie = says_looks.then(|| desk.looks.cookie());
    let mut answer = shown(&state, list::list_page(&state, &principal, desk, mistakes).await);
    if let Some(cookie) = cookie
        && let Ok(value) = HeaderValue::from_str(&format!(
            "{}={cookie}; Path=/; Max-Age={REMEMBERED}; SameSite=Lax; HttpOnly",
            looks::COOKIE
        ))
    {
        answer.headers_mut().append(header::SET_COOKIE, value);
    }
    answer
}

async fn show_event(
    From(state): From<State>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let principal = match reader(&state, &headers, query.as_deref(), &format!("/events/{id}")).await {
        Ok(principal) => principal,
        Err(answer) => return answer,
    };
    let (desk, mistakes) = desk(&state, query.as_deref(), &headers);
    let page = match id.parse::<Uuid>() {
        _ if !mistakes.is_empty() => Err(ReadError::Parameters(mistakes)),
        Ok(id) => event::event_page(&state, &principal, &desk, id, headers.contains_key(PANEL)).await,
        Err(_) => Err(ReadError::NotFound),
    };
    let mut answer = shown(&state, page);
    answer.headers_mut().insert(header::VARY, HeaderValue::from_static(PANEL));
    answer
}

async fn show_coverage(From(state): From<State>, headers: HeaderMap) -> Response {
    let principal = match signed_in(&state, &headers, None, "/coverage").await {
        Ok(principal) => principal,
        Err(answer) => return answer,
    };
    if state.rulebook().is_none() {
        return ReadError::NotFound.into_response();
    }
    let (desk, _) = desk(&state, None, &headers);
    shown(&state, coverage::coverage_page(&state, &principal, &desk).await)
}

/// Who asks, if they may read events.
async fn reader(state: &State, headers: &HeaderMap, query: Option<&str>, path: &str) -> Result<Principal, Response> {
    let principal = signed_in(state, headers, query, path).await?;
    if principal.may_read { Ok(principal) } else { Err(shown(state, Err(ReadError::Forbidden("read")))) }
}

/// Who asks; whoever has to sign in first is led there and back.
async fn signed_in(state: &State, headers: &HeaderMap, query: Option<&str>, path: &str) -> Result<Principal, Response> {
    match identify(state, headers).await {
        Ok(principal) => Ok(principal),
        Err(ReadError::SignedOut) => {
            let here = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
            let next = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &here).finish();
            Err(Redirect::to(&format!("/sign-in?{next}")).into_response())
        }
        Err(error) => Err(shown(state, Err(error))),
    }
}

/// The question of an address, and what is wrong with it.
fn desk(state: &State, query: Option<&str>, headers: &HeaderMap) -> (Desk, Vec<Mistake>) {
    let (params, mut mistakes) = Params::read(query.unwrap_or_default(), &PAGE_NAMES);
    if params.limit.is_some_and(|rows| !looks::ROWS.contains(&rows)) {
        mistakes.push(Mistake::new("limit", "is 25, 50, 100 or 200: the rows of a page"));
    }
    for name in ["from", "to"] {
        if params.extra(name).is_some_and(|day| day.parse::<jiff::civil::Date>().is_err()) {
            mistakes.push(Mistake::new(name, "is no day: write 2026-01-07"));
        }
    }
    let home = state.settings().zone.clone();
    let rules = state.rules();
    let desk = Desk {
        zone: params.tz.clone().unwrap_or_else(|| home.clone()),
        home,
        language: state.settings().language.clone(),
        now: state.now(),
        since: None,
        until: None,
        gone: BTreeSet::new(),
        families: Families::new(rules.actions.iter().map(|action| action.category.as_str())),
        looks: Looks::of(&params, cookie(headers)),
        params,
    };
    (desk, mistakes)
}

/// What the looks cookie says.
fn cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == looks::COOKIE).map(|(_, value)| value)
}

/// A page, or why there is none.
fn shown(state: &State, page: Result<String, ReadError>) -> Response {
    match page {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            let status = error.status();
            if status.is_server_error() {
                tracing::warn!(error = &error as &dyn std::error::Error, "a page cannot be shown");
            }
            (status, Html(notice::notice(state, &error))).into_response()
        }
    }
}
