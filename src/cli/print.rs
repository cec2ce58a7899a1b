//! Events as a person reads them in a terminal: User, Date/Time, Action, like the page.

use std::io::Write;

use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

use crate::event::{ActorKind, Event, Outcome};

/// The column of users is no wider than this.
const WIDEST_USER: usize = 28;
/// `07 Jan 2026 17:25:56`.
const MOMENT: &str = "%d %b %Y %H:%M:%S";

/// Prints events below each other, the columns aligned over all of them.
pub fn events<'a>(
    out: &mut impl Write,
    zone: &TimeZone,
    events: impl Iterator<Item = &'a Event> + Clone,
) -> std::io::Result<()> {
    let width = events.clone().map(|event| user(event).width()).max().unwrap_or(4).clamp(4, WIDEST_USER);
    writeln!(out, "{}  {:20}  Action", padded("User", width), "Date/Time")?;
    for event in events {
        line(out, zone, width, event)?;
    }
    Ok(())
}

/// Prints one event with the user's column `width` wide.
pub fn line(out: &mut impl Write, zone: &TimeZone, width: usize, event: &Event) -> std::io::Result<()> {
    let moment = event.time.to_zoned(zone.clone()).strftime(MOMENT);
    writeln!(out, "{}  {moment}  {}{}", padded(&user(event), width), badge(event.outcome), sentence(event))
}

/// What stands in the column of users.
pub fn user(event: &Event) -> String {
    let actor = &event.actor;
    let label = match (actor.label(), actor.kind) {
        (Some(label), _) => visible(label),
        (None, ActorKind::Anonymous) => "(anonymous)".to_owned(),
        (None, ActorKind::System) => "sidetrail".to_owned(),
        (None, _) => "(unknown)".to_owned(),
    };
    shortened(label)
}

/// The sentence; the badge says that it failed, so the default prefix is left out.
fn sentence(event: &Event) -> String {
    let text = &event.message.text;
    let text = match event.outcome {
        Outcome::Failure | Outcome::Denied => text.strip_prefix("Failed: ").unwrap_or(text),
        _ => text,
    };
    visible(text)
}

fn badge(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "",
        Outcome::Failure => "[Failed] ",
        Outcome::Denied => "[Denied] ",
        Outcome::Pending => "[Pending] ",
        Outcome::Unknown => "[Unknown] ",
    }
}

/// Names come from outside: a terminal must never obey them.
fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || turns_the_line(c) { '\u{FFFD}' } else { c }).collect()
}

/// What changes the direction of all that follows (UAX #9): a name must not rewrite the sentence around it.
fn turns_the_line(letter: char) -> bool {
    matches!(letter, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn shortened(text: String) -> String {
    if text.width() <= WIDEST_USER {
        return text;
    }
    let mut short = String::new();
    for c in text.chars() {
        if short.width() + 2 > WIDEST_USER {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_no_name() {
        assert_eq!(
            visible("a\u{1b}[31m\nb\u{202e}c\u{2066}d \u{e9}"),
            "a\u{fffd}[31m\u{fffd}b\u{fffd}c\u{fffd}d \u{e9}"
        );
    }
}
