//! Step 2: from an exchange to events, by declarative rules.
//!
//! Synchronous and pure: no I/O, no clock, no state. What an exchange teaches
//! comes back as a value, so `replay`, `test`, Layer and sidecar cannot disagree.

use serde_json::Value;

use crate::event::{Actor, Event};
use crate::memory::Lesson;

/// Who sent a request, as far as `identity` could tell.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The actor an event will carry.
    pub actor: Actor,
    /// The claims of the caller's token (an object, or null): only those whose signature was verified.
    pub claims: Value,
}

/// What one exchange gives.
#[derive(Debug, Default)]
pub struct Derived {
    /// The events, in the order in which the rules' elements stand.
    pub events: Vec<Event>,
    /// What memory should learn.
    pub lessons: Vec<Lesson>,
    /// Credentials that were tied to a person.
    pub sightings: Vec<Sighting>,
}

/// Credentials that an exchange tied to a person (`[[identity.seen]]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The credentials themselves. `identity` keeps keyed fingerprints only.
    pub tokens: Vec<String>,
    /// Whose they are.
    pub actor: Actor,
}
