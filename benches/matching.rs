//! Finding the rule of a request among 50, 1,000 and 100,000.
//!
//! `cargo bench --bench matching`: the time to load a set, and the time of one
//! look-up of a route that is there, of one that is not, and of one with
//! percent-escapes; the median of 15 turns of 20,000 look-ups each. Then the
//! time from an exchange to its event with a small body and one of 64 KB.
#![allow(clippy::indexing_slicing, reason = "a bench that is wired wrongly stops; figures are for people")]

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sidetrail::exchange::{Body, End, Exchange, Headers, Request, Response, Seen};
use sidetrail::memory::Memory;
use sidetrail::problem::SourceFile;
use sidetrail::rules::{Caller, RuleSet};

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
    println!("\n| body sent | from exchange to event |\n| ---: | ---: |");
    for kilobytes in [1, 64] {
        println!("| {kilobytes} KB | {:.1} µs |", derivation(kilobytes << 10) / 1e3);
    }
}

/// Nanoseconds from a finished exchange to its event, with a JSON body of about that size both ways.
fn derivation(bytes: usize) -> f64 {
    let rules = "category = \"Things\"\n[kind.thing]\nat = \"/things/{id}\"\n[thing.edited]\nwhen = \"PATCH /things/{id}\"\n\
                 let.role = \"input.role\"\nmessage = \"Edited {{ thing }} as {{ role }}\"\n";
    let file = SourceFile { name: "things.toml".to_owned(), text: rules.to_owned() };
    let (set, _) = RuleSet::load(&[Arc::new(file)]).expect("the rule is right");
    let mut body = String::from("{\"role\":\"editor\",\"name\":\"Anna\"");
    for number in 0.. {
        if body.len() >= bytes {
            break;
        }
        let _ = write!(body, ",\"field{number}\":\"value {number}\"");
    }
    body.push('}');
    let exchange = exchange(&body);
    let found = set.find("PATCH", "/things/7").expect("a rule stands there");
    let memory = Memory::new(10);
    let caller = Caller::default();
    let mut times: Vec<f64> = (0..TURNS)
        .map(|_| {
            let begin = Instant::now();
            for _ in 0..200 {
                black_box(set.derive(found, black_box(&exchange), &caller, &memory, &[]));
            }
            begin.elapsed().as_secs_f64() * 1e9 / 200.0
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[TURNS / 2]
}

fn exchange(body: &str) -> Exchange {
    let part = || {
        let mut headers = Headers::default();
        headers.push("content-type", "application/json");
        let size = body.len() as u64;
        let body = Body { content: body.to_owned().into(), size, seen: Seen::Whole, ..Body::default() };
        (headers, body)
    };
    let ((headers, body), (answer_headers, answer)) = (part(), part());
    let started = jiff::Timestamp::UNIX_EPOCH;
    let (method, target) = ("PATCH".to_owned(), "/things/7".to_owned());
    Exchange {
        id: Exchange::number(started),
        started,
        duration: Duration::ZERO,
        request: Request { method, target, headers, body, peer: None, client: None, peer_is_trusted: false },
        response: Some(Response { status: 200, headers: answer_headers, body: answer }),
        end: End::Complete,
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
