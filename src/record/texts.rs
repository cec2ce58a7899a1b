//! The dictionary: every text that recurs is kept once and has a number.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use foldhash::fast::RandomState;
use rusqlite::{Connection, OptionalExtension};

use crate::record::StoreError;
use crate::record::body::{Lookup, Number};

/// Texts held in memory on either side; beyond it all are let go and looked up again. About 4 MB.
const HELD: usize = 20_000;

/// The writer's side.
#[derive(Default)]
pub(crate) struct Numbers(HashMap<Box<str>, i64, RandomState>);

impl Numbers {
    /// Forgets everything: after a rolled-back transaction some numbers are void.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Looks up and adds through `conn`, inside its open transaction.
    pub(crate) fn through<'a>(&'a mut self, conn: &'a Connection) -> Numbering<'a> {
        Numbering { held: self, conn }
    }
}

/// [`Numbers`] with the connection that new texts go through.
pub(crate) struct Numbering<'a> {
    held: &'a mut Numbers,
    conn: &'a Connection,
}

impl Number for Numbering<'_> {
    fn number(&mut self, text: &str) -> rusqlite::Result<i64> {
        if let Some(number) = self.held.0.get(text) {
            return Ok(*number);
        }
        let mut find = self.conn.prepare_cached("SELECT id FROM text WHERE value = ?")?;
        let number = match find.query_row([text], |row| row.get(0)).optional()? {
            Some(number) => number,
            None => {
                self.conn.prepare_cached("INSERT INTO text (value) VALUES (?)")?.execute([text])?;
                self.conn.last_insert_rowid()
            }
        };
        if self.held.0.len() >= HELD {
            self.held.0.clear();
        }
        self.held.0.insert(text.into(), number);
        Ok(number)
    }
}

/// The readers' side; shared by their connections.
#[derive(Default)]
pub(crate) struct Texts(RwLock<HashMap<i64, Arc<str>>>);

impl Texts {
    /// Looks up through `conn` what is not held.
    pub(crate) fn through<'a>(&'a self, conn: &'a Connection) -> Reading<'a> {
        Reading { held: self, conn }
    }
}

/// [`Texts`] with the connection of one question.
pub(crate) struct Reading<'a> {
    held: &'a Texts,
    conn: &'a Connection,
}

impl Lookup for Reading<'_> {
    fn text(&self, number: i64) -> Result<Arc<str>, StoreError> {
        if let Some(text) = self.held.0.read().ok().and_then(|held| held.get(&number).cloned()) {
            return Ok(text);
        }
        let mut find = self.conn.prepare_cached("SELECT value FROM text WHERE id = ?")?;
        let text: Arc<str> = find.query_row([number], |row| row.get::<_, String>(0))?.into();
        if let Ok(mut held) = self.held.0.write() {
            if held.len() >= HELD {
                held.clear();
            }
            held.insert(number, Arc::clone(&text));
        }
        Ok(text)
    }
}
