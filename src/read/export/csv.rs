//! An event as a row of CSV (RFC 4180): quoted where needed, CRLF, guarded.

use std::borrow::Cow;

use crate::read::object::{EventObject, actor_label, rfc3339};
use crate::read::zone::Zone;
use crate::record::query::Stored;

/// The columns: the page's three, then what a program wants.
pub(crate) const COLUMNS: [&str; 24] = [
    "User",
    "Date/Time",
    "Action",
    "id",
    "seq",
    "time",
    "workspace",
    "category",
    "action_key",
    "outcome",
    "actor_id",
    "actor_email",
    "target_type",
    "target_id",
    "target_name",
    "link",
    "ip",
    "user_agent",
    "method",
    "path",
    "status",
    "request_id",
    "details",
    "changes",
];

/// How the cells look.
#[derive(Clone, Debug)]
pub struct Columns {
    /// The zone of `Date/Time`; `time` is always UTC.
    pub zone: Zone,
    /// The language of the sentences, where a rule has it.
    pub language: Option<String>,
    /// What is done about formulas.
    pub guard: Guard,
}

/// What is done about cells that a spreadsheet would run as a formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// They get a leading `'`.
    Formulas,
    /// They stay as they are: for programs.
    None,
}

/// The line of the columns' names.
pub fn csv_head() -> Vec<u8> {
    rows([COLUMNS.map(Cow::Borrowed).to_vec()])
}

/// These events as rows.
pub fn csv_rows(events: &[Stored], columns: &Columns) -> Vec<u8> {
    rows(events.iter().map(|stored| cells(stored, columns)))
}

fn rows<'a>(cells: impl IntoIterator<Item = Vec<Cow<'a, str>>>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in cells {
        writer.write_record(row.iter().map(|cell| cell.as_bytes())).expect("rows of one length, into memory");
    }
    writer.into_inner().expect("a buffer in memory takes everything")
}

fn cells<'a>(stored: &'a Stored, columns: &Columns) -> Vec<Cow<'a, str>> {
    let event = &stored.event;
    let (target, request) = (event.targets.first(), event.request.as_ref());
    let text = |text: &'a str| guarded(text, columns.guard);
    let maybe = |given: Option<&'a str>| text(given.unwrap_or_default());
    let details = if event.details.is_empty() { String::new() } else { json(&event.details) };
    vec![
        text(actor_label(&event.actor)),
        Cow::Owned(columns.zone.local(event.time).strftime("%d %b %Y %H:%M:%S").to_string()),
        text(&event.said_in(columns.language.as_deref()).1.text),
        Cow::Owned(event.id.to_string()),
        Cow::Owned(stored.seq.to_string()),
        Cow::Owned(rfc3339(event.time)),
        maybe(event.workspace.as_deref()),
        text(&event.category),
        text(&event.action),
        Cow::Borrowed(event.outcome.word()),
        maybe(event.actor.id.as_deref()),
        maybe(event.actor.email.as_deref()),
        maybe(target.map(|target| target.kind.as_str())),
        maybe(target.and_then(|target| target.id.as_deref())),
        maybe(target.and_then(|target| target.name.as_deref())),
        maybe(target.and_then(|target| target.link.as_deref())),
        Cow::Owned(event.source.ip.map(|ip| ip.to_string()).unwrap_or_default()),
        maybe(event.source.user_agent.as_deref()),
        maybe(request.map(|request| request.method.as_str())),
        maybe(request.map(|request| request.path.as_str())),
        Cow::Owned(request.and_then(|request| request.status).map(|status| status.to_string()).unwrap_or_default()),
        maybe(request.map(|request| request.id.as_str())),
        Cow::Owned(details),
        Cow::Owned(changes(stored)),
    ]
}

/// The changes as JSON; nothing where there are none.
fn changes(stored: &Stored) -> String {
    let changes = &stored.event.changes;
    if changes.is_empty() {
        return String::new();
    }
    json(&EventObject::changes_of(stored))
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("keys are text")
}

/// A cell that a spreadsheet would take for a formula, also behind spaces and in full width, begins with `'`.
fn guarded(text: &str, guard: Guard) -> Cow<'_, str> {
    let trimmed = text.trim_start_matches(|letter: char| letter.is_whitespace() && !matches!(letter, '\t' | '\r'));
    let formula = trimmed.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']);
    if formula && guard == Guard::Formulas { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_guarded_and_nothing_else() {
        let table = [
            ("=1+1", true),
            ("+39 06", true),
            ("-1", true),
            ("@sum", true),
            ("\t=1", true),
            ("\r=1", true),
            (" =1", true),
            ("\u{a0}=1", true),
            ("\n=1", true),
            (" \t x", true),
            ("＝1", true),
            ("＠x", true),
            ("a=1", false),
            ("", false),
            ("'=1", false),
            ("Price list.pdf", false),
            ("è = vero", false),
        ];
        for (text, guard) in table {
            assert_eq!(guarded(text, Guard::Formulas) == format!("'{text}"), guard, "{text:?}");
            assert_eq!(guarded(text, Guard::None), text);
        }
    }

    #[test]
    fn lines_end_as_the_rfc_says() {
        assert!(csv_head().ends_with(b",details,changes\r\n"));
        assert!(csv_head().starts_with(b"User,Date/Time,Action,id,seq,time,"));
    }
}
