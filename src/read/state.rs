//! What every answer is made from.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use prometheus_client::registry::Registry;
use tokio::sync::Semaphore;

use super::access::Access;
use super::error::ReadError;
use super::metrics::Metrics;
use super::rulebook::{RefusedRules, Rulebook};
use super::settings::Settings;
use crate::clock::Clock;
use crate::record::{Recorder, Stop, Store, StoreError};

/// Questions that run at the same time; the others wait, so that reading never takes all threads.
const QUESTIONS: usize = 16;
/// Exports that run at the same time; the next one is told to come back.
const EXPORTS: usize = 4;
/// A question that has not begun by then is refused.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is known of the rules that write the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Hash of the whole set: `sha256:9f2c…`.
    pub version: String,
    /// Its actions, in the order in which the files declare them.
    pub actions: Vec<ActionFacts>,
    /// What lies on disk and was refused, where these are not the newest.
    pub refused: Option<RefusedRules>,
}

/// What is known of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionFacts {
    /// `document.tag_added`
    pub action: String,
    /// `add tag to document`
    pub title: String,
    /// `Documents`
    pub category: String,
    /// `documents.toml`
    pub file: String,
}

/// What [`State::new`] is made of.
pub struct Parts {
    /// Answers questions.
    pub store: Store,
    /// Writes the events of sidetrail itself: exports, readers' sign-ins.
    pub recorder: Recorder,
    /// Tells the time.
    pub clock: Clock,
    /// The `[read]` section.
    pub settings: Settings,
    /// The rules, swapped at a reload.
    pub rules: Arc<ArcSwap<Rules>>,
    /// Those who hold the rules; without them nothing is reloaded.
    pub rulebook: Option<Arc<dyn Rulebook>>,
    /// Where every part registered its metrics; the read side adds its own.
    pub registry: Registry,
}

/// What every answer is made from. Clones share everything.
#[derive(Clone)]
pub struct State(Arc<Inner>);

struct Inner {
    store: Store,
    recorder: Recorder,
    clock: Clock,
    settings: Settings,
    rules: Arc<ArcSwap<Rules>>,
    rulebook: Option<Arc<dyn Rulebook>>,
    registry: Registry,
    metrics: Metrics,
    access: Access,
    secret: [u8; 32],
    questions: Arc<Semaphore>,
    exports: Arc<Semaphore>,
    stopping: AtomicBool,
}

impl State {
    /// Puts the parts together.
    pub fn new(mut parts: Parts) -> State {
        let metrics = Metrics::registered(&mut parts.registry);
        State(Arc::new(Inner {
            secret: parts.store.secret(),
            access: Access::new(),
            store: parts.store,
            recorder: parts.recorder,
            clock: parts.clock,
            settings: parts.settings,
            rules: parts.rules,
            rulebook: parts.rulebook,
            registry: parts.registry,
            metrics,
            questions: Arc::new(Semaphore::new(QUESTIONS)),
            exports: Arc::new(Semaphore::new(EXPORTS)),
            stopping: AtomicBool::new(false),
        }))
    }

    /// Asks the store something, on a thread that may block.
    ///
    /// # Errors
    /// When the store has no answer, is asked too much at once, or needs longer than `read.query_ms`.
    pub async fn ask<T, F>(&self, question: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    {
        let limit = Duration::from_millis(self.0.settings.query_ms);
        self.ask_within(limit, question).await
    }

    /// Like [`State::ask`], however long it takes: for exports, which somebody waits for. Ends when nobody does.
    pub(crate) async fn ask_long<T, F>(&self, question: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    {
        self.ask_within(Duration::MAX, question).await
    }

    async fn ask_within<T, F>(&self, limit: Duration, question: F) -> Result<T, ReadError>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    {
        let waiting = tokio::time::timeout(PATIENCE, Arc::clone(&self.0.questions).acquire_owned());
        let Ok(Ok(turn)) = waiting.await else { return Err(ReadError::Busy) };
        let stop = Stop::default();
        let store = self.0.store.stopped_by(&stop);
        // Whether time is up or the client left: nobody waits for the answer any more.
        let _left = stop.on_drop();
        // The turn ends with the question, not with who asked: a client that left must not make room for the next
        // while its question still runs.
        let asked = move || {
            let _turn = turn;
            question(&store)
        };
        match tokio::time::timeout(limit, tokio::task::spawn_blocking(asked)).await {
            Ok(Ok(answer)) => Ok(answer?),
            Ok(Err(_)) => Err(ReadError::Broken),
            Err(_) => Err(ReadError::Slow(self.0.settings.query_ms)),
        }
    }

    /// From now on the process is on its way to its end: `/readyz` says so.
    pub fn stop(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.0.stopping.load(Ordering::Relaxed)
    }

    /// The `[read]` section.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The rules as they are now.
    pub fn rules(&self) -> Arc<Rules> {
        self.0.rules.load_full()
    }

    pub(crate) fn rulebook(&self) -> Option<&Arc<dyn Rulebook>> {
        self.0.rulebook.as_ref()
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(crate) fn recorder(&self) -> &Recorder {
        &self.0.recorder
    }

    pub(crate) fn access(&self) -> &Access {
        &self.0.access
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.0.secret
    }

    pub(crate) fn exports(&self) -> &Arc<Semaphore> {
        &self.0.exports
    }
}
