//! What a page is drawn for: the question as asked, the clock, the reader's choices; and the links from it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;

use crate::read::query::{Params, When};
use crate::read::zone::Zone;
use crate::record::query::Field;

use super::families::Families;
use super::looks::Looks;

/// The parameters that only the page knows, beside those of a list.
pub(crate) const PAGE_NAMES: [&str; 8] = ["order", "limit", "cursor", "from", "to", "show", "chart", "event"];

/// The question, the clock and the reader's choices.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    /// The question as it stands in the URL.
    pub(crate) params: Params,
    /// In which times are read and shown.
    pub(crate) zone: Zone,
    /// The zone of the configuration.
    pub(crate) home: Zone,
    /// The language of the sentences, where a rule has it.
    pub(crate) language: Option<String>,
    /// What "now" is for this page.
    pub(crate) now: Timestamp,
    /// From this moment on, if the question says so.
    pub(crate) since: Option<Timestamp>,
    /// Before this moment, if the question says so.
    pub(crate) until: Option<Timestamp>,
    /// Colours and icons of the categories.
    pub(crate) families: Families,
    /// Rows, columns, chart.
    pub(crate) looks: Looks,
    /// Links, each of an event, that lead to things which are gone.
    pub(crate) gone: BTreeSet<(Uuid, String)>,
}

/// The list's address for a question.
pub(crate) fn list_href(params: &Params) -> String {
    match params.to_query() {
        query if query.is_empty() => "/".to_owned(),
        query => format!("/?{query}"),
    }
}

impl Desk {
    /// The list with something changed, from its first page, nothing open beside it.
    pub(crate) fn href(&self, change: impl FnOnce(&mut Params)) -> String {
        let mut params = self.params.clone().first_page();
        params.set_extra("event", None);
        change(&mut params);
        list_href(&params)
    }

    /// The list with only this value of a field.
    pub(crate) fn only(&self, field: Field, value: &str) -> String {
        self.href(|params| {
            params.clauses.retain(|clause| clause.field != field);
            params.insert(field, false, value);
        })
    }

    /// The list without this value of a field.
    pub(crate) fn without(&self, field: Field, value: &str) -> String {
        self.href(|params| {
            params.remove(field, false, value);
            params.insert(field, true, value);
        })
    }

    /// The page of this list that a cursor opens.
    pub(crate) fn turn(&self, cursor: &str) -> String {
        self.href(|params| params.cursor = Some(cursor.to_owned()))
    }

    /// The address of one event; the list it was reached from goes along, so that it can be gone back to.
    pub(crate) fn event(&self, id: uuid::Uuid) -> String {
        let mut params = self.params.clone();
        params.set_extra("event", None);
        match params.to_query() {
            query if query.is_empty() => format!("/events/{id}"),
            query => format!("/events/{id}?{query}"),
        }
    }

    /// Whether an event's link leads to a thing that is gone.
    pub(crate) fn is_gone(&self, event: Uuid, link: &str) -> bool {
        self.gone.contains(&(event, link.to_owned()))
    }

    /// The list as it was asked for, nothing open beside it.
    pub(crate) fn closed(&self) -> String {
        let mut params = self.params.clone();
        params.set_extra("event", None);
        list_href(&params)
    }

    /// An export of exactly what the filters mean, with times in `zone`, written as `rest` says.
    pub(crate) fn export(&self, zone: &Zone, rest: &[(&str, &str)]) -> String {
        let bound = |at: Option<Timestamp>| at.and_then(|at| When::parse(&at.to_string()).ok());
        // Days mean other moments in another zone; those inside the search box keep the page's.
        let has_days = self.params.q.as_ref().is_some_and(|q| q.contains("created:"));
        let filters = Params {
            since: bound(self.since),
            until: bound(self.until),
            tz: Some(if has_days { self.zone.clone() } else { zone.clone() }),
            extra: rest.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            limit: None,
            cursor: None,
            ..self.params.clone()
        };
        format!("/api/v1/events/export?{}", filters.to_query())
    }
}
