//! What memory knows of things, kept so that names survive a restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Map, Value};

use crate::memory::{Key, Lesson, Thing};
use crate::record::StoreError;
use crate::record::canonical::Damaged;

/// Lessons that may wait to be written; more are dropped and counted.
const WAITING: usize = 10_000;
/// A thing seen again unchanged is written again only after this long (µs): its age need not be exact.
const STALE: i64 = 3_600_000_000;

/// Lessons on their way to the disk: one per thing.
#[derive(Default)]
pub(crate) struct Lessons {
    pub(crate) learned: BTreeMap<Key, Lesson>,
    pub(crate) forgotten: Vec<Key>,
}

impl Lessons {
    /// Adds lessons; returns how many found no room.
    pub(crate) fn add(&mut self, lessons: Vec<Lesson>) -> u64 {
        let mut dropped = 0;
        for lesson in lessons {
            if let Some(known) = self.learned.get_mut(&lesson.key) {
                known.name = lesson.name.or(known.name.take());
                known.fields.extend(lesson.fields);
                known.gone = lesson.gone;
                known.seen = lesson.seen;
            } else if self.learned.len() < WAITING {
                self.learned.insert(lesson.key.clone(), lesson);
            } else {
                dropped += 1;
            }
        }
        dropped
    }

    /// Forgets things; a lesson that waits for one of them is void.
    pub(crate) fn forget(&mut self, keys: Vec<Key>) {
        for key in keys {
            self.learned.remove(&key);
            if self.forgotten.len() < WAITING {
                self.forgotten.push(key);
            }
        }
    }
}

/// Whether a thing was deleted and not seen since: in its workspace, else among things that belong to none.
pub(crate) fn is_gone(conn: &Connection, workspace: &str, kind: &str, id: &str) -> rusqlite::Result<bool> {
    let mut find = conn.prepare_cached("SELECT gone FROM thing WHERE workspace = ? AND kind = ? AND id = ?")?;
    for workspace in [workspace, ""] {
        if let Some(gone) = find.query_row(params![workspace, kind, id], |row| row.get(0)).optional()? {
            return Ok(gone);
        }
    }
    Ok(false)
}

/// Writes lessons, inside an open transaction. Forgetting comes first: a lesson that waits is newer.
pub(crate) fn keep(conn: &Connection, lessons: &Lessons) -> rusqlite::Result<()> {
    let mut forget = conn.prepare_cached("DELETE FROM thing WHERE workspace = ? AND kind = ? AND id = ?")?;
    for key in &lessons.forgotten {
        forget.execute(params![key.workspace, key.kind, key.id])?;
    }
    let mut find =
        conn.prepare_cached("SELECT name, fields, gone, seen FROM thing WHERE workspace = ? AND kind = ? AND id = ?")?;
    let mut keep = conn.prepare_cached("INSERT OR REPLACE INTO thing VALUES (?, ?, ?, ?, ?, ?, ?)")?;
    for (key, lesson) in &lessons.learned {
        let known = find
            .query_row(params![key.workspace, key.kind, key.id], |row| {
                let fields: Map<String, Value> = serde_json::from_str(&row.get::<_, String>(1)?).unwrap_or_default();
                let seen = row.get::<_, i64>(3)?;
                Ok((row.get::<_, Option<String>>(0)?, fields, row.get::<_, bool>(2)?, seen))
            })
            .optional()?;
        let seen = lesson.seen.as_microsecond();
        let (name, fields) = match known {
            None => (lesson.name.clone(), lesson.fields.clone()),
            Some((name, fields, gone, when)) => {
                let new_name = lesson.name.clone().or(name.clone());
                let mut new_fields = fields.clone();
                new_fields.extend(lesson.fields.clone());
                let same = new_name == name && new_fields == fields && lesson.gone == gone;
                if same && seen.saturating_sub(when) < STALE {
                    continue;
                }
                (new_name, new_fields)
            }
        };
        let fields = Value::Object(fields).to_string();
        keep.execute(params![key.workspace, key.kind, key.id, name, fields, lesson.gone, seen])?;
    }
    Ok(())
}

/// The things that were remembered, most recently seen first.
pub(crate) fn list(conn: &Connection, limit: usize) -> Result<Vec<(Key, Thing)>, StoreError> {
    let mut find = conn
        .prepare_cached("SELECT workspace, kind, id, name, fields, gone, seen FROM thing ORDER BY seen DESC LIMIT ?")?;
    let mut rows = find.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |column| row.get::<_, Arc<str>>(column);
        let key = Key { workspace: text(0)?, kind: text(1)?, id: text(2)? };
        let thing = Thing {
            name: row.get(3)?,
            fields: serde_json::from_str(&row.get::<_, String>(4)?).map_err(|_| Damaged)?,
            gone: row.get(5)?,
            seen: Timestamp::from_microsecond(row.get(6)?).map_err(|_| Damaged)?,
        };
        all.push((key, thing));
    }
    Ok(all)
}
