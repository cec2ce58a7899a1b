//! The set as a whole: what it finds, what it looks up, and the rule files of `tests/fixtures`.

use std::path::{Path, PathBuf};

use super::*;
use crate::exchange::{Body, End, Headers, Seen};

/// A set of one file.
pub(super) fn set_of(text: &str) -> RuleSet {
    let file = SourceFile { name: "rules/a.toml".to_owned(), text: text.to_owned() };
    match RuleSet::load(&[Arc::new(file)]) {
        Ok((set, _)) => set,
        Err(problems) => panic!("{}", problem::print(&problems, false)),
    }
}

/// An exchange with JSON both ways; null is no body.
pub(super) fn ended(send: &str, sent: &Value, status: u16, answered: &Value) -> Exchange {
    let (method, target) = send.split_once(' ').unwrap();
    let part = |value: &Value| {
        let mut headers = Headers::default();
        if value.is_null() {
            return (headers, Body::default());
        }
        headers.push("content-type", "application/json");
        let content = value.to_string();
        (headers, Body { size: content.len() as u64, content: content.into(), seen: Seen::Whole, ..Body::default() })
    };
    let ((headers, body), (answer_headers, answer)) = (part(sent), part(answered));
    let request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body,
        peer: None,
        client: None,
        peer_is_trusted: false,
    };
    Exchange {
        id: uuid::Uuid::from_u128(7),
        started: jiff::Timestamp::UNIX_EPOCH,
        duration: std::time::Duration::ZERO,
        request,
        response: Some(Response { status, headers: answer_headers, body: answer }),
        end: End::Complete,
    }
}

fn fixtures() -> RuleSet {
    fixture("rules")
}

fn fixture(name: &str) -> RuleSet {
    let directory: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let persisted = Some(directory.join("persisted.json")).filter(|file| file.exists());
    let paths: Vec<PathBuf> = [directory].into_iter().chain(persisted).collect();
    match RuleSet::load(&read_files(&paths).unwrap()) {
        Ok((set, _)) => set,
        Err(problems) => panic!("{}", problem::print(&problems, false)),
    }
}

#[test]
fn only_what_is_of_interest_is_found_and_what_acts_is_told_from_what_only_teaches() {
    let set = fixtures();
    let acts = |method: &str, target: &str| set.find(method, target).map(Found::acts);
    assert_eq!(acts("DELETE", "/v2/gardens/north/beds/7?x=/beds"), Some(true));
    assert_eq!(acts("GET", "/v2/gardens/north/beds"), Some(false));
    assert_eq!(acts("POST", "/graph"), Some(true));
    assert_eq!(acts("POST", "/v2/gardens/north/search"), None);
    assert_eq!(acts("GET", "/v2/gardens/north/signs/x"), None);
    assert_eq!(acts("DELETE", "/v2/gardens/north"), Some(false));
    assert_eq!(acts("GET", "/v2/gardens/north/beds/map.pdf"), Some(true));
}

#[test]
fn a_safe_method_and_a_known_thing_are_never_looked_up() {
    let set = fixtures();
    let memory = crate::memory::Memory::new(10);
    let paths = |method: &str, target: &str| -> Vec<String> {
        let request = Request {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: crate::exchange::Headers::default(),
            body: crate::exchange::Body::default(),
            peer: None,
            client: None,
            peer_is_trusted: false,
        };
        let found = set.find(method, target).unwrap();
        set.lookups(found, &request, &memory).into_iter().map(|lookup| lookup.path).collect()
    };
    assert_eq!(paths("DELETE", "/v2/gardens/north/beds/7?force=1"), ["/v2/gardens/north/beds/7"]);
    assert_eq!(paths("PUT", "/v2/gardens/north/beds/a%20b/labels"), ["/v2/gardens/north/beds/a%20b"]);
    assert_eq!(paths("GET", "/v2/gardens/north/beds/map.pdf"), Vec::<String>::new());
    let key = crate::memory::Key { workspace: "north".into(), kind: "bed".into(), id: "7".into() };
    let seen = jiff::Timestamp::UNIX_EPOCH;
    memory.learn(vec![Lesson { key, name: Some("Roses".into()), fields: serde_json::Map::new(), gone: false, seen }]);
    assert_eq!(paths("DELETE", "/v2/gardens/north/beds/7"), Vec::<String>::new());
}

#[test]
fn the_order_of_files_changes_nothing() {
    let directory: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rules");
    let mut files = read_files(&[directory.join("persisted.json"), directory]).unwrap();
    let version = Arc::clone(RuleSet::load(&files).unwrap().0.version());
    files.reverse();
    let (set, _) = RuleSet::load(&files).unwrap();
    assert_eq!(*set.version(), version);
    assert!(set.run_cases(None).iter().all(CaseResult::passed));
}

#[test]
fn the_tests_inside_the_fixtures_are_met() {
    let cases: Vec<CaseResult> = ["rules", "library"].iter().flat_map(|name| fixture(name).run_cases(None)).collect();
    let failed: Vec<Problem> = cases.iter().filter_map(CaseResult::to_problem).collect();
    assert!(cases.len() >= 60 && failed.is_empty(), "{} cases\n{}", cases.len(), problem::print(&failed, false));
}

/// A rule file cut into its beginning and its headings, each with what belongs to it.
fn headings(text: &str) -> (String, Vec<String>) {
    let mut parts: Vec<(String, String)> = vec![(String::new(), String::new())];
    for line in text.lines() {
        let heading = line.starts_with('[').then(|| line.trim_start_matches('[').split(']').next().unwrap());
        let key = heading.map(|name| name.split('.').take(2).collect::<Vec<_>>().join("."));
        match key {
            Some(key) if parts.last().unwrap().0 != key => parts.push((key, format!("{line}\n"))),
            _ => {
                let last = &mut parts.last_mut().unwrap().1;
                last.push_str(line);
                last.push('\n');
            }
        }
    }
    // `[identity]` and `[[identity.seen]]` are one; so is all that is said of one action.
    let mut together: Vec<(String, String)> = Vec::new();
    for (key, text) in parts {
        let key = if key.starts_with("identity") { "identity".to_owned() } else { key };
        match together.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => known.push_str(&text),
            None => together.push((key, text)),
        }
    }
    let mut texts = together.into_iter().map(|(_, text)| text);
    (texts.next().unwrap(), texts.collect())
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(24))]

    #[test]
    fn neither_the_order_of_files_nor_that_of_rules_changes_a_result(seed in proptest::prelude::any::<u64>()) {
        use sha2::{Digest, Sha256};
        let rank = |text: &str| Sha256::new().chain_update(seed.to_le_bytes()).chain_update(text).finalize().to_vec();
        for name in ["rules", "library"] {
            let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
            let persisted = Some(directory.join("persisted.json")).filter(|file| file.exists());
            let files = read_files(&[directory].into_iter().chain(persisted).collect::<Vec<_>>()).unwrap();
            let shuffled: Vec<Arc<SourceFile>> = files
                .iter()
                .map(|file| {
                    if file.name.ends_with(".json") {
                        return Arc::clone(file);
                    }
                    let (begin, mut rest) = headings(&file.text);
                    rest.sort_by_key(|text| rank(text));
                    let name = format!("rules/{:?}.toml", rank(&file.name));
                    Arc::new(SourceFile { name, text: format!("{begin}{}", rest.concat()) })
                })
                .collect();
            let load = |files: &[Arc<SourceFile>]| match RuleSet::load(files) {
                Ok((set, _)) => cases::told(&set),
                Err(problems) => panic!("{}", problem::print(&problems, false)),
            };
            let (told, again) = (load(&files), load(&shuffled));
            proptest::prop_assert!(told.len() > 5);
            proptest::prop_assert_eq!(told, again);
        }
    }
}

#[test]
fn somebody_who_signs_in_is_called_as_the_kind_of_people_says() {
    let set = set_of(
        r#"
category = "Session"

[identity]
kind = "person"

[[identity.seen]]
when   = "POST /login"
tokens = "output.token"
actor  = "output.user"

[kind.person]
at   = "/people/{id}"
id   = "user_id"
name = "{{ first }} {{ last }}"

[session.begun]
when    = "POST /login"
target  = false
message = "signed in"
"#,
    );
    let user = serde_json::json!({ "user_id": 7, "first": "Anna", "last": "Rossi", "mail": "anna@acme.it" });
    let exchange = ended("POST /login", &Value::Null, 200, &serde_json::json!({ "token": "t", "user": user }));
    let found = set.find("POST", "/login").unwrap();
    let derived = set.derive(found, &exchange, &Caller::default(), &crate::memory::Memory::new(9), &[]);
    let actor = &derived.events[0].actor;
    let shown = (actor.id.as_deref(), actor.name.as_deref(), actor.email.as_deref());
    assert_eq!(shown, (Some("7"), Some("Anna Rossi"), Some("anna@acme.it")));
}
