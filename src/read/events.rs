//! `/api/v1/events`: the list, one event, facets, histogram.

use axum::Json;
use axum::extract::{Path, RawQuery, State as From};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::access::Principal;
use super::error::{ProblemObject, ReadError};
use super::histogram::{HistogramObject, histogram_of};
use super::list::list;
use super::object::{EventObject, rfc3339};
use super::openapi::{FacetParameters, FilterParameters, HistogramParameters, PagingParameters};
use super::query::{Mistake, PAGING_NAMES, Params};
use super::state::State;
use super::zone::Zone;
use crate::problem::nearest;
use crate::record::query::{Facet, Field, Filter};

/// Events on a page of the list, unless told.
const LIMIT: u16 = 50;
/// Values of a facet, unless told.
const FACET_LIMIT: usize = 100;
/// Bars of a histogram, unless told; and the most there may be.
const BUCKETS: usize = 48;
const MOST_BUCKETS: usize = 1000;

/// One page of the list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListObject<'a> {
    data: Vec<EventObject<'a>>,
    /// Where to go on; absent at the end.
    next_cursor: Option<&'a str>,
    has_more: bool,
    /// The moment at which the list is pinned: no page of it shows anything newer.
    as_of: String,
    /// How many there are in all; null where it was not asked for.
    count: Option<CountObject>,
}

/// How many.
#[derive(Serialize, ToSchema)]
pub(crate) struct CountObject {
    /// At least this many; exactly, unless capped.
    value: u64,
    /// Whether counting stopped there.
    capped: bool,
}

/// Events, newest first, a page at a time.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(FilterParameters, PagingParameters), responses(
    (status = 200, description = "One page", body = inline(ListObject<'static>)),
    (status = 400, description = "Parameters are wrong: which, and where", body = inline(ProblemObject)),
    (status = 401, description = "A token is needed"),
))]
pub(crate) async fn list_events(
    From(state): From<State>,
    principal: Principal,
    RawQuery(query): RawQuery,
) -> Result<Response, ReadError> {
    let params = Params::parse(query.as_deref().unwrap_or_default(), &PAGING_NAMES)?;
    let listing = list(&state, &principal, &params, &Zone::utc(), LIMIT).await?;
    let object = ListObject {
        data: listing.events.iter().map(EventObject::from).collect(),
        next_cursor: listing.next.as_deref(),
        has_more: listing.next.is_some(),
        as_of: rfc3339(listing.now),
        count: listing.count.map(|count| CountObject { value: count.value, capped: count.capped }),
    };
    Ok(Json(object).into_response())
}

/// One event. What belongs to another workspace is not there.
#[utoipa::path(get, path = "/api/v1/events/{id}", tag = "events",
    params(("id" = String, Path, description = "The event's id")),
    responses(
        (status = 200, description = "The event", body = inline(EventObject<'static>)),
        (status = 401, description = "A token is needed"),
        (status = 404, description = "Not there, or not yours", body = inline(ProblemObject)),
    ))]
pub(crate) async fn one_event(
    From(state): From<State>,
    principal: Principal,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ReadError> {
    refuse_parameters(query.as_deref())?;
    // What is no id names nothing, as an id that nobody has.
    let id = Uuid::parse_str(&id).map_err(|_| ReadError::NotFound)?;
    let found = state.ask(move |store| store.event(&principal.scope, id)).await?.ok_or(ReadError::NotFound)?;
    Ok(Json(EventObject::from(&found)).into_response())
}

fn refuse_parameters(query: Option<&str>) -> Result<(), ReadError> {
    let names = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let mistakes: Vec<Mistake> = names
        .map(|pair| Mistake::new(pair.split('=').next().unwrap_or_default(), "nothing can be asked here"))
        .collect();
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes.into()) }
}

/// The fields whose values can be counted.
pub(crate) const FACETS: [(&str, Field); 6] = [
    ("category", Field::Category),
    ("action", Field::Action),
    ("user", Field::User),
    ("outcome", Field::Outcome),
    ("workspace", Field::Workspace),
    ("target", Field::Target),
];

/// The values of some fields, with their counts.
#[derive(Serialize, ToSchema)]
pub(crate) struct FacetsObject {
    facets: Vec<FacetObject>,
    /// The moment up to which events are counted.
    as_of: String,
}

/// The values of a field, most frequent first. Filters on the field itself do not count here.
#[derive(Serialize, ToSchema)]
struct FacetObject {
    field: &'static str,
    values: Vec<ValueObject>,
}

/// A value and how often it occurs.
#[derive(Serialize, ToSchema)]
struct ValueObject {
    /// What the filter of that field takes.
    value: String,
    /// What people call it.
    label: String,
    count: u64,
}

impl std::convert::From<Facet> for ValueObject {
    fn from(facet: Facet) -> ValueObject {
        ValueObject { value: facet.value, label: facet.label, count: facet.count }
    }
}

/// Which values the fields have among the matching events, with counts.
#[utoipa::path(get, path = "/api/v1/events/facets", tag = "events", params(FilterParameters, FacetParameters), responses(
    (status = 200, description = "Values and counts", body = inline(FacetsObject)),
    (status = 400, description = "Parameters are wrong: which, and where", body = inline(ProblemObject)),
    (status = 401, description = "A token is needed"),
))]
pub(crate) async fn facets(
    From(state): From<State>,
    principal: Principal,
    RawQuery(query): RawQuery,
) -> Result<Response, ReadError> {
    let params = Params::parse(query.as_deref().unwrap_or_default(), &["field", "limit"])?;
    let fields = facet_fields(&params)?;
    let limit = params.limit.map_or(FACET_LIMIT, usize::from);
    let now = state.now();
    let filter = params.filter(principal.scope, now, &Zone::utc())?;
    let facets = state.ask(move |store| {
        let filter = Filter { upto: Some(store.newest()?), ..filter };
        let one = |(name, field)| {
            let values = store.facet(&filter, field, limit)?.into_iter().map(ValueObject::from).collect();
            Ok(FacetObject { field: name, values })
        };
        fields.into_iter().map(one).collect::<Result<Vec<_>, _>>()
    });
    Ok(Json(FacetsObject { facets: facets.await?, as_of: rfc3339(now) }).into_response())
}

fn facet_fields(params: &Params) -> Result<Vec<(&'static str, Field)>, ReadError> {
    let asked: Vec<&str> =
        params.extra.iter().filter(|(name, _)| name == "field").map(|(_, value)| value.as_str()).collect();
    if asked.is_empty() {
        return Ok(FACETS.to_vec());
    }
    let find = |name: &&str| {
        FACETS.into_iter().find(|(known, _)| known == name).ok_or_else(|| {
            let meant = nearest(name, FACETS.into_iter().map(|(known, _)| known));
            let meant = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
            Mistake::new("field", format!("the values of `{name}` are not counted{meant}"))
        })
    };
    let (found, mistakes): (Vec<_>, Vec<_>) = asked.iter().map(find).partition(Result::is_ok);
    let mistakes: Vec<Mistake> = mistakes.into_iter().filter_map(Result::err).collect();
    if mistakes.is_empty() { Ok(found.into_iter().flatten().collect()) } else { Err(mistakes.into()) }
}

/// A number between 1 and `most`.
fn number(name: &str, text: &str, most: usize) -> Result<usize, ReadError> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| vec![Mistake::new(name, format!("`{text}` is not between 1 and {most}"))].into())
}

/// How many events in each stretch of the time, by category.
#[utoipa::path(get, path = "/api/v1/events/histogram", tag = "events",
    params(FilterParameters, HistogramParameters),
    responses(
        (status = 200, description = "Stretches of the time, oldest first", body = inline(HistogramObject)),
        (status = 400, description = "Parameters are wrong: which, and where", body = inline(ProblemObject)),
        (status = 401, description = "A token is needed"),
    ))]
pub(crate) async fn histogram(
    From(state): From<State>,
    principal: Principal,
    RawQuery(query): RawQuery,
) -> Result<Response, ReadError> {
    let params = Params::parse(query.as_deref().unwrap_or_default(), &["buckets"])?;
    let most = params.extra("buckets").map_or(Ok(BUCKETS), |text| number("buckets", text, MOST_BUCKETS))?;
    let now = state.now();
    let zone = params.tz.clone().unwrap_or_else(Zone::utc);
    let filter = params.filter(principal.scope, now, &zone)?;
    let histogram = state.ask(move |store| histogram_of(store, filter, &zone, most, now)).await?;
    Ok(Json(histogram).into_response())
}
