//! The values of a field among the matching events, and how often each occurs.

use std::collections::HashMap;

use crate::event::{Actor, Event};
use crate::record::StoreError;
use crate::record::block::Column;
use crate::record::body::Lookup;
use crate::record::canonical::Damaged;
use crate::record::census;
use crate::record::plan::Plan;
use crate::record::query::{Facet, Field, Filter, Order};
use crate::record::rollup::{self, Stretch};
use crate::record::select::{Part, Rest, Snapshot};
use crate::record::tally::Tally;

/// Values with the label that was last in use, and their counts.
type Counts = HashMap<String, (String, u64)>;

/// See [`Store::facet`](crate::record::Store::facet).
pub(crate) fn facet(
    asked: &Snapshot<'_>,
    filter: &Filter,
    field: Field,
    limit: usize,
) -> Result<Vec<Facet>, StoreError> {
    let mut filter = filter.clone();
    filter.clauses.retain(|clause| clause.field != field);
    let mut counts = Counts::new();
    let mut numbers = Tally::default();
    let rest = match census::count(asked, &filter, field, &mut numbers)? {
        Some(gaps) => Rest::Between(gaps),
        None => roll(asked, &filter, field, &mut numbers)?.map_or(Rest::All, Rest::Times),
    };
    asked.visit_rest(&filter, Order::Descending, rest, &mut |part| {
        match part {
            Part::Event(_, event) => {
                values(event, field).into_iter().for_each(|(value, label)| add(&mut counts, value, label, 1));
            }
            Part::Block(block, mask) => match column(field) {
                Some(column) => numbers.add(&block.column(column)?, &mask, block.first),
                None if field == Field::Target => {
                    let kinds = block.kinds()?.into_iter().filter(|(place, _)| mask.has(*place));
                    kinds.for_each(|(_, kind)| numbers.one(kind, 1, block.first));
                }
                None => {}
            },
        }
        Ok(true)
    })?;
    for (number, count) in numbers.newest_first() {
        if let Some((value, label)) = name(asked, field, number)? {
            add(&mut counts, value, label, count);
        }
    }
    let mut facets: Vec<Facet> =
        counts.into_iter().map(|(value, (label, count))| Facet { value, label, count }).collect();
    facets.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    facets.truncate(limit);
    Ok(facets)
}

/// Counts what whole slots of time hold, where they know the field; returns what sticks out.
fn roll(
    asked: &Snapshot<'_>,
    filter: &Filter,
    field: Field,
    numbers: &mut Tally,
) -> Result<Option<Vec<Stretch>>, StoreError> {
    if !matches!(field, Field::Workspace | Field::Category | Field::Outcome) || !rollup::serves(asked, filter)? {
        return Ok(None);
    }
    let plan = Plan::new(asked, filter)?;
    let stretch = rollup::reach(asked, &plan)?;
    let rest = rollup::count(asked, &plan, stretch, field == Field::Workspace, |[log, category, outcome], count| {
        numbers.one(
            match field {
                Field::Workspace => log,
                Field::Category => category,
                _ => outcome,
            },
            count,
            0,
        );
    })?;
    Ok(Some(rest))
}

/// What comes first is newest: its label is the one that was last in use.
fn add(counts: &mut Counts, value: String, label: String, count: u64) {
    counts.entry(value).or_insert((label, 0)).1 += count;
}

fn column(field: Field) -> Option<Column> {
    match field {
        Field::Workspace => Some(Column::Log),
        Field::Category => Some(Column::Category),
        Field::Action => Some(Column::Action),
        Field::User => Some(Column::Actor),
        Field::ActorKind => Some(Column::Kind),
        Field::Outcome => Some(Column::Outcome),
        Field::Ip => Some(Column::Ip),
        Field::Target | Field::Request | Field::Word => None,
    }
}

/// Value and label of a column's number; `None` where it is nothing.
fn name(asked: &Snapshot<'_>, field: Field, number: i64) -> Result<Option<(String, String)>, StoreError> {
    if number == 0 {
        return Ok(None);
    }
    let text = || Ok::<_, StoreError>(asked.texts.text(number)?.to_string());
    Ok(match field {
        Field::Workspace => {
            let mut find = asked.conn.prepare_cached("SELECT sort, name FROM log WHERE id = ?")?;
            let (sort, name): (i64, String) = find.query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
            (sort == 0).then(|| (name.clone(), name))
        }
        Field::User => {
            let mut find = asked.conn.prepare_cached("SELECT key FROM actor WHERE id = ?")?;
            let key: String = find.query_row([number], |row| row.get(0))?;
            let [id, name, email]: [Option<String>; 3] = serde_json::from_str(&key).map_err(|_| Damaged)?;
            user(&Actor { id, name, email, ..Actor::default() })
        }
        Field::Target => Some((format!("{}:*", text()?), text()?)),
        Field::Action => Some((text()?, title(asked, number)?)),
        _ => Some((text()?, text()?)),
    })
}

/// The title that the action had when it was last seen.
fn title(asked: &Snapshot<'_>, action: i64) -> Result<String, StoreError> {
    let mut find = asked.conn.prepare_cached("SELECT title FROM term WHERE action = ?")?;
    let title: i64 = find.query_row([action], |row| row.get(0))?;
    Ok(asked.texts.text(title)?.to_string())
}

fn user(actor: &Actor) -> Option<(String, String)> {
    let value = actor.id.as_deref().or(actor.email.as_deref()).or(actor.name.as_deref())?;
    Some((value.to_owned(), actor.label().unwrap_or(value).to_owned()))
}

fn values(event: &Event, field: Field) -> Vec<(String, String)> {
    let same = |text: &str| vec![(text.to_owned(), text.to_owned())];
    match field {
        Field::Workspace => event.workspace.as_deref().map(same).unwrap_or_default(),
        Field::Category => same(&event.category),
        Field::Action => vec![(event.action.to_string(), event.title.to_string())],
        Field::User => user(&event.actor).into_iter().collect(),
        Field::ActorKind => same(event.actor.kind.word()),
        Field::Outcome => same(event.outcome.word()),
        Field::Ip => event.source.ip.map(|ip| same(&ip.to_string())).unwrap_or_default(),
        Field::Target => {
            let mut kinds: Vec<&str> = event.targets.iter().map(|target| target.kind.as_str()).collect();
            kinds.sort_unstable();
            kinds.dedup();
            kinds.into_iter().map(|kind| (format!("{kind}:*"), kind.to_owned())).collect()
        }
        Field::Request | Field::Word => Vec::new(),
    }
}
