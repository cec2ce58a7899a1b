//! The right events, once each, in order, whatever happens meanwhile.

use std::collections::BTreeSet;

use serde_json::Value;
use sidetrail::event::Event;

use super::{Client, ids};
use crate::fixture::{EVENTS, Fixture, at, events, late_event};

type Wanted = fn(&Event) -> bool;

/// A query, and which events it means.
const FILTERS: [(&str, Wanted); 19] = [
    ("", |_| true),
    ("category=Documents", |e| &*e.category == "Documents"),
    ("category=Documents&category=Builder", |e| ["Documents", "Builder"].contains(&&*e.category)),
    ("category=Agent+settigns", |e| &*e.category == "Agent settings"),
    ("not.category=Documents", |e| &*e.category != "Documents"),
    ("action=document.*", |e| e.action.starts_with("document.")),
    ("action=document.uploaded", |e| &*e.action == "document.uploaded"),
    ("user=u_812", |e| e.actor.id.as_deref() == Some("u_812")),
    ("user=cosimo@acme.it", |e| e.actor.id.as_deref() == Some("u_812")),
    ("user=COSIMO+SCARF%C3%92", |e| e.actor.id.as_deref() == Some("u_812")),
    ("not.user=u_812&not.user=u_813", |e| !matches!(e.actor.id.as_deref(), Some("u_812" | "u_813"))),
    ("outcome=denied&outcome=failure", |e| ["denied", "failure"].contains(&e.outcome.word())),
    ("workspace=40", |e| e.workspace.as_deref() == Some("40")),
    ("ip=203.0.113.9", |e| e.source.ip.is_some_and(|ip| ip.to_string() == "203.0.113.9")),
    ("target=document:900", |e| e.targets[0].kind == "document" && e.targets[0].id.as_deref() == Some("900")),
    ("request=req-0007", |e| e.request.as_ref().is_some_and(|request| request.id == "req-0007")),
    ("since=2026-01-10&until=2026-01-12&tz=Europe/Rome", |e| {
        e.time >= at("2026-01-09T23:00:00Z") && e.time < at("2026-01-11T23:00:00Z")
    }),
    ("q=-outcome:success+category:builder", |_| false),
    ("q=-outcome:success+category:Builder+created:%3E%3D-3d", |e| {
        e.outcome.word() != "success" && &*e.category == "Builder" && e.time >= at("2026-01-11T12:00:00Z")
    }),
];

#[tokio::test]
async fn list_count_facets_histogram_and_export_answer_for_the_same_events() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    for (query, wanted) in FILTERS {
        let mut expected: Vec<String> = events().iter().filter(|e| wanted(e)).map(|e| e.id.to_string()).collect();
        expected.reverse();
        let events = client.all(query).await;
        assert_eq!(ids(&events), expected, "{query}");
        let counted = client.get(&format!("/api/v1/events?limit=1&count=exact&{query}")).await.json();
        assert_eq!(counted["count"]["value"], expected.len(), "{query}");
        let histogram = client.get(&format!("/api/v1/events/histogram?{query}")).await.json();
        let bars = histogram["buckets"].as_array().unwrap();
        let sum: u64 = bars.iter().map(|bar| bar["count"].as_u64().unwrap()).sum();
        assert_eq!(sum, expected.len() as u64, "{query}");
        let export = client.send("HEAD", &format!("/api/v1/events/export?format=csv&{query}"), "").await;
        assert_eq!(export.header("sidetrail-count"), expected.len().to_string(), "{query}");
    }
}

#[tokio::test]
async fn a_facet_offers_the_values_that_its_own_filter_hides() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let facets = client.get("/api/v1/events/facets?field=outcome&outcome=denied&category=Documents").await.json();
    for value in facets["facets"][0]["values"].as_array().unwrap() {
        let query = format!("category=Documents&outcome={}", value["value"].as_str().unwrap());
        assert_eq!(client.all(&query).await.len() as u64, value["count"].as_u64().unwrap(), "{query}");
    }
    let all: u64 = facets["facets"][0]["values"].as_array().unwrap().iter().map(|v| v["count"].as_u64().unwrap()).sum();
    assert_eq!(all, client.all("category=Documents").await.len() as u64);
}

#[tokio::test]
async fn words_are_found_in_sentence_actor_and_target() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let texts = |events: &[Value]| -> Vec<String> { events.iter().map(|e| e["message"].to_string()).collect() };
    let lists = client.all("q=%22Price+list%22+uploaded").await;
    assert!(!lists.is_empty());
    assert!(texts(&lists).iter().all(|text| text.contains("uploaded") && text.contains("Price list")));
    let without = client.all("q=uploaded+-price").await;
    assert!(!without.is_empty() && texts(&without).iter().all(|text| !text.contains("Price")));
}

#[tokio::test]
async fn pages_join_to_the_whole_list_while_new_events_arrive() {
    for order in ["desc", "asc"] {
        let fixture = Fixture::new().await;
        let client = Client::new(&fixture);
        let whole = client.all(&format!("order={order}&not.outcome=denied")).await;
        let mut joined: Vec<Value> = Vec::new();
        let mut query = format!("order={order}&not.outcome=denied&limit=37&count=exact");
        for page in 0.. {
            let answer = client.get(&format!("/api/v1/events?{query}")).await.json();
            assert_eq!(answer["count"]["value"], whole.len());
            joined.extend(answer["data"].as_array().unwrap().iter().cloned());
            assert_eq!(answer["has_more"], answer["next_cursor"].is_string());
            // Time goes on, and so does the platform; the list stays what it was.
            let now = at("2026-01-14T12:00:01Z") + jiff::SignedDuration::from_secs(page);
            fixture.clock.set(now);
            fixture.recorder.record(vec![late_event(usize::try_from(page).unwrap(), now)]).await.unwrap();
            let Some(cursor) = answer["next_cursor"].as_str() else { break };
            query = format!("order={order}&not.outcome=denied&limit=37&count=exact&cursor={cursor}");
        }
        assert_eq!(joined.len(), whole.len());
        assert_eq!(ids(&joined), ids(&whole), "{order}");
        let distinct: BTreeSet<&str> = ids(&joined).into_iter().collect();
        assert_eq!(distinct.len(), joined.len());
        assert!(client.all("").await.len() > EVENTS, "the new events are in a list of their own time");
    }
}

#[tokio::test]
async fn a_cursor_opens_only_the_list_that_gave_it() {
    let fixture = Fixture::new().await;
    let client = Client::new(&fixture);
    let cursor =
        client.get("/api/v1/events?limit=5&user=u_812").await.json()["next_cursor"].as_str().unwrap().to_owned();
    let status = async |query: String| client.get(&format!("/api/v1/events?{query}")).await.status;
    assert_eq!(status(format!("user=u_812&cursor={cursor}")).await, 200);
    assert_eq!(status(format!("user=u_812&limit=9&count=none&cursor={cursor}")).await, 200, "the page may be another");
    assert_eq!(status(format!("user=u_813&cursor={cursor}")).await, 400);
    assert_eq!(status(format!("cursor={cursor}")).await, 400);
    assert_eq!(status(format!("user=u_812&order=asc&cursor={cursor}")).await, 400);
    assert_eq!(status(format!("user=u_812&cursor={}", cursor.replace(&cursor[8..9], "_"))).await, 400);
    assert_eq!(status("cursor=AAAA".to_owned()).await, 400);
    let other = Client::new(&Fixture::new().await);
    let foreign = other.get(&format!("/api/v1/events?user=u_812&cursor={cursor}")).await;
    assert_eq!((foreign.status, foreign.json()["errors"][0]["parameter"].as_str()), (400, Some("cursor")));
}
