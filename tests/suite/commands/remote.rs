//! `query`, `tail` and `export` of a running server say what they say of its file.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::{RULES, read_to, sidetrail};
use crate::forty_one::{Sidetrail, url};

fn make(proxied: &str, names: &[&str]) {
    let mut socket = std::net::TcpStream::connect(proxied.strip_prefix("http://").unwrap()).unwrap();
    for name in names {
        let body = format!("{{\"name\":\"{name}\"}}");
        let head = "POST /things HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length";
        write!(socket, "{head}: {}\r\n\r\n{body}", body.len()).unwrap();
        assert!(read_to(&mut socket, b"{}"));
    }
}

fn said(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn running(folder: &Path) -> Sidetrail {
    let rules = folder.join("rules.toml");
    std::fs::write(&rules, RULES).unwrap();
    Sidetrail::start(folder, super::platform(), &rules)
}

#[test]
fn a_running_server_says_what_its_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let server = running(folder.path());
    make(&server.proxied, &["a", "=b", "c", "d"]);
    let store = url(folder.path());
    for arguments in [
        &["query"][..],
        &["query", "--format", "json", "--order", "asc"],
        &["query", "--limit", "2", "--tz", "Europe/Rome"],
        &["query", "--category", "Nothing"],
        &["export", "--until", "now", "--category", "Things"],
        &["export", "--raw", "--bom", "--tz", "Europe/Rome", "--category", "Things"],
        &["export", "--format", "ndjson", "--category", "Things"],
    ] {
        let mine = said(sidetrail(folder.path(), &[arguments, &["--store", &store]].concat()));
        let theirs = said(sidetrail(folder.path(), &[arguments, &["--url", &server.page]].concat()));
        // The export of before is an event of the server's own by now.
        assert_eq!(mine, theirs, "{arguments:?}");
        assert!(arguments.contains(&"Nothing") || mine.contains("made "), "{arguments:?}: {mine}");
    }
    let wrong = sidetrail(folder.path(), &["query", "--outcome", "succes", "--url", &server.page]);
    assert_eq!(wrong.status.code(), Some(2), "a filter that cannot be read is told before anybody is asked");
    server.stop();
}

#[test]
fn a_tail_prints_what_is_there_and_then_what_comes() {
    let folder = tempfile::tempdir().unwrap();
    let server = running(folder.path());
    make(&server.proxied, &["a", "b", "c"]);
    let store = url(folder.path());
    let places = [["--url", &server.page], ["--store", &store]];
    let mut tails: Vec<_> = places
        .iter()
        .map(|place| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
            command.current_dir(folder.path()).args(["tail", "-n", "2"]).args(place);
            command.stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut lines: Vec<_> = tails.iter_mut().map(|tail| BufReader::new(tail.stdout.take().unwrap()).lines()).collect();
    let mut next = || lines.iter_mut().map(|lines| lines.next().unwrap().unwrap()).collect::<Vec<_>>();
    for name in ["b", "c"] {
        next().iter().for_each(|line| assert!(line.ends_with(&format!("made {name}")), "{line}"));
    }
    make(&server.proxied, &["d", "e"]);
    for name in ["d", "e"] {
        next().iter().for_each(|line| assert!(line.ends_with(&format!("made {name}")), "{line}"));
    }
    for tail in &mut tails {
        tail.kill().unwrap();
        tail.wait().unwrap();
    }
    server.stop();
}

#[test]
fn a_server_that_is_not_there_or_does_not_allow_it_is_exit_4() {
    let folder = tempfile::tempdir().unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = sidetrail(folder.path(), &["query", "--url", &format!("http://{nobody}")]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("no connection"));

    let server = running(folder.path());
    make(&server.proxied, &["a"]);
    let store = url(folder.path());
    let create = ["token", "create", "--name", "anna", "--scope", "read", "--store", &store];
    let token = said(sidetrail(folder.path(), &create));
    std::fs::write(folder.path().join("token"), &token).unwrap();
    let ask = |command: &str, more: &[&str], variable: Option<&str>| {
        let mut asked = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
        asked.current_dir(folder.path()).args([command, "--url", &server.page]).args(more);
        variable.map(|token| asked.env("SIDETRAIL_TOKEN", token));
        asked.output().unwrap()
    };
    for (command, more, variable, code) in [
        ("query", &[][..], None, 4),
        ("query", &[], Some("st_wrong"), 4),
        ("query", &["--token-file", "nowhere"], None, 4),
        ("query", &["--token-file", "token"], None, 0),
        ("query", &[], Some(token.trim()), 0),
        ("tail", &[], None, 4),
        ("export", &["--token-file", "token"], None, 4),
    ] {
        let output = ask(command, more, variable);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{command} {more:?} {variable:?}: {error}");
        assert!(!error.contains("st_wrong") && !error.contains(token.trim()), "a token is printed: {error}");
        assert_eq!(code == 0, String::from_utf8_lossy(&output.stdout).contains("made a"));
    }
    let forbidden = ask("export", &["--token-file", "token"], None);
    assert!(String::from_utf8_lossy(&forbidden.stderr).contains("no scope `export`"));
    let mut own = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
    own.current_dir(folder.path()).args(["query", "--store", &store]).env("SIDETRAIL_TOKEN", "st_x");
    assert!(own.output().unwrap().status.success(), "the token's variable is no mistake in the configuration");
    server.stop();
}
