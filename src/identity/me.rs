//! The platform's own answer to "who am I": one call with the caller's credential.

use std::time::Duration;

use bytes::Bytes;
use jiff::SignedDuration;
use serde_json::Value;

use super::fields::person;
use super::settings::{Fields, Me, SettingsError};
use crate::event::Actor;
use crate::exchange::{Headers, Request};
use crate::outgoing::{Answer, Get, Outgoing, check_address};

/// Asks the platform who a credential belongs to.
pub(super) struct Asker {
    outgoing: Outgoing,
    url: String,
    path: String,
    forward: Vec<String>,
    fields: Fields,
    timeout: Duration,
    cap: usize,
    pub(super) believed: SignedDuration,
    pub(super) doubted: SignedDuration,
}

/// The whole address that is asked.
pub(super) fn address_of(settings: &Me, upstream: &str) -> Result<String, SettingsError> {
    if !settings.path.starts_with('/') {
        return Err(SettingsError::MePath(settings.path.clone()));
    }
    let url = format!("{}{}", upstream.trim_end_matches('/'), settings.path);
    check_address(&url).map_err(SettingsError::Address)?;
    Ok(url)
}

impl Asker {
    pub(super) fn new(settings: &Me, upstream: &str, outgoing: Outgoing) -> Result<Asker, SettingsError> {
        Ok(Asker {
            outgoing,
            url: address_of(settings, upstream)?,
            path: settings.path.clone(),
            forward: settings.forward.clone(),
            fields: settings.fields.clone(),
            timeout: Duration::from_millis(u64::from(settings.timeout_ms)),
            cap: settings.answer_bytes,
            believed: SignedDuration::from_secs(i64::from(settings.cache_seconds)),
            doubted: SignedDuration::from_secs(i64::from(settings.negative_seconds)),
        })
    }

    /// Starts the call; the future reads the answer: a person, or why there is none.
    pub(super) fn ask(
        &self,
        request: &Request,
        credential: &str,
    ) -> impl Future<Output = Result<Actor, String>> + Send + use<> {
        let get = |headers| Get { url: self.url.clone(), headers, timeout: self.timeout, cap: self.cap };
        let call = self.headers(request, credential).map(|headers| self.outgoing.get(get(headers)));
        let (path, fields) = (self.path.clone(), self.fields.clone());
        async move {
            let Some(call) = call else {
                return Err(format!("no header that may go to the platform's `{path}` holds the credential"));
            };
            let answer = call.await.map_err(|error| format!("the platform's `{path}` gave {error}"))?;
            read(&answer, &fields).map_err(|why| format!("the platform's `{path}` {why}"))
        }
    }

    /// The caller's headers that go along: only those that hold the credential, so that the answer is about it and
    /// not about a second credential beside it. None where it stands elsewhere (in the query, in a field that is not
    /// listed): an answer would say whose something else is.
    fn headers(&self, request: &Request, credential: &str) -> Option<Headers> {
        let listed =
            |(name, _): &(&[u8], &[u8])| self.forward.iter().any(|listed| listed.as_bytes().eq_ignore_ascii_case(name));
        let holds = |(_, value): &(&[u8], &[u8])| memchr::memmem::find(value, credential.as_bytes()).is_some();
        let mut headers: Headers = (request.headers.iter().filter(listed).filter(holds))
            .map(|(name, value)| (Bytes::copy_from_slice(name), Bytes::copy_from_slice(value)))
            .collect();
        headers.iter().next()?;
        headers.push("accept", "application/json");
        Some(headers)
    }
}

fn read(answer: &Answer, fields: &Fields) -> Result<Actor, String> {
    if answer.status != 200 {
        return Err(format!("answered {}", answer.status));
    }
    let object: Value = serde_json::from_slice(&answer.body).map_err(|_| "answered no JSON".to_owned())?;
    person(&object, fields).ok_or_else(|| "named nobody".to_owned())
}
