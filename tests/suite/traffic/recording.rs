//! What was answered is in the log, whatever happens to store and platform.

use super::*;

#[test]
fn a_platform_that_is_away_gives_an_event() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let serve = Serve::start(nobody, "", "");
    assert!(serve.ask(make("x")).starts_with("HTTP/1.1 502 "));
    let events = serve.stop();
    // Nothing of its body was read: it went nowhere.
    assert_eq!((messages(&events), &events[0]["outcome"]), (vec!["Failed: made (unknown made)"], &"failure".into()));
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
