//! Which events of a block a walk wants: its columns, hashes, times and
//! positions, compared with the filter's.

use std::collections::BTreeSet;

use crate::record::StoreError;
use crate::record::block::Mask;
use crate::record::loaded::Block;
use crate::record::query::Field;
use crate::record::rollup::Stretch;
use crate::record::select::Walk;

impl Walk<'_> {
    /// Keeps what the columns, hashes and bounds of the filter want.
    pub(super) fn narrow(&self, block: &Block<'_>, mask: &mut Mask) -> Result<(), StoreError> {
        for test in &self.plan.columns {
            if mask.is_empty() {
                return Ok(());
            }
            let hits = block.column(test.column)?.among(&test.numbers);
            if test.negated { mask.drop_all(&hits) } else { mask.meet(&hits) }
        }
        self.narrow_bounds(block, mask)?;
        for test in &self.plan.hashes {
            if !mask.is_empty() {
                mask.meet(&hashed(block, test.field, &test.hashes)?);
            }
        }
        Ok(())
    }

    /// Keeps what lies within the positions and times that are asked for.
    pub(super) fn narrow_bounds(&self, block: &Block<'_>, mask: &mut Mask) -> Result<(), StoreError> {
        if !mask.is_empty() && !block.within(self.from, self.to) {
            let ids = block.ids()?.iter();
            keep(mask, ids.map(|id| (self.from..=self.to).contains(id)));
        }
        if !mask.is_empty() && (block.since < self.plan.since || block.until >= self.plan.until) {
            let range = self.plan.since..self.plan.until;
            keep(mask, block.times()?.iter().map(|time| range.contains(time)));
        }
        if let Some(only) = self.only.as_ref().filter(|_| !mask.is_empty()) {
            keep(mask, block.times()?.iter().map(|time| lies_in(only, *time)));
        }
        Ok(())
    }
}

fn lies_in(only: &[Stretch], time: i64) -> bool {
    let behind = only.partition_point(|(_, until)| *until <= time);
    only.get(behind).is_some_and(|(since, _)| *since <= time)
}

fn keep(mask: &mut Mask, wanted: impl Iterator<Item = bool>) {
    for (place, _) in wanted.enumerate().filter(|(_, wanted)| !wanted) {
        mask.remove(place);
    }
}

fn hashed(block: &Block<'_>, field: Field, hashes: &BTreeSet<i64>) -> Result<Mask, StoreError> {
    let mut hits = Mask::NONE;
    if field == Field::Request {
        let requests = block.requests()?;
        let found = requests.iter().enumerate().filter(|(_, hash)| hashes.contains(hash));
        found.for_each(|(place, _)| hits.add(place));
    } else {
        for (place, _) in block.targets()?.into_iter().filter(|(_, hash)| hashes.contains(hash)) {
            hits.add(place);
        }
    }
    Ok(hits)
}
