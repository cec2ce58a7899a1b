//! One platform for all hard cases: a publishing house with every habit that real ones have.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use http_body_util::BodyExt;
use regex::Regex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How long the slow book takes to be shown: longer than a look-up waits.
const SLOW: Duration = Duration::from_millis(900);

/// What it remembers.
#[derive(Default)]
struct House {
    /// Polls of a job.
    polls: HashMap<String, usize>,
    keys: HashSet<String>,
    /// GraphQL texts by their hashes.
    persisted: HashMap<String, String>,
}

type Shared = Arc<Mutex<House>>;

/// A house of its own.
pub(super) fn router() -> Router {
    let house = Shared::default();
    Router::new().fallback(move |request: Request| answer(Arc::clone(&house), request))
}

/// Serves it, until the runtime ends.
pub(super) async fn serve(router: Router) -> (SocketAddr, JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (address, tokio::spawn(async move { axum::serve(listener, router).await }))
}

async fn answer(house: Shared, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    // It honours the method that stands in a field.
    let method = match &*header("x-http-method-override") {
        "" => head.method.as_str().to_owned(),
        other => other.to_owned(),
    };
    let path: Vec<&str> = head.uri.path().trim_matches('/').split('/').collect();
    let place = path.strip_prefix(&["v1", "w1"]).unwrap_or(&path);
    let query = head.uri.query().unwrap_or("");
    if (&*method, place) == ("POST", &["documents"]) {
        return uploaded(&header("content-type"), body).await;
    }
    let sent = body.collect().await.unwrap().to_bytes();
    let sent: Value = serde_json::from_slice(&sent).unwrap_or_default();
    match (&*method, place) {
        ("GET", ["me"]) if header("cookie").contains("sid=bo-1") => {
            ok(json!({"id": 12, "name": "Bo", "email": "bo@house.it"}))
        }
        ("GET", ["me"]) => status(401),
        ("POST", ["login"]) if sent["password"] == "right" => {
            let person = json!({"person": {"id": 11, "email": sent["email"]}});
            with(200, &[("set-cookie", "sid=anna-1; HttpOnly")], person.to_string())
        }
        ("POST", ["login"]) => status(401),
        ("POST", ["graphql"]) => ok(graph(&house, &sent)),
        ("GET", ["people"]) => ok(json!({"people": [
            {"id": 204, "email": "ann@house.it", "role": "editor"}, {"id": 205, "email": "ben@house.it", "role": "reader"},
        ]})),
        ("GET", ["books", id]) => book(id).await,
        ("DELETE", ["books", "10"]) => with(409, &[], json!({"error": "it is lent"}).to_string()),
        ("GET", ["tags"]) => ok(json!({"tags": [
            {"id": 1, "name": "old"}, {"id": 2, "name": "kept"}, {"id": 3, "name": "new"}, {"id": 4, "name": "fresh"},
        ]})),
        ("GET", ["houses", "1"]) => ok(json!({"id": 1, "name": "Acme", "url": "acme.it", "timezone": "Europe/Rome"})),
        ("GET", ["documents"]) => ok(json!({"documents": [{"id": 901, "name": "Old manual.pdf"}]})),
        ("POST", ["loans"]) => lent(&sent, if query == "all=ok" { 200 } else { 207 }),
        ("POST", ["exports"]) => with(202, &[], json!({"job": {"id": "j-1"}}).to_string()),
        ("GET", ["jobs", id]) => {
            let mut house = lock(&house);
            let polls = house.polls.entry((*id).to_owned()).or_default();
            *polls += 1;
            ok(json!({"id": id, "state": if *polls < 2 { "running" } else { "done" }, "rows": 41}))
        }
        ("GET", ["shelves"]) => ok(json!({"shelves": [{"id": 7, "name": "North"}, {"id": 8, "name": "South"}]})),
        ("GET", ["sales"]) => with(200, &[("content-type", "text/csv")], "title,sold\nEmma,3\n".to_owned()),
        ("POST", ["search" | "hash"]) => ok(json!({"hits": []})),
        ("PUT", ["keys", key]) => status(if lock(&house).keys.insert((*key).to_owned()) { 201 } else { 204 }),
        ("POST", ["notes"]) => with(201, &[], "{}".to_owned()),
        ("PATCH" | "PUT" | "DELETE", _) => status(204),
        _ => status(404),
    }
}

fn lock(house: &Shared) -> std::sync::MutexGuard<'_, House> {
    house.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with(status: u16, fields: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let kind = if fields.iter().any(|(name, _)| *name == "content-type") { None } else { Some("application/json") };
    let mut response = Response::builder().status(status);
    for (name, value) in fields.iter().copied().chain(kind.map(|kind| ("content-type", kind))) {
        response = response.header(name, value);
    }
    response.body(body.into()).unwrap()
}

fn ok(body: Value) -> Response {
    with(200, &[], body.to_string())
}

fn status(status: u16) -> Response {
    Response::builder().status(status).body(Body::empty()).unwrap()
}

async fn book(id: &str) -> Response {
    let title = match id {
        "7" => "Emma",
        "8" => {
            tokio::time::sleep(SLOW).await;
            "Ulysses"
        }
        "10" => "Inferno",
        _ => return with(404, &[], json!({"title": "no such book"}).to_string()),
    };
    ok(json!({"book": {"id": id.parse::<u32>().unwrap(), "title": title, "tags": [1, 2]}}))
}

/// Takes the files as they come, and answers in chunks of gzip.
async fn uploaded(kind: &str, body: Body) -> Response {
    let mut form = multer::Multipart::new(body.into_data_stream(), multer::parse_boundary(kind).unwrap());
    let mut documents = Vec::new();
    while let Some(mut file) = form.next_field().await.unwrap() {
        let name = file.file_name().unwrap().to_owned();
        while file.chunk().await.unwrap().is_some() {}
        documents.push(json!({"id": 901 + documents.len(), "name": name}));
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, json!({"documents": documents}).to_string().as_bytes()).unwrap();
    let pieces: Vec<_> = packed
        .finish()
        .unwrap()
        .chunks(16)
        .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
        .collect();
    let stream = Body::from_stream(futures_util::stream::iter(pieces));
    with(201, &[("content-encoding", "gzip"), ("content-type", "application/json")], stream)
}

/// Every second one is lent already, and the answer comes backwards.
fn lent(sent: &Value, status: u16) -> Response {
    let loans = sent["loans"].as_array().unwrap().iter().enumerate();
    let results = loans.map(|(at, loan)| json!({"book": loan["book"], "code": if at % 2 == 1 { 409 } else { 200 }}));
    with(status, &[], json!({"results": results.rev().collect::<Vec<_>>()}).to_string())
}

fn graph(house: &Shared, sent: &Value) -> Value {
    if let Some(batch) = sent.as_array() {
        return batch.iter().map(|one| graph(house, one)).collect();
    }
    let hash = sent["extensions"]["persistedQuery"]["sha256Hash"].as_str().unwrap_or("");
    let text = match sent["query"].as_str() {
        Some(text) => {
            lock(house).persisted.insert(hash.to_owned(), text.to_owned());
            text.to_owned()
        }
        // The second one is known from elsewhere.
        None => lock(house).persisted.get(hash).cloned().unwrap_or_else(|| super::KNOWN_QUERY.to_owned()),
    };
    if text.contains("notes") {
        let note = |id: &str, title: &str| json!({"id": id, "title": title});
        return json!({"data": {"notes": [note("a", "Alpha"), note("b", "Beta"), note("c", "Gamma"), note("locked", "Secret")]}});
    }
    let (mut data, mut errors) = (serde_json::Map::new(), Vec::new());
    let field = Regex::new(r#"(?:(\w+)\s*:\s*)?deleteNote\(id:\s*(\$\w+|"[^"]*")\)"#).unwrap();
    for found in field.captures_iter(&text) {
        let key = found.get(1).map_or("deleteNote", |alias| alias.as_str());
        let id = match found[2].strip_prefix('$') {
            Some(name) => sent["variables"][name].as_str().unwrap_or("").to_owned(),
            None => found[2].trim_matches('"').to_owned(),
        };
        let locked = id == "locked";
        data.insert(key.to_owned(), if locked { Value::Null } else { json!(true) });
        if locked {
            errors.push(json!({"path": [key], "message": "it is locked"}));
        }
    }
    let mut answer = json!({"data": data});
    if !errors.is_empty() {
        answer["errors"] = json!(errors);
    }
    answer
}
