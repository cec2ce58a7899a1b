//! Names and states learned from earlier exchanges, so that a sentence can say
//! "Deleted user anna@acme.it" when only an id passes by.
//!
//! Keyed by workspace, kind and id; bounded in things and in bytes (the least
//! recently used thing goes first); a deleted thing stays as a tombstone, so
//! that its name is still known. Ids compare as text.

mod bounds;
mod by_use;
mod kept;
mod key;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

pub use bounds::{Remembered, digest};
pub use kept::{Learned, Memory};
pub use key::Key;

/// What is known of a thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thing {
    /// What people call it.
    pub name: Option<String>,
    /// The fields that some rule mentions, by their dotted name; one that is too long as its digest
    /// (ask with [`Thing::field`]).
    pub fields: Map<String, Value>,
    /// Whether it was deleted.
    pub gone: bool,
    /// When it was last seen in an exchange.
    pub seen: Timestamp,
}

/// What one exchange teaches about one thing. `None` and absent fields leave what is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Lesson {
    /// Which thing.
    pub key: Key,
    /// Its name, where the exchange said it.
    pub name: Option<String>,
    /// Its fields, where the exchange said them; `null` is a value.
    pub fields: Map<String, Value>,
    /// Whether it was deleted. A later lesson that shows it again revives it.
    pub gone: bool,
    /// When.
    pub seen: Timestamp,
}

/// Where `rules` looks a thing up: the running memory, or a test's `given`.
pub trait Recall {
    /// What is known of the thing.
    fn recall(&self, workspace: &str, kind: &str, id: &str) -> Option<Arc<Thing>>;
}

/// What is known, with lessons of the moment laid over it: a look-up's answer before it is believed.
pub struct Overlay<'a> {
    /// What is known.
    pub below: &'a dyn Recall,
    /// What was just said.
    pub lessons: &'a [Lesson],
}

impl Recall for Overlay<'_> {
    fn recall(&self, workspace: &str, kind: &str, id: &str) -> Option<Arc<Thing>> {
        let known = self.below.recall(workspace, kind, id);
        let mut thing: Option<Thing> = None;
        for lesson in self.lessons {
            let key = &lesson.key;
            if &*key.id == id && &*key.kind == kind && &*key.workspace == workspace {
                thing.get_or_insert_with(|| known.as_deref().cloned().unwrap_or_default()).take_in(lesson);
            }
        }
        thing.map(Arc::new).or(known)
    }
}

impl Thing {
    /// A field as it is remembered, where it is.
    pub fn field(&self, name: &str) -> Option<Remembered<'_>> {
        self.fields.get(name).map(Remembered::of)
    }

    /// Adds a lesson to what is known.
    pub fn take_in(&mut self, lesson: &Lesson) {
        if let Some(name) = &lesson.name {
            self.name = Some(name.clone());
        }
        for (field, value) in &lesson.fields {
            self.fields.insert(field.clone(), value.clone());
        }
        self.gone = lesson.gone;
        self.seen = self.seen.max(lesson.seen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_shows_its_lessons_over_what_is_known() {
        let memory = Memory::new(2);
        let lesson = |name: &str| Lesson {
            key: Key { workspace: "39".into(), kind: "document".into(), id: "1".into() },
            name: Some(name.to_owned()),
            fields: Map::new(),
            gone: false,
            seen: Timestamp::UNIX_EPOCH,
        };
        memory.learn(vec![lesson("old")]);
        let lessons = [lesson("new")];
        let overlay = Overlay { below: &memory, lessons: &lessons };
        assert_eq!(overlay.recall("39", "document", "1").unwrap().name.as_deref(), Some("new"));
        assert_eq!(memory.recall("39", "document", "1").unwrap().name.as_deref(), Some("old"));
    }
}
