//! What an expression can see: one frame for each element of an operation.
//!
//! Names are looked up when asked for; nothing is put together beforehand that
//! no rule names.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, Serde};
use minijinja::{Error, State, Value};

use super::expression::{as_text, attribute, dig, is_there};
use super::things::to_json;
use crate::memory::{self, Remembered, Thing};

/// What is the same for every element of an operation.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) path: Value,
    pub(crate) query: Value,
    pub(crate) header: Value,
    pub(crate) input: Value,
    pub(crate) uploads: Value,
    pub(crate) status: Value,
    pub(crate) reply: Value,
    pub(crate) output: Value,
    pub(crate) error: Value,
    pub(crate) claim: Value,
    pub(crate) actor: Value,
}

/// What an expression sees: the facts, and what is known of one element.
#[derive(Clone, Debug, Default)]
pub(crate) struct Frame {
    pub(crate) facts: Arc<Facts>,
    pub(crate) each: Value,
    pub(crate) index: Value,
    pub(crate) joined: Value,
    pub(crate) token: Value,
    pub(crate) target: Value,
    pub(crate) workspace: Value,
    /// Things by the name that a rule calls them.
    pub(crate) things: Vec<(Arc<str>, Value)>,
    pub(crate) lets: Vec<(Arc<str>, Value)>,
    pub(crate) sent: Option<Sent>,
}

/// What was sent about the target, for `changed`, `added` and `removed`.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// The part of the input that holds the target.
    pub(crate) body: Value,
    /// The target's state before.
    pub(crate) before: Option<Arc<Thing>>,
    /// Whether an unknown former value counts as changed.
    pub(crate) fires_when_unknown: bool,
}

impl Frame {
    /// A frame without an element.
    pub(crate) fn of(facts: Arc<Facts>) -> Frame {
        Frame { facts, ..Frame::default() }
    }

    /// The value of a dotted path.
    pub(crate) fn look_up(self: &Arc<Frame>, path: &[Arc<str>]) -> Value {
        let Some((first, rest)) = path.split_first() else { return Value::UNDEFINED };
        let mut value = self.root(first).unwrap_or_default();
        for word in rest {
            value = attribute(&value, word);
        }
        value
    }

    fn root(self: &Arc<Frame>, name: &str) -> Option<Value> {
        let facts = &self.facts;
        if let Some((_, value)) = self.lets.iter().find(|(known, _)| &**known == name) {
            return Some(value.clone());
        }
        let value = match name {
            "path" => &facts.path,
            "query" => &facts.query,
            "header" => &facts.header,
            "input" => &facts.input,
            "uploads" => &facts.uploads,
            "upload" => return facts.uploads.get_item_by_index(0).ok(),
            "status" => &facts.status,
            "reply" => &facts.reply,
            "output" => &facts.output,
            "error" => &facts.error,
            "claim" => &facts.claim,
            "actor" => &facts.actor,
            "each" => &self.each,
            "index" => &self.index,
            "joined" => &self.joined,
            "token" => &self.token,
            "target" => &self.target,
            "changed" | "added" | "removed" => return self.question(name),
            _ => return self.thing(name),
        };
        Some(value.clone())
    }

    fn thing(&self, name: &str) -> Option<Value> {
        let named = |name: &str| self.things.iter().find(|(known, _)| &**known == name).map(|(_, value)| value.clone());
        if let Some(value) = named(name) {
            return Some(value);
        }
        if name == "workspace" {
            return Some(self.workspace.clone());
        }
        let thing = named(name.strip_suffix("_link")?)?.downcast_object::<Known>()?;
        Some(Value::from_object(Known { linked: true, ..(*thing).clone() }))
    }

    fn question(&self, name: &str) -> Option<Value> {
        let asked = match name {
            "changed" => Asked::Changed,
            "added" => Asked::Added,
            _ => Asked::Removed,
        };
        Some(Value::from_object(Question { asked, sent: self.sent.clone() }))
    }
}

impl Object for Frame {
    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.root(key)
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.root(key.as_str()?)
    }
}

/// `changed("f")`, `added("f")`, `removed("f")`.
#[derive(Debug)]
struct Question {
    asked: Asked,
    sent: Option<Sent>,
}

#[derive(Debug, Clone, Copy)]
enum Asked {
    Changed,
    Added,
    Removed,
}

impl Object for Question {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (Some(sent), Some(field)) = (&self.sent, args.first().and_then(Value::as_str)) else {
            return Ok(Value::UNDEFINED);
        };
        Ok(match self.asked {
            Asked::Changed => Value::from(sent.changed(field)),
            Asked::Added => difference(&sent.now(field), &sent.before(field).unwrap_or_default()),
            Asked::Removed => difference(&sent.before(field).unwrap_or_default(), &sent.now(field)),
        })
    }
}

impl Sent {
    /// What was sent for a field.
    pub(crate) fn now(&self, field: &str) -> Value {
        dig(&self.body, field)
    }

    /// The field before, where it is known.
    pub(crate) fn before(&self, field: &str) -> Option<Value> {
        let known = self.before.as_ref()?.field(field)?.value()?;
        Some(Value::from(Serde(known)))
    }

    /// Whether the field was sent and is not as it was.
    pub(crate) fn changed(&self, field: &str) -> bool {
        let now = self.now(field);
        if now.is_undefined() {
            return false;
        }
        match self.before.as_ref().and_then(|before| before.field(field)) {
            Some(Remembered::Value(before)) => !same(&now, &Value::from(Serde(before))),
            Some(Remembered::Digest(before)) => {
                let shown = to_json(&now);
                // What is left out of memory may be what changed.
                memory::digest(&shown) != before || serde_json::to_value(&now).is_ok_and(|now| now != shown)
            }
            None => self.fires_when_unknown,
        }
    }
}

/// Equal, or of the same text: a form's `1` is the `1` of JSON.
fn same(a: &Value, b: &Value) -> bool {
    a == b || matches!((as_text(a), as_text(b)), (Some(a), Some(b)) if a == b)
}

/// The elements of one list that the other lacks; missing where either is no list.
fn difference(of: &Value, without: &Value) -> Value {
    use minijinja::value::ValueKind::Seq;
    if of.kind() != Seq || without.kind() != Seq {
        return Value::UNDEFINED;
    }
    let (Ok(of), Ok(without)) = (of.try_iter(), without.try_iter()) else { return Value::UNDEFINED };
    let without: Vec<Value> = without.collect();
    Value::from(of.filter(|element| !without.iter().any(|other| same(element, other))).collect::<Vec<Value>>())
}

/// A thing as an expression sees it. Renders as its name, else its id.
#[derive(Clone, Default)]
pub(crate) struct Known {
    pub(crate) kind: Arc<str>,
    pub(crate) id: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) type_: Option<String>,
    pub(crate) link: Option<String>,
    /// Whether the rule asked for a link.
    pub(crate) linked: bool,
    /// What the exchange itself says of it, where it does.
    pub(crate) shown: Value,
    /// What the request says of it, where that is believed.
    pub(crate) told: Value,
    pub(crate) before: Option<Arc<Thing>>,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}", self.kind, self.id)
    }
}

impl Known {
    /// What to call it: its name, else its id.
    pub(crate) fn label(&self) -> Option<&str> {
        self.name.as_deref().or(self.id.as_deref())
    }

    /// Itself before the request.
    fn was(&self) -> Known {
        let name = self.before.as_ref().and_then(|before| before.name.clone());
        Known { name, shown: Value::UNDEFINED, told: Value::UNDEFINED, linked: false, ..self.clone() }
    }

    fn field(&self, name: &str) -> Option<Value> {
        let said = [&self.shown, &self.told].into_iter().map(|object| dig(object, name)).find(is_there);
        if said.is_some() {
            return said;
        }
        let known = self.before.as_ref()?.field(name)?.value()?;
        Some(Value::from(Serde(known)))
    }
}

impl Object for Known {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "id" => self.id.as_deref().map(Value::from),
            "name" => self.name.as_deref().map(Value::from),
            "type" => Some(Value::from(self.type_.as_deref().unwrap_or(&self.kind))),
            "link" => self.link.as_deref().map(Value::from),
            "was" => Some(Value::from_object(self.was())),
            field => self.field(field),
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn is_true(self: &Arc<Self>) -> bool {
        self.label().is_some()
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label().unwrap_or(""))
    }
}

/// The thing that a value is, if it is one.
pub(crate) fn thing_of(value: &Value) -> Option<&Known> {
    value.downcast_object_ref::<Known>()
}
