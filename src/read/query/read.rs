//! Parameters out of a URL: each is checked where it stands, and everything that is wrong is told at once.

use super::values::{checked, clause_of, decode, known, unknown};
use super::{Counting, LIMITS, Mistake, OTHERS, PAGING_NAMES, Params, When};
use crate::read::search;
use crate::read::zone::Zone;
use crate::record::query::Order;

/// A value longer than this is no name, id or search.
const MAX_VALUE_CHARS: usize = 512;
/// More values than this are not typed by people, and each costs the store.
const MAX_VALUES: usize = 200;

impl Params {
    /// Reads a URL's query. Beyond the filters it may hold the names in `also`;
    /// those of [`PAGING_NAMES`] among them are read here, the others land in `extra`.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn parse(query: &str, also: &[&str]) -> Result<Params, Vec<Mistake>> {
        let (params, mistakes) = Params::read(query, also);
        if mistakes.is_empty() { Ok(params) } else { Err(mistakes) }
    }

    /// Like [`Params::parse`], but gives what could be read beside what is wrong, for a page that shows both.
    pub fn read(query: &str, also: &[&str]) -> (Params, Vec<Mistake>) {
        let mut params = Params::default();
        let mut mistakes = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name).unwrap_or_else(|| name.to_owned());
            let Some(value) = decode(value) else {
                mistakes.push(Mistake::new(name, "its escapes are not UTF-8 text"));
                continue;
            };
            if !known(&name, also) {
                mistakes.push(unknown(&name, also));
                continue;
            }
            if value.is_empty() {
                continue;
            }
            let single = PAGING_NAMES.contains(&name.as_str()) || OTHERS.iter().any(|(other, _)| *other == name);
            if single && seen.contains(&name) {
                mistakes.push(Mistake::new(name, "stands more than once"));
                continue;
            }
            if let Err(mistake) = params.take(&name, &value) {
                mistakes.push(mistake);
            }
            seen.push(name);
        }
        params.sort();
        if params.clauses.iter().map(|clause| clause.values.len()).sum::<usize>() > MAX_VALUES {
            mistakes.push(Mistake::new("", format!("more than {MAX_VALUES} values to compare with")));
        }
        if let Some(q) = &params.q
            && let Err(wrong) = search::parse(q)
        {
            mistakes.extend(wrong);
        }
        (params, mistakes)
    }

    /// Takes one parameter with a value.
    fn take(&mut self, name: &str, value: &str) -> Result<(), Mistake> {
        let wrong = |detail: String| Mistake::new(name, detail);
        if let Some(at) = value.chars().position(char::is_control) {
            return Err(Mistake { column: at + 1, ..wrong("holds a control character".to_owned()) });
        }
        if value.chars().count() > MAX_VALUE_CHARS && name != "cursor" {
            return Err(wrong(format!("is longer than {MAX_VALUE_CHARS} characters")));
        }
        match name {
            "since" => self.since = Some(When::parse(value).map_err(wrong)?),
            "until" => self.until = Some(When::parse(value).map_err(wrong)?),
            "q" => self.q = Some(value.to_owned()),
            "tz" => {
                let unknown = || wrong(format!("no time zone is called `{value}`: write `Europe/Rome` or `UTC`"));
                self.tz = Some(Zone::named(value).ok_or_else(unknown)?);
            }
            "order" => {
                self.order = match value {
                    "desc" => Order::Descending,
                    "asc" => Order::Ascending,
                    _ => return Err(wrong(format!("`{value}` is no order: write `desc` or `asc`"))),
                }
            }
            "limit" => {
                let limit = value.parse().ok().filter(|limit| LIMITS.contains(limit));
                self.limit = Some(limit.ok_or_else(|| wrong(format!("`{value}` is not between 1 and 1000")))?);
            }
            "cursor" => self.cursor = Some(value.to_owned()),
            "count" => {
                let found = Counting::ALL.into_iter().find(|(word, _)| *word == value);
                let (_, count) = found.ok_or_else(|| wrong(format!("`{value}` is not `none`, `capped` or `exact`")))?;
                self.count = count;
            }
            other => match clause_of(other) {
                Some((field, negated)) => {
                    let value = checked(field, value).map_err(wrong)?;
                    self.insert(field, negated, value);
                }
                None => self.extra.push((name.to_owned(), value.to_owned())),
            },
        }
        Ok(())
    }
}
