//! `draft`: what it writes for a description and for a recording, that this always holds, and the command.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use sidetrail::authoring::coverage::Report;
use sidetrail::authoring::draft::{self, Current, Draft};
use sidetrail::authoring::openapi::Description;
use sidetrail::capture::har;
use sidetrail::problem::{self, SourceFile};
use sidetrail::rules::{CaseResult, RuleSet, layout};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/draft").join(name)
}

fn shown(draft: &Draft) -> String {
    let files: String = draft.files.iter().map(|file| format!("# {}\n{}\n", file.name, file.text)).collect();
    let left_out: String = draft.left_out.iter().map(|(route, why)| format!("left out: {route}: {why}\n")).collect();
    format!("{files}{left_out}")
}

/// Loads a draft and runs its tests; it must be laid out as `fmt` would.
fn proven(draft: &Draft) -> RuleSet {
    let files: Vec<Arc<SourceFile>> = draft
        .files
        .iter()
        .map(|file| Arc::new(SourceFile { name: file.name.clone(), text: file.text.clone() }))
        .collect();
    for file in &files {
        assert_eq!(layout::layout(&file.text).unwrap(), file.text, "{}", file.name);
    }
    let (set, _) = RuleSet::load(&files).unwrap_or_else(|problems| {
        panic!("{}\n{}", problem::print(&problems, false), shown(draft));
    });
    let unmet: Vec<_> = set.run_cases(None).iter().filter_map(CaseResult::to_problem).collect();
    assert!(unmet.is_empty(), "{}", problem::print(&unmet, false));
    assert!(set.untested().is_empty());
    set
}

#[test]
fn a_description_gives_files_that_a_person_would_have_begun() {
    let description = Description::read(&fixture("library.yaml")).unwrap();
    let draft = draft::of_description(&description, &Current::default());
    let set = proven(&draft);
    insta::assert_snapshot!("draft_of_a_description", shown(&draft));
    let unmapped = Report::of_description(&set, &description).unmapped;
    assert_eq!(unmapped.len(), draft.left_out.len());
}

#[test]
fn a_recording_gives_files_without_its_secrets() {
    let exchanges = har::read(&fixture("garden.har")).unwrap();
    let draft = draft::of_exchanges(&exchanges, &Current::default());
    proven(&draft);
    let text = shown(&draft);
    for secret in ["hunter2", "correct horse", "sk_live", "eyJ", "@garden.example"] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
    assert_eq!(draft.elsewhere, 2);
    insta::assert_snapshot!("draft_of_a_recording", text);
}

#[test]
fn what_the_rules_map_already_is_not_drafted_again_and_their_kinds_are_used() {
    let rules = Arc::new(SourceFile {
        name: "mine.toml".to_owned(),
        text: r#"
category = "Mine"
prefix   = "/api/v1/spaces/{workspace}"
ignore   = [{ when = "POST /books/search", why = "reads" }]

[kind.volume]
at   = "/books/{id}"
name = "title"
log  = true

[session.signed_in]
when    = "POST //api/v1/login"
message = "in"
"#
        .to_owned(),
    });
    let files = [rules];
    let (set, _) = RuleSet::load(&files).unwrap();
    let description = Description::read(&fixture("library.yaml")).unwrap();
    let draft = draft::of_description(&description, &Current { files: &files, rules: Some(&set) });
    let text = shown(&draft);
    assert!(text.contains("Lent volume {{ volume }}") && !text.contains("[kind.volume]"), "{text}");
    assert!(!text.contains("search") && !text.contains("signed_in"), "{text}");
}

#[test]
fn hostile_descriptions_end_and_what_they_give_holds() {
    let long = "x".repeat(10_000_000);
    let mut schema = json!({ "type": "object", "properties": { "id": { "type": "integer" } } });
    for _ in 0..25 {
        schema = json!({ "type": "object", "properties": { "inner": schema, "name": { "type": "string" } } });
    }
    let answer = |schema: Value| json!({ "200": { "content": { "application/json": { "schema": schema } } } });
    let root = json!({
        "openapi": "3.0.0",
        "paths": {
            "/a\"b/{x}": { "post": { "summary": "Quote \"it\" {{ now }}" } },
            "/a\nb": { "post": {} },
            "/c/{{ evil }}": { "put": {} },
            "/{id}": { "get": {}, "delete": {} },
            "/": { "post": { "summary": "Do it" } },
            "/kind/{id}": { "get": { "responses": answer(json!({ "$ref": "#/components/schemas/Wide" })) }, "delete": {}, "put": {} },
            "/category/{id}/prefix": { "post": { "summary": "Publish ' the ''' thing" } },
            "/token/{token}": { "get": {}, "delete": {} },
            "/status/{path}": { "get": { "responses": answer(schema) }, "patch": {} },
            "/loops": { "post": { "responses": answer(json!({ "$ref": "#/components/schemas/Loop" })) } },
            "/loops/{id}": { "get": { "responses": answer(json!({ "$ref": "#/components/schemas/Loop" })) }, "delete": { "summary": long, "operationId": long } },
            (format!("/{}", "y".repeat(5_000))): { "post": {} },
        },
        "components": { "schemas": {
            "Loop": { "type": "object", "properties": { "id": { "type": "string" }, "name": { "type": "string", "example": "{{ x }} \" \n" }, "next": { "$ref": "#/components/schemas/Loop" }, "all": { "allOf": [{ "$ref": "#/components/schemas/Loop" }] } } },
            "Wide": { "allOf": [{ "$ref": "#/components/schemas/Wide" }, { "$ref": "#/components/schemas/Wide" }] },
        } },
    });
    let draft = draft::of_description(&Description::parse(&root.to_string()).unwrap(), &Current::default());
    proven(&draft);
    assert!(draft.actions >= 6, "{}", shown(&draft));
}

/// Words of which routes are made: usual ones, reserved ones and impossible ones.
fn word() -> impl Strategy<Value = String> {
    let known = [
        "beds",
        "plants",
        "status",
        "kind",
        "action",
        "category",
        "prefix",
        "token",
        "publish",
        "search",
        "me",
        "login",
        "bulk-delete",
        "{id}",
        "{bed}",
        "{bed-id}",
        "{path}",
        "v1",
        "data",
        "settings",
        "addresses",
        "graphql",
        "{id}.json",
        "ñandú",
        "item",
        "each",
        "true",
        "is",
        "%20",
    ];
    prop_oneof![9 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => "[ -~]{0,6}"]
}

fn operation() -> impl Strategy<Value = Value> {
    let field =
        prop::sample::select(&["id", "name", "title", "slug", "bed", "email", "key", "token", "number", "beds"][..]);
    let kind = prop::sample::select(&["string", "integer", "object", "array", "boolean"][..]);
    let properties = prop::collection::btree_map(field, kind, 0..5);
    let wrap = prop::sample::select(&["", "data", "bed", "items", "list"][..]);
    let summary = prop_oneof![
        Just(String::new()),
        Just("Publish the bed".to_owned()),
        Just("Adds plants to bed".to_owned()),
        Just("List beds".to_owned()),
        "[ -~]{0,30}"
    ];
    (properties, wrap, summary, any::<bool>()).prop_map(|(properties, wrap, summary, list)| {
        let properties: Map<String, Value> =
            properties.into_iter().map(|(name, kind)| (name.to_owned(), json!({ "type": kind }))).collect();
        let object = json!({ "type": "object", "properties": properties });
        let held = if list { json!({ "type": "array", "items": object.clone() }) } else { object.clone() };
        let schema = if wrap.is_empty() { held } else { json!({ "type": "object", "properties": { wrap: held } }) };
        let content = |schema: &Value| json!({ "content": { "application/json": { "schema": schema } } });
        json!({ "summary": summary, "requestBody": content(&object), "responses": { "200": content(&schema) } })
    })
}

fn description() -> impl Strategy<Value = Value> {
    let method = prop::sample::select(&["get", "post", "put", "patch", "delete"][..]);
    let item = prop::collection::btree_map(method, operation(), 1..4);
    let path = prop::collection::vec(word(), 1..5).prop_map(|words| format!("/{}", words.join("/")));
    prop::collection::btree_map(path, item, 1..9).prop_map(|paths| json!({ "openapi": "3.1.0", "paths": paths }))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_described_the_draft_loads_and_its_tests_are_met(root in description()) {
        let description = Description::parse(&root.to_string()).unwrap();
        let draft = draft::of_description(&description, &Current::default());
        let set = proven(&draft);
        // What is not left out is covered.
        let report = Report::of_description(&set, &description);
        // Templates of one shape are one.
        let shape = |path: &str| path.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest)).collect::<Vec<_>>().join("{}");
        let unmapped: BTreeSet<(&str, String)> =
            report.unmapped.iter().map(|row| (row.method.as_str(), shape(row.route.trim_end_matches('/')))).collect();
        prop_assert!(unmapped.len() <= draft.left_out.len(), "{unmapped:?} {}\n{root}", shown(&draft));
    }
}

fn sidetrail(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sidetrail")).current_dir(folder).args(arguments).output().unwrap()
}

#[test]
fn the_command_writes_files_once_and_what_it_wrote_covers_the_description() {
    let folder = tempfile::tempdir().unwrap();
    let library = fixture("library.yaml").display().to_string();
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();

    let first = sidetrail(folder.path(), &["draft", &library, "--out", "rules"]);
    assert!(first.status.success() && first.stdout.is_empty(), "{}", said(&first));
    assert!(said(&first).contains("1 left out"), "{}", said(&first));
    for command in [&["check", "rules"][..], &["test", "rules"], &["fmt", "--check", "rules"]] {
        let output = sidetrail(folder.path(), command);
        assert!(output.status.success(), "{command:?}: {}", said(&output));
    }
    let covered = sidetrail(folder.path(), &["coverage", "--openapi", &library, "--rules", "rules"]);
    assert!(
        String::from_utf8_lossy(&covered.stdout).contains("1 unmapped"),
        "{}",
        String::from_utf8_lossy(&covered.stdout)
    );

    // What is there stays; then nothing is left to draft.
    let again = sidetrail(folder.path(), &["draft", &library, "--out", "rules", "--all"]);
    assert!(!again.status.success() && said(&again).contains("--force"), "{}", said(&again));
    let forced = sidetrail(folder.path(), &["draft", &library, "--out", "rules", "--all", "--force"]);
    assert!(forced.status.success(), "{}", said(&forced));
    let rest = sidetrail(folder.path(), &["draft", &library, "--rules", "rules"]);
    let text = String::from_utf8(rest.stdout).unwrap();
    assert!(rest.status.success() && text.starts_with("# left out: ") && text.lines().count() == 1, "{text}");

    let all = sidetrail(folder.path(), &["draft", &fixture("garden.har").display().to_string(), "--all"]);
    let text = String::from_utf8(all.stdout).unwrap();
    assert!(text.starts_with("# beds.toml\ncategory = \"Beds\"\n"), "{text}");
}
