//! A client that sends a request again with the same `Idempotency-Key` did not
//! act twice: the later event names the first.

use jiff::Timestamp;
use serde_json::Map;
use sha2::{Digest, Sha256};

use super::derive::Run;
use crate::memory::{Key, Lesson};

/// What memory calls it. No rule's kind can be called so.
const KIND: &str = "idempotency key";

/// Names the first event that came with the request's key, and remembers the first of this exchange otherwise.
pub(crate) fn name_the_first(run: &mut Run<'_>) {
    let request = &run.whole.exchange.request;
    let Some(key) = request.headers.first("idempotency-key").filter(|key| !key.is_empty()) else { return };
    let Some(first) = run.derived.events.first() else { return };
    let actor = &run.whole.caller.actor;
    let mut hash = Sha256::new();
    for part in [request.method.as_str(), request.path(), key, actor.id.as_deref().or(actor.label()).unwrap_or("")] {
        // The length keeps neighbours apart.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let id: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    match run.memory.recall("", KIND, &id).and_then(|known| known.name.clone()) {
        Some(known) => {
            for event in &mut run.derived.events {
                event.details.entry("retry_of").or_insert_with(|| known.as_str().into());
            }
        }
        None => {
            let name = Some(first.id.to_string());
            run.derived.lessons.push(remembered(id, name, first.time));
        }
    }
}

fn remembered(id: String, name: Option<String>, seen: Timestamp) -> Lesson {
    let key = Key { workspace: "".into(), kind: KIND.into(), id: id.into() };
    Lesson { key, name, fields: Map::new(), gone: false, seen }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::memory::Memory;
    use crate::rules::Caller;
    use crate::rules::tests::{ended, set_of};

    #[test]
    fn the_same_key_again_names_the_first_event_and_another_does_not() {
        let set = set_of("category = \"A\"\n[thing.made]\nwhen = \"POST /a\"\nmessage = \"made\"\n");
        let memory = Memory::new(9);
        let send = |key: &str| {
            let mut exchange = ended("POST /a", &Value::Null, 201, &Value::Null);
            exchange.request.headers.push("Idempotency-Key", key.to_owned());
            let found = set.find("POST", "/a").unwrap();
            let derived = set.derive(found, &exchange, &Caller::default(), &memory, &[]);
            memory.learn(derived.lessons);
            derived.events.into_iter().next().unwrap()
        };
        let first = send("k1");
        assert!(!first.details.contains_key("retry_of"));
        assert_eq!(send("k1").details["retry_of"], first.id.to_string());
        assert!(!send("k2").details.contains_key("retry_of"));
    }
}
