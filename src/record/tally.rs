//! How often each number of a dictionary occurs.

use std::collections::HashMap;

use crate::record::block::{Mask, Packed};

/// Numbers below this are counted in a list, the others in a map.
const DENSE: i64 = 1 << 16;

#[derive(Default)]
pub(crate) struct Tally {
    /// Count, and the turn in which the number came first.
    dense: Vec<(u64, u64)>,
    rare: HashMap<i64, (u64, u64)>,
    turn: u64,
}

impl Tally {
    /// Counts a block's column where `mask` says so. Within a block the last event is the newest.
    pub(crate) fn add(&mut self, column: &Packed<'_>, mask: &Mask) {
        self.turn += 256;
        let turn = self.turn;
        column.each(|at, number| {
            if mask.has(at) {
                let within = u64::try_from(at).unwrap_or(0);
                let slot = self.slot(number);
                if slot.0 == 0 || slot.1 > turn - 256 {
                    slot.1 = turn - within;
                }
                slot.0 += 1;
            }
        });
    }

    pub(crate) fn one(&mut self, number: i64, count: u64) {
        self.turn += 1;
        let turn = self.turn;
        let slot = self.slot(number);
        if slot.0 == 0 {
            slot.1 = turn;
        }
        slot.0 += count;
    }

    /// Numbers and counts, the one seen last first.
    pub(crate) fn newest_first(self) -> Vec<(i64, u64)> {
        let dense = (0_i64..).zip(self.dense);
        let mut all: Vec<_> = dense.chain(self.rare).filter(|(_, (count, _))| *count > 0).collect();
        all.sort_by_key(|(_, (_, turn))| *turn);
        all.into_iter().map(|(number, (count, _))| (number, count)).collect()
    }

    fn slot(&mut self, number: i64) -> &mut (u64, u64) {
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
