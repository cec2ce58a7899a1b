//! The tools of those who write rules, as people start them.

use std::collections::BTreeSet;
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

const MEMBERS: &str = r#"category = "Team"
prefix = "/w/{workspace}"
ignore = [{ when = "POST /members/{id}/resend", why = "sends the same invitation again" }]

[kind.member]
at = "/members/{id}"

[member.role_edited]
when = "PATCH /members/{id}"
changed = "role"
let.role = ["output.member.role", "input.role"]
message = "made {{ member }} {{ role }}"

[member.blocked]
when = "PATCH /members/{id}"
if = "input.blocked"
message = "blocked {{ member }}"

[member.edited]
when = "PATCH /members/{id}"
otherwise = true
message = "edited {{ member }}"
"#;

#[test]
fn explain_says_which_actions_fired_and_why_the_others_did_not() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.toml"), MEMBERS).unwrap();
    std::fs::write(folder.path().join("body.json"), r#"{"role":"editor"}"#).unwrap();
    let explain = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
        let command = command.current_dir(folder.path()).arg("explain").args(arguments);
        let output = command.args(["--rules", "rules.toml"]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        format!("$ explain {}\nexit {:?}\n{said}\n", arguments.join(" "), output.status.code().unwrap())
    };
    let told = [
        explain(&["PATCH", "/w/39/members/7", "--body", "body.json", "--given", "member.7=Anna"]),
        explain(&["POST", "/w/39/members/7/resend"]),
        explain(&["GET", "/w/39/members"]),
        explain(&["DELETE", "/w/39/nothing/7"]),
        explain(&["DELETE", "nothing"]),
        explain(&["or-in-value"]),
    ]
    .concat();
    insta::assert_snapshot!(told);
}

#[test]
fn every_code_of_a_problem_is_explained_and_every_explained_code_is_in_use() {
    fn gather(folder: &Path, codes: &mut BTreeSet<String>) {
        let code = regex::Regex::new(r#"(?:Problem::(?:error|warning)\(\s*|\bcode: )"([a-z-]{3,})""#).unwrap();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                gather(&path, codes);
            } else {
                let text = std::fs::read_to_string(path).unwrap();
                codes.extend(code.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
    }
    let mut used = BTreeSet::new();
    gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut used);
    let explained: BTreeSet<String> =
        sidetrail::problem::codes::all().iter().map(|known| known.code.to_owned()).collect();
    assert_eq!(used, explained);
}

#[test]
fn test_tells_ci_what_passed_and_how_many_actions_have_a_test() {
    let folder = tempfile::tempdir().unwrap();
    let tests = "\n[[member.blocked.test]]\nsend = \"PATCH /w/39/members/7\"\nbody = { blocked = true }\n\
                 expect = \"blocked 7\"\n\n[[member.blocked.test]]\nsend = \"PATCH /w/39/members/<7>\"\n\
                 body = { blocked = true }\nexpect = \"released 7\"\n";
    let rules = MEMBERS
        .replace("message = \"blocked {{ member }}\"\n", &format!("message = \"blocked {{{{ member }}}}\"\n{tests}"));
    std::fs::write(folder.path().join("rules.toml"), rules).unwrap();
    let test = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
        let output = command.current_dir(folder.path()).args(["test", "rules.toml"]).args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, told) = test(&["--junit", "junit.xml"]);
    assert_eq!((code, told.as_str()), (1, "1 passed, 1 failed\n1 of 3 actions have a test\n"));
    insta::assert_snapshot!(std::fs::read_to_string(folder.path().join("junit.xml")).unwrap());
    assert_eq!(test(&["--run", "blocked #1", "--min-coverage", "33"]).0, 0);
    assert_eq!(test(&["--run", "blocked #1", "--min-coverage", "34"]).0, 1);
}
