//! The list: rows grouped by day, the events of one bulk request folded.

use jiff::civil::Date;
use uuid::Uuid;

use crate::event::{Event, Outcome};
use crate::record::query::{Field, Stored};

use super::desk::Desk;
use super::families::icon_of;
use super::format::{self, Stamp};
use super::person::Person;
use super::sentence::{self, Badge, Changed, Part};

/// So many events of one request stand in rows of their own; more fold into the first.
const UNFOLDED: usize = 3;

/// The rows of one day.
#[derive(Debug)]
pub(crate) struct Day {
    pub(crate) title: String,
    /// All events of that day within the filters, where it is known.
    pub(crate) total: Option<String>,
    pub(crate) rows: Vec<Row>,
}

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) person: Person,
    pub(crate) person_href: Option<String>,
    pub(crate) stamp: Stamp,
    pub(crate) parts: Vec<Part>,
    /// The sentence as plain text, for the name of the details link.
    pub(crate) text: String,
    /// None for success.
    pub(crate) badge: Option<Badge>,
    /// Also for success: the column that can be shown.
    pub(crate) outcome: Badge,
    pub(crate) reason: Option<String>,
    pub(crate) changes: Vec<Changed>,
    pub(crate) more_changes: usize,
    pub(crate) category: String,
    pub(crate) category_icon: &'static str,
    pub(crate) category_href: String,
    pub(crate) action: String,
    pub(crate) target: Option<String>,
    pub(crate) ip: Option<String>,
    pub(crate) href: String,
    pub(crate) id: Uuid,
    pub(crate) is_open: bool,
    /// How many events of the same request follow, and where they are listed.
    pub(crate) folded: Option<(usize, String)>,
}

/// The rows of a page of events, in their order, under the days of the zone.
pub(crate) fn days(desk: &Desk, events: &[Stored], totals: &[(Date, u64)], open: Option<Uuid>) -> Vec<Day> {
    let mut days: Vec<(Date, Day)> = Vec::new();
    let may_fold = !desk.params.clauses.iter().any(|clause| clause.field == Field::Request);
    for group in events.chunk_by(|one, next| may_fold && belong_together(&one.event, &next.event)) {
        let folds = group.len() > UNFOLDED;
        for stored in group.iter().take(if folds { 1 } else { group.len() }) {
            let mut row = Row::new(desk, stored);
            row.is_open = open == Some(row.id);
            if let (true, Some(request)) = (folds, &stored.event.request) {
                row.folded =
                    Some((group.len() - 1, desk.href(|params| params.insert(Field::Request, false, &request.id))));
            }
            let date = desk.zone.date(stored.event.time);
            match days.last_mut() {
                Some((last, day)) if *last == date => day.rows.push(row),
                _ => {
                    let total = totals.iter().find(|(day, _)| *day == date).map(|(_, total)| format::events(*total));
                    days.push((date, Day { title: format::day_title(date), total, rows: vec![row] }));
                }
            }
        }
    }
    days.into_iter().map(|(_, day)| day).collect()
}

/// Whether two events are the same thing done to several in one request.
fn belong_together(one: &Event, next: &Event) -> bool {
    let request = |event: &Event| event.request.as_ref().map(|request| request.id.clone()).filter(|id| !id.is_empty());
    request(one).is_some()
        && request(one) == request(next)
        && one.action == next.action
        && one.outcome == next.outcome
        && one.actor == next.actor
}

impl Row {
    pub(crate) fn new(desk: &Desk, stored: &Stored) -> Row {
        let event = &stored.event;
        let person = Person::new(&event.actor);
        let (changes, more_changes) = sentence::some_changes(&event.changes);
        let outcome = sentence::badge(event.outcome);
        let parts = sentence::living_parts(desk, event);
        Row {
            person_href: person.key.as_deref().map(|key| desk.only(Field::User, key)),
            person,
            stamp: format::stamp(event.time, &desk.zone),
            text: parts.iter().map(|part| part.text.as_str()).collect(),
            parts,
            badge: (event.outcome != Outcome::Success).then_some(outcome),
            outcome,
            reason: sentence::reason(event),
            changes,
            more_changes,
            category: event.category.to_string(),
            category_icon: icon_of(&event.category),
            category_href: desk.only(Field::Category, &event.category),
            action: event.action.to_string(),
            target: event.targets.first().and_then(|target| target.name.clone().or_else(|| target.id.clone())),
            ip: event.source.ip.map(|ip| ip.to_string()),
            href: desk.event(event.id),
            id: event.id,
            is_open: false,
            folded: None,
        }
    }
}
