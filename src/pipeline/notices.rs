//! sidetrail's own events about traffic: requests that were refused, and gaps
//! where events could not be recorded.
//!
//! Nobody waits for them: a thread of their own writes them, begun with the
//! first. Refusals are bounded (a few a minute, then one event with the number
//! left out). A gap is told to the log that it is in, as soon as writing works
//! again; until then it waits here, as one line for each log.

use std::collections::BTreeMap;
use std::mem::take;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, json};

use crate::capture::Refused;
use crate::clock::Clock;
use crate::event::{Actor, ActorKind, Event, Message, Outcome, RequestFacts, Source};
use crate::exchange::Exchange;
use crate::record::{RecordError, Recorder};

/// Refusals of one minute that get an event each.
const REFUSALS: u64 = 10;
const MINUTE: SignedDuration = SignedDuration::from_secs(60);
/// How often it is tried to tell of a gap, and looked whether a minute is over.
const AGAIN: Duration = Duration::from_secs(1);
/// Logs whose gaps are told apart; those of more are told in the log of no workspace.
const LOGS: usize = 256;

/// Tells of what happened to traffic that no rule tells of. Dropped, it writes what is left.
pub(super) struct Notices {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    recorder: Recorder,
    clock: Clock,
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    closed: bool,
    refusals: Vec<Event>,
    minute: Option<Minute>,
    gaps: BTreeMap<Option<Arc<str>>, Span>,
}

/// The refusals of one minute.
struct Minute {
    began: Timestamp,
    told: u64,
    left_out: Option<Span>,
}

/// So many, from then until then.
#[derive(Clone, Copy, Debug)]
struct Span {
    count: u64,
    from: Timestamp,
    to: Timestamp,
}

impl Notices {
    pub(super) fn new(recorder: Recorder) -> Notices {
        let clock = recorder.clock().clone();
        let (waiting, changed) = (Mutex::default(), Condvar::new());
        Notices { shared: Arc::new(Shared { recorder, clock, waiting, changed }), thread: Mutex::default() }
    }

    /// A front refused a request.
    pub(super) fn refused(&self, refused: &Refused<'_>) {
        let now = self.shared.clock.now();
        {
            let mut waiting = self.shared.lock();
            let Waiting { minute, refusals, .. } = &mut *waiting;
            // The thread ends a minute, so that what was left out is told.
            let minute = minute.get_or_insert(Minute { began: now, told: 0, left_out: None });
            if minute.told < REFUSALS {
                minute.told += 1;
                refusals.push(refusal(refused, now));
            } else {
                Span::add(&mut minute.left_out, 1, now, now);
            }
        }
        self.wake();
    }

    /// Events that are nowhere on disk, one workspace for each.
    pub(super) fn lost(&self, workspaces: impl Iterator<Item = Option<Arc<str>>>, from: Timestamp) {
        let now = self.shared.clock.now();
        {
            let mut waiting = self.shared.lock();
            for workspace in workspaces {
                waiting.gap(workspace, Span { count: 1, from, to: now });
            }
        }
        self.wake();
    }

    fn wake(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let shared = Arc::clone(&self.shared);
            let started = std::thread::Builder::new().name("notices".to_owned()).spawn(move || shared.run());
            // Tried again with the next.
            *thread = started.ok();
        }
        drop(thread);
        self.shared.changed.notify_one();
    }
}

impl Notices {
    /// Writes what is left, and ends. Called before the recorder is closed.
    pub(super) fn finish(&self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = take(&mut *self.thread.lock().unwrap_or_else(PoisonError::into_inner)) {
            let _ = thread.join();
        }
    }
}

impl Drop for Notices {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what there is, until closed.
    fn run(&self) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build() else { return };
        loop {
            let (events, gaps, closed) = self.next();
            let lost = events.len() as u64;
            if !events.is_empty() || !gaps.is_empty() {
                let now = self.clock.now();
                let told = gaps.iter().map(|(workspace, span)| gap(workspace.clone(), *span, now));
                let written = runtime.block_on(self.recorder.record(events.into_iter().chain(told).collect()));
                if let Err(RecordError::NotOnDisk { held: false, .. }) = written {
                    self.put_back(gaps, lost, now);
                }
            }
            if closed {
                return;
            }
        }
    }

    /// Waits for something to write.
    fn next(&self) -> (Vec<Event>, BTreeMap<Option<Arc<str>>, Span>, bool) {
        let mut waiting = self.lock();
        loop {
            let now = self.clock.now();
            let closed = waiting.closed;
            if let Some(minute) = waiting.minute.take_if(|minute| closed || now.duration_since(minute.began) >= MINUTE)
                && let Some(left_out) = minute.left_out
            {
                waiting.refusals.push(left_out_of(left_out, now));
            }
            if closed || !waiting.refusals.is_empty() || !waiting.gaps.is_empty() {
                return (take(&mut waiting.refusals), take(&mut waiting.gaps), closed);
            }
            waiting = if waiting.minute.is_none() {
                self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner)
            } else {
                self.changed.wait_timeout(waiting, AGAIN).unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }

    /// Nothing was written: the gap grows by what was to be told, and is told later.
    fn put_back(&self, gaps: BTreeMap<Option<Arc<str>>, Span>, lost: u64, now: Timestamp) {
        let mut waiting = self.lock();
        for (workspace, span) in gaps {
            waiting.gap(workspace, span);
        }
        if lost > 0 {
            waiting.gap(None, Span { count: lost, from: now, to: now });
        }
        if waiting.closed {
            let lost: u64 = waiting.gaps.values().map(|span| span.count).sum();
            tracing::error!(events = lost, "events could not be recorded, and neither could that they are missing");
            return;
        }
        // A writer that fails at once must not be asked without end.
        drop(self.changed.wait_timeout(waiting, AGAIN));
    }
}

impl Waiting {
    fn gap(&mut self, workspace: Option<Arc<str>>, span: Span) {
        let known = self.gaps.len() < LOGS || self.gaps.contains_key(&workspace);
        let mut all = self.gaps.remove(if known { &workspace } else { &None });
        Span::add(&mut all, span.count, span.from, span.to);
        if let Some(all) = all {
            self.gaps.insert(workspace.filter(|_| known), all);
        }
    }
}

impl Span {
    fn add(span: &mut Option<Span>, count: u64, from: Timestamp, to: Timestamp) {
        let all = span.get_or_insert(Span { count: 0, from, to });
        *all = Span { count: all.count.saturating_add(count), from: all.from.min(from), to: all.to.max(to) };
    }

    /// `between … and …`
    fn between(&self) -> String {
        let second = |time: Timestamp| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
        format!("between {} and {}", second(self.from), second(self.to))
    }
}

fn own(action: &str, title: &str, text: String, outcome: Outcome, time: Timestamp) -> Event {
    Event {
        id: Exchange::number(time),
        time,
        workspace: None,
        category: "Proxy".into(),
        action: action.into(),
        title: title.into(),
        message: Message::plain(text),
        outcome,
        actor: Actor { kind: ActorKind::System, ..Actor::default() },
        translations: Vec::new(),
        targets: Vec::new(),
        changes: Vec::new(),
        details: Map::new(),
        missing: Vec::new(),
        source: Source::default(),
        request: None,
        rule: None,
    }
}

fn refusal(refused: &Refused<'_>, time: Timestamp) -> Event {
    let path = refused.target.map(|target| super::paths::shown(target.split('?').next().unwrap_or_default()));
    let what = match (refused.method, &path) {
        (Some(method), Some(path)) => format!("{method} {path}"),
        _ => "a request".to_owned(),
    };
    let text = format!("refused {what}: {}", refused.reason);
    let mut event = own("proxy.refused", "refuse request", text, Outcome::Denied, time);
    let nobody = "the request was refused before it was read".to_owned();
    event.actor = Actor { unknown_because: Some(nobody), ..Actor::default() };
    event.source.ip = Some(refused.client);
    event.details.insert("reason".to_owned(), json!(refused.label));
    event.details.insert("status".to_owned(), json!(refused.status));
    if let (Some(method), Some(path)) = (refused.method, path) {
        let (id, method) = (event.id.to_string(), method.to_owned());
        event.request = Some(RequestFacts { id, method, path, status: Some(refused.status), duration_ms: 0 });
    }
    event
}

fn left_out_of(span: Span, now: Timestamp) -> Event {
    let requests = if span.count == 1 { "request was" } else { "requests were" };
    let text = format!("{} more {requests} refused {}", span.count, span.between());
    let mut event = own("proxy.refused", "refuse request", text, Outcome::Denied, now);
    event.details.insert("count".to_owned(), json!(span.count));
    event
}

fn gap(workspace: Option<Arc<str>>, span: Span, now: Timestamp) -> Event {
    let events = if span.count == 1 { "event" } else { "events" };
    let text = format!("{} {events} could not be recorded {}", span.count, span.between());
    let mut event = own("record.gap", "gap in the log", text, Outcome::Failure, now);
    event.workspace = workspace;
    event.details.insert("count".to_owned(), json!(span.count));
    event.details.insert("from".to_owned(), json!(span.from.to_string()));
    event.details.insert("to".to_owned(), json!(span.to.to_string()));
    event
}
