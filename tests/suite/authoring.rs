//! The tools of those who write rules, as people start them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const UNTIDY: &str =
    "category='Things'\n\n\n[thing.made] # all of them\nmessage = \"made\"\nwhen=\"POST /things\"\ntarget = false\n";
const TIDY: &str = "category = 'Things'\n\n[thing.made]  # all of them\nwhen    = \"POST /things\"\ntarget  = false\nmessage = \"made\"\n";

#[test]
fn fmt_lays_files_out_and_only_says_so_when_it_checks() {
    let folder = tempfile::tempdir().unwrap();
    let (rules, broken) = (folder.path().join("things.toml"), folder.path().join("broken.toml"));
    std::fs::write(&rules, UNTIDY).unwrap();
    let fmt = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
        let output = command.current_dir(folder.path()).arg("fmt").args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, named, said) = fmt(&["--check", "."]);
    assert_eq!((code, named.trim(), said.trim()), (Some(1), "./things.toml", "1 file, 1 would change"));
    assert_eq!(std::fs::read_to_string(&rules).unwrap(), UNTIDY);
    assert_eq!(fmt(&["things.toml"]).0, Some(0));
    assert_eq!(std::fs::read_to_string(&rules).unwrap(), TIDY);
    assert_eq!(fmt(&["--check", "."]).0, Some(0));

    std::fs::write(&broken, "category = ").unwrap();
    let (code, _, said) = fmt(&["."]);
    assert_eq!(code, Some(1));
    assert!(said.contains("./broken.toml: it is not TOML"), "{said}");
    assert_eq!(std::fs::read_to_string(&broken).unwrap(), "category = ");
}

#[test]
fn fmt_is_a_filter_for_editors() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
    let mut child = command.args(["fmt", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(UNTIDY.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), TIDY);
}

/// A recording of one request that makes a thing and one that fails to.
fn recording() -> String {
    let entry = |number: u32, status: u16| {
        serde_json::json!({
            "startedDateTime": format!("2026-01-01T00:00:0{number}.000Z"), "time": 5,
            "request": {
                "method": "POST", "url": "http://localhost/things", "httpVersion": "HTTP/1.1", "headers": [],
                "queryString": [], "cookies": [], "headersSize": -1, "bodySize": 16,
                "postData": { "mimeType": "application/json", "text": "{\"name\":\"Spade\"}" },
            },
            "response": {
                "status": status, "statusText": "", "httpVersion": "HTTP/1.1", "headers": [], "cookies": [],
                "content": { "size": 0, "mimeType": "" }, "redirectURL": "", "headersSize": -1, "bodySize": 0,
            },
            "cache": {}, "timings": { "send": 1, "wait": 3, "receive": 1 },
        })
    };
    let log = serde_json::json!({ "version": "1.2", "creator": { "name": "test", "version": "1" },
        "entries": [entry(1, 201), entry(2, 500)] });
    serde_json::json!({ "log": log }).to_string()
}

#[test]
fn replay_says_what_other_rules_tell_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let rules =
        "category = \"Things\"\n[thing.made]\nwhen = \"POST /things\"\ntarget = false\nlet.name = \"input.name\"\n";
    write("old.toml", &format!("{rules}message = \"made {{{{ name }}}}\"\nfailures = false\n"));
    write("new.toml", &format!("{rules}message = \"built {{{{ name }}}}\"\n"));
    write("traffic.har", &recording());
    let replay = |old: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
        let arguments = ["replay", "traffic.har", "--rules", "new.toml", "--diff", old];
        let output = command.current_dir(folder.path()).args(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, told, said) = replay("old.toml");
    assert_eq!(code, Some(1), "{said}");
    let expected = "POST /things\n- thing.made, message: made Spade\n+ thing.made, message: built Spade\n\
                    POST /things\n+ thing.made: Failed: built Spade\n";
    assert_eq!((told.as_str(), said.trim()), (expected, "2 of 2 exchanges are told otherwise"));
    assert_eq!(replay("new.toml"), (Some(0), String::new(), "0 of 2 exchanges are told otherwise\n".to_owned()));
}

/// The schema that editors read, ready to judge a file.
fn judge() -> (boon::Schemas, boon::SchemaIndex) {
    let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
    compiler.add_resource("rules.schema.json", sidetrail::rules::schema::schema()).unwrap();
    let index = compiler.compile("rules.schema.json", &mut schemas).unwrap();
    (schemas, index)
}

#[test]
fn every_rule_file_fits_the_schema_and_a_broken_one_does_not() {
    let (schemas, index) = judge();
    let fits = |text: &str| {
        let table: toml::Table = text.parse().unwrap();
        schemas.validate(&serde_json::to_value(table).unwrap(), index).map_err(|error| error.to_string())
    };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["rules", "tests/fixtures/rules", "tests/fixtures/library"].map(|folder| here.join(folder));
    for file in sidetrail::rules::read_files(&folders).unwrap() {
        fits(&file.text).unwrap_or_else(|why| panic!("{}: {why}", file.name));
    }
    let action = "[thing.made]\nwhen = \"POST /things\"\nmessage = \"made\"\n";
    fits(action).unwrap();
    for line in [
        "whne = \"x\"",
        "title = 7",
        "failures = \"no\"",
        "max_events = \"many\"",
        "let = \"x\"",
        "target = { name = 7 }",
        "coalesce = \"soon\"",
        "[[thing.made.test]]\nsned = \"POST /things\"",
        "[kind.thing]\naddress = \"/things/{id}\"",
    ] {
        assert!(fits(&format!("{action}{line}\n")).is_err(), "{line}");
    }
}

#[test]
fn the_schema_beside_the_rules_is_what_the_code_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/rules.schema.json");
    let output = Command::new(env!("CARGO_BIN_EXE_sidetrail")).args(["check", "--schema"]).output().unwrap();
    let (printed, kept) = (String::from_utf8(output.stdout).unwrap(), std::fs::read_to_string(file).unwrap());
    assert!(printed == kept, "write it anew: sidetrail check --schema > rules/rules.schema.json");
}
