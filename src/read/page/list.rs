//! The list page: what the store is asked, all at once, and what is drawn from the answers.

use askama::Template;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::read::access::Principal;
use crate::read::query::{Mistake, Params};
use crate::read::zone::{self, Buckets, Zone};
use crate::read::{Listing, ReadError, State, list};
use crate::record::StoreError;
use crate::record::query::{Clause, Count, Facet, Field, Filter, Histogram, Order, Scope, Stored};

use super::chart::{Chart, MOST_BARS};
use super::desk::Desk;
use super::detail::{Detail, further};
use super::empty::{self, Empty, Nearest};
use super::filters::{self, Chip, Form, View};
use super::format::{events, thousands};
use super::frame::{Frame, chevron, icon, icon_of_class};
use super::looks::Looks;
use super::mistake::SearchMistake;
use super::rows::{self, Day};
use super::status::{Export, Sort, Status, ZoneMenu};

/// So many users and categories are offered in a menu.
const MENU: usize = 50;
/// Counting stops here, so that no page waits for it.
pub(crate) const CAP: u64 = 10_000;
/// Newer events are counted so far: more are as good a reason to look.
const MOST_NEWER: u64 = 1_000;
/// Where the question has no beginning, the chart shows at least so much.
const SHORTEST_CHART: SignedDuration = SignedDuration::from_hours(1);
/// A page that spans more days than this says no totals: nobody sums up a year by days.
const MOST_DAYS: usize = 62;

#[derive(Template)]
#[template(path = "list.html")]
struct ListPage {
    frame: Frame,
    form: Form,
    views: Vec<View>,
    export: Option<Export>,
    mistake: Option<SearchMistake>,
    chips: Vec<Chip>,
    clear: String,
    chart: Option<Chart>,
    status: Status,
    zone: ZoneMenu,
    days: Vec<Day>,
    empty: Option<Empty>,
    rules: usize,
    looks: Looks,
    is_asked_columns: bool,
    sort: Sort,
    detail: Option<Detail>,
}

/// What the store answered.
struct Answers {
    listing: Listing,
    /// Matching events that came after the list was pinned.
    newer: Option<Count>,
    categories: Vec<Facet>,
    users: Vec<Facet>,
    workspaces: Vec<String>,
    histogram: Option<(Buckets, Histogram)>,
    totals: Vec<(Date, u64)>,
    open: Option<Stored>,
    open_counts: Vec<Count>,
}

/// The list as HTML.
///
/// # Errors
/// When a parameter cannot be read (but for the search box, whose mistake is shown), or the store is silent.
pub(crate) async fn list_page(
    state: &State,
    principal: &Principal,
    mut desk: Desk,
    mistakes: Vec<Mistake>,
) -> Result<String, ReadError> {
    if mistakes.iter().any(|mistake| mistake.parameter != "q") {
        return Err(ReadError::Parameters(mistakes));
    }
    if let Some(mistake) = SearchMistake::find(&desk, &mistakes) {
        return mistaken(state, principal, &desk, mistake);
    }
    let answers = ask(state, principal, &mut desk).await?;
    let chips = filters::chips(&desk, &answers.users);
    let clear = filters::clear_href(&desk);
    let empty = if answers.listing.events.is_empty() {
        Some(why_empty(state, principal, &desk, &chips, &answers.listing.filter).await?)
    } else {
        None
    };
    let page = ListPage {
        empty,
        chips,
        clear,
        frame: Frame::new(state, principal, &desk, &answers.workspaces),
        mistake: None,
        chart: answers.histogram.as_ref().and_then(|(buckets, counts)| Chart::draw(&desk, buckets, counts)),
        status: Status::new(&desk, &answers.listing, answers.newer),
        export: principal.may_export.then(|| Export::new(&desk, &answers.listing)),
        days: rows::days(
            &desk,
            &answers.listing.events,
            &answers.totals,
            answers.open.as_ref().map(|open| open.event.id),
        ),
        detail: answers.open.as_ref().map(|open| Detail::new(&desk, open, &answers.open_counts)),
        ..ListPage::around(state, &desk, &answers.categories, &answers.users)
    };
    page.render().map_err(|_| ReadError::Broken)
}

/// The page that shows where the search box is wrong, and no event.
fn mistaken(state: &State, principal: &Principal, desk: &Desk, mistake: SearchMistake) -> Result<String, ReadError> {
    let page = ListPage {
        frame: Frame::new(state, principal, desk, &[]),
        mistake: Some(mistake),
        ..ListPage::around(state, desk, &[], &[])
    };
    page.render().map_err(|_| ReadError::Broken)
}

impl ListPage {
    /// All but the answers.
    fn around(state: &State, desk: &Desk, categories: &[Facet], users: &[Facet]) -> ListPage {
        let known: Vec<String> = state.rules().actions.iter().map(|action| action.category.clone()).collect();
        ListPage {
            frame: Frame::bare(state),
            form: Form::new(desk, categories, users),
            views: filters::views(desk, &known),
            export: None,
            mistake: None,
            chips: Vec::new(),
            clear: String::new(),
            chart: None,
            status: Status::default(),
            zone: ZoneMenu::new(desk),
            days: Vec::new(),
            empty: None,
            rules: known.len(),
            is_asked_columns: desk.looks != Looks::default() && desk.looks.shown() != Looks::default().shown(),
            looks: desk.looks.clone(),
            sort: Sort::new(desk),
            detail: None,
        }
    }
}

/// Asks for everything that a page shows; what does not wait for something else is asked at once.
async fn ask(state: &State, principal: &Principal, desk: &mut Desk) -> Result<Answers, ReadError> {
    let listing = list(state, principal, &desk.params, &desk.home, desk.looks.rows).await?;
    desk.now = listing.now;
    (desk.since, desk.until) = (listing.filter.since, listing.filter.until);
    let filter = listing.filter.clone();
    let (scope, scope_of_names) = (principal.scope.clone(), principal.scope.clone());
    let open = desk.params.extra("event").and_then(|id| id.parse::<Uuid>().ok());
    let (facet_filter, user_filter) = (filter.clone(), filter.clone());
    let (categories, users, workspaces, histogram, open) = tokio::try_join!(
        state.ask(move |store| store.facet(&facet_filter, Field::Category, MENU)),
        state.ask(move |store| store.facet(&user_filter, Field::User, MENU)),
        state.ask({
            let scope = scope.clone();
            move |store| store.workspaces(&scope)
        }),
        histogram(state, desk, &filter, &listing),
        one(state, scope, open),
    )?;
    let shown: Vec<Stored> = listing.events.iter().chain(&open).cloned().collect();
    desk.gone = state.ask(move |store| store.gone_links(&shown)).await?;
    let newer = newer(state, desk, &listing).await?;
    let users = with_names(state, &scope_of_names, desk, users).await?;
    let totals = totals(state, desk, &listing, histogram.as_ref()).await?;
    let open_counts = match &open {
        Some(open) => count_further(state, principal, desk, open).await?,
        None => Vec::new(),
    };
    Ok(Answers { listing, newer, categories, users, workspaces, histogram, totals, open, open_counts })
}

/// How many events came after the list was pinned. One that was just pinned has none.
async fn newer(state: &State, desk: &Desk, listing: &Listing) -> Result<Option<Count>, ReadError> {
    let Some(upto) = listing.filter.upto.filter(|_| desk.params.cursor.is_some()) else { return Ok(None) };
    let filter = Filter { upto: None, ..listing.filter.clone() };
    let count = state.ask(move |store| store.count_beyond(&filter, upto, MOST_NEWER)).await?;
    Ok(Some(count).filter(|count| count.value > 0))
}

async fn one(state: &State, scope: Scope, id: Option<Uuid>) -> Result<Option<Stored>, ReadError> {
    match id {
        Some(id) => state.ask(move |store| store.event(&scope, id)).await,
        None => Ok(None),
    }
}

/// Adds whom a filter names and the menu does not offer, with the name of their newest event.
async fn with_names(state: &State, scope: &Scope, desk: &Desk, users: Vec<Facet>) -> Result<Vec<Facet>, ReadError> {
    let named = [false, true].into_iter().flat_map(|negated| desk.params.values(Field::User, negated));
    let unknown: Vec<String> = named
        .filter(|value| !users.iter().any(|facet| facet.value.eq_ignore_ascii_case(value)))
        .take(MENU)
        .cloned()
        .collect();
    if unknown.is_empty() {
        return Ok(users);
    }
    let scope = scope.clone();
    let found = state.ask(move |store| {
        let name = |value: String| {
            let clause = Clause { field: Field::User, negated: false, values: vec![value.clone()] };
            let filter = Filter { clauses: vec![clause], ..Filter::all(scope.clone()) };
            let newest = store.page(&filter, Order::Descending, 1, None)?;
            let label = newest.events.first().and_then(|stored| stored.event.actor.label().map(str::to_owned));
            Ok(Facet { label: label.unwrap_or_else(|| value.clone()), value, count: 0 })
        };
        unknown.into_iter().map(name).collect::<Result<Vec<Facet>, _>>()
    });
    let found = found.await?;
    Ok(users.into_iter().chain(found).collect())
}

/// The counts of what an event suggests to look at.
pub(crate) async fn count_further(
    state: &State,
    principal: &Principal,
    desk: &Desk,
    stored: &Stored,
) -> Result<Vec<Count>, ReadError> {
    let questions = further(desk, &stored.event).into_iter().map(|further| further.params);
    count_all(state, principal, desk, questions.collect()).await
}

/// Counts several questions on one thread.
async fn count_all(
    state: &State,
    principal: &Principal,
    desk: &Desk,
    questions: Vec<Params>,
) -> Result<Vec<Count>, ReadError> {
    let filters = questions.iter().map(|params| params.filter(principal.scope.clone(), desk.now, &desk.home));
    let filters = filters.collect::<Result<Vec<Filter>, _>>()?;
    state.ask(move |store| filters.iter().map(|filter| store.count(filter, CAP)).collect()).await
}

/// The histogram over the whole range; where the question has no beginning, from the first event on.
async fn histogram(
    state: &State,
    desk: &Desk,
    filter: &Filter,
    listing: &Listing,
) -> Result<Option<(Buckets, Histogram)>, ReadError> {
    if !desk.looks.chart || listing.events.is_empty() {
        return Ok(None);
    }
    let (filter, zone, now) = (filter.clone(), desk.zone.clone(), desk.now);
    let answer = state.ask(move |store| {
        let since = match filter.since {
            Some(since) => Some(since),
            None => store.page(&filter, Order::Ascending, 1, None)?.events.first().map(|first| first.event.time),
        };
        let Some(since) = since else { return Ok(None) };
        let until = filter.until.unwrap_or(now).max(since);
        // A young log would be one bar as wide as the page.
        let since = if filter.since.is_none() { since.min(until - SHORTEST_CHART) } else { since };
        let buckets = zone::buckets(since, until, &zone, MOST_BARS);
        let counts = store.histogram(&filter, &buckets.edges)?;
        Ok(Some((buckets, counts)))
    });
    answer.await
}

/// How many events each day on this page has within the filters: summed from the chart where that can be, else asked.
async fn totals(
    state: &State,
    desk: &Desk,
    listing: &Listing,
    histogram: Option<&(Buckets, Histogram)>,
) -> Result<Vec<(Date, u64)>, ReadError> {
    if let Some((buckets, counts)) = histogram
        && buckets.step.divides_days()
    {
        return Ok(sum_by_day(&desk.zone, &buckets.edges, counts));
    }
    let times = listing.events.iter().map(|stored| stored.event.time);
    let (Some(first), Some(last)) = (times.clone().min(), times.max()) else { return Ok(Vec::new()) };
    let mut edges = vec![desk.zone.start_of(desk.zone.date(first))];
    while let Some(edge) = edges.last().copied().filter(|edge| *edge <= last && edges.len() <= MOST_DAYS) {
        edges.push(desk.zone.end_of(desk.zone.date(edge)));
    }
    if edges.len() > MOST_DAYS {
        return Ok(Vec::new());
    }
    let (filter, asked) = (listing.filter.clone(), edges.clone());
    let counts = state.ask(move |store| store.histogram(&filter, &asked)).await?;
    Ok(sum_by_day(&desk.zone, &edges, &counts))
}

fn sum_by_day(zone: &Zone, edges: &[Timestamp], counts: &Histogram) -> Vec<(Date, u64)> {
    let mut days: Vec<(Date, u64)> = Vec::new();
    for (at, edge) in edges.iter().enumerate().take(edges.len().saturating_sub(1)) {
        let sum = counts.rows.iter().filter_map(|(_, row)| row.get(at)).sum::<u64>();
        let date = zone.date(*edge);
        match days.last_mut() {
            Some((day, total)) if *day == date => *total += sum,
            _ => days.push((date, sum)),
        }
    }
    days
}

async fn why_empty(
    state: &State,
    principal: &Principal,
    desk: &Desk,
    chips: &[Chip],
    filter: &Filter,
) -> Result<Empty, ReadError> {
    let trials = empty::trials(desk, chips);
    let bare = Params { q: None, clauses: Vec::new(), ..desk.params.clone() };
    let questions = trials.iter().map(|trial| trial.params.clone()).chain([bare]).collect();
    let mut counts = count_all(state, principal, desk, questions).await?;
    let in_range = counts.pop().map_or(0, |count| count.value);
    // What the filters of an empty log say is not why it is empty.
    let nothing_at_all = counts.iter().all(|count| count.value == 0) && in_range == 0;
    if nothing_at_all {
        let everything = Filter::all(principal.scope.clone());
        if state.ask(move |store| store.count(&everything, 1)).await?.value == 0 {
            return Ok(Empty::Never);
        }
    }
    // A range inside the search box stays there: no other day would show anything.
    let stays = desk.params.q.as_ref().is_some_and(|q| q.contains("created:"));
    let nearest = if stays { None } else { nearest(state, filter).await? };
    let counted = trials.into_iter().zip(counts).collect();
    Ok(Empty::new(desk, chips, counted, nearest, in_range, filters::clear_href(desk)))
}

/// The match that is nearest to a range without one.
async fn nearest(state: &State, filter: &Filter) -> Result<Option<Nearest>, ReadError> {
    let (before, after) = (filter.since, filter.until);
    let bare = Filter { since: None, until: None, ..filter.clone() };
    let answer = state.ask(move |store| {
        let first = |filter: Filter, order| {
            let page = store.page(&filter, order, 1, None)?;
            Ok::<_, StoreError>(page.events.first().map(|stored| stored.event.time))
        };
        let newest = before.map(|since| first(Filter { until: Some(since), ..bare.clone() }, Order::Descending));
        if let Some(at) = newest.transpose()?.flatten() {
            return Ok(Some(Nearest::Before(at)));
        }
        let oldest = after.map(|until| first(Filter { since: Some(until), ..bare.clone() }, Order::Ascending));
        Ok(oldest.transpose()?.flatten().map(Nearest::After))
    });
    answer.await
}
