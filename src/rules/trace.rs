//! Why an action did or did not give an event: told by the derivation itself,
//! so that it cannot disagree with what traffic gives.

use std::sync::Arc;

use minijinja::Value;
use serde_json::Value as Json;

use super::element::Element;
use super::entry::Bound;
use super::expression::{Chain, Expression, is_there};
use super::ready::Action;
use super::scope::{Frame, thing_of};
use super::things::to_json;
use crate::event::Event;

/// An action that stands at the route of an exchange, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// `document.tag_deleted`
    pub action: Arc<str>,
    /// Its file.
    pub file: Arc<str>,
    /// The line of its heading, from 1.
    pub line: usize,
    /// The route that matched, with the prefix: `/api/documents/{id}/tags/{tag}`; or a call's name.
    pub route: String,
    /// What came of it, one by one of `each`.
    pub fates: Vec<Fate>,
}

/// What came of one element.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It gave an event.
    Fired {
        /// Its sentence.
        message: String,
        /// `success`
        outcome: &'static str,
        /// Every value that it asked for.
        values: Vec<Valued>,
    },
    /// It did not.
    Silent {
        /// Why not, as a sentence.
        why: String,
        /// The values that decided.
        values: Vec<Valued>,
    },
}

/// A value, and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Valued {
    /// `let.role`, `if`, `target` …
    pub key: String,
    /// The expression that gave it; of a list the first whose value is there.
    pub expression: String,
    /// The value; `None`: nobody sent it.
    pub value: Option<Json>,
}

/// Why an element gives no event, with the frame in which that was found out.
#[derive(Debug)]
pub(crate) enum Silence {
    /// `if` does not hold.
    Condition(Arc<Frame>),
    /// None of the fields of `changed` was sent and is not as it was.
    Unchanged(Arc<Frame>),
}

impl Silence {
    pub(crate) fn fate(&self, action: &Action) -> Fate {
        let (why, values) = match self {
            Silence::Condition(frame) => {
                let value = |it: &Expression| Valued::of("if", it, &it.value(frame));
                ("its `if` does not hold", action.condition.iter().map(value).collect())
            }
            Silence::Unchanged(frame) => {
                let values = action.changed.iter().map(|field| change(frame, field)).collect();
                ("none of its `changed` fields was sent and is not as it was", values)
            }
        };
        Fate::Silent { why: why.to_owned(), values }
    }
}

impl Candidate {
    pub(crate) fn of(action: &Action, bound: &Bound) -> Candidate {
        let before = action.source.text.get(..action.at.start).unwrap_or_default();
        Candidate {
            action: Arc::clone(&action.key),
            file: Arc::clone(&action.file),
            line: before.matches('\n').count() + 1,
            route: bound.place.text().to_owned(),
            fates: Vec::new(),
        }
    }
}

impl Fate {
    pub(crate) fn fired(event: &Event, element: &Element<'_>) -> Fate {
        let (message, outcome) = (event.message.text.clone(), event.outcome.word());
        Fate::Fired { message, outcome, values: element.values() }
    }

    pub(crate) fn silent(why: &str) -> Fate {
        Fate::Silent { why: why.to_owned(), values: Vec::new() }
    }
}

impl Valued {
    /// The value of an expression in a frame.
    pub(crate) fn of(key: &str, expression: &Expression, value: &Value) -> Valued {
        Valued { key: key.to_owned(), expression: expression.text.to_string(), value: shown(value) }
    }

    /// The value of a chain: with the expression that gave it, or all of them where none did.
    pub(crate) fn of_chain(key: &str, chain: &Chain, frame: &Arc<Frame>) -> Option<Valued> {
        if chain.0.is_empty() {
            return None;
        }
        let found = chain.0.iter().map(|expression| (expression, expression.value(frame)));
        let found = found.into_iter().find(|(_, value)| is_there(value));
        Some(match found {
            Some((expression, value)) => Valued::of(key, expression, &value),
            None => {
                let all: Vec<&str> = chain.0.iter().map(|expression| &*expression.text).collect();
                Valued { key: key.to_owned(), expression: all.join(", "), value: None }
            }
        })
    }
}

/// A value for people: of a thing its name and id.
pub(crate) fn shown(value: &Value) -> Option<Json> {
    if !is_there(value) {
        return None;
    }
    Some(match thing_of(value) {
        Some(thing) => serde_json::json!({ "kind": thing.kind, "id": thing.id, "name": thing.name }),
        None => to_json(value),
    })
}

impl Element<'_> {
    /// Every value that the action asked for, in the order in which they are asked.
    pub(crate) fn values(&self) -> Vec<Valued> {
        let (action, frame) = (self.setting.action, self.frame());
        let mut values = Vec::new();
        values.extend(Valued::of_chain("in_workspace", &action.in_workspace, frame));
        if let Some(each) = &action.each {
            let list: Vec<&str> = each.0.iter().map(|expression| &*expression.text).collect();
            values.push(Valued { key: "each".to_owned(), expression: list.join(", "), value: shown(&frame.each) });
        }
        if let Some(join) = &action.join {
            let list: Vec<&str> = join.0.iter().map(|expression| &*expression.text).collect();
            values.push(Valued { key: "join".to_owned(), expression: list.join(", "), value: shown(&frame.joined) });
        }
        if let Some(target) = self.target.as_deref() {
            let known =
                target.before.as_ref().is_some_and(|before| before.name.is_some() && before.name == target.name);
            values.push(Valued {
                key: "target".to_owned(),
                expression: if known { "its name is remembered" } else { "its name is of this exchange" }.to_owned(),
                value: Some(serde_json::json!({ "kind": target.kind, "id": target.id, "name": target.name })),
            });
        }
        for (name, chain) in &action.lets {
            values.extend(Valued::of_chain(&format!("let.{name}"), chain, frame));
        }
        for field in &action.changed {
            values.push(change(frame, field));
        }
        for (key, expression) in [("if", &action.condition), ("success", &action.success)] {
            values.extend(expression.iter().map(|it| Valued::of(key, it, &it.value(frame))));
        }
        let texts = [Some(&action.message), action.message_failed.as_ref()];
        for expression in texts.into_iter().flatten().flat_map(super::template::Text::expressions) {
            let value = Valued::of("message", expression, &expression.value(frame));
            // What `let` says is there already.
            let is_let = action.lets.iter().any(|(name, _)| **name == *value.expression);
            if !is_let && !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }
}

/// A field as it was and as it was sent.
fn change(frame: &Arc<Frame>, field: &str) -> Valued {
    let sent = frame.sent.as_ref();
    let from = sent.and_then(|sent| sent.before(field)).and_then(|value| shown(&value));
    let to = sent.and_then(|sent| shown(&sent.now(field)));
    let value = (from.is_some() || to.is_some()).then(|| serde_json::json!({ "from": from, "to": to }));
    Valued { key: "changed".to_owned(), expression: field.to_owned(), value }
}
