//! The audit log of an axum service from inside: a Layer, a few rules, a store.
//!
//! `cargo run --example tower_layer` starts a small service, sends it some
//! requests as two people, and prints what the log says of them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, anyhow};
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use axum::routing::{patch, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use sidetrail::capture::layer::Layer;
use sidetrail::clock::Clock;
use sidetrail::identity::{self, Fields, Identity};
use sidetrail::memory::Memory;
use sidetrail::pipeline::Pipeline;
use sidetrail::problem::{Problem, SourceFile};
use sidetrail::record::query::{Filter, Order, Scope};
use sidetrail::record::{self, Recorder, Store};
use sidetrail::rules::RuleSet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the log says. In a service of your own: files below `rules/`.
const RULES: &str = r#"
category = "Documents"
prefix   = "/workspaces/{workspace}"

[kind.document]
at = "/documents/{id}"
one = "."

[document.created]
when    = "POST /documents"
message = "created {{ document }}"

[document.renamed]
when    = "PATCH /documents/{id}"
changed = "name"
message = "renamed {{ document.was }} to {{ document }}"

[document.deleted]
when    = "DELETE /documents/{id}"
message = "deleted {{ document }}"
"#;

/// The service's own state: documents by number.
type Documents = Arc<Mutex<BTreeMap<u32, String>>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let home = std::env::temp_dir().join(format!("sidetrail-tower-layer-{}", std::process::id()));
    std::fs::create_dir_all(&home)?;
    let store = record::Settings { url: format!("sqlite:{}/log.db", home.display()), ..record::Settings::default() };
    let (recorder, store) = record::open(&store, Clock::system())?;

    // The one line that a service of your own needs is `.layer(layer)`, outermost.
    let layer = Layer::new(Arc::new(pipeline(recorder.clone())?), Clock::system())
        .peer(|extensions| extensions.get::<ConnectInfo<SocketAddr>>().map(|connected| connected.0.ip()))
        .trusting(["127.0.0.0/8".parse()?]);
    let service = service().layer(layer.clone());

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("serving at http://{address}");
    let serving = tokio::spawn(async move {
        axum::serve(listener, service.into_make_service_with_connect_info::<SocketAddr>()).await
    });
    work(address).await?;

    serving.abort();
    layer.settled().await;
    recorder.close().await;
    print_log(&store)?;
    std::fs::remove_dir_all(&home)?;
    Ok(())
}

/// Everything behind the Layer: rules, memory, identity, record.
fn pipeline(recorder: Recorder) -> anyhow::Result<Pipeline> {
    let rules = Arc::new(SourceFile { name: "documents.toml".to_owned(), text: RULES.to_owned() });
    let (rules, _warnings) = RuleSet::load(&[rules]).map_err(wrong)?;
    // Who it is stands in headers of the gateway in front of the service, which alone may connect.
    let header = Fields { id: "x-user-id".to_owned(), name: "x-user-name".to_owned(), email: String::new() };
    let settings = identity::Settings { header: Some(header), ..identity::Settings::default() };
    let identity = Identity::offline(&settings, Clock::system())?;
    Ok(Pipeline::new(Arc::new(rules), Memory::new(10_000), identity, Some(recorder), None))
}

fn wrong(problems: Vec<Problem>) -> anyhow::Error {
    anyhow!(problems.into_iter().map(|problem| problem.title).collect::<Vec<_>>().join("; "))
}

/// A service that knows nothing of its log.
fn service() -> Router {
    Router::new()
        .route("/workspaces/{workspace}/documents", post(create))
        .route("/workspaces/{workspace}/documents/{id}", patch(rename).delete(remove))
        .with_state(Documents::default())
}

async fn create(State(documents): State<Documents>, Json(sent): Json<Value>) -> (StatusCode, Json<Value>) {
    let name = sent.get("name").and_then(serde_json::Value::as_str).unwrap_or("untitled").to_owned();
    let mut documents = documents.lock().unwrap_or_else(PoisonError::into_inner);
    let id = documents.last_key_value().map_or(1, |(id, _)| id + 1);
    documents.insert(id, name.clone());
    (StatusCode::CREATED, Json(json!({"id": id, "name": name})))
}

async fn rename(
    State(documents): State<Documents>,
    Path((_, id)): Path<(String, u32)>,
    Json(sent): Json<Value>,
) -> StatusCode {
    let mut documents = documents.lock().unwrap_or_else(PoisonError::into_inner);
    match (documents.get_mut(&id), sent.get("name").and_then(serde_json::Value::as_str)) {
        (Some(name), Some(wanted)) => {
            wanted.clone_into(name);
            StatusCode::NO_CONTENT
        }
        (Some(_), None) => StatusCode::UNPROCESSABLE_ENTITY,
        (None, _) => StatusCode::NOT_FOUND,
    }
}

async fn remove(State(documents): State<Documents>, Path((_, id)): Path<(String, u32)>) -> StatusCode {
    let removed = documents.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    removed.map_or(StatusCode::NOT_FOUND, |_| StatusCode::NO_CONTENT)
}

/// What two people do.
async fn work(address: SocketAddr) -> anyhow::Result<()> {
    let (anna, cosimo) = (("u_7", "Anna"), ("u_812", "Cosimo"));
    for (person, line, body) in [
        (anna, "POST /workspaces/39/documents", r#"{"name":"Price list.pdf"}"#),
        (cosimo, "PATCH /workspaces/39/documents/1", r#"{"name":"Price list 2026.pdf"}"#),
        (anna, "DELETE /workspaces/39/documents/1", ""),
        (cosimo, "DELETE /workspaces/39/documents/1", ""),
    ] {
        let status = send(address, person, line, body).await?;
        println!("{line} -> {status}");
    }
    Ok(())
}

async fn send(address: SocketAddr, (id, name): (&str, &str), line: &str, body: &str) -> anyhow::Result<String> {
    let mut socket = TcpStream::connect(address).await?;
    let request = format!(
        "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-User-Id: {id}\r\nX-User-Name: {name}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await?;
    let mut reply = String::new();
    socket.read_to_string(&mut reply).await?;
    reply.split_whitespace().nth(1).map(str::to_owned).context("the service gave no status")
}

fn print_log(store: &Store) -> anyhow::Result<()> {
    println!();
    for stored in store.page(&Filter::all(Scope::All), Order::Ascending, 100, None)?.events {
        let event = stored.event;
        let who = event.actor.label().unwrap_or("(unknown)").to_owned();
        println!("{} · {} · {}", who, event.time.strftime("%d %b %Y %H:%M:%S"), event.message.text);
    }
    Ok(())
}
