//! From an exchange to events.
//!
//! Order within one operation: things on the route, `each`; per element `join`,
//! things, `let`, `changed`, `if`, `success`, the sentence; then memory learns.

use std::sync::Arc;

use minijinja::Value;
use minijinja::value::ValueKind;
use uuid::Uuid;

use super::element::{Element, Setting};
use super::expression::{Chain, as_text, attribute, is_there};
use super::learn;
use super::left_out::{LeftOut, MOST_ELEMENTS};
use super::operation::{Operation, Whole, credential_facts};
use super::path::Template;
use super::ready::{Action, Bound, Entry, Place, Ready};
use super::scope::{Facts, Frame};
use super::{Caller, Derived, Found, RuleSet};
use crate::event::{Actor, ActorKind, Event, Message, Missing, Outcome, RequestFacts, RuleFacts, Source};
use crate::exchange::{Exchange, Request};
use crate::memory::{Lesson, Overlay, Recall};

/// A user agent is kept up to here.
const USER_AGENT_BYTES: usize = 512;

/// What one exchange gives.
pub(crate) fn derive(
    set: &RuleSet,
    found: Found,
    exchange: &Exchange,
    caller: &Caller,
    memory: &dyn Recall,
    fetched: &[Lesson],
) -> Derived {
    let overlay = Overlay { below: memory, lessons: fetched };
    let memory: &dyn Recall = if fetched.is_empty() { memory } else { &overlay };
    let whole = Whole::read(exchange, caller);
    let mut run = Run { set, whole: &whole, memory, derived: Derived::default(), left_out: LeftOut::default() };
    if whole.outcome == Outcome::Success {
        run.derived.lessons.extend(fetched.iter().cloned());
    }
    let mut made = Made::default();
    if let Some(entry) = found.rules.and_then(|at| set.ready.entries.get(at)) {
        run.rules_sharing(entry, &mut made, |whole, place| match place {
            Place::Path(template) => whole.operation(template, entry.asks),
            Place::Call(_) => None,
        });
    }
    if let Some(entry) = found.watch.and_then(|at| set.ready.entries.get(at)) {
        if found.watch != found.rules {
            made = Made::default();
        }
        run.watch(entry, found.taken, &mut made);
    }
    let left_out = std::mem::take(&mut run.left_out).events(&run);
    run.derived.events.extend(left_out);
    run.credit();
    run.derived
}

/// The operation that was put together last. Everything at one entry stands at templates of one shape and shares
/// it, unless the parameters are called differently.
#[derive(Default)]
struct Made(Option<(Arc<[Arc<str>]>, Operation)>);

impl Made {
    fn of(&mut self, names: &Arc<[Arc<str>]>, make: impl FnOnce() -> Option<Operation>) -> Option<&Operation> {
        if self.0.as_ref().is_none_or(|(known, _)| known != names) {
            self.0 = make().map(|operation| (Arc::clone(names), operation));
        }
        self.0.as_ref().map(|(_, operation)| operation)
    }
}

/// One derivation under way.
pub(crate) struct Run<'a> {
    pub(crate) set: &'a RuleSet,
    pub(crate) whole: &'a Whole<'a>,
    pub(crate) memory: &'a dyn Recall,
    pub(crate) derived: Derived,
    left_out: LeftOut<'a>,
}

impl<'a> Run<'a> {
    /// The actions of an entry: those that say `otherwise` only if no other fired.
    pub(crate) fn rules(&mut self, entry: &'a Entry, operation: impl Fn(&Whole<'a>, &Place) -> Option<Operation>) {
        self.rules_sharing(entry, &mut Made::default(), operation);
    }

    fn rules_sharing(
        &mut self,
        entry: &'a Entry,
        made: &mut Made,
        operation: impl Fn(&Whole<'a>, &Place) -> Option<Operation>,
    ) {
        let ready = &self.set.ready;
        let mut fired = false;
        for otherwise in [false, true] {
            for bound in &entry.rules {
                let Some(action) = ready.actions.get(bound.action).filter(|action| action.otherwise == otherwise)
                else {
                    continue;
                };
                if otherwise && fired {
                    return;
                }
                let Some(operation) = made.of(bound.place.names(), || operation(self.whole, &bound.place)) else {
                    continue;
                };
                let events = self.action(action, bound, operation);
                // Several that say `otherwise` may fire together.
                fired |= events && !otherwise;
            }
        }
    }

    /// What looks on besides rules: kinds, `learn`, sign-ins, the fields of a GraphQL endpoint.
    fn watch(&mut self, entry: &'a Entry, taken: bool, made: &mut Made) {
        let (asks, whole) = (entry.asks, self.whole);
        let mut at = |template: &Template, act: &mut dyn FnMut(&Operation)| {
            made.of(&template.names, || whole.operation(template, asks)).into_iter().for_each(act);
        };
        for teacher in entry.teachers.iter().filter(|_| !taken) {
            at(&teacher.template, &mut |operation| learn::from_address(self, teacher, operation));
        }
        for (number, place) in &entry.learns {
            if let Place::Path(template) = &**place {
                at(template, &mut |operation| learn::from_elsewhere(self, *number, operation));
            }
        }
        for (number, place) in &entry.seen {
            if let Place::Path(template) = &**place {
                at(template, &mut |operation| self.sighting(*number, operation));
            }
        }
        if let Some(endpoint) = entry.endpoint.and_then(|at| self.set.ready.endpoints.get(at)) {
            self.calls(endpoint);
        }
    }

    /// The events of one action; whether there were any.
    fn action(&mut self, action: &'a Action, bound: &'a Bound, operation: &Operation) -> bool {
        let setting = Setting::of(&self.set.ready, self.memory, action, bound, operation);
        let base = setting.base();
        let elements = match &action.each {
            None => vec![Value::UNDEFINED],
            Some(each) => match elements(&each.value(&base.0)) {
                // Nothing was there to act on.
                Some(list) if list.is_empty() && operation.outcome == Outcome::Success => return false,
                Some(list) if !list.is_empty() => list,
                _ => vec![Value::UNDEFINED],
            },
        };
        let (length, given) = (elements.len(), self.derived.events.len());
        let room = LeftOut::room(action, given);
        let mut base = Some(base);
        for (index, each) in elements.into_iter().take(MOST_ELEMENTS).enumerate() {
            // The last element takes the frame itself: most actions have only one.
            let own = if index + 1 == length { base.take() } else { base.clone() };
            let Some(own) = own else { break };
            let Some(element) = Element::new(&setting, own, each, index, length) else { continue };
            if !action.failures && matches!(element.outcome, Outcome::Failure | Outcome::Denied) {
                continue;
            }
            if self.derived.events.len() - given >= room {
                self.left_out.count(action, element.workspace(), 1, element.outcome);
                continue;
            }
            let event = self.event(action, &element);
            self.derived.lessons.extend(learn::from_target(&element, event.time));
            self.derived.events.push(event);
        }
        if let Some(unseen) = length.checked_sub(MOST_ELEMENTS).filter(|unseen| *unseen > 0) {
            self.left_out.count(action, setting.workspace.as_deref(), unseen, Outcome::Unknown);
        }
        self.derived.events.len() > given
    }

    fn event(&self, action: &Action, element: &Element<'_>) -> Event {
        let (message, missing) = element.sentence();
        Event {
            message,
            outcome: element.outcome,
            targets: element.targets(),
            changes: element.changes(),
            details: element.details(),
            missing,
            ..self.bare_event(action, element.workspace(), self.derived.events.len())
        }
    }

    /// An event of an action that says nothing yet; `number` counts within the exchange.
    pub(crate) fn bare_event(&self, action: &Action, workspace: Option<&str>, number: usize) -> Event {
        Event {
            workspace: workspace.map(Arc::from),
            category: Arc::clone(&action.category),
            action: Arc::clone(&action.key),
            title: Arc::clone(&action.title),
            message: Message::default(),
            outcome: self.whole.outcome,
            actor: self.actor(workspace.unwrap_or("")),
            targets: Vec::new(),
            changes: Vec::new(),
            details: serde_json::Map::new(),
            missing: Vec::new(),
            rule: Some(RuleFacts { file: Arc::clone(&action.file), version: Arc::clone(&self.set.version) }),
            id: event_id(self.whole, number),
            time: self.whole.finished,
            source: self.source(),
            request: Some(self.request()),
        }
    }

    /// The event of a request that cannot be read: never nothing.
    pub(crate) fn unclassified(&mut self, why: Vec<String>) {
        let request = &self.whole.exchange.request;
        let missing = why.into_iter().map(|reason| Missing { name: "operation".to_owned(), reason });
        let event = Event {
            message: Message::plain(format!("unclassified {} {}", request.method, request.path())),
            missing: missing.collect(),
            id: event_id(self.whole, self.derived.events.len()),
            time: self.whole.finished,
            workspace: None,
            category: "Unclassified".into(),
            action: "unclassified".into(),
            title: "unclassified request".into(),
            outcome: self.whole.outcome,
            actor: self.actor(""),
            targets: Vec::new(),
            changes: Vec::new(),
            details: serde_json::Map::new(),
            source: self.source(),
            request: Some(self.request()),
            rule: None,
        };
        self.derived.events.push(event);
    }

    /// Where the request came from.
    fn source(&self) -> Source {
        let request = &self.whole.exchange.request;
        let agent = request.headers.first("user-agent").map(|agent| cut(agent, USER_AGENT_BYTES).to_owned());
        Source { ip: request.client.or(request.peer), user_agent: agent }
    }

    /// What is kept of the request.
    fn request(&self) -> RequestFacts {
        let exchange = self.whole.exchange;
        let request = &exchange.request;
        let id = request.headers.first("x-request-id").filter(|id| !id.is_empty() && id.len() <= 128);
        RequestFacts {
            id: match id {
                Some(id) => id.to_owned(),
                None => exchange.id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).to_owned(),
            },
            method: request.method.clone(),
            path: request.path().to_owned(),
            status: exchange.response.as_ref().map(|response| response.status),
            duration_ms: u64::try_from(exchange.duration.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// The caller; where only an id is known, with the name that memory has for it.
    fn actor(&self, workspace: &str) -> Actor {
        let mut actor = self.whole.caller.actor.clone();
        let kind = self.set.ready.identity.kind.and_then(|kind| self.set.ready.kinds.get(kind));
        if let (None, Some(id), Some(kind)) = (&actor.name, &actor.id, kind) {
            let known =
                self.memory.recall(workspace, &kind.name, id).or_else(|| self.memory.recall("", &kind.name, id));
            actor.name = known.and_then(|thing| thing.name.clone());
        }
        actor
    }

    /// Whoever signs in sends nothing that says who it is: the answer does.
    fn credit(&mut self) {
        let Derived { events, sightings, .. } = &mut self.derived;
        let Some(person) = sightings.first().map(|sighting| &sighting.actor) else { return };
        for event in events.iter_mut().filter(|event| event.actor.label().is_none()) {
            event.actor = person.clone();
        }
    }

    /// Ties the credentials of a successful exchange to a person.
    pub(crate) fn sighting(&mut self, number: usize, operation: &Operation) {
        let Some(seen) = self.set.ready.identity.seen.get(number).filter(|_| operation.teaches()) else { return };
        let mut frame = Arc::clone(&operation.frame);
        let mut tokens: Vec<String> = Vec::new();
        for expression in &seen.tokens {
            for token in elements(&expression.value(&frame)).unwrap_or_default() {
                tokens.extend(token.as_str().filter(|token| !token.is_empty()).map(str::to_owned));
            }
        }
        if seen.tokens.is_empty() {
            tokens.extend(credential(&self.set.ready, &self.whole.exchange.request));
        }
        let Some(first) = tokens.first() else { return };
        Arc::make_mut(&mut frame).token = Value::from(first.as_str());
        if let Some(actor) = person(&seen.actor.value(&frame)) {
            self.derived.sightings.push(super::Sighting { tokens, actor });
        }
    }
}

/// A list's elements; anything else that is there counts as a list of one.
pub(crate) fn elements(value: &Value) -> Option<Vec<Value>> {
    if !is_there(value) {
        return None;
    }
    Some(match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => value.try_iter().map(Iterator::collect).unwrap_or_default(),
        _ => vec![value.clone()],
    })
}

/// A person from a value: an id, an e-mail address, or an object with `id`, `name`, `email`.
fn person(value: &Value) -> Option<Actor> {
    let field = |name: &str| as_text(&attribute(value, name)).filter(|text| !text.is_empty());
    let actor = match value.kind() {
        ValueKind::Map => Actor {
            kind: ActorKind::User,
            id: field("id"),
            name: field("name"),
            email: field("email"),
            unknown_because: None,
        },
        _ => {
            let id = as_text(value).filter(|text| !text.is_empty())?;
            let email = Some(id.clone()).filter(|id| id.contains('@'));
            Actor { kind: ActorKind::User, id: Some(id), name: None, email, unknown_because: None }
        }
    };
    actor.label().is_some().then_some(actor)
}

/// The first credential that a request carries where `[identity].credential` says one is.
pub(crate) fn credential(ready: &Ready, request: &Request) -> Option<String> {
    let chain = &ready.identity.credential;
    if chain.0.is_empty() {
        return None;
    }
    let (facts, lets) = credential_facts(request, &|root| chain.roots().any(|asked| asked == root));
    let frame = Arc::new(Frame { lets, ..Frame::of(Arc::new(facts)) });
    as_text(&chain.value(&frame)).filter(|token| !token.is_empty())
}

/// The person whom claims name.
pub(crate) fn actor_of(ready: &Ready, claims: &serde_json::Value) -> Option<Actor> {
    let chain: &Chain = &ready.identity.actor;
    let facts = Facts { claim: Value::from(minijinja::value::Serde(claims)), ..Facts::default() };
    person(&chain.value(&Arc::new(Frame::of(Arc::new(facts)))))
}

/// A UUIDv7 (RFC 9562) of the time the exchange ended, the event's number in it, and the exchange's own
/// random bits: deriving again gives the same number, and events of one exchange sort in their order.
fn event_id(whole: &Whole<'_>, number: usize) -> Uuid {
    let millis = u64::try_from(whole.finished.as_millisecond()).unwrap_or(0);
    let (_, random) = whole.exchange.id.as_u64_pair();
    let number = u64::try_from(number).unwrap_or(u64::MAX) & 0x0FFF;
    let high = (millis << 16) | (7 << 12) | number;
    Uuid::from_u64_pair(high, (random & 0x3FFF_FFFF_FFFF_FFFF) | (2 << 62))
}

/// The beginning of a text, at most that many bytes, whole characters.
fn cut(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}
