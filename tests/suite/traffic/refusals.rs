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
