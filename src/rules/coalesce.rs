//! `coalesce`: the same sentence of the same person about the same things, again
//! within a while, is one event. The next event after that says how often it was
//! repeated.
//!
//! What was said lately is kept in memory; where memory forgot it, the event
//! stands in the log once more, never once less.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::event::Event;
use crate::memory::{Key, Lesson, Recall};

/// What memory calls it. No rule's kind can be called so.
const KIND: &str = "said before";

/// Whether an event is a repetition; notes it in `lessons` and, where it is none, how many there were before it.
pub(crate) fn is_repetition(
    event: &mut Event,
    within: SignedDuration,
    memory: &dyn Recall,
    lessons: &mut Vec<Lesson>,
) -> bool {
    let key = Key { workspace: "".into(), kind: KIND.into(), id: what(event).into() };
    // The same exchange may have said it, and memory not learned that yet.
    let said = lessons.iter().rev().find(|lesson| lesson.key == key).map(|lesson| lesson.fields.clone());
    let said = said.or_else(|| memory.recall("", KIND, &key.id).map(|thing| thing.fields.clone()));
    let number = |name: &str| said.as_ref().and_then(|said| said.get(name)).and_then(Json::as_i64);
    let since = number("since").and_then(|since| Timestamp::from_microsecond(since).ok());
    let repeated = number("repeated").unwrap_or(0);
    let again = since.filter(|since| event.time.duration_since(*since) < within);
    if again.is_none() && repeated > 0 {
        event.details.insert("repeated".to_owned(), repeated.into());
    }
    let (since, repeated) = again.map_or((event.time, 0), |since| (since, repeated + 1));
    let fields = [("since", json!(since.as_microsecond())), ("repeated", json!(repeated))];
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    lessons.push(Lesson { key, name: None, fields, gone: false, seen: event.time });
    again.is_some()
}

/// Everything that makes two events the same, as one short word.
fn what(event: &Event) -> String {
    let actor = &event.actor;
    let mut hash = Sha256::new();
    let mut add = |text: Option<&str>| {
        // The length keeps neighbours apart.
        hash.update((text.map_or(u64::MAX, |text| text.len() as u64)).to_le_bytes());
        hash.update(text.unwrap_or(""));
    };
    for text in
        [Some(&*event.action), event.workspace.as_deref(), Some(event.outcome.word()), Some(&event.message.text)]
    {
        add(text);
    }
    for text in [Some(actor.kind.word()), actor.id.as_deref(), actor.name.as_deref(), actor.email.as_deref()] {
        add(text);
    }
    for target in &event.targets {
        add(Some(&target.kind));
        add(target.id.as_deref());
    }
    // Of people whom nobody knows the address is all there is.
    let address = event.source.ip.filter(|_| actor.label().is_none()).map(|ip| ip.to_string());
    add(address.as_deref());
    let mut digest = hex::encode(hash.finalize());
    // Half of it tells sentences apart, and memory is bounded in bytes.
    digest.truncate(32);
    digest
}
