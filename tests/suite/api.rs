//! The API over the fixture's week: shapes, filters, pages, exports, who may read.

mod answers;
mod exports;
mod lists;
mod readers;
mod refusals;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use serde_json::Value;
use sidetrail::read;
use sidetrail::record::Right;
use tower::ServiceExt as _;

use crate::fixture::{Fixture, at};

/// Asks a router as a browser or a program on this machine would.
struct Client {
    router: Router,
    host: &'static str,
    /// Sent with every request.
    headers: Vec<(&'static str, String)>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Client {
    fn new(fixture: &Fixture) -> Client {
        Client { router: read::router(fixture.state.clone()), host: "127.0.0.1:8081", headers: Vec::new() }
    }

    /// The same, with one more header.
    fn with(&self, name: &'static str, value: impl Into<String>) -> Client {
        let mut headers = self.headers.clone();
        headers.push((name, value.into()));
        Client { router: self.router.clone(), host: self.host, headers }
    }

    fn bearer(&self, token: &str) -> Client {
        self.with("authorization", format!("Bearer {token}"))
    }

    fn at_host(&self, host: &'static str) -> Client {
        Client { router: self.router.clone(), host, headers: self.headers.clone() }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        let peer = ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 50_000)));
        let mut request = Request::builder().method(method).uri(path).header("host", self.host).extension(peer);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if method == "POST" {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// The events of a list, all pages of it.
    async fn all(&self, query: &str) -> Vec<Value> {
        let answer = self.get(&format!("/api/v1/events?limit=1000&{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        answer.json()["data"].as_array().unwrap().clone()
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Makes a token as `sidetrail token create` does.
fn token(fixture: &Fixture, name: &str, rights: &[Right], workspaces: Option<&[&str]>) -> String {
    let new = read::new_token().unwrap();
    let rights: BTreeSet<Right> = rights.iter().copied().collect();
    let workspaces = workspaces.map(|names| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>());
    let now = at("2026-01-14T11:00:00Z");
    fixture.store.create_token(name, &new.sha256, &rights, workspaces.as_ref(), now).unwrap();
    new.text
}

fn ids(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["id"].as_str().unwrap()).collect()
}
