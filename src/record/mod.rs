//! Step 3: from an event to the disk.
//!
//! One writer thread, group commit; [`Recorder`] writes, [`Store`] answers
//! questions. Raw exchanges never come here: the import table forbids it.
//!
//! Promises: what [`Recorder::record`] acknowledged is on disk; an event is
//! never changed; each log (a workspace's events) counts 1, 2, 3 … without
//! holes and chains its hashes; no question is answered outside its scope.

pub mod query;

mod block;
mod body;
mod canonical;
mod census;
mod digest;
mod facet;
mod histogram;
mod indexer;
mod kept;
mod landing;
mod loaded;
mod matching;
mod metrics;
mod migrate;
mod narrow;
mod plan;
mod queue;
mod recorder;
mod rollup;
mod routes;
mod search;
mod select;
mod sieve;
mod spill;
mod sqlite;
mod stop;
mod store;
mod tally;
mod texts;
mod things;
mod token;
mod words;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;

pub use canonical::Damaged;
pub use recorder::{Health, RecordError, Recorder};
pub use stop::{Stop, StopOnDrop};
pub use store::Store;
pub use token::{RevokeError, Right, Token, Which};

/// The `[store]` section.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// `sqlite:PATH`.
    pub url: String,
    /// How long a reply waits for its events to be on disk, before they go to the spill file.
    pub deadline_ms: u64,
}

impl Settings {
    /// Whether `url` names a store that this version has; not whether it is there.
    ///
    /// # Errors
    /// When it does not.
    pub fn check_url(&self) -> Result<(), OpenError> {
        sqlite::path(self).map(drop)
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { url: "sqlite:sidetrail.db".to_owned(), deadline_ms: 2_000 }
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A later version will know it.
    #[error("`postgres://` stores are not supported yet: use `sqlite:PATH`")]
    Postgres,
    /// An address of another sort.
    #[error("`{url}` names no store: use `sqlite:PATH`")]
    Scheme {
        /// As configured, without a password.
        url: String,
    },
    /// A log that ends with the process.
    #[error("`{url}` is kept in memory or in a file that nobody finds again: an audit log needs a file")]
    Memory {
        /// As configured.
        url: String,
    },
    /// Only reading was asked for, and there is nothing.
    #[error("there is no store at `{}`", path.display())]
    Missing {
        /// Where.
        path: PathBuf,
    },
    /// Two writers would break the chain.
    #[error("another sidetrail writes to the store `{}`", path.display())]
    InUse {
        /// Where.
        path: PathBuf,
    },
    /// Another program's file.
    #[error("the file is not a sidetrail store")]
    NotOurs,
    /// A newer sidetrail's file.
    #[error("the store is of a newer sidetrail: it has migration {found}, this program knows {known}")]
    Newer {
        /// Of the file.
        found: i64,
        /// Of this program.
        known: i64,
    },
    /// An older sidetrail's file, opened for reading only.
    #[error("the store is of an older sidetrail: it has migration {found} of {known}; `serve` brings it up to date")]
    Older {
        /// Of the file.
        found: i64,
        /// Of this program.
        known: i64,
    },
    /// The schema is not the one that this program made.
    #[error("migration {number} (`{name}`) of the store is not the one that this program has")]
    Edited {
        /// Which.
        number: i64,
        /// Its name.
        name: String,
    },
    /// The file cannot be opened.
    #[error("`{}` cannot be opened", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The writer cannot be started.
    #[error("the writer's thread cannot be started")]
    Thread(#[source] std::io::Error),
    /// What SQLite said.
    #[error("the store cannot be opened: {0}")]
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> OpenError {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => OpenError::NotOurs,
            _ => OpenError::Sqlite(error),
        }
    }
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What SQLite said.
    #[error("the store cannot answer: {0}")]
    Sqlite(rusqlite::Error),
    /// It was asked to stop before it had answered.
    #[error("the question was stopped before it was answered")]
    Stopped,
    /// A row does not decode.
    #[error(transparent)]
    Damaged(#[from] Damaged),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::OperationInterrupted) => StoreError::Stopped,
            _ => StoreError::Sqlite(error),
        }
    }
}

/// Whether [`open`] would take the store now. Nothing is made and nothing changed.
///
/// # Errors
/// What it would refuse.
pub fn check(settings: &Settings) -> Result<(), OpenError> {
    let path = sqlite::path(settings)?;
    sqlite::check_writable(&path)?;
    if path.exists() {
        let conn = sqlite::open_reader(&path)?;
        if !migrate::is_empty(&conn)? {
            migrate::check(&conn, migrate::MIGRATIONS)?;
        }
    }
    sqlite::check_free(&path)
}

/// Opens (and creates, migrates) the store for writing and reading; brings home what an earlier run spilled.
pub fn open(settings: &Settings, clock: Clock) -> Result<(Recorder, Store), OpenError> {
    let path = sqlite::path(settings)?;
    let lock = sqlite::lock(&path)?;
    let deadline = Duration::from_millis(settings.deadline_ms.max(1));
    // SQLite gives up before the caller does, so that the caller hears why.
    let mut conn = sqlite::open_writer(&path, deadline * 3 / 4)?;
    migrate::migrate(&mut conn, migrate::MIGRATIONS, &clock)?;
    let spill = spill::Spill::of(&path).map_err(|source| OpenError::File { path: path.clone(), source })?;
    let shared = Arc::new(recorder::Shared::new(spill, clock, lock));
    let mut writer = writer::Writer::new(conn, sqlite::OpenFiles::of(&path), Arc::clone(&shared))?;
    writer.tidy();
    let store = Store::at(path)?;
    let recorder = Recorder::start(writer, shared, deadline).map_err(OpenError::Thread)?;
    Ok((recorder, store))
}
