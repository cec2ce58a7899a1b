//! Which routes of the platform are used, kept over a restart.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::ledger::{Line, Traffic};
use crate::record::StoreError;
use crate::record::canonical::Damaged;

/// Puts `lines` in the place of what was kept, inside an open transaction.
pub(crate) fn keep(conn: &Connection, lines: &[Line]) -> rusqlite::Result<()> {
    conn.prepare_cached("DELETE FROM route")?.execute(())?;
    let mut keep = conn.prepare_cached("INSERT OR REPLACE INTO route VALUES (?, ?, ?, ?, ?, ?)")?;
    for Line { method, route, traffic } in lines {
        let Traffic { requests, succeeded, first, last } = traffic;
        let count = |number: &u64| i64::try_from(*number).unwrap_or(i64::MAX);
        let numbers = (count(requests), count(succeeded), first.as_microsecond(), last.as_microsecond());
        keep.execute(params![method, route, numbers.0, numbers.1, numbers.2, numbers.3])?;
    }
    Ok(())
}

/// What was kept.
pub(crate) fn list(conn: &Connection) -> Result<Vec<Line>, StoreError> {
    let mut find = conn.prepare_cached("SELECT method, route, requests, succeeded, first, last FROM route")?;
    let mut rows = find.query(())?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        let time = |column| Timestamp::from_microsecond(row.get(column)?).map_err(|_| StoreError::from(Damaged));
        let count = |column| u64::try_from(row.get::<_, i64>(column)?).map_err(|_| StoreError::from(Damaged));
        let traffic = Traffic { requests: count(2)?, succeeded: count(3)?, first: time(4)?, last: time(5)? };
        lines.push(Line { method: row.get(0)?, route: row.get(1)?, traffic });
    }
    Ok(lines)
}
