//! Requests that the gate refuses are in the log, and cannot fill it.

use super::*;

#[test]
fn refusals_are_events_a_few_a_minute_and_then_a_number() {
    let (address, heard) = platform(created);
    let serve = Serve::start(address, "", "");
    let odd = "DELETE /things/7;sid=SECRET?key=SECRET HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    for request in [odd, "nonsense\r\n\r\n"] {
        assert!(serve.ask(request).starts_with("HTTP/1.1 400 "));
    }
    let chunk = "POST /things HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n";
    for _ in 0..23 {
        assert!(serve.ask(chunk).starts_with("HTTP/1.1 400 "));
    }
    assert!(heard.lock().unwrap().is_empty(), "nothing went upstream");
    let events = serve.stop();
    assert_eq!(events.len(), 11, "{events:?}");
    let first = &events[0];
    let text = "refused DELETE /things/7;sid=…: `Host` is missing, repeated or malformed (RFC 9112 section 3.2)";
    assert_eq!(first["message"], text);
    assert_eq!((&first["action"], &first["category"]), (&"proxy.refused".into(), &"Proxy".into()));
    assert_eq!((&first["details"]["reason"], &first["outcome"]), (&"host".into(), &"denied".into()));
    assert_eq!((&first["request"]["status"], &first["source"]["ip"]), (&400.into(), &"127.0.0.1".into()));
    assert!(first["workspace"].is_null() && !first.to_string().contains("SECRET"), "{first}");
    assert!(messages(&events)[1].starts_with("refused a request: the start line"), "{}", events[1]);
    assert!(messages(&events)[2].starts_with("refused POST /things: a chunk"), "{}", events[2]);
    assert!(messages(&events)[10].starts_with("15 more requests were refused between "), "{}", events[10]);
}

#[test]
fn a_refusal_names_the_client_behind_a_trusted_proxy_where_its_head_can_be_read() {
    let (address, _) = platform(created);
    let serve = Serve::start(address, "trusted_proxies = ['127.0.0.1']", "");
    let from = "X-Forwarded-For: 6.6.6.6, 203.0.113.7";
    let chunked = "POST /things HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked";
    // Two hosts; a chunk that is none; one that comes later; a line that cannot be read.
    assert!(serve.ask(format!("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n{from}\r\n\r\n")).contains(" 400 "));
    assert!(serve.ask(format!("{chunked}\r\n{from}\r\n\r\nZZ\r\n")).contains(" 400 "));
    let mut socket = serve.connect();
    write!(socket, "{}\r\n{from}\r\n\r\n2\r\nab\r\n", chunked.replace("/things", "/other")).unwrap();
    thread::sleep(Duration::from_millis(200));
    let _ = socket.write_all(b"ZZ\r\n");
    let _ = read_message(&mut socket);
    assert!(serve.ask(format!("GET / HTTP/1.1\r\nHost: a\r\n{from}\r\n folded\r\n\r\n")).contains(" 400 "));
    let events = serve.stop();
    let addresses: Vec<_> = events.iter().map(|event| event["source"]["ip"].as_str().unwrap()).collect();
    assert_eq!(addresses, ["203.0.113.7", "203.0.113.7", "203.0.113.7", "127.0.0.1"], "{events:?}");
}
