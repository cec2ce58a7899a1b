//! How much one thing may take of memory, whatever a platform sends.
//!
//! A name is cut; a long value is remembered by its digest, so that `changed`
//! still tells; a thing whose id or workspace is too long is not learnt.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Key, Lesson, Thing};

/// The longest name, in characters: it is read by people.
const NAME_CHARS: usize = 512;
/// The longest id and the longest name of a workspace, in bytes. A longer one is no id.
const ID_BYTES: usize = 512;
/// The longest value of a field, in bytes of JSON.
const FIELD_BYTES: usize = 4_096;
/// What a thing takes beside its texts: slot, map entry, reference counts.
const OVERHEAD: usize = 240;
/// What a JSON value takes beside its text.
const VALUE: usize = 40;
/// Under this name alone in an object stands a digest. A platform that sends such an object is not confused
/// with us: NUL does not begin its names.
const DIGEST: &str = "\0sha256";

/// A field as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Remembered<'a> {
    /// The value itself.
    Value(&'a Value),
    /// Only the [`digest`] of a value that was too long.
    Digest(&'a str),
}

impl<'a> Remembered<'a> {
    pub(super) fn of(value: &'a Value) -> Remembered<'a> {
        match value.get(DIGEST).and_then(Value::as_str) {
            Some(digest) => Remembered::Digest(digest),
            None => Remembered::Value(value),
        }
    }

    /// The value, where it is known.
    pub fn value(self) -> Option<&'a Value> {
        match self {
            Remembered::Value(value) => Some(value),
            Remembered::Digest(_) => None,
        }
    }
}

/// A lesson that keeps within the limits; `None` if its thing cannot be learnt.
pub(super) fn keep_within(mut lesson: Lesson) -> Option<Lesson> {
    if lesson.key.id.len() > ID_BYTES || lesson.key.workspace.len() > ID_BYTES {
        return None;
    }
    if let Some(name) = &mut lesson.name
        && name.len() > NAME_CHARS
        && let Some((end, _)) = name.char_indices().nth(NAME_CHARS)
    {
        name.truncate(end);
        name.push('…');
    }
    for value in lesson.fields.values_mut().filter(|value| size(value) > FIELD_BYTES) {
        if written_size(value) > FIELD_BYTES {
            *value = json!({ DIGEST: digest(value) });
        }
    }
    Some(lesson)
}

/// About how many bytes a thing takes.
pub(super) fn cost(key: &Key, thing: &Thing) -> usize {
    let texts = key.workspace.len() + key.kind.len() + key.id.len() + thing.name.as_ref().map_or(0, String::len);
    OVERHEAD + texts + fields_size(&thing.fields)
}

fn fields_size(fields: &Map<String, Value>) -> usize {
    fields.iter().map(|(name, value)| VALUE + name.len() + size(value)).sum()
}

/// About how many bytes a value takes; never less than its text.
fn size(value: &Value) -> usize {
    VALUE
        + match value {
            Value::String(text) => text.len(),
            Value::Array(values) => values.iter().map(size).sum(),
            Value::Object(fields) => fields_size(fields),
            _ => 0,
        }
}

fn written_size(value: &Value) -> usize {
    serde_json::to_string(value).map_or(usize::MAX, |text| text.len())
}

/// SHA-256 of a value's JSON with its names sorted, in hex: what the same value gives again.
pub fn digest(value: &Value) -> String {
    let mut text = String::new();
    write_sorted(value, &mut text);
    hex::encode(Sha256::digest(text.as_bytes()))
}

fn write_sorted(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            out.push('{');
            for name in names {
                out.push_str(&Value::String(name.clone()).to_string());
                out.push(':');
                write_sorted(fields.get(name).unwrap_or(&Value::Null), out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(values) => {
            out.push('[');
            for value in values {
                write_sorted(value, out);
                out.push(',');
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn lesson(id: &str, name: &str, value: Value) -> Lesson {
        Lesson {
            key: Key { workspace: "39".into(), kind: "document".into(), id: id.into() },
            name: Some(name.to_owned()),
            fields: Map::from_iter([("about".to_owned(), value)]),
            gone: false,
            seen: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_long_name_is_cut_and_a_long_id_is_not_learnt() {
        let kept = keep_within(lesson("1", &"é".repeat(600), Value::Null)).unwrap();
        assert_eq!(kept.name.unwrap().chars().count(), NAME_CHARS + 1);
        assert_eq!(keep_within(lesson(&"9".repeat(ID_BYTES + 1), "a", Value::Null)), None);
    }

    #[test]
    fn a_long_value_is_remembered_by_its_digest_in_whatever_order_its_names_stand() {
        let long = "x".repeat(FIELD_BYTES);
        let kept = keep_within(lesson("1", "a", json!({ "b": long, "a": [1] }))).unwrap();
        let Remembered::Digest(known) = Remembered::of(&kept.fields["about"]) else { panic!("it was kept whole") };
        assert_eq!(known, digest(&json!({ "a": [1], "b": long })));
        assert_ne!(known, digest(&json!({ "a": [2], "b": long })));
        let short = keep_within(lesson("1", "a", json!(vec!["x"; 90]))).unwrap();
        assert_eq!(short.fields["about"], json!(vec!["x"; 90]), "many small values are still short");
    }
}
