//! Noun 2: the fact that is kept: who did what to what, and how it ended.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

/// One event. Made by `rules` (and by sidetrail about itself), written once, never changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Time-ordered number (UUIDv7), the one that readers see.
    pub id: Uuid,
    /// When the action ended, to the microsecond.
    pub time: Timestamp,
    /// Whose log it belongs to; `None` where the exchange did not say.
    pub workspace: Option<Arc<str>>,
    /// The filter on the page: `Settings: Team`.
    pub category: Arc<str>,
    /// The machine key: `document.tag_added`.
    pub action: Arc<str>,
    /// The action's label: `add tag to document`.
    pub title: Arc<str>,
    /// The sentence.
    pub message: Message,
    /// Sentence and label in the other languages of the rule.
    pub translations: Vec<Translation>,
    /// How it ended.
    pub outcome: Outcome,
    /// Who acted.
    pub actor: Actor,
    /// What it was done to; the first is the one a list shows.
    pub targets: Vec<Target>,
    /// Fields that changed.
    pub changes: Vec<Change>,
    /// The values that the rule named with `let`.
    pub details: Map<String, Value>,
    /// Names of the values that the sentence asked for and nobody sent, with the reason.
    pub missing: Vec<Missing>,
    /// Where the request came from.
    pub source: Source,
    /// The request, without query, headers and body. None for sidetrail's own events.
    pub request: Option<RequestFacts>,
    /// The rule that said so. None for sidetrail's own events.
    pub rule: Option<RuleFacts>,
}

impl Event {
    /// Label and sentence in a language, where the rule has it; else in the rule's main one.
    pub fn said_in(&self, language: Option<&str>) -> (&Arc<str>, &Message) {
        let translated = language.and_then(|wanted| self.translations.iter().find(|it| *it.language == *wanted));
        translated.map_or((&self.title, &self.message), |it| (&it.title, &it.message))
    }
}

/// What an event says in another language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Translation {
    /// Its tag (BCP 47): `it`.
    pub language: Arc<str>,
    /// The action's label.
    pub title: Arc<str>,
    /// The sentence.
    pub message: Message,
}

/// The sentence: its text, and which parts of it are values and links.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The whole sentence as plain text.
    pub text: String,
    /// The parts of `text` that came from values, in order, not overlapping.
    pub marks: Vec<Mark>,
}

impl Message {
    /// A sentence without values.
    pub fn plain(text: impl Into<String>) -> Message {
        Message { text: text.into(), marks: Vec::new() }
    }
}

/// A part of a sentence that came from a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Byte offset of its first byte in the text.
    pub start: usize,
    /// Byte offset behind its last byte.
    pub end: usize,
    /// Where it leads, when the rule made it a link. Only `http:`, `https:` or a path that begins with `/`.
    pub link: Option<String>,
}

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// It happened.
    Success,
    /// It did not happen.
    Failure,
    /// It was refused: 401 or 403.
    Denied,
    /// It was accepted and has not ended.
    Pending,
    /// It was sent and nobody knows.
    Unknown,
}

impl Outcome {
    /// Every outcome, in the order in which they are listed.
    pub const ALL: [Outcome; 5] =
        [Outcome::Success, Outcome::Failure, Outcome::Denied, Outcome::Pending, Outcome::Unknown];

    /// Its word: `success`.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
            Outcome::Denied => "denied",
            Outcome::Pending => "pending",
            Outcome::Unknown => "unknown",
        }
    }

    /// The outcome of that word.
    pub fn from_word(word: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

/// Who acted. Id, name and e-mail are as they were then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Actor {
    /// What sort of actor.
    pub kind: ActorKind,
    /// The platform's id.
    pub id: Option<String>,
    /// What people call them.
    pub name: Option<String>,
    /// Their e-mail address.
    pub email: Option<String>,
    /// Why they are unknown (`"the platform's /me answered 401"`), where they are.
    pub unknown_because: Option<String>,
}

impl Actor {
    /// The best there is to call them: name, e-mail, id.
    pub fn label(&self) -> Option<&str> {
        self.name.as_deref().or(self.email.as_deref()).or(self.id.as_deref())
    }
}

/// What sort of actor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ActorKind {
    /// A person.
    User,
    /// A program with an identity of its own.
    Service,
    /// A credential of which only itself is known.
    Token,
    /// The request carried no credential.
    Anonymous,
    /// It carried one that nobody could read.
    #[default]
    Unknown,
    /// sidetrail itself.
    System,
}

impl ActorKind {
    /// Every kind.
    pub const ALL: [ActorKind; 6] = [
        ActorKind::User,
        ActorKind::Service,
        ActorKind::Token,
        ActorKind::Anonymous,
        ActorKind::Unknown,
        ActorKind::System,
    ];

    /// Its word: `user`.
    pub fn word(self) -> &'static str {
        match self {
            ActorKind::User => "user",
            ActorKind::Service => "service",
            ActorKind::Token => "token",
            ActorKind::Anonymous => "anonymous",
            ActorKind::Unknown => "unknown",
            ActorKind::System => "system",
        }
    }

    /// The kind of that word.
    pub fn from_word(word: &str) -> Option<ActorKind> {
        ActorKind::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// What an action was done to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The kind's name: `document`.
    pub kind: String,
    /// The platform's id.
    pub id: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// Its page, where the rule gives one.
    pub link: Option<String>,
}

/// A field that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The field's name.
    pub field: String,
    /// Its value before, where it was known.
    pub from: Option<Value>,
    /// Its value after.
    pub to: Option<Value>,
}

/// A value that the sentence asked for and nobody sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The name as the sentence shows it: `(unknown NAME)`.
    pub name: String,
    /// Why: `"the response body was cut at 262144 bytes"`.
    pub reason: String,
}

/// Where a request came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The client's address.
    pub ip: Option<IpAddr>,
    /// `User-Agent`, at most 512 bytes.
    pub user_agent: Option<String>,
}

/// What is kept of a request: no query, no headers, no body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestFacts {
    /// The request id that the client sent, else our own.
    pub id: String,
    /// The method.
    pub method: String,
    /// The path without the query, as sent.
    pub path: String,
    /// The platform's status, if it answered.
    pub status: Option<u16>,
    /// From the request's head to the end of the response, in ms.
    pub duration_ms: u64,
}

/// Which rule made an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFacts {
    /// The file's name: `documents.toml`.
    pub file: Arc<str>,
    /// Hash of the whole rule set: `sha256:9f2c…`.
    pub version: Arc<str>,
}
