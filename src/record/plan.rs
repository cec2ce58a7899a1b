//! A filter turned into numbers of the dictionaries: what the columns of a
//! block are compared with.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

use crate::record::StoreError;
use crate::record::block::{Column, bloom, short_hash};
use crate::record::body::Lookup;
use crate::record::matching::{Matcher, names_action};
use crate::record::query::{Clause, Field, Filter, Scope};
use crate::record::search;
use crate::record::select::Snapshot;
use crate::record::sieve::pair;
use crate::record::words::Phrase;

/// A filter made ready for one snapshot.
pub(crate) struct Plan {
    /// The plain answer, for events that no block holds and for what columns cannot tell.
    pub(crate) matcher: Matcher,
    pub(crate) columns: Vec<ColumnTest>,
    pub(crate) hashes: Vec<HashTest>,
    /// µs, from and before.
    pub(crate) since: i64,
    pub(crate) until: i64,
    /// What to ask of the word index; `None` where the filter has no word that must be there.
    pub(crate) words: Option<String>,
    /// Whether a match in the columns must be looked at itself.
    pub(crate) verify: bool,
    /// Whether no digested event can match.
    pub(crate) nothing: bool,
}

/// A column must (not) have one of some numbers.
pub(crate) struct ColumnTest {
    pub(crate) column: Column,
    pub(crate) negated: bool,
    /// Ascending.
    pub(crate) numbers: Vec<i64>,
}

/// The hash of a request's id or a target must be one of some.
pub(crate) struct HashTest {
    pub(crate) field: Field,
    pub(crate) hashes: BTreeSet<i64>,
}

impl ColumnTest {
    pub(crate) fn holds(&self, number: i64) -> bool {
        self.numbers.binary_search(&number).is_ok()
    }

    /// The bits of which a block must have one, for the columns that spans know.
    pub(crate) fn bits(&self) -> i64 {
        self.numbers.iter().fold(0, |bits, number| bits | bloom(*number))
    }
}

impl Plan {
    pub(crate) fn new(snapshot: &Snapshot<'_>, filter: &Filter) -> Result<Plan, StoreError> {
        let mut plan = Plan {
            matcher: Matcher::new(filter),
            columns: Vec::new(),
            hashes: Vec::new(),
            since: filter.since.map_or(i64::MIN, |since| since.as_microsecond()),
            until: filter.until.map_or(i64::MAX, |until| until.as_microsecond()),
            words: None,
            verify: false,
            nothing: false,
        };
        // An edge between two microseconds: the event's time is exact, so the next one counts.
        if filter.since.is_some_and(|since| since.subsec_nanosecond() % 1_000 != 0) {
            plan.since += i64::from(filter.since.is_some_and(|since| since.as_nanosecond() > 0));
        }
        if filter.until.is_some_and(|until| until.subsec_nanosecond() % 1_000 != 0) {
            plan.until += i64::from(filter.until.is_some_and(|until| until.as_nanosecond() > 0));
        }
        if let Scope::Only(names) = &filter.scope {
            plan.column(Column::Log, false, logs(snapshot.conn, names.iter())?);
        }
        for clause in &filter.clauses {
            plan.clause(snapshot, clause)?;
        }
        plan.words = search::expression(snapshot.conn, filter, &plan)?;
        Ok(plan)
    }

    fn clause(&mut self, snapshot: &Snapshot<'_>, clause: &Clause) -> Result<(), StoreError> {
        let conn = snapshot.conn;
        let column = match clause.field {
            Field::Workspace => Column::Log,
            Field::Category => Column::Category,
            Field::Action => Column::Action,
            Field::User => Column::Actor,
            Field::ActorKind => Column::Kind,
            Field::Outcome => Column::Outcome,
            Field::Ip => Column::Ip,
            Field::Target | Field::Request | Field::Word => {
                // The word index is exact for single words; a phrase's order it does not know.
                let single = |value: &String| Phrase::parse(value).is_none_or(|phrase| phrase.0.len() == 1);
                self.verify |= clause.negated || clause.field != Field::Word || !clause.values.iter().all(single);
                if !clause.negated && clause.field != Field::Word {
                    let fold = |value: &String| match clause.field {
                        Field::Target => short_hash(&value.to_lowercase()),
                        _ => short_hash(value),
                    };
                    let hashes = clause.values.iter().map(fold).collect();
                    self.hashes.push(HashTest { field: clause.field, hashes });
                }
                return Ok(());
            }
        };
        let numbers = match clause.field {
            Field::Workspace => logs(conn, clause.values.iter())?,
            Field::User => actors(conn, &clause.values)?,
            Field::Action => actions(snapshot, &clause.values)?,
            _ => texts(conn, &clause.values)?,
        };
        self.column(column, clause.negated, numbers);
        Ok(())
    }

    fn column(&mut self, column: Column, negated: bool, numbers: BTreeSet<i64>) {
        self.nothing |= numbers.is_empty() && !negated;
        self.columns.push(ColumnTest { column, negated, numbers: numbers.into_iter().collect() });
    }

    /// The table that tells blocks without a match best, and the numbers of which it must hold one.
    pub(crate) fn sieve(&self) -> Option<(&'static str, Vec<i64>)> {
        let hashed = |field, table| {
            let test = self.hashes.iter().find(|test| test.field == field)?;
            Some((table, test.hashes.iter().copied().collect()))
        };
        let actor = || {
            let positive = |column| self.columns.iter().find(|test| test.column == column && !test.negated);
            let actors = &positive(Column::Actor)?.numbers;
            let other = positive(Column::Category).or_else(|| positive(Column::Outcome));
            let wanted = match other {
                None => actors.clone(),
                Some(test) => actors.iter().flat_map(|actor| test.numbers.iter().map(|n| pair(*actor, *n))).collect(),
            };
            Some(("actor_sieve", wanted))
        };
        hashed(Field::Request, "request_sieve").or_else(|| hashed(Field::Target, "target_sieve")).or_else(actor)
    }
}

/// The logs of workspaces, by name.
fn logs<'a>(conn: &Connection, names: impl Iterator<Item = &'a String>) -> rusqlite::Result<BTreeSet<i64>> {
    let mut find = conn.prepare_cached("SELECT id FROM log WHERE sort = 0 AND name = ?")?;
    names.filter_map(|name| find.query_row([name], |row| row.get(0)).optional().transpose()).collect()
}

fn texts(conn: &Connection, values: &[String]) -> rusqlite::Result<BTreeSet<i64>> {
    let mut find = conn.prepare_cached("SELECT id FROM text WHERE value = ?")?;
    values.iter().filter_map(|value| find.query_row([value], |row| row.get(0)).optional().transpose()).collect()
}

fn actors(conn: &Connection, values: &[String]) -> rusqlite::Result<BTreeSet<i64>> {
    let mut find = conn.prepare_cached("SELECT actor FROM actor_name WHERE name = ?")?;
    let mut all = BTreeSet::new();
    for value in values {
        for number in find.query_map([value.to_lowercase()], |row| row.get(0))? {
            all.insert(number?);
        }
    }
    Ok(all)
}

/// Actions are few: each is compared.
fn actions(snapshot: &Snapshot<'_>, values: &[String]) -> Result<BTreeSet<i64>, StoreError> {
    let mut find = snapshot.conn.prepare_cached("SELECT action FROM term")?;
    let known = find.query_map((), |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    let mut all = BTreeSet::new();
    for number in known {
        let action = snapshot.texts.text(number)?;
        if values.iter().any(|value| names_action(value, &action)) {
            all.insert(number);
        }
    }
    Ok(all)
}
