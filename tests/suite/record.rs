//! The store through its door: what is acknowledged is there, exactly, in order, and only for whom it is.

mod events;
mod filters;
mod troubles;

use std::path::Path;

use sidetrail::clock::Clock;
use sidetrail::ledger::{Ledger, Route};
use sidetrail::record::query::{Filter, Order, Scope, Stored};
use sidetrail::record::{OpenError, Recorder, RevokeError, Right, Settings, Stop, Store, StoreError, Which, open};

/// Settings of a store in `folder`.
pub(crate) fn settings(folder: &Path) -> Settings {
    Settings { url: format!("sqlite:{}", folder.join("log.db").display()), ..Settings::default() }
}

/// A store in `folder`, with the machine's clock.
pub(crate) fn store_in(folder: &Path) -> (Recorder, Store) {
    open(&settings(folder), Clock::system()).unwrap()
}

/// Everything in the store, oldest first.
pub(crate) fn everything(store: &Store) -> Vec<Stored> {
    store.page(&Filter::all(Scope::All), Order::Ascending, usize::MAX - 1, None).unwrap().events
}

#[tokio::test]
async fn an_event_comes_back_as_it_was_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, store) = store_in(folder.path());
    let all: Vec<_> = (0..500).map(events::event).collect();
    for some in all.chunks(7) {
        recorder.record(some.to_vec()).await.unwrap();
    }
    let found: Vec<_> = everything(&store).into_iter().map(|stored| stored.event).collect();
    assert_eq!(found, all);
    for event in &all {
        assert_eq!(store.event(&Scope::All, event.id).unwrap().unwrap().event, *event);
    }
    recorder.close().await;
}

#[tokio::test]
async fn each_log_counts_without_holes_and_chains_its_hashes() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let (recorder, _) = store_in(folder.path());
        for number in 0..100 {
            recorder.record(vec![events::event(round * 100 + number)]).await.unwrap();
        }
        recorder.close().await;
    }
    let (_recorder, store) = store_in(folder.path());
    let all = everything(&store);
    assert_eq!(all.len(), 300);
    events::check_chains(&all);
}

#[tokio::test]
async fn an_event_recorded_twice_is_kept_once() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, store) = store_in(folder.path());
    recorder.record(vec![events::event(1)]).await.unwrap();
    recorder.record(vec![events::event(1), events::event(2)]).await.unwrap();
    let all = everything(&store);
    assert_eq!(all.len(), 2);
    events::check_chains(&all);
}

#[tokio::test]
async fn a_token_is_found_by_its_hash_until_it_is_revoked_beside_the_running_writer() {
    let folder = tempfile::tempdir().unwrap();
    let (_recorder, store) = store_in(folder.path());
    let beside = Store::open_existing(&settings(folder.path())).unwrap();
    let now = Clock::system().now();
    let rights = [Right::Read, Right::Export].into();
    let only = ["39".to_owned()].into();
    let made = beside.create_token("ops", &[7; 32], &rights, Some(&only), now).unwrap();
    assert_eq!(store.token_by_hash(&[7; 32]).unwrap(), Some(made.clone()));
    assert_eq!(store.token_by_hash(&[8; 32]).unwrap(), None);
    assert_eq!(beside.revoke_token(&Which::Either("ops".to_owned()), now).unwrap(), 1);
    assert_eq!(beside.revoke_token(&Which::Either("ops".to_owned()), now).unwrap(), 0);
    assert_eq!(store.token_by_hash(&[7; 32]).unwrap().unwrap().revoked, Some(now));
    assert_eq!(store.tokens().unwrap().len(), 1);
    assert_eq!(store.secret(), beside.secret());
    assert_ne!(store.secret(), [0; 32]);
    assert_eq!(store.id(), beside.id());
}

#[tokio::test]
async fn a_word_that_is_one_tokens_number_and_anothers_name_revokes_neither() {
    let folder = tempfile::tempdir().unwrap();
    let (_recorder, store) = store_in(folder.path());
    let now = Clock::system().now();
    let make = |name: &str, byte| store.create_token(name, &[byte; 32], &[Right::Read].into(), None, now).unwrap().id;
    let (first, second, third) = (make("anna", 1), make("1", 2), make("3", 3));
    assert_eq!((first, second, third), (1, 2, 3));
    let either = |word: &str| Which::Either(word.to_owned());
    let refused = store.revoke_token(&either("1"), now);
    assert!(matches!(refused, Err(RevokeError::Ambiguous { id: 1, named: 2, .. })), "{refused:?}");
    assert!(store.tokens().unwrap().iter().all(|token| token.revoked.is_none()));
    assert_eq!(store.revoke_token(&either("3"), now).unwrap(), 1, "number and name of one token");
    assert_eq!(store.revoke_token(&Which::Id(1), now).unwrap(), 1);
    assert_eq!(store.revoke_token(&either("1"), now).unwrap(), 1, "only one is left that it can mean");
}

#[tokio::test]
async fn a_question_ends_when_it_is_stopped_and_the_next_one_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, store) = store_in(folder.path());
    recorder.record((1..=500).map(events::event).collect()).await.unwrap();
    let everything = Filter::all(Scope::All);
    let stop = Stop::default();
    let stopped = store.stopped_by(&stop);
    assert_eq!(stopped.count(&everything, u64::MAX).unwrap().value, 500);
    stop.now();
    let answer = stopped.count(&everything, u64::MAX);
    assert!(matches!(answer, Err(StoreError::Stopped)), "{answer:?}");
    assert_eq!(store.count(&everything, u64::MAX).unwrap().value, 500, "the connection is as good as before");
}

#[tokio::test]
async fn what_memory_learned_survives_a_restart() {
    use sidetrail::memory::{Key, Lesson};
    let folder = tempfile::tempdir().unwrap();
    let key = |id: &str| Key { workspace: "39".into(), kind: "document".into(), id: id.into() };
    let now = Clock::system().now();
    let lesson = |id: &str, name: Option<&str>, fields: serde_json::Value| Lesson {
        key: key(id),
        name: name.map(str::to_owned),
        fields: fields.as_object().unwrap().clone(),
        gone: false,
        seen: now,
    };
    let (recorder, _) = store_in(folder.path());
    recorder.remember(vec![lesson("1", Some("Manual.pdf"), serde_json::json!({"status": "draft"}))]);
    recorder.remember(vec![lesson("2", Some("Other.pdf"), serde_json::json!({}))]);
    recorder.close().await;
    drop(recorder);
    let (recorder, _) = store_in(folder.path());
    recorder.remember(vec![lesson("1", None, serde_json::json!({"owner": null}))]);
    recorder.forget(vec![key("2")]);
    recorder.close().await;
    drop(recorder);
    let (_recorder, store) = store_in(folder.path());
    let things = store.things(10).unwrap();
    assert_eq!(things.len(), 1);
    assert_eq!(things[0].0, key("1"));
    assert_eq!(things[0].1.name.as_deref(), Some("Manual.pdf"));
    assert_eq!(
        serde_json::Value::Object(things[0].1.fields.clone()),
        serde_json::json!({"status": "draft", "owner": null})
    );
}

#[tokio::test]
async fn which_routes_are_used_survives_a_restart_and_a_store_of_an_older_version_learns_to_keep_it() {
    let folder = tempfile::tempdir().unwrap();
    store_in(folder.path()).0.close().await;
    let older = rusqlite::Connection::open(folder.path().join("log.db")).unwrap();
    older.execute_batch("DROP TABLE route; DELETE FROM migration WHERE number > 1").unwrap();
    drop(older);
    assert!(matches!(Store::open_existing(&settings(folder.path())), Err(OpenError::Older { found: 1, .. })));

    let (recorder, store) = store_in(folder.path());
    assert_eq!(store.routes().unwrap(), []);
    let ledger = Ledger::default();
    let at = jiff::Timestamp::UNIX_EPOCH;
    ledger.note("POST", Route::Path("/api/documents/7/tags"), Some(201), at);
    ledger.note("PUT", Route::Ruled("/api/documents/{id}"), None, at);
    ledger.note("mutation", Route::Call("createSecret"), Some(200), at);
    recorder.keep_routes(ledger.lines());
    recorder.keep_routes(ledger.lines());
    recorder.close().await;
    let again = Ledger::default();
    again.preload(Store::open_existing(&settings(folder.path())).unwrap().routes().unwrap());
    assert_eq!(again.lines(), ledger.lines());
    assert_eq!(again.lines().len(), 3);
}

#[tokio::test]
async fn the_store_and_what_stands_beside_it_are_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (recorder, _store) = store_in(folder.path());
    recorder.record(vec![events::event(1)]).await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
}
