//! The one thread that writes.
//!
//! It takes what waits in the queue (no artificial delay: what came while the
//! last fsync ran is the next batch), writes it in one transaction, and tells
//! everyone after the fsync. In between it brings home what was spilled, keeps
//! what memory learned, and brings the indexes up to date.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use crate::event::Event;
use crate::record::block::SIZE;
use crate::record::body;
use crate::record::indexer::{Indexer, Waiting};
use crate::record::landing;
use crate::record::queue::{Entry, Job, Taken};
use crate::record::recorder::Shared;
use crate::record::sqlite::OpenFiles;
use crate::record::texts::Numbers;
use crate::record::{routes, sqlite, things};

/// Events a transaction takes at most: fsync costs nothing any more, and nobody waits longer than needed.
const BATCH: usize = 1_024;
/// Events that wait before blocks are digested between two batches: 8 ms of work that nobody waits for longer.
const DIGEST: usize = 4 * SIZE;
/// How long the writer sleeps when nothing comes; then it looks after what is left undone.
const IDLE: Duration = Duration::from_millis(200);
/// How long it looks after nothing else while events keep coming.
const BUSY: Duration = Duration::from_secs(1);
/// Bytes of the WAL beyond which readers are waited for, so that it can begin anew.
const WAL: u64 = 64 << 20;
/// How long they are waited for, at most once in [`BUSY`].
const PATIENCE: Duration = Duration::from_millis(100);
/// Bits of a position that count within a millisecond.
const COUNTER_BITS: u32 = 20;

pub(crate) struct Writer {
    pub(crate) conn: Connection,
    files: OpenFiles,
    shared: Arc<Shared>,
    ledger: Ledger,
    indexer: Indexer,
    /// Whether the last transaction failed.
    failing: bool,
    /// When it last looked after what is left undone.
    tidied: Instant,
}

/// What the writer knows of the file beside the file itself; void after a rollback.
#[derive(Default)]
struct Ledger {
    /// The newest event's position.
    newest: i64,
    texts: Numbers,
    heads: HashMap<(i64, Arc<str>), Head>,
    body: Vec<u8>,
}

/// The end of a log.
#[derive(Clone)]
struct Head {
    log: i64,
    seq: i64,
    hash: [u8; 32],
    changed: bool,
}

impl Writer {
    pub(crate) fn new(conn: Connection, files: OpenFiles, shared: Arc<Shared>) -> rusqlite::Result<Writer> {
        let mut writer = Writer {
            conn,
            files,
            shared,
            ledger: Ledger::default(),
            indexer: Indexer::default(),
            failing: false,
            tidied: Instant::now(),
        };
        writer.reload()?;
        Ok(writer)
    }

    /// Writes until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        loop {
            match self.shared.queue.take(BATCH, IDLE) {
                Taken::Jobs(jobs) => {
                    self.commit(jobs);
                    self.index(DIGEST);
                    // Under load nothing is ever idle: then every so often.
                    if self.tidied.elapsed() > BUSY {
                        self.tidy();
                    }
                }
                Taken::Nothing => self.tidy(),
                Taken::Closed => break,
            }
        }
        self.tidy();
        // What the planner should know of the tables; looks at few rows, and only where much has changed.
        if let Err(error) = self.conn.execute_batch("PRAGMA analysis_limit = 400; PRAGMA optimize") {
            tracing::warn!(%error, "the store's statistics cannot be brought up to date");
        }
    }

    fn commit(&mut self, jobs: Vec<Job>) {
        let written = self.write(jobs.iter().map(|job| &job.entries));
        let answer = written.map_err(|error| Arc::from(error.to_string()));
        landing::tell_all(jobs.into_iter().map(Job::leave), &answer);
    }

    /// Writes events in one transaction; they are on disk when it returns.
    pub(crate) fn write<'a>(&mut self, groups: impl Iterator<Item = &'a Arc<[Entry]>>) -> rusqlite::Result<()> {
        let numbers = &self.shared.numbers;
        let mut fresh = Vec::new();
        let now_ms = self.shared.clock.now().as_millisecond();
        let conn = &self.conn;
        let ledger = &mut self.ledger;
        let wrote = transact(conn, || {
            for entries in groups {
                for (at, entry) in entries.iter().enumerate() {
                    if let Some((position, log)) = ledger.insert(conn, entry, now_ms)? {
                        fresh.push(Waiting { position, log, entries: Arc::clone(entries), at });
                    }
                }
            }
            ledger.keep_heads(conn)
        });
        // Looked at after the commit: what went into a file that is gone must not be acknowledged.
        let wrote = wrote.and_then(|()| if self.files.are_there() { Ok(()) } else { Err(moved()) });
        match &wrote {
            Ok(()) => {
                numbers.committed.inc_by(fresh.len() as u64);
                self.indexer.add(fresh);
                numbers.commits.inc();
                self.shared.newest.store(self.ledger.newest, Ordering::Release);
                numbers.last_commit.set(self.shared.clock.now().as_second());
                self.set_failing(None);
            }
            Err(error) => {
                numbers.failures.inc();
                self.set_failing(Some(error.to_string()));
                // What was numbered in this transaction is void.
                if let Err(error) = self.reload() {
                    tracing::error!(%error, "the store cannot be read after a failed transaction");
                }
            }
        }
        wrote
    }

    fn set_failing(&mut self, why: Option<String>) {
        match &why {
            Some(why) if !self.failing => tracing::error!(error = %why, "the store cannot be written"),
            None if self.failing => tracing::warn!("the store can be written again"),
            _ => {}
        }
        if why.is_some() || self.failing {
            self.failing = why.is_some();
            self.shared.set_trouble(why);
        }
    }

    fn reload(&mut self) -> rusqlite::Result<()> {
        self.indexer.clear();
        self.ledger.texts.clear();
        self.ledger.heads.clear();
        self.ledger.newest = self.conn.query_row("SELECT coalesce(max(id), 0) FROM event", (), |row| row.get(0))?;
        self.shared.newest.store(self.ledger.newest, Ordering::Release);
        Ok(())
    }

    /// What can wait until nothing else is to do.
    pub(crate) fn tidy(&mut self) {
        self.tidied = Instant::now();
        if !self.files.are_there() {
            self.set_failing(Some(moved().to_string()));
            return;
        }
        self.bring_home();
        self.keep_lessons();
        self.keep_routes();
        self.index(SIZE);
        if let Err(error) = sqlite::shorten_wal(&self.conn, WAL, PATIENCE) {
            tracing::warn!(%error, "the store's WAL cannot be shortened");
        }
    }

    /// Digests whole blocks when at least `least` events wait.
    fn index(&mut self, least: usize) {
        if let Err(error) = self.indexer.index(&self.conn, &mut self.ledger.texts, least) {
            tracing::warn!(%error, "the store's indexes cannot be brought up to date; questions take longer");
            if let Err(error) = self.reload() {
                tracing::error!(%error, "the store cannot be read after a failed transaction");
            }
        }
    }

    /// Writes what was spilled, and what could not even be spilled, into the store.
    pub(crate) fn bring_home(&mut self) {
        let shared = Arc::clone(&self.shared);
        let held = shared.held();
        if !held.is_empty() && self.write(held.iter()).is_err() {
            return;
        }
        shared.release(held.len());
        if shared.spill.waiting() == 0 {
            return;
        }
        let brought = shared.spill.drain(|events| {
            let entries: Arc<[Entry]> = events.into_iter().map(Entry::new).collect();
            self.write(std::iter::once(&entries)).map_err(std::io::Error::other)
        });
        match brought {
            Ok(0) => tracing::info!("the spilled events are in the store"),
            Ok(torn) => tracing::error!(torn, "lines of the spill file are unreadable; the others are in the store"),
            Err(error) => tracing::warn!(%error, "the spilled events cannot be written yet"),
        }
    }

    fn keep_routes(&mut self) {
        let Some(lines) = self.shared.take_routes() else { return };
        let conn = &self.conn;
        if let Err(error) = transact(conn, || routes::keep(conn, &lines)) {
            tracing::warn!(%error, "which routes are used cannot be kept; the next time may tell");
        }
    }

    fn keep_lessons(&mut self) {
        let lessons = self.shared.take_lessons();
        if lessons.learned.is_empty() && lessons.forgotten.is_empty() {
            return;
        }
        let conn = &self.conn;
        if let Err(error) = transact(conn, || things::keep(conn, &lessons)) {
            tracing::warn!(%error, "what memory learned cannot be kept");
            self.shared.numbers.forgotten.inc_by(lessons.learned.len() as u64);
        }
    }
}

impl Ledger {
    /// Adds an event; its position and log, or `None` where it was there already.
    fn insert(&mut self, conn: &Connection, entry: &Entry, now_ms: i64) -> rusqlite::Result<Option<(i64, i64)>> {
        // Clamped: a clock that was set back never lets an event sort before an older one.
        let position = (now_ms << COUNTER_BITS).max(self.newest + 1);
        let event = &entry.event;
        self.body.clear();
        body::encode(event, &mut self.texts.through(conn), &mut self.body)?;
        let key = log_of(event);
        if !self.heads.contains_key(&key) {
            let head = Head::load(conn, &key)?;
            self.heads.insert(key.clone(), head);
        }
        let head = self.heads.get_mut(&key).expect("it was just put there");
        let hash: [u8; 32] = Sha256::new().chain_update(head.hash).chain_update(&entry.canonical).finalize().into();
        let added = conn
            .prepare_cached(
                "INSERT INTO event (id, log, seq, uuid, hash, body) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (uuid) DO NOTHING",
            )?
            .execute(params![position, head.log, head.seq + 1, event.id.as_bytes(), &hash, &self.body])?;
        if added == 0 {
            return Ok(None);
        }
        *head = Head { log: head.log, seq: head.seq + 1, hash, changed: true };
        self.newest = position;
        Ok(Some((position, head.log)))
    }

    fn keep_heads(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let mut keep = conn.prepare_cached("UPDATE log SET seq = ?, hash = ? WHERE id = ?")?;
        for head in self.heads.values_mut().filter(|head| head.changed) {
            keep.execute(params![head.seq, &head.hash, head.log])?;
            head.changed = false;
        }
        Ok(())
    }
}

impl Head {
    fn load(conn: &Connection, (sort, name): &(i64, Arc<str>)) -> rusqlite::Result<Head> {
        let found = conn
            .prepare_cached("SELECT id, seq, hash FROM log WHERE sort = ? AND name = ?")?
            .query_row(params![sort, name], |row| {
                Ok(Head { log: row.get(0)?, seq: row.get(1)?, hash: row.get(2)?, changed: false })
            })
            .optional()?;
        if let Some(head) = found {
            return Ok(head);
        }
        let hash = [0; 32];
        conn.execute("INSERT INTO log (sort, name, seq, hash) VALUES (?, ?, 0, ?)", params![sort, name, &hash])?;
        Ok(Head { log: conn.last_insert_rowid(), seq: 0, hash, changed: false })
    }
}

/// Which log an event belongs to: its workspace's, sidetrail's own, or the one of unknown workspace.
fn log_of(event: &Event) -> (i64, Arc<str>) {
    match &event.workspace {
        Some(workspace) => (0, Arc::clone(workspace)),
        None if event.rule.is_none() => (2, "".into()),
        None => (1, "".into()),
    }
}

fn moved() -> rusqlite::Error {
    let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY_DBMOVED);
    let why = "its file was deleted, moved or exchanged while it was open; start again to begin a new one";
    rusqlite::Error::SqliteFailure(code, Some(why.to_owned()))
}

/// Runs `work` in one transaction; rolled back when it fails.
pub(crate) fn transact<T>(conn: &Connection, work: impl FnOnce() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    conn.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
    let done = work().and_then(|done| conn.prepare_cached("COMMIT")?.execute(()).map(|_| done));
    if done.is_err() && !conn.is_autocommit() {
        conn.execute_batch("ROLLBACK")?;
    }
    done
}
