//! Rules that change while sidetrail runs, and which routes have none.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::forty_one::{Sidetrail, url};

/// One action; what it says is the caller's.
fn rules(word: &str) -> String {
    format!(
        "category = \"Things\"\nignore = [{{ when = \"POST /search\", why = \"reads\" }}]\n\n[thing.made]\n\
         when = \"POST /things\"\ntarget = false\nmessage = \"{word} a thing\"\n\n[[thing.made.test]]\n\
         send = \"POST /things\"\nexpect = \"{word} a thing\"\n"
    )
}

/// Status and body of one request on a connection of its own.
fn ask(base: &str, request: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(base.strip_prefix("http://").unwrap()).unwrap();
    let (method, path) = request.split_once(' ').unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    socket.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

/// Waits until something holds that another process brings about.
fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A platform that answers 201, and 404 below `/nowhere`.
fn platform() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            std::thread::spawn(move || {
                let mut seen = Vec::new();
                let mut bytes = [0; 1024];
                while let Ok(count @ 1..) = socket.read(&mut bytes) {
                    seen.extend_from_slice(&bytes[..count]);
                    if seen.ends_with(b"\r\n\r\n") {
                        let nowhere = seen.windows(9).any(|part| part == b" /nowhere");
                        let status = if nowhere { "404 Not Found" } else { "201 Created" };
                        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}");
                        if socket.write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                        seen.clear();
                    }
                }
            });
        }
    });
    address
}

/// Every message of the store, oldest first.
fn messages(folder: &Path) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
    let output = command.args(["export", "--format", "ndjson", "--store", &url(folder)]).output().unwrap();
    let lines = String::from_utf8(output.stdout).unwrap();
    let text = |line: &str| serde_json::from_str::<Value>(line).unwrap()["message"].as_str().unwrap().to_owned();
    lines.lines().map(text).collect()
}

#[test]
fn rules_that_change_on_disk_are_used_and_bad_ones_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.toml");
    std::fs::write(&file, rules("Made")).unwrap();
    let running = Sidetrail::start(folder.path(), platform(), &file);
    let (proxied, page) = (running.proxied.clone(), running.page.clone());
    let metric = |name: &str| {
        let (_, text) = ask(&page, "GET /metrics");
        let line = text.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok())
    };
    assert_eq!(ask(&proxied, "POST /things").0, 201);

    std::fs::write(&file, rules("Built")).unwrap();
    until("the new rules are used", || metric("sidetrail_rules_changes_total") == Some(1));
    assert_eq!(ask(&proxied, "POST /things").0, 201);

    std::fs::write(&file, rules("Broke").replace("\nwhen", "\nwhne")).unwrap();
    until("the bad rules are refused", || metric("sidetrail_rules_stale") == Some(1));
    assert_eq!(ask(&proxied, "POST /things").0, 201);
    let (status, ready) = ask(&page, "GET /readyz");
    assert!(status == 200 && ready.contains("the rules on disk are refused"), "{status} {ready}");
    let (_, html) = ask(&page, "GET /");
    assert!(html.contains("The rules on disk are refused.") && html.contains("rules.toml:4:8: the action"), "{html}");
    let (status, answer) = ask(&page, "POST /api/v1/reload");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, &answer["result"]), (422, &json!("refused")));
    assert_eq!(answer["problems"][1]["place"]["line"], 5);

    // Its own test is not met: as bad as a mistake.
    std::fs::write(&file, rules("Bent").replacen("Bent", "Bowed", 1)).unwrap();
    let (status, answer) = ask(&page, "POST /api/v1/reload");
    assert!(status == 422 && answer.contains("Bowed a thing"), "{answer}");

    std::fs::write(&file, rules("Mended")).unwrap();
    let (status, answer) = ask(&page, "POST /api/v1/reload");
    assert!(answer.contains("\"changed\"") || answer.contains("\"unchanged\""), "{status} {answer}");
    assert_eq!(ask(&proxied, "POST /things").0, 201);
    assert_eq!(metric("sidetrail_rules_stale"), Some(0));
    assert!(!ask(&page, "GET /").1.contains("The rules on disk are refused."));
    let log = running.stop();
    assert!(String::from_utf8_lossy(&log).contains("the rules on disk are refused"));

    let told = messages(folder.path());
    let things: Vec<&str> = told.iter().filter_map(|text| text.strip_suffix(" a thing")).collect();
    assert_eq!(things, ["Made", "Built", "Built", "Mended"]);
    let changes = told.iter().filter(|text| text.starts_with("Changed the rules from ")).count();
    assert_eq!(changes, 2, "{told:?}");
}

#[test]
fn sighup_reads_the_rules_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.toml");
    std::fs::write(&file, rules("Made")).unwrap();
    let running = Sidetrail::start_with(folder.path(), platform(), &file, &[("SIDETRAIL_RULES__WATCH_MS", "0")]);
    std::fs::write(&file, rules("Built")).unwrap();
    let hangup = Command::new("kill").arg("-HUP").arg(running.child.id().to_string()).status().unwrap();
    assert!(hangup.success());
    let page = running.page.clone();
    until("the new rules are used", || ask(&page, "GET /metrics").1.contains("sidetrail_rules_changes_total 1"));
    assert_eq!(ask(&running.proxied, "POST /things").0, 201);
    running.stop();
    assert!(messages(folder.path()).contains(&"Built a thing".to_owned()));
}

#[test]
fn routes_without_a_rule_are_told_by_the_api_and_after_a_restart_by_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.toml");
    std::fs::write(&file, rules("Made")).unwrap();
    let running = Sidetrail::start(folder.path(), platform(), &file);
    for request in [
        "POST /things",
        "POST /search",
        "PUT /things/7/colour?token=secret",
        "PUT /things/8/colour",
        "DELETE /nowhere/1",
        "GET /things",
    ] {
        ask(&running.proxied, request);
    }
    let (status, coverage) = ask(&running.page, "GET /api/v1/coverage");
    assert_eq!(status, 200);
    let coverage: Value = serde_json::from_str(&coverage).unwrap();
    assert_eq!(
        coverage,
        json!({
            "unmapped": [
                { "method": "PUT", "route": "/things/{number}/colour", "requests": 2, "succeeded": 2 },
                { "method": "DELETE", "route": "/nowhere/{number}", "requests": 1, "succeeded": 0 },
            ],
            "ignored": [{ "method": "POST", "route": "/search", "why": "reads", "requests": 1, "succeeded": 1 }],
            "mapped": [
                { "method": "POST", "route": "/things", "actions": ["thing.made"], "requests": 1, "succeeded": 1 },
            ],
            "left_out": 0,
        })
    );
    running.stop();
    let coverage = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
        command.current_dir(folder.path()).env("SIDETRAIL_STORE__URL", url(folder.path()));
        command
            .env_remove("SIDETRAIL_RULES__PATHS")
            .env("SIDETRAIL_IDENTITY__JWT__KEY_FILE", crate::forty_one::signing_key());
        let output = command.args(["coverage", "--rules", "rules.toml"]).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = coverage(&["--store", "--fail-unmapped"]);
    assert_eq!(code, Some(1));
    insta::assert_snapshot!(text);
    assert_eq!(coverage(&[]).0, Some(0));
}

#[test]
fn a_second_set_of_rules_records_nothing_and_what_it_would_say_otherwise_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (file, next) = (folder.path().join("rules.toml"), folder.path().join("next.toml"));
    std::fs::write(&file, rules("Made")).unwrap();
    let other =
        "\n[thing.dropped]\nwhen = \"DELETE /things/{id}\"\ntarget = false\nmessage = \"dropped {{ path.id }}\"\n";
    std::fs::write(&next, rules("Built") + other).unwrap();
    let shadow = format!("['{}']", next.display());
    let running = Sidetrail::start_with(folder.path(), platform(), &file, &[("SIDETRAIL_RULES__SHADOW", &shadow)]);
    for request in ["POST /things", "DELETE /things/7", "GET /things", "POST /elsewhere"] {
        ask(&running.proxied, request);
    }
    let report = || serde_json::from_str::<Value>(&ask(&running.page, "GET /api/v1/shadow").1).unwrap();
    let told = report();
    assert_eq!((&told["compared"], &told["diverging"]), (&json!(2), &json!(2)));
    assert_eq!(told["latest"][0]["path"], "/things/7");
    assert_eq!(
        told["latest"][0]["divergences"],
        json!([{ "divergence": "added", "action": "thing.dropped", "message": "dropped 7" }])
    );
    assert_eq!(
        told["latest"][1]["divergences"],
        json!([{ "divergence": "changed", "action": "thing.made", "fields": [
            { "field": "message", "old": "Made a thing", "new": "Built a thing" },
        ] }])
    );
    // What agrees is compared and not told.
    std::fs::write(&next, rules("Made")).unwrap();
    until("the second set is read again", || report()["version"] != told["version"]);
    ask(&running.proxied, "POST /things");
    let later = report();
    assert_eq!((&later["compared"], &later["diverging"], &later["latest"]), (&json!(3), &json!(2), &json!([])));
    running.stop();
    assert_eq!(messages(folder.path()), ["Made a thing", "Made a thing"]);
}

#[test]
fn without_a_second_set_nobody_is_told_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.toml");
    std::fs::write(&file, rules("Made")).unwrap();
    let running = Sidetrail::start(folder.path(), platform(), &file);
    assert_eq!(ask(&running.page, "GET /api/v1/shadow").0, 404);
    running.stop();
}
