//! One day of work through each front gives the same events: the sidecar, the
//! tower Layer, a recording, and pingora where it is built in.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sidetrail::capture::{self, Observe, Pending, Recorded, Wants, Witness, har, sidecar::Sidecar};
use sidetrail::clock::Clock;
use sidetrail::event::Event;
use sidetrail::exchange::{Body, Exchange, Headers, Request};
use sidetrail::identity::{Identity, Jwt};
use sidetrail::memory::Memory;
use sidetrail::outgoing::Outgoing;
use sidetrail::pipeline::Pipeline;
use sidetrail::record::query::{Filter, Order, Scope};
use sidetrail::record::{self, Recorder, Store};
use sidetrail::rules::{RuleSet, read_files};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::demo::{platform, story};

/// More than a day's events.
const MANY: usize = 1000;

/// What stands behind a front: the shipped rules, nothing remembered, an empty store.
struct Behind {
    pipeline: Pipeline,
    recorder: Recorder,
    store: Store,
    _home: TempDir,
}

impl Behind {
    fn new() -> Behind {
        let home = TempDir::new().unwrap();
        let url = format!("sqlite:{}", home.path().join("log.db").display());
        let settings = record::Settings { url, ..record::Settings::default() };
        let (recorder, store) = record::open(&settings, Clock::system()).unwrap();
        // No look-ups: they would make the fronts' own timing part of the comparison.
        let identity = Identity::new(&identity(), "http://127.0.0.1:9", Outgoing::start().unwrap(), Clock::system());
        let pipeline = Pipeline::new(rules(), Memory::new(10_000), identity.unwrap(), Some(recorder.clone()), None);
        Behind { pipeline, recorder, store, _home: home }
    }

    /// What the log holds, oldest first.
    async fn told(self) -> Vec<Value> {
        self.recorder.close().await;
        let page = self.store.page(&Filter::all(Scope::All), Order::Ascending, MANY, None).unwrap();
        page.events.into_iter().map(|stored| essence(&stored.event)).collect()
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rules() -> Arc<RuleSet> {
    Arc::new(RuleSet::load(&read_files(&[root().join("rules")]).unwrap()).unwrap().0)
}

fn identity() -> sidetrail::identity::Settings {
    let jwt = Jwt {
        key_file: Some(root().join("examples/demo/signing.key")),
        algorithms: vec!["HS256".to_owned()],
        ..Jwt::default()
    };
    sidetrail::identity::Settings { jwt: Some(jwt), ..Default::default() }
}

/// All of an event that does not depend on when, from where and through what it came.
pub(crate) fn essence(event: &Event) -> Value {
    let debug = |value: &dyn std::fmt::Debug| json!(format!("{value:?}"));
    let request = event.request.as_ref().unwrap();
    json!({
        "workspace": event.workspace, "category": event.category, "action": event.action, "title": event.title,
        "message": debug(&event.message), "outcome": event.outcome.word(), "actor": debug(&event.actor),
        "targets": debug(&event.targets), "changes": debug(&event.changes), "details": event.details,
        "missing": debug(&event.missing), "method": request.method, "path": request.path, "status": request.status,
    })
}

/// The day of work at `address`.
async fn work(address: SocketAddr) {
    let cast = story::Cast::sign_in(&format!("http://{address}")).await.unwrap();
    let made = story::first_act(&cast).await.unwrap();
    story::second_act(&cast, &made).await.unwrap();
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn through_sidecar(observe: Arc<dyn Observe>) {
    let platform = platform::start(loopback()).await.unwrap();
    let settings = capture::Settings {
        listen: loopback(),
        upstream: format!("http://{}", platform.addr).parse().unwrap(),
        threads: 1,
        ..capture::Settings::default()
    };
    let sidecar = Sidecar::bind(&settings).unwrap();
    let address = sidecar.local_addr();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(sidecar.run(observe, Clock::system(), stop.clone()));
    work(address).await;
    stop.cancel();
    serving.await.unwrap().unwrap();
}

#[cfg(feature = "layer")]
async fn through_layer(observe: Arc<dyn Observe>) {
    let layer = sidetrail::capture::layer::Layer::new(observe, Clock::system());
    let service = platform::router(platform::Platform::seeded()).layer(layer.clone());
    let listener = tokio::net::TcpListener::bind(loopback()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, service).await });
    work(address).await;
    layer.settled().await;
    serving.abort();
}

#[cfg(feature = "pingora")]
#[path = "../../examples/pingora_gateway/gateway.rs"]
pub(crate) mod gateway;

#[cfg(feature = "pingora")]
async fn through_pingora(observe: Arc<dyn Observe>) {
    let platform = platform::start(loopback()).await.unwrap();
    let tap = sidetrail::capture::pingora::Tap::new(observe, Clock::system()).unwrap();
    let listener = tokio::net::TcpListener::bind(loopback()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let gateway = gateway::Gateway { tap: tap.clone(), upstream: platform.addr };
    let serving = tokio::spawn(gateway::serve(gateway, listener));
    work(address).await;
    tap.settled().await;
    serving.abort();
}

/// Writes down as HAR what passes by on its way to a pipeline.
#[derive(Clone)]
pub(crate) struct Tape {
    pipeline: Pipeline,
    entries: Arc<Mutex<Vec<Value>>>,
}

struct Taping {
    witness: Box<dyn Witness>,
    entries: Arc<Mutex<Vec<Value>>>,
}

impl Tape {
    pub(crate) fn of(pipeline: Pipeline) -> Tape {
        Tape { pipeline, entries: Arc::default() }
    }

    /// The entries of a recording.
    pub(crate) fn taken(&self) -> Vec<Value> {
        std::mem::take(&mut *self.entries.lock().unwrap())
    }
}

impl Observe for Tape {
    fn admit(&self, method: &str, target: &str) -> Option<Box<dyn Witness>> {
        let witness = self.pipeline.admit(method, target)?;
        Some(Box::new(Taping { witness, entries: Arc::clone(&self.entries) }))
    }
}

impl Witness for Taping {
    fn wants(&self) -> Wants {
        self.witness.wants()
    }

    fn begin(&mut self, request: &Request) -> Option<Pending> {
        self.witness.begin(request)
    }

    fn observe(self: Box<Self>, exchange: Exchange) -> Recorded {
        self.entries.lock().unwrap().push(entry(&exchange));
        self.witness.observe(exchange)
    }
}

fn entry(exchange: &Exchange) -> Value {
    let response = exchange.response.as_ref().unwrap();
    json!({
        "startedDateTime": exchange.started.to_string(),
        "time": exchange.duration.as_secs_f64() * 1000.0,
        "request": {
            "method": exchange.request.method,
            "url": format!("http://platform{}", exchange.request.target),
            "headers": fields(&exchange.request.headers),
            "postData": post_data(&exchange.request),
        },
        "response": {
            "status": response.status,
            "headers": fields(&response.headers),
            "content": content(&response.body),
        },
    })
}

fn fields(headers: &Headers) -> Vec<Value> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    headers.iter().map(|(name, value)| json!({"name": text(name), "value": text(value)})).collect()
}

/// Text as text, everything else in base64: as browsers write it.
fn content(body: &Body) -> Value {
    match std::str::from_utf8(&body.content) {
        Ok(text) => json!({"size": text.len(), "text": text}),
        Err(_) => {
            json!({"size": body.content.len(), "text": STANDARD.encode(&body.content), "encoding": "base64"})
        }
    }
}

fn post_data(request: &Request) -> Value {
    let kind = request.headers.first("content-type").unwrap_or_default();
    if !request.body.parts.is_empty() {
        let part = |part: &sidetrail::exchange::Part| json!({"name": part.field, "fileName": part.filename, "contentType": part.content_type, "value": part.text});
        return json!({"mimeType": kind, "params": request.body.parts.iter().map(part).collect::<Vec<_>>()});
    }
    match request.body.content.is_empty() {
        true => Value::Null,
        false => {
            let mut data = content(&request.body);
            data["mimeType"] = kind.into();
            data
        }
    }
}

/// What a recording gives, oldest first.
async fn replayed(entries: &[Value]) -> Vec<Value> {
    let recording = json!({"log": {"version": "1.2", "entries": entries}}).to_string();
    let identity = Identity::offline(&identity(), Clock::system()).unwrap();
    let pipeline = Pipeline::new(rules(), Memory::new(10_000), identity, None, None);
    let mut told = Vec::new();
    for exchange in har::parse(recording.as_bytes()).unwrap() {
        told.extend(pipeline.derive(exchange).await.events.iter().map(essence));
    }
    told
}

fn same(front: &str, told: &[Value], expected: &[Value]) {
    for (number, (told, expected)) in told.iter().zip(expected).enumerate() {
        assert_eq!(told, expected, "{front}: event {number}");
    }
    assert_eq!(told.len(), expected.len(), "{front}: how many");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_of_work_gives_the_same_events_through_every_front() {
    let behind = Behind::new();
    let tape = Tape::of(behind.pipeline.clone());
    through_sidecar(Arc::new(tape.clone())).await;
    let expected = behind.told().await;
    assert!(expected.len() > 41, "{} events", expected.len());

    let entries = tape.taken();
    same("a recording", &replayed(&entries).await, &expected);

    #[cfg(feature = "layer")]
    {
        let behind = Behind::new();
        through_layer(Arc::new(behind.pipeline.clone())).await;
        same("the Layer", &behind.told().await, &expected);
    }
    #[cfg(feature = "pingora")]
    {
        let behind = Behind::new();
        through_pingora(Arc::new(behind.pipeline.clone())).await;
        same("pingora", &behind.told().await, &expected);
    }
}
