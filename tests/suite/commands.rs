//! The program as people start it: what it refuses, how it ends, what its commands read of a store.

mod check;
mod files;
mod remote;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::mpsc::{SyncSender, sync_channel};

use crate::forty_one::{Sidetrail, url};

const RULES: &str = r#"
category = "Things"

[thing.made]
when    = "POST /things"
target  = false
let.made = "input.name"
message = "made {{ made }}"
"#;

fn sidetrail(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
    command.current_dir(folder).args(arguments).output().unwrap()
}

/// Exit code and what it said on stderr.
fn ended(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = sidetrail(folder, arguments);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn names(folder: &Path) -> BTreeSet<String> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_broken_configuration_starts_nothing_and_every_mistake_has_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[proxy]\nlistne = \"127.0.0.1:0\"\nhead_max_bytes = 100\n[store]\nurl = \"sqlite:log.db\"\n\
                [log]\nlevel = \"infoo\"\n";
    std::fs::write(folder.path().join("config.toml"), text).unwrap();
    std::fs::write(folder.path().join("rules.toml"), RULES).unwrap();
    let before = names(folder.path());
    let (code, said) = ended(folder.path(), &["serve", "--config", "config.toml"]);
    assert_eq!(code, Some(78), "{said}");
    for part in
        ["config.toml:2:1", "did you mean `listen`?", "config.toml:3:", "between 1024 and 57344", "config.toml:7:"]
    {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert_eq!(names(folder.path()), before, "nothing was made");
    let (code, checked) = ended(folder.path(), &["check", "--config", "config.toml", "rules.toml"]);
    assert_eq!((code, checked), (Some(1), said), "check says what serve says");
}

#[test]
fn broken_rules_start_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), "[rules]\npaths = [\"rules.toml\"]\n").unwrap();
    std::fs::write(folder.path().join("rules.toml"), RULES.replace("input.name", "input.name(")).unwrap();
    let (code, said) = ended(folder.path(), &["serve"]);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("rules.toml:7:"), "{said}");
    assert!(!folder.path().join("sidetrail.db").exists(), "nothing was made");
    assert_eq!(ended(folder.path(), &["check"]), (Some(1), said));
}

#[test]
fn what_cannot_be_used_is_told_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.toml"), RULES).unwrap();
    let config = |text: &str| std::fs::write(folder.path().join("config.toml"), text).unwrap();
    config("[rules]\npaths = ['rules.toml']\n[identity.jwt]\nkey_file = 'nowhere.pem'\nalgorithms = ['RS256']\n");
    for (command, ends) in [("serve", 78), ("check", 1)] {
        let (code, said) = ended(folder.path(), &[command]);
        assert_eq!(code, Some(ends), "{said}");
        assert!(said.contains("`nowhere.pem`") && said.contains("No such file"), "{said}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    config("[rules]\npaths = ['rules.toml']\n");
    let (code, said) = ended(folder.path(), &["serve", "--listen", &taken.local_addr().unwrap().to_string()]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("in use"), "{said}");
}

#[test]
fn a_killed_sidetrail_loses_nothing_that_its_clients_were_told() {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules.toml");
    std::fs::write(&rules, RULES).unwrap();
    let mut running = Sidetrail::start(folder.path(), platform(), &rules);
    let address: SocketAddr = running.proxied.strip_prefix("http://").unwrap().parse().unwrap();
    let (tell, told) = sync_channel(10_000);
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let tell = tell.clone();
            std::thread::spawn(move || make_things(address, client, &tell))
        })
        .collect();
    drop(tell);
    let mut acknowledged: BTreeSet<String> = told.iter().take(300).collect();
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    clients.into_iter().for_each(|client| client.join().unwrap());
    acknowledged.extend(told.iter());

    let again = Sidetrail::start(folder.path(), platform(), &rules);
    again.stop();
    let store = url(folder.path());
    let exported = sidetrail(folder.path(), &["export", "--format", "ndjson", "--store", &store]);
    let exported = String::from_utf8(exported.stdout).unwrap();
    let kept: Vec<&str> =
        exported.lines().filter_map(|line| line.split("\"message\":\"made ").nth(1)?.split('"').next()).collect();
    let distinct: BTreeSet<&str> = kept.iter().copied().collect();
    assert_eq!(distinct.len(), kept.len(), "nothing is there twice");
    let missing: Vec<_> = acknowledged.iter().filter(|name| !distinct.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "acknowledged and missing: {missing:?}");

    let one = acknowledged.first().unwrap();
    let asked = sidetrail(folder.path(), &["query", "--store", &store, "--limit", "100000"]);
    assert!(String::from_utf8(asked.stdout).unwrap().lines().any(|line| line.ends_with(&format!("made {one}"))));
}

/// Makes things until the connection ends, and tells of each that was answered.
fn make_things(address: SocketAddr, client: usize, tell: &SyncSender<String>) {
    let mut socket = TcpStream::connect(address).unwrap();
    for number in 0.. {
        let name = format!("{client}-{number}");
        let body = format!("{{\"name\":\"{name}\"}}");
        let head = "POST /things HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length";
        if write!(socket, "{head}: {}\r\n\r\n{body}", body.len()).is_err() || !read_to(&mut socket, b"{}") {
            return;
        }
        tell.send(name).unwrap();
    }
}

/// Whether what comes ends so, before the connection does.
fn read_to(socket: &mut TcpStream, end: &[u8]) -> bool {
    let mut seen = Vec::new();
    let mut bytes = [0; 1024];
    while let Ok(count @ 1..) = socket.read(&mut bytes) {
        seen.extend_from_slice(&bytes[..count]);
        if seen.ends_with(end) {
            return true;
        }
    }
    false
}

/// A platform that makes whatever it is asked to.
fn platform() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            std::thread::spawn(move || {
                while read_to(&mut socket, b"\"}") {
                    if socket.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}").is_err() {
                        return;
                    }
                }
            });
        }
    });
    address
}
