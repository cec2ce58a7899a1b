//! Counts per slot of time: what a histogram or a menu needs of whole slots
//! costs the same, however many events they hold. What sticks out on either
//! side is counted from blocks.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::record::StoreError;
use crate::record::block::Column;
use crate::record::plan::Plan;
use crate::record::query::{Field, Filter, Order};
use crate::record::select::{Part, Rest, Snapshot};

/// Half an hour in µs, two hours and half a day. Borders of hours and days are borders of half hours in
/// nearly every time zone.
pub(crate) const LENGTHS: [i64; 3] = [1_800_000_000, 7_200_000_000, 43_200_000_000];

/// A stretch of time, µs, half-open.
pub(crate) type Stretch = (i64, i64);

/// The log that stands for all of them.
const ALL: i64 = 0;

/// Whether the counts know all that a filter compares, and nothing that it must not see.
pub(crate) fn serves(asked: &Snapshot<'_>, filter: &Filter) -> Result<bool, StoreError> {
    let known = |field| matches!(field, Field::Workspace | Field::Category | Field::Outcome);
    Ok(filter.clauses.iter().all(|clause| known(clause.field))
        && match filter.upto {
            None => true,
            Some(upto) => upto.0 >= asked.digested()?,
        })
}

/// From the earliest to the latest digested event that a plan may want.
pub(crate) fn reach(asked: &Snapshot<'_>, plan: &Plan) -> Result<Stretch, StoreError> {
    let mut find = asked.conn.prepare_cached("SELECT coalesce(min(since), 0), coalesce(max(until), 0) FROM span")?;
    let (first, last): (i64, i64) = find.query_row((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((first.max(plan.since), (last + 1).min(plan.until)))
}

/// Gives the counts of the whole slots of a stretch as log (0 where it is not needed, `by_log`), category and
/// outcome; returns what sticks out.
pub(crate) fn count(
    asked: &Snapshot<'_>,
    plan: &Plan,
    (since, until): Stretch,
    by_log: bool,
    mut each: impl FnMut([i64; 3], u64),
) -> Result<Vec<Stretch>, StoreError> {
    let (mut whole, mut rest) = (Vec::new(), Vec::new());
    cover(since, until, LENGTHS.len() - 1, &mut whole, &mut rest);
    let mut find = asked.conn.prepare_cached(
        "SELECT category, outcome, count FROM rollup WHERE level = ? AND log = ? AND slot >= ? AND slot < ?",
    )?;
    let wanted = |facts: [i64; 3], column: Option<Column>| {
        let mut tests = plan.columns.iter().filter(|test| column.is_none_or(|column| test.column == column));
        tests.all(|test| test.holds(fact(facts, test.column)) != test.negated)
    };
    let together = !by_log && plan.columns.iter().all(|test| test.column != Column::Log);
    let mut logs = if together { vec![ALL] } else { logs(asked)? };
    logs.retain(|log| wanted([*log, 0, 0], Some(Column::Log)));
    for log in logs {
        for [level, first, behind] in &whole {
            let mut rows = find.query([*level, log, *first, *behind])?;
            while let Some(row) = rows.next()? {
                let facts = [log, row.get(0)?, row.get(1)?];
                if wanted(facts, None) {
                    each(facts, u64::try_from(row.get::<_, i64>(2)?).unwrap_or(0));
                }
            }
        }
    }
    rest.sort_unstable();
    Ok(rest)
}

/// How many events a filter that the counts serve wants.
pub(crate) fn sum(asked: &Snapshot<'_>, filter: &Filter) -> Result<u64, StoreError> {
    let plan = Plan::new(asked, filter)?;
    let mut sum = 0;
    let rest = count(asked, &plan, reach(asked, &plan)?, false, |_, count| sum += count)?;
    asked.visit_rest(filter, Order::Descending, Rest::Times(rest), &mut |part| {
        sum += match part {
            Part::Event(..) => 1,
            Part::Block(_, mask) => mask.count(),
        };
        Ok(true)
    })?;
    Ok(sum)
}

/// Adds counts of log, shortest slot, category and outcome; each longer slot's are theirs together, and those
/// of all logs stand under the log 0.
pub(crate) fn add(conn: &Connection, counts: BTreeMap<[i64; 4], i64>) -> rusqlite::Result<()> {
    let mut add = conn.prepare_cached(
        "INSERT INTO rollup VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET count = count + excluded.count",
    )?;
    let mut counts = counts;
    for ([_, slot, category, outcome], count) in counts.clone() {
        *counts.entry([ALL, slot, category, outcome]).or_default() += count;
    }
    for (level, length) in (0..).zip(LENGTHS) {
        let next = LENGTHS.into_iter().find(|next| *next > length).unwrap_or(length);
        let mut longer: BTreeMap<[i64; 4], i64> = BTreeMap::new();
        for ([log, slot, category, outcome], count) in counts {
            add.execute([level, log, slot, category, outcome, count])?;
            *longer.entry([log, slot.div_euclid(next / length), category, outcome]).or_default() += count;
        }
        counts = longer;
    }
    Ok(())
}

fn logs(asked: &Snapshot<'_>) -> rusqlite::Result<Vec<i64>> {
    asked.conn.prepare_cached("SELECT id FROM log")?.query_map((), |row| row.get(0))?.collect()
}

fn fact([log, category, outcome]: [i64; 3], column: Column) -> i64 {
    match column {
        Column::Log => log,
        Column::Category => category,
        _ => outcome,
    }
}

/// The longest slots that fit, as level, first slot and the one behind the last.
fn cover(since: i64, until: i64, level: usize, whole: &mut Vec<[i64; 3]>, rest: &mut Vec<Stretch>) {
    if since >= until {
        return;
    }
    let Some(length) = LENGTHS.get(level) else { return };
    let first = -(-since).div_euclid(*length);
    let behind = until.div_euclid(*length);
    let mut shorter = |since: i64, until: i64| match level.checked_sub(1) {
        Some(level) => cover(since, until, level, whole, rest),
        None if since < until => rest.push((since, until)),
        None => {}
    };
    if first >= behind {
        shorter(since, until);
        return;
    }
    shorter(since, first * length);
    shorter(behind * length, until);
    whole.push([i64::try_from(level).unwrap_or(0), first, behind]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_covered_once_and_wholly() {
        for (since, until) in
            [(0, 1), (5, 900_000_000), (1, 200_000_000_001), (-70_000_000_000, 70_000_000_000), (3, 3)]
        {
            let (mut whole, mut rest) = (Vec::new(), Vec::new());
            cover(since, until, LENGTHS.len() - 1, &mut whole, &mut rest);
            rest.extend(whole.iter().map(|[level, first, behind]| {
                let length = LENGTHS[usize::try_from(*level).unwrap()];
                (first * length, behind * length)
            }));
            rest.sort_unstable();
            let end = rest.iter().fold(since, |end, (from, to)| {
                assert_eq!(*from, end);
                *to
            });
            assert_eq!(end, until);
        }
    }
}
