//! The fronts, each around the same platform with the same rules behind it.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sidetrail::capture::{self, Observe, har, sidecar::Sidecar};
use sidetrail::clock::Clock;
use sidetrail::event::Event;
use sidetrail::identity::{Identity, Me, Settings};
use sidetrail::memory::Memory;
use sidetrail::outgoing::Outgoing;
use sidetrail::pipeline::{Lookups, Pipeline};
use sidetrail::record::query::{Filter, Order, Scope};
use sidetrail::record::{self, OpenError, Recorder, Store};
use sidetrail::rules::{RuleSet, read_files};
use tokio_util::sync::CancellationToken;

use super::client::Client;
use super::platform;
use crate::parity::Tape;

/// Longer than the platform takes for anything but its slow book.
pub(super) const LOOKUP: Duration = Duration::from_millis(300);
/// More than a case gives.
const MANY: usize = 1000;

/// What a client does.
pub(super) type Act = fn(Client) -> Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    Sidecar,
    #[cfg(feature = "layer")]
    Layer,
    #[cfg(feature = "pingora")]
    Pingora,
}

/// The rules of all cases.
pub(super) fn rules() -> RuleSet {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/hard");
    let paths: [PathBuf; 2] = [folder.clone(), folder.join("persisted.json")];
    RuleSet::load(&read_files(&paths).unwrap()).unwrap().0
}

fn identity() -> Settings {
    Settings { me: Some(Me { path: "/me".to_owned(), ..Me::default() }), ..Settings::default() }
}

/// What stands behind a front, from a start to a stop.
struct Behind {
    pipeline: Pipeline,
    recorder: Recorder,
    store: Store,
}

impl Behind {
    /// As `serve` starts: with what an earlier run left in the folder.
    fn start(home: &Path, platform: SocketAddr, rules: RuleSet) -> Behind {
        let url = format!("sqlite:{}", home.join("log.db").display());
        let settings = record::Settings { url, ..record::Settings::default() };
        let (recorder, store) =
            until("the earlier run has let go of its store", || match record::open(&settings, Clock::system()) {
                Err(OpenError::InUse { .. }) => None,
                opened => Some(opened.unwrap()),
            });
        let memory = Memory::new(10_000);
        memory.preload(store.things(10_000).unwrap());
        let (outgoing, platform) = (Outgoing::start().unwrap(), format!("http://{platform}"));
        let identity = Identity::new(&identity(), &platform, outgoing.clone(), Clock::system()).unwrap();
        let lookups = Lookups { outgoing, platform, timeout: LOOKUP, clock: Clock::system() };
        let pipeline = Pipeline::new(Arc::new(rules), memory, identity, Some(recorder.clone()), Some(lookups));
        Behind { pipeline, recorder, store }
    }

    /// Stops; all that the log holds, oldest first.
    async fn stop(self) -> Vec<Event> {
        drop(self.pipeline);
        self.recorder.close().await;
        let page = self.store.page(&Filter::all(Scope::All), Order::Ascending, MANY, None).unwrap();
        page.events.into_iter().map(|stored| stored.event).collect()
    }
}

/// Plays acts through a front, with a restart between them. What the log holds then, and what passed by as a
/// recording has it.
pub(super) async fn played(front: Front, acts: &[Act], rules: impl Fn() -> RuleSet) -> (Vec<Event>, Vec<Value>) {
    let home = tempfile::tempdir().unwrap();
    let router = platform::router();
    let (platform, serving) = platform::serve(router.clone()).await;
    let (mut events, mut entries) = (Vec::new(), Vec::new());
    for act in acts {
        let behind = Behind::start(home.path(), platform, rules());
        let tape = Tape::of(behind.pipeline.clone());
        let observe = Arc::new(tape.clone());
        match front {
            Front::Sidecar => sidecar(observe, platform, *act).await,
            #[cfg(feature = "layer")]
            Front::Layer => layer(observe, router.clone(), *act).await,
            #[cfg(feature = "pingora")]
            Front::Pingora => pingora(observe, platform, *act).await,
        }
        entries.extend(tape.taken());
        drop(tape);
        events = behind.stop().await;
    }
    serving.abort();
    (events, entries)
}

/// What a recording of it gives.
pub(super) async fn replayed(entries: &[Value], rules: RuleSet) -> Vec<Event> {
    let recording = json!({"log": {"version": "1.2", "entries": entries}}).to_string();
    let identity = Identity::offline(&identity(), Clock::system()).unwrap();
    let pipeline = Pipeline::new(Arc::new(rules), Memory::new(10_000), identity, None, None);
    let mut events = Vec::new();
    for exchange in har::parse(recording.as_bytes()).unwrap() {
        events.extend(pipeline.derive(exchange).await.events);
    }
    events
}

async fn sidecar(observe: Arc<dyn Observe>, platform: SocketAddr, act: Act) {
    let settings = capture::Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        upstream: format!("http://{platform}").parse().unwrap(),
        threads: 1,
        ..capture::Settings::default()
    };
    let sidecar = Sidecar::bind(&settings).unwrap();
    let address = sidecar.local_addr();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(sidecar.run(observe, Clock::system(), stop.clone()));
    act(Client(address)).await;
    stop.cancel();
    serving.await.unwrap().unwrap();
}

#[cfg(feature = "layer")]
async fn layer(observe: Arc<dyn Observe>, router: axum::Router, act: Act) {
    let layer = sidetrail::capture::layer::Layer::new(observe, Clock::system());
    let (address, serving) = platform::serve(router.layer(layer.clone())).await;
    act(Client(address)).await;
    layer.settled().await;
    serving.abort();
}

#[cfg(feature = "pingora")]
async fn pingora(observe: Arc<dyn Observe>, platform: SocketAddr, act: Act) {
    use crate::parity::gateway::{Gateway, serve};
    let tap = sidetrail::capture::pingora::Tap::new(observe, Clock::system()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(serve(Gateway { tap: tap.clone(), upstream: platform }, listener));
    act(Client(address)).await;
    tap.settled().await;
    serving.abort();
}

/// Waits for what is to come soon.
fn until<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    for _ in 0..500 {
        if let Some(found) = there() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{what}: never");
}
