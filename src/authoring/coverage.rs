//! Which routes that change something have a rule, are left out with a reason,
//! or are unmapped: the busiest first.

use std::collections::BTreeMap;

use serde::Serialize;

use super::openapi::Description;
use crate::exchange::Exchange;
use crate::ledger::{Ledger, Line, Route, Traffic};
use crate::rules::{Cover, RuleSet};

/// What stands for a folded segment when a route is asked for; one of them fits whatever a rule asks of an id.
const SAMPLES: [&str; 4] = ["1", "a1b2c3d4", "0190b2f0-7c1e-7000-8000-000000000001", "abc"];

/// How well a set of rules covers routes.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Routes that no rule matches, the busiest first.
    pub unmapped: Vec<Row>,
    /// Routes that are left out, with the reason.
    pub ignored: Vec<Row>,
    /// Routes with actions.
    pub mapped: Vec<Row>,
    /// Requests of routes that found no room in the ledger.
    pub left_out: u64,
}

/// One route.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// `DELETE`
    pub method: String,
    /// The rule's template, the description's, or the path with its ids folded.
    pub route: String,
    /// The actions that stand there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// Why it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How often it was used; not known of a description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// How often it answered 2xx or 3xx.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub succeeded: Option<u64>,
}

impl Report {
    /// Of what was seen.
    pub fn of_traffic(rules: &RuleSet, lines: Vec<Line>, left_out: u64) -> Report {
        let mut found = Found::default();
        for line in lines {
            let cover = cover(rules, &line.method, &line.route);
            found.add(line.method, line.route, cover, Some(line.traffic));
        }
        Report { left_out, ..found.report() }
    }

    /// Of a recording.
    pub fn of_exchanges<'a>(rules: &RuleSet, exchanges: impl Iterator<Item = &'a Exchange>) -> Report {
        let ledger = Ledger::default();
        for exchange in exchanges {
            let request = &exchange.request;
            let cover = rules.covers(&request.method, request.path());
            let route = match &cover {
                Cover::Mapped { route, .. } => Route::Ruled(route),
                _ if Ledger::counts(&request.method) => Route::Path(request.path()),
                _ => continue,
            };
            let status = exchange.response.as_ref().map(|response| response.status);
            ledger.note(&request.method, route, status, exchange.started);
        }
        Report::of_traffic(rules, ledger.lines(), ledger.left_out())
    }

    /// Of a description: its operations that change something, and those that are mapped.
    pub fn of_description(rules: &RuleSet, description: &Description) -> Report {
        let mut found = Found::default();
        for operation in description.operations() {
            let sample = operation.sample();
            let cover = match rules.covers(&operation.method, &sample) {
                Cover::Unmapped => cover(rules, &operation.method, &operation.path),
                cover => cover,
            };
            if Ledger::counts(&operation.method) || matches!(cover, Cover::Mapped { .. }) {
                found.add(operation.method, operation.path, cover, None);
            }
        }
        found.report()
    }

    /// How many routes there are.
    pub fn routes(&self) -> usize {
        self.unmapped.len() + self.ignored.len() + self.mapped.len()
    }

    /// Which part of the requests went to unmapped routes, 0 to 1; `None` where nothing is known of traffic.
    pub fn unmapped_share(&self) -> Option<f64> {
        let sum = |rows: &[Row]| rows.iter().map(|row| row.requests.unwrap_or(0)).sum::<u64>();
        let unmapped = sum(&self.unmapped);
        let all = unmapped + sum(&self.ignored) + sum(&self.mapped);
        #[expect(clippy::cast_precision_loss, reason = "a share is for people")]
        (all > 0).then(|| unmapped as f64 / all as f64)
    }
}

/// What a set says of a template whose parameters stand for anything.
pub(super) fn cover(rules: &RuleSet, method: &str, route: &str) -> Cover {
    let mut answer = Cover::Unmapped;
    for sample in SAMPLES {
        answer = rules.covers(method, &filled(route, sample));
        if answer != Cover::Unmapped {
            break;
        }
    }
    answer
}

/// A template with one text for all its parameters.
fn filled(route: &str, sample: &str) -> String {
    let mut path = String::new();
    let mut rest = route;
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        path.push_str(sample);
        // A constraint may hold braces of its own.
        let mut depth = 1;
        let end = after.find(|letter| {
            depth += match letter {
                '{' => 1,
                '}' => -1,
                _ => 0,
            };
            depth == 0
        });
        rest = end.and_then(|end| after.get(end + 1..)).unwrap_or_default();
    }
    path + rest
}

/// Rows by method and route: several folded paths may be one template.
#[derive(Default)]
struct Found(BTreeMap<(String, String), (Cover, Option<Traffic>)>);

impl Found {
    fn add(&mut self, method: String, route: String, cover: Cover, traffic: Option<Traffic>) {
        let route = match &cover {
            Cover::Mapped { route, .. } | Cover::Ignored { route, .. } => route.clone(),
            Cover::Endpoint | Cover::Unmapped => route,
        };
        let (_, known) = self.0.entry((method, route)).or_insert((cover, None));
        match (known.as_mut(), traffic) {
            (Some(known), Some(traffic)) => known.add(traffic),
            (None, traffic) => *known = traffic,
            (Some(_), None) => {}
        }
    }

    fn report(self) -> Report {
        let mut report = Report::default();
        for ((method, route), (cover, traffic)) in self.0 {
            let row = Row {
                method,
                route,
                actions: Vec::new(),
                why: None,
                requests: traffic.map(|traffic| traffic.requests),
                succeeded: traffic.map(|traffic| traffic.succeeded),
            };
            match cover {
                Cover::Unmapped => report.unmapped.push(row),
                Cover::Ignored { why, .. } => report.ignored.push(Row { why: Some(why.to_string()), ..row }),
                Cover::Mapped { actions, .. } => {
                    report.mapped.push(Row { actions: actions.iter().map(ToString::to_string).collect(), ..row });
                }
                Cover::Endpoint => {
                    let why = "a GraphQL endpoint: what its operations do is not told by the path";
                    report.ignored.push(Row { why: Some(why.to_owned()), ..row });
                }
            }
        }
        for rows in [&mut report.unmapped, &mut report.ignored, &mut report.mapped] {
            // Stable: of equals the order of the routes stays. What never succeeded is a scanner's, or broken.
            rows.sort_by_key(|row| std::cmp::Reverse((row.succeeded > Some(0), row.requests)));
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::problem::SourceFile;

    fn rules() -> RuleSet {
        let text = r#"
category = "Beds"
prefix   = "/v2"
ignore   = [{ when = "POST /beds/search", why = "reads" }]

[bed.laid]
when    = "POST /beds"
target  = false
message = "laid"

[bed.dug]
when    = "DELETE /beds/{id:[0-9]{1,4}}"
target  = false
message = "dug"

[bed.exported]
when    = "GET /beds/{id}/export"
target  = false
message = "exported"
"#;
        RuleSet::load(&[Arc::new(SourceFile { name: "beds.toml".into(), text: text.into() })]).unwrap().0
    }

    fn shown(rows: &[Row]) -> Vec<String> {
        let detail = |row: &Row| row.why.clone().unwrap_or_else(|| row.actions.join(","));
        rows.iter().map(|row| format!("{:?} {} {} {}", row.requests, row.method, row.route, detail(row))).collect()
    }

    #[test]
    fn traffic_is_told_apart_and_the_busiest_unmapped_route_comes_first() {
        let ledger = Ledger::default();
        let note = |method: &str, path: &str, status: u16, times: usize| {
            (0..times).for_each(|_| ledger.note(method, Route::Path(path), Some(status), Timestamp::UNIX_EPOCH));
        };
        note("POST", "/v2/beds", 201, 3);
        note("POST", "/v2/beds/search", 200, 9);
        note("DELETE", "/v2/beds/12", 204, 2);
        note("PUT", "/v2/beds/7/water", 200, 5);
        note("PUT", "/v2/beds/7/sun", 200, 6);
        note("POST", "/wp-login.php", 404, 50);
        let report = Report::of_traffic(&rules(), ledger.lines(), 0);
        assert_eq!(
            shown(&report.unmapped),
            [
                "Some(6) PUT /v2/beds/{number}/sun ",
                "Some(5) PUT /v2/beds/{number}/water ",
                "Some(50) POST /wp-login.php "
            ]
        );
        assert_eq!(shown(&report.ignored), ["Some(9) POST /v2/beds/search reads"]);
        assert_eq!(
            shown(&report.mapped),
            ["Some(3) POST /v2/beds bed.laid", "Some(2) DELETE /v2/beds/{id:[0-9]{1,4}} bed.dug"]
        );
        assert_eq!(report.routes(), 6);
        assert!((report.unmapped_share().unwrap() - 61.0 / 75.0).abs() < 1e-9);
    }

    #[test]
    fn a_description_has_no_traffic_and_reads_count_only_where_a_rule_stands() {
        let text = "openapi: 3.0.3\npaths:\n  /v2/beds: {get: {}, post: {}}\n  /v2/beds/{id}/export: {get: {}}\n  /v2/plants: {post: {}}\n";
        let report = Report::of_description(&rules(), &Description::parse(text).unwrap());
        assert_eq!(shown(&report.unmapped), ["None POST /v2/plants "]);
        assert_eq!(
            shown(&report.mapped),
            ["None GET /v2/beds/{id}/export bed.exported", "None POST /v2/beds bed.laid"]
        );
        assert_eq!(report.unmapped_share(), None);
    }
}
