//! Queries that are sent by their hash. The text is known once it passed by
//! together with its SHA-256, or from a file of the configuration.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use minijinja::Value;
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use crate::memory::{Key, Lesson, Recall};
use crate::problem::{Problem, SourceFile};
use crate::rules::expression::dig;

/// What memory calls such a text. No rule's kind can be called so.
const KIND: &str = "graphql document";
/// The longest text that is learned.
const MOST_BYTES: usize = 65_536;
/// A text is kept in pieces that memory keeps whole (a field of a thing is cut off at 4096 bytes of JSON).
const PIECE: usize = 1_500;

/// Texts that the configuration names, by hash or id.
#[derive(Debug, Default)]
pub(crate) struct Documents(HashMap<String, Arc<str>>);

impl Documents {
    /// Adds a file: an object of texts by their ids, or a manifest with `operations` of `id` and `body`.
    pub(crate) fn add(&mut self, file: &Arc<SourceFile>) -> Result<(), Problem> {
        let wrong = |why: &str| {
            Problem::error("persisted-queries", format!("`{}` holds no persisted queries: {why}", file.name))
                .help("`{ \"HASH\": \"query …\" }`, or a manifest: `{ \"operations\": [{ \"id\": …, \"body\": … }] }`")
        };
        let json: Json = serde_json::from_str(&file.text).map_err(|error| wrong(&error.to_string()))?;
        let manifest = json.get("operations").and_then(Json::as_array);
        let known = self.0.len();
        let mut put = |id: Option<&str>, body: Option<&str>| {
            if let (Some(id), Some(body)) = (id, body) {
                self.0.insert(id.to_owned(), body.into());
            }
        };
        match (manifest, &json) {
            (Some(operations), _) => operations.iter().for_each(|operation| {
                let field = |name: &str| operation.get(name).and_then(Json::as_str);
                put(field("id"), field("body"));
            }),
            (None, Json::Object(texts)) => texts.iter().for_each(|(id, text)| put(Some(id), text.as_str())),
            _ => {}
        }
        if self.0.len() == known { Err(wrong("there are no texts by their hashes")) } else { Ok(()) }
    }

    /// The text of a hash: from the configuration, else learned.
    pub(super) fn text(&self, hash: &str, memory: &dyn Recall) -> Option<Arc<str>> {
        if let Some(text) = self.0.get(hash) {
            return Some(Arc::clone(text));
        }
        let thing = memory.recall("", KIND, hash)?;
        let pieces = (0..thing.fields.len()).map(|at| thing.field(&at.to_string())?.value()?.as_str());
        let text = pieces.collect::<Option<String>>()?;
        // What was written over by a shorter text has pieces left.
        (sha256(&text) == hash).then(|| text.into())
    }
}

/// The hash or id by which an operation names its text.
pub(super) fn hash(operation: &Value) -> Option<String> {
    let extensions = super::from_text(dig(operation, "extensions"));
    let places = [dig(&extensions, "persistedQuery.sha256Hash"), dig(operation, "documentId")];
    let more = ["doc_id", "queryId", "id"].map(|name| dig(operation, name));
    places.into_iter().chain(more).find_map(|value| value.as_str().map(str::to_owned))
}

/// A text that passed by together with its hash.
pub(crate) struct Passed {
    hash: String,
    text: String,
}

impl Passed {
    /// Only if the hash is the text's own: nobody can teach a wrong one.
    pub(super) fn of(hash: &str, text: &str) -> Option<Passed> {
        let fits = text.len() <= MOST_BYTES && hash.len() == 64 && sha256(text) == hash;
        fits.then(|| Passed { hash: hash.to_owned(), text: text.to_owned() })
    }

    /// What memory learns.
    pub(crate) fn lesson(self, seen: Timestamp) -> Lesson {
        let mut fields = Map::new();
        let mut rest = self.text.as_str();
        while !rest.is_empty() {
            let mut end = rest.len().min(PIECE);
            while !rest.is_char_boundary(end) {
                end -= 1;
            }
            let (piece, after) = rest.split_at(end);
            fields.insert(fields.len().to_string(), piece.into());
            rest = after;
        }
        let key = Key { workspace: "".into(), kind: KIND.into(), id: self.hash.into() };
        Lesson { key, name: None, fields, gone: false, seen }
    }
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    #[test]
    fn a_text_is_learned_with_its_own_hash_only() {
        let text = format!("query {{ {} }}", "bed(name: \"é\")\n".repeat(900));
        let hash = sha256(&text);
        assert!(Passed::of(&hash, "query { other }").is_none());
        let memory = Memory::new(9);
        memory.learn(vec![Passed::of(&hash, &text).unwrap().lesson(Timestamp::UNIX_EPOCH)]);
        assert_eq!(Documents::default().text(&hash, &memory).as_deref(), Some(&*text));
        assert_eq!(Documents::default().text("other", &memory), None);
    }

    #[test]
    fn texts_come_from_a_file_in_two_forms() {
        let mut documents = Documents::default();
        let mut add =
            |text: &str| documents.add(&Arc::new(SourceFile { name: "a.json".to_owned(), text: text.to_owned() }));
        add(r#"{"a1": "query { a }"}"#).unwrap();
        add(r#"{"version": 1, "operations": [{"id": "b2", "name": "B", "body": "query { b }"}]}"#).unwrap();
        for wrong in ["{", "[]", "{}", r#"{"operations": []}"#] {
            assert!(add(wrong).is_err(), "{wrong}");
        }
        assert_eq!(documents.text("a1", &Memory::new(1)).as_deref(), Some("query { a }"));
        assert_eq!(documents.text("b2", &Memory::new(1)).as_deref(), Some("query { b }"));
    }
}
