//! Numbered, checksummed migrations.
//!
//! Everything that is missing is applied in one transaction, so a kill between
//! two statements leaves the file as it was. Refuses a file of another program,
//! of a newer sidetrail, and one whose applied migrations are not those of this
//! program.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::record::OpenError;

/// `STL1`: tells a store from any other SQLite file.
const APPLICATION_ID: i64 = 0x5354_4c31;

pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// In order; a released one is never edited.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "store", sql: include_str!("migrations/0001_store.sql") },
    Migration { number: 2, name: "route", sql: include_str!("migrations/0002_route.sql") },
];

/// Checks the file and brings it up to `migrations`.
pub(crate) fn migrate(conn: &mut Connection, migrations: &[Migration], clock: &Clock) -> Result<(), OpenError> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let applied = if is_empty(&transaction)? { 0 } else { check(&transaction, migrations)? };
    if applied == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.execute_batch(
            "CREATE TABLE migration (
                number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 BLOB NOT NULL, applied INTEGER NOT NULL
            ) STRICT",
        )?;
    }
    for migration in migrations.iter().filter(|migration| migration.number > applied) {
        transaction.execute_batch(migration.sql)?;
        transaction.execute(
            "INSERT INTO migration VALUES (?, ?, ?, ?)",
            (migration.number, migration.name, sum(migration), clock.now().as_microsecond()),
        )?;
    }
    transaction.commit()?;
    Ok(())
}

/// The number of the newest migration that the file has.
pub(crate) fn check(conn: &Connection, migrations: &[Migration]) -> Result<i64, OpenError> {
    let id: i64 = conn.query_row("PRAGMA application_id", (), |row| row.get(0))?;
    if id != APPLICATION_ID {
        return Err(OpenError::NotOurs);
    }
    let mut newest = 0;
    let mut rows = conn.prepare("SELECT number, name, sha256 FROM migration ORDER BY number")?;
    let mut rows = rows.query(())?;
    let known = migrations.iter().map(|migration| migration.number).max().unwrap_or(0);
    while let Some(row) = rows.next()? {
        newest = row.get(0)?;
        let Some(ours) = migrations.iter().find(|migration| migration.number == newest) else {
            return Err(OpenError::Newer { found: newest, known });
        };
        if row.get::<_, Vec<u8>>(2)? != sum(ours) {
            return Err(OpenError::Edited { number: newest, name: row.get(1)? });
        }
    }
    Ok(newest)
}

/// Whether nothing was ever made in the file.
pub(crate) fn is_empty(conn: &Connection) -> rusqlite::Result<bool> {
    Ok(conn.query_row("SELECT 1 FROM sqlite_schema LIMIT 1", (), |_| Ok(())).optional()?.is_none())
}

fn sum(migration: &Migration) -> Vec<u8> {
    Sha256::digest(migration.sql.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_question_reads_a_whole_table_of_events() {
        let mut conn = Connection::open_in_memory().unwrap();
        migrate(&mut conn, MIGRATIONS, &Clock::system()).unwrap();
        for sql in [
            "SELECT id, body FROM event WHERE id BETWEEN ? AND ? ORDER BY id DESC",
            "SELECT id, log, body FROM event WHERE id > (SELECT upto FROM digest) ORDER BY id LIMIT ?",
            "SELECT id FROM event WHERE uuid = ?",
            "SELECT coalesce(max(id), 0) FROM event",
            "SELECT columns FROM span CROSS JOIN facts USING (first) WHERE first BETWEEN ? AND ? ORDER BY first DESC",
            "SELECT bits FROM span CROSS JOIN target_sieve USING (first) WHERE first BETWEEN ? AND ? ORDER BY first",
            "SELECT first FROM span WHERE first <= ? ORDER BY first DESC LIMIT 1",
            "SELECT category, outcome, count FROM rollup WHERE level = ? AND log = ? AND slot >= ? AND slot < ?",
            "SELECT actor FROM actor_name WHERE name = ?",
            "SELECT text FROM word WHERE text >= ?1 AND text < ?2 LIMIT ?3",
            "SELECT id FROM text WHERE value = ?",
        ] {
            let mut explain = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let free = vec![rusqlite::types::Null; explain.parameter_count()];
            let steps = explain.query_map(rusqlite::params_from_iter(free), |row| row.get::<_, String>(3)).unwrap();
            for step in steps.map(Result::unwrap).filter(|step| step != "SCAN digest") {
                assert!(!step.starts_with("SCAN") && !step.contains("TEMP B-TREE"), "{step}: {sql}");
            }
        }
    }
}
