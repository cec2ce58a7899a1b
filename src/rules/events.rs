//! Events: what is the same in all of an exchange, put around what a rule says.

use std::sync::Arc;

use uuid::Uuid;

use super::derive::Run;
use super::element::Element;
use super::operation::Whole;
use super::ready::Action;
use super::{Derived, RuleSet, method};
use crate::event::{Actor, Event, Message, Missing, Outcome, RequestFacts, RuleFacts, Source};
use crate::exchange::Exchange;

/// A user agent is kept up to here.
const USER_AGENT_BYTES: usize = 512;

impl Run<'_> {
    pub(crate) fn event(&self, action: &Action, element: &Element<'_>) -> Event {
        let (message, missing) = element.sentence();
        Event {
            message,
            translations: element.translations(element.outcome),
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
            translations: Vec::new(),
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
            translations: Vec::new(),
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
            method: method::shown(request, self.whole.stood_for),
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
    pub(crate) fn credit(&mut self) {
        let Derived { events, sightings, .. } = &mut self.derived;
        let Some(person) = sightings.first().map(|sighting| &sighting.actor) else { return };
        for event in events.iter_mut().filter(|event| event.actor.label().is_none()) {
            event.actor = person.clone();
        }
    }
}

/// An event of an action that no exchange gave.
pub(crate) fn eventless(set: &RuleSet, action: &Action, now: jiff::Timestamp, number: usize) -> Event {
    Event {
        id: numbered(now, Exchange::number(now), number),
        time: now,
        workspace: None,
        category: Arc::clone(&action.category),
        action: Arc::clone(&action.key),
        title: Arc::clone(&action.title),
        message: Message::default(),
        outcome: Outcome::Unknown,
        actor: Actor::default(),
        translations: Vec::new(),
        targets: Vec::new(),
        changes: Vec::new(),
        details: serde_json::Map::new(),
        missing: Vec::new(),
        source: Source::default(),
        request: None,
        rule: Some(RuleFacts { file: Arc::clone(&action.file), version: Arc::clone(&set.version) }),
    }
}

/// A UUIDv7 (RFC 9562) of the time the exchange ended, the event's number in it, and the exchange's own
/// random bits: deriving again gives the same number, and events of one exchange sort in their order.
fn event_id(whole: &Whole<'_>, number: usize) -> Uuid {
    numbered(whole.finished, whole.exchange.id, number)
}

fn numbered(time: jiff::Timestamp, exchange: Uuid, number: usize) -> Uuid {
    let millis = u64::try_from(time.as_millisecond()).unwrap_or(0);
    let (_, random) = exchange.as_u64_pair();
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
