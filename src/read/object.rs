//! An event as the API and NDJSON show it: the field names are a promise.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::event::{Actor, ActorKind};
use crate::record::query::Stored;

/// One event.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventObject<'a> {
    /// Its number (UUIDv7).
    id: String,
    /// Its number within its workspace's log.
    seq: u64,
    /// When the action ended: RFC 3339, UTC.
    #[schema(example = "2026-01-07T16:25:56.412Z")]
    time: String,
    /// Whose log it belongs to.
    workspace: Option<&'a str>,
    /// `Documents`
    category: &'a str,
    /// The machine key: `document.tag_added`.
    action: &'a str,
    /// The sentence.
    message: &'a str,
    /// `success`, `failure`, `denied`, `pending` or `unknown`.
    outcome: &'a str,
    actor: ActorObject<'a>,
    /// What it was done to; the first is the one a list shows.
    targets: Vec<TargetObject<'a>>,
    changes: Vec<ChangeObject<'a>>,
    /// The values that the rule names.
    #[schema(value_type = Object)]
    details: &'a Map<String, Value>,
    source: SourceObject<'a>,
    /// None for sidetrail's own events.
    request: Option<RequestObject<'a>>,
    /// None for sidetrail's own events.
    rule: Option<RuleObject<'a>>,
    /// Over the hash of the event before it in its log, and this event.
    hash: String,
    /// The action's label: `add tag to document`.
    title: &'a str,
    /// What the sentence asked for and nobody sent.
    missing: Vec<MissingObject<'a>>,
    /// The parts of the sentence that are values.
    marks: Vec<MarkObject<'a>>,
    /// The same in the other languages of the rule.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    translations: Vec<TranslationObject<'a>>,
}

/// Label and sentence in another language.
#[derive(Debug, Serialize, ToSchema)]
struct TranslationObject<'a> {
    /// `it`
    language: &'a str,
    title: &'a str,
    message: &'a str,
    marks: Vec<MarkObject<'a>>,
}

impl<'a> From<&'a crate::event::Translation> for TranslationObject<'a> {
    fn from(translation: &'a crate::event::Translation) -> TranslationObject<'a> {
        let crate::event::Translation { language, title, message } = translation;
        let marks = message.marks.iter().map(MarkObject::from).collect();
        TranslationObject { language, title, message: &message.text, marks }
    }
}

/// Who acted, as they were called then.
#[derive(Debug, Serialize, ToSchema)]
struct ActorObject<'a> {
    /// `user`, `service`, `token`, `anonymous`, `unknown` or `system`.
    #[serde(rename = "type")]
    kind: &'a str,
    id: Option<&'a str>,
    name: Option<&'a str>,
    email: Option<&'a str>,
    /// Why nobody knows who it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_because: Option<&'a str>,
}

/// What an action was done to.
#[derive(Debug, Serialize, ToSchema)]
struct TargetObject<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: Option<&'a str>,
    name: Option<&'a str>,
    /// Its page.
    link: Option<&'a str>,
}

/// A field that changed.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeObject<'a> {
    field: &'a str,
    /// Absent where nobody knows what it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    from: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    to: Option<&'a Value>,
}

/// Where the request came from.
#[derive(Debug, Serialize, ToSchema)]
struct SourceObject<'a> {
    ip: Option<String>,
    user_agent: Option<&'a str>,
}

/// The request, without query, headers and body.
#[derive(Debug, Serialize, ToSchema)]
struct RequestObject<'a> {
    id: &'a str,
    method: &'a str,
    path: &'a str,
    status: Option<u16>,
    duration_ms: u64,
}

/// The rule that said so.
#[derive(Debug, Serialize, ToSchema)]
struct RuleObject<'a> {
    file: &'a str,
    version: &'a str,
}

/// A value that nobody sent.
#[derive(Debug, Serialize, ToSchema)]
struct MissingObject<'a> {
    name: &'a str,
    reason: &'a str,
}

/// A part of the sentence, in bytes of UTF-8.
#[derive(Debug, Serialize, ToSchema)]
struct MarkObject<'a> {
    start: usize,
    end: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
}

impl<'a> From<&'a Stored> for EventObject<'a> {
    fn from(stored: &'a Stored) -> EventObject<'a> {
        let event = &stored.event;
        EventObject {
            id: event.id.to_string(),
            seq: stored.seq,
            time: rfc3339(event.time),
            workspace: event.workspace.as_deref(),
            category: &event.category,
            action: &event.action,
            message: &event.message.text,
            outcome: event.outcome.word(),
            actor: ActorObject::from(&event.actor),
            targets: event.targets.iter().map(TargetObject::from).collect(),
            changes: event.changes.iter().map(ChangeObject::from).collect(),
            details: &event.details,
            source: SourceObject {
                ip: event.source.ip.map(|ip| ip.to_string()),
                user_agent: event.source.user_agent.as_deref(),
            },
            request: event.request.as_ref().map(RequestObject::from),
            rule: event.rule.as_ref().map(|rule| RuleObject { file: &rule.file, version: &rule.version }),
            hash: hash(&stored.hash),
            title: &event.title,
            missing: event.missing.iter().map(MissingObject::from).collect(),
            marks: event.message.marks.iter().map(MarkObject::from).collect(),
            translations: event.translations.iter().map(TranslationObject::from).collect(),
        }
    }
}

impl<'a> EventObject<'a> {
    /// The changes alone, as a cell of a CSV holds them.
    pub(crate) fn changes_of(stored: &'a Stored) -> impl Serialize {
        stored.event.changes.iter().map(ChangeObject::from).collect::<Vec<_>>()
    }
}

impl<'a> From<&'a Actor> for ActorObject<'a> {
    fn from(actor: &'a Actor) -> ActorObject<'a> {
        ActorObject {
            kind: actor.kind.word(),
            id: actor.id.as_deref(),
            name: actor.name.as_deref(),
            email: actor.email.as_deref(),
            unknown_because: actor.unknown_because.as_deref(),
        }
    }
}

impl<'a> From<&'a crate::event::Target> for TargetObject<'a> {
    fn from(target: &'a crate::event::Target) -> TargetObject<'a> {
        let crate::event::Target { kind, id, name, link } = target;
        TargetObject { kind, id: id.as_deref(), name: name.as_deref(), link: link.as_deref() }
    }
}

impl<'a> From<&'a crate::event::Change> for ChangeObject<'a> {
    fn from(change: &'a crate::event::Change) -> ChangeObject<'a> {
        ChangeObject { field: &change.field, from: change.from.as_ref(), to: change.to.as_ref() }
    }
}

impl<'a> From<&'a crate::event::RequestFacts> for RequestObject<'a> {
    fn from(request: &'a crate::event::RequestFacts) -> RequestObject<'a> {
        let crate::event::RequestFacts { id, method, path, status, duration_ms } = request;
        RequestObject { id, method, path, status: *status, duration_ms: *duration_ms }
    }
}

impl<'a> From<&'a crate::event::Missing> for MissingObject<'a> {
    fn from(missing: &'a crate::event::Missing) -> MissingObject<'a> {
        MissingObject { name: &missing.name, reason: &missing.reason }
    }
}

impl<'a> From<&'a crate::event::Mark> for MarkObject<'a> {
    fn from(mark: &'a crate::event::Mark) -> MarkObject<'a> {
        MarkObject { start: mark.start, end: mark.end, link: mark.link.as_deref() }
    }
}

/// A time as the API writes it: UTC, at least milliseconds, more only where there are more.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    let format = if time.as_microsecond() % 1000 == 0 { "%Y-%m-%dT%H:%M:%S.%3fZ" } else { "%Y-%m-%dT%H:%M:%S.%6fZ" };
    time.strftime(format).to_string()
}

/// A hash as the API writes it.
pub(crate) fn hash(bytes: &[u8; 32]) -> String {
    format!("sha256:{}", hex::encode(bytes))
}

/// What a list calls an actor: name, e-mail, id, else what sort of nobody it was.
pub fn actor_label(actor: &Actor) -> &str {
    actor.label().unwrap_or(match actor.kind {
        ActorKind::System => "sidetrail",
        ActorKind::Anonymous => "(anonymous)",
        _ => "(unknown)",
    })
}
