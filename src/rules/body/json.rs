//! JSON straight into the expression language's own values.
//!
//! A name that stands twice in one object has no value, and neither has a number
//! that cannot be held exactly: what the platform made of it, nobody knows.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// A whole number beyond this (2^63) came as a float: its last digits are lost.
const BEYOND: f64 = 9_223_372_036_854_775_808.0;
/// So few names of one object are compared with each other; more are hashed, so that no body takes long.
const FEW_NAMES: usize = 12;

/// A JSON object, in its order. Short keys need no memory of their own.
#[derive(Debug)]
pub(super) struct Table(pub(super) Vec<(Value, Value)>);

impl Object for Table {
    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.0.iter().find(|(known, _)| known.as_str() == Some(key)).map(|(_, value)| value.clone())
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(key, _)| key.clone()).collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.0.len())
    }
}

/// Reads JSON (RFC 8259), at most 128 levels deep.
pub(crate) fn json(text: &[u8]) -> Result<Value, serde_json::Error> {
    // Once over all of it is cheaper than over every text in it. What is not UTF-8 is told by the other reader.
    let Ok(text) = std::str::from_utf8(text) else { return read_json(serde_json::Deserializer::from_slice(text)) };
    read_json(serde_json::Deserializer::from_str(text))
}

fn read_json<'t>(
    mut reader: serde_json::Deserializer<impl serde_json::de::Read<'t>>,
) -> Result<Value, serde_json::Error> {
    let value = Json.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

struct Json;

impl<'de> DeserializeSeed<'de> for Json {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Json {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        let is_lost = value.fract() == 0.0 && value.abs() >= BEYOND;
        Ok(if is_lost { Value::UNDEFINED } else { Value::from(value) })
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::from(()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list: Vec<Value> = Vec::new();
        while let Some(element) = elements.next_element_seed(Json)? {
            list.push(element);
        }
        Ok(Value::from(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut table: Vec<(Value, Value)> = Vec::new();
        while let Some(key) = entries.next_key_seed(Json)? {
            let value = entries.next_value_seed(Json)?;
            table.push((key, value));
        }
        unsay_what_stands_twice(&mut table);
        Ok(Value::from_object(Table(table)))
    }
}

/// Takes the value from a name that stands twice; the first place keeps the name.
fn unsay_what_stands_twice(table: &mut Vec<(Value, Value)>) {
    let mut twice: Vec<(usize, usize)> = Vec::new();
    if table.len() <= FEW_NAMES {
        for (later, (name, _)) in table.iter().enumerate().skip(1) {
            let first = table.iter().take(later).position(|(known, _)| known.as_str() == name.as_str());
            twice.extend(first.map(|first| (first, later)));
        }
    } else {
        let mut places = HashMap::with_capacity(table.len());
        for (later, (name, _)) in table.iter().enumerate() {
            let first = *places.entry(name.as_str()).or_insert(later);
            twice.extend((first != later).then_some((first, later)));
        }
    }
    if twice.is_empty() {
        return;
    }
    for (first, _) in &twice {
        if let Some((_, value)) = table.get_mut(*first) {
            *value = Value::UNDEFINED;
        }
    }
    let (mut at, mut later) = (0, twice.iter().map(|(_, later)| *later).peekable());
    table.retain(|_| {
        let gone = later.next_if_eq(&at).is_some();
        at += 1;
        !gone
    });
}

/// Whether a field of an object is there and has no single value.
pub(crate) fn is_unsaid(object: &Value, name: &str) -> bool {
    let table = object.downcast_object_ref::<Table>();
    table.is_some_and(|Table(entries)| {
        entries.iter().any(|(known, value)| known.as_str() == Some(name) && value.is_undefined())
    })
}
