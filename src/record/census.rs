//! How often each person and each action occurs in each log, summed over many
//! blocks and kept in memory: what the menus of a page need of everything.
//!
//! Blocks never change, so a sum holds for ever; what it does not cover (the
//! newest blocks, those at the edges of a range of time) is counted from
//! blocks. Made by the first question that needs it, 40 ms a million events.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;

use crate::record::StoreError;
use crate::record::block::Column;
use crate::record::canonical::Damaged;
use crate::record::loaded::Block;
use crate::record::plan::Plan;
use crate::record::query::{Field, Filter};
use crate::record::select::Snapshot;
use crate::record::tally::Tally;

/// Blocks of a sum. Fewer: more to keep. More: more blocks to count at the edges. Tests have few events and must meet
/// sums all the same.
const BLOCKS: usize = if cfg!(debug_assertions) { 2 } else { 128 };
/// Counts that are kept, 12 bytes each: the oldest sums go first.
const MOST: usize = 700_000;

/// All sums. Shared by the readers' connections.
#[derive(Default)]
pub(crate) struct Census(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// By position, ascending, without holes.
    sums: Vec<Arc<Sum>>,
    counts: usize,
    /// Of the sums, so many of the oldest were let go.
    gone: usize,
}

/// Some blocks that follow each other.
struct Sum {
    first: i64,
    last: i64,
    /// The earliest and the latest time, µs.
    since: i64,
    until: i64,
    actors: Vec<Count>,
    actions: Vec<Count>,
}

/// How often a number occurs in a log, and which event of the sum was the last with it.
#[derive(Clone, Copy)]
struct Count {
    log: u32,
    number: u32,
    count: u16,
    newest: u16,
}

/// Positions, both ends included.
pub(crate) type Gap = (i64, i64);

/// Counts what sums know of a field; returns what must be counted from blocks, or `None` where they cannot serve.
pub(crate) fn count(
    asked: &Snapshot<'_>,
    filter: &Filter,
    field: Field,
    numbers: &mut Tally,
) -> Result<Option<Vec<Gap>>, StoreError> {
    let known = filter.clauses.iter().all(|clause| clause.field == Field::Workspace);
    if !known || !matches!(field, Field::User | Field::Action) {
        return Ok(None);
    }
    let plan = Plan::new(asked, filter)?;
    let reach = filter.upto.map_or(i64::MAX, |upto| upto.0).min(asked.digested()?);
    let (mut gaps, mut from) = (Vec::new(), 0);
    for sum in asked.census.sums(asked)? {
        if sum.since < plan.since || sum.until >= plan.until || sum.last > reach {
            continue;
        }
        for count in if field == Field::User { &sum.actors } else { &sum.actions } {
            let log = i64::from(count.log);
            if plan.columns.iter().all(|test| test.holds(log) != test.negated) {
                numbers.one(count.number.into(), count.count.into(), sum.first + i64::from(count.newest));
            }
        }
        gaps.push((from, sum.first - 1));
        from = sum.last + 1;
    }
    gaps.push((from, i64::MAX));
    gaps.retain(|(from, to)| from <= to);
    Ok(Some(gaps))
}

impl Census {
    /// The sums that are kept, oldest first; those that can be made by now are made.
    fn sums(&self, asked: &Snapshot<'_>) -> Result<Vec<Arc<Sum>>, StoreError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reached = kept.sums.last().map_or(0, |sum| sum.last);
        while let Some(sum) = Sum::after(asked, reached)? {
            reached = sum.last;
            kept.counts += sum.len();
            kept.sums.push(Arc::new(sum));
            kept.let_go();
        }
        Ok(kept.sums.iter().skip(kept.gone).map(Arc::clone).collect())
    }
}

impl Kept {
    /// Empties the oldest sums until the others have room; they stay in the list, so that nobody makes them again.
    fn let_go(&mut self) {
        while self.counts > MOST
            && let Some(oldest) = self.sums.get_mut(self.gone)
        {
            self.counts -= oldest.len();
            let Sum { first, last, since, until, .. } = **oldest;
            *oldest = Arc::new(Sum { first, last, since, until, actors: Vec::new(), actions: Vec::new() });
            self.gone += 1;
        }
    }
}

impl Sum {
    /// The blocks behind a position, if there are enough of them.
    fn after(asked: &Snapshot<'_>, position: i64) -> Result<Option<Sum>, StoreError> {
        let mut find = asked.conn.prepare_cached(
            "SELECT first, last, count, since, until, columns FROM span CROSS JOIN facts USING (first)
             WHERE first > ?1 AND EXISTS (SELECT 1 FROM span WHERE first > ?1 ORDER BY first LIMIT 1 OFFSET ?2 - 1)
             ORDER BY first LIMIT ?2",
        )?;
        let wanted = i64::try_from(BLOCKS).map_err(|_| Damaged)?;
        let mut rows = find.query([position, wanted])?;
        let (mut actors, mut actions) = (Counts::default(), Counts::default());
        let (mut sum, mut blocks, mut events) = (None::<Sum>, 0, 0_u16);
        while let Some(row) = rows.next()? {
            let block = Block::of(asked.conn, row)?.with_facts(row.get(5)?);
            let (first, last): (i64, i64) = (row.get(0)?, row.get(1)?);
            let sum = sum.get_or_insert_with(|| Sum::empty(first));
            (sum.last, sum.since, sum.until) = (last, sum.since.min(block.since), sum.until.max(block.until));
            let logs = block.column(Column::Log)?.all();
            actors.add(&logs, &block.column(Column::Actor)?.all(), events);
            actions.add(&logs, &block.column(Column::Action)?.all(), events);
            events = events.saturating_add(u16::try_from(block.count).map_err(|_| Damaged)?);
            blocks += 1;
        }
        let full = sum.filter(|_| blocks == BLOCKS);
        Ok(full.map(|sum| Sum { actors: actors.list(), actions: actions.list(), ..sum }))
    }

    fn empty(first: i64) -> Sum {
        Sum { first, last: first, since: i64::MAX, until: i64::MIN, actors: Vec::new(), actions: Vec::new() }
    }

    fn len(&self) -> usize {
        self.actors.len() + self.actions.len()
    }
}

/// Counts of log and number, with the newest event of each.
#[derive(Default)]
struct Counts(HashMap<(i64, i64), (u16, u16), RandomState>);

impl Counts {
    fn add(&mut self, logs: &[i64], numbers: &[i64], before: u16) {
        for ((log, number), at) in logs.iter().zip(numbers).zip(before..) {
            let count = self.0.entry((*log, *number)).or_default();
            *count = (count.0.saturating_add(1), at);
        }
    }

    fn list(self) -> Vec<Count> {
        let narrow = |number: i64| u32::try_from(number).unwrap_or(u32::MAX);
        let count =
            |((log, number), (count, newest))| Count { log: narrow(log), number: narrow(number), count, newest };
        self.0.into_iter().map(count).collect()
    }
}
