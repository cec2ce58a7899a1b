//! Counts per slot of time: what a histogram or a menu needs of whole slots
//! costs the same, however many events they hold. What sticks out on either
//! side is counted from blocks.

use crate::record::StoreError;
use crate::record::block::Column;
use crate::record::plan::Plan;
use crate::record::query::{Field, Filter};
use crate::record::select::Snapshot;

/// A quarter of an hour in µs, and four, sixteen and sixty-four of them. Borders of hours and days are
/// borders of quarters in every time zone.
pub(crate) const LENGTHS: [i64; 4] = [900_000_000, 3_600_000_000, 14_400_000_000, 57_600_000_000];

/// A stretch of time, µs, half-open.
pub(crate) type Stretch = (i64, i64);

/// Whether the counts know all that a filter compares, and nothing that it must not see.
pub(crate) fn serves(asked: &Snapshot<'_>, filter: &Filter) -> Result<bool, StoreError> {
    let known = |field| matches!(field, Field::Workspace | Field::Category | Field::Outcome);
    Ok(filter.clauses.iter().all(|clause| known(clause.field))
        && match filter.upto {
            None => true,
            Some(upto) => upto.0 >= asked.digested()?,
        })
}

/// Gives the counts of the whole slots of a stretch as log, category and outcome; returns what sticks out.
pub(crate) fn count(
    asked: &Snapshot<'_>,
    plan: &Plan,
    (since, until): Stretch,
    mut each: impl FnMut([i64; 3], u64),
) -> Result<Vec<Stretch>, StoreError> {
    let (mut whole, mut rest) = (Vec::new(), Vec::new());
    cover(since, until, LENGTHS.len() - 1, &mut whole, &mut rest);
    let mut find = asked.conn.prepare_cached(
        "SELECT log, category, outcome, count FROM rollup WHERE level = ? AND slot >= ? AND slot < ?",
    )?;
    for slots in whole {
        let mut rows = find.query(slots)?;
        while let Some(row) = rows.next()? {
            let facts = [row.get(0)?, row.get(1)?, row.get(2)?];
            if plan.columns.iter().all(|test| test.numbers.contains(&fact(facts, test.column)) != test.negated) {
                each(facts, u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0));
            }
        }
    }
    rest.sort_unstable();
    Ok(rest)
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
            cover(since, until, 3, &mut whole, &mut rest);
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
