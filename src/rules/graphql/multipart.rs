//! Uploads in a GraphQL request: `operations`, a `map` of parts to variables, and
//! the parts (graphql-multipart-request-spec).

use minijinja::Value;
use minijinja::value::ValueKind;

use crate::rules::body::{self, Content, table};
use crate::rules::expression::{attribute, dig, is_there};

/// The deepest place of a file among variables.
const DEEPEST: usize = 32;

/// The operations of a multipart request with the files at their places; `None` if it is none.
pub(super) fn operations(request: &Content) -> Result<Option<Vec<Value>>, String> {
    let field = dig(&request.value, "operations");
    let Some(text) = field.as_str().filter(|_| request.is_form) else { return Ok(None) };
    let read = |name: &str, text: &str| {
        body::json(text.as_bytes()).map_err(|_| format!("the field `{name}` of the GraphQL request is not JSON"))
    };
    let mut operations = read("operations", text)?;
    if let Some(map) = dig(&request.value, "map").as_str() {
        let map = read("map", map)?;
        for part in map.try_iter().into_iter().flatten() {
            let Some(file) = part.as_str().and_then(|part| upload(request, part)) else { continue };
            for place in dig(&map, part.as_str().unwrap_or("")).try_iter().into_iter().flatten() {
                let words: Vec<&str> = place.as_str().unwrap_or("").split('.').collect();
                operations = put(operations, &words, &file, 0);
            }
        }
    }
    let batch = operations.kind() == ValueKind::Seq;
    let list = if batch { operations.try_iter().map(Iterator::collect).unwrap_or_default() } else { vec![operations] };
    Ok(Some(list))
}

/// The files that stand among an operation's variables; all of a request that does not say where they belong.
pub(super) fn uploads_of(operation: &Value, request: &Content) -> Value {
    if !request.is_form || !is_there(&dig(&request.value, "map")) {
        return request.uploads.clone();
    }
    let mut found = Vec::new();
    gather(&dig(operation, "variables"), 0, &mut found);
    Value::from(found)
}

/// The file part of a name.
fn upload(request: &Content, part: &str) -> Option<Value> {
    request.uploads.try_iter().ok()?.find(|upload| dig(upload, "field").as_str() == Some(part))
}

/// The value with a file put where the words lead.
fn put(into: Value, words: &[&str], file: &Value, depth: usize) -> Value {
    let Some((first, rest)) = words.split_first() else { return file.clone() };
    if depth > DEEPEST {
        return into;
    }
    match into.kind() {
        ValueKind::Seq => {
            let at = first.parse::<usize>().ok();
            let elements = into.try_iter().into_iter().flatten().enumerate();
            let one = |(number, element)| {
                if Some(number) == at { put(element, rest, file, depth + 1) } else { element }
            };
            Value::from(elements.map(one).collect::<Vec<Value>>())
        }
        ValueKind::Map => {
            let names: Vec<Value> = into.try_iter().map(Iterator::collect).unwrap_or_default();
            let names = names.iter().filter_map(Value::as_str);
            let one = |name| {
                let value = attribute(&into, name);
                (name, if name == *first { put(value, rest, file, depth + 1) } else { value })
            };
            table(names.map(one).collect())
        }
        _ => into,
    }
}

fn gather(value: &Value, depth: usize, found: &mut Vec<Value>) {
    if depth > DEEPEST {
        return;
    }
    match value.kind() {
        ValueKind::Seq => value.try_iter().into_iter().flatten().for_each(|element| gather(&element, depth + 1, found)),
        ValueKind::Map if ["field", "filename", "size"].iter().all(|name| is_there(&dig(value, name))) => {
            found.push(value.clone());
        }
        ValueKind::Map => {
            for name in value.try_iter().into_iter().flatten() {
                let inner = name.as_str().map(|name| attribute(value, name));
                gather(&inner.unwrap_or_default(), depth + 1, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::body::pairs;

    #[test]
    fn files_stand_where_the_map_says() {
        let fields = [
            (
                "operations",
                r#"[{"query": "q", "variables": {"file": null}}, {"query": "r", "variables": {"files": [null, null], "n": 1}}]"#,
            ),
            ("map", r#"{"0": ["0.variables.file"], "1": ["1.variables.files.1"], "x": ["0.variables.file"]}"#),
        ];
        let file = |field: &str, name: &str| {
            table(vec![("field", Value::from(field)), ("filename", Value::from(name)), ("size", Value::from(1))])
        };
        let request = Content {
            value: pairs(fields.into_iter().map(|(name, value)| (name.into(), value.into()))),
            uploads: Value::from(vec![file("0", "a.txt"), file("1", "b.txt")]),
            is_form: true,
            ..Content::default()
        };
        let operations = operations(&request).unwrap().unwrap();
        assert_eq!(dig(&operations[0], "variables.file.filename").as_str(), Some("a.txt"));
        let second = dig(&operations[1], "variables.files").get_item_by_index(1).unwrap();
        assert_eq!(dig(&second, "filename").as_str(), Some("b.txt"));
        assert_eq!(uploads_of(&operations[1], &request).len(), Some(1));
        let broken = Content {
            value: pairs([("operations".into(), "{".into())].into_iter()),
            is_form: true,
            ..Content::default()
        };
        assert!(super::operations(&broken).unwrap_err().contains("`operations`"));
    }
}
