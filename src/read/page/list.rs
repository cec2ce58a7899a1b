//! The list page: what the store is asked, all at once, and what is drawn from the answers.

use askama::Template;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::read::access::Principal;
use crate::read::query::{Mistake, Params};
use crate::read::zone::{self, Buckets, Zone};
use crate::read::{Listing, ReadError, State, list};
use crate::record::query::{Clause, Count, Facet, Field, Filter, Histogram, Order, Scope, Stored};

use super::chart::{Chart, MOST_BARS};
use super::desk::Desk;
use super::detail::{Detail, further};
use super::empty::{self, Empty};
use super::filters::{self, Chip, Form, View};
use super::format::{self, events, thousands};
use super::frame::{Frame, chevron, icon, icon_of_class};
use super::looks::{Looks, ROWS};
use super::mistake::SearchMistake;
use super::range;
use super::rows::{self, Day};

/// So many users and categories are offered in a menu.
const MENU: usize = 50;
/// Counting stops here, so that no page waits for it.
pub(crate) const CAP: u64 = 10_000;
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

/// The export menu.
#[derive(Debug)]
struct Export {
    what: String,
    spreadsheet: String,
    program: String,
    ndjson: String,
}

/// Where in the list this page is, and the way on.
#[derive(Debug, Default)]
struct Status {
    span: String,
    total: String,
    unit: &'static str,
    range: String,
    as_of: String,
    rows: Vec<(u16, String, bool)>,
    back: Option<String>,
    back_word: &'static str,
    on: Option<String>,
    on_word: &'static str,
}

/// The zone that times are in, and the others.
#[derive(Debug)]
struct ZoneMenu {
    name: String,
    offset: String,
    choices: Vec<ZoneChoice>,
    browser_href: String,
}

#[derive(Debug)]
struct ZoneChoice {
    name: String,
    note: &'static str,
    href: String,
    is_current: bool,
}

/// The order of the list, and the link that turns it.
#[derive(Debug)]
struct Sort {
    aria: &'static str,
    icon: &'static str,
    turn: &'static str,
    href: String,
}

/// What the store answered.
struct Answers {
    listing: Listing,
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
        Some(why_empty(state, principal, &desk, &chips, clear.clone()).await?)
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
        status: Status::new(&desk, &answers.listing),
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
    let users = with_names(state, &scope_of_names, desk, users).await?;
    let totals = totals(state, desk, &listing, histogram.as_ref()).await?;
    let open_counts = match &open {
        Some(open) => count_further(state, principal, desk, open).await?,
        None => Vec::new(),
    };
    Ok(Answers { listing, categories, users, workspaces, histogram, totals, open, open_counts })
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
    clear: String,
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
    Ok(Empty::new(desk, chips, trials.into_iter().zip(counts).collect(), in_range, clear))
}

impl Status {
    fn new(desk: &Desk, listing: &Listing) -> Status {
        let shown = u64::try_from(listing.events.len()).unwrap_or(u64::MAX);
        let total = listing.count.unwrap_or(Count { value: shown, capped: true });
        let number = |number: u64| thousands(number);
        let newest_first = desk.params.order == Order::Descending;
        let words = if newest_first { ("Newer", "Older") } else { ("Older", "Newer") };
        let rows =
            ROWS.into_iter().map(|rows| (rows, desk.href(|params| params.limit = Some(rows)), rows == desk.looks.rows));
        Status {
            span: format!("{}–{}", number(listing.skipped + 1), number(listing.skipped + shown)),
            total: format!("{}{}", number(total.value), if total.capped { "+" } else { "" }),
            unit: if total.value == 1 { "event" } else { "events" },
            range: range::phrase(desk),
            as_of: {
                let stamp = format::stamp(desk.now, &desk.zone);
                format!("{} {}", stamp.day, stamp.time)
            },
            rows: rows.collect(),
            back: listing.previous.as_deref().map(|cursor| desk.turn(cursor)),
            back_word: words.0,
            on: listing.next.as_deref().map(|cursor| desk.turn(cursor)),
            on_word: words.1,
        }
    }
}

impl Export {
    fn new(desk: &Desk, listing: &Listing) -> Export {
        let what = match listing.count {
            Some(count) if count.capped => format!("More than {}", events(count.value)),
            Some(count) => events(count.value),
            None => "The events".to_owned(),
        };
        let filtered = if desk.params.is_filtered() { "the filters shown here" } else { "all that is shown here" };
        Export {
            what: format!("{what}, {filtered}"),
            spreadsheet: desk.export(&desk.zone, &[("format", "csv"), ("bom", "1")]),
            program: desk.export(&Zone::utc(), &[("format", "csv"), ("escape", "none")]),
            ndjson: desk.export(&desk.zone, &[("format", "ndjson")]),
        }
    }
}

impl ZoneMenu {
    fn new(desk: &Desk) -> ZoneMenu {
        let to = |zone: Option<Zone>| desk.href(|params| params.tz = zone);
        let mut choices = vec![ZoneChoice {
            name: desk.home.name().to_owned(),
            note: "configured",
            href: to(None),
            is_current: desk.zone == desk.home,
        }];
        for zone in [Zone::utc(), desk.zone.clone()] {
            if !choices.iter().any(|choice| choice.name == zone.name()) {
                let is_current = zone == desk.zone;
                choices.push(ZoneChoice { name: zone.name().to_owned(), note: "", href: to(Some(zone)), is_current });
            }
        }
        ZoneMenu {
            name: desk.zone.name().to_owned(),
            offset: desk.zone.offset_label(desk.now),
            choices,
            browser_href: to(None),
        }
    }
}

impl Sort {
    fn new(desk: &Desk) -> Sort {
        let turned = |order| desk.href(|params| params.order = order);
        match desk.params.order {
            Order::Descending => {
                Sort { aria: "descending", icon: "down", turn: "show oldest first", href: turned(Order::Ascending) }
            }
            Order::Ascending => {
                Sort { aria: "ascending", icon: "up", turn: "show newest first", href: turned(Order::Descending) }
            }
        }
    }
}
