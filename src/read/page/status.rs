//! What stands around a list: where one is in it, the zone, the order, the exports.

use crate::read::Listing;
use crate::read::zone::Zone;
use crate::record::query::{Count, Order};

use super::desk::Desk;
use super::format::{self, events, thousands};
use super::looks::ROWS;
use super::range;

/// The export menu.
#[derive(Debug)]
pub(super) struct Export {
    pub(super) what: String,
    pub(super) spreadsheet: String,
    pub(super) program: String,
    pub(super) ndjson: String,
}

/// Where in the list this page is, and the way on.
#[derive(Debug, Default)]
pub(super) struct Status {
    pub(super) span: String,
    pub(super) total: String,
    pub(super) unit: &'static str,
    pub(super) range: String,
    pub(super) as_of: String,
    pub(super) rows: Vec<(u16, String, bool)>,
    pub(super) back: Option<String>,
    pub(super) back_word: &'static str,
    pub(super) on: Option<String>,
    pub(super) on_word: &'static str,
    /// "12 newer events", and the list with them.
    pub(super) newer: Option<(String, String)>,
}

/// The zone that times are in, and the others.
#[derive(Debug)]
pub(super) struct ZoneMenu {
    pub(super) name: String,
    pub(super) offset: String,
    pub(super) choices: Vec<ZoneChoice>,
    pub(super) browser_href: String,
}

#[derive(Debug)]
pub(super) struct ZoneChoice {
    pub(super) name: String,
    pub(super) note: &'static str,
    pub(super) href: String,
    pub(super) is_current: bool,
}

/// The order of the list, and the link that turns it.
#[derive(Debug)]
pub(super) struct Sort {
    pub(super) aria: &'static str,
    pub(super) icon: &'static str,
    pub(super) turn: &'static str,
    pub(super) href: String,
}

/// The offer of a list that begins with what came meanwhile.
fn newer_words(desk: &Desk, newer: Count) -> (String, String) {
    let events = if newer.value == 1 { "event" } else { "events" };
    let more = if newer.capped { "+" } else { "" };
    (format!("{}{more} newer {events}", thousands(newer.value)), desk.href(|_| {}))
}

impl Status {
    pub(super) fn new(desk: &Desk, listing: &Listing, newer: Option<Count>) -> Status {
        let shown = u64::try_from(listing.events.len()).unwrap_or(u64::MAX);
        let total = listing.count.unwrap_or(Count { value: shown, capped: true });
        let number = |number: u64| thousands(number);
        let newest_first = desk.params.order == Order::Descending;
        let words = if newest_first { ("Newer", "Older") } else { ("Older", "Newer") };
        let rows =
            ROWS.into_iter().map(|rows| (rows, desk.href(|params| params.limit = Some(rows)), rows == desk.looks.rows));
        Status {
            span: format!("{}–{}", number(listing.skipped + 1), number(listing.skipped + shown)),
            total: format!("{}{}", number(total.value), if total.capped { "+" } else { "" }),
            unit: if total.value == 1 { "event" } else { "events" },
            range: range::phrase(desk),
            as_of: {
                let stamp = format::stamp(desk.now, &desk.zone);
                format!("{} {}", stamp.day, stamp.time)
            },
            rows: rows.collect(),
            back: listing.previous.as_deref().map(|cursor| desk.turn(cursor)),
            back_word: words.0,
            on: listing.next.as_deref().map(|cursor| desk.turn(cursor)),
            on_word: words.1,
            newer: newer.map(|newer| newer_words(desk, newer)),
        }
    }
}

impl Export {
    pub(super) fn new(desk: &Desk, listing: &Listing) -> Export {
        let what = match listing.count {
            Some(count) if count.capped => format!("More than {}", events(count.value)),
            Some(count) => events(count.value),
            None => "The events".to_owned(),
        };
        let filtered = if desk.params.is_filtered() { "the filters shown here" } else { "all that is shown here" };
        Export {
            what: format!("{what}, {filtered}"),
            spreadsheet: desk.export(&desk.zone, &[("format", "csv"), ("bom", "1")]),
            program: desk.export(&Zone::utc(), &[("format", "csv"), ("escape", "none")]),
            ndjson: desk.export(&desk.zone, &[("format", "ndjson")]),
        }
    }
}

impl ZoneMenu {
    pub(super) fn new(desk: &Desk) -> ZoneMenu {
        let to = |zone: Option<Zone>| desk.href(|params| params.tz = zone);
        let mut choices = vec![ZoneChoice {
            name: desk.home.name().to_owned(),
            note: "configured",
            href: to(None),
            is_current: desk.zone == desk.home,
        }];
        for zone in [Zone::utc(), desk.zone.clone()] {
            if !choices.iter().any(|choice| choice.name == zone.name()) {
                let is_current = zone == desk.zone;
                choices.push(ZoneChoice { name: zone.name().to_owned(), note: "", href: to(Some(zone)), is_current });
            }
        }
        ZoneMenu {
            name: desk.zone.name().to_owned(),
            offset: desk.zone.offset_label(desk.now),
            choices,
            browser_href: to(None),
        }
    }
}

impl Sort {
    pub(super) fn new(desk: &Desk) -> Sort {
        let turned = |order| desk.href(|params| params.order = order);
        match desk.params.order {
            Order::Descending => {
                Sort { aria: "descending", icon: "down", turn: "show oldest first", href: turned(Order::Ascending) }
            }
            Order::Ascending => {
                Sort { aria: "ascending", icon: "up", turn: "show newest first", href: turned(Order::Descending) }
            }
        }
    }
}
