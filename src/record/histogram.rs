//! Counts per category and bucket of time.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::record::StoreError;
use crate::record::block::{Column, Mask};
use crate::record::body::Lookup;
use crate::record::loaded::Block;
use crate::record::plan::Plan;
use crate::record::query::{Filter, Histogram, Order};
use crate::record::rollup::{self, Stretch};
use crate::record::select::{Part, Rest, Snapshot};
use crate::record::tally::Tally;

/// See [`Store::histogram`](crate::record::Store::histogram).
pub(crate) fn histogram(asked: &Snapshot<'_>, filter: &Filter, edges: &[Timestamp]) -> Result<Histogram, StoreError> {
    let (Some(first), Some(last)) = (edges.first(), edges.last()) else { return Ok(Histogram::default()) };
    let mut filter = filter.clone();
    filter.since = Some(filter.since.map_or(*first, |since| since.max(*first)));
    filter.until = Some(filter.until.map_or(*last, |until| until.min(*last)));
    let mut rows = Rows::new(edges);
    let mut late: Vec<(String, usize)> = Vec::new();
    let rest = if rollup::serves(asked, &filter)? { Rest::Times(rows.roll(asked, &filter)?) } else { Rest::All };
    asked.visit_rest(&filter, Order::Ascending, rest, &mut |part| {
        match part {
            Part::Event(_, event) => {
                late.extend(
                    rows.bucket(event.time.as_microsecond()).map(|bucket| (event.category.to_string(), bucket)),
                );
            }
            Part::Block(block, mask) => rows.add(block, &mask)?,
        }
        Ok(true)
    })?;
    let buckets = rows.tallies.len();
    let mut named: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut add = |category: String, bucket: usize, count: u64| {
        let row = named.entry(category).or_insert_with(|| vec![0; buckets]);
        row.iter_mut().skip(bucket).take(1).for_each(|slot| *slot += count);
    };
    late.into_iter().for_each(|(category, bucket)| add(category, bucket, 1));
    for (bucket, tally) in rows.tallies.into_iter().enumerate() {
        for (category, count) in tally.newest_first() {
            add(asked.texts.text(category)?.to_string(), bucket, count);
        }
    }
    Ok(Histogram { rows: named.into_iter().collect() })
}

/// Counts per bucket.
struct Rows {
    /// µs.
    edges: Vec<i64>,
    tallies: Vec<Tally>,
}

impl Rows {
    fn new(edges: &[Timestamp]) -> Rows {
        let micros = |edge: &Timestamp| {
            let rest = i64::from(edge.subsec_nanosecond() % 1_000 > 0);
            edge.as_microsecond() + rest
        };
        let tallies = edges.iter().skip(1).map(|_| Tally::default()).collect();
        Rows { edges: edges.iter().map(micros).collect(), tallies }
    }

    /// The bucket of a time.
    fn bucket(&self, time: i64) -> Option<usize> {
        let behind = self.edges.partition_point(|edge| *edge <= time);
        behind.checked_sub(1).filter(|bucket| *bucket < self.tallies.len())
    }

    /// Counts what whole slots hold; returns what sticks out.
    fn roll(&mut self, asked: &Snapshot<'_>, filter: &Filter) -> Result<Vec<Stretch>, StoreError> {
        let plan = Plan::new(asked, filter)?;
        let mut rest = Vec::new();
        for (pair, tally) in self.edges.windows(2).zip(&mut self.tallies) {
            let [from, to] = pair else { continue };
            let stretch = ((*from).max(plan.since), (*to).min(plan.until));
            rest.extend(rollup::count(asked, &plan, stretch, false, |[_, category, _], count| {
                tally.one(category, count, 0)
            })?);
        }
        Ok(rest)
    }

    fn add(&mut self, block: &Block<'_>, mask: &Mask) -> Result<(), StoreError> {
        let category = block.column(Column::Category)?;
        let first = self.bucket(block.since);
        if first == self.bucket(block.until)
            && let Some(tally) = first.and_then(|first| self.tallies.get_mut(first))
        {
            tally.add(&category, mask, block.first);
            return Ok(());
        }
        let times = block.times()?;
        category.each(|at, number| {
            if mask.has(at)
                && let Some(bucket) = times.get(at).and_then(|time| self.bucket(*time))
                && let Some(tally) = self.tallies.get_mut(bucket)
            {
                tally.one(number, 1, 0);
            }
        });
        Ok(())
    }
}
