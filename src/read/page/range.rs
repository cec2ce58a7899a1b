//! The time range in words, and the presets to choose from.

use jiff::Timestamp;
use jiff::civil::{Date, Time};

use crate::read::query::When;

use super::desk::Desk;
use super::format;

/// The presets: what they are called, and what `since` says.
const PRESETS: [(&str, &str); 4] =
    [("Last 24 hours", "-24h"), ("Last 7 days", "-7d"), ("Last 30 days", "-30d"), ("Last 90 days", "-90d")];

/// A range to choose.
#[derive(Debug)]
pub(crate) struct Preset {
    pub(crate) name: String,
    pub(crate) href: String,
    pub(crate) is_current: bool,
}

/// The presets, with the one in force marked.
pub(crate) fn presets(desk: &Desk) -> Vec<Preset> {
    let today = desk.zone.date(desk.now).to_string();
    let any = [("Any time", None), ("Today", Some(today.as_str()))];
    let all = any.into_iter().chain(PRESETS.into_iter().map(|(name, since)| (name, Some(since))));
    let current = desk.params.since.as_ref().map(When::to_string);
    let ends = desk.params.until.is_some();
    all.map(|(name, since)| Preset {
        name: name.to_owned(),
        href: desk.href(|params| {
            params.since = since.and_then(|since| When::parse(since).ok());
            params.until = None;
        }),
        is_current: !ends && current.as_deref() == since,
    })
    .collect()
}

/// The range on its button: `Last 7 days`, `1 – 7 Jan 2026`.
pub(crate) fn title(desk: &Desk) -> String {
    words(desk, " – ", "Any time")
}

/// The range in a sentence: `1 to 7 Jan 2026`.
pub(crate) fn phrase(desk: &Desk) -> String {
    let words = words(desk, " to ", "all time");
    // Only "Last 7 days" and its kin begin with a capital that a sentence does not want.
    words.strip_prefix("Last ").map_or(words.clone(), |rest| format!("last {rest}"))
}

fn words(desk: &Desk, joint: &str, any: &str) -> String {
    let since_is_ago = desk.params.since.as_ref().map(When::to_string).filter(|since| since.starts_with('-'));
    if let (Some(ago), None) = (since_is_ago, &desk.params.until) {
        return last(&ago);
    }
    match (desk.since, desk.until) {
        (None, None) => any.to_owned(),
        (Some(since), None) if desk.zone.start_of(desk.zone.date(desk.now)) == since => "Today".to_owned(),
        (Some(since), None) => format!("From {}", moment(desk, since)),
        (None, Some(until)) => format!("Before {}", moment(desk, until)),
        (Some(since), Some(until)) => match whole_days(desk, since, until) {
            Some((first, last)) => format::days(first, last, joint),
            None => {
                let (begin, end) = (desk.zone.local(since), desk.zone.local(until));
                let end_form = if begin.date() == end.date() { "%H:%M" } else { "%-d %b %Y %H:%M" };
                format!("{}{joint}{}", begin.strftime("%-d %b %Y %H:%M"), end.strftime(end_form))
            }
        },
    }
}

/// `-36h` as `Last 36 hours`.
fn last(ago: &str) -> String {
    let digits: String = ago.chars().filter(char::is_ascii_digit).collect();
    let unit = match ago.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit()) {
        "s" => "second",
        "m" | "min" => "minute",
        "h" => "hour",
        "d" => "day",
        _ => "week",
    };
    if digits == "1" { format!("Last {unit}") } else { format!("Last {digits} {unit}s") }
}

fn moment(desk: &Desk, at: Timestamp) -> String {
    let local = desk.zone.local(at);
    let form = if local.time() == Time::midnight() { "%-d %b %Y" } else { "%-d %b %Y %H:%M" };
    local.strftime(form).to_string()
}

/// The first and the last day of a range that is made of whole days.
fn whole_days(desk: &Desk, since: Timestamp, until: Timestamp) -> Option<(Date, Date)> {
    let (first, next) = (desk.zone.date(since), desk.zone.date(until));
    let is_whole = desk.zone.start_of(first) == since && desk.zone.start_of(next) == until && first < next;
    is_whole.then(|| next.yesterday().ok()).flatten().map(|last| (first, last))
}

/// What the two day fields of the form say: only a range that is made of whole days can be said so.
pub(crate) fn day_fields(desk: &Desk) -> (Option<Date>, Option<Date>) {
    let midnight = |at: Timestamp| Some(desk.zone.date(at)).filter(|day| desk.zone.start_of(*day) == at);
    let relative = |when: &Option<When>| when.as_ref().is_some_and(|when| when.to_string().starts_with('-'));
    if relative(&desk.params.since) || relative(&desk.params.until) {
        return (None, None);
    }
    let first = desk.since.map(midnight);
    let last = desk.until.map(|until| midnight(until).and_then(|next| next.yesterday().ok()));
    match (first, last) {
        (Some(None), _) | (_, Some(None)) => (None, None),
        (first, last) => (first.flatten(), last.flatten()),
    }
}
