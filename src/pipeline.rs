//! The whole path as code, on one screen: exchange → rules → memory → record.
//!
//! The [`Pipeline`] is what every front observes through. For each exchange
//! that a rule is interested in: ask who sent it while the platform works,
//! look up what is about to be lost, derive, learn, record. It promises that an
//! event is on disk (or in the spill file, and counted) when the future of
//! [`Witness::observe`] is done.

mod closing;
mod lookups;
mod notices;
mod paths;
mod shadow;

use std::convert::Infallible;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use crate::capture::{Ended, Follow, Kept, Observe, Pending, Recorded, Refused, Tally, Wants, Witness};
use crate::clock::Clock;
use crate::event::Event;
use crate::exchange::{Exchange, Request};
use crate::identity::{Identity, Inquiry, Who};
use crate::ledger::{Ledger, Route};
use crate::memory::{Lesson, Memory};
use crate::record::{RecordError, Recorder};
use crate::rules::{Caller, Derived, Found, RuleSet};
use closing::{Closing, Opened, frames_are_not_read};
use lookups::{Fetched, lock};
use notices::Notices;

pub use lookups::Lookups;
pub use shadow::{DivergingExchange, ShadowReport, Shadowing};

/// How often it is looked whether a job was given up.
const GIVE_UP_EVERY: Duration = Duration::from_secs(30);

/// What stands behind every front. Clones share it.
#[derive(Clone)]
pub struct Pipeline(Arc<Inner>);

struct Inner {
    rules: ArcSwap<RuleSet>,
    memory: Memory,
    identity: Identity,
    recorder: Option<Recorder>,
    notices: Option<Notices>,
    lookups: Option<Lookups>,
    /// Which routes are used; only of what is recorded.
    ledger: Arc<Ledger>,
    clock: Clock,
    counters: Counters,
}

#[derive(Clone, Default)]
struct Counters {
    watched: Counter,
    passed: Counter,
    events: Counter,
    lookups: Counter,
    lookups_failed: Counter,
    unrecorded: Counter,
}

impl Pipeline {
    /// A pipeline that records. Without a recorder events are only derived (see [`Pipeline::derive`]).
    pub fn new(
        rules: Arc<RuleSet>,
        memory: Memory,
        identity: Identity,
        recorder: Option<Recorder>,
        lookups: Option<Lookups>,
    ) -> Pipeline {
        let clock = recorder.as_ref().map_or_else(Clock::system, |recorder| recorder.clock().clone());
        let notices = recorder.clone().map(Notices::new);
        let (ledger, counters) = (Arc::default(), Counters::default());
        let rules = ArcSwap::new(rules);
        Pipeline(Arc::new(Inner { rules, memory, identity, recorder, notices, lookups, ledger, clock, counters }))
    }

    /// The rules that are in use.
    pub fn rules(&self) -> Arc<RuleSet> {
        self.0.rules.load_full()
    }

    /// Puts other rules in their place: for the next request. Those under way end with the rules they began with.
    pub fn exchange_rules(&self, rules: Arc<RuleSet>) {
        self.0.rules.store(rules);
    }

    /// Writes what is still to be told of traffic. Called when the fronts have ended, before the recorder is closed.
    pub fn finish(&self) {
        if let Some(notices) = &self.0.notices {
            notices.finish();
        }
    }

    /// Which routes are used.
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    fn watch(&self, method: &str, target: &str) -> Option<Watch> {
        let Some(matched) = self.0.find(method, target) else {
            self.0.counters.passed.inc();
            return None;
        };
        self.0.counters.watched.inc();
        let pipeline = self.0.clone();
        Some(Watch { pipeline, matched, inquiry: None, fetched: None, opened: None, told: None })
    }

    /// Derives one exchange that is already over, learns from it, records nothing: `replay`.
    pub async fn derive(&self, exchange: Exchange) -> Derived {
        let inner = &self.0;
        let Some(matched) = inner.find(&exchange.request.method, &exchange.request.target) else {
            return Derived::default();
        };
        let inquiry = inner.ask_who(&matched, &exchange.request);
        inner.conclude(matched, exchange, inquiry, &[]).await
    }

    /// Now and then records the jobs whose end nobody saw in time. Never ends.
    pub async fn give_up_jobs(&self, clock: &Clock) -> Infallible {
        loop {
            tokio::time::sleep(GIVE_UP_EVERY).await;
            let mut derived = self.rules().give_up(&self.0.memory, clock.now());
            self.0.learn(std::mem::take(&mut derived.lessons));
            // Nobody waits for it: what cannot be kept is counted, and logged by the recorder.
            let _ = self.0.keep(derived.events).await;
        }
    }

    /// Announces the pipeline's counters.
    pub fn register(&self, registry: &mut Registry) {
        let counters = &self.0.counters;
        for (name, help, counter) in [
            ("exchanges_watched", "Requests that a rule, an ignore or a kind matched", &counters.watched),
            ("exchanges_passed", "Requests that nothing matched", &counters.passed),
            ("events_derived", "Events that rules gave", &counters.events),
            ("lookups", "Look-ups before a request", &counters.lookups),
            ("lookups_failed", "Look-ups without a usable answer", &counters.lookups_failed),
            ("events_unrecorded", "Events that are neither in the store nor in the spill file", &counters.unrecorded),
        ] {
            registry.register(name, help, counter.clone());
        }
    }
}

impl Observe for Pipeline {
    fn admit(&self, method: &str, target: &str) -> Option<Box<dyn Witness>> {
        self.watch(method, target).map(|watch| Box::new(watch) as Box<dyn Witness>)
    }

    fn tally(&self, method: &str, target: &str) -> Option<Tally> {
        if self.0.recorder.is_none() || !Ledger::counts(method) {
            return None;
        }
        Some(Tally::new(self.0.clone(), method, target))
    }

    fn refused(&self, refused: &Refused<'_>) {
        if let Some(notices) = &self.0.notices {
            notices.refused(refused);
        }
    }
}

impl Ended for Inner {
    fn ended(&self, method: &str, path: &str, status: Option<u16>) {
        self.ledger.note(method, Route::Path(path), status, self.clock.now());
    }
}

/// What the rules found for a request.
struct Matched {
    /// The set that found it: what it found means nothing to another.
    rules: Arc<RuleSet>,
    found: Found,
    /// The plain spelling of its target, where nothing fits it as it was sent.
    respelt: Option<String>,
}

/// Watches one exchange.
struct Watch {
    pipeline: Arc<Inner>,
    matched: Matched,
    inquiry: Option<Inquiry>,
    /// None where nothing is looked up.
    fetched: Option<Fetched>,
    /// Where its events are kept for the end of the connection that it opens.
    opened: Option<Opened>,
    /// Where its events are shown to somebody else.
    told: Option<Opened>,
}

impl Witness for Watch {
    fn wants(&self) -> Wants {
        let wanted = self.matched.rules.wants(self.matched.found);
        Wants { request_body: wanted.request_body, response_body: wanted.response_body }
    }

    fn begin(&mut self, request: &Request) -> Option<Pending> {
        let matched = &self.matched;
        self.inquiry = self.pipeline.ask_who(matched, request);
        let (pending, fetched) = match &matched.respelt {
            None => self.pipeline.look_up(matched, request)?,
            Some(target) => self.pipeline.look_up(matched, &Request { target: target.clone(), ..request.clone() })?,
        };
        self.fetched = Some(fetched);
        Some(pending)
    }

    fn follow(&mut self) -> Option<Box<dyn Follow>> {
        if !self.matched.found.acts() {
            return None;
        }
        let opened = Opened::default();
        self.opened = Some(Arc::clone(&opened));
        Some(Box::new(Closing { pipeline: Arc::clone(&self.pipeline), opened }))
    }

    fn observe(self: Box<Self>, exchange: Exchange) -> Recorded {
        let Watch { pipeline, matched, inquiry, fetched, opened, told } = *self;
        // A kind's address alone gives no event.
        let unfinished = matched.found.acts().then(|| Unfinished(Some((Arc::clone(&pipeline), exchange.started))));
        Box::pin(async move {
            let fetched = fetched.map(|fetched| std::mem::take(&mut *lock(&fetched))).unwrap_or_default();
            let mut derived = pipeline.conclude(matched, exchange, inquiry, &fetched).await;
            if let Some(told) = told {
                told.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&derived.events);
            }
            if let Some(opened) = opened {
                derived.events.iter_mut().for_each(frames_are_not_read);
                opened.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&derived.events);
            }
            let kept = pipeline.keep(derived.events).await;
            if let Some(mut unfinished) = unfinished {
                unfinished.0 = None;
            }
            kept
        })
    }
}

/// A record that nobody finished: its front gave it up, or it met a bug. Then the log has a gap.
struct Unfinished(Option<(Arc<Inner>, Timestamp)>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some((pipeline, started)) = self.0.take() {
            pipeline.counters.unrecorded.inc();
            pipeline.lost(std::iter::once(None), started);
        }
    }
}

impl Inner {
    fn find(&self, method: &str, target: &str) -> Option<Matched> {
        let rules = self.rules.load();
        if let Some(found) = rules.find(method, target) {
            // An id with `;jsessionid=…` behind it would be kept as an id.
            let odd = paths::has_parameters(target.split('?').next().unwrap_or_default());
            let plain = odd.then(|| rules.find_respelt(method, target)).flatten();
            let rules = Guard::into_inner(rules);
            return Some(match plain {
                Some((found, plain)) => Matched { rules, found, respelt: Some(plain) },
                None => Matched { rules, found, respelt: None },
            });
        }
        let (found, plain) = rules.find_respelt(method, target)?;
        Some(Matched { rules: Guard::into_inner(rules), found, respelt: Some(plain) })
    }

    /// Starts to find out who sent a request, where an event may need it.
    fn ask_who(&self, matched: &Matched, request: &Request) -> Option<Inquiry> {
        matched.found.acts().then(|| self.identity.begin(request, matched.rules.credential(request)))
    }

    /// The same where the credential stands in the body: a refresh token, a key.
    fn ask_again(&self, rules: &RuleSet, request: &Request) -> Option<Inquiry> {
        let credential = rules.credential_in_body(request)?;
        Some(self.identity.begin(request, Some(credential)))
    }

    /// Derives, and learns at once, so that the next request finds what this one taught.
    async fn conclude(
        &self,
        matched: Matched,
        mut exchange: Exchange,
        inquiry: Option<Inquiry>,
        fetched: &[Lesson],
    ) -> Derived {
        let inquiry = inquiry.map(|inquiry| self.ask_again(&matched.rules, &exchange.request).unwrap_or(inquiry));
        let caller = match inquiry {
            Some(inquiry) => {
                let who = inquiry.finish(exchange.response.as_ref().map(|response| response.status)).await;
                caller(&matched.rules, who)
            }
            None => Caller::default(),
        };
        let Matched { rules, found, respelt } = matched;
        self.count(&rules, found, &exchange);
        let sent = respelt.map(|plain| std::mem::replace(&mut exchange.request.target, plain));
        let mut derived = rules.derive(found, &exchange, &caller, &self.memory, fetched);
        if let Some(sent) = &sent {
            show_as_sent(&mut derived, sent);
        }
        paths::leave_out(
            &mut derived,
            sent.as_deref().unwrap_or(&exchange.request.target).split('?').next().unwrap_or_default(),
        );
        for called in &derived.calls {
            let status = if called.succeeded { 200 } else { 400 };
            self.ledger.note(called.sort, Route::Call(&called.name), Some(status), exchange.finished());
        }
        for sighting in &derived.sightings {
            self.identity.learn(&sighting.tokens, &sighting.actor);
        }
        self.learn(std::mem::take(&mut derived.lessons));
        derived
    }

    /// Counts a watched request at its rule's route, else at its own.
    fn count(&self, rules: &RuleSet, found: Found, exchange: &Exchange) {
        let request = &exchange.request;
        let route = match rules.route_of(found) {
            Some(template) => Route::Ruled(template),
            None if Ledger::counts(&request.method) => Route::Path(request.path()),
            None => return,
        };
        let status = exchange.response.as_ref().map(|response| response.status);
        self.ledger.note(&request.method, route, status, exchange.finished());
    }

    fn learn(&self, lessons: Vec<Lesson>) {
        if lessons.is_empty() {
            return;
        }
        let learned = self.memory.learn(lessons);
        let Some(recorder) = &self.recorder else { return };
        if !learned.news.is_empty() {
            recorder.remember(learned.news);
        }
        if !learned.forgotten.is_empty() {
            recorder.forget(learned.forgotten);
        }
    }

    async fn keep(&self, events: Vec<Event>) -> Kept {
        let Some(recorder) = &self.recorder else { return Kept::OnDisk };
        let Some(first) = events.first() else { return Kept::OnDisk };
        let count = events.len() as u64;
        self.counters.events.inc_by(count);
        let (time, workspaces) = (first.time, events.iter().map(|event| event.workspace.clone()).collect::<Vec<_>>());
        match recorder.record(events).await {
            Err(RecordError::NotOnDisk { held, .. }) => {
                self.counters.unrecorded.inc_by(count);
                // What is held in memory is written when writing works again.
                if !held {
                    self.lost(workspaces.into_iter(), time);
                }
                Kept::Lost
            }
            // What the store did not take waits in the spill file.
            Ok(()) | Err(RecordError::Late { .. } | RecordError::Failed { .. }) => Kept::OnDisk,
        }
    }

    fn lost(&self, workspaces: impl Iterator<Item = Option<Arc<str>>>, from: Timestamp) {
        if let Some(notices) = &self.notices {
            notices.lost(workspaces, from);
        }
    }
}

/// Who it was; what verified claims do not say by their usual names the rules may know where to find.
fn caller(rules: &RuleSet, who: Who) -> Caller {
    let mut actor = who.actor;
    if let Some(named) = Some(&who.claims).filter(|claims| !claims.is_null()).and_then(|it| rules.actor_of(it)) {
        actor.id = actor.id.or(named.id);
        actor.name = actor.name.or(named.name);
        actor.email = actor.email.or(named.email);
    }
    Caller { actor, claims: who.claims }
}

/// An event shows the path as it was sent. Only the platform knows what it meant by it: nothing is learned.
fn show_as_sent(derived: &mut Derived, target: &str) {
    let path = target.split('?').next().unwrap_or_default();
    for request in derived.events.iter_mut().filter_map(|event| event.request.as_mut()) {
        path.clone_into(&mut request.path);
    }
    derived.lessons.clear();
    derived.sightings.clear();
}
