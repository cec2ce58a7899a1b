//! How well the rules cover the platform, for those who write them: what has no rule first, the busiest first.
//!
//! It says only what passed by: a route that nobody used is not on it.

use askama::Template;

use crate::read::access::Principal;
use crate::read::query::Params;
use crate::read::rulebook::{self, Coverage, CoverageRow};
use crate::read::{ReadError, State};
use crate::record::query::Field;

use super::desk::{Desk, list_href};
use super::format::thousands;
use super::frame::{Frame, chevron, icon};

/// Widths of the bar: one unit is a thousandth of the requests.
const BAR: u64 = 1_000;

#[derive(Template)]
#[template(path = "coverage.html")]
struct CoveragePage {
    frame: Frame,
    verdict: String,
    bar: Vec<Piece>,
    groups: Vec<Group>,
    left_out: Option<String>,
}

/// A part of the bar.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    class: &'static str,
    x: u64,
    width: u64,
}

/// Routes of one sort.
#[derive(Debug)]
struct Group {
    name: &'static str,
    class: &'static str,
    icon: &'static str,
    is_unmapped: bool,
    /// How many routes and requests: `2 routes, 217 requests`.
    sums: String,
    rows: Vec<Row>,
}

/// One route.
#[derive(Debug)]
struct Row {
    method: String,
    route: String,
    requests: String,
    succeeded: String,
    /// Actions and the log of each.
    actions: Vec<(String, String)>,
    why: Option<String>,
}

/// The page as HTML.
///
/// # Errors
/// When the reader may not see it.
pub(super) async fn coverage_page(state: &State, principal: &Principal, desk: &Desk) -> Result<String, ReadError> {
    let coverage = rulebook::ask(state, principal).await?;
    let frame = Frame { is_list: false, is_coverage: true, ..Frame::new(state, principal, desk, &[]) };
    let left_out = (coverage.left_out > 0).then(|| thousands(coverage.left_out));
    let page =
        CoveragePage { frame, verdict: verdict(&coverage), bar: bar(&coverage), groups: groups(coverage), left_out };
    page.render().map_err(|_| ReadError::Broken)
}

fn requests(rows: &[CoverageRow]) -> u64 {
    rows.iter().map(|row| row.requests).sum()
}

/// What matters in one sentence.
fn verdict(coverage: &Coverage) -> String {
    let unmapped = requests(&coverage.unmapped);
    let all = unmapped + requests(&coverage.ignored) + requests(&coverage.mapped);
    match (unmapped, all) {
        (_, 0) => "No request that could change something has come through yet.".to_owned(),
        (0, _) => "Every request that could change something has a rule, or a reason why it has none.".to_owned(),
        (unmapped, all) => format!(
            "{} of the requests that could change something have no rule: {} of {}.",
            percent(unmapped, all),
            thousands(unmapped),
            thousands(all)
        ),
    }
}

/// A share with one digit behind the point; what is not nothing is never shown as nothing.
fn percent(part: u64, whole: u64) -> String {
    let thousandths = u128::from(part) * 1_000 / u128::from(whole.max(1));
    match thousandths {
        0 => "Less than 0.1 %".to_owned(),
        some => format!("{}.{} %", some / 10, some % 10),
    }
}

/// The shares of the three sorts, each at least a sliver if it is there.
fn bar(coverage: &Coverage) -> Vec<Piece> {
    let sorts = [
        ("cov-unmapped", requests(&coverage.unmapped)),
        ("cov-mapped", requests(&coverage.mapped)),
        ("cov-ignored", requests(&coverage.ignored)),
    ];
    let all: u64 = sorts.iter().map(|(_, count)| count).sum();
    let sliver = BAR / 125;
    let there = sorts.into_iter().filter(|(_, count)| *count > 0);
    let widths: Vec<(&str, u64)> =
        there.map(|(class, count)| (class, (count.saturating_mul(BAR) / all.max(1)).max(sliver))).collect();
    let sum: u64 = widths.iter().map(|(_, width)| width).sum();
    let mut x = 0;
    let place = |(class, width): (&'static str, u64)| {
        let piece = Piece { class, x, width: width * BAR / sum.max(1) };
        x += piece.width;
        piece
    };
    widths.into_iter().map(place).collect()
}

fn groups(coverage: Coverage) -> Vec<Group> {
    let sorts = [
        ("Without a rule", "cov-unmapped", "warn", coverage.unmapped),
        ("With a rule", "cov-mapped", "check", coverage.mapped),
        ("Left out, with a reason", "cov-ignored", "without", coverage.ignored),
    ];
    let there = sorts.into_iter().filter(|(.., rows)| !rows.is_empty());
    let group = |(name, class, icon, rows): (_, &'static str, _, Vec<CoverageRow>)| Group {
        name,
        class,
        icon,
        is_unmapped: class == "cov-unmapped",
        sums: format!("{}, {}", counted(rows.len() as u64, "route"), counted(requests(&rows), "request")),
        rows: rows.into_iter().map(Row::new).collect(),
    };
    there.map(group).collect()
}

fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(number), if number == 1 { "" } else { "s" })
}

impl Row {
    fn new(row: CoverageRow) -> Row {
        let log_of = |action: String| {
            let mut params = Params::default();
            params.insert(Field::Action, false, action.as_str());
            let href = list_href(&params);
            (action, href)
        };
        Row {
            method: row.method,
            route: row.route,
            requests: thousands(row.requests),
            succeeded: thousands(row.succeeded),
            actions: row.actions.into_iter().map(log_of).collect(),
            why: row.why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(route: &str, requests: u64) -> CoverageRow {
        CoverageRow {
            method: "POST".to_owned(),
            route: route.to_owned(),
            actions: Vec::new(),
            why: None,
            requests,
            succeeded: requests,
        }
    }

    #[test]
    fn the_verdict_says_what_was_measured() {
        let nothing = Coverage::default();
        assert_eq!(verdict(&nothing), "No request that could change something has come through yet.");
        let all = Coverage { mapped: vec![row("/a", 3)], ..Coverage::default() };
        assert!(verdict(&all).starts_with("Every request"));
        let some = Coverage { unmapped: vec![row("/b", 1), row("/c", 1)], mapped: vec![row("/a", 1_998)], ..all };
        assert_eq!(verdict(&some), "0.1 % of the requests that could change something have no rule: 2 of 2,000.");
        assert_eq!(percent(1, 1_001), "Less than 0.1 %");
        assert_eq!(percent(1, 1), "100.0 %");
    }

    #[test]
    fn the_bar_is_never_wider_than_it_is_and_shows_a_sliver_of_the_least() {
        let coverage = Coverage {
            unmapped: vec![row("/b", 1)],
            ignored: vec![row("/c", 1)],
            mapped: vec![row("/a", u64::from(u32::MAX))],
            ..Coverage::default()
        };
        let bar = bar(&coverage);
        assert_eq!(bar.len(), 3);
        assert!(bar.iter().all(|piece| piece.width > 0));
        assert!(bar.last().map(|piece| piece.x + piece.width).unwrap() <= BAR);
    }
}
