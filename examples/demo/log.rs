//! The audit log of this run, printed like the page shows it.

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::Result;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sidetrail::cli::print;
use sidetrail::event::{Event, Outcome};
use sidetrail::record::Store;
use sidetrail::record::query::{Filter, Order, Scope};

use crate::texts::TEXTS;

/// More than a day of work gives.
const MOST_EVENTS: usize = 1000;

/// Everything recorded since `since`, newest first.
pub(crate) fn read(store: &Store, since: Timestamp) -> Result<Vec<Event>> {
    let filter = Filter { since: Some(since), ..Filter::all(Scope::All) };
    let page = store.page(&filter, Order::Descending, MOST_EVENTS, None)?;
    Ok(page.events.into_iter().map(|stored| stored.event).collect())
}

/// Prints one table for each workspace.
pub(crate) fn print(out: &mut impl Write, events: &[Event]) -> Result<()> {
    writeln!(out, "Audit logs (times in UTC)")?;
    let workspaces: BTreeSet<Option<&str>> = events.iter().map(|event| event.workspace.as_deref()).collect();
    for workspace in workspaces {
        writeln!(out, "\n{}", workspace.map_or("No workspace".to_owned(), |id| format!("Workspace {id}")))?;
        let here = events.iter().filter(|event| event.workspace.as_deref() == workspace);
        print::events(out, &TimeZone::UTC, here)?;
    }
    Ok(())
}

/// Actions of the specification whose sentence is not in the log.
pub(crate) fn lacking(events: &[Event]) -> Vec<(&'static str, &'static str)> {
    let is_there = |action: &str, text: &str| {
        let meets = |event: &Event| *event.action == *action && event.message.text == text;
        events.iter().any(|event| meets(event) && event.outcome == Outcome::Success)
    };
    TEXTS.into_iter().filter(|(action, text)| !is_there(action, text)).collect()
}
