//! Which events match, in order: the one walk behind list, count, facets,
//! histogram and export, so that they can never disagree.

use rusqlite::{Connection, OptionalExtension, Row};

use crate::event::Event;
use crate::record::StoreError;
use crate::record::body;
use crate::record::canonical::Damaged;
use crate::record::matching::Matcher;
use crate::record::query::{Filter, Order, Position, Stored};
use crate::record::texts::Reading;

/// One moment of the store.
pub(crate) struct Snapshot<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) texts: Reading<'a>,
}

/// An event that matches.
pub(crate) struct Found<'a> {
    snapshot: &'a Snapshot<'a>,
    pub(crate) position: i64,
}

impl Found<'_> {
    pub(crate) fn stored(&self) -> Result<Stored, StoreError> {
        Ok(self.snapshot.stored(self.position)?.ok_or(Damaged)?)
    }
}

impl Snapshot<'_> {
    /// Calls `each` with every match in order until it says `false`.
    pub(crate) fn select(
        &self,
        filter: &Filter,
        order: Order,
        after: Option<Position>,
        mut each: impl FnMut(Found<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let matcher = Matcher::new(filter);
        let mut from = 0;
        let mut to = filter.upto.map_or(i64::MAX, |upto| upto.0);
        match (order, after) {
            (_, None) => {}
            (Order::Ascending, Some(after)) => from = after.0.saturating_add(1),
            (Order::Descending, Some(after)) => to = to.min(after.0.saturating_sub(1)),
        }
        let direction = if order == Order::Ascending { "ASC" } else { "DESC" };
        let sql = format!("SELECT id, body FROM event WHERE id BETWEEN ? AND ? ORDER BY id {direction}");
        let mut find = self.conn.prepare_cached(&sql)?;
        let mut rows = find.query((from, to))?;
        while let Some(row) = rows.next()? {
            if matcher.accepts(&self.decode(row, 1)?) && !each(Found { snapshot: self, position: row.get(0)? })? {
                break;
            }
        }
        Ok(())
    }

    pub(crate) fn stored(&self, position: i64) -> Result<Option<Stored>, StoreError> {
        let mut find = self.conn.prepare_cached("SELECT seq, hash, body FROM event WHERE id = ?")?;
        find.query_row([position], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?, self.decode(row, 2))))
            .optional()?
            .map(|(seq, hash, event)| {
                let seq = u64::try_from(seq).map_err(|_| Damaged)?;
                Ok(Stored { position: Position(position), seq, hash, event: event? })
            })
            .transpose()
    }

    fn decode(&self, row: &Row<'_>, column: usize) -> Result<Event, StoreError> {
        body::decode(row.get_ref(column)?.as_blob().map_err(|_| Damaged)?, &self.texts)
    }
}
