//! What is printed for configurations that are wrong: a table of them, as people see it.

use std::fmt::Write as _;

use sidetrail::config::{Config, Override};
use sidetrail::problem::{self, SourceFile};

/// What is wrong, and the file.
const BROKEN: &[(&str, &str)] = &[
    ("a list that is not closed", "[proxy]\ntrusted_proxies = [\"10.0.0.0/8\"\n"),
    ("a section that is misspelt", "[stoer]\nurl = \"sqlite:a.db\"\n"),
    ("a key of another section", "[proxy]\nurl = \"sqlite:a.db\"\n"),
    (
        "several mistakes at once",
        "[proxy]\nlisten = \"8080\"\nthreads = 100000\n[rules]\npaths = []\nmemory_things = 0\n",
    ),
    ("a listener that is no address", "[proxy]\nlisten = \"localhost\"\n"),
    ("an upstream with a path", "[proxy]\nupstream = \"http://platform/api\"\n"),
    ("an upstream with TLS", "[proxy]\nupstream = \"https://platform\"\n"),
    ("an upstream that is sidetrail", "[proxy]\nlisten = \"0.0.0.0:8080\"\nupstream = \"http://localhost:8080\"\n"),
    ("an upstream that is the page", "[proxy]\nupstream = \"http://127.0.0.1:8081\"\n"),
    ("an upstream without a port", "[proxy]\nupstream = \"http://platform:0\"\n"),
    ("two listeners on one address", "[proxy]\nlisten = \"127.0.0.1:8081\"\n"),
    ("two listeners of which one is everywhere", "[read]\nlisten = \"[::]:8080\"\n"),
    ("nobody is let in", "[proxy]\nconnections_max = 0\nconnections_per_address = 0\n"),
    ("too many connections", "[proxy]\nconnections_max = 9000000\n"),
    ("a copy of nothing", "[proxy]\nbody_copy_bytes = 0\n"),
    ("a copy of everything", "[proxy]\nbody_copy_bytes = 10737418240\n"),
    ("a head too small", "[proxy]\nhead_max_bytes = 100\n"),
    ("a negative number", "[proxy]\ndrain_ms = -1\n"),
    ("times that end at once", "[proxy]\nhead_timeout_ms = 0\nconnect_timeout_ms = 0\n"),
    ("times without an end", "[proxy]\ndrain_ms = 18446744073709551\n"),
    ("a network that is none", "[proxy]\ntrusted_proxies = [\"10.0.0.0/33\"]\n"),
    ("headers that nobody is trusted to set", "[identity.header]\nid = \"x-user-id\"\n"),
    ("a call without a credential", "[identity.me]\nforward = []\ntimeout_ms = 0\n"),
    ("a guarantee of a later version", "[rules]\nguarantee = \"intent\"\n"),
    ("a look-up for ever", "[rules]\nfetch_timeout_ms = 3600000\n"),
    ("a store in memory", "[store]\nurl = \"sqlite::memory:\"\n"),
    ("a store of a later version", "[store]\nurl = \"postgres://audit:secret@db/audit\"\n"),
    ("a store that is no address", "[store]\nurl = \"sidetrail.db\"\n"),
    ("a store without a file", "[store]\nurl = \"sqlite:\"\ndeadline_ms = 0\n"),
    ("a zone that nobody knows", "[read]\nzone = \"Europe/Roma\"\n"),
    ("a public address with a path", "[read]\npublic_url = \"https://audit.acme.it/log\"\n"),
    ("questions without time", "[read]\nquery_ms = 0\n"),
    ("a level that is none", "[log]\nlevel = \"infoo\"\n"),
];

fn load(text: &str, overrides: &[Override]) -> Result<Config, String> {
    let source = SourceFile { name: "config.toml".to_owned(), text: text.to_owned() };
    Config::from_source(source, overrides).map_err(|problems| problem::print(&problems, false))
}

#[test]
fn every_senseless_value_is_printed_with_its_place_and_a_way_out() {
    let mut printed = String::new();
    for (name, text) in BROKEN {
        let shown = load(text, &[]).expect_err(name);
        writeln!(printed, "# {name}\n{shown}").unwrap();
    }
    assert!(!printed.contains("secret"), "a password is printed");
    insta::assert_snapshot!(printed);
}

#[test]
fn a_senseless_variable_is_named() {
    let variable = ("SIDETRAIL_PROXY__CONNECTIONS_MAX".to_owned(), "0".to_owned());
    let shown =
        load("[proxy]\nconnections_max = 7\n", &Override::from_environment([variable].into_iter())).unwrap_err();
    assert!(shown.contains("`SIDETRAIL_PROXY__CONNECTIONS_MAX`: `connections_max` is 0"), "{shown}");
    assert!(!shown.contains("config.toml:"), "the file is not wrong: {shown}");
}

#[test]
fn ports_that_the_system_chooses_never_meet() {
    let text =
        "[proxy]\nlisten = \"127.0.0.1:0\"\nupstream = \"http://127.0.0.1:9\"\n[read]\nlisten = \"127.0.0.1:0\"\n";
    load(text, &[]).unwrap();
    load("[proxy]\ndrain_ms = 0\n", &[]).unwrap();
}
