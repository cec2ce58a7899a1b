//! How often each number of a dictionary occurs.

use std::collections::HashMap;

use crate::record::block::{Mask, Packed};

/// Numbers below this are counted in a list, the others in a map.
const DENSE: i64 = 1 << 16;

#[derive(Default)]
pub(crate) struct Tally {
    /// Count, and about where the newest event with the number stands.
    dense: Vec<(u64, i64)>,
    rare: HashMap<i64, (u64, i64)>,
}

impl Tally {
    /// Counts a block's column where `mask` says so. `first` is the block's first position: later events stand
    /// at least one further each.
    pub(crate) fn add(&mut self, column: &Packed<'_>, mask: &Mask, first: i64) {
        column.each(|at, number| {
            if mask.has(at) {
                self.one(number, 1, first.saturating_add(i64::try_from(at).unwrap_or(0)));
            }
        });
    }

    /// Counts a number whose newest event stands about there.
    pub(crate) fn one(&mut self, number: i64, count: u64, newest: i64) {
        let slot = self.slot(number);
        *slot = (slot.0 + count, slot.1.max(newest));
    }

    /// Numbers and counts, the one seen last first.
    pub(crate) fn newest_first(self) -> Vec<(i64, u64)> {
        let dense = (0_i64..).zip(self.dense);
        let mut all: Vec<_> = dense.chain(self.rare).filter(|(_, (count, _))| *count > 0).collect();
        all.sort_by_key(|(_, (_, newest))| std::cmp::Reverse(*newest));
        all.into_iter().map(|(number, (count, _))| (number, count)).collect()
    }

    fn slot(&mut self, number: i64) -> &mut (u64, i64) {
        match usize::try_from(number) {
            Ok(at) if number < DENSE => {
                if self.dense.len() <= at {
                    self.dense.resize(at + 1, (0, 0));
                }
                self.dense.get_mut(at).expect("it was just made as long")
            }
            _ => self.rare.entry(number).or_insert((0, 0)),
        }
    }
}
