//! Where things stand in bodies: which object one is, where its id and its name are, how lists are wrapped.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::clean;

/// Fields that are ids, the likeliest first.
pub(super) const IDS: [&str; 14] =
    ["id", "_id", "uuid", "uid", "guid", "slug", "key", "number", "login", "username", "code", "sid", "handle", "name"];
/// Fields that people call a thing by, the likeliest first; compared without `_` and case.
const NAMES: [&str; 23] = [
    "name",
    "title",
    "label",
    "displayname",
    "fullname",
    "subject",
    "headline",
    "filename",
    "originalfilename",
    "email",
    "emailaddress",
    "username",
    "login",
    "nickname",
    "identifier",
    "slug",
    "key",
    "hostname",
    "domain",
    "code",
    "reference",
    "summary",
    "description",
];

/// One object.
pub(super) type Object = Map<String, Value>;

/// A value as an id: a text or a whole number.
pub(super) fn label(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

/// Every place of a body in which an object or a list of objects stands: `.`, its fields, theirs.
pub(super) fn places(body: &Value) -> Vec<(String, &Value)> {
    let mut found = vec![(".".to_owned(), body)];
    for (name, value) in body.as_object().into_iter().flatten().filter(|(name, _)| !name.contains('.')) {
        found.push((name.clone(), value));
        for (inner, value) in value.as_object().into_iter().flatten().filter(|(name, _)| !name.contains('.')) {
            found.push((format!("{name}.{inner}"), value));
        }
    }
    found.retain(|(_, value)| value.is_object() || value.is_array());
    found
}

/// The objects that a body is, or that lists near its top hold.
pub(super) fn objects(body: &Value) -> Vec<&Object> {
    let mut found = Vec::new();
    for (_, value) in places(body) {
        match value {
            Value::Object(object) => found.push(object),
            Value::Array(elements) => found.extend(elements.iter().filter_map(Value::as_object)),
            _ => {}
        }
    }
    found
}

/// Whether an object has that id, where it is known.
fn has(object: &Object, field: &str, id: Option<&str>) -> bool {
    object.get(field).and_then(label).is_some_and(|found| id.is_none_or(|id| found == id))
}

/// Where a body holds one thing; `id` is its id where it is known.
pub(super) fn one<'a>(body: &'a Value, kind: &str, field: &str, id: Option<&str>) -> Option<(String, &'a Object)> {
    let mut places = places(body);
    places.sort_by_key(|(path, _)| (path != kind, path != ".", path.matches('.').count()));
    let mut objects = places.into_iter().filter_map(|(path, value)| Some((path, value.as_object()?)));
    objects.find(|(_, object)| has(object, field, id))
}

/// Where a body holds several things, and the first of them.
pub(super) fn many<'a>(body: &'a Value, kind: &str, collection: &str, field: &str) -> Option<(String, &'a Object)> {
    let mut places = places(body);
    let usual = format!("{kind}s");
    places.sort_by_key(|(path, _)| (*path != usual, path != ".", path != collection, path.matches('.').count()));
    let lists = places.into_iter().filter_map(|(path, value)| Some((path, value.as_array()?.first()?.as_object()?)));
    lists.into_iter().find(|(_, object)| has(object, field, None))
}

/// The field of objects that a recorded path has in its place.
pub(super) fn id_seen(objects: &[&Object], sent: &str) -> Option<String> {
    let same = |field: &&&str| objects.iter().any(|object| has(object, field, Some(sent)));
    if let Some(field) = IDS.iter().find(same) {
        return Some((*field).to_owned());
    }
    let named = |object: &&Object| {
        let found = object.iter().find(|(_, value)| label(value).as_deref() == Some(sent));
        found.map(|(name, _)| name.clone())
    };
    objects.iter().find_map(named).filter(|field| plain(field))
}

/// The field of objects that a description's parameter means: by its name, and by whether both are numbers.
pub(super) fn id_meant(objects: &[&Object], kind: &str, parameter: &str, is_number: bool) -> Option<String> {
    let of = |field: &str| {
        let found = objects.iter().find_map(|object| object.get_key_value(field));
        found.filter(|(_, value)| label(value).is_some()).map(|(name, _)| name.clone())
    };
    let called = |wished: &str| {
        let mut names = objects.iter().flat_map(|object| object.iter());
        let same = |name: &str| name.replace('_', "").eq_ignore_ascii_case(&wished.replace('_', ""));
        let fits =
            |name: &str, value| same(name) && plain(name) && !clean::is_secret_field(name) && label(value).is_some();
        names.find(|(name, value)| fits(name, value)).map(|(name, _)| name.clone())
    };
    let lower = parameter.to_lowercase();
    let is_id = lower.ends_with("id") && !lower.ends_with("uuid");
    let is_kind = |word: &str| word.replace('_', "") == kind.replace('_', "");
    if !is_id
        && !is_kind(&lower)
        && let Some(field) = called(parameter)
    {
        return Some(field);
    }
    let bare = lower.strip_prefix(&kind.replace('_', "")).or_else(|| lower.strip_prefix(kind)).unwrap_or(&lower);
    let bare = bare.trim_start_matches('_');
    let last = lower.rsplit('_').next().unwrap_or(&lower);
    if is_id {
        // `user_id` of a membership is its id only where it has no own one.
        let parts: Vec<&str> = parameter.split('_').collect();
        let own = |object: &&Object| {
            let has = |field: &str| object.get(field).and_then(label).map(|_| field.to_owned());
            let tails = (0..parts.len()).map(|from| parts.get(from..).unwrap_or_default().join("_"));
            has("id")
                .or_else(|| tails.into_iter().find_map(|field| has(&field)))
                .or_else(|| has("_id"))
                .or_else(|| has("uuid"))
        };
        return objects.iter().find_map(own).or_else(|| called(parameter));
    }
    let fitting = [bare, last].into_iter().filter(|word| !word.is_empty() && !is_kind(word)).find_map(called);
    // A number is no `{org}` where the parameter is a text and the thing has a word of its own.
    let numbered = objects.iter().any(|object| object.get("id").is_some_and(Value::is_number));
    if fitting.is_none() && (is_number || !numbered) {
        return of("id").or_else(|| of("uuid")).or_else(|| of("_id"));
    }
    let words = ["slug", "login", "username", "key", "uuid", "handle", "code", "name", "id"];
    fitting.or_else(|| words.into_iter().find_map(of))
}

/// Whether a field's name needs no care in a rule.
fn plain(field: &str) -> bool {
    !field.is_empty()
        && field.len() <= 48
        && field.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-".contains(letter))
}

/// The field of objects that people call the thing by.
pub(super) fn name_field(objects: &[&Object], kind: &str) -> Option<String> {
    let secret = clean::is_secret_kind(kind);
    let mut found: BTreeSet<(usize, &str)> = BTreeSet::new();
    for (name, value) in objects.iter().flat_map(|object| object.iter()) {
        let bare = name.replace(['_', '-'], "").to_lowercase();
        let of_kind = bare.strip_prefix(&kind.replace('_', "")).filter(|rest| !rest.is_empty());
        let place = NAMES.iter().position(|known| *known == bare || of_kind == Some(*known));
        let hidden = clean::is_secret_field(name) || secret && ["key", "code"].contains(&bare.as_str());
        if let Some(place) = place.filter(|_| value.is_string() && plain(name) && !hidden) {
            found.insert((place, name));
        }
    }
    found.first().map(|(_, name)| (*name).to_owned())
}

/// Where a request holds a thing; `None` where it is the body itself, or nobody can tell.
pub(super) fn sent(body: &Value, kind: &str, name: &str) -> Option<String> {
    let fields = body.as_object()?;
    if fields.contains_key(name) {
        return None;
    }
    let inside =
        |field: &str| fields.get(field).and_then(Value::as_object).is_some_and(|inner| inner.contains_key(name));
    if inside(kind) {
        return Some(kind.to_owned());
    }
    let only = fields.keys().next().filter(|field| fields.len() == 1 && inside(field) && plain(field))?;
    Some(only.clone())
}
