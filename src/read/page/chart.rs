//! The histogram: one bar for each bucket, stacked by family, drawn as SVG by attributes alone.

use jiff::Timestamp;
use jiff::civil::Time;

use crate::read::zone::Buckets;
use crate::record::query::{Field, Histogram};

use super::desk::Desk;
use super::families::{OTHER, family_of};
use super::format;

/// At most so many bars, so that each has 24 px at full width.
pub(crate) const MOST_BARS: usize = 48;
/// Height of the drawing in its own units, one of which is a CSS pixel at full size.
const HEIGHT: f64 = 88.0;
/// Width of a bar's place in the drawing's units; the drawing is stretched.
const PLACE: usize = 10;
/// More words below the bars would run into each other on a narrow screen.
const MOST_TICKS: usize = 8;

/// The histogram, ready to be drawn.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) width: usize,
    pub(crate) one_bar: String,
    pub(crate) max: String,
    pub(crate) mid: String,
    pub(crate) legend: Vec<Family>,
    pub(crate) bars: Vec<Bar>,
    pub(crate) ticks: Vec<Tick>,
}

/// A family in the legend.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: String,
    pub(crate) slot: u8,
    pub(crate) count: u64,
    pub(crate) href: String,
}

/// One bucket.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) x: usize,
    pub(crate) href: String,
    /// `Wed 7 Jan, 16:00 to 20:00`
    pub(crate) when: String,
    pub(crate) total: u64,
    /// Counts in the order of the legend.
    pub(crate) counts: Vec<u64>,
    pub(crate) pieces: Vec<Piece>,
}

/// A family's part of a bar.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) slot: u8,
    pub(crate) y: String,
    pub(crate) height: String,
}

/// A word below the bars.
#[derive(Debug)]
pub(crate) struct Tick {
    /// Percent of the width.
    pub(crate) x: String,
    pub(crate) label: String,
}

impl Chart {
    /// Draws the counts; None where there is nothing to draw.
    pub(crate) fn draw(desk: &Desk, buckets: &Buckets, histogram: &Histogram) -> Option<Chart> {
        let families = families(desk, histogram);
        let totals = |at: usize| families.iter().map(|(_, counts)| counts.get(at).copied().unwrap_or(0)).sum::<u64>();
        let spans: Vec<(Timestamp, Timestamp)> =
            buckets.edges.iter().copied().zip(buckets.edges.iter().copied().skip(1)).collect();
        let most = (0..spans.len()).map(totals).max().filter(|most| *most > 0)?;
        let top = nice_top(most);
        let bars = spans.iter().enumerate().map(|(at, span)| {
            let counts: Vec<u64> = families.iter().map(|(_, counts)| counts.get(at).copied().unwrap_or(0)).collect();
            Bar {
                x: at * PLACE,
                href: desk.href(|params| zoom(params, *span)),
                when: words(desk, *span),
                total: counts.iter().sum(),
                pieces: pieces(&families, &counts, top),
                counts,
            }
        });
        Some(Chart {
            width: spans.len() * PLACE,
            one_bar: buckets.step.words(),
            max: format::thousands(top),
            mid: format::thousands(top / 2),
            bars: bars.collect(),
            ticks: ticks(desk, buckets),
            legend: families.into_iter().map(|(family, _)| family).collect(),
        })
    }
}

fn zoom(params: &mut crate::read::query::Params, (since, until): (Timestamp, Timestamp)) {
    params.since = crate::read::query::When::parse(&since.to_string()).ok();
    params.until = crate::read::query::When::parse(&until.to_string()).ok();
}

/// The families that occur, in the order of their colours, with their counts in each bucket.
fn families(desk: &Desk, histogram: &Histogram) -> Vec<(Family, Vec<u64>)> {
    let mut families: Vec<(Family, Vec<&str>, Vec<u64>)> = Vec::new();
    for (category, counts) in &histogram.rows {
        let slot = desk.families.slot_of(category);
        let name = if slot == OTHER { "Other" } else { family_of(category) };
        // Families of one colour are one: what looks the same must be counted together.
        let place = families.iter().position(|(family, ..)| family.slot == slot).unwrap_or_else(|| {
            let family = Family { name: name.to_owned(), slot, count: 0, href: String::new() };
            families.push((family, Vec::new(), vec![0; counts.len()]));
            families.len() - 1
        });
        let Some((family, categories, sums)) = families.get_mut(place) else { continue };
        if !family.name.split(", ").any(|known| known == name) {
            family.name = format!("{}, {name}", family.name);
        }
        family.count += counts.iter().sum::<u64>();
        categories.push(category);
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    families.sort_by_key(|(family, ..)| family.slot);
    let linked = families.into_iter().filter(|(family, ..)| family.count > 0).map(|(family, categories, sums)| {
        let href = desk.href(|params| {
            params.clauses.retain(|clause| clause.field != Field::Category);
            categories.iter().for_each(|category| params.insert(Field::Category, false, *category));
        });
        (Family { href, ..family }, sums)
    });
    linked.collect()
}

/// The smallest even number of 4 6 8 10 12 16 20 24 30 40 50 60 80 100 120 … that is not below `most`.
fn nice_top(most: u64) -> u64 {
    let first = [4, 6, 8, 10, 12, 16, 20, 24, 30, 40, 50, 60, 80];
    let tens = (2..19).flat_map(|power| {
        [10, 12, 16, 20, 24, 30, 40, 50, 60, 80].map(|n: u64| n.saturating_mul(10_u64.saturating_pow(power - 1)))
    });
    first.into_iter().chain(tens).find(|top| *top >= most).unwrap_or(most)
}

/// The parts of a bar from the bottom up, with a gap of one unit between them.
#[expect(clippy::cast_precision_loss, reason = "a drawing of 88 pixels does not need more than 52 bits")]
fn pieces(families: &[(Family, Vec<u64>)], counts: &[u64], top: u64) -> Vec<Piece> {
    let mut below = 0;
    let mut pieces = Vec::new();
    for ((family, _), count) in families.iter().zip(counts).filter(|(_, count)| **count > 0) {
        let bottom = HEIGHT - below as f64 / top as f64 * HEIGHT;
        below += count;
        let y = HEIGHT - below as f64 / top as f64 * HEIGHT;
        let height = (bottom - y - 1.0).max(0.75);
        pieces.push(Piece { slot: family.slot, y: format!("{y:.1}"), height: format!("{height:.1}") });
    }
    pieces
}

/// A bucket in words.
fn words(desk: &Desk, (since, until): (Timestamp, Timestamp)) -> String {
    let (begin, end) = (desk.zone.local(since), desk.zone.local(until));
    let whole_days = begin.time() == Time::midnight() && end.time() == Time::midnight();
    match whole_days.then(|| end.date().yesterday().ok()).flatten() {
        Some(last) if last == begin.date() => begin.strftime("%a %-d %b %Y").to_string(),
        Some(last) => format::days(begin.date(), last, " to "),
        None => format!("{} to {}", begin.strftime("%a %-d %b %Y, %H:%M"), end.strftime("%H:%M")),
    }
}

/// Words below the bars: days where the range has some, else hours, months or years.
#[expect(clippy::cast_precision_loss, reason = "there are at most 49 borders")]
fn ticks(desk: &Desk, buckets: &Buckets) -> Vec<Tick> {
    let bars = buckets.edges.len().saturating_sub(1).max(1);
    let local = |at: usize| buckets.edges.get(at).map(|edge| desk.zone.local(*edge));
    let midnights: Vec<usize> =
        (0..bars).filter(|at| local(*at).is_some_and(|edge| edge.time() == Time::midnight())).collect();
    let days =
        local(0).zip(local(bars)).map_or(0, |(first, last)| last.date().duration_since(first.date()).as_hours() / 24);
    let (places, form) = match days {
        0..=2 if buckets.step.divides_days() => ((0..bars).collect(), "%H:%M"),
        0..=8 => (midnights, "%a %-d"),
        9..=365 => (if buckets.step.divides_days() { midnights } else { (0..bars).collect() }, "%-d %b"),
        366..=3_000 => ((0..bars).collect::<Vec<_>>(), "%b %Y"),
        _ => ((0..bars).collect(), "%Y"),
    };
    let every = places.len().div_ceil(MOST_TICKS).max(1);
    let ticks = places.into_iter().step_by(every).filter_map(|at| {
        let label = local(at)?.strftime(form).to_string();
        Some(Tick { x: format!("{:.3}", at as f64 * 100.0 / bars as f64), label })
    });
    ticks.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_is_the_next_nice_even_number() {
        for (most, top) in
            [(1, 4), (4, 4), (5, 6), (21, 24), (25, 30), (81, 100), (101, 120), (7_001, 8_000), (9_000, 10_000)]
        {
            assert_eq!(nice_top(most), top, "{most}");
        }
        assert!(nice_top(u64::MAX) > 0);
    }

    #[test]
    fn pieces_stand_on_each_other_with_a_gap() {
        let family = |slot| (Family { name: String::new(), slot, count: 1, href: String::new() }, vec![]);
        let drawn = pieces(&[family(1), family(2), family(3)], &[22, 0, 22], 88);
        let drawn: Vec<(u8, &str, &str)> =
            drawn.iter().map(|piece| (piece.slot, piece.y.as_str(), piece.height.as_str())).collect();
        assert_eq!(drawn, [(1, "66.0", "21.0"), (3, "44.0", "21.0")]);
    }
}
