//! How the events of one set of rules differ from those of another, for the same exchange.

use serde::Serialize;
use serde_json::{Value, json};

use crate::event::{Event, Target};

/// One event that only one of two sets gives, or that they give differently.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "divergence", rename_all = "snake_case")]
pub enum Divergence {
    /// Only the new set gives it.
    Added {
        /// `document.uploaded`
        action: String,
        /// Its sentence.
        message: String,
    },
    /// Only the old set gives it.
    Removed {
        /// `document.uploaded`
        action: String,
        /// Its sentence.
        message: String,
    },
    /// Both give an event of this action, not the same.
    Changed {
        /// `document.uploaded`
        action: String,
        /// The fields that differ, with the old and the new value.
        fields: Vec<DivergingField>,
    },
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DivergingField {
    /// `message`, `outcome`, `target` …
    pub field: &'static str,
    /// What the old set says.
    pub old: Value,
    /// What the new set says.
    pub new: Value,
}

/// What differs between the events that two sets give for one exchange. Order and numbers of events do not count.
pub fn divergences(old: &[Event], new: &[Event]) -> Vec<Divergence> {
    let mut unmatched: Vec<&Event> = new.iter().collect();
    // Equal ones first, so that a pair is never torn for the sake of another.
    let mut removed: Vec<&Event> = Vec::new();
    for event in old {
        match unmatched.iter().position(|other| diverging(event, other).is_empty()) {
            Some(at) => {
                unmatched.remove(at);
            }
            None => removed.push(event),
        }
    }
    let mut found = Vec::new();
    for event in removed {
        let (action, message) = (event.action.to_string(), event.message.text.clone());
        match unmatched.iter().position(|other| other.action == event.action) {
            Some(at) => {
                let fields = diverging(event, unmatched.remove(at));
                found.push(Divergence::Changed { action, fields });
            }
            None => found.push(Divergence::Removed { action, message }),
        }
    }
    found.extend(unmatched.into_iter().map(|event| {
        let (action, message) = (event.action.to_string(), event.message.text.clone());
        Divergence::Added { action, message }
    }));
    found
}

/// The fields in which two events differ, of those that a rule decides.
fn diverging(old: &Event, new: &Event) -> Vec<DivergingField> {
    let old = said(old);
    let pairs = old.into_iter().zip(said(new));
    let different = pairs.filter(|((_, old), (_, new))| old != new);
    different.map(|((field, old), (_, new))| DivergingField { field, old, new }).collect()
}

/// What a rule says of an event.
fn said(event: &Event) -> [(&'static str, Value); 10] {
    let target = |target: &Target| json!([target.kind, target.id, target.name, target.link]);
    let change = |change: &crate::event::Change| json!([change.field, change.from, change.to]);
    [
        ("action", json!(event.action)),
        ("message", json!(event.message.text)),
        ("outcome", json!(event.outcome.word())),
        ("workspace", json!(event.workspace)),
        ("category", json!(event.category)),
        ("title", json!(event.title)),
        ("actor", json!(event.actor.label())),
        ("targets", event.targets.iter().map(target).collect()),
        ("changes", event.changes.iter().map(change).collect()),
        ("details", json!(event.details)),
    ]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::{ended, set_of};
    use super::*;
    use crate::memory::Memory;
    use crate::rules::Caller;

    fn events(text: &str) -> Vec<Event> {
        let set = set_of(&format!("category = \"Things\"\n{text}"));
        let exchange = ended("POST /things", &json!({ "name": "Spade" }), 201, &Value::Null);
        let found = set.find("POST", "/things").unwrap();
        set.derive(found, &exchange, &Caller::default(), &Memory::new(9), &[]).events
    }

    #[test]
    fn what_both_say_is_no_difference_and_what_one_says_is() {
        let rule = |verb: &str, condition: &str, message: &str| {
            format!(
                "[thing.{verb}]\nwhen = \"POST /things\"\ntarget = false\nif = \"{condition}\"\nmessage = \"{message}\"\n"
            )
        };
        let made = rule("made", "true", "made {{ input.name }}");
        let old = events(&(made.clone() + &rule("seen", "true", "seen")));
        assert_eq!(divergences(&old, &old), []);
        let mut turned = old.clone();
        turned.reverse();
        turned[0].id = uuid::Uuid::from_u128(1);
        assert_eq!(divergences(&old, &turned), []);
        let new = events(&(rule("made", "true", "built {{ input.name }}") + &rule("kept", "true", "kept")));
        let expected = [
            Divergence::Changed {
                action: "thing.made".into(),
                fields: vec![DivergingField { field: "message", old: json!("made Spade"), new: json!("built Spade") }],
            },
            Divergence::Removed { action: "thing.seen".into(), message: "seen".into() },
            Divergence::Added { action: "thing.kept".into(), message: "kept".into() },
        ];
        assert_eq!(divergences(&old, &new), expected);
        let mut other = old.clone();
        other[1].workspace = Some(Arc::from("39"));
        assert!(matches!(&divergences(&old, &other)[..], [Divergence::Changed { fields, .. }] if fields.len() == 1));
    }
}
