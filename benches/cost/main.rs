//! What forwarding and recording cost beside nginx, in CPU per request.
//!
//! `cargo bench --bench cost` (needs nginx and wrk; `ROUNDS=n`, 8 unless told).
//! One run, everything in turn, forwards and backwards: nginx with one worker
//! and no log; nginx with a JSON log of the body, which is what one would use
//! without sidetrail; sidetrail passing a GET and a POST through that no rule
//! matches; and the shipped rule for inviting a member, whose event is fsynced
//! before the reply ends. CPU is the sum over all threads of a process from the
//! kernel's own accounting; a figure is all CPU over all requests. The same
//! proxy measured twice shows the noise.
#![allow(
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a bench that is wired wrongly stops; figures are for people"
)]

mod procs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use procs::Procs;

/// What one row measures.
struct Row {
    name: &'static str,
    server: &'static str,
    script: &'static str,
    path: &'static str,
}

const AUDITED: &str = "/api/v1/workspaces/39/members";

const ROWS: [Row; 9] = [
    Row { name: "nginx, GET", server: "nginx", script: "get", path: "/plain/get" },
    Row { name: "nginx, POST", server: "nginx", script: "post", path: "/plain/post" },
    Row { name: "nginx with a JSON log, POST", server: "nginx-log", script: "post", path: "/plain/post" },
    Row { name: "sidetrail, GET passed through", server: "sidetrail", script: "get", path: "/plain/get" },
    Row { name: "sidetrail, POST passed through", server: "sidetrail", script: "post", path: "/plain/post" },
    Row { name: "sidetrail, GET that teaches names", server: "sidetrail", script: "get", path: AUDITED },
    Row { name: "sidetrail, POST audited", server: "sidetrail", script: "post", path: AUDITED },
    Row { name: "sidetrail again, POST passed through", server: "again", script: "post", path: "/plain/post" },
    Row { name: "nginx, GET of the list", server: "nginx", script: "get", path: AUDITED },
];

/// Ratios that are asked for: name, row above, row below.
const RATIOS: [(&str, &str, &str); 6] = [
    ("pass-through GET / nginx", "sidetrail, GET passed through", "nginx, GET"),
    ("pass-through POST / nginx", "sidetrail, POST passed through", "nginx, POST"),
    ("matched GET / nginx", "sidetrail, GET that teaches names", "nginx, GET of the list"),
    ("audited POST / nginx", "sidetrail, POST audited", "nginx, POST"),
    ("audited POST / nginx with a JSON log", "sidetrail, POST audited", "nginx with a JSON log, POST"),
    ("noise: the same twice", "sidetrail again, POST passed through", "sidetrail, POST passed through"),
];

fn main() {
    let rounds: usize = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the run");
    let mut procs = start(folder.path());
    let mut sums: BTreeMap<&str, (f64, u64, u64)> = BTreeMap::new();
    for round in 0..=rounds {
        let forwards = round % 2 == 0;
        for at in 0..ROWS.len() {
            let row = if forwards { &ROWS[at] } else { &ROWS[ROWS.len() - 1 - at] };
            let before = procs.cpu(row.server);
            let (requests, bad) = load(folder.path(), row, procs.port(row.server));
            // The first round warms up: pools, caches, branch predictors.
            if round > 0 {
                let sum = sums.entry(row.name).or_default();
                *sum = (sum.0 + procs.cpu(row.server) - before, sum.1 + requests, sum.2 + bad);
            }
        }
    }
    print(&sums);
    println!("\nresident at most: sidetrail {:.0} MB", procs.peak_mb("sidetrail"));
    let events = procs.stop_and_count(&folder.path().join("sidetrail.db"));
    println!("events in the store: {events}");
}

fn print(sums: &BTreeMap<&str, (f64, u64, u64)>) {
    let micros = |name: &str| sums.get(name).map_or(f64::NAN, |(cpu, requests, _)| cpu * 1e6 / *requests as f64);
    println!("| | CPU per request | requests | not 2xx |\n| --- | ---: | ---: | ---: |");
    for row in &ROWS {
        let (_, requests, bad) = sums[row.name];
        println!("| {} | {:.1} µs | {requests} | {bad} |", row.name, micros(row.name));
    }
    println!("\n| | ratio |\n| --- | ---: |");
    for (name, above, below) in RATIOS {
        println!("| {name} | {:.2} |", micros(above) / micros(below));
    }
}

/// One second of 64 connections; requests, and answers that were not 2xx.
fn load(folder: &Path, row: &Row, port: u16) -> (u64, u64) {
    let script = folder.join(format!("{}.lua", row.script));
    let url = format!("http://127.0.0.1:{port}{}", row.path);
    let output = Command::new("wrk").args(["-t1", "-c64", "-d1s", "-s"]).arg(script).arg(url).output();
    let output = output.expect("wrk is installed (Debian: apt-get install wrk)");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |before: &str, after: &str| -> Option<u64> {
        let end = text.split(after).next().filter(|head| head.len() < text.len())?;
        let start = if before.is_empty() { end } else { end.rsplit(before).next()? };
        start.rsplit([' ', '\n']).find(|word| !word.is_empty())?.parse().ok()
    };
    let bad = text.lines().find(|line| line.contains("Non-2xx")).and_then(|line| line.rsplit(' ').next()?.parse().ok());
    (number("", " requests in").expect("wrk says how many requests it made"), bad.unwrap_or(0))
}

/// The platform (nginx with fixed answers), two nginx proxies, two sidetrails.
fn start(folder: &Path) -> Procs {
    let mut procs = Procs::new(folder);
    let list: Vec<String> =
        (0..12).map(|n| format!(r#"{{"id":"{n}","email":"member{n:03}@example.com","role":"editor"}}"#)).collect();
    let list = format!(r#"{{"members":[{}]}}"#, list.join(","));
    let member = format!(
        r#"{{"member":{{"id":"204","email":"ann@example.com","role":"editor","status":"pending"}},"pad":"{}"}}"#,
        "x".repeat(180)
    );
    let platform = procs.nginx("platform", |port| {
        format!(
            "server {{ listen 127.0.0.1:{port} backlog=4096; default_type application/json;
             location /plain/get {{ return 200 '{list}'; }}
             location / {{ if ($request_method = GET) {{ return 200 '{list}'; }} return 201 '{member}'; }} }}"
        )
    });
    let upstream = format!(
        "upstream u {{ server 127.0.0.1:{platform}; keepalive 256; keepalive_requests 100000000; keepalive_timeout 600s; }}"
    );
    let forward = "location / { proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $host; proxy_pass http://u; }";
    procs.nginx("nginx", |port| format!("{upstream} server {{ listen 127.0.0.1:{port} backlog=4096; {forward} }}"));
    let log = folder.join("access.log");
    let format = r#"log_format j escape=json '{"time":"$time_iso8601","remote":"$remote_addr","method":"$request_method","uri":"$request_uri","status":$status,"rt":$request_time,"ua":"$http_user_agent","body":"$request_body"}';"#;
    procs.nginx("nginx-log", |port| {
        format!(
            "{format} {upstream} server {{ listen 127.0.0.1:{port} backlog=4096; access_log {} j; {forward} }}",
            log.display()
        )
    });
    let rules = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rules");
    for name in ["sidetrail", "again"] {
        procs.sidetrail(name, platform, &rules);
    }
    let body = r#"{"email":"ann@example.com","role":"editor","note":""#;
    let post = format!(
        "wrk.method='POST'\nwrk.body='{body}'..string.rep('y',440)..'\"}}'\nwrk.headers['Content-Type']='application/json'\n"
    );
    std::fs::write(folder.join("post.lua"), post).expect("a script for wrk");
    std::fs::write(folder.join("get.lua"), "wrk.headers['Accept']='*/*'\n").expect("a script for wrk");
    procs
}
