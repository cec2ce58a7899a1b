//! The one order in which an event's fields become bytes.
//!
//! Three forms share the walk below: the canonical bytes that the hash chain
//! covers (every text in full), the body that the store keeps (texts that recur
//! are numbers of the dictionary), and the line of a spill file (canonical).
//!
//! Canonical form, version 1: a byte `1`, then the fields in the order of
//! [`write_event`]. A number is 8 bytes, big-endian. A text is its length in
//! bytes as a number, then its UTF-8. An optional field is a byte 0 (absent) or 1
//! and the field. A list is its length as a number, then its elements. A time is
//! µs since the epoch, two's complement. Outcome, actor kind and address are
//! their words. JSON is its compact text, keys in the order they came in.
//!
//! This order is frozen: a field that comes later gets a version of its own.

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::event::{
    Actor, ActorKind, Change, Event, Mark, Message, Missing, Outcome, RequestFacts, RuleFacts, Source, Target,
    Translation,
};
use std::sync::Arc;

/// The version byte that begins every encoded event.
pub(crate) const VERSION: u8 = 1;
/// The version of an event in several languages: after the last field of version 1, the list of its translations.
const TRANSLATED: u8 = 2;

/// Takes the parts of an event in their order.
pub(crate) trait Sink {
    /// Why a part cannot be taken.
    type Error;
    /// One byte as it is.
    fn byte(&mut self, byte: u8);
    /// Sixteen bytes as they are.
    fn id(&mut self, id: &[u8; 16]);
    /// A number.
    fn number(&mut self, number: u64);
    /// A text of this event alone.
    fn text(&mut self, text: &str);
    /// A text that many events have.
    fn shared(&mut self, text: &str) -> Result<(), Self::Error>;
}

/// Gives the parts back in their order.
pub(crate) trait Parts {
    /// Why there is no such part.
    type Error: From<Damaged>;
    /// One byte.
    fn byte(&mut self) -> Result<u8, Self::Error>;
    /// Sixteen bytes.
    fn id(&mut self) -> Result<[u8; 16], Self::Error>;
    /// A number.
    fn number(&mut self) -> Result<u64, Self::Error>;
    /// A text of this event alone.
    fn text(&mut self) -> Result<String, Self::Error>;
    /// A text that many events have.
    fn shared(&mut self) -> Result<Arc<str>, Self::Error>;
}

/// Bytes that are no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored event is damaged: its bytes do not decode")]
pub struct Damaged;

/// The canonical bytes of an event.
pub(crate) fn canonical(event: &Event) -> Vec<u8> {
    let mut out = Canonical(Vec::with_capacity(768));
    match write_event(event, &mut out) {
        Ok(()) => out.0,
        Err(never) => match never {},
    }
}

/// The event of canonical bytes.
pub(crate) fn from_canonical(bytes: &[u8]) -> Result<Event, Damaged> {
    let mut parts = Reader(bytes);
    let event = read_event(&mut parts)?;
    if parts.0.is_empty() { Ok(event) } else { Err(Damaged) }
}

struct Canonical(Vec<u8>);

impl Sink for Canonical {
    type Error = std::convert::Infallible;

    fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    fn id(&mut self, id: &[u8; 16]) {
        self.0.extend_from_slice(id);
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(length(text.len()));
        self.0.extend_from_slice(text.as_bytes());
    }

    fn shared(&mut self, text: &str) -> Result<(), Self::Error> {
        self.text(text);
        Ok(())
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Damaged> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(Damaged)?;
        self.0 = rest;
        Ok(head)
    }
}

impl Parts for Reader<'_> {
    type Error = Damaged;

    fn byte(&mut self) -> Result<u8, Damaged> {
        self.take(1)?.first().copied().ok_or(Damaged)
    }

    fn id(&mut self) -> Result<[u8; 16], Damaged> {
        self.take(16)?.try_into().map_err(|_| Damaged)
    }

    fn number(&mut self) -> Result<u64, Damaged> {
        Ok(u64::from_be_bytes(self.take(8)?.try_into().map_err(|_| Damaged)?))
    }

    fn text(&mut self) -> Result<String, Damaged> {
        let count = usize::try_from(self.number()?).map_err(|_| Damaged)?;
        String::from_utf8(self.take(count)?.to_vec()).map_err(|_| Damaged)
    }

    fn shared(&mut self) -> Result<Arc<str>, Damaged> {
        Ok(self.text()?.into())
    }
}

pub(crate) fn length(count: usize) -> u64 {
    u64::try_from(count).expect("no machine has more than 2^64 bytes")
}

/// Writes every field, in the order that is frozen.
pub(crate) fn write_event<S: Sink>(event: &Event, out: &mut S) -> Result<(), S::Error> {
    out.byte(if event.translations.is_empty() { VERSION } else { TRANSLATED });
    out.id(event.id.as_bytes());
    out.number(event.time.as_microsecond().cast_unsigned());
    optional_shared(event.workspace.as_deref(), out)?;
    out.shared(&event.category)?;
    out.shared(&event.action)?;
    out.shared(&event.title)?;
    out.text(&event.message.text);
    write_marks(&event.message.marks, out);
    out.shared(event.outcome.word())?;
    write_actor(&event.actor, out)?;
    out.number(length(event.targets.len()));
    for target in &event.targets {
        out.shared(&target.kind)?;
        optional_text(target.id.as_deref(), out);
        optional_text(target.name.as_deref(), out);
        optional_text(target.link.as_deref(), out);
    }
    out.number(length(event.changes.len()));
    for change in &event.changes {
        out.shared(&change.field)?;
        optional_text(change.from.as_ref().map(Value::to_string).as_deref(), out);
        optional_text(change.to.as_ref().map(Value::to_string).as_deref(), out);
    }
    if event.details.is_empty() {
        out.text("{}");
    } else {
        out.text(&serde_json::to_string(&event.details).expect("a map of JSON values is JSON"));
    }
    out.number(length(event.missing.len()));
    for missing in &event.missing {
        out.shared(&missing.name)?;
        out.shared(&missing.reason)?;
    }
    write_facts(event, out)?;
    if !event.translations.is_empty() {
        out.number(length(event.translations.len()));
    }
    for translation in &event.translations {
        out.shared(&translation.language)?;
        out.shared(&translation.title)?;
        out.text(&translation.message.text);
        write_marks(&translation.message.marks, out);
    }
    Ok(())
}

fn write_marks<S: Sink>(marks: &[Mark], out: &mut S) {
    out.number(length(marks.len()));
    for mark in marks {
        out.number(length(mark.start));
        out.number(length(mark.end));
        optional_text(mark.link.as_deref(), out);
    }
}

fn write_actor<S: Sink>(actor: &Actor, out: &mut S) -> Result<(), S::Error> {
    out.shared(actor.kind.word())?;
    optional_shared(actor.id.as_deref(), out)?;
    optional_shared(actor.name.as_deref(), out)?;
    optional_shared(actor.email.as_deref(), out)?;
    optional_shared(actor.unknown_because.as_deref(), out)
}

fn write_facts<S: Sink>(event: &Event, out: &mut S) -> Result<(), S::Error> {
    optional_shared(event.source.ip.map(|ip| ip.to_string()).as_deref(), out)?;
    optional_shared(event.source.user_agent.as_deref(), out)?;
    match &event.request {
        None => out.byte(0),
        Some(request) => {
            out.byte(1);
            out.text(&request.id);
            out.shared(&request.method)?;
            out.text(&request.path);
            out.byte(request.status.is_some().into());
            if let Some(status) = request.status {
                out.number(status.into());
            }
            out.number(request.duration_ms);
        }
    }
    match &event.rule {
        None => out.byte(0),
        Some(rule) => {
            out.byte(1);
            out.shared(&rule.file)?;
            out.shared(&rule.version)?;
        }
    }
    Ok(())
}

fn optional_text<S: Sink>(text: Option<&str>, out: &mut S) {
    out.byte(text.is_some().into());
    if let Some(text) = text {
        out.text(text);
    }
}

fn optional_shared<S: Sink>(text: Option<&str>, out: &mut S) -> Result<(), S::Error> {
    out.byte(text.is_some().into());
    text.map_or(Ok(()), |text| out.shared(text))
}

/// Reads what [`write_event`] wrote.
pub(crate) fn read_event<P: Parts>(parts: &mut P) -> Result<Event, P::Error> {
    let version = parts.byte()?;
    if ![VERSION, TRANSLATED].contains(&version) {
        return Err(Damaged.into());
    }
    let id = Uuid::from_bytes(parts.id()?);
    let time = Timestamp::from_microsecond(parts.number()?.cast_signed()).map_err(|_| Damaged)?;
    let workspace = shared_if(parts)?;
    let (category, action, title) = (parts.shared()?, parts.shared()?, parts.shared()?);
    let text = parts.text()?;
    let marks = read_marks(parts)?;
    let outcome = Outcome::from_word(&parts.shared()?).ok_or(Damaged)?;
    let actor = read_actor(parts)?;
    let targets = list(parts, |parts| {
        let kind = parts.shared()?.to_string();
        Ok(Target { kind, id: text_if(parts)?, name: text_if(parts)?, link: text_if(parts)? })
    })?;
    let changes = list(parts, |parts| {
        Ok(Change { field: parts.shared()?.to_string(), from: json_if(parts)?, to: json_if(parts)? })
    })?;
    let details: Map<String, Value> = serde_json::from_str(&parts.text()?).map_err(|_| Damaged)?;
    let missing =
        list(parts, |parts| Ok(Missing { name: parts.shared()?.to_string(), reason: parts.shared()?.to_string() }))?;
    let source = Source {
        ip: shared_if(parts)?.map(|ip| ip.parse()).transpose().map_err(|_| Damaged)?,
        user_agent: owned_if(parts)?,
    };
    let request = if flag(parts)? { Some(read_request(parts)?) } else { None };
    let rule = if flag(parts)? { Some(RuleFacts { file: parts.shared()?, version: parts.shared()? }) } else { None };
    let message = Message { text, marks };
    let translations = if version == TRANSLATED { list(parts, read_translation)? } else { Vec::new() };
    Ok(Event {
        id,
        time,
        workspace,
        category,
        action,
        title,
        message,
        translations,
        outcome,
        actor,
        targets,
        changes,
        details,
        missing,
        source,
        request,
        rule,
    })
}

fn read_marks<P: Parts>(parts: &mut P) -> Result<Vec<Mark>, P::Error> {
    list(parts, |parts| Ok(Mark { start: place(parts)?, end: place(parts)?, link: text_if(parts)? }))
}

fn read_translation<P: Parts>(parts: &mut P) -> Result<Translation, P::Error> {
    let (language, title, text) = (parts.shared()?, parts.shared()?, parts.text()?);
    Ok(Translation { language, title, message: Message { text, marks: read_marks(parts)? } })
}

fn read_actor<P: Parts>(parts: &mut P) -> Result<Actor, P::Error> {
    Ok(Actor {
        kind: ActorKind::from_word(&parts.shared()?).ok_or(Damaged)?,
        id: owned_if(parts)?,
        name: owned_if(parts)?,
        email: owned_if(parts)?,
        unknown_because: owned_if(parts)?,
    })
}

fn read_request<P: Parts>(parts: &mut P) -> Result<RequestFacts, P::Error> {
    let id = parts.text()?;
    let method = parts.shared()?.to_string();
    let path = parts.text()?;
    let status = if flag(parts)? { Some(u16::try_from(parts.number()?).map_err(|_| Damaged)?) } else { None };
    Ok(RequestFacts { id, method, path, status, duration_ms: parts.number()? })
}

fn flag<P: Parts>(parts: &mut P) -> Result<bool, P::Error> {
    match parts.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Damaged.into()),
    }
}

fn place<P: Parts>(parts: &mut P) -> Result<usize, P::Error> {
    Ok(usize::try_from(parts.number()?).map_err(|_| Damaged)?)
}

fn text_if<P: Parts>(parts: &mut P) -> Result<Option<String>, P::Error> {
    if flag(parts)? { parts.text().map(Some) } else { Ok(None) }
}

fn shared_if<P: Parts>(parts: &mut P) -> Result<Option<Arc<str>>, P::Error> {
    if flag(parts)? { parts.shared().map(Some) } else { Ok(None) }
}

fn owned_if<P: Parts>(parts: &mut P) -> Result<Option<String>, P::Error> {
    Ok(shared_if(parts)?.map(|text| text.to_string()))
}

fn json_if<P: Parts>(parts: &mut P) -> Result<Option<Value>, P::Error> {
    Ok(text_if(parts)?.map(|text| serde_json::from_str(&text)).transpose().map_err(|_| Damaged)?)
}

fn list<P: Parts, T>(parts: &mut P, mut one: impl FnMut(&mut P) -> Result<T, P::Error>) -> Result<Vec<T>, P::Error> {
    // Grown as elements come, so that a damaged length allocates nothing.
    let count = parts.number()?;
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(one(parts)?);
    }
    Ok(all)
}
