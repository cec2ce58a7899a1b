//! What holds for every answer: security headers, the host's name, the site that asks.

use std::net::IpAddr;

use axum::extract::{Request, State as From};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::is_open;
use super::error::ReadError;
use super::state::State;

/// Nothing but our own files; no frames, no foreign forms, no inline script or style.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What everything is sent with.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// Refuses what a browser was tricked into, and puts the security headers on every answer.
pub(crate) async fn guard(From(state): From<State>, request: Request, next: Next) -> Response {
    let refused = if is_forged(&state, &request) {
        Some(ReadError::CrossSite)
    } else if is_own_name(&state, &request) {
        None
    } else {
        // A name that leads here by a trick is no danger where a token is needed.
        match state.ask(is_open).await {
            Ok(open) => open.then_some(ReadError::Misdirected),
            Err(error) => Some(error),
        }
    };
    let mut response = match refused {
        Some(error) => error.into_response(),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Only what never changes (the page's own files) says how long it may be kept.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Whether a browser sends what changes something here, led by another site.
fn is_forged(state: &State, request: &Request) -> bool {
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);
    !reading && is_cross_site(state, request.headers())
}

/// Whether the `Host` is one by which this listener is meant: loopback or `public_url`. Probes ask by address.
fn is_own_name(state: &State, request: &Request) -> bool {
    if matches!(request.uri().path(), "/livez" | "/readyz") {
        return true;
    }
    let Some(host) = host_in(request.headers()) else { return false };
    is_loopback(host) || state.settings().public_url.as_ref().is_some_and(|url| url.host().eq_ignore_ascii_case(host))
}

/// Whether a host is this machine's own loopback, as browsers write it.
pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The host in a `Host` header, without the port; none when there are several.
pub(crate) fn host_in(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::HOST).iter();
    let only = all.next().filter(|_| all.next().is_none())?.to_str().ok()?;
    match only.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(host),
        _ => Some(only),
    }
}

/// Whether a browser says that another site sent this. Programs send neither header and are let through:
/// they carry their token themselves.
fn is_cross_site(state: &State, headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let Ok(origin) = origin.to_str() else { return true };
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let own = state.settings().public_url.as_ref().is_some_and(|url| url.origin() == origin);
    !own && origin != format!("http://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_known_in_every_spelling_and_nothing_else() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.0.0.2", "[::1]", "::1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.evil.com", "evil.com", "127.0.0.1.nip.io", "0.0.0.0", "10.0.0.1", "", "[]"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn the_port_is_no_part_of_the_host() {
        let of = |host: &str| {
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            host_in(&headers).map(str::to_owned)
        };
        assert_eq!(of("localhost:8081").as_deref(), Some("localhost"));
        assert_eq!(of("[::1]:8081").as_deref(), Some("[::1]"));
        assert_eq!(of("[::1]").as_deref(), Some("[::1]"));
    }
}
