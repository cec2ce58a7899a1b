//! `fetch` through the real program: a thing that nobody ever saw is looked up before it is deleted, within its time.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{io::Read, io::Write, thread};

use crate::forty_one::{Sidetrail, url};

const RULES: &str = r#"
category = "Things"

[kind.thing]
at    = "/things/{id}"
fetch = true

[thing.deleted]
when    = "DELETE /things/{id}"
message = "deleted {{ thing }}"
"#;

/// A platform of one answer for each connection's requests, and the heads that it heard.
fn platform(answer: fn(&str) -> &'static str) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let all = Arc::clone(&heard);
    thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            let heard = Arc::clone(&all);
            thread::spawn(move || {
                while let Some(head) = read_head(&mut socket) {
                    heard.lock().unwrap().push(head.clone());
                    if socket.write_all(answer(&head).as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, heard)
}

fn read_head(socket: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0; 1];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// Deletes thing 7 through sidetrail: how long that took, and the sentence that is in the log.
fn deleted(folder: &Path, platform: SocketAddr) -> (Duration, String) {
    let (took, event) = deleted_as("/things/7", folder, platform);
    (took, event["message"].as_str().unwrap().to_owned())
}

/// The same with the path spelt in some way: how long it took, and the event that is in the log.
fn deleted_as(path: &str, folder: &Path, platform: SocketAddr) -> (Duration, serde_json::Value) {
    let rules = folder.join("rules.toml");
    std::fs::write(&rules, RULES).unwrap();
    let running = Sidetrail::start(folder, platform, &rules);
    let mut socket = TcpStream::connect(running.proxied.strip_prefix("http://").unwrap()).unwrap();
    let begun = Instant::now();
    let request = format!("DELETE {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer mine\r\nX-Other: no\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let head = read_head(&mut socket).unwrap();
    assert!(head.starts_with("HTTP/1.1 204 ") || head.starts_with("HTTP/1.1 409 "), "{head}");
    let took = begun.elapsed();
    running.stop();
    let mut export = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
    let exported = export.args(["export", "--format", "ndjson", "--store", &url(folder)]).current_dir(folder);
    let exported = String::from_utf8(exported.output().unwrap().stdout).unwrap();
    (took, serde_json::from_str(exported.trim()).expect("one event"))
}

const GONE: &str = "HTTP/1.1 204 No Content\r\n\r\n";

#[test]
fn a_thing_never_seen_is_named_by_one_look_up_with_the_callers_own_credential() {
    let folder = tempfile::tempdir().unwrap();
    let (address, heard) = platform(|head| match head.starts_with("GET ") {
        true => "HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n{\"id\":\"7\",\"name\":\"Price list.pdf\"}",
        false => GONE,
    });
    assert_eq!(deleted(folder.path(), address).1, "deleted Price list.pdf");
    let heard = heard.lock().unwrap();
    let [look_up, deletion] = heard.as_slice() else { panic!("{heard:?}") };
    let look_up = look_up.to_lowercase();
    assert!(look_up.starts_with("get /things/7 ") && deletion.starts_with("DELETE /things/7 "), "{heard:?}");
    assert!(look_up.contains("authorization: bearer mine") && look_up.contains("sidetrail-lookup: 1"), "{look_up}");
    assert!(!look_up.contains("x-other") && !deletion.contains("sidetrail"), "{heard:?}");
}

#[test]
fn a_look_up_that_finds_nothing_leaves_the_id() {
    let folder = tempfile::tempdir().unwrap();
    let (address, _) = platform(|head| match head.starts_with("GET ") {
        true => "HTTP/1.1 404 Not Found\r\nContent-Length: 16\r\n\r\n{\"name\":\"error\"}",
        false => GONE,
    });
    assert_eq!(deleted(folder.path(), address).1, "deleted 7");
}

#[test]
fn a_deletion_that_fails_is_told_with_the_name_and_teaches_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let answer: fn(&str) -> &'static str = |head| match head.starts_with("GET ") {
        true => "HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\n{\"id\":\"7\",\"name\":\"Price list.pdf\"}",
        false => "HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n",
    };
    let (address, heard) = platform(answer);
    let (_, event) = deleted_as("/things/7", folder.path(), address);
    assert_eq!(
        (&event["message"], &event["outcome"]),
        (&"Failed: deleted Price list.pdf".into(), &"failure".into()),
        "{event}"
    );
    assert_eq!(heard.lock().unwrap().len(), 2);
}

#[test]
fn a_look_up_that_takes_too_long_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let (address, heard) = platform(|head| {
        if head.starts_with("GET ") {
            thread::sleep(Duration::from_secs(5));
        }
        GONE
    });
    let (took, said) = deleted(folder.path(), address);
    assert_eq!(said, "deleted 7");
    assert!(took < Duration::from_secs(4), "the client waited {took:?}");
    assert_eq!(heard.lock().unwrap().len(), 2);
}

#[test]
fn an_action_is_in_the_log_however_its_path_is_spelt() {
    for path in
        ["//things/7", "/things/./7", "/x/../things/7", "/things;v=1/7", "/things/7;jsessionid=1", "/things%2F7?q=1"]
    {
        let folder = tempfile::tempdir().unwrap();
        let (address, heard) = platform(|head| {
            if head.starts_with("GET ") { "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" } else { GONE }
        });
        let (_, event) = deleted_as(path, folder.path(), address);
        assert_eq!(event["message"], "deleted 7", "{path}");
        // As it was sent, but for values of matrix parameters: they may be credentials.
        let shown = path.split('?').next().unwrap().replace("=1", "=…");
        assert_eq!(event["request"]["path"], shown, "the event shows it as it was sent");
        let forwarded = format!("DELETE {path} HTTP/1.1\r\n");
        assert!(heard.lock().unwrap().iter().any(|head| head.starts_with(&forwarded)), "{path} is forwarded as sent");
    }
}
