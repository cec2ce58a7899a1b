//! What was answered is in the log, whatever happens to store and platform.

use super::*;

/// Many things made by one request, in a workspace of its own.
const MANY: &str = r#"
category = "Things"
in_workspace = "header['x-workspace']"

[thing.made]
when       = "POST /things"
each       = "input.names"
target     = false
max_events = 4000
let.made   = "each"
message    = "made {{ made }}"
"#;

/// What the store waits for at most.
const DEADLINE: Duration = Duration::from_millis(300);

fn many(workspace: &str, count: usize) -> String {
    let names: Vec<String> = (0..count).map(|n| format!("\"{n}\"")).collect();
    let body = format!("{{\"names\":[{}]}}", names.join(","));
    format!(
        "POST /things HTTP/1.1\r\nHost: a\r\nX-Workspace: {workspace}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Takes the store away from whoever writes, until it is dropped.
fn lock(serve: &Serve) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(serve.folder.path().join("sidetrail.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

fn started(rules: &str, deadline: Duration) -> Serve {
    let upstream = format!("http://{}", platform(created).0);
    let store = format!("[store]\ndeadline_ms = {}", deadline.as_millis());
    Serve::with(rules, &upstream, "", &store, |program| Command::new(program))
}

#[test]
fn what_could_be_written_nowhere_is_a_gap_in_its_own_log_with_its_number() {
    let serve = started(MANY, Duration::from_secs(5));
    let locked = lock(&serve);
    // A folder in its place: the spill file cannot be written either.
    let spill = serve.folder.path().join("sidetrail.db.spill");
    std::fs::create_dir(&spill).unwrap();
    // So many still fit into memory; these do not.
    assert_eq!(serve.ask(many("39", 4000)), "", "a reply without a record breaks off");
    assert_eq!(serve.ask(many("40", 97)), "");
    assert_eq!(serve.ask(many("41", 98)), "");
    assert_eq!(serve.metric("events_unrecorded_total"), 4195);
    std::fs::remove_dir(spill).unwrap();
    drop(locked);
    until("the gaps are told", || serve.exported().iter().filter(|event| event["action"] == "record.gap").count() == 2);
    assert!(serve.ask(many("40", 1)).starts_with("HTTP/1.1 201 "), "writing works again");
    let events = serve.stop();
    let of =
        |workspace: &str| -> Vec<&Value> { events.iter().filter(|event| event["workspace"] == workspace).collect() };
    assert_eq!(of("39").len(), 4000, "what memory held is in the log");
    for (workspace, lost, kept) in [("40", 97, 1), ("41", 98, 0)] {
        let (gaps, others): (Vec<_>, Vec<_>) =
            of(workspace).into_iter().partition(|event| event["action"] == "record.gap");
        let [gap] = gaps[..] else { panic!("{workspace}: {gaps:?}") };
        assert_eq!((others.len(), &gap["details"]["count"]), (kept, &lost.into()), "{workspace}");
        let said = gap["message"].as_str().unwrap();
        assert!(said.starts_with(&format!("{lost} events could not be recorded between ")), "{said}");
        assert!(gap["details"]["from"].as_str() <= gap["details"]["to"].as_str(), "{gap}");
        assert_eq!(
            (&gap["outcome"], &gap["seq"]),
            (&"failure".into(), &1.into()),
            "in the log that it is missing from"
        );
    }
    assert_eq!(events.len(), 4000 + 2 + 1, "and nowhere else");
}

#[test]
fn a_store_that_is_locked_delays_a_reply_no_longer_than_its_deadline_and_the_event_comes_home() {
    let serve = started(RULES, DEADLINE);
    assert!(serve.ask(make("before")).starts_with("HTTP/1.1 201 "));
    let locked = lock(&serve);
    let began = Instant::now();
    assert!(serve.ask(make("while")).starts_with("HTTP/1.1 201 "), "it is on disk: in the spill file");
    let took = began.elapsed();
    assert!(took < 2 * DEADLINE + Duration::from_secs(2), "{took:?}");
    assert_eq!((serve.metric("record_spilled_events_total"), serve.exported().len()), (1, 1));
    drop(locked);
    until("it comes home", || serve.exported().len() == 2);
    assert!(serve.ask(make("after")).starts_with("HTTP/1.1 201 "));
    assert!(!serve.folder.path().join("sidetrail.db.spill").exists());
    assert_eq!(messages(&serve.stop()), ["made before", "made while", "made after"]);
}

#[test]
fn a_store_that_is_slow_is_waited_for() {
    let serve = started(RULES, DEADLINE);
    let locked = lock(&serve);
    let free = thread::spawn(move || {
        thread::sleep(DEADLINE / 3);
        drop(locked);
    });
    let began = Instant::now();
    assert!(serve.ask(make("slowly")).starts_with("HTTP/1.1 201 "));
    assert!(began.elapsed() >= DEADLINE / 4, "the reply ended before its event was written");
    free.join().unwrap();
    assert_eq!(messages(&serve.stop()), ["made slowly"]);
}

#[test]
fn a_platform_that_is_away_gives_an_event_with_the_values_of_what_was_asked() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let serve = Serve::start(nobody, "", "");
    assert!(serve.ask(make("at once")).starts_with("HTTP/1.1 502 "));
    // The body comes after the connection was tried.
    let mut socket = serve.connect();
    socket
        .write_all(
            b"POST /things HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        )
        .unwrap();
    thread::sleep(Duration::from_millis(200));
    socket.write_all(b"8\r\n{\"name\":\r\n8\r\n\"later\"}\r\n0\r\n\r\n").unwrap();
    assert!(read_message(&mut socket).unwrap().0.starts_with("HTTP/1.1 502 "));
    let events = serve.stop();
    assert_eq!(messages(&events), ["Failed: made at once", "Failed: made later"]);
    assert!(
        events.iter().all(|event| event["outcome"] == "failure" && event["missing"] == Value::Array(Vec::new())),
        "{events:?}"
    );
}

#[test]
fn a_body_that_nobody_will_get_is_not_waited_for_long_and_an_unwatched_one_not_at_all() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let serve = Serve::start(nobody, "", "");
    let took = |path: &str, more: &str| {
        let mut socket = serve.connect();
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\n{more}Content-Length: 100\r\n\r\n");
        socket.write_all(head.as_bytes()).unwrap();
        let began = Instant::now();
        assert!(read_message(&mut socket).unwrap().0.starts_with("HTTP/1.1 502 "));
        began.elapsed()
    };
    assert!(took("/other", "") < Duration::from_millis(700));
    assert!(
        took("/things", "Expect: 100-continue\r\n") < Duration::from_millis(700),
        "the client sends nothing unasked"
    );
    let watched = took("/things", "");
    assert!(Duration::from_millis(700) < watched && watched < Duration::from_secs(4), "{watched:?}");
    assert_eq!(messages(&serve.stop()).len(), 2);
}

#[test]
fn a_stop_under_load_keeps_the_event_of_every_reply() {
    let (address, _) = platform(created);
    let mut serve = Serve::start(address, "", "");
    let proxy = serve.proxy;
    let clients: Vec<_> = (0..8)
        .map(|client| {
            thread::spawn(move || {
                let (mut socket, mut told) = (connect(proxy), Vec::new());
                for number in 0..100_000 {
                    let name = format!("{client}-{number}");
                    if socket.write_all(make(&name).as_bytes()).is_err() || read_message(&mut socket).is_none() {
                        break;
                    }
                    told.push(format!("made {name}"));
                }
                told
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(300));
    serve.terminate();
    assert_eq!(serve.child.wait().unwrap().code(), Some(0));
    let told: Vec<String> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    let events = serve.exported();
    let kept: std::collections::BTreeSet<&str> = messages(&events).into_iter().collect();
    assert!(told.len() > 20, "{} replies", told.len());
    let missing: Vec<_> = told.iter().filter(|said| !kept.contains(said.as_str())).collect();
    assert!(missing.is_empty(), "answered and not in the log: {missing:?}");
}

#[test]
fn whoever_waits_for_the_last_replies_is_not_ready_for_more() {
    let (address, _) = platform(|head, body| {
        thread::sleep(Duration::from_millis(1_500));
        created(head, body)
    });
    let mut serve = Serve::start(address, "", "");
    let page = serve.page;
    let ready = || {
        let mut socket = connect(page);
        write!(socket, "GET /readyz HTTP/1.1\r\nHost: {page}\r\nConnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        text
    };
    assert!(ready().starts_with("HTTP/1.1 200"));
    let mut client = serve.connect();
    client.write_all(make("late").as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(200));
    serve.terminate();
    until("it says that it is stopping", || ready().contains("503") && ready().contains("is stopping"));
    assert!(read_message(&mut client).unwrap().0.starts_with("HTTP/1.1 201"));
    assert_eq!(serve.child.wait().unwrap().code(), Some(0));
}
