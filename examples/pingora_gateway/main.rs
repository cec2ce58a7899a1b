//! sidetrail in a gateway that is built on pingora already.
//!
//! `cargo run --features pingora --example pingora_gateway -- 127.0.0.1:9000`
//! forwards 127.0.0.1:8080 to that platform, matches what passes against the
//! rules in `rules/`, and writes events to `sidetrail.db` until Ctrl-C.

mod gateway;

use std::sync::Arc;

use anyhow::{Context, anyhow};
use gateway::{Gateway, serve};
use sidetrail::capture::pingora::Tap;
use sidetrail::clock::Clock;
use sidetrail::identity::{self, Identity};
use sidetrail::memory::Memory;
use sidetrail::pipeline::Pipeline;
use sidetrail::problem::Problem;
use sidetrail::record;
use sidetrail::rules::{RuleSet, read_files};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let upstream = std::env::args().nth(1).context("usage: pingora_gateway PLATFORM_ADDRESS")?.parse()?;
    let (recorder, _store) = record::open(&record::Settings::default(), Clock::system())?;
    let identity = Identity::offline(&identity::Settings::default(), Clock::system())?;
    let pipeline = Pipeline::new(Arc::new(rules()?), Memory::default(), identity, Some(recorder.clone()), None);
    let tap = Tap::new(Arc::new(pipeline), Clock::system())?;

    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("http://{} forwards to http://{upstream}", listener.local_addr()?);
    tokio::select! {
        ended = serve(Gateway { tap: tap.clone(), upstream }, listener) => ended?,
        stopped = tokio::signal::ctrl_c() => stopped?,
    }
    tap.settled().await;
    recorder.close().await;
    Ok(())
}

fn rules() -> anyhow::Result<RuleSet> {
    let wrong = |problems: Vec<Problem>| {
        anyhow!(problems.into_iter().map(|problem| problem.title).collect::<Vec<_>>().join("; "))
    };
    let files = read_files(&["rules".into()]).map_err(wrong)?;
    let (rules, _warnings) = RuleSet::load(&files).map_err(wrong)?;
    Ok(rules)
}
