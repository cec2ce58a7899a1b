//! `check` finds what `serve` would refuse on this machine, and makes nothing.

use std::path::Path;

use sidetrail::clock::Clock;
use sidetrail::record::{Right, Settings, Store, open};

use super::{RULES, ended, names};

/// Writes the configuration behind a `[rules]` section, and the rules.
fn configured(folder: &Path, text: &str) {
    std::fs::write(folder.join("config.toml"), format!("[rules]\npaths = ['rules.toml']\n{text}")).unwrap();
    std::fs::write(folder.join("rules.toml"), RULES).unwrap();
}

fn settings(folder: &Path) -> Settings {
    Settings { url: format!("sqlite:{}", folder.join("log.db").display()), ..Settings::default() }
}

#[test]
fn what_serve_would_not_find_is_missing_already_in_check() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.db"), "these are my notes, and nobody's log").unwrap();
    for (text, place, part) in [
        ("[store]\nurl = 'sqlite:nowhere/log.db'", "config.toml:4:7", "No such file"),
        ("[store]\nurl = 'sqlite:notes.db'", "config.toml:4:7", "not a sidetrail store"),
        ("[store]\nurl = 'sqlite:.'", "config.toml:4:7", "cannot be opened"),
        ("[read]\nlisten = '0.0.0.0:8081'", "config.toml:4:10", "no token exists"),
        ("[identity.me]\npath = 'me'", "config.toml:4:8", "begins with `/`"),
        ("[identity.jwt]\nalgorithms = ['RS256']\njwks = 'keys.json'", "config.toml:5:8", "`keys.json`"),
        ("[identity.jwt]\nalgorithms = ['RS256']\njwks = 'ftp://keys'", "config.toml:5:8", "ftp://keys"),
        ("[identity.jwt]\nalgorithms = ['none']\njwks = 'a'", "config.toml:4:14", "`none`"),
    ] {
        configured(folder.path(), text);
        let before = names(folder.path());
        let (code, said) = ended(folder.path(), &["check"]);
        assert_eq!(code, Some(1), "{text}: {said}");
        assert!(said.contains(place) && said.contains(part), "{text}: {said}");
        assert_eq!(names(folder.path()), before, "check makes nothing");
        let (code, said) = ended(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
        assert!(matches!(code, Some(4 | 78)), "serve refuses it, too: {said}");
    }
}

#[tokio::test]
async fn a_store_that_is_written_to_now_is_no_mistake_and_a_token_opens_the_address() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, store) = open(&settings(folder.path()), Clock::system()).unwrap();
    configured(folder.path(), "[store]\nurl = 'sqlite:log.db'\n[read]\nlisten = '0.0.0.0:0'\n");
    let (code, said) = ended(folder.path(), &["check"]);
    assert!(code == Some(1) && said.contains("another sidetrail writes") && said.contains("no token exists"), "{said}");
    let rights = [Right::Read].into();
    store.create_token("anna", &[1; 32], &rights, None, Clock::system().now()).unwrap();
    let (code, said) = ended(folder.path(), &["check"]);
    assert!(code == Some(0) && said.contains("warning[store-in-use]"), "{said}");
    recorder.close().await;
    drop((recorder, store));
    assert_eq!(ended(folder.path(), &["check"]), (Some(0), "1 actions, no errors\n".to_owned()));
}

#[test]
fn a_store_of_a_newer_version_is_told_before_serve_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(&settings(folder.path()), Clock::system()).unwrap());
    let file = rusqlite::Connection::open(folder.path().join("log.db")).unwrap();
    file.execute("INSERT INTO migration VALUES (999, 'later', x'00', 0)", ()).unwrap();
    drop(file);
    configured(folder.path(), "[store]\nurl = 'sqlite:log.db'\n");
    let (code, said) = ended(folder.path(), &["check"]);
    assert!(code == Some(1) && said.contains("newer sidetrail: it has migration 999"), "{said}");
    assert!(Store::open_existing(&settings(folder.path())).is_err());
}

#[test]
fn nobody_serves_others_without_a_token() {
    let folder = tempfile::tempdir().unwrap();
    configured(folder.path(), "[store]\nurl = 'sqlite:log.db'\n");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--read-listen", "0.0.0.0:0"];
    let (code, said) = ended(folder.path(), &serve);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("`0.0.0.0:0`, which others can reach") && said.contains("sidetrail token create"), "{said}");
}
