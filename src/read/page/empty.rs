//! Why a list is empty, and what would show something: three answers, never mixed up.

use jiff::Timestamp;

use crate::read::query::{Params, When};
use crate::record::query::Count;

use super::desk::{Desk, list_href};
use super::filters::Chip;
use super::format;
use super::range;

/// The widths that are offered instead of an empty range.
const WIDER: [&str; 2] = ["-7d", "-30d"];
/// So many filters are tried one by one: each costs a count.
const MOST_TRIED: usize = 6;

/// Why nothing is shown.
#[derive(Debug)]
pub(crate) enum Empty {
    /// Filters leave nothing of what the range has.
    Filtered { title: String, in_range: Option<(String, String)>, offers: Vec<Offer>, clear: String },
    /// The range has nothing.
    Quiet { title: String, offers: Vec<Offer> },
    /// The log has nothing.
    Never,
}

/// A question that would show something else, and how much.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) icon: &'static str,
    pub(crate) lead: String,
    pub(crate) name: String,
    pub(crate) count: String,
    pub(crate) href: String,
}

/// A question to count before an empty page can be drawn.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    icon: &'static str,
    lead: String,
    name: String,
    is_wider: bool,
    /// The question.
    pub(crate) params: Params,
}

/// What must be counted to say why the list is empty: without each filter, and in a wider range.
pub(crate) fn trials(desk: &Desk, chips: &[Chip]) -> Vec<Trial> {
    let without = chips.iter().take(MOST_TRIED).map(|chip| {
        let (lead, name) = match chip.relation {
            "" if chip.value.contains(char::is_whitespace) => ("without the words ", chip.value.clone()),
            "" => ("without the word ", chip.value.clone()),
            _ => ("without ", chip.words()),
        };
        Trial { icon: "close", lead: lead.to_owned(), name, params: chip.without.clone(), is_wider: false }
    });
    let has_range = desk.params.since.is_some() || desk.params.until.is_some();
    let lead = lead(chips);
    let widths = WIDER.into_iter().map(Some).chain([None]);
    let wider = widths.filter(|_| has_range).map(|since| {
        let mut params = desk.params.clone().first_page();
        params.since = since.and_then(|since| When::parse(since).ok());
        params.until = None;
        let name = match since {
            Some("-7d") => "last 7 days",
            Some(_) => "last 30 days",
            None => "any time",
        };
        let name = if lead.is_empty() { format::capital(name) } else { name.to_owned() };
        Trial { icon: "calendar", lead: lead.to_owned(), name, params, is_wider: true }
    });
    without.chain(wider).collect()
}

/// What an offer of another range begins with.
fn lead(chips: &[Chip]) -> &'static str {
    if chips.is_empty() { "" } else { "the same filters, " }
}

/// The match that is nearest to an empty range.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Nearest {
    /// The newest one before the range.
    Before(Timestamp),
    /// The oldest one behind it, where there is none before.
    After(Timestamp),
}

impl Nearest {
    /// The day of the match, with the same filters.
    fn offer(self, desk: &Desk, chips: &[Chip]) -> Offer {
        let (icon, words, at) = match self {
            Nearest::Before(at) => ("left", "newest before: ", at),
            Nearest::After(at) => ("right", "oldest after: ", at),
        };
        let words = format!("{}{words}", lead(chips));
        let day = desk.zone.date(at);
        let stamp = format::stamp(at, &desk.zone);
        let midnight = |day: Option<jiff::civil::Date>| day.and_then(|day| When::parse(&day.to_string()).ok());
        Offer {
            icon,
            lead: format::capital(&words),
            name: format!("{} {}", stamp.day, stamp.time),
            count: String::new(),
            href: desk.href(|params| {
                params.since = midnight(Some(day));
                params.until = midnight(day.tomorrow().ok());
            }),
        }
    }
}

impl Offer {
    fn new((trial, count): (Trial, Count)) -> Offer {
        Offer {
            icon: trial.icon,
            href: list_href(&trial.params),
            lead: trial.lead,
            name: trial.name,
            count: match count.value {
                0 => "none".to_owned(),
                _ if count.capped => format!("{}+ events", format::thousands(count.value)),
                some => format::events(some),
            },
        }
    }
}

impl Empty {
    /// Says why, from what was counted: each trial with its count, and all that the range has.
    pub(crate) fn new(
        desk: &Desk,
        chips: &[Chip],
        mut counted: Vec<(Trial, Count)>,
        nearest: Option<Nearest>,
        in_range: u64,
        clear: String,
    ) -> Empty {
        counted.retain(|(trial, count)| !trial.is_wider || count.value > 0);
        // What leads somewhere comes first; the wider ranges stay together at the end.
        counted.sort_by_key(|(trial, count)| (trial.is_wider, count.value == 0));
        let offers = counted.into_iter().map(Offer::new);
        let offers: Vec<Offer> = offers.chain(nearest.map(|nearest| nearest.offer(desk, chips))).collect();
        let has_range = desk.params.since.is_some() || desk.params.until.is_some();
        if chips.is_empty() && !has_range {
            return Empty::Never;
        }
        if chips.is_empty() {
            return Empty::Quiet { title: format!("No events, {}", range::phrase(desk)), offers };
        }
        let filters = match chips.len() {
            1 => "this filter".to_owned(),
            more => format!("these {} filters", format::in_words(more)),
        };
        let range = if has_range { format!(" in this range, {}", range::phrase(desk)) } else { " in all".to_owned() };
        Empty::Filtered {
            title: format!("Nothing matches {filters}"),
            in_range: (in_range > 0).then(|| (format::thousands(in_range), range)),
            offers,
            clear,
        }
    }
}
