//! Trouble of every sort: nothing acknowledged is lost, and the reason is said.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;
use sidetrail::clock::Clock;
use sidetrail::record::query::{Filter, Order, Scope};
use sidetrail::record::{OpenError, RecordError, Settings, Store, open};

use super::{events, everything, settings, store_in};

fn file(folder: &Path) -> std::path::PathBuf {
    folder.join("log.db")
}

fn refused(settings: &Settings) -> OpenError {
    match open(settings, Clock::system()) {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

#[test]
fn a_postgres_store_and_an_unknown_one_are_refused_by_name() {
    let at = |url: &str| refused(&Settings { url: url.to_owned(), ..Settings::default() }).to_string();
    assert_eq!(at("postgres://me:secret@host/db"), "`postgres://` stores are not supported yet: use `sqlite:PATH`");
    assert_eq!(at("mysql://me:secret@host/db"), "`mysql://host/db` names no store: use `sqlite:PATH`");
    assert_eq!(at("log.db"), "`log.db` names no store: use `sqlite:PATH`");
    assert_eq!(at("sqlite:"), "`sqlite:` names no store: use `sqlite:PATH`");
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    store_in(folder.path()).0.close().await;
    let conn = Connection::open(file(folder.path())).unwrap();
    conn.execute("INSERT INTO migration VALUES (999, 'later', x'00', 0)", ()).unwrap();
    drop(conn);
    assert!(matches!(refused(&settings(folder.path())), OpenError::Newer { found: 999, .. }));
    assert!(matches!(Store::open_existing(&settings(folder.path())), Err(OpenError::Newer { .. })));
}

#[tokio::test]
async fn an_edited_migration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    store_in(folder.path()).0.close().await;
    Connection::open(file(folder.path())).unwrap().execute("UPDATE migration SET sha256 = x'00'", ()).unwrap();
    assert!(matches!(refused(&settings(folder.path())), OpenError::Edited { number: 1, .. }));
}

#[test]
fn a_file_of_another_program_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    Connection::open(file(folder.path())).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let before = std::fs::read(file(folder.path())).unwrap();
    assert!(matches!(refused(&settings(folder.path())), OpenError::NotOurs));
    assert_eq!(std::fs::read(file(folder.path())).unwrap(), before);
    std::fs::write(file(folder.path()), "a text file, and not a short one: ".repeat(100)).unwrap();
    assert!(matches!(refused(&settings(folder.path())), OpenError::NotOurs));
}

#[test]
fn a_store_that_is_not_there_is_not_made_by_reading() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Store::open_existing(&settings(folder.path())), Err(OpenError::Missing { .. })));
    assert!(!file(folder.path()).exists());
}

#[tokio::test]
async fn two_writers_of_one_store_are_one_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, _store) = store_in(folder.path());
    assert!(matches!(refused(&settings(folder.path())), OpenError::InUse { .. }));
    drop(recorder);
    store_in(folder.path());
}

#[tokio::test]
async fn an_event_is_neither_changed_nor_deleted_by_sql() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, _store) = store_in(folder.path());
    recorder.record(vec![events::event(1)]).await.unwrap();
    let conn = Connection::open(file(folder.path())).unwrap();
    for sql in ["UPDATE event SET seq = 7", "DELETE FROM event"] {
        assert!(conn.execute(sql, ()).unwrap_err().to_string().contains("never"));
    }
}

#[tokio::test]
async fn while_another_holds_the_file_events_are_spilled_and_brought_home_after() {
    let folder = tempfile::tempdir().unwrap();
    let quick = Settings { deadline_ms: 200, ..settings(folder.path()) };
    let (recorder, store) = open(&quick, Clock::system()).unwrap();
    recorder.record(vec![events::event(0)]).await.unwrap();
    let other = Connection::open(file(folder.path())).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for n in 1..4 {
        let error = recorder.record(vec![events::event(n)]).await.unwrap_err();
        assert!(matches!(error, RecordError::Failed { .. } | RecordError::Late { .. }), "{error}");
    }
    assert_eq!(recorder.health().spilled, 3);
    assert!(recorder.health().trouble.is_some());
    assert_eq!(store.count(&Filter::all(Scope::All), 100).unwrap().value, 1, "reading goes on");
    other.execute_batch("COMMIT").unwrap();
    recorder.record(vec![events::event(4)]).await.unwrap();
    recorder.close().await;
    let all = everything(&store);
    assert_eq!(all.len(), 5);
    events::check_chains(&all);
    assert_eq!(recorder.health().spilled, 0);
    assert_eq!(recorder.health().trouble, None);
    assert!(!folder.path().join("log.db.spill").exists());
}

#[tokio::test]
async fn nothing_is_acknowledged_into_a_file_that_was_deleted_under_the_writer() {
    for ending in ["", "-wal"] {
        let folder = tempfile::tempdir().unwrap();
        let (recorder, _) = store_in(folder.path());
        recorder.record(vec![events::event(0)]).await.unwrap();
        std::fs::remove_file(folder.path().join(format!("log.db{ending}"))).unwrap();
        let error = recorder.record(vec![events::event(1)]).await.unwrap_err();
        assert!(error.to_string().contains("deleted"), "{error}");
        assert!(recorder.health().trouble.is_some());
        recorder.close().await;
        drop(recorder);
        let (recorder, store) = store_in(folder.path());
        let ids: Vec<_> = everything(&store).iter().map(|stored| stored.event.id).collect();
        assert!(ids.contains(&events::event(1).id), "{ending}: the spilled event is not in the new file");
        recorder.record(vec![events::event(2)]).await.unwrap();
        assert_eq!(recorder.health().trouble, None);
    }
}

#[tokio::test]
async fn what_an_earlier_run_spilled_is_in_the_store_at_the_next_start_and_a_torn_line_spoils_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, _) = store_in(folder.path());
    recorder.close().await;
    // Closed: whatever comes now goes to the spill file.
    for n in 0..3 {
        assert!(recorder.record(vec![events::event(n)]).await.is_err());
    }
    drop(recorder);
    let spill = folder.path().join("log.db.spill");
    let lines = std::fs::read(&spill).unwrap();
    let mut torn = std::fs::OpenOptions::new().append(true).open(&spill).unwrap();
    torn.write_all(&lines[1..80]).unwrap();
    drop(torn);
    let (recorder, store) = store_in(folder.path());
    let all = everything(&store);
    assert_eq!(all.len(), 3);
    events::check_chains(&all);
    assert!(!spill.exists());
    // The same lines again: events that are there are not written twice.
    recorder.close().await;
    drop(recorder);
    std::fs::write(&spill, lines).unwrap();
    let (_recorder, store) = store_in(folder.path());
    assert_eq!(everything(&store), all);
}

/// In the child: a store on a full disk, as SQLite sees it (a file that may not grow past a limit).
#[tokio::test]
async fn on_a_full_disk_nothing_acknowledged_is_lost_and_writing_goes_on_once_there_is_room() {
    if let Ok(folder) = std::env::var("SIDETRAIL_TEST_FULL") {
        let (recorder, _store) = store_in(Path::new(&folder));
        let mut acknowledged = 0;
        let mut failed = 0;
        for n in 0..6_000 {
            match recorder.record(vec![events::event(n)]).await {
                Ok(()) => acknowledged += 1,
                Err(RecordError::NotOnDisk { .. } | RecordError::Failed { .. }) => failed += 1,
                Err(error) => panic!("{error}"),
            }
            if failed >= 5 {
                break;
            }
        }
        println!("acknowledged {acknowledged} failed {failed}");
        std::io::stdout().flush().unwrap();
        // No end of its own: as if killed.
        std::process::abort();
    }
    let folder = tempfile::tempdir().unwrap();
    // ulimit -f: a file may not grow past this many KiB; SIGXFSZ ignored, so write fails like on a full disk.
    let me = std::env::current_exe().unwrap();
    let script = "ulimit -f 1500; trap '' XFSZ; exec \"$0\" --exact record::troubles::on_a_full_disk_nothing_acknowledged_is_lost_and_writing_goes_on_once_there_is_room --nocapture";
    let output = Command::new("bash")
        .args(["-c", script])
        .arg(me)
        .env("SIDETRAIL_TEST_FULL", folder.path())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = said.lines().find_map(|line| line.split_once("acknowledged ")).unwrap_or_else(|| panic!("{said}")).1;
    let (acknowledged, failed) = line.split_once(" failed ").unwrap();
    let acknowledged: usize = acknowledged.parse().unwrap();
    assert!(acknowledged > 20 && failed.trim() == "5", "{said}");
    let (recorder, store) = store_in(folder.path());
    let all = everything(&store);
    assert!(all.len() >= acknowledged, "{} of {acknowledged}", all.len());
    events::check_chains(&all);
    recorder.record(vec![events::event(10_000)]).await.unwrap();
    assert_eq!(everything(&store).len(), all.len() + 1);
}

#[tokio::test]
async fn killed_in_the_middle_of_load_nothing_acknowledged_is_missing() {
    if let Ok(folder) = std::env::var("SIDETRAIL_TEST_KILLED") {
        let (recorder, _store) = store_in(Path::new(&folder));
        let start: u64 = std::env::var("SIDETRAIL_TEST_START").unwrap().parse().unwrap();
        let tasks: Vec<_> = (0..16)
            .map(|who| {
                let recorder = recorder.clone();
                tokio::spawn(async move {
                    for n in 0..100_000 {
                        let n = start + n * 16 + who;
                        recorder.record(vec![events::event(n)]).await.unwrap();
                        // One write a line: a line that the parent reads was acknowledged.
                        std::io::stdout().write_all(format!("#{n}\n").as_bytes()).unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = std::collections::BTreeSet::new();
    for round in 0..4_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "record::troubles::killed_in_the_middle_of_load_nothing_acknowledged_is_missing",
                "--nocapture",
            ])
            .env("SIDETRAIL_TEST_KILLED", folder.path())
            .env("SIDETRAIL_TEST_START", (round * 10_000_000).to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        let mut number = |line: String| line.strip_prefix('#').map(|n| acknowledged.insert(n.parse::<u64>().unwrap()));
        let wanted = 150 + round * 333;
        let mut seen = 0;
        while seen < wanted {
            seen += u64::from(number(lines.next().unwrap().unwrap()).is_some());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            number(line);
        }
        let store = store_in(folder.path()).1;
        let all = everything(&store);
        events::check_chains(&all);
        let kept: std::collections::BTreeSet<_> = all.iter().map(|stored| stored.event.id).collect();
        assert_eq!(kept.len(), all.len());
        for n in &acknowledged {
            assert!(kept.contains(&events::event(*n).id), "event {n} was acknowledged and is missing");
        }
    }
}

#[tokio::test]
async fn killed_while_it_is_made_a_store_is_whole_or_not_there() {
    if let Ok(folder) = std::env::var("SIDETRAIL_TEST_MADE") {
        for n in 0..10_000 {
            let folder = Path::new(&folder).join(n.to_string());
            std::fs::create_dir(&folder).unwrap();
            drop(store_in(&folder));
            std::io::stdout().write_all(b"#made\n").unwrap();
        }
        return;
    }
    for round in 0..8_u32 {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "record::troubles::killed_while_it_is_made_a_store_is_whole_or_not_there", "--nocapture"])
            .env("SIDETRAIL_TEST_MADE", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
        let made = lines.map_while(Result::ok).filter(|line| line.contains("#made"));
        assert_eq!(made.take(2).count(), 2);
        // Somewhere in the making of the next.
        std::thread::sleep(std::time::Duration::from_micros(u64::from(round) * 700));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut found = 0;
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let (recorder, store) = store_in(&entry.unwrap().path());
            recorder.record(vec![events::event(1)]).await.unwrap();
            assert_eq!(everything(&store).len(), 1);
            found += 1;
        }
        assert!(found >= 2, "{found}");
    }
}

#[tokio::test]
async fn exports_without_a_pause_beside_writing_let_the_wal_grow_no_further_than_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, store) = store_in(folder.path());
    recorder.record((0..2_000).map(events::event).collect()).await.unwrap();
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let exports: Vec<_> = (0..3)
        .map(|_| {
            let (store, done) = (store.clone(), std::sync::Arc::clone(&done));
            std::thread::spawn(move || {
                let mut after = None;
                while !done.load(std::sync::atomic::Ordering::SeqCst) {
                    let page = store.page(&Filter::all(Scope::All), Order::Ascending, 200, after).unwrap();
                    after = page.events.last().map(|stored| stored.position);
                }
            })
        })
        .collect();
    let mut longest = 0;
    for first in (2_000..22_000).step_by(50) {
        recorder.record((first..first + 50).map(events::event).collect()).await.unwrap();
        longest = longest.max(folder.path().join("log.db-wal").metadata().unwrap().len());
    }
    done.store(true, std::sync::atomic::Ordering::SeqCst);
    exports.into_iter().for_each(|export| export.join().unwrap());
    println!("the WAL's longest: {longest} bytes");
    assert!(longest < 96 << 20, "{longest}");
}

#[tokio::test]
async fn many_read_while_one_writes_and_each_sees_a_whole_prefix() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, store) = store_in(folder.path());
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (store, done) = (store.clone(), std::sync::Arc::clone(&done));
            std::thread::spawn(move || {
                let mut before = 0;
                while !done.load(std::sync::atomic::Ordering::SeqCst) {
                    let all = everything(&store);
                    assert!(all.len() >= before);
                    before = all.len();
                    events::check_chains(&all);
                    assert!(store.count(&Filter::all(Scope::All), 100_000).unwrap().value >= before as u64);
                }
            })
        })
        .collect();
    for first in (0..1_500).step_by(3) {
        recorder.record((first..first + 3).map(events::event).collect()).await.unwrap();
    }
    done.store(true, std::sync::atomic::Ordering::SeqCst);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    assert_eq!(everything(&store).len(), 1_500);
}

#[tokio::test]
async fn the_numbers_of_the_writer_can_be_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (recorder, _store) = store_in(folder.path());
    let mut registry = prometheus_client::registry::Registry::default();
    recorder.register(&mut registry);
    recorder.record(vec![events::event(1), events::event(2)]).await.unwrap();
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in
        ["record_events_total 2", "record_commits_total 1", "record_queue_events 0", "record_spilled_events_total 0"]
    {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    assert!(recorder.health().last_commit.is_some());
}
