//! Who may read what: tokens, sessions, workspaces.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use axum::response::IntoResponse as _;
use http_body_util::BodyExt as _;
use serde_json::Value;
use sidetrail::read::Settings;
use sidetrail::record::query::{Filter, Scope};
use sidetrail::record::{Right, Which};

use super::{Client, token};
use crate::fixture::{Fixture, NOW, at, events};

/// People who act in workspace 40 only, and its id as it stands in addresses and fields.
const FORTY: [&str; 5] = ["u_816", "u_817", "u_818", "workspaces/40", "\"workspace\":\"40\""];

#[tokio::test]
async fn a_token_of_one_workspace_never_sees_another() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture).bearer(&token(&fixture, "Acme", &[Right::Read, Right::Export], Some(&["39"])));
    let mine = events().iter().filter(|event| event.workspace.as_deref() == Some("39")).count();
    for path in [
        "/api/v1/events?limit=1000&count=exact",
        "/api/v1/events?limit=1000&workspace=40",
        "/api/v1/events?limit=1000&user=u_816",
        "/api/v1/events?limit=1000&q=workspace:40",
        "/api/v1/events?limit=1000&q=Zo%C3%AB",
        "/api/v1/events?limit=1000&not.workspace=39",
        "/api/v1/events/facets",
        "/api/v1/events/facets?workspace=40",
        "/api/v1/events/histogram?workspace=40",
        "/api/v1/events/export?format=ndjson",
        "/api/v1/events/export?format=csv&workspace=40",
    ] {
        let answer = client.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        for secret in FORTY {
            assert!(!answer.text().contains(secret), "{path} shows {secret}");
        }
    }
    let list = client.get("/api/v1/events?limit=1000&count=exact&not.action=log.exported").await.json();
    assert_eq!((list["data"].as_array().unwrap().len(), list["count"]["value"].as_u64()), (mine, Some(mine as u64)));
    let histogram = client.get("/api/v1/events/histogram?not.action=log.exported").await.json();
    let bars = histogram["buckets"].as_array().unwrap();
    assert_eq!(bars.iter().map(|bar| bar["count"].as_u64().unwrap()).sum::<u64>(), mine as u64);
    let facets: Value = client.get("/api/v1/events/facets?field=workspace").await.json();
    assert_eq!(facets["facets"][0]["values"].as_array().unwrap().len(), 1);
    for event in events() {
        let status = client.get(&format!("/api/v1/events/{}", event.id)).await.status;
        assert_eq!(status, if event.workspace.as_deref() == Some("39") { 200 } else { 404 });
    }
}

#[tokio::test]
async fn the_first_token_closes_the_log_at_once_and_for_good() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    assert_eq!(client.get("/api/v1/events").await.status, 200);
    let text = token(&fixture, "First", &[Right::Read], None);
    let refused = client.get("/api/v1/events").await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Bearer realm=\"sidetrail\""));
    assert_eq!(client.bearer(&text).get("/api/v1/events").await.status, 200);
    for wrong in ["st_wrong", "", &text[..text.len() - 1]] {
        assert_eq!(client.bearer(wrong).get("/api/v1/events").await.status, 401, "{wrong}");
    }
    assert_eq!(client.with("authorization", "Basic c3Q6eA==").get("/api/v1/events").await.status, 401);
    fixture.store.revoke_token(&Which::Either("First".to_owned()), at("2026-01-14T12:00:00Z")).unwrap();
    assert_eq!(client.bearer(&text).get("/api/v1/events").await.status, 401);
    assert_eq!(client.get("/api/v1/events").await.status, 401, "revoking the last token opens nothing");
}

#[tokio::test]
async fn a_token_without_read_reads_nothing() {
    let fixture = Fixture::new().await;
    let admin = Client::new(&fixture).bearer(&token(&fixture, "Reload", &[Right::Admin], None));
    assert_eq!(admin.get("/api/v1/events").await.status, 403);
    assert_eq!(admin.get("/api/v1/events/facets").await.status, 403);
}

#[tokio::test]
async fn signing_in_gives_a_cookie_that_is_not_the_token() {
    let fixture = Fixture::new().await;
    let text = token(&fixture, "Anna", &[Right::Read], None);
    let client = Client::new(&fixture).with("origin", "http://127.0.0.1:8081");
    let form = client.get("/sign-in?next=/%3Fuser%3Dcosimo").await;
    assert!(form.status == 200 && form.text().contains("value=\"/?user=cosimo\""), "{}", form.text());
    let refused = client.send("POST", "/sign-in", "token=st_guess&next=/").await;
    assert_eq!((refused.status, refused.header("set-cookie")), (401, ""));
    let signed_in = client.send("POST", "/sign-in", &format!("token={text}&next=/%3Fuser%3Dcosimo")).await;
    assert_eq!((signed_in.status, signed_in.header("location")), (303, "/?user=cosimo"));
    let cookie = signed_in.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    assert!(!cookie.contains(&text) && !cookie.contains("Secure"), "{cookie}");
    let inside = client.with("cookie", cookie.split(';').next().unwrap());
    let recorded = inside.all("category=Access&action=reader.*&order=asc").await;
    let told: Vec<_> =
        recorded.iter().map(|e| (e["action"].as_str().unwrap(), e["outcome"].as_str().unwrap())).collect();
    assert_eq!(told, [("reader.sign_in_refused", "denied"), ("reader.signed_in", "success")]);
    assert_eq!(recorded[1]["actor"]["name"], "Anna");
    assert_eq!(client.with("cookie", format!("sidetrail={text}")).get("/api/v1/events").await.status, 401);
    fixture.clock.set(at("2026-01-14T23:59:59Z"));
    assert_eq!(inside.get("/api/v1/events").await.status, 200);
    let out = inside.send("POST", "/sign-out", "").await;
    assert_eq!((out.status, out.header("location")), (303, "/sign-in"));
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(inside.get("/api/v1/events").await.status, 401);
}

#[tokio::test]
async fn a_session_ends_with_its_token() {
    let fixture = Fixture::new().await;
    let text = token(&fixture, "Anna", &[Right::Read], None);
    let client = Client::new(&fixture);
    let cookie = client.send("POST", "/sign-in", &format!("token={text}")).await.header("set-cookie").to_owned();
    let inside = client.with("cookie", cookie.split(';').next().unwrap());
    assert_eq!(inside.get("/api/v1/events").await.status, 200);
    fixture.store.revoke_token(&Which::Either("Anna".to_owned()), at("2026-01-14T12:00:00Z")).unwrap();
    assert_eq!(inside.get("/api/v1/events").await.status, 401);
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let fixture = Fixture::new().await;
    let text = token(&fixture, "Anna", &[Right::Read], None);
    let client = Client::new(&fixture);
    for _ in 0..10 {
        assert_eq!(client.send("POST", "/sign-in", "token=st_guess").await.status, 401);
    }
    let slowed = client.send("POST", "/sign-in", "token=st_guess").await;
    assert_eq!((slowed.status, slowed.header("retry-after")), (429, "300"));
    let recorded = client.bearer(&text).all("action=reader.sign_in_refused").await;
    assert_eq!(recorded.len(), 10, "nobody fills the log by guessing");
    let signed_in = client.send("POST", "/sign-in", &format!("token={text}")).await;
    assert_eq!(signed_in.status, 303, "who has a token is not locked out by those who guess");
}

#[tokio::test]
async fn figures_of_all_workspaces_are_for_tokens_of_all_workspaces() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    assert_eq!(client.get("/metrics").await.status, 200, "without tokens everything is open");
    let (all, one) =
        (token(&fixture, "Ops", &[Right::Read], None), token(&fixture, "A", &[Right::Read], Some(&["39"])));
    let admin = token(&fixture, "Reload", &[Right::Admin], None);
    assert_eq!(client.get("/metrics").await.status, 401);
    assert_eq!(client.bearer(&one).get("/metrics").await.status, 403);
    assert_eq!(client.bearer(&admin).get("/metrics").await.status, 403);
    assert_eq!(client.bearer(&all).get("/metrics").await.status, 200);
    for probe in ["/livez", "/readyz"] {
        assert_eq!(client.get(probe).await.status, 200, "{probe} says nothing of anybody");
    }
    let open = Fixture::with(Settings { metrics_open: true, ..Settings::default() }, Vec::new()).await;
    token(&open, "Ops", &[Right::Read], None);
    assert_eq!(Client::new(&open).get("/metrics").await.status, 200);
}

#[tokio::test]
async fn a_question_that_takes_too_long_ends_and_says_how_to_ask() {
    let fixture = Fixture::with(Settings { query_ms: 50, ..Settings::default() }, events()).await;
    let (ended, told) = sync_channel(1);
    let asked = fixture.state.ask(move |store| {
        let answer = loop {
            if let Err(error) = store.histogram(&Filter::all(Scope::All), &[at("2026-01-07T00:00:00Z"), at(NOW)]) {
                break error;
            }
        };
        ended.send(answer.to_string()).unwrap();
        Err::<(), _>(answer)
    });
    let refused = asked.await.unwrap_err();
    let answer = refused.into_response();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["content-type"].as_bytes()),
        (503, &b"application/problem+json"[..])
    );
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("50 ms: ask for a shorter time"), "{problem}");
    let told = tokio::task::spawn_blocking(move || told.recv_timeout(Duration::from_secs(20)));
    assert!(told.await.unwrap().unwrap().contains("stopped"), "its thread is free again");
}
