//! Counts per category and bucket of time.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::record::StoreError;
use crate::record::query::{Filter, Histogram, Order};
use crate::record::select::Snapshot;

/// See [`Store::histogram`](crate::record::Store::histogram).
pub(crate) fn histogram(asked: &Snapshot<'_>, filter: &Filter, edges: &[Timestamp]) -> Result<Histogram, StoreError> {
    let buckets = edges.len().saturating_sub(1);
    let mut rows: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    asked.select(filter, Order::Ascending, None, |found| {
        let event = found.stored()?.event;
        let behind = edges.partition_point(|edge| *edge <= event.time);
        if let Some(bucket) = behind.checked_sub(1).filter(|bucket| *bucket < buckets) {
            let row = rows.entry(event.category.to_string()).or_insert_with(|| vec![0; buckets]);
            if let Some(count) = row.get_mut(bucket) {
                *count += 1;
            }
        }
        Ok(true)
    })?;
    Ok(Histogram { rows: rows.into_iter().collect() })
}
