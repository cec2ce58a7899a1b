//! Every question gives what a look at every single event gives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;
use sidetrail::event::Event;
use sidetrail::record::Store;
use sidetrail::record::query::{Clause, Field, Filter, Order, Position, Scope, Stored};

use super::{events, everything, store_in};

/// A store that is made once, its events oldest first.
fn made() -> &'static (Store, Vec<Stored>, tempfile::TempDir) {
    static MADE: OnceLock<(Store, Vec<Stored>, tempfile::TempDir)> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        // Closing digests every whole block: 6 of them and 64 later events.
        let store = filled(folder.path(), 0..1_600, 97);
        let all = everything(&store);
        assert_eq!(all.len(), 1_600);
        (store, all, folder)
    })
}

fn filled(folder: &std::path::Path, numbers: std::ops::Range<u64>, batch: usize) -> Store {
    let all: Vec<Event> = numbers.map(events::event).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (recorder, store) = store_in(folder);
        for some in all.chunks(batch) {
            recorder.record(some.to_vec()).await.unwrap();
        }
        recorder.close().await;
        store
    })
}

/// Letters and digits, without case and the accents that occur in [`events`].
fn plain_words(text: &str) -> Vec<String> {
    let plain = text.to_lowercase().replace(['ò'], "o").replace(['à'], "a").replace(['é'], "e");
    plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn holds_phrase(event: &Event, typed: &str) -> bool {
    let asked = plain_words(typed);
    let actor = &event.actor;
    let mut texts = vec![Some(&event.message.text), actor.name.as_ref(), actor.email.as_ref(), actor.id.as_ref()];
    texts.extend(event.translations.iter().map(|it| Some(&it.message.text)));
    texts.extend(event.targets.iter().map(|target| target.name.as_ref()));
    !asked.is_empty()
        && texts.into_iter().flatten().any(|text| {
            let words = plain_words(text);
            (0..words.len()).any(|start| {
                asked.iter().enumerate().all(|(at, asked_word)| {
                    words.get(start + at).is_some_and(|word| {
                        if at + 1 == asked.len() { word.starts_with(asked_word) } else { word == asked_word }
                    })
                })
            })
        })
}

fn holds(event: &Event, field: Field, value: &str) -> bool {
    let same = |text: Option<&String>| text.is_some_and(|text| text.to_lowercase() == value.to_lowercase());
    match field {
        Field::Workspace => event.workspace.as_deref() == Some(value),
        Field::Category => &*event.category == value,
        Field::Action if value.ends_with(".*") => event.action.starts_with(&value[..value.len() - 1]),
        Field::Action => &*event.action == value,
        Field::User => {
            same(event.actor.id.as_ref()) || same(event.actor.name.as_ref()) || same(event.actor.email.as_ref())
        }
        Field::ActorKind => event.actor.kind.word() == value,
        Field::Target => event.targets.iter().any(|target| {
            let both = target.id.as_ref().map(|id| format!("{}:{id}", target.kind));
            same(target.id.as_ref())
                || same(target.name.as_ref())
                || same(both.as_ref())
                || same(Some(&format!("{}:*", target.kind)))
        }),
        Field::Outcome => event.outcome.word() == value,
        Field::Ip => event.source.ip.is_some_and(|ip| ip.to_string() == value),
        Field::Request => event.request.as_ref().is_some_and(|request| request.id == value),
        Field::Word => holds_phrase(event, value),
    }
}

fn matches(filter: &Filter, stored: &Stored) -> bool {
    let event = &stored.event;
    let seen = match &filter.scope {
        Scope::All => true,
        Scope::Only(only) => event.workspace.as_ref().is_some_and(|workspace| only.contains(&**workspace)),
    };
    seen && filter.since.is_none_or(|since| event.time >= since)
        && filter.until.is_none_or(|until| event.time < until)
        && filter.upto.is_none_or(|upto| stored.position <= upto)
        && filter
            .clauses
            .iter()
            .all(|clause| clause.values.iter().any(|value| holds(event, clause.field, value)) != clause.negated)
}

fn value_of(field: Field) -> BoxedStrategy<String> {
    let some = |values: &[&str]| select(values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>()).boxed();
    match field {
        Field::Workspace => some(&["w0", "w1", "w2", "w3", "W1", "", "nobody's"]),
        Field::Category => some(&["Documents", "Settings: Team", "Agents", "agents", "None"]),
        Field::Action => some(&["document.*", "document.uploaded", "member.*", "agent.edited", "document", "x.*"]),
        Field::User => {
            some(&["u_1", "U_2", "ANNA", "cosimo scarfò", "anna@acme.it", "u_4", "only@mail.example", "nobody"])
        }
        Field::ActorKind => some(&["user", "service", "system", "unknown", "robot"]),
        Field::Target => prop_oneof![
            some(&[
                "document:*",
                "member:*",
                "readme",
                "PRICE LIST.PDF",
                "città-vecchia plan.docx",
                "document:7",
                "nothing"
            ]),
            (0_u32..45).prop_map(|id| id.to_string()),
            (0_u32..45).prop_map(|id| format!("member:{id}")),
        ]
        .boxed(),
        Field::Outcome => some(&["success", "failure", "denied", "pending", "unknown", "maybe"]),
        Field::Ip => some(&["203.0.113.7", "2001:db8::1", "10.0.0.1"]),
        Field::Request => (0_u32..520).prop_map(|id| format!("req-{id}")).boxed(),
        Field::Word => prop_oneof![
            some(&[
                "scarfo",
                "SCARFÒ",
                "price",
                "price list",
                "list price",
                "add tag to doc",
                "città",
                "citta vec",
                "日本",
                "pdf",
                "anna@acme",
                "number 1",
                "up",
                "a",
                "zebra",
                "—",
                "upload document price list pdf number",
            ]),
            (0_u32..1_700).prop_map(|number| format!("number {number}")),
            (0_u32..1_700).prop_map(|number| number.to_string()),
        ]
        .boxed(),
    }
}

const FIELDS: [Field; 10] = [
    Field::Workspace,
    Field::Category,
    Field::Action,
    Field::User,
    Field::ActorKind,
    Field::Target,
    Field::Outcome,
    Field::Ip,
    Field::Request,
    Field::Word,
];

fn clause() -> impl Strategy<Value = Clause> {
    (select(FIELDS.to_vec()), prop::bool::weighted(0.25)).prop_flat_map(|(field, negated)| {
        prop::collection::vec(value_of(field), 1..4).prop_map(move |values| Clause { field, negated, values })
    })
}

fn scope() -> impl Strategy<Value = Scope> {
    let names = select(vec!["w0", "w1", "w2", "w3", "stranger"]).prop_map(str::to_owned);
    prop_oneof![Just(Scope::All), prop::collection::btree_set(names, 0..4).prop_map(Scope::Only)]
}

/// A time near an event, or between two, or beyond all.
fn time() -> impl Strategy<Value = Timestamp> {
    let start = 1_767_800_000_000_000_i64;
    prop_oneof![
        (0_usize..1_600).prop_map(|at| made().1[at].event.time),
        (-200_000_000_000_i64..62_000_000_000_000)
            .prop_map(move |off| Timestamp::from_microsecond(start + off / 900 * 900).unwrap()),
        (0_i64..70).prop_map(move |hours| Timestamp::from_microsecond(
            start / 3_600_000_000 * 3_600_000_000 + hours * 900_000_000
        )
        .unwrap()),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    let times = (prop::option::weighted(0.3, time()), prop::option::weighted(0.3, time()));
    let upto = prop::option::weighted(0.3, (0_usize..1_600).prop_map(|at| made().1[at].position));
    (scope(), times, prop::collection::vec(clause(), 0..3), upto)
        .prop_map(|(scope, (since, until), clauses, upto)| Filter { scope, since, until, clauses, upto })
}

fn check_pages(store: &Store, filter: &Filter, order: Order, limit: usize, right: &[&Stored]) {
    let mut right: Vec<&Stored> = right.to_vec();
    if order == Order::Descending {
        right.reverse();
    }
    let mut after: Option<Position> = None;
    let mut at = 0;
    loop {
        let page = store.page(filter, order, limit, after).unwrap();
        let end = (at + limit).min(right.len());
        let found: Vec<&Stored> = page.events.iter().collect();
        assert_eq!(found, right[at..end], "{filter:?} {order:?} after {after:?}");
        assert_eq!(page.more, end < right.len());
        at = end;
        if !page.more {
            return;
        }
        after = page.events.last().map(|last| last.position);
    }
}

fn check_facet(store: &Store, filter: &Filter, field: Field, all: &[Stored]) {
    let mut without = filter.clone();
    without.clauses.retain(|clause| clause.field != field);
    let mut right: BTreeMap<String, u64> = BTreeMap::new();
    for stored in all.iter().filter(|stored| matches(&without, stored)) {
        let event = &stored.event;
        let values: BTreeSet<String> = match field {
            Field::Workspace => event.workspace.iter().map(|w| w.to_string()).collect(),
            Field::Category => [event.category.to_string()].into(),
            Field::Action => [event.action.to_string()].into(),
            Field::User => [&event.actor.id, &event.actor.email, &event.actor.name]
                .into_iter()
                .flatten()
                .take(1)
                .cloned()
                .collect(),
            Field::ActorKind => [event.actor.kind.word().to_owned()].into(),
            Field::Target => event.targets.iter().map(|target| format!("{}:*", target.kind)).collect(),
            Field::Outcome => [event.outcome.word().to_owned()].into(),
            Field::Ip => event.source.ip.iter().map(ToString::to_string).collect(),
            Field::Request | Field::Word => BTreeSet::new(),
        };
        for value in values {
            *right.entry(value).or_default() += 1;
        }
    }
    let found = store.facet(filter, field, 1_000).unwrap();
    assert!(found.is_sorted_by(|a, b| a.count >= b.count));
    let found: BTreeMap<String, u64> = found.into_iter().map(|facet| (facet.value, facet.count)).collect();
    assert_eq!(found, right, "{field:?} {filter:?}");
}

fn check_histogram(store: &Store, filter: &Filter, edges: &[Timestamp], right: &[&Stored]) {
    let mut rows: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for stored in right {
        let time = stored.event.time;
        if let Some(bucket) = edges.windows(2).position(|pair| pair[0] <= time && time < pair[1]) {
            rows.entry(stored.event.category.to_string()).or_insert_with(|| vec![0; edges.len() - 1])[bucket] += 1;
        }
    }
    let found: BTreeMap<_, _> = store.histogram(filter, edges).unwrap().rows.into_iter().collect();
    assert_eq!(found, rows, "{filter:?} {edges:?}");
}

fn check_all(store: &Store, filter: &Filter, all: &[Stored], limit: usize, cap: u64, edges: &[Timestamp]) {
    let right: Vec<&Stored> = all.iter().filter(|stored| matches(filter, stored)).collect();
    check_pages(store, filter, Order::Ascending, limit, &right);
    check_pages(store, filter, Order::Descending, limit, &right);
    let count = store.count(filter, cap).unwrap();
    assert_eq!((count.value, count.capped), (cap.min(right.len() as u64), right.len() as u64 > cap), "{filter:?}");
    FIELDS.iter().for_each(|field| check_facet(store, filter, *field, all));
    check_histogram(store, filter, edges, &right);
}

/// Borders of buckets: of equal length from somewhere, or anywhere.
fn edges() -> impl Strategy<Value = Vec<Timestamp>> {
    let equal =
        (time(), select(vec![60_i64, 900, 3_600, 14_400, 86_400]), 1_i64..30).prop_map(|(start, seconds, count)| {
            let start = start.as_second() / seconds * seconds;
            (0..=count).map(|n| Timestamp::from_second(start + n * seconds).unwrap()).collect()
        });
    let any = prop::collection::btree_set(time(), 0..6).prop_map(|times| times.into_iter().collect());
    prop_oneof![equal, any]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_question_gives_what_a_look_at_every_event_gives(filter in filter(), limit in 1_usize..700, cap in 0_u64..2_000, edges in edges()) {
        let (store, all, _) = made();
        check_all(store, &filter, all, limit, cap, &edges);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_the_events_came_the_answers_are_the_same(filters in prop::collection::vec(filter(), 6), count in 0_u64..900, batch in 1_usize..300, edges in edges()) {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path(), 0..count, batch);
        let all = everything(&store);
        prop_assert_eq!(all.len() as u64, count);
        for mut filter in filters {
            filter.upto = filter.upto.and(all.get(all.len() / 2)).map(|stored| stored.position);
            check_all(&store, &filter, &all, 50, 100, &edges);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_found_before_is_found_again_beside_what_came_later(
        filters in prop::collection::vec(filter(), 6), first in 0_u64..900, more in 0_u64..900, time in time(), edges in edges()
    ) {
        let folder = tempfile::tempdir().unwrap();
        let store = filled(folder.path(), 0..first, 97);
        let wide: Vec<Filter> =
            filters.into_iter().map(|filter| Filter { since: None, until: None, upto: None, ..filter }).collect();
        let all = everything(&store);
        wide.iter().for_each(|filter| check_all(&store, filter, &all, 50, 2_000, &edges));
        filled(folder.path(), first..first + more, 97);
        let all = everything(&store);
        prop_assert_eq!(all.len() as u64, first + more);
        for filter in wide {
            let upto = all.get(all.len() / 2).map(|stored| stored.position);
            for asked in [
                Filter { since: Some(time), ..filter.clone() },
                Filter { until: Some(time), upto, ..filter.clone() },
                filter.clone(),
                Filter { upto, ..filter },
            ] {
                check_all(&store, &asked, &all, 50, 2_000, &edges);
            }
        }
    }
}

#[test]
fn a_single_event_is_seen_only_within_the_scope() {
    let (store, all, _) = made();
    for stored in all.iter().step_by(41) {
        let id = stored.event.id;
        assert_eq!(store.event(&Scope::All, id).unwrap().as_ref(), Some(stored));
        for name in ["w0", "w1", "w2", "w3"] {
            let seen = store.event(&Scope::Only([name.to_owned()].into()), id).unwrap();
            assert_eq!(seen.is_some(), stored.event.workspace.as_deref() == Some(name));
        }
        assert_eq!(store.event(&Scope::Only(BTreeSet::new()), id).unwrap(), None);
    }
    assert_eq!(store.workspaces(&Scope::All).unwrap(), ["w0", "w1", "w2", "w3"]);
    assert_eq!(store.workspaces(&Scope::Only(["w2".to_owned(), "stranger".to_owned()].into())).unwrap(), ["w2"]);
    assert_eq!(store.newest().unwrap(), all.last().unwrap().position);
}

#[test]
fn a_list_pinned_to_its_newest_event_does_not_move_when_others_come() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path(), 0..300, 50);
    let pinned = Filter { upto: Some(store.newest().unwrap()), ..Filter::all(Scope::All) };
    let before = store.page(&pinned, Order::Descending, 100, None).unwrap();
    let store = filled(folder.path(), 300..900, 50);
    let after = store.page(&pinned, Order::Descending, 100, None).unwrap();
    assert_eq!(before.events, after.events);
    assert_eq!(store.count(&pinned, 10_000).unwrap().value, 300);
    let back = store.page(&pinned, Order::Ascending, 20, before.events.last().map(|last| last.position)).unwrap();
    let again: Vec<_> = before.events.iter().rev().skip(1).take(20).cloned().collect();
    assert_eq!(back.events, again);
}
