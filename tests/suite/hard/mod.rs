//! Sixteen cases in which audit logs go wrong, each through real HTTP against one small platform, and through every
//! front that can carry it. The rules are those of `tests/fixtures/hard`; `rules/README.md` shows the table.

mod bodies;
mod cases;
mod client;
mod fronts;
mod many_rules;
mod platform;
mod uploads;

use sidetrail::event::Event;

use super::parity::essence;
use fronts::{Act, Front, played, replayed, rules};

/// A query that is known from a file, by its hash.
const KNOWN_QUERY: &str = r#"mutation { deleteNote(id: "c") }"#;

/// Whether a front carries a case.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carried {
    Yes,
    /// All but something.
    But(&'static str),
    No(&'static str),
}

use Carried::{But, No, Yes};

/// What a case is, and who carries it. The sidecar carries all.
struct Row {
    what: &'static str,
    layer: Carried,
    pingora: Carried,
    recording: Carried,
}

const fn row(what: &'static str, layer: Carried, pingora: Carried, recording: Carried) -> Row {
    Row { what, layer, pingora, recording }
}

const NO_CALLS: Carried = No("a recording asks the platform nothing");
const ONE_MEMORY: Carried = But("without the restart: a recording is one run");
const ONE_LOOK_UP: Carried = No("the same look-up; the sidecar stands for all");

#[rustfmt::skip]
const TABLE: [Row; 17] = [
    row("a change and a deletion of what only a list named; the same after a restart", Yes, Yes, ONE_MEMORY),
    row("deletion of what nobody saw: looked up; slowly; not found; and the deletion fails", Yes, Yes, NO_CALLS),
    row("one PATCH of three fields, one of them as it was: two events", Yes, Yes, Yes),
    row("a whole list of tags sent: two added, one removed", Yes, Yes, Yes),
    row("three files of 20 MB in one request, answered in chunks of gzip, in bounded memory", Yes, Yes, No("a recording holds no file's bytes: neither size nor SHA-256")),
    row("a file replaced: its old name from memory, the new one from `filename*`", Yes, Yes, Yes),
    row("five at once, two refused inside a 207 or a 200, answered in another order", Yes, Yes, Yes),
    row("GraphQL: aliases of which one fails, a batch, variables, persisted queries", Yes, Yes, Yes),
    row("an export: accepted, polled, done", Yes, Yes, Yes),
    row("signing in: who it is stands in the answer; and a failed one", Yes, Yes, Yes),
    row("a GET that is an action, POSTs that are none", Yes, Yes, Yes),
    row("DELETE with ids in its body, DELETE by a filter in the address", Yes, Yes, Yes),
    row("an upsert: 201 is added, 204 is edited", Yes, Yes, Yes),
    row("the method stands in a field that the platform honours", Yes, Yes, Yes),
    row("a name twice, numbers beyond 2^53, 64 levels, UTF-16, a byte order mark, invalid UTF-8", Yes, Yes, Yes),
    row("100,000 rules", ONE_LOOK_UP, ONE_LOOK_UP, ONE_LOOK_UP),
    row("and: a cookie that only the platform's `/me` understands", Yes, Yes, NO_CALLS),
];

/// Plays a case through every front that carries it. `says` are outcomes and sentences.
async fn case(number: usize, acts: &[Act], says: &[&str]) -> Vec<Event> {
    let row = &TABLE[number - 1];
    let (events, entries) = played(Front::Sidecar, acts, rules).await;
    assert_eq!(said(&events), says, "case {number}: {}", row.what);
    if !matches!(row.recording, No(_)) {
        same("a recording", number, &replayed(&entries, rules()).await, &events);
    }
    #[cfg(feature = "layer")]
    if !matches!(row.layer, No(_)) {
        same("the Layer", number, &played(Front::Layer, acts, rules).await.0, &events);
    }
    #[cfg(feature = "pingora")]
    if !matches!(row.pingora, No(_)) {
        same("pingora", number, &played(Front::Pingora, acts, rules).await.0, &events);
    }
    events
}

fn said(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| format!("{}: {}", event.outcome.word(), event.message.text)).collect()
}

fn same(front: &str, number: usize, told: &[Event], expected: &[Event]) {
    assert_eq!(said(told), said(expected), "case {number} through {front}");
    for (told, expected) in told.iter().zip(expected) {
        assert_eq!(essence(told), essence(expected), "case {number} through {front}");
    }
}

/// The table as people read it.
fn table() -> String {
    let mut text =
        "| | case | sidecar | Layer | pingora | recording |\n| ---: | --- | --- | --- | --- | --- |\n".to_owned();
    let cell = |carried| match carried {
        Yes => "yes".to_owned(),
        But(what) => format!("yes, {what}"),
        No(why) => format!("no: {why}"),
    };
    for (number, Row { what, layer, pingora, recording }) in (1..).zip(&TABLE) {
        let cells = [*layer, *pingora, *recording].map(cell).join(" | ");
        text.push_str(&format!("| {number} | {what} | yes | {cells} |\n"));
    }
    text
}

#[test]
fn the_table_that_people_read_is_the_one_that_is_tested() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/README.md");
    let shown = std::fs::read_to_string(path).unwrap();
    assert!(shown.contains(table().trim_end()), "rules/README.md should hold:\n{}", table());
}

#[test]
fn the_rules_of_the_hard_cases_meet_their_own_tests() {
    let rules = rules();
    let wrong: Vec<_> = rules.run_cases(None).into_iter().filter(|case| !case.differences.is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(rules.untested().is_empty(), "{:#?}", rules.untested());
}
