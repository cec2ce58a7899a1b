//! Who signed in at the page: a random number in a cookie, the rest here.
//!
//! The cookie never holds the token. A session ends after twelve hours, at
//! sign-out, when its token is revoked, and with the process.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, header};
use jiff::{SignedDuration, Timestamp};

use super::access::{digest, random};

/// The cookie's name over HTTPS: browsers take it only with Secure, Path=/ and no Domain.
pub(crate) const SECURE: &str = "__Host-sidetrail";
/// Its name over HTTP on loopback.
pub(crate) const PLAIN: &str = "sidetrail";
/// A working day.
const LIFE: SignedDuration = SignedDuration::from_hours(12);
/// Beyond this the oldest session ends.
const MOST: usize = 10_000;

/// Every session, by the hash of its number.
pub(crate) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

struct Session {
    token: [u8; 32],
    until: Timestamp,
}

impl Sessions {
    pub(crate) fn new() -> Sessions {
        Sessions(Mutex::new(HashMap::new()))
    }

    /// Begins a session of a token and gives the cookie's value.
    pub(crate) fn begin(&self, token: [u8; 32], now: Timestamp) -> Result<String, getrandom::Error> {
        let number = random()?;
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.until > now);
        if sessions.len() >= MOST
            && let Some(oldest) = sessions.iter().min_by_key(|(_, session)| session.until).map(|(key, _)| *key)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(digest(&number), Session { token, until: now.saturating_add(LIFE).unwrap_or(now) });
        Ok(number)
    }

    /// The hash of the token that the session of the cookie `name` belongs to.
    pub(crate) fn token_of(&self, name: &str, headers: &HeaderMap, now: Timestamp) -> Option<[u8; 32]> {
        let key = digest(cookie(name, headers)?);
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(&key).filter(|session| session.until > now).map(|session| session.token)
    }

    /// Ends the session of the cookie `name`.
    pub(crate) fn end(&self, name: &str, headers: &HeaderMap) {
        if let Some(number) = cookie(name, headers) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&digest(number));
        }
    }
}

/// The cookie's value. Only the name that this connection would be given counts: over HTTPS a neighbouring host may
/// set the plain one, and with it a session of its own choice.
fn cookie<'a>(name: &str, headers: &'a HeaderMap) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())])
    }

    #[test]
    fn a_session_lasts_twelve_hours_or_until_it_is_ended() {
        let sessions = Sessions::new();
        let start: Timestamp = "2026-01-07T08:00:00Z".parse().unwrap();
        let number = sessions.begin([1; 32], start).unwrap();
        let with = headers(&format!("theme=dark; sidetrail={number}"));
        assert_eq!(sessions.token_of(PLAIN, &with, start), Some([1; 32]));
        assert_eq!(sessions.token_of(PLAIN, &headers("sidetrail=guess"), start), None);
        assert_eq!(sessions.token_of(PLAIN, &with, start + LIFE), None);
        sessions.end(PLAIN, &with);
        assert_eq!(sessions.token_of(PLAIN, &with, start), None);
    }

    #[test]
    fn sessions_are_bounded() {
        let sessions = Sessions::new();
        let start: Timestamp = "2026-01-07T08:00:00Z".parse().unwrap();
        for _ in 0..MOST + 5 {
            sessions.begin([1; 32], start).unwrap();
        }
        assert_eq!(sessions.0.lock().unwrap().len(), MOST);
    }
}
