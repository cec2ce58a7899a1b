//! Names and states learned from earlier exchanges, so that a sentence can say
//! "Deleted user anna@acme.it" when only an id passes by.
//!
//! Keyed by workspace, kind and id; bounded (the least recently used thing
//! goes first); a deleted thing stays as a tombstone, so that its name is still
//! known. Ids compare as text.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// Which thing: workspace (empty where there is none), kind, id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Whose thing.
    pub workspace: Arc<str>,
    /// The kind's name: `document`.
    pub kind: Arc<str>,
    /// The platform's id, as text.
    pub id: Arc<str>,
}

/// What is known of a thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thing {
    /// What people call it.
    pub name: Option<String>,
    /// The fields that some rule mentions, by their dotted name.
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
    fn recall(&self, workspace: &str, kind: &str, id: &str) -> Option<Thing>;
}
