//! A block as a question sees it: each part is read when it is asked for.

use std::cell::OnceCell;
use std::sync::Arc;

use rusqlite::{Connection, Row};

use crate::record::StoreError;
use crate::record::block::{Column, Mask, Packed};
use crate::record::canonical::Damaged;
use crate::record::kept::{Hit, Kept};

pub(crate) struct Block<'a> {
    conn: &'a Connection,
    pub(crate) first: i64,
    last: i64,
    pub(crate) count: usize,
    /// The earliest and the latest time, µs.
    pub(crate) since: i64,
    pub(crate) until: i64,
    facts: OnceCell<Arc<[u8]>>,
    kept: Option<&'a Kept>,
    ids: OnceCell<Vec<i64>>,
    times: OnceCell<Vec<i64>>,
}

impl<'a> Block<'a> {
    /// Of a row `first, last, count, since, until`.
    pub(crate) fn of(conn: &'a Connection, row: &Row<'_>) -> Result<Block<'a>, StoreError> {
        Ok(Block {
            conn,
            first: row.get(0)?,
            last: row.get(1)?,
            count: usize::try_from(row.get::<_, i64>(2)?).map_err(|_| Damaged)?,
            since: row.get(3)?,
            until: row.get(4)?,
            facts: OnceCell::new(),
            kept: None,
            ids: OnceCell::new(),
            times: OnceCell::new(),
        })
    }

    /// One that was found before.
    pub(crate) fn found(conn: &'a Connection, hit: &Hit) -> Block<'a> {
        let Hit { first, last, count, since, until, .. } = *hit;
        let (facts, ids, times) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        Block { conn, first, last, count, since, until, facts, kept: None, ids, times }
    }

    /// The block and some of its events, to be found again.
    pub(crate) fn hit(&self, mask: Mask) -> Hit {
        let Block { first, last, count, since, until, .. } = *self;
        Hit { first, last, count, since, until, mask }
    }

    /// With its columns, where they were read along.
    pub(crate) fn with_facts(self, facts: Vec<u8>) -> Block<'a> {
        Block { facts: OnceCell::from(Arc::from(facts)), ..self }
    }

    /// Whose columns are looked for, and left, among what is kept.
    pub(crate) fn kept_by(self, kept: &'a Kept) -> Block<'a> {
        Block { kept: Some(kept), ..self }
    }

    /// Whether a position may be one of its events'.
    pub(crate) fn spans(&self, position: i64) -> bool {
        (self.first..=self.last).contains(&position)
    }

    /// Whether all of its positions are in a range.
    pub(crate) fn within(&self, from: i64, to: i64) -> bool {
        from <= self.first && self.last <= to
    }

    /// Where in the block an event stands.
    pub(crate) fn place(&self, position: i64) -> Result<Option<usize>, StoreError> {
        Ok(self.ids()?.binary_search(&position).ok())
    }

    /// The events' positions, ascending.
    pub(crate) fn ids(&self) -> Result<&[i64], StoreError> {
        self.list(&self.ids, "SELECT ids FROM moments WHERE first = ?")
    }

    /// The events' times, µs.
    pub(crate) fn times(&self) -> Result<&[i64], StoreError> {
        self.list(&self.times, "SELECT times FROM moments WHERE first = ?")
    }

    /// One column.
    pub(crate) fn column(&self, column: Column) -> Result<Packed<'_>, StoreError> {
        let facts = match self.facts.get() {
            Some(facts) => facts,
            None => {
                let read = self.read_facts()?;
                self.facts.get_or_init(|| read)
            }
        };
        Ok(Packed::nth(facts, column.place())?)
    }

    fn read_facts(&self) -> Result<Arc<[u8]>, StoreError> {
        if let Some(facts) = self.kept.and_then(|kept| kept.columns(self.first)) {
            return Ok(facts);
        }
        let facts = Arc::from(self.blob("SELECT columns FROM facts WHERE first = ?")?);
        if let Some(kept) = self.kept {
            kept.keep_columns(self.first, &facts);
        }
        Ok(facts)
    }

    /// The hashes of the requests' ids.
    pub(crate) fn requests(&self) -> Result<Vec<i64>, StoreError> {
        Ok(Packed::nth(&self.blob("SELECT requests FROM marks WHERE first = ?")?, 0)?.all())
    }

    /// Place and hash of everything that a target may be called.
    pub(crate) fn targets(&self) -> Result<Vec<(usize, i64)>, StoreError> {
        self.pairs("SELECT targets FROM marks WHERE first = ?")
    }

    /// Place and kind of the targets; a kind counts once an event.
    pub(crate) fn kinds(&self) -> Result<Vec<(usize, i64)>, StoreError> {
        self.pairs("SELECT kinds FROM marks WHERE first = ?")
    }

    fn pairs(&self, sql: &str) -> Result<Vec<(usize, i64)>, StoreError> {
        let bytes = self.blob(sql)?;
        let places = Packed::nth(&bytes, 0)?.all().into_iter();
        let numbers = Packed::nth(&bytes, 1)?.all();
        let places = places.map(|place| usize::try_from(place).map_err(|_| Damaged));
        Ok(places.zip(numbers).map(|(place, number)| Ok((place?, number))).collect::<Result<_, Damaged>>()?)
    }

    fn list<'s>(&'s self, cell: &'s OnceCell<Vec<i64>>, sql: &str) -> Result<&'s [i64], StoreError> {
        if let Some(list) = cell.get() {
            return Ok(list);
        }
        let read = Packed::nth(&self.blob(sql)?, 0)?.all();
        Ok(cell.get_or_init(|| read))
    }

    fn blob(&self, sql: &str) -> Result<Vec<u8>, StoreError> {
        Ok(self.conn.prepare_cached(sql)?.query_row([self.first], |row| row.get(0))?)
    }
}
