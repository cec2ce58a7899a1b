//! The test of a drafted action: an exchange with only what the rule uses, and the sentence that it must give.
//!
//! The sentence is put together here, from what the test itself says, and not by the engine that the test asks.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::actions::Action;
use super::kinds::Kind;
use super::route::Operation;
use super::standing::Standing;
use super::{body, clean, described};

/// A test below an action.
#[derive(Clone, Debug, Default)]
pub(super) struct Test {
    /// Kind, id, name.
    pub(super) given: Vec<(String, String, String)>,
    pub(super) send: String,
    pub(super) body: Value,
    pub(super) is_form: bool,
    pub(super) status: u16,
    pub(super) response: Value,
    pub(super) expect: String,
    pub(super) failed: bool,
    /// Whether the sentence can name its thing.
    pub(super) named: bool,
}

impl Test {
    /// Makes it the test of a refusal, told of whom.
    pub(super) fn fails_with(&mut self, field: &str, value: &str, is_form: bool, expect: &str) {
        (self.status, self.failed) = (401, true);
        self.body = json!({ field: value });
        self.is_form = is_form;
        expect.clone_into(&mut self.expect);
    }
}

/// A test that sends no body and is answered with none.
pub(super) fn plain(operation: &Operation, expect: String) -> Test {
    let status = operation.sample.status;
    let status = if (200..400).contains(&status) && status != 304 { status } else { 200 };
    Test { send: format!("{} {}", operation.method, operation.sent()), status, expect, ..Test::default() }
}

/// The text of a segment that was sent.
fn sent_at(operation: &Operation, place: usize) -> String {
    let sent = operation.sample.path.get(place).map_or("", String::as_str);
    percent_decode_str(sent).decode_utf8_lossy().into_owned()
}

/// Puts values at dotted paths into an object; `.` is the object itself.
pub(super) fn held(path: &str, object: Value) -> Value {
    if path == "." {
        return object;
    }
    path.rsplit('.').fold(object, |inner, word| {
        let mut outer = Map::new();
        outer.insert(word.to_owned(), inner);
        Value::Object(outer)
    })
}

/// An id that an answer may show.
fn shown_id(object: Option<&body::Object>, kind: &Kind, id: &str) -> Value {
    match object.and_then(|object| object.get(id)) {
        Some(Value::String(text)) if text != described::SOME_TEXT && !text.is_empty() => Value::from(clean::text(text)),
        Some(Value::Number(number)) => Value::from(number.clone()),
        // Where the name is the id, both are the same.
        _ if kind.label.as_deref() == Some(id) => Value::from(kind.example.clone()),
        _ => Value::from(format!("{}-1", kind.name.replace('_', "-"))),
    }
}

/// The test of a usual action.
pub(super) fn usual(operation: &Operation, kind: &Kind, verb: &str) -> Test {
    let words = kind.words();
    let mut test = plain(operation, String::new());
    let label = kind.label.as_deref().unwrap_or("name");
    let input = &operation.sample.input;
    let inner = kind.sent.as_ref().map_or(Some(input), |path| input.get(path));
    let tells = inner.is_some_and(|inner| inner.get(label).is_some_and(Value::is_string)) && operation.sample.files.is_empty()
        // A form has no tables.
        && !(operation.sample.is_form && kind.sent.is_some());
    let said = inner.and_then(|inner| inner.get(label)).and_then(Value::as_str).filter(|_| operation.sample.recorded);
    let said = said.map(clean::text).filter(|name| !name.is_empty() && !name.contains(['{', '}']));
    let example = said.unwrap_or_else(|| kind.example.clone());
    if verb == "created" {
        let id = kind.id.as_deref().unwrap_or("id");
        let shown = body::one(&operation.sample.output, &kind.name, id, None);
        let usual = if kind.one.is_empty() { vec![kind.name.clone(), ".".to_owned()] } else { kind.one.clone() };
        let shown = shown.filter(|(path, _)| usual.contains(path) && kind.id.is_some());
        let mut name = None;
        if tells {
            test.body = told(kind, label, &example);
            test.is_form = operation.sample.is_form;
            name = Some(example.clone());
        }
        if let Some((path, object)) = &shown {
            let own = shown_id(Some(object), kind, id);
            let mut answer = Map::new();
            name = name.or_else(|| body::label(&own));
            answer.insert(id.to_owned(), own);
            if object.get(label).is_some_and(Value::is_string) {
                answer.insert(label.to_owned(), Value::from(example.clone()));
                name = Some(example);
            }
            test.response = held(path, Value::Object(answer));
        }
        test.named = name.is_some();
        test.expect = match name {
            Some(name) => format!("Created {words} {name}"),
            None => format!("Created {words}"),
        };
        return test;
    }
    let id = sent_at(operation, kind.address.len() - 1);
    let past = if verb == "edited" { "Edited" } else { "Deleted" };
    test.named = true;
    if verb == "edited" && tells && operation.method != "POST" {
        test.body = told(kind, label, &example);
        test.is_form = operation.sample.is_form;
        test.expect = format!("{past} {words} {example}");
    } else {
        let name = kind.called(&id).to_owned();
        test.expect = format!("{past} {words} {name}");
        test.given.push((kind.name.clone(), id, name));
    }
    test
}

/// A request that says what a thing is called.
fn told(kind: &Kind, label: &str, name: &str) -> Value {
    held(kind.sent.as_deref().unwrap_or("."), json!({ label: name }))
}

/// The test of a thing that is made at another route.
pub(super) fn elsewhere(operation: &Operation, kind: &Kind, path: &str, id: &str, label: &str) -> Test {
    let mut test = plain(operation, format!("Created {} {}", kind.words(), kind.example));
    let object = body::one(&operation.sample.output, &kind.name, id, None).map(|(_, object)| object);
    let mut answer = Map::new();
    answer.insert(id.to_owned(), shown_id(object, kind, id));
    answer.insert(label.to_owned(), Value::from(kind.example.clone()));
    test.response = held(path, Value::Object(answer));
    test
}

/// The test of any other heading.
pub(super) fn other(operation: &Operation, action: &Action, standing: &Standing<'_>) -> Test {
    let mut expect = action.message.clone();
    let mut test = plain(operation, String::new());
    let put =
        |expect: &mut String, name: &str, value: &str| *expect = expect.replace(&format!("{{{{ {name} }}}}"), value);
    let parameter = |path: &str| {
        let name = path.strip_prefix("path.").unwrap_or(path);
        let at = operation.segments.iter().position(|segment| segment.parameter() == Some(name));
        // Of a part of a segment the name itself was sent.
        at.map_or_else(|| name.to_owned(), |at| sent_at(operation, at))
    };
    for (name, chain) in &action.lets {
        let path = chain.first().map_or("", String::as_str);
        if let Some(field) = path.strip_prefix("input.") {
            let said = operation.sample.input.get(field).and_then(Value::as_str).filter(|_| operation.sample.recorded);
            let value = said.map(clean::text).unwrap_or_else(|| super::kinds::example(&action.resource, field));
            put(&mut expect, name, &value);
            test.body = json!({ field: value });
            test.is_form = operation.sample.is_form;
        } else {
            put(&mut expect, name, &parameter(path));
        }
    }
    for (name, path) in &action.with {
        let kind = standing.kinds.iter().find(|kind| kind.name == *name);
        let example = kind.map_or_else(|| "First".to_owned(), |kind| kind.example.clone());
        put(&mut expect, name, &example);
        test.given.push((name.clone(), parameter(path), example));
    }
    for length in 1..=operation.segments.len() {
        let Some(kind) = operation.segments.get(..length).and_then(|segments| standing.at(segments)) else { continue };
        if action.message.contains(&format!("{{{{ {} }}}}", kind.name)) {
            let id = sent_at(operation, length - 1);
            put(&mut expect, &kind.name, kind.called(&id));
            test.given.push((kind.name.clone(), id.clone(), kind.called(&id).to_owned()));
        }
    }
    test.expect = expect;
    test
}
