//! The tests that stand inside rule files, run through the same code as traffic.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use minijinja::Value;
use minijinja::value::Serde;
use regex::Regex;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::entry::Place;
use super::ready::Action;
use super::things::name_of;
use super::written::{Fetched, SentBody, Step, Test};
use super::{Caller, Derived, Found, RuleSet};
use crate::event::{Actor, ActorKind, Change, Event};
use crate::exchange::{Body, End, Exchange, Headers, Part, Request, Response, Seen};
use crate::memory::{Key, Lesson, Memory};
use crate::problem::{Place as FilePlace, Problem};

/// A look-up that takes longer is given up, in tests as in `serve`.
const LOOKUP_BUDGET_MS: u64 = 300;

/// One test and how it went.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// The action below which it stands, and its number there, from 1: `document.replaced #1`.
    pub name: String,
    /// Where it stands.
    pub place: FilePlace,
    /// What was expected and did not come, and what came unexpected. Empty: it passed.
    pub differences: Vec<Difference>,
}

/// An expectation that no event met, or an event that nobody expected.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// No event meets this; beside it the nearest event's values of the same keys.
    Missing {
        /// As written in the test.
        expected: Json,
        /// The event that is nearest, if there is one.
        nearest: Option<Json>,
    },
    /// Nothing in the test expects this event.
    Unexpected(Json),
    /// The set has no rule for what the test sends.
    NoRule(String),
}

impl CaseResult {
    /// Whether all events came as expected, and no other.
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }

    /// The failure as a problem at the test's place.
    pub fn to_problem(&self) -> Option<Problem> {
        let differences: Vec<String> = self.differences.iter().map(ToString::to_string).collect();
        (!self.passed()).then(|| {
            Problem::error("test-failed", format!("the test `{}` is not met", self.name))
                .at(&self.place.file, self.place.span.clone())
                .help(differences.join("\n"))
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Missing { expected, nearest: None } => write!(f, "- {expected}"),
            Difference::Missing { expected, nearest: Some(nearest) } => write!(f, "- {expected}\n+ {nearest}"),
            Difference::Unexpected(event) => write!(f, "+ {event}"),
            Difference::NoRule(sent) => write!(f, "no rule and no kind stands at `{sent}`"),
        }
    }
}

/// Runs the tests of the actions whose name (`document.replaced #1`) fits.
pub(crate) fn run(set: &RuleSet, filter: Option<&Regex>) -> Vec<CaseResult> {
    let mut results = Vec::new();
    for action in &set.ready.actions {
        for (number, test) in action.tests.iter().enumerate() {
            let name = format!("{} #{}", action.key, number + 1);
            if filter.is_none_or(|filter| filter.is_match(&name)) {
                results.push(run_one(set, action, test, name));
            }
        }
    }
    results
}

/// What each test's own exchange is told as, in its order.
#[cfg(test)]
pub(crate) fn told(set: &RuleSet) -> std::collections::BTreeMap<String, Vec<String>> {
    let mut told = std::collections::BTreeMap::new();
    for action in &set.ready.actions {
        for (number, test) in action.tests.iter().enumerate() {
            let mut world = World { set, memory: Memory::new(10_000), seen: Vec::new(), clock: 0 };
            world.give(test);
            for step in &test.first {
                world.exchange(step, None);
            }
            let derived = world.exchange(&test.step, test.fetched.as_ref()).unwrap_or_default();
            let events = derived.events.iter().map(|event| {
                let targets = event.targets.iter().map(|target| target.id.clone()).collect::<Vec<_>>();
                format!("{} {} {:?} {targets:?}", event.action, event.message.text, event.outcome)
            });
            told.insert(format!("{} #{}", action.key, number + 1), events.collect());
        }
    }
    told
}

fn run_one(set: &RuleSet, action: &Action, test: &Test, name: String) -> CaseResult {
    let place = FilePlace { file: Arc::clone(&action.source), span: first_line(action, test) };
    let mut world = World { set, memory: Memory::new(10_000), seen: Vec::new(), clock: 0 };
    world.give(test);
    for step in &test.first {
        world.exchange(step, None);
    }
    let differences = match world.exchange(&test.step, test.fetched.as_ref()) {
        None if test.expect.is_empty() => Vec::new(),
        None => vec![Difference::NoRule(format!("{} {}", test.step.method, test.step.target))],
        Some(derived) => compare(&test.expect, &derived.events),
    };
    CaseResult { name, place, differences }
}

/// A test's span may reach over many lines; its heading says where it is.
fn first_line(action: &Action, test: &Test) -> std::ops::Range<usize> {
    let text = action.source.text.get(test.at.clone()).unwrap_or("");
    test.at.start..test.at.start + text.find('\n').unwrap_or(text.len())
}

/// What a test lives in: a memory and the people whom sign-ins named.
struct World<'a> {
    set: &'a RuleSet,
    memory: Memory,
    seen: Vec<(String, Actor)>,
    clock: i64,
}

impl World<'_> {
    /// Fills memory with what the test gives.
    fn give(&mut self, test: &Test) {
        let workspace = test.workspace.clone().or_else(|| self.workspace_of(&test.step)).unwrap_or_default();
        let ready = &self.set.ready;
        let mut lessons = Vec::new();
        for (kind, id, state) in &test.given {
            // Of a kind that stands for many, the type stands behind a slash: `item/apples`.
            let named = kind.split('/').next().and_then(|name| ready.kind_named.get(name));
            let Some(known) = named.and_then(|kind| ready.kinds.get(*kind)) else { continue };
            let key_workspace = if known.is_workspace() { id.as_str() } else { workspace.as_str() };
            let key = Key { workspace: key_workspace.into(), kind: kind.as_str().into(), id: id.as_str().into() };
            let (name, fields) = match state {
                Json::Object(fields) => {
                    let object = Value::from(Serde(state));
                    let name = name_of(&known.names, &object, &Arc::default());
                    (name.or_else(|| fields.get("name").and_then(Json::as_str).map(str::to_owned)), fields.clone())
                }
                Json::String(name) => (Some(name.clone()), serde_json::Map::new()),
                other => (Some(other.to_string()), serde_json::Map::new()),
            };
            lessons.push(Lesson { key, name, fields, gone: false, seen: Timestamp::UNIX_EPOCH });
        }
        self.memory.learn(lessons);
    }

    /// The value of `{workspace}` in the address that the test sends to.
    fn workspace_of(&self, step: &Step) -> Option<String> {
        let found = self.set.find(&step.method, &step.target)?;
        let path = step.target.split('?').next()?;
        let entries = found
            .spots()
            .flat_map(|spot| [spot.rules, spot.watch])
            .flatten()
            .filter_map(|at| self.set.ready.entries.get(at));
        let of_rules = entries.flat_map(|entry| {
            let rules = entry.rules.iter().filter_map(|bound| match &*bound.place {
                Place::Path(template) => Some(template),
                Place::Call(_) => None,
            });
            rules.chain(entry.teachers.iter().map(|teacher| &teacher.template))
        });
        of_rules
            .filter_map(|template| {
                let at = template.names.iter().position(|name| &**name == "workspace")?;
                template.captures(path)?.into_iter().nth(at).map(Cow::into_owned)
            })
            .next()
    }

    /// One exchange, from the look-ups to what memory learns.
    fn exchange(&mut self, step: &Step, fetched: Option<&Fetched>) -> Option<Derived> {
        self.clock += step.after.map_or(1, |after| after.as_secs());
        let found = self.set.find(&step.method, &step.target)?;
        let exchange = exchange_of(step, self.clock);
        let lessons = self.look_up(found, &exchange, fetched);
        let caller = self.caller(step, &exchange.request);
        let mut derived = self.set.derive(found, &exchange, &caller, &self.memory, &lessons);
        self.memory.learn(std::mem::take(&mut derived.lessons));
        for sighting in &derived.sightings {
            self.seen.extend(sighting.tokens.iter().map(|token| (token.clone(), sighting.actor.clone())));
        }
        Some(derived)
    }

    fn look_up(&self, found: Found, exchange: &Exchange, fetched: Option<&Fetched>) -> Vec<Lesson> {
        let Some(fetched) = fetched.filter(|fetched| fetched.after_ms <= LOOKUP_BUDGET_MS) else { return Vec::new() };
        let response = response_of(fetched.status, fetched.response.as_ref());
        let lookups = self.set.lookups(found, &exchange.request, &self.memory);
        lookups.iter().flat_map(|lookup| self.set.taught_by_lookup(lookup, &response, exchange.started)).collect()
    }

    fn caller(&self, step: &Step, request: &Request) -> Caller {
        let actor = match &step.actor {
            Some(name) => {
                Actor { kind: ActorKind::User, id: Some(name.clone()), name: Some(name.clone()), ..Actor::default() }
            }
            None => match self.set.credential(request) {
                Some(token) => {
                    let seen = self.seen.iter().rev().find(|(known, _)| *known == token);
                    seen.map(|(_, actor)| actor.clone()).unwrap_or_default()
                }
                None => Actor { kind: ActorKind::Anonymous, ..Actor::default() },
            },
        };
        Caller { actor, claims: Json::Null }
    }
}

fn exchange_of(step: &Step, clock: i64) -> Exchange {
    let mut headers: Vec<(Bytes, Bytes)> =
        step.header.iter().map(|(name, value)| (name.clone().into(), value.clone().into())).collect();
    let typed = headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"content-type"));
    let (body, media) = request_body(step);
    if let Some(media) = media.filter(|_| !typed) {
        headers.push(("content-type".into(), media.into()));
    }
    let mut response = response_of(step.status, step.response.as_ref());
    for (name, value) in &step.reply {
        response.headers.push(name.clone(), value.clone());
    }
    let started = Timestamp::from_second(clock).unwrap_or_default();
    Exchange {
        id: Uuid::from_u128(u128::from(clock.unsigned_abs())),
        started,
        duration: Duration::ZERO,
        request: Request {
            method: step.method.clone(),
            target: step.target.clone(),
            headers: headers.into_iter().collect::<Headers>(),
            body,
            peer: None,
            client: None,
            peer_is_trusted: false,
        },
        response: Some(response),
        end: End::Complete,
    }
}

fn request_body(step: &Step) -> (Body, Option<&'static str>) {
    let fields = match &step.sent {
        SentBody::Json(value) => return (body_of(value.to_string()), Some("application/json")),
        SentBody::Raw(text) => return (body_of(text.clone()), Some("text/plain")),
        SentBody::Form(pairs) => {
            let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            return (body_of(text), Some("application/x-www-form-urlencoded"));
        }
        SentBody::Fields(fields) => fields.as_slice(),
        SentBody::Nothing if step.files.is_empty() => return (Body::default(), None),
        SentBody::Nothing => &[],
    };
    let plain = fields.iter().map(|(name, value)| Part {
        field: name.clone(),
        size: value.len() as u64,
        text: Some(value.clone()),
        ..Part::default()
    });
    let files = step.files.iter().map(|file| Part {
        field: file.field.clone(),
        filename: Some(file.filename.clone()),
        content_type: file.content_type.clone(),
        size: file.size,
        ..Part::default()
    });
    let body = Body { parts: plain.chain(files).collect(), size: 1, seen: Seen::Whole, ..Body::default() };
    (body, Some("multipart/form-data"))
}

fn response_of(status: u16, value: Option<&Json>) -> Response {
    let mut headers = Headers::default();
    let body = match value {
        None => Body::default(),
        Some(Json::String(text)) => {
            headers.push("content-type", "text/plain");
            body_of(text.clone())
        }
        Some(value) => {
            headers.push("content-type", "application/json");
            body_of(value.to_string())
        }
    };
    Response { status, headers, body }
}

fn body_of(text: String) -> Body {
    Body { size: text.len() as u64, content: text.into(), seen: Seen::Whole, ..Body::default() }
}

/// Pairs every expectation with an event that meets it, in any order; what is left over differs.
fn compare(expected: &[Json], events: &[Event]) -> Vec<Difference> {
    let mut left: Vec<&Event> = events.iter().collect();
    let mut unmet = Vec::new();
    for expectation in expected {
        match left.iter().position(|event| shown(event, expectation) == normal(expectation)) {
            Some(at) => drop(left.remove(at)),
            None => unmet.push(expectation),
        }
    }
    let mut differences = Vec::new();
    for expectation in unmet {
        let nearest = (!left.is_empty()).then(|| left.remove(0)).map(|event| shown(event, expectation));
        differences.push(Difference::Missing { expected: normal(expectation), nearest });
    }
    differences.extend(left.into_iter().map(|event| Difference::Unexpected(shown(event, &json!("")))));
    differences
}

/// An expectation as a table: a text alone is a successful event's message.
fn normal(expectation: &Json) -> Json {
    match expectation {
        Json::String(message) => json!({ "message": message, "outcome": "success" }),
        other => other.clone(),
    }
}

/// An event's values of the keys that an expectation has.
fn shown(event: &Event, expectation: &Json) -> Json {
    let normal = normal(expectation);
    let target = event.targets.first();
    let value = |key: &str, expected: &Json| -> Json {
        match key {
            "message" => json!(event.message.text),
            "messages" => {
                event.translations.iter().map(|it| (str::to_owned(&it.language), json!(it.message.text))).collect()
            }
            "method" => json!(event.request.as_ref().map(|request| &request.method)),
            "outcome" => json!(event.outcome.word()),
            "actor" => {
                let names = [&event.actor.name, &event.actor.email, &event.actor.id];
                let same = names.into_iter().flatten().find(|name| expected.as_str() == Some(name));
                json!(same.map(String::as_str).or(event.actor.label()))
            }
            "workspace" => json!(event.workspace),
            "target_id" => json!(target.and_then(|target| target.id.as_deref())),
            "target_name" => json!(target.and_then(|target| target.name.as_deref())),
            "target_link" => json!(target.and_then(|target| target.link.as_deref())),
            "target_kind" => json!(target.map(|target| target.kind.as_str())),
            "details" => Json::Object(event.details.clone()),
            "missing" => event.missing.iter().map(|missing| missing.name.as_str()).collect(),
            "changes" => event.changes.iter().map(changed).collect(),
            _ => Json::Null,
        }
    };
    let keys = normal.as_object().into_iter().flatten();
    Json::Object(keys.map(|(key, expected)| (key.clone(), value(key, expected))).collect())
}

/// A change as a test writes it: what is not known is not there.
fn changed(change: &Change) -> Json {
    let mut shown = serde_json::Map::from_iter([("field".to_owned(), json!(change.field))]);
    for (name, value) in [("from", &change.from), ("to", &change.to)] {
        shown.extend(value.iter().map(|value| (name.to_owned(), value.clone())));
    }
    Json::Object(shown)
}
