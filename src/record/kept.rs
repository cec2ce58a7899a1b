//! What questions found in blocks, kept in memory for the next ones: blocks
//! never change, and one page asks for the same events several times (list,
//! count, chart, menus).
//!
//! Two things, each bounded: the columns of blocks that were read, and, for
//! the last few filters, which events of which blocks match.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use foldhash::fast::RandomState;

use crate::record::block::Mask;
use crate::record::query::{Clause, Filter, Scope};

/// Bytes of columns that are kept: those of about a million events.
const MOST_BYTES: usize = 12 << 20;
/// Blocks with matches that are kept of all filters together, 80 bytes each.
const MOST_BLOCKS: usize = 20_000;
/// Blocks with matches of one filter: where nearly all have some, finding them anew costs little more.
const MOST_OF_ONE: usize = 8_000;
/// Filters: a page needs at most three.
const MOST_FILTERS: usize = 24;

/// Shared by the readers' connections.
#[derive(Default)]
pub(crate) struct Kept {
    columns: RwLock<HashMap<i64, Arc<[u8]>, RandomState>>,
    is_full: AtomicBool,
    answers: Mutex<VecDeque<Arc<Answer>>>,
}

/// The matches of a filter among the digested events.
pub(crate) struct Answer {
    scope: Scope,
    clauses: Vec<Clause>,
    /// µs, from and before: what lies outside was not asked for.
    since: i64,
    until: i64,
    /// The newest position that was looked at.
    pub(crate) upto: i64,
    /// Ascending.
    pub(crate) hits: Vec<Hit>,
}

/// A block with matches.
#[derive(Clone, Copy)]
pub(crate) struct Hit {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) count: usize,
    /// The earliest and the latest time, µs.
    pub(crate) since: i64,
    pub(crate) until: i64,
    pub(crate) mask: Mask,
}

/// Matches that a walk gathers as it goes.
pub(crate) struct Gathered(Option<Vec<Hit>>);

impl Kept {
    /// The columns of a block, if they are kept.
    pub(crate) fn columns(&self, first: i64) -> Option<Arc<[u8]>> {
        self.columns.read().unwrap_or_else(PoisonError::into_inner).get(&first).map(Arc::clone)
    }

    /// Keeps the columns of a block while there is room.
    pub(crate) fn keep_columns(&self, first: i64, columns: &Arc<[u8]>) {
        if self.is_full() {
            return;
        }
        let mut kept = self.columns.write().unwrap_or_else(PoisonError::into_inner);
        // All blocks are about as large as this one.
        if (kept.len() + 1) * columns.len().max(1) > MOST_BYTES {
            self.is_full.store(true, Ordering::Relaxed);
            return;
        }
        kept.insert(first, Arc::clone(columns));
    }

    /// Whether no more columns are kept: the store is larger than that.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// What is known of a filter within a time.
    pub(crate) fn answer(&self, filter: &Filter, since: i64, until: i64) -> Option<Arc<Answer>> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = answers.iter().rev();
        known.find(|answer| answer.serves(filter, since, until)).map(Arc::clone)
    }

    /// Keeps all matches of a filter up to a position.
    pub(crate) fn keep_answer(&self, filter: &Filter, since: i64, until: i64, upto: i64, gathered: Gathered) {
        let Some(mut hits) = gathered.0 else { return };
        hits.sort_unstable_by_key(|hit| hit.first);
        let (scope, clauses) = (filter.scope.clone(), filter.clauses.clone());
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.retain(|known| !(known.serves(filter, since, until) && known.upto <= upto));
        answers.push_back(Arc::new(Answer { scope, clauses, since, until, upto, hits }));
        while answers.len() > MOST_FILTERS
            || answers.iter().map(|answer| answer.hits.len()).sum::<usize>() > MOST_BLOCKS
        {
            answers.pop_front();
        }
    }
}

impl Answer {
    fn serves(&self, filter: &Filter, since: i64, until: i64) -> bool {
        self.scope == filter.scope && self.clauses == filter.clauses && self.since <= since && self.until >= until
    }
}

impl Gathered {
    /// Gathers, if `wanted`.
    pub(crate) fn new(wanted: bool) -> Gathered {
        Gathered(wanted.then(Vec::new))
    }

    pub(crate) fn add(&mut self, hit: Hit) {
        if let Some(hits) = &mut self.0 {
            hits.push(hit);
            if hits.len() > MOST_OF_ONE {
                self.0 = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::query::Field;

    fn filter(value: &str) -> Filter {
        let clause = Clause { field: Field::User, negated: false, values: vec![value.to_owned()] };
        Filter { clauses: vec![clause], ..Filter::all(Scope::All) }
    }

    fn gathered(blocks: usize) -> Gathered {
        let mut gathered = Gathered::new(true);
        let hit = Hit { first: 1, last: 2, count: 2, since: 0, until: 9, mask: Mask::first(2) };
        (0..blocks).for_each(|_| gathered.add(hit));
        gathered
    }

    #[test]
    fn an_answer_serves_its_own_filter_within_its_time_and_nobody_else() {
        let kept = Kept::default();
        kept.keep_answer(&filter("u_1"), 10, 20, 7, gathered(3));
        assert_eq!(kept.answer(&filter("u_1"), 12, 20).map(|answer| answer.upto), Some(7));
        assert!(kept.answer(&filter("u_1"), 9, 20).is_none(), "it was not asked for that time");
        assert!(kept.answer(&filter("u_2"), 10, 20).is_none());
        let scoped = Filter { scope: Scope::Only(["39".to_owned()].into()), ..filter("u_1") };
        assert!(kept.answer(&scoped, 10, 20).is_none(), "another reader's");
        kept.keep_answer(&filter("u_1"), 10, 20, 8, gathered(4));
        assert_eq!(kept.answer(&filter("u_1"), 10, 20).map(|answer| (answer.upto, answer.hits.len())), Some((8, 4)));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let kept = Kept::default();
        kept.keep_answer(&filter("too many"), 0, 1, 1, gathered(MOST_OF_ONE + 1));
        assert!(kept.answer(&filter("too many"), 0, 1).is_none());
        for n in 0..100 {
            kept.keep_answer(&filter(&n.to_string()), 0, 1, 1, gathered(MOST_OF_ONE));
        }
        assert!(kept.answers.lock().unwrap().len() <= MOST_BLOCKS / MOST_OF_ONE);
        assert!(kept.answer(&filter("99"), 0, 1).is_some(), "the last ones stay");
        let large: Arc<[u8]> = vec![0; MOST_BYTES / 4].into();
        (0..9).for_each(|first| kept.keep_columns(first, &large));
        assert!(kept.is_full() && kept.columns.read().unwrap().len() == 4);
    }
}
