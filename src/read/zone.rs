//! Days, moments and buckets in the one time zone that a page is read in.
//!
//! Ranges are half-open: `since` belongs to them, `until` does not. Calendar
//! steps follow the zone's clock, so a day of 23 or 25 hours is one day.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, ToSpan, Zoned};

/// A time zone and the name by which people chose it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }

    /// The zone of an IANA name (`Europe/Rome`) or `UTC`; None for a name that nobody knows.
    pub fn named(name: &str) -> Option<Zone> {
        if name.eq_ignore_ascii_case("utc") || name.eq_ignore_ascii_case("z") {
            return Some(Zone::utc());
        }
        let rules = TimeZone::get(name).ok()?;
        let name = rules.iana_name().unwrap_or(name).to_owned();
        Some(Zone { name, rules })
    }

    /// Its name, as it is printed and as `tz` takes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The clock on the wall at that moment.
    pub(crate) fn local(&self, at: Timestamp) -> Zoned {
        at.to_zoned(self.rules.clone())
    }

    /// The day on the calendar at that moment.
    pub(crate) fn date(&self, at: Timestamp) -> Date {
        self.local(at).date()
    }

    /// The first moment of a day.
    pub(crate) fn start_of(&self, day: Date) -> Timestamp {
        self.moment(day.to_datetime(Time::midnight()))
    }

    /// The first moment of the day after.
    pub(crate) fn end_of(&self, day: Date) -> Timestamp {
        day.tomorrow().map_or(Timestamp::MAX, |next| self.start_of(next))
    }

    /// How far the clock on the wall is from UTC then: `GMT+1`, `GMT+5:30`; empty for UTC itself.
    pub(crate) fn offset_label(&self, at: Timestamp) -> String {
        if self.rules == TimeZone::UTC {
            return String::new();
        }
        let seconds = self.rules.to_offset(at).seconds();
        let (sign, minutes) = (if seconds < 0 { '−' } else { '+' }, seconds.abs() / 60);
        match (minutes / 60, minutes % 60) {
            (0, 0) => "GMT".to_owned(),
            (hours, 0) => format!("GMT{sign}{hours}"),
            (hours, rest) => format!("GMT{sign}{hours}:{rest:02}"),
        }
    }

    /// A time on the wall as a moment. One that the clock skipped is the moment it jumped to,
    /// one that came twice is the first.
    fn moment(&self, wall: DateTime) -> Timestamp {
        self.rules.to_ambiguous_zoned(wall).compatible().map_or(Timestamp::MAX, |zoned| zoned.timestamp())
    }
}

/// A moment as people and programs write it: RFC 3339, a day (its first moment), a time on the
/// wall (`2026-01-07T17:00`), or how long ago (`-24h`, `-7d`, `-30m`, `-2w`, `now`).
pub(crate) fn parse_moment(text: &str, zone: &Zone, now: Timestamp) -> Result<Timestamp, String> {
    let text = text.trim();
    if text == "now" {
        return Ok(now);
    }
    if let Some(ago) = text.strip_prefix('-').filter(|ago| !ago.contains(['-', ':'])) {
        return parse_ago(ago, zone, now).ok_or_else(|| format!("`-{ago}` is not a length of time like -24h or -7d"));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let wall = match text.parse::<Date>() {
        Ok(day) if text.len() <= "2026-01-07".len() => Ok(day.to_datetime(Time::midnight())),
        _ => text.replacen(' ', "T", 1).parse::<DateTime>(),
    };
    match wall {
        Ok(wall) => Ok(zone.moment(wall)),
        Err(_) => Err(format!("`{text}` is no time: write 2026-01-07, 2026-01-07T17:25:56Z or -24h")),
    }
}

fn parse_ago(ago: &str, zone: &Zone, now: Timestamp) -> Option<Timestamp> {
    let digits = ago.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = ago.split_at_checked(digits)?;
    let number: i64 = number.parse().ok().filter(|number| *number <= 1_000_000)?;
    let span = match unit {
        "s" => Span::new().try_seconds(number),
        "m" | "min" => Span::new().try_minutes(number),
        "h" => Span::new().try_hours(number),
        "d" => Span::new().try_days(number),
        "w" => Span::new().try_weeks(number),
        _ => return None,
    };
    Some(zone.local(now).checked_sub(span.ok()?).ok()?.timestamp())
}

/// The width of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many minutes of the clock on the wall, a divisor of a day.
    Minutes(u16),
    /// So many days.
    Days(u8),
    /// So many months.
    Months(u8),
}

impl Step {
    /// From the finest to the coarsest.
    const NICE: [Step; 20] = [
        Step::Minutes(1),
        Step::Minutes(2),
        Step::Minutes(5),
        Step::Minutes(10),
        Step::Minutes(15),
        Step::Minutes(30),
        Step::Minutes(60),
        Step::Minutes(120),
        Step::Minutes(180),
        Step::Minutes(240),
        Step::Minutes(360),
        Step::Minutes(720),
        Step::Days(1),
        Step::Days(2),
        Step::Days(7),
        Step::Months(1),
        Step::Months(3),
        Step::Months(6),
        Step::Months(12),
        Step::Months(60),
    ];

    /// In words: `4 hours`, `a day`.
    pub(crate) fn words(self) -> String {
        match self {
            Step::Minutes(1) => "a minute".to_owned(),
            Step::Minutes(60) => "an hour".to_owned(),
            Step::Minutes(minutes) if minutes % 60 == 0 => format!("{} hours", minutes / 60),
            Step::Minutes(minutes) => format!("{minutes} minutes"),
            Step::Days(1) => "a day".to_owned(),
            Step::Days(7) => "a week".to_owned(),
            Step::Days(days) => format!("{days} days"),
            Step::Months(1) => "a month".to_owned(),
            Step::Months(12) => "a year".to_owned(),
            Step::Months(months) if months % 12 == 0 => format!("{} years", months / 12),
            Step::Months(months) => format!("{months} months"),
        }
    }

    /// Whether every midnight is a border, so that days can be summed.
    pub(crate) fn divides_days(self) -> bool {
        matches!(self, Step::Minutes(_) | Step::Days(1))
    }

    /// About how long, for choosing.
    fn length(self) -> SignedDuration {
        match self {
            Step::Minutes(minutes) => SignedDuration::from_mins(minutes.into()),
            Step::Days(days) => SignedDuration::from_hours(24 * i64::from(days)),
            Step::Months(months) => SignedDuration::from_hours(24 * 30 * i64::from(months)),
        }
    }

    /// The border at or before a time on the wall.
    fn floor(self, wall: DateTime) -> DateTime {
        match self {
            Step::Minutes(minutes) => {
                let minute = u16::from(wall.hour().unsigned_abs()) * 60 + u16::from(wall.minute().unsigned_abs());
                let whole = i64::from(minute - minute % minutes);
                wall.date().to_datetime(Time::midnight()).saturating_add(whole.minutes())
            }
            Step::Days(7) => {
                let monday = i64::from(wall.date().weekday().to_monday_zero_offset());
                wall.date().saturating_sub(monday.days()).to_datetime(Time::midnight())
            }
            Step::Days(_) => wall.date().to_datetime(Time::midnight()),
            Step::Months(months) => {
                let month = wall.date().month() - 1;
                let step = i8::try_from(months.min(12)).unwrap_or(12);
                let first = Date::new(wall.date().year(), month - month % step + 1, 1);
                first.unwrap_or(wall.date()).to_datetime(Time::midnight())
            }
        }
    }

    fn next(self, wall: DateTime) -> DateTime {
        match self {
            Step::Minutes(minutes) => wall.saturating_add(i64::from(minutes).minutes()),
            Step::Days(days) => wall.saturating_add(i64::from(days).days()),
            Step::Months(months) => wall.saturating_add(i64::from(months).months()),
        }
    }
}

/// Buckets over a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Buckets {
    /// Their width.
    pub(crate) step: Step,
    /// Their borders, strictly ascending: one more than there are buckets.
    pub(crate) edges: Vec<Timestamp>,
}

/// The finest nice buckets of which at most `most` cover the range. Borders lie on the zone's clock,
/// so the first bucket may begin before `since` and the last end after `until`.
pub(crate) fn buckets(since: Timestamp, until: Timestamp, zone: &Zone, most: usize) -> Buckets {
    let length = until.duration_since(since);
    let fits =
        |step: &Step| length.as_secs() / step.length().as_secs().max(1) <= i64::try_from(most).unwrap_or(i64::MAX);
    let mut last = Buckets { step: Step::Months(60), edges: vec![since, until] };
    for step in Step::NICE.into_iter().filter(fits) {
        last = Buckets { step, edges: edges(since, until, zone, step, most + 1) };
        if last.edges.len() <= most + 1 {
            return last;
        }
    }
    last.edges.truncate(most + 1);
    last
}

fn edges(since: Timestamp, until: Timestamp, zone: &Zone, step: Step, most: usize) -> Vec<Timestamp> {
    let mut wall = step.floor(zone.local(since).datetime());
    let mut edges: Vec<Timestamp> = Vec::with_capacity(most + 1);
    // A step never stands still except at the end of the calendar, which the bound covers.
    while edges.len() <= most {
        let at = zone.moment(wall);
        // A border inside the hour that the clock skips falls together with the next.
        if edges.last().is_none_or(|last| *last < at) {
            edges.push(at);
        }
        if at >= until && edges.len() > 1 {
            break;
        }
        wall = step.next(wall);
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rome() -> Zone {
        Zone::named("Europe/Rome").unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_zone_is_known_by_its_name_and_prints_its_offset() {
        assert_eq!(rome().offset_label(at("2026-01-07T12:00:00Z")), "GMT+1");
        assert_eq!(rome().offset_label(at("2026-07-07T12:00:00Z")), "GMT+2");
        assert_eq!(Zone::named("Asia/Kolkata").unwrap().offset_label(at("2026-01-07T12:00:00Z")), "GMT+5:30");
        assert_eq!(Zone::named("America/New_York").unwrap().offset_label(at("2026-01-07T12:00:00Z")), "GMT−5");
        assert_eq!(Zone::named("utc").unwrap().offset_label(at("2026-01-07T12:00:00Z")), "");
        assert_eq!(Zone::named("Europe/Atlantis"), None);
    }

    #[test]
    fn a_day_begins_at_midnight_on_the_wall() {
        let day = Date::constant(2026, 3, 29);
        assert_eq!(rome().start_of(day), at("2026-03-28T23:00:00Z"));
        assert_eq!(rome().end_of(day), at("2026-03-29T22:00:00Z"), "that day has 23 hours");
    }

    #[test]
    fn moments_are_read_in_the_zone() {
        let now = at("2026-01-07T16:25:56Z");
        let read = |text| parse_moment(text, &rome(), now);
        assert_eq!(read("2026-01-07"), Ok(at("2026-01-06T23:00:00Z")));
        assert_eq!(read("2026-01-07T17:00"), Ok(at("2026-01-07T16:00:00Z")));
        assert_eq!(read("2026-01-07 17:00:30"), Ok(at("2026-01-07T16:00:30Z")));
        assert_eq!(read("2026-01-07T17:00:00Z"), Ok(at("2026-01-07T17:00:00Z")));
        assert_eq!(read("2026-01-07T17:00:00+03:00"), Ok(at("2026-01-07T14:00:00Z")));
        assert_eq!(read("-24h"), Ok(at("2026-01-06T16:25:56Z")));
        assert_eq!(read("-7d"), Ok(at("2025-12-31T16:25:56Z")));
        assert_eq!(read("now"), Ok(now));
        for wrong in ["", "yesterday", "-", "-7", "-7y", "2026-13-01", "2026-01-07T25:00", "-99999999999999999999d"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_day_ago_is_the_same_time_on_the_wall() {
        let after_the_change = at("2026-03-29T10:00:00Z");
        assert_eq!(parse_moment("-1d", &rome(), after_the_change), Ok(at("2026-03-28T11:00:00Z")));
        assert_eq!(parse_moment("-24h", &rome(), after_the_change), Ok(at("2026-03-28T10:00:00Z")));
    }

    #[test]
    fn seven_days_are_bars_of_four_hours() {
        let buckets = buckets(at("2025-12-31T23:00:00Z"), at("2026-01-07T23:00:00Z"), &rome(), 48);
        assert_eq!(buckets.step, Step::Minutes(240));
        assert_eq!(buckets.edges.len(), 43);
        assert_eq!(buckets.edges.first(), Some(&at("2025-12-31T23:00:00Z")));
        assert_eq!(buckets.edges.last(), Some(&at("2026-01-07T23:00:00Z")));
    }

    #[test]
    fn borders_cover_a_range_that_begins_anywhere() {
        let (since, until) = (at("2026-01-06T16:25:56Z"), at("2026-01-07T16:25:56Z"));
        let buckets = buckets(since, until, &rome(), 48);
        assert_eq!(buckets.step, Step::Minutes(60), "49 bars of half an hour are one too many");
        assert!(buckets.edges.first() <= Some(&since) && buckets.edges.last() >= Some(&until));
    }

    #[test]
    fn the_day_of_a_clock_change_has_no_empty_or_double_bucket() {
        for day in ["2026-03-29", "2026-10-25"] {
            let day: Date = day.parse().unwrap();
            let buckets = buckets(rome().start_of(day), rome().end_of(day), &rome(), 48);
            assert!(buckets.edges.windows(2).all(|pair| pair[0] < pair[1]));
            assert_eq!(buckets.edges.first(), Some(&rome().start_of(day)));
            assert_eq!(buckets.edges.last(), Some(&rome().end_of(day)));
        }
    }

    #[test]
    fn there_are_never_more_bars_than_asked_for() {
        let since = at("2024-02-29T11:07:03Z");
        for hours in [0, 1, 5, 23, 24, 25, 100, 167, 168, 169, 700, 2_000, 9_000, 50_000, 400_000] {
            let until = since + SignedDuration::from_hours(hours);
            let buckets = buckets(since, until, &rome(), 48);
            assert!((2..=49).contains(&buckets.edges.len()), "{hours} h: {}", buckets.edges.len());
            assert!(buckets.edges.first() <= Some(&since), "{hours} h");
            assert!(buckets.edges.last() >= Some(&until), "{hours} h");
        }
    }
}
