//! Which events match, in order: the one walk behind list, count, facets,
//! histogram and export, so that they can never disagree.
//!
//! Digested events come as blocks, found by what spans know of them or by the
//! word index; the few later ones come one by one.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};

use crate::event::Event;
use crate::record::StoreError;
use crate::record::block::{Column, Mask};
use crate::record::body;
use crate::record::canonical::Damaged;
use crate::record::census::{Census, Gap};
use crate::record::kept::{Answer, Gathered, Kept};
use crate::record::loaded::Block;
use crate::record::plan::Plan;
use crate::record::query::{Filter, Order, Position, Stored};
use crate::record::rollup::Stretch;
use crate::record::sieve::may_hold;
use crate::record::texts::Reading;

/// One moment of the store.
pub(crate) struct Snapshot<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) texts: Reading<'a>,
    pub(crate) census: &'a Census,
    pub(crate) kept: &'a Kept,
}

/// Which digested events are walked over: the others were counted already.
pub(crate) enum Rest {
    All,
    /// Those of some stretches of time (ascending, apart).
    Times(Vec<Stretch>),
    /// Those that stand there.
    Between(Vec<Gap>),
}

/// Some matches.
pub(crate) enum Part<'a> {
    /// One that no block holds yet, and where it stands.
    Event(i64, &'a Event),
    /// Some of a block.
    Block(&'a Block<'a>, Mask),
}

/// Takes matches; says whether it wants more.
pub(crate) type Each<'e> = dyn FnMut(Part<'_>) -> Result<bool, StoreError> + 'e;

/// One walk.
pub(super) struct Walk<'a> {
    snapshot: &'a Snapshot<'a>,
    pub(super) plan: Plan,
    pub(super) only: Option<Vec<Stretch>>,
    /// What is known of the filter's matches.
    known: Option<Arc<Answer>>,
    gathered: Gathered,
    descending: bool,
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Snapshot<'_> {
    /// Calls `each` with all matches in order until it has enough.
    pub(crate) fn visit(
        &self,
        filter: &Filter,
        order: Order,
        after: Option<Position>,
        each: &mut Each<'_>,
    ) -> Result<(), StoreError> {
        let (mut from, mut to) = (0, i64::MAX);
        match (order, after) {
            (_, None) => {}
            (Order::Ascending, Some(after)) => from = after.0.saturating_add(1).max(0),
            (Order::Descending, Some(after)) => to = after.0.saturating_sub(1),
        }
        self.walk(filter, order, (from, to), Rest::All, each)
    }

    /// Like [`Snapshot::visit`], but of digested events only some. Several gaps come in no order.
    pub(crate) fn visit_rest(
        &self,
        filter: &Filter,
        order: Order,
        rest: Rest,
        each: &mut Each<'_>,
    ) -> Result<(), StoreError> {
        self.walk(filter, order, (0, i64::MAX), rest, each)
    }

    fn walk(
        &self,
        filter: &Filter,
        order: Order,
        (from, to): Gap,
        rest: Rest,
        each: &mut Each<'_>,
    ) -> Result<(), StoreError> {
        let to = filter.upto.map_or(to, |upto| upto.0.min(to));
        let digested = self.digested()?;
        let is_all = matches!(rest, Rest::All) && from == 0 && to >= digested;
        let (only, gaps) = match rest {
            Rest::All => (None, vec![(from, to)]),
            Rest::Times(only) => (Some(only), vec![(from, to)]),
            Rest::Between(gaps) => (None, gaps),
        };
        let descending = order == Order::Descending;
        let plan = Plan::new(self, filter)?;
        let (since, until) = (plan.since, plan.until);
        let known = self.kept.answer(filter, since, until);
        // Where all blocks match, or all is known, there is nothing to keep.
        let is_new = is_all && !filter.clauses.is_empty() && known.as_ref().is_none_or(|known| known.upto < digested);
        let gathered = Gathered::new(is_new);
        let mut walk = Walk { snapshot: self, plan, only, known, gathered, descending, from, to };
        if descending && !walk.late(digested, each)? {
            return Ok(());
        }
        for (first, last) in gaps {
            (walk.from, walk.to) = (first.max(from), last.min(to));
            if !walk.blocks(each)? {
                return Ok(());
            }
        }
        if is_new {
            self.kept.keep_answer(
                filter,
                since,
                until,
                digested,
                std::mem::replace(&mut walk.gathered, Gathered::new(false)),
            );
        }
        if !descending {
            (walk.from, walk.to) = (from, to);
            walk.late(digested, each)?;
        }
        Ok(())
    }

    /// The newest position that blocks hold.
    pub(crate) fn digested(&self) -> Result<i64, StoreError> {
        Ok(self.conn.prepare_cached("SELECT upto FROM digest")?.query_row((), |row| row.get(0))?)
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

impl Walk<'_> {
    fn direction(&self) -> &'static str {
        if self.descending { "DESC" } else { "ASC" }
    }

    /// Events that no block holds yet.
    fn late(&self, digested: i64, each: &mut Each<'_>) -> Result<bool, StoreError> {
        let sql = format!("SELECT id, body FROM event WHERE id BETWEEN ? AND ? ORDER BY id {}", self.direction());
        let mut find = self.snapshot.conn.prepare_cached(&sql)?;
        let mut rows = find.query((self.from.max(digested.saturating_add(1)), self.to))?;
        while let Some(row) = rows.next()? {
            let event = self.snapshot.decode(row, 1)?;
            if self.plan.matcher.accepts(&event) && !each(Part::Event(row.get(0)?, &event))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// All matches between `from` and `to` that blocks hold: those that are known, and the later ones.
    fn blocks(&mut self, each: &mut Each<'_>) -> Result<bool, StoreError> {
        let Some(known) = self.known.clone() else { return self.search(each) };
        let (from, to) = (self.from, self.to);
        let beyond = (from.max(known.upto.saturating_add(1)), to);
        for is_beyond in [self.descending, !self.descending] {
            let goes_on = if is_beyond {
                (self.from, self.to) = beyond;
                beyond.0 > beyond.1 || self.search(each)?
            } else {
                (self.from, self.to) = (from, to.min(known.upto));
                self.again(&known, each)?
            };
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn search(&mut self, each: &mut Each<'_>) -> Result<bool, StoreError> {
        match self.plan.words.clone() {
            _ if self.plan.nothing => Ok(true),
            Some(words) => self.by_words(&words, each),
            None => self.by_spans(each),
        }
    }

    /// What was found before, as far as it is asked for now.
    fn again(&mut self, known: &Answer, each: &mut Each<'_>) -> Result<bool, StoreError> {
        let first = known.hits.partition_point(|hit| hit.last < self.from);
        let behind = known.hits.partition_point(|hit| hit.first <= self.to);
        let hits = known.hits.get(first..behind).unwrap_or_default();
        for at in 0..hits.len() {
            let at = if self.descending { hits.len() - 1 - at } else { at };
            let Some(hit) = hits.get(at) else { break };
            if hit.until < self.plan.since || hit.since >= self.plan.until {
                continue;
            }
            let block = Block::found(self.snapshot.conn, hit).kept_by(self.snapshot.kept);
            if !self.only.as_deref().is_none_or(|only| meets(only, &block)) {
                continue;
            }
            let mut mask = hit.mask;
            self.narrow_bounds(&block, &mut mask)?;
            if !self.pass(&block, mask, each)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Every block that may hold a match.
    fn by_spans(&mut self, each: &mut Each<'_>) -> Result<bool, StoreError> {
        let bits = |column: Column| {
            let tests = self.plan.columns.iter().filter(|test| test.column == column && !test.negated);
            tests.fold(-1, |bits, test| bits & test.bits())
        };
        let plan = &self.plan;
        let sieve = plan.sieve();
        // Where most blocks are passed over, their columns are not read along.
        let (column, table) = match &sieve {
            Some((table, _)) => ("bits", format!("CROSS JOIN {table} USING (first)")),
            None if self.only.is_some() || !self.snapshot.kept.is_full() => ("NULL", String::new()),
            None => ("columns", "CROSS JOIN facts USING (first)".to_owned()),
        };
        let sql = format!(
            "SELECT first, last, count, since, until, {column} FROM span {table}
             WHERE first BETWEEN coalesce((SELECT max(first) FROM span WHERE first <= ?1), ?1) AND ?2
               AND last >= ?1 AND until >= ?3 AND since < ?4
               AND log & ?5 AND category & ?6 AND action & ?7
             ORDER BY first {}",
            self.direction()
        );
        let mut find = self.snapshot.conn.prepare_cached(&sql)?;
        let mut rows = find.query([
            self.from,
            self.to,
            plan.since,
            plan.until,
            bits(Column::Log),
            bits(Column::Category),
            bits(Column::Action),
        ])?;
        while let Some(row) = rows.next()? {
            let block = Block::of(self.snapshot.conn, row)?.kept_by(self.snapshot.kept);
            if !self.only.as_deref().is_none_or(|only| meets(only, &block)) {
                continue;
            }
            let bytes = row.get_ref(5)?.as_blob_or_null().map_err(|_| Damaged)?;
            let block = match (&sieve, bytes) {
                (Some((_, wanted)), Some(bits)) if !wanted.iter().any(|number| may_hold(bits, *number)) => continue,
                (None, Some(columns)) => block.with_facts(columns.to_vec()),
                _ => block,
            };
            if !self.give(&block, Mask::first(block.count), each)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What the word index names, block by block.
    fn by_words(&mut self, words: &str, each: &mut Each<'_>) -> Result<bool, StoreError> {
        let conn = self.snapshot.conn;
        let sql = format!(
            "SELECT rowid FROM word_index WHERE word_index MATCH ?1 AND rowid BETWEEN ?2 AND ?3 ORDER BY rowid {}",
            self.direction()
        );
        let mut find = conn.prepare_cached(&sql)?;
        let (from, to) = self.reach()?;
        let mut rows = find.query((words, from, to))?;
        let mut current: Option<(Block<'_>, Mask)> = None;
        while let Some(row) = rows.next()? {
            let position: i64 = row.get(0)?;
            if !current.as_ref().is_some_and(|(block, _)| block.spans(position)) {
                if let Some((block, mask)) = current.take()
                    && !self.give(&block, mask, each)?
                {
                    return Ok(false);
                }
                let mut find = conn.prepare_cached(
                    "SELECT first, last, count, since, until FROM span WHERE first <= ? ORDER BY first DESC LIMIT 1",
                )?;
                let mut rows = find.query([position])?;
                let row = rows.next()?.ok_or(Damaged)?;
                current = Some((Block::of(conn, row)?.kept_by(self.snapshot.kept), Mask::NONE));
            }
            if let Some((block, mask)) = &mut current {
                mask.add(block.place(position)?.ok_or(Damaged)?);
            }
        }
        match current {
            Some((block, mask)) => self.give(&block, mask, each),
            None => Ok(true),
        }
    }

    /// The positions between which every digested match stands: the word index knows no times.
    fn reach(&self) -> Result<(i64, i64), StoreError> {
        if self.plan.since == i64::MIN && self.plan.until == i64::MAX {
            return Ok((self.from, self.to));
        }
        let mut find = self.snapshot.conn.prepare_cached(
            "SELECT coalesce(max(?1, min(first)), 1), coalesce(min(?2, max(last)), 0) FROM span
             WHERE until >= ?3 AND since < ?4",
        )?;
        let bounds = [self.from, self.to, self.plan.since, self.plan.until];
        Ok(find.query_row(bounds, |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    /// Gives those of `mask` that match.
    fn give(&mut self, block: &Block<'_>, mut mask: Mask, each: &mut Each<'_>) -> Result<bool, StoreError> {
        self.narrow(block, &mut mask)?;
        if self.plan.verify {
            for place in mask.places() {
                let position = *block.ids()?.get(place).ok_or(Damaged)?;
                let stored = self.snapshot.stored(position)?.ok_or(Damaged)?;
                if !self.plan.matcher.accepts(&stored.event) {
                    mask.remove(place);
                }
            }
        }
        self.pass(block, mask, each)
    }

    /// Gives what matches.
    fn pass(&mut self, block: &Block<'_>, mask: Mask, each: &mut Each<'_>) -> Result<bool, StoreError> {
        if mask.is_empty() {
            return Ok(true);
        }
        self.gathered.add(block.hit(mask));
        each(Part::Block(block, mask))
    }
}

/// Whether a block reaches into one of some stretches.
fn meets(only: &[Stretch], block: &Block<'_>) -> bool {
    let behind = only.partition_point(|(_, until)| *until <= block.since);
    only.get(behind).is_some_and(|(since, _)| *since <= block.until)
}
