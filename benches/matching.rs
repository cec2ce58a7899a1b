//! Finding the rule of a request among 50, 1,000 and 100,000.
//!
//! `cargo bench --bench matching`: the time to load a set, and the time of one
//! look-up of a route that is there, of one that is not, and of one with
//! percent-escapes; the median of 15 turns of 20,000 look-ups each.
#![allow(clippy::indexing_slicing, reason = "a bench that is wired wrongly stops; figures are for people")]

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use sidetrail::problem::SourceFile;
use sidetrail::rules::RuleSet;

const TURNS: usize = 15;
const LOOKUPS: u32 = 20_000;

fn main() {
    println!(
        "| rules | load | a route that is there | one that is not | one with escapes |\n| ---: | ---: | ---: | ---: | ---: |"
    );
    for count in [50, 1_000, 100_000] {
        let files = files(count);
        let begin = Instant::now();
        let (set, _) = RuleSet::load(&files).expect("generated rules are right");
        let load = begin.elapsed();
        let resources = (count / 4).max(1);
        let at = |n: usize| (n * 7919) % resources;
        let there = median(&set, |n| format!("/api/v1/workspaces/39/resource{}/901", at(n)));
        let absent = median(&set, |n| format!("/api/v1/workspaces/39/nothing{}/901", at(n)));
        let escaped = median(&set, |n| format!("/api/v1/workspaces/39/resource{}/my%20id", at(n)));
        println!("| {count} | {load:.0?} | {there:.0} ns | {absent:.0} ns | {escaped:.0} ns |");
    }
}

/// Rule files of 1,000 actions each: create, edit, delete, and publish of many resources.
fn files(count: usize) -> Vec<Arc<SourceFile>> {
    let resources: Vec<usize> = (0..count.div_ceil(4)).collect();
    let file = |(number, chunk): (usize, &[usize])| {
        let mut text = String::from("category = \"Generated\"\nprefix = \"/api/v1/workspaces/{workspace}\"\n");
        for n in chunk {
            let _ = write!(
                text,
                "[kind.thing{n}]\nat = \"/resource{n}/{{id}}\"\n\
                 [thing{n}.created]\nwhen = \"POST /resource{n}\"\nmessage = \"Created {{{{ thing{n} }}}}\"\n\
                 [thing{n}.edited]\nwhen = \"PATCH /resource{n}/{{id}}\"\nmessage = \"Edited {{{{ thing{n} }}}}\"\n\
                 [thing{n}.deleted]\nwhen = \"DELETE /resource{n}/{{id}}\"\nmessage = \"Deleted {{{{ thing{n} }}}}\"\n\
                 [thing{n}.published]\nwhen = \"POST /resource{n}/{{id}}/publish\"\nmessage = \"Published {{{{ thing{n} }}}}\"\n"
            );
        }
        Arc::new(SourceFile { name: format!("generated{number}.toml"), text })
    };
    resources.chunks(250).enumerate().map(file).collect()
}

/// Nanoseconds of one look-up.
fn median(set: &RuleSet, target: impl Fn(usize) -> String) -> f64 {
    let targets: Vec<String> = (0..1024).map(target).collect();
    let mut times: Vec<f64> = (0..TURNS)
        .map(|_| {
            let begin = Instant::now();
            for target in targets.iter().cycle().take(LOOKUPS as usize) {
                black_box(set.find("DELETE", black_box(target)));
            }
            begin.elapsed().as_secs_f64() * 1e9 / f64::from(LOOKUPS)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[TURNS / 2]
}
