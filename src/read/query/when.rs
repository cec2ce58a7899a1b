//! A time as a reader writes it.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::read::zone::{Zone, parse_moment};

/// A time as a reader writes it; what it means depends on now and on the zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When(String);

impl When {
    /// Reads a time.
    ///
    /// # Errors
    /// The sentence that tells the reader what would be right.
    pub fn parse(text: &str) -> Result<When, String> {
        // The plus of an offset that was not escaped arrives as a space.
        let text = match text.split_once(' ') {
            Some((time, offset)) if time.contains('T') => format!("{time}+{offset}"),
            _ => text.trim().to_owned(),
        };
        parse_moment(&text, &Zone::utc(), Timestamp::UNIX_EPOCH)?;
        Ok(When(text))
    }

    /// The instant it means. Beyond the ends of time it is the end.
    pub fn instant(&self, now: Timestamp, zone: &Zone) -> Timestamp {
        let beyond = if self.0.starts_with('-') { Timestamp::MIN } else { Timestamp::MAX };
        parse_moment(&self.0, zone, now).unwrap_or(beyond)
    }

    /// The day it means, if it is a whole one.
    pub fn day(&self) -> Option<Date> {
        self.0.parse().ok().filter(|_| self.0.len() <= "2026-01-07".len())
    }

    /// The instant at which it is over: the next midnight of a day, else itself.
    pub fn end(&self, now: Timestamp, zone: &Zone) -> Timestamp {
        self.day().map_or_else(|| self.instant(now, zone), |day| zone.end_of(day))
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_means_its_instant() {
        let now: Timestamp = "2026-01-07T12:00:00Z".parse().unwrap();
        let rome = Zone::named("Europe/Rome").unwrap();
        let table = [
            ("2026-01-07T17:25:56Z", "2026-01-07T17:25:56Z"),
            ("2026-01-07T17:25:56.5+01:00", "2026-01-07T16:25:56.5Z"),
            ("2026-01-07T17:25:56 01:00", "2026-01-07T16:25:56Z"),
            ("2026-01-07", "2026-01-06T23:00:00Z"),
            ("2026-07-07T10:00", "2026-07-07T08:00:00Z"),
            ("-24h", "2026-01-06T12:00:00Z"),
            ("-7d", "2025-12-31T12:00:00Z"),
            ("-90m", "2026-01-07T10:30:00Z"),
        ];
        for (text, instant) in table {
            assert_eq!(When::parse(text).unwrap().instant(now, &rome).to_string(), instant, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["yesterday", "2026-13-01", "-", "-h", "-+5h", "24h", "2026-01-07T25:00", "1736267156", "-5y"] {
            assert!(When::parse(text).is_err(), "{text}");
        }
    }
}
