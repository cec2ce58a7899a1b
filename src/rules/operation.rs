//! One thing that an exchange did: a REST request, or one call of a
//! GraphQL or JSON-RPC endpoint. Rules know nothing else.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use minijinja::Value;
use minijinja::value::Serde;

use super::Caller;
use super::body::{self, Content, pairs, table};
use super::entry::Asks;
use super::method::{self, Override, STOOD_FOR};
use super::path::Template;
use super::scope::{Facts, Frame, Known};
use crate::event::Outcome;
use crate::exchange::{End, Exchange, Headers, Request};

/// An exchange with its bodies read.
pub(crate) struct Whole<'a> {
    pub(crate) exchange: &'a Exchange,
    pub(crate) caller: &'a Caller,
    pub(crate) request: Content,
    pub(crate) response: Content,
    pub(crate) outcome: Outcome,
    /// The method that it stands for, where the platform honours that.
    pub(crate) stood_for: Option<usize>,
    /// When it ended.
    pub(crate) finished: jiff::Timestamp,
}

/// One operation of it.
pub(crate) struct Operation {
    pub(crate) facts: Arc<Facts>,
    /// What an expression sees that is not about one element.
    pub(crate) frame: Arc<Frame>,
    pub(crate) outcome: Outcome,
    /// The method; for a mutation `PATCH`: what is not sent stays.
    pub(crate) method: Cow<'static, str>,
    pub(crate) is_form: bool,
    pub(crate) input_unreadable: Option<String>,
    pub(crate) output_unreadable: Option<String>,
}

impl Operation {
    /// Whether it teaches: a success that the platform itself reported.
    pub(crate) fn teaches(&self) -> bool {
        self.outcome == Outcome::Success
    }
}

/// How an exchange ended, by its status (RFC 9110 section 15).
pub(crate) fn outcome(exchange: &Exchange) -> Outcome {
    match (exchange.end, &exchange.response) {
        (End::NeverSent, _) => Outcome::Failure,
        (End::Unanswered, _) | (End::Complete, None) => Outcome::Unknown,
        (End::Complete, Some(response)) => match response.status {
            // Said again of what was done before, or not done at all: no second success.
            304 | 409 | 412 => Outcome::Failure,
            101 | 200..=399 => Outcome::Success,
            401 | 403 => Outcome::Denied,
            _ => Outcome::Failure,
        },
    }
}

impl<'a> Whole<'a> {
    /// Reads the bodies of an exchange, once.
    pub(crate) fn read(exchange: &'a Exchange, caller: &'a Caller) -> Whole<'a> {
        let request = body::read(&exchange.request.body, &exchange.request.headers, "request");
        let response =
            exchange.response.as_ref().map(|response| body::read(&response.body, &response.headers, "response"));
        let outcome = outcome(exchange);
        let finished = exchange.finished();
        Whole { exchange, caller, request, response: response.unwrap_or_default(), outcome, stood_for: None, finished }
    }

    /// Finds the method that it stands for, now that its body is read.
    pub(crate) fn stands_for(&mut self, overrides: &[Override]) {
        if !overrides.is_empty() {
            let form = self.request.is_form.then_some(&self.request.value);
            self.stood_for = method::stood_for(overrides, &self.exchange.request, form);
        }
    }

    /// The exchange as one operation at a place; `None` if the path does not fit it after all.
    pub(crate) fn operation(&self, template: &Template, asks: Asks) -> Option<Operation> {
        let values = template.captures(self.exchange.request.path())?;
        let path = template.names.iter().zip(&values).map(|(name, value)| (&**name, Value::from(&**value)));
        let mut facts = self.facts(path.collect(), asks);
        facts.input = self.request.value.clone();
        facts.uploads = self.request.uploads.clone();
        match self.outcome {
            Outcome::Success => facts.output = self.response.value.clone(),
            _ => facts.error = self.response.value.clone(),
        }
        let facts = Arc::new(facts);
        Some(Operation {
            frame: Arc::new(Frame::of(Arc::clone(&facts))),
            facts,
            outcome: self.outcome,
            method: match self.stood_for.and_then(|at| STOOD_FOR.get(at)) {
                Some(method) => Cow::Borrowed(method),
                None => known_method(&self.exchange.request.method),
            },
            is_form: self.request.is_form,
            input_unreadable: self.request.unreadable.clone(),
            output_unreadable: self.response.unreadable.clone(),
        })
    }

    /// The pairs of the address.
    pub(crate) fn query(&self) -> Value {
        query_of(&self.exchange.request)
    }

    /// What is the same for every operation; only what is asked for is put together.
    pub(crate) fn facts(&self, path: Vec<(&str, Value)>, asks: Asks) -> Facts {
        let request = &self.exchange.request;
        let response = self.exchange.response.as_ref();
        let mut facts = Facts { path: table(path), ..Facts::default() };
        if let Some(response) = response {
            facts.status = Value::from(response.status);
        }
        if asks.query {
            facts.query = query_of(request);
        }
        if asks.header {
            facts.header = header_table(&request.headers);
        }
        if let Some(response) = response.filter(|_| asks.reply) {
            let cookies = cookies(response.headers.all("set-cookie"));
            facts.reply = table(vec![("header", header_table(&response.headers)), ("cookie", cookies)]);
        }
        if asks.claim && !self.caller.claims.is_null() {
            facts.claim = Value::from(Serde(&self.caller.claims));
        }
        if asks.actor {
            facts.actor = self.actor();
        }
        facts
    }

    fn actor(&self) -> Value {
        let actor = &self.caller.actor;
        let email = actor.email.as_deref().map(Value::from).unwrap_or_default();
        Value::from_object(Known {
            kind: "actor".into(),
            id: actor.id.clone(),
            name: actor.label().map(str::to_owned),
            shown: table(vec![("email", email)]),
            ..Known::default()
        })
    }
}

/// A method; the usual ones need no memory of their own.
fn known_method(method: &str) -> Cow<'static, str> {
    let usual = ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().find(|usual| *usual == method);
    usual.map_or_else(|| Cow::Owned(method.to_owned()), Cow::Borrowed)
}

pub(crate) fn query_of(request: &Request) -> Value {
    pairs(url::form_urlencoded::parse(request.query().unwrap_or("").as_bytes()))
}

/// Fields by their lower-case names; one that comes again is joined by commas (RFC 9110 section 5.3).
fn header_table(headers: &Headers) -> Value {
    let mut names: Vec<(String, String)> = Vec::new();
    for (name, value) in headers.iter() {
        let (Ok(name), Ok(value)) = (std::str::from_utf8(name), std::str::from_utf8(value)) else { continue };
        let name = name.to_ascii_lowercase();
        match names.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => {
                known.push_str(", ");
                known.push_str(value);
            }
            None => names.push((name, value.to_owned())),
        }
    }
    table(names.iter().map(|(name, value)| (name.as_str(), Value::from(value.as_str()))).collect())
}

/// Cookies by name, from `Set-Cookie` or `Cookie` fields (RFC 6265).
fn cookies<'a>(fields: impl Iterator<Item = &'a str>) -> Value {
    let pairs: Vec<(&str, Value)> = fields
        .filter_map(|field| field.split(';').next()?.split_once('='))
        .map(|(name, value)| (name.trim(), Value::from(value.trim().trim_matches('"'))))
        .collect();
    table(pairs)
}

/// What `[identity].credential` can ask for beside the request's own names: `bearer` and `cookie`.
pub(crate) fn credential_facts(request: &Request, asks: &dyn Fn(&str) -> bool) -> (Facts, Vec<(Arc<str>, Value)>) {
    let (mut facts, mut lets) = (Facts::default(), Vec::new());
    if asks("bearer") {
        let authorization = request.headers.first("authorization").unwrap_or("");
        let bearer = authorization.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let bearer = bearer.map(|(_, token)| Value::from(token.trim())).filter(|token| token.is_true());
        lets.push((Arc::clone(&BEARER), bearer.unwrap_or_default()));
    }
    if asks("cookie") {
        let cookies = cookies(request.headers.all("cookie").flat_map(|field| field.split(';')));
        lets.push((Arc::clone(&COOKIE), cookies));
    }
    if asks("query") {
        facts.query = query_of(request);
    }
    if asks("header") {
        facts.header = header_table(&request.headers);
    }
    if asks("input") {
        facts.input = body::read(&request.body, &request.headers, "request").value;
    }
    (facts, lets)
}

static BEARER: LazyLock<Arc<str>> = LazyLock::new(|| "bearer".into());
static COOKIE: LazyLock<Arc<str>> = LazyLock::new(|| "cookie".into());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Body, Response};

    fn ended(end: End, status: Option<u16>) -> Outcome {
        let request = Request {
            method: "POST".to_owned(),
            target: "/".to_owned(),
            headers: Headers::default(),
            body: Body::default(),
            peer: None,
            client: None,
            peer_is_trusted: false,
        };
        let response = status.map(|status| Response { status, headers: Headers::default(), body: Body::default() });
        let started = jiff::Timestamp::UNIX_EPOCH;
        outcome(&Exchange {
            id: uuid::Uuid::nil(),
            started,
            duration: std::time::Duration::ZERO,
            request,
            response,
            end,
        })
    }

    #[test]
    fn an_exchange_ends_by_its_status_only_if_the_whole_answer_came() {
        for (status, outcome) in [
            (200, Outcome::Success),
            (302, Outcome::Success),
            (101, Outcome::Success),
            (304, Outcome::Failure),
            (409, Outcome::Failure),
            (412, Outcome::Failure),
            (401, Outcome::Denied),
            (403, Outcome::Denied),
            (422, Outcome::Failure),
            (500, Outcome::Failure),
        ] {
            assert_eq!(ended(End::Complete, Some(status)), outcome, "{status}");
        }
        assert_eq!(ended(End::NeverSent, None), Outcome::Failure);
        assert_eq!(ended(End::Unanswered, Some(200)), Outcome::Unknown);
    }
}
