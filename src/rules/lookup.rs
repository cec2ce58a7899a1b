//! Asks the platform for a thing before a request changes it: its name, or a
//! former value, where a rule names it and memory lacks it.

use std::sync::Arc;

use jiff::Timestamp;
use minijinja::Value;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::body;
use super::element::Setting;
use super::entry::{Bound, Place, Whose};
use super::expression::{as_id, attribute, dig};
use super::operation::{Operation, Whole};
use super::ready::{Action, Fetch, Kind, Ready};
use super::things::View;
use super::{Caller, Found, learn, method};
use crate::event::Outcome;
use crate::exchange::{End, Exchange, Request, Response};
use crate::memory::{Lesson, Recall};

/// One GET to the platform, with the caller's own credential, before the request goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The target, in origin form.
    pub path: String,
    workspace: Arc<str>,
    kind: usize,
    id: Arc<str>,
}

/// What to ask. Never for a safe method (RFC 9110 section 9.2.1).
pub(crate) fn lookups(ready: &Ready, found: Found, request: &Request, memory: &dyn Recall) -> Vec<Lookup> {
    let mut lookups: Vec<Lookup> = Vec::new();
    // A method that only the body tells is not known yet.
    let stood_for = method::stood_for(&ready.overrides, request, None);
    let found = found.spot(stood_for);
    if ["GET", "HEAD", "OPTIONS", "TRACE"].contains(&request.method.as_str()) {
        return lookups;
    }
    let Some(entry) = found.rules.and_then(|at| ready.entries.get(at)) else { return lookups };
    let fetches = |bound: &Bound| {
        let Some(action) = ready.actions.get(bound.action) else { return false };
        let at_address = bound.on_route.iter().filter(|on| matches!(on.whose, Whose::Address { .. }));
        let mut kinds = at_address.filter_map(|on| Some((on.kind, ready.kinds.get(on.kind)?)));
        kinds.any(|(number, kind)| needs(action, bound, number, kind))
    };
    if !entry.rules.iter().any(fetches) {
        return lookups;
    }
    let (caller, exchange) = (Caller::default(), head_only(request));
    let whole = Whole::read(&exchange, &caller);
    for bound in &entry.rules {
        let (Some(action), Place::Path(template)) = (ready.actions.get(bound.action), &*bound.place) else { continue };
        let Some(operation) = whole.operation(template, entry.asks) else { continue };
        let setting = Setting::of(ready, memory, action, bound, &operation);
        for on in &bound.on_route {
            let (Some(kind), Whose::Address { id, .. }) = (ready.kinds.get(on.kind), on.whose) else { continue };
            let id = bound.place.names().get(id).and_then(|name| as_id(&attribute(&operation.facts.path, name)));
            let Some(id) = id.filter(|_| needs(action, bound, on.kind, kind)) else { continue };
            let view = setting.view(kind, None);
            if is_known(&view, action, bound, on.kind, &id) {
                continue;
            }
            for path in paths(kind, &operation, bound, request.path(), on.segments) {
                let workspace = setting.workspace.as_deref().unwrap_or("").into();
                let lookup = Lookup { path, workspace, kind: on.kind, id: id.as_str().into() };
                if !lookups.contains(&lookup) {
                    lookups.push(lookup);
                }
            }
        }
    }
    lookups
}

/// Whether an action names a kind: in its texts, as its target, or by a former value.
fn needs(action: &Action, bound: &Bound, number: usize, kind: &Kind) -> bool {
    let is_target = bound.target.is_some_and(|(target, _)| target == number);
    if matches!(kind.fetch, Fetch::Never) {
        return false;
    }
    action.asks_for(&kind.name) || is_target && (action.roots.contains("target") || !action.changed.is_empty())
}

/// Whether memory has the name and the former values that the action asks for.
fn is_known(view: &View<'_>, action: &Action, bound: &Bound, number: usize, id: &str) -> bool {
    let Some(thing) = view.recall(id) else { return false };
    let is_target = bound.target.is_some_and(|(target, _)| target == number);
    let changed = action.changed.iter().filter(|_| is_target);
    let named = thing.name.is_some() || !action.asks_for(&view.kind.name);
    named && changed.into_iter().all(|field| thing.fields.contains_key(&**field))
}

/// Where to ask: the beginning of the request's own path, or the kind's routes with the parameters filled in.
fn paths(kind: &Kind, operation: &Operation, bound: &Bound, path: &str, segments: usize) -> Vec<String> {
    match &kind.fetch {
        Fetch::Never => Vec::new(),
        Fetch::Address => {
            let end = path.match_indices('/').nth(segments).map_or(path.len(), |(at, _)| at);
            path.get(..end).map(str::to_owned).into_iter().collect()
        }
        Fetch::Routes(routes) => {
            let fill = |route: &str| {
                let mut filled = route.to_owned();
                for name in bound.place.names().iter() {
                    let value = as_id(&attribute(&operation.facts.path, name))?;
                    filled = filled
                        .replace(&format!("{{{name}}}"), &utf8_percent_encode(&value, NON_ALPHANUMERIC).to_string());
                }
                (!filled.contains('{')).then_some(filled)
            };
            routes.iter().filter_map(|route| fill(route)).collect()
        }
    }
}

/// A request's head as an exchange that has not happened.
fn head_only(request: &Request) -> Exchange {
    Exchange {
        id: uuid::Uuid::nil(),
        started: Timestamp::UNIX_EPOCH,
        duration: std::time::Duration::ZERO,
        request: request.clone(),
        response: None,
        end: End::Unanswered,
    }
}

/// What an answer says of the thing, and of its neighbours where it is a list.
pub(crate) fn taught(ready: &Ready, lookup: &Lookup, response: &Response, now: Timestamp) -> Vec<Lesson> {
    let Some(kind) = ready.kinds.get(lookup.kind).filter(|_| (200..300).contains(&response.status)) else {
        return Vec::new();
    };
    let content = body::read(&response.body, &response.headers, "response");
    let operation = Operation {
        facts: Arc::default(),
        frame: Arc::default(),
        outcome: Outcome::Success,
        method: "GET".into(),
        is_form: false,
        input_unreadable: None,
        output_unreadable: None,
    };
    let view = View { kind, operation: &operation, memory: &Nothing, workspace: &lookup.workspace, type_: None };
    let lesson = |object: &Value, id: &str| view.lesson(id, &[object], &kind.names, now);
    let mut lessons: Vec<Lesson> = Vec::new();
    for object in learn::many(kind, &content.value) {
        lessons.extend(as_id(&dig(&object, &kind.id)).and_then(|id| lesson(&object, &id)));
    }
    if let Some((object, id)) = learn::one(kind, &content.value) {
        lessons.extend(lesson(&object, &id));
        // Asked for by a slug: the answer's id is not the one in the address.
        if *id != *lookup.id {
            lessons.extend(lesson(&object, &lookup.id));
        }
    }
    lessons
}

/// A memory that knows nothing.
struct Nothing;

impl Recall for Nothing {
    fn recall(&self, _: &str, _: &str, _: &str) -> Option<Arc<crate::memory::Thing>> {
        None
    }
}
