//! The reading half: every question that can be asked.
//!
//! Each question takes one connection of a small pool, answers from one
//! snapshot, and lets it go: between two portions of a long export nothing
//! holds the WAL back.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use crate::ledger::Line;
use crate::memory::{Key, Thing};
use crate::record::canonical::Damaged;
use crate::record::census::Census;
use crate::record::kept::Kept;
use crate::record::matching::sees;
use crate::record::query::{Count, Facet, Field, Filter, Histogram, Order, Page, Position, Scope, Stored};
use crate::record::select::{Part, Snapshot};
use crate::record::stop::{self, Stop};
use crate::record::texts::Texts;
use crate::record::token::{self, RevokeError, Right, Token, Which};
use crate::record::{OpenError, Settings, StoreError, facet, histogram, migrate, rollup, routes, sqlite, things};

/// Idle connections that are kept.
const POOL: usize = 4;

/// The reading half. Clones share connections. Every question blocks: ask from a thread that may.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    stop: Option<Stop>,
}

struct Inner {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    texts: Texts,
    census: Census,
    kept: Kept,
    secret: [u8; 32],
    id: String,
}

impl Store {
    /// Opens an existing store for reading only (the CLI beside a running server).
    pub fn open_existing(settings: &Settings) -> Result<Store, OpenError> {
        let path = sqlite::path(settings)?;
        if !path.exists() {
            return Err(OpenError::Missing { path });
        }
        Store::at(path)
    }

    pub(crate) fn at(path: PathBuf) -> Result<Store, OpenError> {
        let conn = sqlite::open_reader(&path)?;
        let found = migrate::check(&conn, migrate::MIGRATIONS)?;
        let known = migrate::MIGRATIONS.iter().map(|migration| migration.number).max().unwrap_or(0);
        if found < known {
            return Err(OpenError::Older { found, known });
        }
        let meta = |name| conn.query_row("SELECT value FROM meta WHERE name = ?", [name], |row| row.get(0));
        let secret = meta("secret")?;
        let id: Vec<u8> = conn.query_row("SELECT value FROM meta WHERE name = 'id'", (), |row| row.get(0))?;
        let id = hex::encode(id);
        let idle = Mutex::new(vec![conn]);
        let inner =
            Inner { path, idle, texts: Texts::default(), census: Census::default(), kept: Kept::default(), secret, id };
        Ok(Store { inner: Arc::new(inner), stop: None })
    }

    /// The same store, whose questions end when `stop` says so.
    #[must_use]
    pub fn stopped_by(&self, stop: &Stop) -> Store {
        Store { inner: Arc::clone(&self.inner), stop: Some(stop.clone()) }
    }

    /// 32 bytes that only this store has, made with it: what cursors are signed with.
    pub fn secret(&self) -> [u8; 32] {
        self.inner.secret
    }

    /// What names this store: 32 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// The things that were remembered, most recently seen first, at most `limit`.
    pub fn things(&self, limit: usize) -> Result<Vec<(Key, Thing)>, StoreError> {
        self.ask(|asked| things::list(asked.conn, limit))
    }

    /// Which routes of the platform are used, as far as it was kept.
    pub fn routes(&self) -> Result<Vec<Line>, StoreError> {
        self.ask(|asked| routes::list(asked.conn))
    }

    /// Events in order, at most `limit`, beyond `after` (keyset).
    pub fn page(
        &self,
        filter: &Filter,
        order: Order,
        limit: usize,
        after: Option<Position>,
    ) -> Result<Page, StoreError> {
        self.ask(|asked| asked.page(filter, order, limit, after))
    }

    /// How many events match, counting no further than `cap`.
    pub fn count(&self, filter: &Filter, cap: u64) -> Result<Count, StoreError> {
        self.ask(|asked| {
            let mut value: u64 = 0;
            if filter.clauses.iter().any(|clause| matches!(clause.field, Field::Category | Field::Outcome))
                && rollup::serves(asked, filter)?
            {
                value = rollup::sum(asked, filter)?;
                return Ok(Count { value: value.min(cap), capped: value > cap });
            }
            asked.visit(filter, Order::Descending, None, &mut |part| {
                value += match part {
                    Part::Event(..) => 1,
                    Part::Block(_, mask) => mask.count(),
                };
                Ok(value <= cap)
            })?;
            Ok(Count { value: value.min(cap), capped: value > cap })
        })
    }

    /// The values of a field among the matching events with their counts, most frequent first, at most `limit`.
    /// The filter's own clauses on that field are left out, so that a menu can offer the others.
    /// For targets the values are kinds: `document:*`.
    pub fn facet(&self, filter: &Filter, field: Field, limit: usize) -> Result<Vec<Facet>, StoreError> {
        self.ask(|asked| facet::facet(asked, filter, field, limit))
    }

    /// Counts per category and bucket; `edges` are the buckets' borders (n + 1 for n buckets), ascending.
    pub fn histogram(&self, filter: &Filter, edges: &[Timestamp]) -> Result<Histogram, StoreError> {
        self.ask(|asked| histogram::histogram(asked, filter, edges))
    }

    /// How many events match that stand beyond a position, counting no further than `cap`.
    pub fn count_beyond(&self, filter: &Filter, position: Position, cap: u64) -> Result<Count, StoreError> {
        self.ask(|asked| {
            let mut value: u64 = 0;
            asked.visit(filter, Order::Ascending, Some(position), &mut |part| {
                value += match part {
                    Part::Event(..) => 1,
                    Part::Block(_, mask) => mask.count(),
                };
                Ok(value <= cap)
            })?;
            Ok(Count { value: value.min(cap), capped: value > cap })
        })
    }

    /// The links of these events that lead to things which were deleted since, as far as memory knows them.
    pub fn gone_links(&self, events: &[Stored]) -> Result<BTreeSet<(uuid::Uuid, String)>, StoreError> {
        self.ask(|asked| {
            let mut gone = BTreeSet::new();
            for Stored { event, .. } in events {
                for target in &event.targets {
                    if let (Some(id), Some(link)) = (&target.id, &target.link)
                        && things::is_gone(
                            asked.conn,
                            event.workspace.as_deref().unwrap_or_default(),
                            &target.kind,
                            id,
                        )?
                    {
                        gone.insert((event.id, link.clone()));
                    }
                }
            }
            Ok(gone)
        })
    }

    /// One event by its number, if the scope may see it.
    pub fn event(&self, scope: &Scope, id: uuid::Uuid) -> Result<Option<Stored>, StoreError> {
        self.ask(|asked| {
            let found = asked.by_uuid(id)?;
            Ok(found.filter(|stored| sees(scope, &stored.event)))
        })
    }

    /// The newest position now: the bound that pins a list or an export.
    pub fn newest(&self) -> Result<Position, StoreError> {
        self.ask(|asked| {
            let mut find = asked.conn.prepare_cached("SELECT coalesce(max(id), 0) FROM event")?;
            Ok(Position(find.query_row((), |row| row.get(0))?))
        })
    }

    /// Every workspace that has events, by name.
    pub fn workspaces(&self, scope: &Scope) -> Result<Vec<String>, StoreError> {
        self.ask(|asked| {
            let mut find =
                asked.conn.prepare_cached("SELECT name FROM log WHERE sort = 0 AND seq > 0 ORDER BY name")?;
            let names = find.query_map((), |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
            Ok(match scope {
                Scope::All => names,
                Scope::Only(only) => names.into_iter().filter(|name| only.contains(name)).collect(),
            })
        })
    }

    /// The token of a secret's SHA-256, revoked or not.
    pub fn token_by_hash(&self, sha256: &[u8; 32]) -> Result<Option<Token>, StoreError> {
        self.ask(|asked| token::by_hash(asked.conn, sha256))
    }

    /// Every token, oldest first.
    pub fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        self.ask(|asked| token::list(asked.conn))
    }

    /// Whether a token was ever made, revoked or not.
    pub fn has_tokens(&self) -> Result<bool, StoreError> {
        self.ask(|asked| token::any(asked.conn))
    }

    /// Adds a token; `sha256` is the hash of its secret. Works beside a running writer.
    pub fn create_token(
        &self,
        name: &str,
        sha256: &[u8; 32],
        rights: &BTreeSet<Right>,
        workspaces: Option<&BTreeSet<String>>,
        now: Timestamp,
    ) -> Result<Token, StoreError> {
        token::create(&sqlite::open_brief(&self.inner.path)?, name, sha256, rights, workspaces, now)
    }

    /// Revokes the tokens that are meant; returns how many were alive.
    ///
    /// # Errors
    /// When a word is one token's number and another's name.
    pub fn revoke_token(&self, which: &Which, now: Timestamp) -> Result<usize, RevokeError> {
        let mut conn = sqlite::open_brief(&self.inner.path).map_err(StoreError::from)?;
        token::revoke(&mut conn, which, now)
    }

    fn ask<T>(&self, question: impl FnOnce(&Snapshot<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = || self.inner.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let pooled = idle().pop();
        let mut conn = match pooled {
            Some(conn) => conn,
            None => sqlite::open_reader(&self.inner.path)?,
        };
        if let Some(stop) = &self.stop {
            stop.watch(&mut conn)?;
        }
        conn.prepare_cached("BEGIN")?.execute(())?;
        let answer = question(&Snapshot {
            conn: &conn,
            texts: self.inner.texts.through(&conn),
            census: &self.inner.census,
            kept: &self.inner.kept,
        });
        if self.stop.is_some() {
            stop::forget(&mut conn)?;
        }
        conn.prepare_cached("COMMIT")?.execute(())?;
        let mut pool = idle();
        if pool.len() < POOL {
            pool.push(conn);
        }
        answer
    }
}

impl Snapshot<'_> {
    fn page(&self, filter: &Filter, order: Order, limit: usize, after: Option<Position>) -> Result<Page, StoreError> {
        let mut events = Vec::new();
        let mut more = false;
        self.visit(filter, order, after, &mut |part| {
            let positions = match part {
                Part::Event(position, _) => vec![position],
                Part::Block(block, mask) => {
                    let ids = block.ids()?;
                    let places = mask.places().filter_map(|place| ids.get(place).copied());
                    if order == Order::Ascending { places.collect() } else { places.rev().collect() }
                }
            };
            for position in positions {
                more = events.len() >= limit;
                if more {
                    return Ok(false);
                }
                events.push(self.stored(position)?.ok_or(Damaged)?);
            }
            Ok(true)
        })?;
        Ok(Page { events, more })
    }

    fn by_uuid(&self, id: uuid::Uuid) -> Result<Option<Stored>, StoreError> {
        let mut find = self.conn.prepare_cached("SELECT id FROM event WHERE uuid = ?")?;
        let found = find.query_row([id.as_bytes().as_slice()], |row| row.get::<_, i64>(0)).optional()?;
        found.map(|position| self.stored(position)?.ok_or(StoreError::Damaged(Damaged))).transpose()
    }
}
