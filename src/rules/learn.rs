//! What an exchange teaches: the things that stand at an address, in a
//! collection, in other places that a kind names, and the target of an action.
//! Only a success teaches.

use jiff::Timestamp;
use minijinja::Value;
use minijinja::value::ValueKind;

use super::derive::{Run, elements};
use super::element::Element;
use super::entry::Teacher;
use super::expression::{as_id, as_text, attribute, dig};
use super::operation::Operation;
use super::ready::Kind;
use super::things::View;
use crate::event::Outcome;
use crate::memory::Lesson;

/// A list longer than this teaches its beginning.
const MOST_THINGS: usize = 10_000;

/// What an exchange at a kind's address or collection teaches.
pub(crate) fn from_address(run: &mut Run<'_>, teacher: &Teacher, operation: &Operation) {
    let Some(kind) = run.set.ready.kinds.get(teacher.kind).filter(|_| operation.teaches()) else { return };
    let seen = run.whole.finished;
    let workspace = workspace_of(kind, operation);
    let view = view(run, kind, operation, &workspace);
    let id = teacher.id.and_then(|id| teacher.template.names.get(id));
    let id = id.and_then(|name| as_id(&attribute(&operation.facts.path, name)));
    let mut lessons = Vec::new();
    if teacher.collection {
        collection(&view, seen, &mut lessons);
    } else {
        address(&view, id, seen, &mut lessons);
    }
    run.derived.lessons.extend(lessons);
}

fn collection(view: &View<'_>, seen: Timestamp, lessons: &mut Vec<Lesson>) {
    let (kind, operation) = (view.kind, view.operation);
    let output = &operation.facts.output;
    let held = |object: &Value| as_id(&dig(object, &kind.id));
    if &*operation.method == "POST"
        && let Some((object, id)) = one(kind, output)
    {
        // The answer may hold no more than the new id: the request says the rest.
        let told = kind.sent_in(&operation.facts.input);
        lessons.extend(view.lesson(&id, &[&object, &told], &kind.names, seen));
    }
    for object in many(kind, output) {
        lessons.extend(held(&object).and_then(|id| view.lesson(&id, &[&object], &kind.names, seen)));
    }
}

fn address(view: &View<'_>, id: Option<String>, seen: Timestamp, lessons: &mut Vec<Lesson>) {
    let (kind, operation) = (view.kind, view.operation);
    let found = one(kind, &operation.facts.output);
    if &*operation.method == "DELETE" {
        // A tombstone for a thing nobody knew would keep nothing.
        if let Some(id) = id.filter(|id| view.recall(id).is_some()) {
            lessons.push(Lesson { key: view.key(&id), name: None, fields: serde_json::Map::new(), gone: true, seen });
        }
        return;
    }
    let id = found.as_ref().map(|(_, id)| id.clone()).or(id);
    let Some(id) = id else { return };
    let changes = ["PUT", "PATCH"].contains(&&*operation.method);
    let told = if changes { kind.sent_in(&operation.facts.input) } else { Value::UNDEFINED };
    let shown = found.map(|(object, _)| object).unwrap_or_default();
    lessons.extend(view.lesson(&id, &[&shown, &told], &kind.names, seen));
}

/// What the other places teach: a search, `GET /me`, a GraphQL query.
pub(crate) fn from_elsewhere(run: &mut Run<'_>, number: usize, operation: &Operation) {
    let ready = &run.set.ready;
    let Some(learn) = ready.learns.get(number).filter(|_| operation.teaches()) else { return };
    let Some(kind) = ready.kinds.get(learn.kind) else { return };
    let seen = run.whole.finished;
    let frame = &operation.frame;
    let workspace = match &learn.in_workspace {
        Some(chain) => as_text(&chain.value(frame)).unwrap_or_default(),
        None => workspace_of(kind, operation),
    };
    let objects = if learn.each.0.is_empty() {
        let output = &operation.facts.output;
        let mut objects = many(kind, output);
        objects.extend(one(kind, output).map(|(object, _)| object));
        objects
    } else {
        elements(&learn.each.value(frame)).unwrap_or_default()
    };
    let view = view(run, kind, operation, &workspace);
    let names = if learn.names.is_empty() { &kind.names } else { &learn.names };
    let id_at = learn.id.as_deref().unwrap_or(&kind.id);
    let lesson = |object: Value| view.lesson(&as_id(&dig(&object, id_at))?, &[&object], names, seen);
    let lessons: Vec<Lesson> = objects.into_iter().take(MOST_THINGS).filter_map(lesson).collect();
    run.derived.lessons.extend(lessons);
}

/// What the successful answer of an action says of its target.
pub(crate) fn from_target(element: &Element<'_>, seen: Timestamp) -> Vec<Lesson> {
    if element.outcome != Outcome::Success || element.target_teaches_itself() {
        return Vec::new();
    }
    let Some((view, target)) = element.target_view() else { return Vec::new() };
    let Some(id) = &target.id else { return Vec::new() };
    if element.target_is_gone() {
        let known = target.before.is_some();
        let gone = || Lesson { key: view.key(id), name: None, fields: serde_json::Map::new(), gone: true, seen };
        return known.then(gone).into_iter().collect();
    }
    let shown = view.lesson(id, &[&target.shown], &view.kind.names, seen);
    let unknown = target.before.as_ref().is_none_or(|before| before.name.is_none());
    let named = (element.has_own_name() && unknown && target.name.is_some()).then(|| Lesson {
        key: view.key(id),
        name: target.name.clone(),
        fields: serde_json::Map::new(),
        gone: false,
        seen,
    });
    named.into_iter().chain(shown).collect()
}

/// The object in an answer that has an id, and its id.
pub(crate) fn one(kind: &Kind, output: &Value) -> Option<(Value, String)> {
    kind.one.iter().find_map(|path| {
        let object = dig(output, path);
        let id = as_id(&dig(&object, &kind.id)).filter(|_| object.kind() == ValueKind::Map)?;
        Some((object, id))
    })
}

/// The objects of the first list in an answer.
pub(crate) fn many(kind: &Kind, output: &Value) -> Vec<Value> {
    let list = kind.many.iter().map(|path| dig(output, path)).find(|list| list.kind() == ValueKind::Seq);
    list.and_then(|list| list.try_iter().ok().map(|objects| objects.take(MOST_THINGS).collect())).unwrap_or_default()
}

fn workspace_of(kind: &Kind, operation: &Operation) -> String {
    as_text(&kind.in_workspace.value(&operation.frame)).unwrap_or_default()
}

fn view<'a>(run: &Run<'a>, kind: &'a Kind, operation: &'a Operation, workspace: &'a str) -> View<'a> {
    let type_ = if kind.type_.0.is_empty() { None } else { as_text(&kind.type_.value(&operation.frame)) };
    View { kind, operation, memory: run.memory, workspace, type_ }
}
