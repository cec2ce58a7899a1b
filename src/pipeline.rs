//! The whole path as code, on one screen: exchange → rules → memory → record.
//!
//! The [`Pipeline`] is what every front observes through. For each exchange
//! that a rule is interested in: ask who sent it while the platform works,
//! look up what is about to be lost, derive, learn, record. It promises that an
//! event is on disk (or in the spill file, and counted) when the future of
//! [`Witness::observe`] is done.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use crate::capture::body::Copier;
use crate::capture::{Kept, Observe, Pending, Recorded, Wants, Witness};
use crate::clock::Clock;
use crate::exchange::{Exchange, Headers, Request, Response};
use crate::identity::{Identity, Inquiry, Who};
use crate::memory::{Lesson, Memory};
use crate::outgoing::{Get, Outgoing};
use crate::record::{RecordError, Recorder};
use crate::rules::{Caller, Derived, Found, Lookup, RuleSet};

/// The fields of a request that a look-up carries on, beside the Host of the platform.
const CREDENTIALS: [&str; 4] = ["authorization", "cookie", "x-api-key", "accept-language"];
/// How often it is looked whether a job was given up.
const GIVE_UP_EVERY: Duration = Duration::from_secs(30);
/// An answer larger than this is not read: a thing's name is not in it.
const LOOKUP_BYTES: usize = 262_144;

/// What stands behind every front. Clones share it.
#[derive(Clone)]
pub struct Pipeline(Arc<Inner>);

struct Inner {
    rules: Arc<RuleSet>,
    memory: Memory,
    identity: Identity,
    recorder: Option<Recorder>,
    lookups: Option<Lookups>,
    counters: Counters,
}

/// How things are looked up before a request goes on.
#[derive(Clone)]
pub struct Lookups {
    /// Who makes the calls.
    pub outgoing: Outgoing,
    /// The platform's address, `http://host:port`.
    pub platform: String,
    /// The longest that one request may wait for all its look-ups.
    pub timeout: Duration,
    /// When what they say was seen.
    pub clock: Clock,
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
        Pipeline(Arc::new(Inner { rules, memory, identity, recorder, lookups, counters: Counters::default() }))
    }

    /// Derives one exchange that is already over, learns from it, records nothing: `replay`.
    pub async fn derive(&self, exchange: Exchange) -> Derived {
        let inner = &self.0;
        let Some(matched) = inner.find(&exchange.request.method, &exchange.request.target) else {
            return Derived::default();
        };
        let inquiry = inner.ask_who(matched.found, &exchange.request);
        inner.conclude(matched, exchange, inquiry, &[]).await
    }

    /// Now and then records the jobs whose end nobody saw in time. Never ends.
    pub async fn give_up_jobs(&self, clock: &Clock) -> Infallible {
        loop {
            tokio::time::sleep(GIVE_UP_EVERY).await;
            let mut derived = self.0.rules.give_up(&self.0.memory, clock.now());
            self.0.learn(std::mem::take(&mut derived.lessons));
            // Nobody waits for it: what cannot be kept is counted, and logged by the recorder.
            let _ = self.0.keep(derived).await;
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
        let Some(matched) = self.0.find(method, target) else {
            self.0.counters.passed.inc();
            return None;
        };
        self.0.counters.watched.inc();
        Some(Box::new(Watch { pipeline: self.0.clone(), matched, inquiry: None, fetched: None }))
    }
}

/// What the rules found for a request.
struct Matched {
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
}

/// What look-ups said before the request went on; learned only if it succeeds.
type Fetched = Arc<Mutex<Vec<Lesson>>>;

impl Witness for Watch {
    fn wants(&self) -> Wants {
        let wanted = self.pipeline.rules.wants(self.matched.found);
        Wants { request_body: wanted.request_body, response_body: wanted.response_body }
    }

    fn begin(&mut self, request: &Request) -> Option<Pending> {
        let found = self.matched.found;
        self.inquiry = self.pipeline.ask_who(found, request);
        let (pending, fetched) = match &self.matched.respelt {
            None => self.pipeline.look_up(found, request)?,
            Some(target) => self.pipeline.look_up(found, &Request { target: target.clone(), ..request.clone() })?,
        };
        self.fetched = Some(fetched);
        Some(pending)
    }

    fn observe(self: Box<Self>, exchange: Exchange) -> Recorded {
        let Watch { pipeline, matched, inquiry, fetched } = *self;
        Box::pin(async move {
            let fetched = fetched.map(|fetched| std::mem::take(&mut *lock(&fetched))).unwrap_or_default();
            let derived = pipeline.conclude(matched, exchange, inquiry, &fetched).await;
            pipeline.keep(derived).await
        })
    }
}

impl Inner {
    fn find(&self, method: &str, target: &str) -> Option<Matched> {
        if let Some(found) = self.rules.find(method, target) {
            return Some(Matched { found, respelt: None });
        }
        let (found, plain) = self.rules.find_respelt(method, target)?;
        Some(Matched { found, respelt: Some(plain) })
    }

    /// Starts to find out who sent a request, where an event may need it.
    fn ask_who(&self, found: Found, request: &Request) -> Option<Inquiry> {
        found.acts().then(|| self.identity.begin(request, self.rules.credential(request)))
    }

    /// Derives, and learns at once, so that the next request finds what this one taught.
    async fn conclude(
        &self,
        matched: Matched,
        mut exchange: Exchange,
        inquiry: Option<Inquiry>,
        fetched: &[Lesson],
    ) -> Derived {
        let caller = match inquiry {
            Some(inquiry) => {
                let who = inquiry.finish(exchange.response.as_ref().map(|response| response.status)).await;
                self.caller(who)
            }
            None => Caller::default(),
        };
        let sent = matched.respelt.map(|plain| std::mem::replace(&mut exchange.request.target, plain));
        let mut derived = self.rules.derive(matched.found, &exchange, &caller, &self.memory, fetched);
        if let Some(sent) = sent {
            show_as_sent(&mut derived, &sent);
        }
        for sighting in &derived.sightings {
            self.identity.learn(&sighting.tokens, &sighting.actor);
        }
        self.learn(std::mem::take(&mut derived.lessons));
        derived
    }

    /// Who it was; what verified claims do not say by their usual names the rules may know where to find.
    fn caller(&self, who: Who) -> Caller {
        let mut actor = who.actor;
        if let Some(named) = Some(&who.claims).filter(|claims| !claims.is_null()).and_then(|it| self.rules.actor_of(it))
        {
            actor.id = actor.id.or(named.id);
            actor.name = actor.name.or(named.name);
            actor.email = actor.email.or(named.email);
        }
        Caller { actor, claims: who.claims }
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

    async fn keep(&self, derived: Derived) -> Kept {
        let Some(recorder) = &self.recorder else { return Kept::OnDisk };
        if derived.events.is_empty() {
            return Kept::OnDisk;
        }
        let count = derived.events.len() as u64;
        self.counters.events.inc_by(count);
        match recorder.record(derived.events).await {
            Err(RecordError::NotOnDisk { .. }) => {
                self.counters.unrecorded.inc_by(count);
                Kept::Lost
            }
            // What the store did not take waits in the spill file.
            Ok(()) | Err(RecordError::Late { .. } | RecordError::Failed { .. }) => Kept::OnDisk,
        }
    }

    /// Asks the platform, with the caller's credential, for things that memory lacks and this request may take away.
    fn look_up(self: &Arc<Self>, found: Found, request: &Request) -> Option<(Pending, Fetched)> {
        let lookups = self.lookups.as_ref()?;
        let wanted = self.rules.lookups(found, request, &self.memory);
        if wanted.is_empty() {
            return None;
        }
        let (this, lookups, headers) = (Arc::clone(self), lookups.clone(), credentials(request));
        let fetched = Fetched::default();
        let found = Arc::clone(&fetched);
        let pending = Box::pin(async move {
            let all = wanted.iter().map(|lookup| async {
                this.counters.lookups.inc();
                let lessons = lookups
                    .ask(lookup, headers.clone())
                    .await
                    .map(|response| this.rules.taught_by_lookup(lookup, &response, lookups.clock.now()));
                match lessons {
                    Some(lessons) if !lessons.is_empty() => {
                        lock(&found).extend(lessons);
                    }
                    _ => {
                        this.counters.lookups_failed.inc();
                    }
                }
            });
            // Too late is the same as unknown: the request must not wait for our curiosity.
            let _ = tokio::time::timeout(lookups.timeout, futures_util::future::join_all(all)).await;
        });
        Some((pending, fetched))
    }
}

impl Lookups {
    async fn ask(&self, lookup: &Lookup, headers: Headers) -> Option<Response> {
        let url = format!("{}{}", self.platform, lookup.path);
        let get = Get { url, headers, timeout: self.timeout, cap: LOOKUP_BYTES };
        let answer = self.outgoing.get(get).await.ok()?;
        let mut copy = Copier::new(&answer.headers, LOOKUP_BYTES);
        copy.push(&answer.body);
        Some(Response { status: answer.status, body: copy.finish(true), headers: answer.headers })
    }
}

fn lock(fetched: &Fetched) -> MutexGuard<'_, Vec<Lesson>> {
    fetched.lock().unwrap_or_else(PoisonError::into_inner)
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

/// The caller's own credentials: a look-up may see what the caller may see, no more.
fn credentials(request: &Request) -> Headers {
    let carries = |name: &[u8]| CREDENTIALS.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    let fields = request.headers.iter().filter(|(name, _)| carries(name));
    fields.map(|(name, value)| (Bytes::copy_from_slice(name), Bytes::copy_from_slice(value))).collect()
}
