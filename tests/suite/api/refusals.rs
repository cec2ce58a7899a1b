//! What is refused, and how it is said.

use sidetrail::read::Settings;
use sidetrail::record::Right;

use super::{Client, token};
use crate::fixture::{Fixture, events};

#[tokio::test]
async fn a_malformed_parameter_is_named_with_its_place() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let table = [
        ("/api/v1/events?since=yesterday", "since", 1),
        ("/api/v1/events?until=2026-02-30", "until", 1),
        ("/api/v1/events?since=2026-01-10&until=2026-01-09", "since", 1),
        ("/api/v1/events?usr=anna", "usr", 1),
        ("/api/v1/events?not.since=-7d", "not.since", 1),
        ("/api/v1/events?outcome=ok", "outcome", 1),
        ("/api/v1/events?limit=0", "limit", 1),
        ("/api/v1/events?limit=1001", "limit", 1),
        ("/api/v1/events?limit=ten", "limit", 1),
        ("/api/v1/events?limit=1&limit=2", "limit", 1),
        ("/api/v1/events?order=newest", "order", 1),
        ("/api/v1/events?count=all", "count", 1),
        ("/api/v1/events?tz=Europe/Roma", "tz", 1),
        ("/api/v1/events?ip=localhost", "ip", 1),
        ("/api/v1/events?action=*", "action", 1),
        ("/api/v1/events?q=price+acter:x", "q", 7),
        ("/api/v1/events?q=%22price", "q", 1),
        ("/api/v1/events?user=%ff", "user", 1),
        ("/api/v1/events?user=a%0Ab", "user", 2),
        ("/api/v1/events?cursor=AAAA", "cursor", 1),
        ("/api/v1/events?format=csv", "format", 1),
        ("/api/v1/events/facets?field=colour", "field", 1),
        ("/api/v1/events/facets?cursor=x", "cursor", 1),
        ("/api/v1/events/histogram?buckets=0", "buckets", 1),
        ("/api/v1/events/histogram?buckets=1001", "buckets", 1),
        ("/api/v1/events/export", "format", 1),
        ("/api/v1/events/export?format=xml", "format", 1),
        ("/api/v1/events/export?format=csv&limit=10", "limit", 1),
        ("/api/v1/events/export?format=csv&bom=yes", "bom", 1),
        ("/api/v1/events/019b9a3e-6d1c-7c55-9c0e-0f2f4b8f5a11?x=1", "x", 1),
    ];
    for (path, parameter, column) in table {
        let answer = client.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (400, "application/problem+json"), "{path}");
        let wrong = &answer.json()["errors"];
        let found = (wrong[0]["parameter"].as_str(), wrong[0]["column"].as_u64(), wrong.as_array().unwrap().len());
        assert_eq!(found, (Some(parameter), Some(column), 1), "{path}");
    }
    let all = client.get("/api/v1/events?since=yesterday&outcome=succes&q=acter:cosimo&categroy=x").await;
    insta::assert_json_snapshot!(all.json());
}

#[tokio::test]
async fn an_open_log_answers_only_to_its_own_names() {
    let settings =
        Settings { public_url: Some("https://audit.acme.it".to_owned().try_into().unwrap()), ..Settings::default() };
    let fixture = Fixture::with(settings, events()).await;
    let client = Client::new(&fixture);
    for host in ["localhost:8081", "127.0.0.1:8081", "[::1]:8081", "audit.acme.it", "localhost"] {
        assert_eq!(client.at_host(host).get("/api/v1/events").await.status, 200, "{host}");
    }
    for host in ["evil.example", "evil.example:8081", "localhost.evil.example", "127.0.0.1.nip.io", "10.0.0.1:8081"] {
        let refused = client.at_host(host).get("/api/v1/events").await;
        assert_eq!(refused.status, 421, "{host}");
        assert!(refused.text().contains("read.public_url"));
        assert_eq!(client.at_host(host).get("/readyz").await.status, 200, "probes ask by address: {host}");
    }
    let text = token(&fixture, "Acme", &[Right::Read], None);
    assert_eq!(client.at_host("10.0.0.1:8081").bearer(&text).get("/api/v1/events").await.status, 200);
    assert_eq!(client.at_host("evil.example").get("/api/v1/events").await.status, 401);
}

#[tokio::test]
async fn another_site_cannot_sign_anybody_in_or_out() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "http://127.0.0.1:9999"),
        ("origin", "null"),
    ] {
        for path in ["/sign-in", "/sign-out"] {
            let refused = client.with(name, value).send("POST", path, "token=st_x").await;
            assert_eq!(refused.status, 403, "{name}: {value} at {path}");
        }
    }
    let export = client.with("sec-fetch-site", "cross-site").get("/api/v1/events/export?format=csv").await;
    assert_eq!(export.status, 403);
}

#[tokio::test]
async fn a_form_without_a_token_is_a_malformed_one() {
    let refused = Client::new(&Fixture::new().await).send("POST", "/sign-in", "tokn=st_x").await;
    assert_eq!((refused.status, refused.header("content-type")), (400, "application/problem+json"));
    assert_eq!(refused.json()["errors"][0]["parameter"], "token");
}

#[tokio::test]
async fn over_plain_http_nobody_signs_in_from_elsewhere() {
    let fixture = Fixture::new().await;
    let text = token(&fixture, "Acme", &[Right::Read], None);
    let elsewhere = Client::new(&fixture).at_host("10.0.0.1:8081");
    let refused = elsewhere.send("POST", "/sign-in", &format!("token={text}")).await;
    assert_eq!((refused.status, refused.header("set-cookie")), (403, ""));
    assert!(!elsewhere.get("/sign-in").await.text().contains("name=\"token\""));
}

#[tokio::test]
async fn over_https_the_cookie_is_for_this_host_alone() {
    let settings =
        Settings { public_url: Some("https://audit.acme.it".to_owned().try_into().unwrap()), ..Settings::default() };
    let fixture = Fixture::with(settings, Vec::new()).await;
    let text = token(&fixture, "Acme", &[Right::Read], None);
    let client = Client::new(&fixture).at_host("audit.acme.it").with("origin", "https://audit.acme.it");
    let cookie = client.send("POST", "/sign-in", &format!("token={text}")).await.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-sidetrail=") && cookie.contains("; Path=/; HttpOnly; Secure"), "{cookie}");
    assert!(!cookie.contains("Domain"));
    let given = cookie.split(';').next().unwrap();
    assert_eq!(client.with("cookie", given).get("/api/v1/events").await.status, 200);
    let tossed = given.replace("__Host-", "");
    assert_eq!(client.with("cookie", &tossed).get("/api/v1/events").await.status, 401, "a neighbour may set that one");
}
