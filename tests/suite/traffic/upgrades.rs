//! WebSockets: their opening and their end are events where a rule matches, and counted where none does.

use super::*;

const SWITCHED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

fn open(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
}

/// Switches, sends twelve bytes for the first four, and then only listens.
fn sockets() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                while let Some((head, _)) = read_message(&mut socket) {
                    if head.contains("/things/8 ") {
                        socket.write_all(&reply("404 Not Found", "text/plain", "")).unwrap();
                        continue;
                    }
                    socket.write_all(SWITCHED.as_bytes()).unwrap();
                    if socket.read_exact(&mut [0; 4]).is_ok() {
                        socket.write_all(b"twelve bytes").unwrap();
                    }
                    let _ = socket.read_to_end(&mut Vec::new());
                    return;
                }
            });
        }
    });
    address
}

#[test]
fn the_opening_and_the_end_of_a_websocket_are_events() {
    let serve = Serve::start(sockets(), "", "");
    let mut socket = serve.connect();
    socket.write_all(open("/things/7/live").as_bytes()).unwrap();
    assert!(read_message(&mut socket).unwrap().0.starts_with("HTTP/1.1 101 "));
    until("the opening is in the log", || serve.exported().len() == 1);
    socket.write_all(b"four").unwrap();
    socket.read_exact(&mut [0; 12]).unwrap();
    drop(socket);
    until("the end is in the log", || serve.exported().len() == 2);
    let unmatched = serve.ask(open("/other"));
    assert!(unmatched.starts_with("HTTP/1.1 101 "), "{unmatched}");
    assert_eq!(serve.metric("proxy_upgrades_total"), 2);
    let events = serve.stop();
    let [opened, closed] = &events[..] else { panic!("{events:?}") };
    assert_eq!((opened["message"].as_str(), opened["action"].as_str()), (Some("watched 7"), Some("thing.watched")));
    let missing = opened["missing"].to_string();
    assert!(missing.contains("frames") && missing.contains("not read"), "{opened}");
    let said = closed["message"].as_str().unwrap();
    assert!(said.starts_with("watched 7: closed after 0.") && said.ends_with(" s, 4 B up, 12 B down"), "{said}");
    assert_eq!((&closed["action"], &closed["title"]), (&"thing.watched.closed".into(), &"watch thing: closed".into()));
    let details = &closed["details"];
    assert_eq!(
        (&details["bytes_up"], &details["bytes_down"], &details["opened"]),
        (&4.into(), &12.into(), &opened["id"])
    );
}

#[test]
fn a_websocket_that_a_stop_ends_is_told_of_too() {
    let serve = Serve::start(sockets(), "", "");
    let mut socket = serve.connect();
    socket.write_all(open("/things/7/live").as_bytes()).unwrap();
    read_message(&mut socket).unwrap();
    let events = serve.stop();
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(messages(&events)[1].starts_with("watched 7: closed after "));
}

#[test]
fn an_upgrade_that_the_platform_refused_has_no_end() {
    let serve = Serve::start(platform(|_, _| reply("403 Forbidden", "text/plain", "no")).0, "", "");
    assert!(serve.ask(open("/things/7/live")).starts_with("HTTP/1.1 403 "));
    let events = serve.stop();
    assert_eq!((messages(&events), &events[0]["outcome"]), (vec!["Failed: watched 7"], &"denied".into()));
}

#[test]
fn websockets_are_limited_and_closed_when_silent() {
    let serve = Serve::start(sockets(), "upgrades_max = 1\nupgrade_idle_timeout_ms = 300", "");
    let mut first = serve.connect();
    first.write_all(open("/a").as_bytes()).unwrap();
    read_message(&mut first).unwrap();
    let second = serve.ask(open("/b"));
    assert!(second.starts_with("HTTP/1.1 503 ") && second.contains("too-many-upgrades"), "{second}");
    let began = Instant::now();
    assert_eq!(first.read(&mut [0; 1]).unwrap(), 0, "closed");
    assert!(began.elapsed() < Duration::from_secs(3));
    until("its place is free", || serve.metric("proxy_open_upgrades") == 0);
    let third = serve.ask(open("/c"));
    assert!(third.starts_with("HTTP/1.1 101 "), "{third}");
}
