//! An event's sentence as the page shows it: parts, links, badge, reason and changes.
//!
//! A part that came from a value is set apart; it is a link only where the
//! rule made it one and the address is a web address or a path.

use crate::event::{Change, Event, Message, Outcome};

use super::desk::Desk;
use super::format;

/// What stands before the sentence of something that did not succeed, unless its rule says otherwise.
const DEFAULT_PREFIX: &str = "Failed: ";
/// A value longer than this is shown whole only in the detail.
const LONGEST_VALUE: usize = 120;
/// The list shows so many changes of one event.
const MOST_CHANGES: usize = 3;

/// A part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) text: String,
    /// Whether it came from a value.
    pub(crate) is_value: bool,
    pub(crate) link: Option<String>,
    /// Whether its link led to a thing that is gone.
    pub(crate) is_gone: bool,
}

/// The parts of an event's sentence. What leads to a thing that is gone is no link any more.
pub(crate) fn living_parts(desk: &Desk, event: &Event) -> Vec<Part> {
    let mut parts = parts(event.said_in(desk.language.as_deref()).1, event.outcome);
    for part in &mut parts {
        part.is_gone = part.link.as_deref().is_some_and(|link| desk.is_gone(event.id, link));
        part.link = part.link.take().filter(|_| !part.is_gone);
    }
    parts
}

/// The parts of a message; where the badge says how it ended, the default prefix is left out.
fn parts(message: &Message, outcome: Outcome) -> Vec<Part> {
    let text = message.text.as_str();
    let has_prefix = outcome != Outcome::Success && text.starts_with(DEFAULT_PREFIX);
    let mut at = if has_prefix { DEFAULT_PREFIX.len() } else { 0 };
    let mut parts = Vec::new();
    for mark in &message.marks {
        // A mark that does not lie on the text's letters would be a bug of the writer: the text counts more.
        let (Some(before), Some(value)) = (text.get(at..mark.start), text.get(mark.start..mark.end)) else { continue };
        push(&mut parts, before, false, None);
        push(&mut parts, value, true, mark.link.as_deref().filter(|link| is_safe(link)));
        at = mark.end;
    }
    push(&mut parts, text.get(at..).unwrap_or_default(), false, None);
    parts
}

fn push(parts: &mut Vec<Part>, text: &str, is_value: bool, link: Option<&str>) {
    if !text.is_empty() {
        parts.push(Part { text: text.to_owned(), is_value, link: link.map(str::to_owned), is_gone: false });
    }
}

/// Whether an address may be a link: `http:`, `https:` or a path, and no other site's path (`//host`, `/\host`).
pub(crate) fn is_safe(link: &str) -> bool {
    let path = link.starts_with('/') && !link.starts_with("//") && !link.starts_with("/\\");
    (path || link.starts_with("https://") || link.starts_with("http://")) && !link.chars().any(char::is_control)
}

/// How an event ended, in a word and a shape. Success is not marked in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Badge {
    /// Names its colour and its icon.
    pub(crate) key: &'static str,
    pub(crate) word: &'static str,
}

/// The badge of an outcome.
pub(crate) fn badge(outcome: Outcome) -> Badge {
    let word = match outcome {
        Outcome::Success => "Success",
        Outcome::Failure => "Failed",
        Outcome::Denied => "Denied",
        Outcome::Pending => "Pending",
        Outcome::Unknown => "Unknown",
    };
    Badge { key: outcome.word(), word }
}

/// Why it did not simply succeed: the status and its phrase, and the platform's words where the rule named them.
pub(crate) fn reason(event: &Event) -> Option<String> {
    let status = event.request.as_ref().and_then(|request| request.status);
    let words = event.details.get("reason").and_then(|reason| reason.as_str()).filter(|words| !words.is_empty());
    let first = match (event.outcome, status) {
        (Outcome::Success, _) => return None,
        (Outcome::Unknown, _) => "no whole answer came back: it may have happened".to_owned(),
        (Outcome::Pending, Some(code)) => format!("{}: the platform has not finished", format::status(code)),
        (Outcome::Pending, None) => "the platform has not finished".to_owned(),
        // A part of a bulk request can fail inside an answer that says 200.
        (_, Some(code)) if code < 400 => "the platform's answer says that this part did not happen".to_owned(),
        (_, Some(code)) => format::status(code),
        (_, None) if event.request.is_some() => "the platform could not be reached".to_owned(),
        (_, None) => return words.map(str::to_owned),
    };
    Some(match words {
        Some(words) => format!("{first} · {}", format::cut(words, LONGEST_VALUE)),
        None => first,
    })
}

/// A field that changed, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) field: String,
    /// None where the former value is not known.
    pub(crate) from: Option<String>,
    pub(crate) to: String,
}

/// The changes that a list shows, and how many more there are.
pub(crate) fn some_changes(changes: &[Change]) -> (Vec<Changed>, usize) {
    let shown = changes.iter().take(MOST_CHANGES).map(|change| changed(change, LONGEST_VALUE)).collect();
    (shown, changes.len().saturating_sub(MOST_CHANGES))
}

/// All of them, whole.
pub(crate) fn all_changes(changes: &[Change]) -> Vec<Changed> {
    changes.iter().map(|change| changed(change, usize::MAX)).collect()
}

fn changed(change: &Change, longest: usize) -> Changed {
    Changed {
        field: change.field.clone(),
        from: change.from.as_ref().map(|from| format::cut(&format::value(Some(from)), longest)),
        to: format::cut(&format::value(change.to.as_ref()), longest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Mark;

    fn shown(message: &Message, outcome: Outcome) -> String {
        let show = |part: Part| match (part.is_value, part.link) {
            (_, Some(link)) => format!("[{}]({link})", part.text),
            (true, None) => format!("*{}*", part.text),
            _ => part.text,
        };
        parts(message, outcome).into_iter().map(show).collect()
    }

    fn message(link: &str) -> Message {
        let text = "Failed: uploaded document Città.pdf".to_owned();
        let end = text.len();
        Message { text, marks: vec![Mark { start: 26, end, link: Some(link.to_owned()) }] }
    }

    #[test]
    fn values_are_set_apart_and_links_are_links() {
        assert_eq!(
            shown(&message("/w/39/documents/1"), Outcome::Success),
            "Failed: uploaded document [Città.pdf](/w/39/documents/1)"
        );
    }

    #[test]
    fn the_badge_takes_the_place_of_the_default_prefix() {
        assert_eq!(shown(&message("https://a.it/1"), Outcome::Denied), "uploaded document [Città.pdf](https://a.it/1)");
    }

    #[test]
    fn a_link_that_could_run_a_script_or_leave_the_site_is_plain() {
        for link in
            ["javascript:alert(1)", "data:text/html,x", "//evil.example/", "/\\evil.example", "ftp://x", "x", "/a\nb"]
        {
            assert_eq!(shown(&message(link), Outcome::Success), "Failed: uploaded document *Città.pdf*", "{link}");
        }
    }

    #[test]
    fn marks_that_cut_a_letter_lose_to_the_text() {
        let mark = |start, end| Mark { start, end, link: None };
        let message = Message { text: "è già".to_owned(), marks: vec![mark(1, 3), mark(3, 99), mark(3, 7)] };
        assert_eq!(shown(&message, Outcome::Success), "è *già*");
    }
}
