//! From events to what questions are answered from: blocks of columns, counts
//! per half hour, the word index.
//!
//! Not on the way of an event to the disk: the writer digests whole blocks when
//! enough events wait, in a transaction of its own that also moves
//! `digest.upto`. Readers look at later events one by one, so nothing is ever
//! missing; and all of it can be made again from the events.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Write;

use foldhash::fast::RandomState;
use rusqlite::{Connection, params};

use crate::event::Event;
use crate::record::block::{Column, SIZE, bloom, pack, short_hash};
use crate::record::body::Number;
use crate::record::indexer::Waiting;
use crate::record::matching::target_keys;
use crate::record::rollup;
use crate::record::sieve::{pair, sieve};
use crate::record::texts::Numbers;
use crate::record::words::{searched, words};

/// Names held in memory so that a known one costs no look-up; beyond it they are let go. About 2 MB each.
const HELD: usize = 20_000;

/// What digesting keeps in mind; void after a rollback.
#[derive(Default)]
pub(crate) struct Digester {
    actors: HashMap<Box<str>, i64, RandomState>,
    words: HashSet<Box<str>, RandomState>,
    actions: HashMap<i64, i64>,
    /// Words that may be new to the store, of one pass.
    fresh: Vec<Box<str>>,
    /// The words of one event.
    document: String,
    /// Names of one actor.
    names: String,
}

/// One block while it is made.
#[derive(Default)]
struct Draft {
    ids: Vec<i64>,
    times: Vec<i64>,
    columns: [Vec<i64>; Column::ALL.len()],
    requests: Vec<i64>,
    /// Place in the block and hash, one behind the other.
    targets: Vec<i64>,
    /// Place in the block and kind, one behind the other.
    kinds: Vec<i64>,
}

impl Digester {
    /// Digests `events` (a whole number of blocks), inside an open transaction.
    pub(crate) fn digest(
        &mut self,
        conn: &Connection,
        texts: &mut Numbers,
        events: &[Waiting],
    ) -> rusqlite::Result<()> {
        let mut counts: BTreeMap<[i64; 4], i64> = BTreeMap::new();
        for block in events.chunks(SIZE) {
            let mut draft = Draft::default();
            for waiting in block {
                let Some(event) = waiting.event() else { continue };
                let facts = self.facts(conn, texts, waiting.log, event)?;
                let [log, category, _, outcome, ..] = facts;
                let slot = event.time.as_microsecond().div_euclid(rollup::LENGTHS[0]);
                *counts.entry([log, slot, category, outcome]).or_default() += 1;
                self.index_words(conn, waiting.position, event, &facts)?;
                draft.add(waiting.position, event, facts, &mut texts.through(conn))?;
            }
            draft.write(conn)?;
        }
        rollup::add(conn, counts)?;
        self.keep_words(conn)?;
        if let Some(last) = events.last() {
            conn.prepare_cached("UPDATE digest SET upto = ?")?.execute([last.position])?;
        }
        Ok(())
    }

    /// The event's columns, in the order of [`Column::ALL`]. 0 is nothing.
    fn facts(
        &mut self,
        conn: &Connection,
        texts: &mut Numbers,
        log: i64,
        event: &Event,
    ) -> rusqlite::Result<[i64; Column::ALL.len()]> {
        let actor = self.actor(conn, event)?;
        let mut texts = texts.through(conn);
        let action = texts.number(&event.action)?;
        let title = texts.number(&event.title)?;
        if self.actions.insert(action, title) != Some(title) {
            conn.prepare_cached("INSERT OR REPLACE INTO term VALUES (?, ?)")?.execute([action, title])?;
        }
        let ip = event.source.ip.map(|ip| texts.number(&ip.to_string())).transpose()?.unwrap_or(0);
        let category = texts.number(&event.category)?;
        let outcome = texts.number(event.outcome.word())?;
        Ok([log, category, action, outcome, texts.number(event.actor.kind.word())?, actor, ip])
    }

    fn actor(&mut self, conn: &Connection, event: &Event) -> rusqlite::Result<i64> {
        let actor = &event.actor;
        let names = [&actor.id, &actor.name, &actor.email];
        if names.iter().all(|name| name.is_none()) {
            return Ok(0);
        }
        self.names.clear();
        for name in names {
            // A length before each: no two actors read the same.
            let name = name.as_deref();
            let _ = write!(self.names, "{:?} {}", name.map(str::len), name.unwrap_or_default());
        }
        if let Some(number) = self.actors.get(self.names.as_str()) {
            return Ok(*number);
        }
        let key = serde_json::json!(names).to_string();
        conn.prepare_cached("INSERT OR IGNORE INTO actor (key) VALUES (?)")?.execute([&key])?;
        let number: i64 =
            conn.prepare_cached("SELECT id FROM actor WHERE key = ?")?.query_row([&key], |row| row.get(0))?;
        let mut name_it = conn.prepare_cached("INSERT OR IGNORE INTO actor_name VALUES (?, ?)")?;
        for name in names.into_iter().flatten() {
            name_it.execute(params![name.to_lowercase(), number])?;
        }
        if self.actors.len() >= HELD {
            self.actors.clear();
        }
        self.actors.insert(self.names.as_str().into(), number);
        Ok(number)
    }

    fn index_words(
        &mut self,
        conn: &Connection,
        position: i64,
        event: &Event,
        [log, category, _, _, _, actor, _]: &[i64; Column::ALL.len()],
    ) -> rusqlite::Result<()> {
        let Digester { document, words: known, fresh, .. } = self;
        document.clear();
        let _ = write!(document, "_l{log} _c{category} _u{actor}");
        for text in searched(event) {
            // A word that comes twice is indexed once.
            words(text, |word| {
                document.push(' ');
                document.push_str(word);
                if !known.contains(word) {
                    known.insert(word.into());
                    fresh.push(word.into());
                }
            });
        }
        conn.prepare_cached("INSERT INTO word_index (rowid, words) VALUES (?, ?)")?
            .execute(params![position, &*document])?;
        Ok(())
    }

    /// In order: neighbours land on one page.
    fn keep_words(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        self.fresh.sort_unstable();
        let mut keep = conn.prepare_cached("INSERT OR IGNORE INTO word VALUES (?)")?;
        for word in self.fresh.drain(..) {
            keep.execute([word])?;
        }
        if self.words.len() >= HELD {
            self.words.clear();
        }
        Ok(())
    }
}

impl Draft {
    fn add(
        &mut self,
        position: i64,
        event: &Event,
        facts: [i64; Column::ALL.len()],
        texts: &mut impl Number,
    ) -> rusqlite::Result<()> {
        let place = i64::try_from(self.ids.len()).unwrap_or(i64::MAX);
        self.ids.push(position);
        self.times.push(event.time.as_microsecond());
        self.columns.iter_mut().zip(facts).for_each(|(column, fact)| column.push(fact));
        // A hash is not negative: -1 is no request.
        self.requests.push(event.request.as_ref().map_or(-1, |request| short_hash(&request.id)));
        let mut kinds = BTreeSet::new();
        for target in &event.targets {
            for key in target_keys(target) {
                self.targets.extend([place, short_hash(&key)]);
            }
            kinds.insert(texts.number(&target.kind)?);
        }
        kinds.into_iter().for_each(|kind| self.kinds.extend([place, kind]));
        Ok(())
    }

    fn write(&self, conn: &Connection) -> rusqlite::Result<()> {
        let (Some(first), Some(last)) = (self.ids.first(), self.ids.last()) else { return Ok(()) };
        let set = |column: Column| {
            let numbers = self.columns.get(column.place()).into_iter().flatten();
            numbers.fold(0, |set, number| set | bloom(*number))
        };
        conn.prepare_cached("INSERT INTO span VALUES (?, ?, ?, ?, ?, ?, ?, ?)")?.execute(params![
            first,
            last,
            i64::try_from(self.ids.len()).unwrap_or(i64::MAX),
            self.times.iter().min(),
            self.times.iter().max(),
            set(Column::Log),
            set(Column::Category),
            set(Column::Action),
        ])?;
        self.write_sieves(conn, *first)?;
        let mut columns = Vec::with_capacity(4_096);
        self.columns.iter().for_each(|column| pack(column, &mut columns));
        conn.prepare_cached("INSERT INTO facts VALUES (?, ?)")?.execute(params![first, columns])?;
        conn.prepare_cached("INSERT INTO moments VALUES (?, ?, ?)")?.execute(params![
            first,
            packed(&self.ids),
            packed(&self.times)
        ])?;
        conn.prepare_cached("INSERT INTO marks VALUES (?, ?, ?, ?)")?.execute(params![
            first,
            packed(&self.requests),
            packed_pairs(&self.targets),
            packed_pairs(&self.kinds)
        ])?;
        Ok(())
    }

    fn write_sieves(&self, conn: &Connection, first: i64) -> rusqlite::Result<()> {
        let targets = self.targets.as_chunks::<2>().0.iter().map(|[_, hash]| *hash).collect();
        let of = |column: Column| self.columns.get(column.place()).map(Vec::as_slice).unwrap_or_default();
        let mut actors = of(Column::Actor).to_vec();
        for column in [Column::Category, Column::Outcome] {
            actors.extend(of(Column::Actor).iter().zip(of(column)).map(|(actor, other)| pair(*actor, *other)));
        }
        for (sql, numbers) in [
            ("INSERT INTO request_sieve VALUES (?, ?)", self.requests.clone()),
            ("INSERT INTO target_sieve VALUES (?, ?)", targets),
            ("INSERT INTO actor_sieve VALUES (?, ?)", actors),
        ] {
            conn.prepare_cached(sql)?.execute(params![first, sieve(numbers)])?;
        }
        Ok(())
    }
}

fn packed(numbers: &[i64]) -> Vec<u8> {
    let mut out = Vec::new();
    pack(numbers, &mut out);
    out
}

/// Places and numbers as two columns.
fn packed_pairs(pairs: &[i64]) -> Vec<u8> {
    let (places, numbers): (Vec<i64>, Vec<i64>) =
        pairs.as_chunks::<2>().0.iter().map(|[place, number]| (*place, *number)).unzip();
    let mut out = packed(&places);
    pack(&numbers, &mut out);
    out
}
