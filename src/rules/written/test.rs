//! Walks the tests that stand below an action.

use std::ops::Range;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{self, Key};
use super::walker::{Entry, Walker, to_json};
use super::{Fetched, FilePart, SentBody, Step, Test};
use crate::problem::Problem;

/// The tests of an action.
pub(crate) fn tests(walker: &mut Walker<'_>, value: &Spanned<DeValue<'_>>) -> Vec<Test> {
    let tables = walker.tables(value);
    tables.into_iter().map(|(at, table)| test(walker, at, table)).collect()
}

fn test(walker: &mut Walker<'_>, at: Range<usize>, table: &DeTable<'_>) -> Test {
    let mut test = Test { step: step(walker, &at, table, "a test"), ..Test::default() };
    for (key, value) in table {
        match &**key.get_ref() {
            "given" => test.given = given(walker, value),
            "workspace" => test.workspace = walker.text(value).map(|said| said.value),
            "first" => {
                for (at, table) in walker.tables(value) {
                    test.first.push(step(walker, &at, table, "a step of `first`"));
                    other_keys(walker, table, keys::STEP, "a step of `first`");
                }
            }
            "fetched" => test.fetched = fetched(walker, value),
            "expect" => test.expect = expect(walker, value),
            _ => {}
        }
    }
    let has_expect = table.iter().any(|(key, _)| key.get_ref() == "expect");
    if !has_expect {
        walker.missing("expect", "a test", at.clone());
    }
    other_keys(walker, table, &[keys::STEP, keys::CASE].concat(), "a test");
    test.at = at;
    test
}

fn other_keys(walker: &mut Walker<'_>, table: &DeTable<'_>, known: &[Key], of: &str) {
    for (key, _) in table {
        let name = &**key.get_ref();
        if keys::has(known, name) {
            continue;
        }
        if keys::has(keys::ACTION, name) {
            walker.problems.push(
                Problem::error("after-test", format!("`{name}` of the rule stands below its test"))
                    .at(walker.source, key.span())
                    .label("TOML puts it into the test")
                    .help("move it above the first `[[….test]]`"),
            );
        } else {
            walker.unknown_key(name, key.span(), known, of);
        }
    }
}

fn step(walker: &mut Walker<'_>, at: &Range<usize>, table: &DeTable<'_>, of: &str) -> Step {
    let mut step = Step { status: 200, ..Step::default() };
    let mut sent = false;
    for entry in table {
        let (key, value) = entry;
        match &**key.get_ref() {
            "send" => {
                sent = true;
                let Some(said) = walker.text(value) else { continue };
                match said.value.split_once(' ').filter(|(_, target)| target.starts_with('/')) {
                    Some((method, target)) => (step.method, step.target) = (method.to_owned(), target.to_owned()),
                    None => walker.problems.push(
                        Problem::error("wrong-value", "`send` is a method, a space and the full path")
                            .at(walker.source, said.at)
                            .help("`send = \"POST /api/v1/documents?draft=1\"`"),
                    ),
                }
            }
            "as" => step.actor = walker.text(value).map(|said| said.value),
            "after" => step.after = walker.duration(value),
            "header" => step.header = texts(walker, value),
            "reply" => step.reply = texts(walker, value),
            "status" => {
                step.status = number(walker, value).and_then(|status| u16::try_from(status).ok()).unwrap_or(200)
            }
            "response" => step.response = Some(content(value)),
            "files" => step.files = files(walker, value),
            _ => body_key(walker, entry, &mut step),
        }
    }
    if !sent {
        walker.missing("send", of, at.clone());
    }
    step
}

fn body_key(walker: &mut Walker<'_>, (key, value): Entry<'_, '_>, step: &mut Step) {
    let body = match &**key.get_ref() {
        "body" => SentBody::Json(content(value)),
        "form" => SentBody::Form(texts(walker, value)),
        "fields" => SentBody::Fields(texts(walker, value)),
        "raw" => SentBody::Raw(walker.text(value).map(|said| said.value).unwrap_or_default()),
        _ => return,
    };
    if !matches!(step.sent, SentBody::Nothing) {
        walker.problems.push(
            Problem::error("wrong-value", "a request has one body")
                .at(walker.source, key.span())
                .help("keep one of `body`, `form`, `fields`, `raw`"),
        );
    }
    step.sent = body;
}

/// A body as a TOML value; or as the text of a JSON object or list, for what TOML cannot say (`null`).
fn content(value: &Spanned<DeValue<'_>>) -> Json {
    let json = to_json(value.get_ref());
    let text = json.as_str().filter(|text| text.trim_start().starts_with(['{', '[']));
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(json)
}

/// A table of texts; a list gives a name several values.
fn texts(walker: &mut Walker<'_>, value: &Spanned<DeValue<'_>>) -> Vec<(String, String)> {
    let DeValue::Table(table) = value.get_ref() else {
        walker.wrong_type(value, "a table");
        return Vec::new();
    };
    let plain = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut fields = Vec::new();
    for (name, value) in table {
        let name = name.get_ref().to_string();
        match to_json(value.get_ref()) {
            Json::Array(values) => fields.extend(values.iter().map(|value| (name.clone(), plain(value)))),
            value => fields.push((name, plain(&value))),
        }
    }
    fields
}

fn files(walker: &mut Walker<'_>, value: &Spanned<DeValue<'_>>) -> Vec<FilePart> {
    let elements = match to_json(value.get_ref()) {
        Json::Array(elements) => elements,
        one @ (Json::String(_) | Json::Object(_)) => vec![one],
        _ => {
            walker.wrong_type(value, "a list of file names");
            return Vec::new();
        }
    };
    let text = |element: &Json, key: &str| element.get(key).and_then(Json::as_str).map(str::to_owned);
    let file = |element: &Json| FilePart {
        field: text(element, "field").unwrap_or_else(|| "file".to_owned()),
        filename: element.as_str().map(str::to_owned).or_else(|| text(element, "filename")).unwrap_or_default(),
        content_type: text(element, "type"),
        size: element.get("size").and_then(Json::as_u64).unwrap_or(1),
    };
    elements.iter().map(file).collect()
}

fn given(walker: &mut Walker<'_>, value: &Spanned<DeValue<'_>>) -> Vec<(String, String, Json)> {
    let mut things = Vec::new();
    let Json::Object(kinds) = to_json(value.get_ref()) else {
        walker.wrong_type(value, "a table: `{ kind.ID = \"name\" }`");
        return things;
    };
    for (kind, ids) in kinds {
        let Json::Object(ids) = ids else {
            walker.wrong_type(value, "a table: `{ kind.ID = \"name\" }`");
            continue;
        };
        things.extend(ids.into_iter().map(|(id, state)| (kind.clone(), id, state)));
    }
    things
}

fn fetched(walker: &mut Walker<'_>, value: &Spanned<DeValue<'_>>) -> Option<Fetched> {
    let DeValue::Table(table) = value.get_ref() else {
        walker.wrong_type(value, "a table: `{ status, response, after_ms }`");
        return None;
    };
    let mut fetched = Fetched { status: 200, ..Fetched::default() };
    for (key, value) in table {
        match &**key.get_ref() {
            "status" => {
                fetched.status = number(walker, value).and_then(|status| u16::try_from(status).ok()).unwrap_or(200)
            }
            "response" => fetched.response = Some(content(value)),
            "after_ms" => fetched.after_ms = number(walker, value).unwrap_or(0),
            name => walker.unknown_key(name, key.span(), keys::FETCHED, "`fetched`"),
        }
    }
    Some(fetched)
}

fn number(walker: &mut Walker<'_>, value: &Spanned<DeValue<'_>>) -> Option<u64> {
    let number = to_json(value.get_ref()).as_u64();
    if number.is_none() {
        walker.wrong_type(value, "a number");
    }
    number
}

/// `expect`: every event; `"nothing"` is none.
fn expect(walker: &mut Walker<'_>, value: &Spanned<DeValue<'_>>) -> Vec<Json> {
    let expected = match to_json(value.get_ref()) {
        Json::String(word) if word == "nothing" => Vec::new(),
        Json::Array(elements) => elements,
        one @ (Json::String(_) | Json::Object(_)) => vec![one],
        _ => {
            walker.wrong_type(value, "a text, a list, a table or \"nothing\"");
            Vec::new()
        }
    };
    for table in expected.iter().filter_map(Json::as_object) {
        for key in table.keys().filter(|key| !keys::has(keys::EXPECT, key)) {
            walker.unknown_key(key, value.span(), keys::EXPECT, "`expect`");
        }
    }
    expected
}
