//! Recordings as Chrome, Firefox and mitmproxy write them.

use serde_json::{Value, json};
use sidetrail::capture::har::{HarError, parse};
use sidetrail::exchange::{Body, End, Exchange, Seen};

fn recording(entries: &[Value]) -> Vec<u8> {
    json!({"log": {"version": "1.2", "creator": {"name": "x"}, "entries": entries}}).to_string().into_bytes()
}

fn entry(request: Value, response: Value) -> Value {
    json!({"startedDateTime": "2026-01-07T17:25:56.412+01:00", "time": 38.5, "request": request, "response": response,
           "cache": {}, "timings": {}})
}

fn get() -> Value {
    json!({"method": "GET", "url": "https://platform.acme.it/api/v1/me", "headers": []})
}

fn only(entry: Value) -> Exchange {
    let [exchange] = <[Exchange; 1]>::try_from(parse(&recording(&[entry])).unwrap()).ok().unwrap();
    exchange
}

fn request_body(post_data: &Value) -> Body {
    let request = json!({"method": "POST", "url": "http://h/x", "headers": [], "bodySize": 7, "postData": post_data});
    only(entry(request, json!({"status": 200}))).request.body
}

fn response_body(content: &Value) -> Body {
    only(entry(get(), json!({"status": 200, "headers": [], "content": content}))).response.unwrap().body
}

#[test]
fn an_entry_of_chrome_is_an_exchange() {
    let exchange = only(entry(
        json!({
            "method": "PATCH", "url": "https://platform.acme.it/api/v1/documents/7?a=%20b#top", "httpVersion": "h2",
            "headers": [{"name": ":authority", "value": "x"}, {"name": "Authorization", "value": "Bearer t"}],
            "cookies": [{"name": "sid", "value": "1"}, {"name": "b", "value": "2"}],
            "postData": {"mimeType": "application/json", "text": "{\"name\":\"Price list.pdf\"}"}}),
        json!({"status": 200, "headers": [{"name": "content-encoding", "value": "gzip"}],
               "content": {"size": 9, "mimeType": "application/json", "text": "eyJpZCI6N30=", "encoding": "base64"}}),
    ));
    assert_eq!(exchange.started.to_string(), "2026-01-07T16:25:56.412Z");
    assert_eq!(exchange.duration.as_micros(), 38_500);
    assert_eq!(
        (exchange.request.method.as_str(), exchange.request.target.as_str()),
        ("PATCH", "/api/v1/documents/7?a=%20b")
    );
    let headers = &exchange.request.headers;
    assert_eq!(headers.iter().count(), 3);
    assert_eq!((headers.first("host"), headers.first("cookie")), (Some("platform.acme.it"), Some("sid=1; b=2")));
    assert_eq!(exchange.request.body.content, &b"{\"name\":\"Price list.pdf\"}"[..]);
    let response = exchange.response.unwrap();
    assert_eq!((&response.body.content[..], response.body.seen), (&b"{\"id\":7}"[..], Seen::Whole), "already unpacked");
    assert_eq!(exchange.end, End::Complete);
}

#[test]
fn forms_are_read_from_their_text_or_from_their_parameters() {
    let urlencoded = |data: Value| String::from_utf8(request_body(&data).content.to_vec()).unwrap();
    let kind = "application/x-www-form-urlencoded";
    assert_eq!(urlencoded(json!({"mimeType": kind, "text": "a=1&b=x+y", "params": [{"name": "a"}]})), "a=1&b=x+y");
    let params = json!([{"name": "a", "value": "1"}, {"name": "b", "value": "x & y"}]);
    assert_eq!(urlencoded(json!({"mimeType": kind, "text": "", "params": params})), "a=1&b=x+%26+y");

    let text = "--b\r\nContent-Disposition: form-data; name=f; filename=\"a.pdf\"\r\n\r\nabc\r\n--b--\r\n";
    let whole = request_body(&json!({"mimeType": "multipart/form-data; boundary=b", "text": text}));
    assert_eq!((whole.parts.len(), whole.parts[0].size, whole.parts[0].sha256.is_some()), (1, 3, true));

    let params = json!([{"name": "note", "value": "hi"},
                        {"name": "f", "fileName": "a.pdf", "contentType": "application/pdf"}]);
    for data in [
        json!({"mimeType": "multipart/form-data; boundary=b", "params": params}),
        json!({"mimeType": "multipart/form-data; boundary=b", "text": "--b\n no form \n", "params": params}),
    ] {
        let body = request_body(&data);
        assert_eq!(body.seen, Seen::Whole);
        assert_eq!((body.parts[0].text.as_deref(), body.parts[1].filename.as_deref()), (Some("hi"), Some("a.pdf")));
        assert_eq!((body.parts[1].sha256.as_deref(), body.parts[1].text.as_deref()), (None, None));
    }
}

#[test]
fn a_binary_body_of_mitmproxy_is_unpacked() {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(b"{\"a\":1}").unwrap();
    let text = {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(gzip.finish().unwrap())
    };
    let headers =
        json!([{"name": "Content-Encoding", "value": "gzip"}, {"name": "Content-Type", "value": "application/json"}]);
    let data = json!({"mimeType": "application/json", "text": text, "encoding": "base64"});
    let request = json!({"method": "POST", "url": "http://h", "headers": headers, "postData": data});
    let exchange = only(entry(request, json!({"status": 204, "content": {"size": 0, "mimeType": ""}})));
    assert_eq!((&exchange.request.body.content[..], exchange.request.target.as_str()), (&b"{\"a\":1}"[..], "/"));
    assert_eq!(exchange.response.unwrap().body.seen, Seen::Whole);
}

#[test]
fn a_body_that_is_not_in_the_recording_is_not_taken_for_an_empty_one() {
    let missing = Seen::Unreadable("the recording does not hold it".to_owned());
    assert_eq!(response_body(&json!({"size": 512, "mimeType": "application/json"})).seen, missing);
    assert_eq!(response_body(&json!({"size": -1})).seen, Seen::Whole);
    assert_eq!(request_body(&Value::Null).seen, missing);
    assert_eq!(request_body(&json!({"mimeType": "application/json", "text": ""})).seen, missing);
    let broken = response_body(&json!({"size": 3, "text": "***", "encoding": "base64"}));
    assert_eq!(broken.seen, Seen::Unreadable("the recording's base64 is broken".to_owned()));
}

#[test]
fn what_got_no_answer_is_told_apart_from_what_never_left() {
    let none = json!({"status": 0, "headers": [], "content": {"size": 0}});
    let with = |error: &str| {
        let mut entry = entry(get(), none.clone());
        entry["_error"] = json!(error);
        only(entry)
    };
    assert_eq!(only(entry(get(), none.clone())).end, End::Unanswered);
    assert_eq!(with("net::ERR_ABORTED").end, End::Unanswered);
    assert_eq!(with("net::ERR_CONNECTION_REFUSED").end, End::NeverSent);
    assert!(with("net::ERR_ABORTED").response.is_none());
}

#[test]
fn what_never_was_on_its_way_is_left_out_and_the_rest_stands_in_the_order_of_its_end() {
    let mut cached = entry(get(), json!({"status": 200}));
    cached["_fromCache"] = json!("disk");
    let data = entry(json!({"method": "GET", "url": "data:text/plain,x"}), json!({"status": 200}));
    let mut slow = entry(json!({"method": "GET", "url": "http://h/slow"}), json!({"status": 200}));
    slow["time"] = json!(5000);
    let quick = entry(json!({"method": "GET", "url": "http://h?quick"}), json!({"status": 200}));
    let targets: Vec<_> = parse(&recording(&[cached, data, slow, quick])).unwrap();
    let targets: Vec<_> = targets.iter().map(|exchange| exchange.request.target.as_str()).collect();
    assert_eq!(targets, ["/?quick", "/slow"]);
}

#[test]
fn a_mistake_is_named_with_its_place() {
    let error = |text: &[u8]| parse(text).err().unwrap().to_string();
    assert_eq!(
        error(b"{\"log\": {\"entries\": [\n  {\"startedDateTime\": 7}]}}"),
        "2:23: `log.entries[0].startedDateTime`: invalid type: integer `7`, expected a string"
    );
    assert_eq!(error(b"{\"log\": {}}"), "1:10: `log`: missing field `entries`");
    assert!(error(b"{\"log\":").starts_with("1:7: "), "{}", error(b"{\"log\":"));
    let mut wrong = entry(get(), json!({"status": 200}));
    wrong["startedDateTime"] = json!("yesterday");
    assert_eq!(
        error(&recording(&[entry(get(), json!({"status": 200})), wrong])),
        "`log.entries[1].startedDateTime`: `yesterday` is not a time (RFC 3339)"
    );
    let status = entry(get(), json!({"status": 99999}));
    assert!(matches!(parse(&recording(&[status])), Err(HarError::Value { entry: 0, member: "response.status", .. })));
    assert!(parse("\u{feff}{\"log\":{\"entries\":[]}}".as_bytes()).unwrap().is_empty());
}
