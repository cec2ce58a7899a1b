//! What answers look like, to the letter.

use serde_json::json;
use sidetrail::read;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::Client;
use crate::fixture::{EVENTS, Fixture};

/// A cursor is sealed with the store's own secret: other bytes in every store.
const SEALED: &str = "…";

#[tokio::test]
async fn a_list_looks_as_promised() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let mut list = client.get("/api/v1/events?limit=3&action=document.tag_added&action=team.*").await.json();
    assert!(list["next_cursor"].as_str().unwrap().len() > 40);
    list["next_cursor"] = json!(SEALED);
    insta::assert_json_snapshot!(list);
}

#[tokio::test]
async fn one_event_is_the_lists_object() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let event = client.all("user=u_813").await.remove(0);
    let one = client.get(&format!("/api/v1/events/{}", event["id"].as_str().unwrap())).await;
    assert_eq!((one.status, one.json()), (200, event));
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    for path in ["/api/v1/events/019b9a3e-6d1c-7c55-9c0e-0f2f4b8f5a11", "/api/v1/events/x", "/api/v1/nothing"] {
        let answer = client.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["status"], 404);
    }
    let answer = client.send("POST", "/api/v1/events", "").await;
    assert_eq!((answer.status, answer.header("allow")), (405, "GET,HEAD"));
}

#[tokio::test]
async fn facets_look_as_promised() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let facets = client.get("/api/v1/events/facets?field=category&field=outcome&field=workspace&field=user").await;
    insta::assert_json_snapshot!(facets.json());
}

#[tokio::test]
async fn a_histogram_looks_as_promised() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let histogram = client.get("/api/v1/events/histogram?since=-3d&buckets=8&tz=Europe/Rome").await;
    insta::assert_json_snapshot!(histogram.json());
}

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_head_works() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    for path in ["/api/v1/events", "/api/v1/events?limit=0", "/nothing", "/sign-in", "/livez", "/metrics"] {
        let (got, head) = (client.get(path).await, client.send("HEAD", path, "").await);
        assert_eq!((head.status, head.body.len()), (got.status, 0), "{path}");
        assert!(got.header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert!(got.header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(got.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(got.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(got.header("cache-control"), "no-store", "{path}");
    }
}

#[tokio::test]
async fn it_lives_is_ready_and_counts_by_route() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    assert_eq!(client.get("/livez").await.status, 200);
    assert_eq!(client.get("/readyz").await.status, 200);
    client.get("/api/v1/events/019b9a3e-6d1c-7c55-9c0e-0f2f4b8f5a11").await;
    let metrics = client.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text"));
    let line = "read_answers_total{route=\"/api/v1/events/{id}\",status=\"404\"} 1";
    assert!(metrics.text().contains(line), "{}", metrics.text());
}

#[tokio::test]
async fn every_route_and_parameter_is_in_the_document() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let document = client.get("/api/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/read/mod.rs")).unwrap();
    let routes: Vec<&str> = source.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(routes.len() >= 11, "{routes:?}");
    for route in routes {
        assert!(document["paths"][route].is_object(), "{route} is not in the document");
    }
    for (path, also) in [
        ("/api/v1/events", "order limit cursor count"),
        ("/api/v1/events/facets", "field limit"),
        ("/api/v1/events/histogram", "buckets"),
        ("/api/v1/events/export", "format order bom escape"),
    ] {
        let filters = "since until q tz category not.category action not.action user not.user target not.target \
                       outcome not.outcome ip not.ip workspace not.workspace request not.request";
        let mut expected: Vec<&str> = filters.split_whitespace().chain(also.split(' ')).collect();
        let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        let mut found: Vec<&str> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{path}");
        // What the document offers is taken, what it does not offer is not.
        for name in filters.split_whitespace().chain(also.split(' ')) {
            let query = if path.ends_with("export") { "format=csv&" } else { "" };
            let separate = if name == "format" { "" } else { query };
            let value = if name == "format" { "csv" } else { "" };
            let answer = client.send("HEAD", &format!("{path}?{separate}{name}={value}"), "").await;
            assert_eq!(answer.status, 200, "{path} does not take {name}");
        }
    }
}

#[tokio::test]
async fn it_serves_until_it_is_told_to_stop() {
    let fixture = Fixture::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(read::serve(listener, read::router(fixture.state.clone()), stop.clone()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET /api/v1/events/export?format=ndjson HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n0\r\n\r\n"), "a whole export ends with the last chunk");
    let lines = answer.lines().filter(|line| line.starts_with("{\"id\"")).count();
    assert_eq!(lines, EVENTS);
    stop.cancel();
    serving.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
