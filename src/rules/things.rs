//! Things as they are known in one exchange: what memory has of them, what the
//! exchange shows of them, and what it teaches.

use std::sync::Arc;

use jiff::Timestamp;
use minijinja::Value;
use minijinja::value::ValueKind;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value as Json};

use super::expression::{Expression, as_id, dig, is_there};
use super::load::is_secret;
use super::operation::Operation;
use super::ready::{Kind, NameForm};
use super::scope::{Facts, Frame, Known};
use super::template::{Text, write_value};
use crate::memory::{Key, Lesson, Recall, Thing};

/// What a value may keep of itself inside a link's path (RFC 3986 section 2.3).
const IN_LINK: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a thing stands in the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// The request is about the thing itself.
    AtItsAddress,
    /// The request makes it.
    Made,
    /// It is only mentioned.
    Mentioned,
}

/// An operation seen by one kind in one workspace.
pub(crate) struct View<'a> {
    pub(crate) kind: &'a Kind,
    pub(crate) operation: &'a Operation,
    pub(crate) memory: &'a dyn Recall,
    pub(crate) workspace: &'a str,
    /// The type, where one kind stands for many.
    pub(crate) type_: Option<String>,
}

impl View<'_> {
    /// A thing by its id, or the one that the answer holds.
    pub(crate) fn thing(&self, id: Option<String>, stands: Stands) -> Known {
        let output = &self.operation.facts.output;
        let shown = self.shown(output, id.as_deref(), stands);
        // The id in a body counts more than the one in the address: `/users/me`, a slug.
        let id = if stands == Stands::Mentioned { id } else { as_id(&dig(&shown, &self.kind.id)).or(id) };
        let before = id.as_deref().and_then(|id| self.recall(id));
        let told = self.told(stands);
        let facts = &self.operation.facts;
        let name = name_of(&self.kind.names, &shown, facts)
            .or_else(|| name_of(&self.kind.names, &told, facts))
            .or_else(|| before.as_ref().and_then(|before| before.name.clone()));
        let mut known = Known {
            kind: Arc::clone(&self.kind.name),
            id,
            name,
            type_: self.type_.clone(),
            link: None,
            linked: false,
            shown,
            told,
            before,
        };
        known.link = self.link(&known);
        known
    }

    /// A thing that an element of a list is, or whose id it is.
    pub(crate) fn element(&self, each: &Value) -> Known {
        let is_object = each.kind() == ValueKind::Map;
        let id = as_id(&if is_object { dig(each, &self.kind.id) } else { each.clone() });
        let before = id.as_deref().and_then(|id| self.recall(id));
        let known = before.as_ref().and_then(|before| before.name.clone());
        let said = name_of(&self.kind.names, each, &self.operation.facts);
        let succeeded = self.operation.teaches();
        let name = if succeeded { said.or(known) } else { known.or(said) };
        let shown = if succeeded && is_object { each.clone() } else { Value::UNDEFINED };
        let mut known = Known { kind: Arc::clone(&self.kind.name), id, name, shown, before, ..Known::default() };
        known.type_.clone_from(&self.type_);
        known.link = self.link(&known);
        known
    }

    /// What is known of an id: in this workspace, else of things that belong to none.
    pub(crate) fn recall(&self, id: &str) -> Option<Arc<Thing>> {
        let kind = self.memory_kind();
        if self.kind.is_workspace() {
            return self.memory.recall(id, &kind, id).or_else(|| self.memory.recall("", &kind, id));
        }
        let own = self.memory.recall(self.workspace, &kind, id);
        own.or_else(|| if self.workspace.is_empty() { None } else { self.memory.recall("", &kind, id) })
    }

    /// The object of a successful answer that is the thing.
    fn shown(&self, output: &Value, id: Option<&str>, stands: Stands) -> Value {
        if stands == Stands::Mentioned && id.is_none() {
            return Value::UNDEFINED;
        }
        let held = self.kind.one.iter().map(|path| dig(output, path));
        let mut fits = held.filter(|value| {
            value.kind() == ValueKind::Map
                && match (dig(value, &self.kind.id), id) {
                    (found, Some(id)) if found.as_str() == Some(id) => !id.is_empty(),
                    (found, id) => as_id(&found).is_some_and(|found| match id {
                        Some(id) => found == id || stands == Stands::AtItsAddress,
                        None => stands != Stands::Mentioned,
                    }),
                }
        });
        fits.next().unwrap_or_default()
    }

    /// What the request says of it: believed when it made or changed it, and when it made it and failed
    /// (a thing that is not there has no other name).
    fn told(&self, stands: Stands) -> Value {
        let operation = self.operation;
        let changes =
            ["PUT", "PATCH"].contains(&&*operation.method) && stands == Stands::AtItsAddress && operation.teaches();
        if changes || stands == Stands::Made {
            let told = self.kind.sent_in(&operation.facts.input);
            if told.kind() == ValueKind::Map {
                return told;
            }
        }
        Value::UNDEFINED
    }

    pub(crate) fn link(&self, known: &Known) -> Option<String> {
        let text = self.kind.link.as_ref()?;
        let own = |value: &Option<String>| value.as_deref().map(Value::from).unwrap_or_default();
        let workspace = Known { id: Some(self.workspace.to_owned()).filter(|id| !id.is_empty()), ..Known::default() };
        let frame = Frame {
            lets: vec![("id".into(), own(&known.id)), ("name".into(), own(&known.name))],
            workspace: Value::from_object(workspace),
            ..Frame::of(Arc::clone(&self.operation.facts))
        };
        let link = text.write_whole(&Arc::new(frame), |value| utf8_percent_encode(value, IN_LINK).to_string())?;
        is_safe_link(&link).then_some(link)
    }

    fn memory_kind(&self) -> Arc<str> {
        match &self.type_ {
            Some(type_) => format!("{}/{type_}", self.kind.name).into(),
            None => Arc::clone(&self.kind.name),
        }
    }

    pub(crate) fn key(&self, id: &str) -> Key {
        let workspace = if self.kind.is_workspace() { id } else { self.workspace };
        Key { workspace: workspace.into(), kind: self.memory_kind(), id: id.into() }
    }

    /// What objects teach of the thing with that id, the first that says something of a field counts; nothing if
    /// they say nothing.
    pub(crate) fn lesson(&self, id: &str, objects: &[&Value], names: &[NameForm], seen: Timestamp) -> Option<Lesson> {
        let name = objects.iter().find_map(|object| name_of(names, object, &self.operation.facts));
        let mut fields = Map::new();
        for field in &self.kind.fields {
            let value = objects.iter().map(|object| dig(object, field)).find(|value| !value.is_undefined());
            if let Some(value) = value {
                fields.insert(str::to_owned(field), to_json(&value));
            }
        }
        (name.is_some() || !fields.is_empty()).then(|| Lesson { key: self.key(id), name, fields, gone: false, seen })
    }
}

/// A thing's name: the first form that is there.
pub(crate) fn name_of(forms: &[NameForm], object: &Value, facts: &Arc<Facts>) -> Option<String> {
    if object.kind() != ValueKind::Map {
        return None;
    }
    forms.iter().find_map(|form| match form {
        NameForm::Field(path) => {
            let value = dig(object, path);
            let mut name = String::new();
            (is_there(&value) && write_value(&value, &mut name)).then_some(name).filter(|name| !name.is_empty())
        }
        NameForm::Text(text) => {
            // The names in such a text are fields of the thing itself.
            let roots = text.expressions().flat_map(Expression::roots);
            let lets = roots.map(|root| (Arc::from(root), dig(object, root))).collect();
            text_with(text, Frame { lets, ..Frame::of(Arc::clone(facts)) })
        }
    })
}

fn text_with(text: &Text, frame: Frame) -> Option<String> {
    text.write_whole(&Arc::new(frame), str::to_owned)
}

/// `http:`, `https:`, or a path of this host.
fn is_safe_link(link: &str) -> bool {
    let web = link.starts_with("http://") || link.starts_with("https://");
    let path = link.starts_with('/') && !link.starts_with("//") && !link.starts_with("/\\");
    (web || path) && !link.chars().any(char::is_control)
}

/// A value as JSON; a thing is its name.
///
/// Where a rule names a field and a whole object comes, what is called like a
/// secret inside it was named by nobody: its value is left out.
pub(crate) fn to_json(value: &Value) -> Json {
    if let Some(thing) = super::scope::thing_of(value) {
        return thing.label().map_or(Json::Null, Json::from);
    }
    if let Some(text) = value.as_str() {
        return Json::from(text);
    }
    let mut json = serde_json::to_value(value).unwrap_or(Json::Null);
    redact(&mut json);
    json
}

fn redact(json: &mut Json) {
    match json {
        Json::Array(values) => values.iter_mut().for_each(redact),
        Json::Object(fields) => {
            for (name, value) in fields {
                if is_secret(name) { *value = Json::from("[redacted]") } else { redact(value) }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_inside_an_object_that_a_rule_names_is_left_out() {
        let sent = serde_json::json!({ "a": [{ "Password": "x", "b": 1 }], "token": { "c": "y" } });
        let kept = to_json(&Value::from(minijinja::value::Serde(sent)));
        assert_eq!(kept, serde_json::json!({ "a": [{ "Password": "[redacted]", "b": 1 }], "token": "[redacted]" }));
    }

    #[test]
    fn only_web_addresses_and_own_paths_are_links() {
        for (link, safe) in [
            ("/w/39", true),
            ("https://x.it/", true),
            ("//x.it", false),
            ("javascript:alert(1)", false),
            ("/\\x", false),
            ("/a\nb", false),
        ] {
            assert_eq!(is_safe_link(link), safe, "{link}");
        }
    }
}
