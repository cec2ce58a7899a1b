//! Between the many that record and the one that writes: bounded in events and
//! in bytes. Full means that the caller waits; nothing is ever dropped here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::event::Event;
use crate::record::canonical::canonical;
use crate::record::landing::{Answer, Landing, Waiter};

/// Events that may wait.
const EVENTS: u32 = 8_192;
/// Canonical bytes that may wait: the larger part of what a waiting event holds.
const BYTES: u32 = 8 << 20;

/// One event and what its hash covers.
pub(crate) struct Entry {
    pub(crate) event: Event,
    pub(crate) canonical: Vec<u8>,
}

impl Entry {
    pub(crate) fn new(event: Event) -> Entry {
        Entry { canonical: canonical(&event), event }
    }
}

/// The events of one exchange, which become durable together.
pub(crate) struct Job {
    pub(crate) entries: Arc<[Entry]>,
    /// Told when they are on disk, or why they are not.
    pub(crate) waiter: Waiter,
    claim: Arc<Claim>,
    _room: (OwnedSemaphorePermit, OwnedSemaphorePermit),
}

impl Job {
    /// Makes room for others; who waits is to be told.
    pub(crate) fn leave(self) -> Waiter {
        self.waiter
    }
}

/// Who decides about a job: the writer that takes it, or the recording side that gives it up. Never both.
#[derive(Default)]
pub(crate) struct Claim(AtomicBool);

impl Claim {
    /// Whether it is the caller's: the first one has it.
    pub(crate) fn is_mine(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

/// A job in the queue, as its recording side knows it.
pub(crate) struct Queued {
    pub(crate) told: oneshot::Receiver<Answer>,
    pub(crate) claim: Arc<Claim>,
}

/// What the writer found.
pub(crate) enum Taken {
    /// Something to write.
    Jobs(Vec<Job>),
    /// Nothing for as long as it waited.
    Nothing,
    /// Nothing, and nothing will come.
    Closed,
}

pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    events: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

#[derive(Default)]
struct Waiting {
    jobs: Vec<Job>,
    closed: bool,
    /// Whether the writer sleeps until something comes.
    asleep: bool,
}

impl Queue {
    pub(crate) fn new() -> Queue {
        let semaphore = |permits: u32| Arc::new(Semaphore::new(usize::try_from(permits).unwrap_or(usize::MAX)));
        Queue { waiting: Mutex::default(), arrived: Condvar::new(), events: semaphore(EVENTS), bytes: semaphore(BYTES) }
    }

    /// Waits for room and queues the events. `None`: the queue is closed.
    pub(crate) async fn put(&self, entries: Arc<[Entry]>) -> Option<Queued> {
        // One exchange larger than the whole queue takes all of it and passes alone.
        let bytes: usize = entries.iter().map(|entry| entry.canonical.len()).sum();
        let bytes = u32::try_from(bytes).unwrap_or(BYTES).min(BYTES);
        let events = u32::try_from(entries.len()).unwrap_or(EVENTS).min(EVENTS);
        let room = (
            Arc::clone(&self.events).acquire_many_owned(events).await.ok()?,
            Arc::clone(&self.bytes).acquire_many_owned(bytes).await.ok()?,
        );
        let (done, told) = oneshot::channel();
        let waiter = Waiter { landing: Landing::here(), done };
        let mut waiting = self.lock();
        if waiting.closed {
            return None;
        }
        let claim = Arc::<Claim>::default();
        waiting.jobs.push(Job { entries, waiter, claim: Arc::clone(&claim), _room: room });
        // Each notification is a system call, also when nobody sleeps.
        if std::mem::take(&mut waiting.asleep) {
            drop(waiting);
            self.arrived.notify_one();
        }
        Some(Queued { told, claim })
    }

    /// Everything that waits, at most about `limit` events; waits up to `patience` for the first.
    pub(crate) fn take(&self, limit: usize, patience: Duration) -> Taken {
        let mut waiting = self.lock();
        if waiting.jobs.is_empty() && !waiting.closed {
            waiting.asleep = true;
            waiting = self.arrived.wait_timeout(waiting, patience).unwrap_or_else(PoisonError::into_inner).0;
        }
        if waiting.jobs.is_empty() {
            return if waiting.closed { Taken::Closed } else { Taken::Nothing };
        }
        let mut events = 0;
        let full = waiting.jobs.iter().position(|job| {
            let over = events > 0 && events + job.entries.len() > limit;
            events += job.entries.len();
            over
        });
        let rest = full.map(|at| waiting.jobs.split_off(at)).unwrap_or_default();
        let mut jobs = std::mem::replace(&mut waiting.jobs, rest);
        // What was given up is told as a gap: it must not come after all.
        jobs.retain(|job| job.claim.is_mine());
        if jobs.is_empty() { Taken::Nothing } else { Taken::Jobs(jobs) }
    }

    /// Nothing more is let in; what waits is still written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Events that wait now.
    pub(crate) fn depth(&self) -> usize {
        usize::try_from(EVENTS).unwrap_or(usize::MAX).saturating_sub(self.events.available_permits())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
