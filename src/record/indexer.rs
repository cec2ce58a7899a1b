//! Which events wait to be digested, and when they are.

use std::sync::Arc;

use rusqlite::Connection;

use crate::event::Event;
use crate::record::block::SIZE;
use crate::record::body;
use crate::record::digest::Digester;
use crate::record::queue::Entry;
use crate::record::texts::{Numbers, Texts};
use crate::record::writer::transact;

/// Events that may wait in memory; beyond it they are read back from the store.
const HELD: usize = 4_096;
/// Events that one transaction digests: bounds how long a batch waits behind it.
const PORTION: usize = 4 * SIZE;

/// An event that waits to be digested.
pub(crate) struct Waiting {
    pub(crate) position: i64,
    pub(crate) log: i64,
    pub(crate) entries: Arc<[Entry]>,
    pub(crate) at: usize,
}

impl Waiting {
    pub(crate) fn event(&self) -> Option<&Event> {
        self.entries.get(self.at).map(|entry| &entry.event)
    }
}

#[derive(Default)]
pub(crate) struct Indexer {
    digester: Digester,
    waiting: Vec<Waiting>,
    /// Whether `waiting` is all that waits.
    complete: bool,
}

impl Indexer {
    /// Events that were just committed.
    pub(crate) fn add(&mut self, fresh: Vec<Waiting>) {
        if self.complete {
            self.waiting.extend(fresh);
            if self.waiting.len() > HELD {
                self.clear();
            }
        }
    }

    /// Forgets what a rolled-back transaction may have made void.
    pub(crate) fn clear(&mut self) {
        *self = Indexer::default();
    }

    /// Digests whole blocks when at least `least` events wait.
    pub(crate) fn index(&mut self, conn: &Connection, texts: &mut Numbers, least: usize) -> rusqlite::Result<()> {
        loop {
            if !self.complete {
                self.load(conn)?;
            }
            let whole = self.waiting.len().min(PORTION) / SIZE * SIZE;
            let Some(portion) = self.waiting.get(..whole).filter(|portion| !portion.is_empty()) else { return Ok(()) };
            if self.waiting.len() < least && self.complete {
                return Ok(());
            }
            transact(conn, || self.digester.digest(conn, texts, portion))?;
            self.waiting.drain(..whole);
        }
    }

    /// Reads what waits from the store: after a start or a failure.
    fn load(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let texts = Texts::default();
        self.waiting.clear();
        let mut find = conn.prepare_cached(
            "SELECT id, log, body FROM event WHERE id > (SELECT upto FROM digest) ORDER BY id LIMIT ?",
        )?;
        let mut rows = find.query([i64::try_from(PORTION).unwrap_or(i64::MAX)])?;
        while let Some(row) = rows.next()? {
            let body = row.get_ref(2)?.as_blob()?;
            let event = body::decode(body, &texts.through(conn)).map_err(|error| {
                rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Blob, Box::new(error))
            })?;
            let entries = Arc::from([Entry::new(event)]);
            self.waiting.push(Waiting { position: row.get(0)?, log: row.get(1)?, entries, at: 0 });
        }
        self.complete = self.waiting.len() < PORTION;
        Ok(())
    }
}
