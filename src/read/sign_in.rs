//! `/sign-in` and `/sign-out`: a token for a cookie.
//!
//! Over HTTPS (`public_url`) the cookie is `__Host-` and Secure; over HTTP it
//! exists on loopback only; elsewhere nobody signs in, and only bearer tokens
//! work. Each sign-in and each refused one is an event; whoever fails too
//! often waits, and those refusals are counted only.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, Form, RawQuery, State as From};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use serde_json::Map;

use super::access::{Principal, digest, look_up};
use super::error::ReadError;
use super::guard::{host_in, is_loopback};
use super::own::{Own, own, source};
use super::page::sign_in_page;
use super::query::Mistake;
use super::session::{PLAIN, SECURE};
use super::state::State;
use crate::event::{Actor, ActorKind, Outcome};

/// Sign-ins that may fail from one address in [`WINDOW`].
const FAILURES: u32 = 10;
/// From all addresses together: each failure is an event, and nobody may fill the log.
const ALL_FAILURES: u32 = 100;
const WINDOW: SignedDuration = SignedDuration::from_mins(5);

/// What the page of signing in shows.
pub(crate) struct SignIn {
    /// Where to go then: a path of this site.
    pub(crate) next: String,
    /// Why it did not work.
    pub(crate) wrong: Option<String>,
    /// Whether one can sign in over this connection at all.
    pub(crate) can_sign_in: bool,
}

/// The page of signing in.
#[utoipa::path(get, path = "/sign-in", tag = "page", params(("next" = Option<String>, Query, description = "Where to go then")),
    responses((status = 200, description = "A form", content_type = "text/html")))]
pub(crate) async fn form(From(state): From<State>, headers: HeaderMap, RawQuery(query): RawQuery) -> Response {
    let pairs = url::form_urlencoded::parse(query.as_deref().unwrap_or_default().as_bytes());
    let next = pairs.into_iter().find(|(name, _)| name == "next").map(|(_, value)| value.into_owned());
    let can_sign_in = cookie_for(&state, &headers).is_some();
    let wrong = (!can_sign_in).then(|| PLAIN_HTTP.to_owned());
    show(&state, StatusCode::OK, SignIn { next: local(next.as_deref()), wrong, can_sign_in })
}

const PLAIN_HTTP: &str = "Over plain HTTP nobody can sign in here: the cookie could be read on the way. Use HTTPS and \
                          set read.public_url, or send the token as a bearer token.";

/// What the form sends.
#[derive(serde::Deserialize, utoipa::ToSchema)]
pub(crate) struct Given {
    /// The token.
    token: String,
    /// Where to go then.
    #[serde(default)]
    next: String,
}

/// Signs in: a token for a cookie.
#[utoipa::path(post, path = "/sign-in", tag = "page",
    request_body(content = inline(Given), content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 303, description = "Signed in"),
        (status = 401, description = "No such token", content_type = "text/html"),
        (status = 403, description = "Over this connection nobody signs in", content_type = "text/html"),
        (status = 429, description = "Too many failures", body = inline(super::error::ProblemObject)),
    ))]
pub(crate) async fn sign_in(
    From(state): From<State>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    given: Result<Form<Given>, FormRejection>,
) -> Result<Response, ReadError> {
    let Form(given) = given.map_err(|_| vec![Mistake::new("token", "is missing from the form")])?;
    let next = local(Some(&given.next));
    let Some(cookie) = cookie_for(&state, &headers) else {
        let page = SignIn { next, wrong: Some(PLAIN_HTTP.to_owned()), can_sign_in: false };
        return Ok(show(&state, StatusCode::FORBIDDEN, page));
    };
    let now = state.now();
    let sha256 = digest(given.token.trim());
    let Some(principal) = state.ask(move |store| look_up(store, Some(&sha256))).await? else {
        state.metrics().refused_sign_ins.inc();
        // Only who fails waits: behind a proxy all readers share one address.
        if let Some(seconds) = state.access().failures.wait(peer.ip(), now) {
            return Err(ReadError::TooMany(seconds));
        }
        state.access().failures.note(peer.ip(), now);
        record(&state, None, source(peer, &headers), now).await?;
        let page = SignIn { next, wrong: Some("No such token, or it was revoked.".to_owned()), can_sign_in: true };
        return Ok(show(&state, StatusCode::UNAUTHORIZED, page));
    };
    record(&state, Some(&principal), source(peer, &headers), now).await?;
    let number = state.access().sessions.begin(sha256, now).map_err(|_| ReadError::Broken)?;
    Ok(go(&next, &cookie.with(&number)))
}

/// Signs out.
#[utoipa::path(post, path = "/sign-out", tag = "page", responses((status = 303, description = "Signed out")))]
pub(crate) async fn sign_out(From(state): From<State>, headers: HeaderMap) -> Response {
    let Some(cookie) = cookie_for(&state, &headers) else { return go("/sign-in", "") };
    state.access().sessions.end(cookie.name(), &headers);
    go("/sign-in", &cookie.ended())
}

async fn record(
    state: &State,
    principal: Option<&Principal>,
    source: crate::event::Source,
    now: Timestamp,
) -> Result<(), ReadError> {
    let facts = match principal {
        Some(principal) => Own {
            action: "reader.signed_in",
            title: "sign in to the audit log",
            message: "Signed in to the audit log".to_owned(),
            outcome: Outcome::Success,
            actor: principal.actor(),
            details: Map::new(),
        },
        None => Own {
            action: "reader.sign_in_refused",
            title: "sign in to the audit log",
            message: "Failed to sign in to the audit log".to_owned(),
            outcome: Outcome::Denied,
            actor: Actor { kind: ActorKind::Anonymous, ..Actor::default() },
            details: Map::new(),
        },
    };
    Ok(state.recorder().record(vec![own(facts, None, now, source)]).await?)
}

/// A path of this site; `/` for anything else, so that nobody is sent away from here.
fn local(next: Option<&str>) -> String {
    let next = next.unwrap_or_default();
    let own = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t']);
    if own && next.bytes().all(|byte| byte.is_ascii_graphic()) { next.to_owned() } else { "/".to_owned() }
}

/// The sort of cookie that this connection may have.
#[derive(Clone, Copy)]
struct Cookie {
    secure: bool,
}

impl Cookie {
    fn name(self) -> &'static str {
        if self.secure { SECURE } else { PLAIN }
    }

    fn with(self, number: &str) -> String {
        // Over HTTPS a link from a chat should open the page; nothing that changes anything is asked by GET.
        let more = if self.secure { "; Secure; SameSite=Lax" } else { "; SameSite=Strict" };
        let name = self.name();
        format!("{name}={number}; Path=/; HttpOnly{more}; Max-Age=43200")
    }

    fn ended(self) -> String {
        self.with("").replace("Max-Age=43200", "Max-Age=0")
    }
}

/// The token of whoever signed in over a connection like this one.
pub(crate) fn signed_in(state: &State, headers: &HeaderMap, now: Timestamp) -> Option<[u8; 32]> {
    state.access().sessions.token_of(cookie_for(state, headers)?.name(), headers, now)
}

fn cookie_for(state: &State, headers: &HeaderMap) -> Option<Cookie> {
    let host = host_in(headers)?;
    let public = state.settings().public_url.as_ref().filter(|url| url.host().eq_ignore_ascii_case(host));
    match public {
        Some(url) if url.is_https() => Some(Cookie { secure: true }),
        _ => is_loopback(host).then_some(Cookie { secure: false }),
    }
}

fn go(to: &str, cookie: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    for (name, value) in [(header::LOCATION, to), (header::SET_COOKIE, cookie)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn show(state: &State, status: StatusCode, page: SignIn) -> Response {
    (status, Html(sign_in_page(state, page.wrong.as_deref(), page.can_sign_in, &page.next))).into_response()
}

/// Sign-ins that failed lately.
pub(crate) struct Failures(Mutex<HashMap<IpAddr, (Timestamp, u32)>>);

impl Failures {
    pub(crate) fn new() -> Failures {
        Failures(Mutex::new(HashMap::new()))
    }

    /// How many seconds an address has to wait.
    fn wait(&self, from: IpAddr, now: Timestamp) -> Option<u32> {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|_, (since, _)| now.duration_since(*since) < WINDOW);
        let all: u32 = failures.values().map(|(_, count)| *count).sum();
        let here = failures.get(&from).filter(|(_, count)| *count >= FAILURES);
        let since = here.map(|(since, _)| *since);
        let since =
            since.or_else(|| (all >= ALL_FAILURES).then(|| failures.values().map(|(since, _)| *since).min())?);
        let left = WINDOW.checked_sub(now.duration_since(since?))?;
        u32::try_from(left.as_secs()).ok().map(|seconds| seconds.max(1))
    }

    fn note(&self, from: IpAddr, now: Timestamp) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.entry(from).or_insert((now, 0)).1 += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for good in ["/", "/?user=cosimo", "/events/019b9a3e"] {
            assert_eq!(local(Some(good)), good);
        }
        for bad in ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nSet-Cookie: b", "evil"] {
            assert_eq!(local(Some(bad)), "/", "{bad:?}");
        }
    }

    #[test]
    fn whoever_fails_too_often_waits_and_others_do_not() {
        let (one, other) = (IpAddr::from([203, 0, 113, 7]), IpAddr::from([203, 0, 113, 8]));
        let start: Timestamp = "2026-01-07T08:00:00Z".parse().unwrap();
        let failures = Failures::new();
        for _ in 0..FAILURES {
            assert_eq!(failures.wait(one, start), None);
            failures.note(one, start);
        }
        assert_eq!(failures.wait(one, start), Some(300));
        assert_eq!(failures.wait(other, start), None);
        assert_eq!(failures.wait(one, start + WINDOW), None);
    }
}
