//! What can be asked of a store: one filter type for list, count, facets,
//! histogram and export, so that they can never disagree.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use crate::event::Event;

/// Whose events a question may touch. Every question carries one; there is no default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All workspaces, and events whose workspace is unknown.
    All,
    /// These workspaces and nothing else.
    Only(BTreeSet<String>),
}

/// Which events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Whose.
    pub scope: Scope,
    /// From this time on.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// All of these must hold.
    pub clauses: Vec<Clause>,
    /// Nothing newer than this.
    pub upto: Option<Position>,
}

impl Filter {
    /// Everything that `scope` may see.
    pub fn all(scope: Scope) -> Filter {
        Filter { scope, since: None, until: None, clauses: Vec::new(), upto: None }
    }
}

/// A field has one of some values, or none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// What is compared.
    pub field: Field,
    /// Whether it must not be one of the values.
    pub negated: bool,
    /// One of these.
    pub values: Vec<String>,
}

/// What a clause compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// The workspace, exactly.
    Workspace,
    /// The category, exactly.
    Category,
    /// The action, exactly, or a beginning: `document.*`.
    Action,
    /// The actor's id, name or e-mail, exactly but without case.
    User,
    /// The actor's kind: `user`.
    ActorKind,
    /// A target's id or name exactly (without case), or `kind:id`.
    Target,
    /// The outcome's word.
    Outcome,
    /// The client's address, exactly.
    Ip,
    /// The request's id, exactly.
    Request,
    /// A word, or the beginning of one, of the sentence, the actor or a target; several words in one value: a phrase.
    Word,
}

/// Newest or oldest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Newest first.
    #[default]
    Descending,
    /// Oldest first.
    Ascending,
}

/// A place in the store's own order. Never shown to readers as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub i64);

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Where it stands in the store's order.
    pub position: Position,
    /// Its number within its workspace's log: 1, 2, 3 … without holes.
    pub seq: u64,
    /// SHA-256 over the log's previous hash and the event's canonical bytes.
    pub hash: [u8; 32],
    /// The event.
    pub event: Event,
}

/// Some events of a list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The events.
    pub events: Vec<Stored>,
    /// Whether more follow in this direction.
    pub more: bool,
}

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// At least this many; exactly, unless capped.
    pub value: u64,
    /// Whether counting stopped at the cap.
    pub capped: bool,
}

/// One value of a field, and how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facet {
    /// What a clause on that field takes. For users the id (else e-mail, else name).
    pub value: String,
    /// What people call it.
    pub label: String,
    /// How many events.
    pub count: u64,
}

/// Counts per category and bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Category, and its count in each bucket.
    pub rows: Vec<(String, Vec<u64>)>,
}

/// A reader's number for an event and where it stands: what a cursor needs.
pub type Place = (Position, Uuid);
