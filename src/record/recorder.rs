//! The writing half: events go in, and what is acknowledged is on disk.

use std::fs::File;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::registry::Registry;

use crate::clock::Clock;
use crate::event::Event;
use crate::ledger::Line;
use crate::memory::{Key, Lesson};
use crate::record::landing::Answer;
use crate::record::metrics::Numbers;
use crate::record::queue::{Entry, Queue, Queued};
use crate::record::spill::Spill;
use crate::record::things::Lessons;
use crate::record::writer::Writer;

/// Events that are kept in memory alone when neither the store nor the spill file takes them.
const HELD: usize = 4_096;

/// The writing half. Clones share one writer; the last one that goes waits until it is done.
#[derive(Clone)]
pub struct Recorder(Arc<Handle>);

/// Why events are not in the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The store did not answer in time.
    #[error("the store did not take the event within {after_ms} ms; it waits in the spill file")]
    Late {
        /// The deadline.
        after_ms: u64,
    },
    /// The store refused.
    #[error("the store cannot be written ({why}); the event waits in the spill file")]
    Failed {
        /// What SQLite said.
        why: String,
    },
    /// Neither the store nor the spill file takes events.
    #[error("the event is not on disk: {why}, and the spill file: {spill}")]
    NotOnDisk {
        /// Why not in the store.
        why: String,
        /// Why not in the spill file.
        spill: String,
        /// Whether it is kept in memory, and written when writing works again.
        held: bool,
    },
}

/// How the writing half is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Why the store cannot be written, where it cannot.
    pub trouble: Option<String>,
    /// Events that wait to be written.
    pub queued: usize,
    /// Events that wait in the spill file.
    pub spilled: u64,
    /// When the last commit was.
    pub last_commit: Option<Timestamp>,
}

pub(crate) struct Handle {
    shared: Arc<Shared>,
    deadline: Duration,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the recording side and the writer share.
pub(crate) struct Shared {
    pub(crate) queue: Queue,
    pub(crate) spill: Spill,
    pub(crate) clock: Clock,
    pub(crate) numbers: Numbers,
    /// The newest position.
    pub(crate) newest: AtomicI64,
    /// The second in which it was last said that events are not in the store.
    complained: AtomicI64,
    lessons: Mutex<Lessons>,
    routes: Mutex<Option<Vec<Line>>>,
    held: Mutex<Vec<Arc<[Entry]>>>,
    trouble: Mutex<Option<String>>,
    /// Released when the last of both sides goes.
    _lock: File,
}

impl Shared {
    pub(crate) fn new(spill: Spill, clock: Clock, lock: File) -> Shared {
        Shared {
            queue: Queue::new(),
            spill,
            clock,
            numbers: Numbers::default(),
            newest: AtomicI64::new(0),
            complained: AtomicI64::new(0),
            lessons: Mutex::default(),
            routes: Mutex::default(),
            held: Mutex::default(),
            trouble: Mutex::default(),
            _lock: lock,
        }
    }

    pub(crate) fn set_trouble(&self, why: Option<String>) {
        *held_of(&self.trouble) = why;
    }

    pub(crate) fn take_lessons(&self) -> Lessons {
        std::mem::take(&mut held_of(&self.lessons))
    }

    pub(crate) fn take_routes(&self) -> Option<Vec<Line>> {
        held_of(&self.routes).take()
    }

    /// What is kept in memory alone.
    pub(crate) fn held(&self) -> Vec<Arc<[Entry]>> {
        held_of(&self.held).clone()
    }

    /// The first `count` of [`Shared::held`] are in the store.
    pub(crate) fn release(&self, count: usize) {
        held_of(&self.held).drain(..count);
    }

    fn hold(&self, entries: Arc<[Entry]>) -> bool {
        let mut held = held_of(&self.held);
        let room = held.iter().map(|entries| entries.len()).sum::<usize>() + entries.len() <= HELD;
        if room {
            held.push(entries);
        }
        room
    }
}

fn held_of<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    pub(crate) fn start(writer: Writer, shared: Arc<Shared>, deadline: Duration) -> std::io::Result<Recorder> {
        let thread = std::thread::Builder::new().name("record".to_owned()).spawn(move || writer.run())?;
        Ok(Recorder(Arc::new(Handle { shared, deadline, thread: Mutex::new(Some(thread)) })))
    }

    /// Writes events of one exchange, all or none. `Ok` means: on disk, fsynced.
    ///
    /// Ends within the deadline of the configuration (and as long again for the
    /// spill file). An event that is recorded twice, by its id, is kept once.
    pub async fn record(&self, events: Vec<Event>) -> Result<(), RecordError> {
        if events.is_empty() {
            return Ok(());
        }
        let entries: Arc<[Entry]> = events.into_iter().map(Entry::new).collect();
        let mut queued = None;
        let submitted = self.submit(Arc::clone(&entries), &mut queued);
        let error = match tokio::time::timeout(self.0.deadline, submitted).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(why)) => {
                queued = None;
                RecordError::Failed { why: why.to_string() }
            }
            Err(_) => {
                let after_ms = u64::try_from(self.0.deadline.as_millis()).unwrap_or(u64::MAX);
                RecordError::Late { after_ms }
            }
        };
        let count = entries.len();
        let error = self.spill(entries, error).await;
        if let (RecordError::NotOnDisk { held: false, .. }, Some(queued)) = (&error, queued)
            && self.was_written_late(queued).await
        {
            return Ok(());
        }
        if let RecordError::NotOnDisk { held: false, .. } = error {
            self.0.shared.numbers.lost.inc_by(count as u64);
        }
        self.complain(count, &error);
        Err(error)
    }

    /// Once a second at most: a log on the same full disk must not fill it further. The metrics count them all.
    fn complain(&self, events: usize, error: &RecordError) {
        let now = self.0.shared.clock.now().as_second();
        if self.0.shared.complained.swap(now, Ordering::Relaxed) != now {
            tracing::error!(events, %error, "events are not in the store; said once a second, counted in the metrics");
        }
    }

    async fn submit(&self, entries: Arc<[Entry]>, queued: &mut Option<Queued>) -> Answer {
        let closed = || Arc::from("it is closed");
        let queued = queued.insert(self.0.shared.queue.put(entries).await.ok_or_else(closed)?);
        (&mut queued.told).await.unwrap_or_else(|_| Err(closed()))
    }

    /// Gives up what is about to be told as lost. Where the writer has it already, whether it wrote it.
    async fn was_written_late(&self, queued: Queued) -> bool {
        if queued.claim.is_mine() {
            return false;
        }
        matches!(tokio::time::timeout(self.0.deadline, queued.told).await, Ok(Ok(Ok(()))))
    }

    async fn spill(&self, entries: Arc<[Entry]>, error: RecordError) -> RecordError {
        let shared = Arc::clone(&self.0.shared);
        let kept = Arc::clone(&entries);
        let written = tokio::task::spawn_blocking(move || shared.spill.append(&kept));
        let trouble = match tokio::time::timeout(self.0.deadline, written).await {
            Ok(Ok(Ok(()))) => {
                self.0.shared.numbers.spilled.inc_by(entries.len() as u64);
                return error;
            }
            Ok(Ok(Err(trouble))) => trouble.to_string(),
            Ok(Err(trouble)) => trouble.to_string(),
            Err(_) => "it did not answer in time".to_owned(),
        };
        let held = self.0.shared.hold(entries);
        RecordError::NotOnDisk { why: error.to_string(), spill: trouble, held }
    }

    /// Keeps what was learned; goes to disk when the writer is idle, dropped (and counted) when too much waits.
    pub fn remember(&self, lessons: Vec<Lesson>) {
        let dropped = held_of(&self.0.shared.lessons).add(lessons);
        self.0.shared.numbers.forgotten.inc_by(dropped);
    }

    /// Forgets things that memory let go.
    pub fn forget(&self, keys: Vec<Key>) {
        held_of(&self.0.shared.lessons).forget(keys);
    }

    /// Keeps which routes are used, in the place of what was kept; goes to disk when the writer is idle.
    pub fn keep_routes(&self, lines: Vec<Line>) {
        *held_of(&self.0.shared.routes) = Some(lines);
    }

    /// What it tells the time by.
    pub(crate) fn clock(&self) -> &Clock {
        &self.0.shared.clock
    }

    /// How the writing half is.
    pub fn health(&self) -> Health {
        let shared = &self.0.shared;
        let last = shared.numbers.last_commit.get();
        Health {
            trouble: held_of(&shared.trouble).clone(),
            queued: shared.queue.depth(),
            spilled: shared.spill.waiting(),
            last_commit: if last == 0 { None } else { Timestamp::from_second(last).ok() },
        }
    }

    /// Puts the writing half's numbers among the process's metrics.
    pub fn register(&self, registry: &mut Registry) {
        self.0.shared.numbers.register(registry, Arc::clone(&self.0.shared));
    }

    /// Writes what is queued and ends the writer. Called once, at the end.
    pub async fn close(&self) {
        self.0.shared.queue.close();
        let thread = held_of(&self.0.thread).take();
        if let Some(thread) = thread {
            let ended = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(ended, Ok(Ok(()))) {
                tracing::error!("the writer ended badly; what was queued may not be on disk");
            }
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.queue.close();
        if let Some(thread) = held_of(&self.thread).take() {
            let _ = thread.join();
        }
    }
}
