//! The parameters of a question: changed, written to a URL, made into a filter.

use std::ops::RangeInclusive;

use jiff::Timestamp;

use super::{FIELDS, Mistake, When, name_of};
use crate::read::search;
use crate::read::zone::Zone;
use crate::record::query::{Clause, Field, Filter, Order, Position, Scope};

/// How many events a list may hold.
pub const LIMITS: RangeInclusive<u16> = 1..=1000;
/// How far events are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counting {
    /// Not at all.
    None,
    /// No further than 10,000.
    #[default]
    Capped,
    /// All of them.
    Exact,
}

impl Counting {
    pub(super) const ALL: [(&'static str, Counting); 3] =
        [("none", Counting::None), ("capped", Counting::Capped), ("exact", Counting::Exact)];
}

/// A question as it stands in a URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params {
    /// From this time on.
    pub since: Option<When>,
    /// Before this time.
    pub until: Option<When>,
    /// What the fields must be, or must not: at most one clause for each field and sign.
    pub clauses: Vec<Clause>,
    /// What stands in the search box.
    pub q: Option<String>,
    /// The zone in which dates are read, where the reader chose one.
    pub tz: Option<Zone>,
    /// Newest or oldest first.
    pub order: Order,
    /// How many events, where the reader said.
    pub limit: Option<u16>,
    /// Where to go on.
    pub cursor: Option<String>,
    /// How far to count.
    pub count: Counting,
    /// What only the caller understands (`format`, `rows`), in the order of the URL.
    pub extra: Vec<(String, String)>,
}

impl Params {
    /// Adds a value to a field's clause. Nothing happens where it is there already.
    pub fn insert(&mut self, field: Field, negated: bool, value: impl Into<String>) {
        let value = value.into();
        let same = |clause: &&mut Clause| clause.field == field && clause.negated == negated;
        match self.clauses.iter_mut().find(same) {
            Some(clause) if clause.values.contains(&value) => {}
            Some(clause) => clause.values.push(value),
            None => {
                self.clauses.push(Clause { field, negated, values: vec![value] });
                self.sort();
            }
        }
    }

    /// Takes a value out of a field's clause.
    pub fn remove(&mut self, field: Field, negated: bool, value: &str) {
        for clause in &mut self.clauses {
            if clause.field == field && clause.negated == negated {
                clause.values.retain(|known| known != value);
            }
        }
        self.clauses.retain(|clause| !clause.values.is_empty());
    }

    /// The values that a field must have, or must not have.
    pub fn values(&self, field: Field, negated: bool) -> &[String] {
        let same = |clause: &&Clause| clause.field == field && clause.negated == negated;
        self.clauses.iter().find(same).map_or(&[], |clause| clause.values.as_slice())
    }

    /// The first value of a name that only the caller understands.
    pub fn extra(&self, name: &str) -> Option<&str> {
        self.extra.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Sets (or, with `None`, removes) a name that only the caller understands.
    pub fn set_extra(&mut self, name: &str, value: Option<&str>) {
        self.extra.retain(|(known, _)| known != name);
        self.extra.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }

    /// Whether anything narrows the events, apart from the time.
    pub fn is_filtered(&self) -> bool {
        !self.clauses.is_empty() || self.q.is_some()
    }

    /// The same filters from the beginning of the list.
    #[must_use]
    pub fn first_page(mut self) -> Params {
        self.cursor = None;
        self
    }

    /// Writes them as a URL's query, in one order, leaving out what is as it would be anyway.
    pub fn to_query(&self) -> String {
        let mut out = url::form_urlencoded::Serializer::new(String::new());
        self.write_filters(&mut out);
        if self.order == Order::Ascending {
            out.append_pair("order", "asc");
        }
        if let Some(limit) = self.limit {
            out.append_pair("limit", &limit.to_string());
        }
        if self.count != Counting::default() {
            let word = Counting::ALL.into_iter().find(|(_, count)| *count == self.count).map_or("", |(word, _)| word);
            out.append_pair("count", word);
        }
        out.extend_pairs(&self.extra);
        if let Some(cursor) = &self.cursor {
            out.append_pair("cursor", cursor);
        }
        out.finish()
    }

    /// What a cursor is bound to: the filters and the order, not the size of a page.
    pub(crate) fn binding(&self) -> String {
        let mut out = url::form_urlencoded::Serializer::new(String::new());
        self.write_filters(&mut out);
        out.append_pair("order", if self.order == Order::Ascending { "asc" } else { "desc" });
        out.finish()
    }

    fn write_filters(&self, out: &mut url::form_urlencoded::Serializer<'_, String>) {
        for (name, when) in [("since", &self.since), ("until", &self.until)] {
            if let Some(when) = when {
                out.append_pair(name, &when.to_string());
            }
        }
        for clause in &self.clauses {
            let Some(name) = name_of(clause.field) else { continue };
            let name = if clause.negated { format!("not.{name}") } else { name.to_owned() };
            for value in &clause.values {
                out.append_pair(&name, value);
            }
        }
        if let Some(q) = &self.q {
            out.append_pair("q", q);
        }
        if let Some(tz) = &self.tz {
            out.append_pair("tz", tz.name());
        }
    }

    /// The filter they mean to a reader of `scope`, at `now`, with dates read in `zone` unless `tz` says other.
    ///
    /// # Errors
    /// When the times contradict each other or the search box cannot be read.
    pub fn filter(&self, scope: Scope, now: Timestamp, zone: &Zone) -> Result<Filter, Vec<Mistake>> {
        let zone = self.tz.as_ref().unwrap_or(zone);
        let since = self.since.as_ref().map(|when| when.instant(now, zone));
        let until = self.until.as_ref().map(|when| when.instant(now, zone));
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            return Err(vec![Mistake::new("since", "is later than `until`")]);
        }
        let mut filter = Filter { scope, since, until, clauses: self.clauses.clone(), upto: None };
        if let Some(q) = &self.q {
            search::parse(q)?.narrow(&mut filter, now, zone);
        }
        Ok(filter)
    }

    /// Like [`Params::filter`], with nothing newer than `upto`.
    ///
    /// # Errors
    /// As there.
    pub fn filter_upto(
        &self,
        scope: Scope,
        now: Timestamp,
        zone: &Zone,
        upto: Position,
    ) -> Result<Filter, Vec<Mistake>> {
        Ok(Filter { upto: Some(upto), ..self.filter(scope, now, zone)? })
    }

    /// Clauses stand in the order of [`FIELDS`], so that one question has one URL.
    pub(super) fn sort(&mut self) {
        let place = |field: Field| FIELDS.iter().position(|(_, known, _)| *known == field);
        self.clauses.sort_by_key(|clause| (place(clause.field), clause.negated));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::super::values::checked;
    use super::*;

    const ALSO: [&str; 6] = ["order", "limit", "cursor", "count", "rows", "chart"];

    fn clauses() -> impl Strategy<Value = Vec<(Field, bool, String)>> {
        let free = vec![Field::Category, Field::User, Field::Target, Field::Workspace, Field::Request];
        let clause = prop_oneof![
            (select(free), any::<bool>(), "[^\\p{C}]{1,20}"),
            (Just(Field::Action), any::<bool>(), "[a-z_]{1,9}(\\.[a-z_]{1,9}|\\.\\*)"),
            (Just(Field::Outcome), any::<bool>(), select(vec!["success", "denied"]).prop_map(str::to_owned)),
            (Just(Field::Ip), any::<bool>(), any::<std::net::IpAddr>().prop_map(|ip| ip.to_string())),
        ];
        prop::collection::vec(clause, 0..8)
    }

    prop_compose! {
        fn params()(
            since in prop::option::of(select(vec!["-24h", "-7d", "2026-01-07", "2026-01-07T17:25:56.5+01:00"])),
            until in prop::option::of(select(vec!["now", "2026-02-01T10:00"])),
            clauses in clauses(),
            q in prop::option::of("[a-zàèìòù]{1,8}( \"[a-z ]{1,8}x\")?"),
            tz in prop::option::of(select(vec!["UTC", "Europe/Rome"])),
            ascending: bool,
            limit in prop::option::of(LIMITS),
            count in select(vec![Counting::None, Counting::Capped, Counting::Exact]),
            cursor in prop::option::of("[A-Za-z0-9_-]{1,60}"),
            rows in prop::option::of("[^\\p{C}]{1,9}"),
        ) -> Params {
            let when = |text: Option<&str>| text.map(|text| When::parse(text).unwrap());
            let mut params = Params {
                since: when(since),
                until: when(until),
                q,
                tz: tz.and_then(Zone::named),
                order: if ascending { Order::Ascending } else { Order::Descending },
                limit,
                cursor,
                count,
                ..Params::default()
            };
            for (field, negated, value) in clauses {
                params.insert(field, negated, checked(field, &value).unwrap());
            }
            params.set_extra("rows", rows.as_deref());
            params
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_it_was(params in params()) {
            prop_assert_eq!(Params::parse(&params.to_query(), &ALSO), Ok(params));
        }

        #[test]
        fn no_query_makes_it_stumble(query in "[ -~]{0,80}") {
            if let Ok(params) = Params::parse(&query, &ALSO) {
                prop_assert_eq!(Params::parse(&params.to_query(), &ALSO), Ok(params));
            }
        }
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let query = "since=yesterday&categroy=x&outcome=succes&limit=0&limit=1001&order=up&count=all&tz=Rome\
                     &ip=300.1.1.1&action=*&q=actor%3A&user=%ff&target=a%00b&until=2026-01-01&until=2026-01-02";
        let mistakes = Params::parse(query, &ALSO).unwrap_err();
        let found: Vec<(&str, usize)> = mistakes.iter().map(|m| (m.parameter.as_str(), m.column)).collect();
        let expected = [
            ("since", 1),
            ("categroy", 1),
            ("outcome", 1),
            ("limit", 1),
            ("limit", 1),
            ("order", 1),
            ("count", 1),
            ("tz", 1),
            ("ip", 1),
            ("action", 1),
            ("user", 1),
            ("target", 2),
            ("until", 1),
            ("q", 7),
        ];
        assert_eq!(found, expected);
        assert!(mistakes[1].detail.ends_with("did you mean `category`?"), "{}", mistakes[1].detail);
        assert!(mistakes[2].detail.ends_with("did you mean `success`?"), "{}", mistakes[2].detail);
    }

    #[test]
    fn an_empty_field_of_a_form_is_as_if_it_were_not_there() {
        assert_eq!(Params::parse("since=&until=&q=&user=&category=", &ALSO), Ok(Params::default()));
    }

    #[test]
    fn the_category_with_a_slip_in_its_name_is_the_right_one() {
        let params = Params::parse("category=Agent+settigns", &ALSO).unwrap();
        assert_eq!(params.values(Field::Category, false), ["Agent settings"]);
    }

    #[test]
    fn a_repeated_name_is_or_and_not_stands_apart() {
        let params = Params::parse("user=anna&not.user=zapier&user=cosimo", &ALSO).unwrap();
        assert_eq!(params.values(Field::User, false), ["anna", "cosimo"]);
        assert_eq!(params.values(Field::User, true), ["zapier"]);
        assert_eq!(params.to_query(), "user=anna&user=cosimo&not.user=zapier");
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_refused() {
        let now: Timestamp = "2026-01-07T12:00:00Z".parse().unwrap();
        let filter = |query| Params::parse(query, &[]).unwrap().filter(Scope::All, now, &Zone::utc());
        assert!(filter("since=2026-01-07&until=2026-01-06").is_err());
        let range = filter("since=2026-01-06&until=2026-01-07&tz=Europe/Rome").unwrap();
        assert_eq!(range.since.unwrap().to_string(), "2026-01-05T23:00:00Z");
    }

    #[test]
    fn a_cursor_is_bound_to_filters_and_order_and_not_to_the_page() {
        let binding = |query| Params::parse(query, &ALSO).unwrap().binding();
        assert_eq!(binding("user=a&limit=10&count=none&cursor=x"), binding("limit=100&user=a"));
        assert_ne!(binding("user=a"), binding("user=b"));
        assert_ne!(binding("user=a"), binding("user=a&order=asc"));
        assert_ne!(binding("user=a"), binding("not.user=a"));
    }
}
