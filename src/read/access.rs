//! Who may read what: a token becomes a [`Principal`], here and nowhere else.
//!
//! A token is 256 random bits, shown once; the store keeps only its SHA-256,
//! so a copy of the store opens nothing. As long as no token was ever made,
//! everything is open to whoever reaches the listener, which then is loopback
//! only. The first token closes it at once, also when another process makes it,
//! and for good: revoking the last one must not open the log.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::error::ReadError;
use super::session::Sessions;
use super::sign_in::{Failures, signed_in};
use super::state::State;
use crate::event::{Actor, ActorKind};
use crate::record::query::Scope;
use crate::record::{Right, Store, StoreError, Token};

/// What every token begins with, so that scanners for leaked secrets know it.
const PREFIX: &str = "st_";

/// Who asks, and what they may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Whose events they may see: the only source of a question's scope.
    pub scope: Scope,
    /// The token's name; `None` where everything is open.
    pub name: Option<Arc<str>>,
    /// Whether they may read events.
    pub may_read: bool,
    /// Whether they may take events away in a file.
    pub may_export: bool,
    /// Whether they may reload rules.
    pub may_admin: bool,
}

impl Principal {
    /// Whoever reaches a listener that is open.
    fn anybody() -> Principal {
        Principal { scope: Scope::All, name: None, may_read: true, may_export: true, may_admin: true }
    }

    fn of(token: &Token) -> Principal {
        let scope = token.workspaces.clone().map_or(Scope::All, Scope::Only);
        Principal {
            scope,
            name: Some(token.name.as_str().into()),
            may_read: token.rights.contains(&Right::Read),
            may_export: token.rights.contains(&Right::Export),
            may_admin: token.rights.contains(&Right::Admin),
        }
    }

    /// Whether nobody has to sign in.
    pub fn is_open(&self) -> bool {
        self.name.is_none()
    }

    /// How they are named in an event of their own.
    pub(crate) fn actor(&self) -> Actor {
        let kind = if self.is_open() { ActorKind::Anonymous } else { ActorKind::Token };
        Actor { kind, name: self.name.as_deref().map(str::to_owned), ..Actor::default() }
    }
}

/// A token that was just made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What its holder is given, once.
    pub text: String,
    /// What the store keeps.
    pub sha256: [u8; 32],
}

/// Makes a token from the system's randomness.
///
/// # Errors
/// When the system gives none.
pub fn new_token() -> Result<NewToken, getrandom::Error> {
    let text = format!("{PREFIX}{}", random()?);
    let sha256 = digest(&text);
    Ok(NewToken { text, sha256 })
}

/// 256 random bits as text.
pub(crate) fn random() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// SHA-256 of a secret's text. A fast hash is enough: nobody guesses 256 bits.
pub(crate) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// What sign-in remembers.
pub(crate) struct Access {
    pub(crate) sessions: Sessions,
    pub(crate) failures: Failures,
}

impl Access {
    pub(crate) fn new() -> Access {
        Access { sessions: Sessions::new(), failures: Failures::new() }
    }
}

/// Who asks: by bearer token, else by the cookie of a session, else anybody where no token exists.
///
/// # Errors
/// [`ReadError::SignedOut`] when a credential is needed, or the one given is not known any more.
pub(crate) async fn identify(state: &State, headers: &HeaderMap) -> Result<Principal, ReadError> {
    let now = state.now();
    let given = match bearer(headers)? {
        Some(token) => Some(digest(token)),
        None => signed_in(state, headers, now),
    };
    let found = state.ask(move |store| look_up(store, given.as_ref())).await?;
    found.ok_or(ReadError::SignedOut)
}

/// The principal of a living token's hash; anybody where no token was ever made.
pub(crate) fn look_up(store: &Store, given: Option<&[u8; 32]>) -> Result<Option<Principal>, StoreError> {
    match given {
        Some(sha256) => {
            let token = store.token_by_hash(sha256)?.filter(|token| token.revoked.is_none());
            Ok(token.as_ref().map(Principal::of))
        }
        None => Ok(is_open(store)?.then(Principal::anybody)),
    }
}

/// Whether nobody has to sign in.
pub(crate) fn is_open(store: &Store) -> Result<bool, StoreError> {
    Ok(!store.has_tokens()?)
}

/// The bearer token (RFC 6750 §2.1), where there is one.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ReadError> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let Some(first) = all.next() else { return Ok(None) };
    let text = first.to_str().map_err(|_| ReadError::SignedOut)?;
    let (scheme, token) = text.split_once(' ').ok_or(ReadError::SignedOut)?;
    let bearer = scheme.eq_ignore_ascii_case("bearer") && all.next().is_none();
    bearer.then_some(Some(token.trim())).ok_or(ReadError::SignedOut)
}

/// A principal who may change the rules: of all workspaces. Reading events is another right.
pub(crate) struct Admin(pub(crate) Principal);

impl FromRequestParts<State> for Admin {
    type Rejection = ReadError;

    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Admin, ReadError> {
        let principal = identify(state, &parts.headers).await?;
        if principal.may_admin && principal.scope == Scope::All {
            return Ok(Admin(principal));
        }
        Err(ReadError::Forbidden("admin for all workspaces"))
    }
}

impl FromRequestParts<State> for Principal {
    type Rejection = ReadError;

    /// A principal who may read.
    async fn from_request_parts(parts: &mut Parts, state: &State) -> Result<Principal, ReadError> {
        let principal = identify(state, &parts.headers).await?;
        if principal.may_read { Ok(principal) } else { Err(ReadError::Forbidden("read")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_long_new_and_kept_as_a_hash() {
        let (one, two) = (new_token().unwrap(), new_token().unwrap());
        assert!(one.text.starts_with("st_") && one.text.len() == 3 + 43, "{}", one.text.len());
        assert_ne!(one.text, two.text);
        assert_eq!(one.sha256, digest(&one.text));
    }

    #[test]
    fn only_one_bearer_token_is_read() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            bearer(&headers).map(|token| token.map(str::to_owned)).ok()
        };
        assert_eq!(of(&[]), Some(None));
        assert_eq!(of(&["Bearer st_a"]), Some(Some("st_a".to_owned())));
        assert_eq!(of(&["bearer st_a"]), Some(Some("st_a".to_owned())));
        assert_eq!(of(&["Basic YTpi"]), None);
        assert_eq!(of(&["Bearer st_a", "Bearer st_b"]), None);
    }
}
