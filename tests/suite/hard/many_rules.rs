//! 100,000 generated rules: loaded in seconds, and a request finds its rule as fast as among 50.

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sidetrail::problem::SourceFile;
use sidetrail::rules::RuleSet;

use super::fronts::{Front, played};
use super::said;

const RULES: usize = 100_000;
const FEW: usize = 50;
/// A look-up among all may take so many times as long as among a few: caches are smaller than 100,000 rules.
const RATIO: u32 = 12;
const LOOKUPS: usize = 2_000;

/// Four actions for each resource, 1,000 in a file.
fn files(count: usize) -> Vec<Arc<SourceFile>> {
    let resources: Vec<usize> = (0..count.div_ceil(4)).collect();
    let file = |(number, some): (usize, &[usize])| {
        let mut text = String::from("category = \"Generated\"\nprefix = \"/v1/{workspace}\"\n");
        for n in some {
            write!(text, "[kind.thing{n}]\nat = \"/things{n}/{{id}}\"\n").unwrap();
            for (verb, when) in [("created", "POST"), ("edited", "PATCH"), ("deleted", "DELETE"), ("published", "POST")]
            {
                let place = match verb {
                    "created" => "",
                    "published" => "/{id}/publish",
                    _ => "/{id}",
                };
                let rule = format!(
                    "[thing{n}.{verb}]\nwhen = \"{when} /things{n}{place}\"\nmessage = \"{verb} {{{{ thing{n} }}}}\"\n"
                );
                text.push_str(&rule);
            }
        }
        Arc::new(SourceFile { name: format!("generated{number}.toml"), text })
    };
    resources.chunks(250).enumerate().map(file).collect()
}

fn load(count: usize) -> RuleSet {
    RuleSet::load(&files(count)).unwrap().0
}

/// The median time of many look-ups, half of them of routes that are not there.
fn median(set: &RuleSet, count: usize) -> Duration {
    let targets: Vec<String> = (0..LOOKUPS)
        .map(|n| format!("/v1/w1/{}{}/7", if n % 2 == 0 { "things" } else { "nothing" }, n * 7919 % (count / 4)))
        .collect();
    let mut times: Vec<Duration> = (0..31)
        .map(|_| {
            let began = Instant::now();
            for target in &targets {
                black_box(set.find("DELETE", black_box(target)));
            }
            began.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

#[test]
fn among_very_many_rules_a_request_finds_its_own_about_as_fast_as_among_a_few() {
    let files = files(RULES);
    let began = Instant::now();
    let many = RuleSet::load(&files).unwrap().0;
    let took = began.elapsed();
    assert_eq!(many.actions().count(), RULES);
    // Without optimisation and beside other tests; the bench says a second. Anything quadratic takes an hour.
    assert!(took < Duration::from_secs(180), "loading took {took:?}");
    let (few, many) = (median(&load(FEW), FEW), median(&many, RULES));
    println!("{RULES} rules: loaded in {took:?}; {LOOKUPS} look-ups {many:?}, among {FEW} rules {few:?}");
    assert!(many < few * RATIO, "{many:?} for {LOOKUPS} look-ups, {few:?} among {FEW} rules");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_through_the_sidecar_finds_its_rule_among_very_many() {
    const SOME: usize = RULES / 10;
    let (events, _) = played(
        Front::Sidecar,
        &[|client| {
            Box::pin(async move {
                client.ask("DELETE /v1/w1/things77/7").await;
            })
        }],
        || load(SOME),
    )
    .await;
    assert_eq!(said(&events), ["success: deleted 7"]);
}
