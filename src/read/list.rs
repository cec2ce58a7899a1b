//! One page of the list: what the API, the page and their cursors share.

use jiff::Timestamp;

use super::access::Principal;
use super::cursor::Cursor;
use super::error::ReadError;
use super::query::{Counting, Mistake, Params};
use super::state::State;
use super::zone::Zone;
use crate::record::query::{Count, Filter, Order, Position, Stored};

/// How far events are counted unless told.
pub(crate) const CAP: u64 = 10_000;

/// One page of the list.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The events, in the order that was asked for.
    pub events: Vec<Stored>,
    /// The filter of the whole list, pinned: for counts, facets and histogram of the same events.
    pub filter: Filter,
    /// What "now" is for the whole list.
    pub now: Timestamp,
    /// How many there are in all, where it was asked for.
    pub count: Option<Count>,
    /// How many stand before this page.
    pub skipped: u64,
    /// The cursor of the next page, where there is one.
    pub next: Option<String>,
    /// The cursor of the page before, where there is one.
    pub previous: Option<String>,
}

/// Answers a list. Dates are read in `zone` unless `tz` says other; a page holds `limit` events
/// unless the parameters say.
///
/// # Errors
/// When the parameters contradict each other, the cursor was not made for them, or the store is silent.
pub async fn list(
    state: &State,
    principal: &Principal,
    params: &Params,
    zone: &Zone,
    limit: u16,
) -> Result<Listing, ReadError> {
    let binding = params.binding();
    let cursor = match &params.cursor {
        Some(text) => Some(Cursor::open(text, state.secret(), &binding).ok_or_else(foreign)?),
        None => None,
    };
    let now = cursor.map_or_else(|| state.now(), |cursor| cursor.now);
    let filter = params.filter(principal.scope.clone(), now, zone)?;
    let limit = params.limit.unwrap_or(limit);
    let (order, counting) = (params.order, params.count);
    let answer = state.ask(move |store| {
        let upto = match cursor {
            Some(cursor) => cursor.upto,
            None => store.newest()?,
        };
        let filter = Filter { upto: Some(upto), ..filter };
        let back = cursor.is_some_and(|cursor| cursor.back);
        let direction = if back { turned(order) } else { order };
        let mut page = store.page(&filter, direction, limit.into(), cursor.map(|cursor| cursor.at))?;
        if back {
            page.events.reverse();
        }
        let count = match counting {
            Counting::None => None,
            Counting::Capped => Some(store.count(&filter, CAP)?),
            Counting::Exact => Some(store.count(&filter, u64::MAX)?),
        };
        Ok((filter, upto, page, count))
    });
    let (filter, upto, page, count) = answer.await?;
    let back = cursor.is_some_and(|cursor| cursor.back);
    let shown = u32::try_from(page.events.len()).unwrap_or(u32::MAX);
    let mut skipped = cursor.map_or(0, |cursor| cursor.skipped);
    if back {
        // Going back, the cursor told how many stand before the page that it came from.
        skipped = if page.more { skipped.saturating_sub(shown) } else { 0 };
    }
    let seal = |at: Position, skipped, back| Cursor { at, upto, now, skipped, back }.seal(state.secret(), &binding);
    let (first, last) =
        (page.events.first().map(|event| event.position), page.events.last().map(|event| event.position));
    let has_next = if back { cursor.is_some() } else { page.more };
    let has_previous = if back { page.more } else { cursor.is_some() };
    Ok(Listing {
        next: last.filter(|_| has_next).map(|at| seal(at, skipped.saturating_add(shown), false)),
        previous: first.filter(|_| has_previous).map(|at| seal(at, skipped, true)),
        events: page.events,
        filter,
        now,
        count,
        skipped: skipped.into(),
    })
}

fn turned(order: Order) -> Order {
    match order {
        Order::Ascending => Order::Descending,
        Order::Descending => Order::Ascending,
    }
}

fn foreign() -> ReadError {
    let detail = "this cursor was not made for these filters and this order; begin without one";
    ReadError::Parameters(vec![Mistake::new("cursor", detail)])
}
