//! What an event costs on its way to the disk, and what a question costs at a
//! million of them.
//!
//! `cargo bench --bench ingest`: 300,000 events from 1, 64 and 256 recorders at
//! once, CPU per event (`PART=write` for this alone); then a store of 1,000,000
//! events (`PART=read`; `EVENTS=n` for another size) and the time of each question and of whole pages, the median and
//! the worst of 21;
//! and the export of all of them beside `sqlite3 -csv` (which must be installed).
#![allow(clippy::cast_precision_loss, clippy::indexing_slicing, reason = "figures for people")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use prometheus_client::registry::Registry;
use sidetrail::clock::Clock;
use sidetrail::event::{Actor, ActorKind, Event, Mark, Message, Outcome, RequestFacts, RuleFacts, Source, Target};
use sidetrail::read::{Parts, Rules, State, router};
use sidetrail::record::query::{Clause, Field, Filter, Order, Scope};
use sidetrail::record::{Recorder, Settings, Store, open};
use tower::ServiceExt as _;
use uuid::Uuid;

const ACTIONS: u64 = 41;
const PEOPLE: u64 = 400;
const WORKSPACES: u64 = 12;

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the stores");
    let part = std::env::var("PART").unwrap_or_default();
    if part != "read" {
        for recorders in [1, 64, 256] {
            ingest(&folder.path().join(format!("ingest{recorders}.db")), recorders);
        }
    }
    if part != "write" {
        questions(&folder.path().join("questions.db"));
        pages(&folder.path().join("questions.db"));
        export(folder.path(), "questions.db");
    }
}

/// The whole store as CSV by `sidetrail export`, and the same rows out of a plain table by `sqlite3 -csv`, in turn.
fn export(folder: &Path, store: &str) {
    let run = |command: &mut Command| {
        let start = Instant::now();
        let status = command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.expect("sqlite3 is installed (Debian: apt-get install sqlite3)");
        start.elapsed().as_secs_f64()
    };
    let sidetrail = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
        run(command.args(["export", "--store", &format!("sqlite:{store}"), "--raw"]).args(more))
    };
    sidetrail(&["-o", "all.csv"]);
    run(Command::new("sqlite3").args(["plain.db", ".import --csv all.csv events"]));
    let select = || run(Command::new("sqlite3").args(["-csv", "plain.db", "SELECT * FROM events"]));
    let turns: Vec<(f64, f64)> = (0..5).map(|_| (sidetrail(&[]), select())).collect();
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let (ours, theirs) = turns.into_iter().unzip();
    let (ours, theirs) = (median(ours), median(theirs));
    println!("\nexport as CSV: sidetrail {ours:.2} s, sqlite3 -csv {theirs:.2} s, ratio {:.2}", ours / theirs);
}

/// A plain event of a platform of documents; the times are spread over 90 days.
fn event(n: u64, count: u64) -> Event {
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1;
    let mut pick = |count: u64| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 20) % count
    };
    let (action, document) = (pick(ACTIONS), pick(200_000));
    // A few people and workspaces do most.
    let person = pick(PEOPLE).min(pick(PEOPLE));
    let workspace = pick(WORKSPACES).min(pick(WORKSPACES));
    let name = format!("Price list {document}.pdf");
    let text = format!("added tag listino{} to {name}", pick(900));
    let mark = Mark { start: text.len() - name.len(), end: text.len(), link: Some(format!("/documents/{document}")) };
    let span = 90 * 86_400 * 1_000_000;
    let micros = i64::try_from(n * (span / count.max(1)) + pick(900_000)).unwrap_or(0);
    let time = Timestamp::from_microsecond(1_767_800_000_000_000 + micros).unwrap_or_default();
    let ms = u64::try_from(time.as_millisecond()).unwrap_or(0);
    Event {
        id: Uuid::from_u64_pair(ms << 16 | 0x7000 | (n & 0xfff), 1 << 63 | n),
        time,
        workspace: Some(format!("w{workspace}").into()),
        category: format!("Category {}", action / 4).into(),
        action: format!("resource{}.verb{action}", action / 4).into(),
        title: format!("verb {action} resource").into(),
        message: Message { marks: vec![mark], text },
        outcome: if pick(40) == 0 { Outcome::Failure } else { Outcome::Success },
        actor: Actor {
            kind: ActorKind::User,
            id: Some(format!("u_{person}")),
            name: Some(format!("Person {person} Surname{}", person % 90)),
            email: Some(format!("person{person}@acme.example")),
            unknown_because: None,
        },
        translations: Vec::new(),
        targets: vec![Target {
            kind: "document".to_owned(),
            id: Some(document.to_string()),
            name: Some(name),
            link: None,
        }],
        changes: Vec::new(),
        details: serde_json::json!({"tag": "listino"}).as_object().cloned().unwrap_or_default(),
        missing: Vec::new(),
        source: Source {
            ip: format!("203.0.113.{}", person % 250).parse().ok(),
            user_agent: Some(format!("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/{}", person % 30)),
        },
        request: Some(RequestFacts {
            id: format!("{n:032x}"),
            method: "POST".to_owned(),
            path: format!("/api/v1/workspaces/{workspace}/documents/{document}/tags"),
            status: Some(201),
            duration_ms: pick(300),
        }),
        rule: Some(RuleFacts { file: "documents.toml".into(), version: format!("sha256:{:064x}", 7).into() }),
    }
}

fn open_at(path: &Path) -> (Recorder, Store) {
    let settings = Settings { url: format!("sqlite:{}", path.display()), deadline_ms: 60_000 };
    open(&settings, Clock::system()).expect("a store in a new folder opens")
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn events_or(usual: u64) -> u64 {
    std::env::var("EVENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

fn ingest(path: &Path, recorders: u64) {
    let each = if recorders == 1 { 4_000 } else { events_or(300_000) / recorders };
    let count = each * recorders;
    let all: Vec<Vec<Event>> =
        (0..recorders).map(|who| (0..each).map(|n| event(n * recorders + who, count)).collect()).collect();
    let (recorder, _store) = open_at(path);
    let before = (cpu_of("record"), cpu_of(""));
    let start = Instant::now();
    runtime().block_on(async {
        let tasks = all.into_iter().map(|events| {
            let recorder = recorder.clone();
            tokio::spawn(async move {
                for event in events {
                    recorder.record(vec![event]).await.expect("the store takes it");
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("a recorder ends");
        }
    });
    let wall = start.elapsed().as_secs_f64();
    let events = count as f64;
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / events;
    println!(
        "{recorders:4} recorders: {:7.0} events/s, CPU per event: all {:5.1} µs, writer {:5.1} µs; {:.0} bytes an event",
        events / wall,
        micros(cpu_of("") - before.1),
        micros(cpu_of("record") - before.0),
        path.metadata().map_or(0.0, |meta| meta.len() as f64) / events,
    );
}

/// CPU time of this process's threads of that name (of all, where it is empty).
fn cpu_of(name: &str) -> Duration {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Duration::ZERO };
    let nanos = tasks.flatten().filter_map(|task| {
        let read = |file| std::fs::read_to_string(task.path().join(file)).ok();
        (name.is_empty() || read("comm")?.trim() == name).then_some(())?;
        read("schedstat")?.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanos.sum())
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse().ok()).unwrap_or(0)
}

fn fill(path: &Path, count: u64) -> Store {
    let (recorder, store) = open_at(path);
    runtime().block_on(async {
        for first in (0..count).step_by(1_000) {
            let some = (first..(first + 1_000).min(count)).map(|n| event(n, count)).collect();
            recorder.record(some).await.expect("the store takes it");
        }
        recorder.close().await;
    });
    store
}

fn with(scope: &Scope, clauses: &[(Field, &str)]) -> Filter {
    let clause =
        |(field, value): &(Field, &str)| Clause { field: *field, negated: false, values: vec![(*value).to_owned()] };
    Filter { clauses: clauses.iter().map(clause).collect(), ..Filter::all(scope.clone()) }
}

fn filters(end: Timestamp) -> Vec<(&'static str, Filter)> {
    let own = Scope::Only(["w0".to_owned()].into());
    let rare = Scope::Only(["w11".to_owned()].into());
    let days = |days: i64| Some(end - SignedDuration::from_hours(24 * days));
    let three = [(Field::Category, "Category 3"), (Field::User, "u_50"), (Field::Outcome, "failure")];
    let request = format!("{:032x}", 500);
    vec![
        ("everything", Filter::all(Scope::All)),
        ("one workspace", Filter::all(own.clone())),
        ("a small workspace", Filter::all(rare.clone())),
        ("category", with(&own, &[(Field::Category, "Category 3")])),
        ("busy user", with(&own, &[(Field::User, "u_1")])),
        ("rare user", with(&rare, &[(Field::User, "person390@acme.example")])),
        ("nobody", with(&own, &[(Field::User, "stranger")])),
        ("category, user, failure", with(&own, &three)),
        ("action.*", with(&own, &[(Field::Action, "resource7.*")])),
        ("address", with(&own, &[(Field::Ip, "203.0.113.200")])),
        ("target", with(&Scope::All, &[(Field::Target, "document:777")])),
        ("request", with(&Scope::All, &[(Field::Request, &request)])),
        ("word, everywhere", with(&own, &[(Field::Word, "added")])),
        ("word, often", with(&own, &[(Field::Word, "listino77")])),
        ("word, seldom", with(&own, &[(Field::Word, "123456")])),
        ("beginning of a word", with(&own, &[(Field::Word, "sur")])),
        ("one digit", with(&own, &[(Field::Word, "7")])),
        ("phrase", with(&own, &[(Field::Word, "price list 1234")])),
        ("word and user", with(&own, &[(Field::Word, "listino77"), (Field::User, "u_50")])),
        ("a week, long ago", Filter { since: days(60), until: days(53), ..Filter::all(own) }),
    ]
}

fn questions(path: &Path) {
    let count = events_or(1_000_000);
    let start = Instant::now();
    let store = fill(path, count);
    let bytes = path.metadata().map_or(0, |meta| meta.len());
    println!("\n{count} events in {:.1} s, {} bytes each", start.elapsed().as_secs_f64(), bytes / count.max(1));
    let end = event(count, count).time;
    let head = ["ms: median (worst)", "first page", "count to 10000", "30 bars", "5 facets"];
    println!("{:26}{:>16}{:>16}{:>16}{:>16}", head[0], head[1], head[2], head[3], head[4]);
    for (name, filter) in filters(end) {
        let since = filter.since.unwrap_or(end - SignedDuration::from_hours(24 * 30));
        let until = filter.until.unwrap_or(end);
        let step = (until.as_second() - since.as_second()) / 30;
        let edges: Vec<Timestamp> = (0..=30).map(|n| since + SignedDuration::from_secs(n * step)).collect();
        let ranged = Filter { since: Some(since), until: Some(until), ..filter.clone() };
        let page = timed(|| drop(store.page(&filter, Order::Descending, 50, None).expect("a page")));
        let counted = timed(|| {
            std::hint::black_box(store.count(&filter, 10_000).expect("a count"));
        });
        let bars = timed(|| drop(store.histogram(&ranged, &edges).expect("a histogram")));
        let facets = timed(|| {
            for field in [Field::Category, Field::User, Field::Action, Field::Outcome, Field::Workspace] {
                drop(store.facet(&ranged, field, 50).expect("a facet"));
            }
        });
        println!("{name:26}{page:>16}{counted:>16}{bars:>16}{facets:>16}");
    }
    println!("resident {} kB", resident());
}

/// The whole page, as a browser is sent it: list, count, chart, menus, drawn as HTML.
fn pages(path: &Path) {
    let (recorder, store) = open_at(path);
    let newest = store.newest().expect("a position");
    let filter = Filter { upto: Some(newest), ..Filter::all(Scope::All) };
    let end =
        store.page(&filter, Order::Descending, 1, None).expect("a page").events.first().map(|last| last.event.time);
    let state = State::new(Parts {
        store,
        recorder,
        clock: Clock::standing_at(end.unwrap_or_default()),
        settings: sidetrail::read::Settings::default(),
        rules: Arc::new(ArcSwap::from_pointee(Rules::default())),
        rulebook: None,
        registry: Registry::default(),
    });
    let router = router(state);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(8).build();
    let runtime = runtime.expect("a runtime");
    println!("\nwhole page, ms: median (worst)");
    for (name, address) in [
        ("everything", "/"),
        ("30 days", "/?since=-30d"),
        ("24 hours", "/?since=-24h"),
        ("one workspace", "/?workspace=w0"),
        ("category", "/?category=Category+3"),
        ("busy user", "/?user=u_1"),
        ("rare user", "/?user=person390@acme.example"),
        ("category, user, failure", "/?category=Category+3&user=u_50&outcome=failure"),
        ("target", "/?target=document:777"),
        ("target of nobody", "/?target=document:never"),
        ("word, often", "/?q=listino77"),
        ("word, seldom", "/?q=123456"),
    ] {
        let ask = || async {
            let request = axum::http::Request::get(address).header("host", "127.0.0.1:8081");
            let mut request = request.body(axum::body::Body::empty()).expect("a request");
            request
                .extensions_mut()
                .insert(axum::extract::ConnectInfo(std::net::SocketAddr::from(([127, 0, 0, 1], 9))));
            let answer = router.clone().oneshot(request).await.expect("an answer");
            assert_eq!(answer.status(), 200, "{name}");
            axum::body::to_bytes(answer.into_body(), usize::MAX).await.expect("a page").len()
        };
        let first = Instant::now();
        let bytes = runtime.block_on(ask());
        let first = first.elapsed().as_secs_f64() * 1e3;
        let page = timed(|| assert!(runtime.block_on(ask()) > 0));
        println!("{name:26}{page:>16}   the first time {first:.1}, {bytes} bytes");
    }
    println!("resident {} kB", resident());
}

fn timed(mut work: impl FnMut()) -> String {
    let mut times: Vec<f64> = (0..21)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let at = |place: usize| times.get(place).copied().unwrap_or(0.0);
    format!("{:.2} ({:.1})", at(10), at(20))
}
