//! How numbers, days and values are written on the page.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use crate::read::zone::Zone;

/// The two parts of a moment: `07 Jan 2026` and `17:25:56`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) day: String,
    pub(crate) time: String,
    /// RFC 3339 in UTC, for `<time datetime>`.
    pub(crate) machine: String,
}

/// A moment on the zone's clock.
pub(crate) fn stamp(at: Timestamp, zone: &Zone) -> Stamp {
    let local = zone.local(at);
    Stamp {
        day: local.strftime("%d %b %Y").to_string(),
        time: local.strftime("%H:%M:%S").to_string(),
        machine: at.to_string(),
    }
}

/// `Wednesday 7 January 2026`
pub(crate) fn day_title(day: Date) -> String {
    day.strftime("%A %-d %B %Y").to_string()
}

/// `7 Jan 2026`
pub(crate) fn short_day(day: Date) -> String {
    day.strftime("%-d %b %Y").to_string()
}

/// Two days and what joins them, saying month and year once where they are the same: `1 – 7 Jan 2026`.
pub(crate) fn days(first: Date, last: Date, joint: &str) -> String {
    if first == last {
        return short_day(first);
    }
    let begin = match (first.year() == last.year(), first.month() == last.month()) {
        (true, true) => first.strftime("%-d").to_string(),
        (true, false) => first.strftime("%-d %b").to_string(),
        _ => short_day(first),
    };
    format!("{begin}{joint}{}", short_day(last))
}

/// `10204117` as `10,204,117`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 event`, `2,000 events`.
pub(crate) fn events(number: u64) -> String {
    format!("{} {}", thousands(number), if number == 1 { "event" } else { "events" })
}

/// The number in words up to nine: "these four filters".
pub(crate) fn in_words(number: usize) -> String {
    let words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    words.get(number).map_or_else(|| number.to_string(), |word| (*word).to_owned())
}

/// A stored value as people read it, on one line.
pub(crate) fn value(value: Option<&Value>) -> String {
    match value {
        None => "not known".to_owned(),
        Some(Value::Null) => "none".to_owned(),
        Some(Value::Bool(true)) => "yes".to_owned(),
        Some(Value::Bool(false)) => "no".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "empty".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) if items.is_empty() => "none".to_owned(),
        Some(Value::Array(items)) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
            items.iter().map(|item| self::value(Some(item))).collect::<Vec<_>>().join(", ")
        }
        Some(other) => other.to_string(),
    }
}

/// At most `most` characters, the last one an ellipsis where something is left out.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The same text with a capital at its beginning.
pub(crate) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `38 ms`, `1.2 s`, `2 min 5 s`.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// A status and its phrase (RFC 9110 §15): `403 Forbidden`.
pub(crate) fn status(code: u16) -> String {
    let phrase = axum::http::StatusCode::from_u16(code).ok().and_then(|status| status.canonical_reason());
    phrase.map_or_else(|| code.to_string(), |phrase| format!("{code} {phrase}"))
}

/// The browser and system that a `User-Agent` names, where they are well known: `Firefox 146, Windows`.
pub(crate) fn client(agent: &str) -> Option<String> {
    const BROWSERS: [(&str, &str); 6] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Version/", "Safari"),
        ("curl/", "curl"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let (mark, name) = BROWSERS.into_iter().find(|(mark, _)| agent.contains(mark))?;
    let version = agent.split(mark).nth(1)?.split(['.', ' ']).next().unwrap_or_default();
    let system = SYSTEMS.into_iter().find(|(mark, _)| agent.contains(mark));
    let system = system.map(|(_, name)| format!(", {name}")).unwrap_or_default();
    Some(format!("{name} {}{system}", cut(version, 12)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_moment_is_written_as_the_users_know_it() {
        let stamp = stamp("2026-01-07T16:25:56.4Z".parse().unwrap(), &Zone::named("Europe/Rome").unwrap());
        assert_eq!((stamp.day.as_str(), stamp.time.as_str()), ("07 Jan 2026", "17:25:56"));
        assert_eq!(stamp.machine, "2026-01-07T16:25:56.4Z");
    }

    #[test]
    fn days_say_month_and_year_once() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        assert_eq!(day_title(day("2026-01-07")), "Wednesday 7 January 2026");
        assert_eq!(days(day("2026-01-01"), day("2026-01-07"), " – "), "1 – 7 Jan 2026");
        assert_eq!(days(day("2026-01-28"), day("2026-02-03"), " to "), "28 Jan to 3 Feb 2026");
        assert_eq!(days(day("2025-12-28"), day("2026-01-03"), " – "), "28 Dec 2025 – 3 Jan 2026");
        assert_eq!(days(day("2026-01-07"), day("2026-01-07"), " – "), "7 Jan 2026");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(10_204_117), "10,204,117");
        assert_eq!(events(1), "1 event");
        assert_eq!(in_words(4), "four");
        assert_eq!(in_words(11), "11");
    }

    #[test]
    fn values_are_words_and_not_json_where_they_can_be() {
        assert_eq!(value(Some(&json!(["a", 2, true]))), "a, 2, yes");
        assert_eq!(value(Some(&json!(""))), "empty");
        assert_eq!(value(Some(&json!(null))), "none");
        assert_eq!(value(None), "not known");
        assert_eq!(value(Some(&json!({"a": 1}))), "{\"a\":1}");
        assert_eq!(cut("Città di Forlì", 5), "Citt…");
        assert_eq!(cut("Forlì", 5), "Forlì");
    }

    #[test]
    fn a_client_is_named_where_it_is_well_known() {
        let firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:146.0) Gecko/20100101 Firefox/146.0";
        assert_eq!(client(firefox).as_deref(), Some("Firefox 146, Windows"));
        assert_eq!(client("curl/8.5.0").as_deref(), Some("curl 8"));
        assert_eq!(client("my-sync/1.0"), None);
        assert_eq!(
            (duration(38), duration(1_240), duration(125_000)),
            ("38 ms".into(), "1.2 s".into(), "2 min 5 s".into())
        );
        assert_eq!((status(403), status(799)), ("403 Forbidden".to_owned(), "799".to_owned()));
    }
}
