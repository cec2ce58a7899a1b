//! The rule files as a JSON Schema (2020-12), for editors: which keys there are,
//! what they take, what they mean. What a schema cannot say `check` says.

use serde_json::{Map, Value, json};

use super::written::keys::{self, Key, Takes};

/// The schema of one rule file.
pub fn schema() -> Value {
    let mut top = properties(keys::FILE);
    top.insert("kind".to_owned(), described(kinds(), "things with an address and a name: `[kind.NAME]`"));
    top.insert("identity".to_owned(), described(object(keys::IDENTITY), "who is meant: one for all files"));
    top.insert("action".to_owned(), described(resources(), "the long form of any heading: `[action.RESOURCE.VERB]`"));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sidetrail rule file",
        "type": "object",
        "properties": top,
        "additionalProperties": { "$ref": "#/$defs/resource" },
        "$defs": {
            "resource": { "type": "object", "additionalProperties": { "$ref": "#/$defs/action" } },
            "action": object(keys::ACTION),
            "kind": object(keys::KIND),
        },
    })
}

/// Scalars directly below `[kind]` are defaults; tables are kinds.
fn kinds() -> Value {
    json!({ "type": "object", "properties": properties(keys::KIND), "additionalProperties": { "$ref": "#/$defs/kind" } })
}

fn resources() -> Value {
    json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/resource" } })
}

fn object(keys: &[Key]) -> Value {
    json!({ "type": "object", "properties": properties(keys), "additionalProperties": false })
}

fn properties(keys: &[Key]) -> Map<String, Value> {
    keys.iter().map(|key| (key.name.to_owned(), described(takes(&key.takes), key.means))).collect()
}

fn described(mut schema: Value, means: &str) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), means.into());
    }
    schema
}

fn takes(takes: &Takes) -> Value {
    match takes {
        Takes::Text => json!({ "type": "string" }),
        Takes::Texts => json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] }),
        Takes::Sentence => {
            let languages = json!({ "type": "object", "additionalProperties": { "type": "string" } });
            json!({ "anyOf": [{ "type": "string" }, languages] })
        }
        Takes::Truth => json!({ "type": "boolean" }),
        Takes::Number => json!({ "type": "integer", "minimum": 0 }),
        Takes::Duration => json!({ "type": "string", "pattern": "^[1-9][0-9]*[smhd]$" }),
        Takes::Word(words) => json!({ "enum": words }),
        Takes::Table(values) => json!({ "type": "object", "additionalProperties": self::takes(values) }),
        Takes::Keys(keys) => object(keys),
        Takes::List(elements) => json!({ "type": "array", "items": self::takes(elements) }),
        Takes::Case => object(&[keys::STEP, keys::CASE].concat()),
        Takes::Any(all) => json!({ "anyOf": all.iter().map(self::takes).collect::<Vec<_>>() }),
        Takes::Value => json!({}),
    }
}
