//! Counts over time, as the API shows them.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::object::rfc3339;
use super::zone::{Zone, buckets};
use crate::record::query::{Filter, Order};
use crate::record::{Store, StoreError};

/// Counts over time.
#[derive(Serialize, ToSchema)]
pub(crate) struct HistogramObject {
    /// How long a stretch is, in words: `4 hours`.
    step: String,
    /// Stretches of the time, oldest first, without holes.
    buckets: Vec<BucketObject>,
    /// The moment up to which events are counted.
    as_of: String,
}

/// One stretch of the time.
#[derive(Serialize, ToSchema)]
struct BucketObject {
    since: String,
    /// The first moment that does not belong to it.
    until: String,
    count: u64,
    /// Count by category, without those that have none.
    #[schema(value_type = Object)]
    categories: Map<String, Value>,
}

/// Counts the events of a filter in at most `most` stretches of the zone's clock.
pub(crate) fn histogram_of(
    store: &Store,
    filter: Filter,
    zone: &Zone,
    most: usize,
    now: Timestamp,
) -> Result<HistogramObject, StoreError> {
    let filter = Filter { upto: Some(store.newest()?), ..filter };
    let empty = |step| HistogramObject { step, buckets: Vec::new(), as_of: rfc3339(now) };
    let Some((since, until)) = range(store, &filter, now)? else { return Ok(empty(String::new())) };
    let stretches = buckets(since, until, zone, most);
    let counts = store.histogram(&filter, &stretches.edges)?;
    let mut histogram = empty(stretches.step.words());
    for (at, edge) in stretches.edges.windows(2).enumerate() {
        let (Some(since), Some(until)) = (edge.first(), edge.last()) else { continue };
        let mut bucket =
            BucketObject { since: rfc3339(*since), until: rfc3339(*until), count: 0, categories: Map::new() };
        for (category, row) in &counts.rows {
            let count = row.get(at).copied().unwrap_or_default();
            if count > 0 {
                bucket.count += count;
                bucket.categories.insert(category.clone(), count.into());
            }
        }
        histogram.buckets.push(bucket);
    }
    Ok(histogram)
}

/// From when to when: as the filter says, else from the oldest matching event until now. None where there is nothing.
fn range(store: &Store, filter: &Filter, now: Timestamp) -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
    let until = filter.until.unwrap_or(now);
    let since = match filter.since {
        Some(since) => Some(since),
        None => store.page(filter, Order::Ascending, 1, None)?.events.first().map(|first| first.event.time),
    };
    Ok(since.filter(|since| *since < until).map(|since| (since, until)))
}
