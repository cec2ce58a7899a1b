//! Step 3: from an event to the disk.
//!
//! One writer thread, group commit; [`Recorder`] writes, [`Store`] answers
//! questions. Raw exchanges never come here: the import table forbids it.

pub mod query;

use std::sync::Arc;

use jiff::Timestamp;

use crate::clock::Clock;
use crate::event::Event;
use crate::memory::{Key, Lesson, Thing};
use query::{Count, Facet, Field, Filter, Histogram, Order, Page, Position, Stored};

/// The `[store]` section.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `sqlite:PATH`.
    pub url: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { url: "sqlite:sidetrail.db".to_owned() }
    }
}

/// The writing half. Clones share one writer.
#[derive(Clone)]
pub struct Recorder(Arc<()>);

/// The reading half. Clones share connections. Every question blocks: ask from a thread that may.
#[derive(Clone)]
pub struct Store(Arc<()>);

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// The page and the API.
    Read,
    /// Exports.
    Export,
    /// What changes the running server.
    Admin,
}

/// A reader's token as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its number.
    pub id: i64,
    /// What its owner called it.
    pub name: String,
    /// What it allows.
    pub rights: std::collections::BTreeSet<Right>,
    /// Whose events it may see; `None` means all.
    pub workspaces: Option<std::collections::BTreeSet<String>>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was revoked, if it was.
    pub revoked: Option<Timestamp>,
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {}

/// Why events are not on disk.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {}

/// Opens (and creates, migrates) the store for writing and reading.
pub fn open(_settings: &Settings, _clock: Clock) -> Result<(Recorder, Store), OpenError> {
    todo!()
}

impl Recorder {
    /// Writes events of one exchange. `Ok` means: on disk, fsynced.
    pub async fn record(&self, _events: Vec<Event>) -> Result<(), RecordError> {
        todo!()
    }

    /// Keeps what was learned; goes to disk with some later commit, dropped (and counted) when the queue is full.
    pub fn remember(&self, _lessons: Vec<Lesson>) {
        todo!()
    }

    /// Forgets things that memory let go.
    pub fn forget(&self, _keys: Vec<Key>) {
        todo!()
    }

    /// Writes what is queued and ends the writer. Called once, at the end.
    pub async fn close(&self) {
        todo!()
    }
}

impl Store {
    /// Opens an existing store for reading only (the CLI beside a running server).
    pub fn open_existing(_settings: &Settings) -> Result<Store, OpenError> {
        todo!()
    }

    /// 32 bytes that only this store has, made with it: what cursors are signed with.
    pub fn secret(&self) -> [u8; 32] {
        todo!()
    }

    /// The token of a secret's SHA-256, revoked or not.
    pub fn token_by_hash(&self, _sha256: &[u8; 32]) -> Result<Option<Token>, StoreError> {
        todo!()
    }

    /// Every token, oldest first.
    pub fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        todo!()
    }

    /// The things that were remembered, most recently seen first, at most `limit`.
    pub fn things(&self, _limit: usize) -> Result<Vec<(Key, Thing)>, StoreError> {
        todo!()
    }

    /// Events in order, at most `limit`, beyond `after` (keyset).
    pub fn page(
        &self,
        _filter: &Filter,
        _order: Order,
        _limit: usize,
        _after: Option<Position>,
    ) -> Result<Page, StoreError> {
        todo!()
    }

    /// How many events match, counting no further than `cap`.
    pub fn count(&self, _filter: &Filter, _cap: u64) -> Result<Count, StoreError> {
        todo!()
    }

    /// The values of a field among the matching events with their counts, most frequent first, at most `limit`.
    /// The filter's own clauses on that field are left out, so that a menu can offer the others.
    pub fn facet(&self, _filter: &Filter, _field: Field, _limit: usize) -> Result<Vec<Facet>, StoreError> {
        todo!()
    }

    /// Counts per category and bucket; `edges` are the buckets' borders (n + 1 for n buckets), ascending.
    pub fn histogram(&self, _filter: &Filter, _edges: &[Timestamp]) -> Result<Histogram, StoreError> {
        todo!()
    }

    /// One event by its number, if the filter's scope may see it.
    pub fn event(&self, _scope: &query::Scope, _id: uuid::Uuid) -> Result<Option<Stored>, StoreError> {
        todo!()
    }

    /// The newest position now: the bound that pins a list or an export.
    pub fn newest(&self) -> Result<Position, StoreError> {
        todo!()
    }

    /// Every workspace that has events, by name.
    pub fn workspaces(&self, _scope: &query::Scope) -> Result<Vec<String>, StoreError> {
        todo!()
    }
}
