-- What the store is, and its own secrets: `id`, `secret` (signs cursors).
CREATE TABLE meta (
    name  TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('id', randomblob(16)), ('secret', randomblob(32));

-- A log is one workspace's events. sort: 0 a workspace's, 1 of unknown workspace, 2 sidetrail's own.
-- seq and hash are the log's head; they change in the transaction that adds its events.
CREATE TABLE log (
    id   INTEGER PRIMARY KEY,
    sort INTEGER NOT NULL,
    name TEXT NOT NULL,
    seq  INTEGER NOT NULL,
    hash BLOB NOT NULL,
    UNIQUE (sort, name)
) STRICT;

-- Every text that recurs, once.
CREATE TABLE text (
    id    INTEGER PRIMARY KEY,
    value TEXT NOT NULL UNIQUE
) STRICT;

-- id: commit time in ms << 20 | a counter: the store's order. body: see body.rs.
CREATE TABLE event (
    id   INTEGER PRIMARY KEY,
    log  INTEGER NOT NULL,
    seq  INTEGER NOT NULL,
    uuid BLOB NOT NULL UNIQUE,
    hash BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'an event is never changed'); END;
CREATE TRIGGER event_is_never_deleted BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'an event is never deleted'); END;

-- Everything from here to `term` is derived from the events up to `digest.upto`, 256 events a block.
-- Later events are few and are looked at one by one.
CREATE TABLE digest (upto INTEGER NOT NULL) STRICT;
INSERT INTO digest VALUES (0);

-- One row a block, by its first event: what allows to skip it. Times in µs; the others are 64-bit sets
-- of hashed numbers.
CREATE TABLE span (
    first      INTEGER PRIMARY KEY,
    last       INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    since      INTEGER NOT NULL,
    until      INTEGER NOT NULL,
    log        INTEGER NOT NULL,
    category   INTEGER NOT NULL,
    action     INTEGER NOT NULL
) STRICT;

-- Per block: what may be among its events, for things that are rare (see sieve.rs). An actor also together
-- with the category and with the outcome.
CREATE TABLE request_sieve (first INTEGER PRIMARY KEY, bits BLOB NOT NULL) STRICT;
CREATE TABLE target_sieve (first INTEGER PRIMARY KEY, bits BLOB NOT NULL) STRICT;
CREATE TABLE actor_sieve (first INTEGER PRIMARY KEY, bits BLOB NOT NULL) STRICT;

-- The block's events column by column (packed numbers, see block.rs), apart by how often they are asked for.
CREATE TABLE facts (first INTEGER PRIMARY KEY, columns BLOB NOT NULL) STRICT;
CREATE TABLE moments (first INTEGER PRIMARY KEY, ids BLOB NOT NULL, times BLOB NOT NULL) STRICT;
CREATE TABLE marks (first INTEGER PRIMARY KEY, requests BLOB NOT NULL, targets BLOB NOT NULL, kinds BLOB NOT NULL) STRICT;

-- Counts per slot of time: level 0 is half an hour, 1 two hours, 2 half a day.
-- slot is the number of slots since the epoch; category and outcome are texts. log 0 is all logs together.
CREATE TABLE rollup (
    level    INTEGER NOT NULL,
    log      INTEGER NOT NULL,
    slot     INTEGER NOT NULL,
    category INTEGER NOT NULL,
    outcome  INTEGER NOT NULL,
    count    INTEGER NOT NULL,
    PRIMARY KEY (level, log, slot, category, outcome)
) STRICT, WITHOUT ROWID;

-- Who acted, once each: key is the JSON list of id, name, e-mail. actor_name holds each of them in lower case.
CREATE TABLE actor (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE actor_name (
    name  TEXT NOT NULL,
    actor INTEGER NOT NULL,
    PRIMARY KEY (name, actor)
) STRICT, WITHOUT ROWID;

-- The words of each event (see words.rs), and _l, _c, _u with the numbers of its log, category and actor.
CREATE VIRTUAL TABLE word_index USING fts5(
    words, content='', columnsize=0, detail=none, tokenize="ascii tokenchars '_'"
);
-- Every word that occurs, so that a beginning can be turned into whole words.
CREATE TABLE word (text TEXT PRIMARY KEY NOT NULL) STRICT, WITHOUT ROWID;
-- The texts that are actions, and the title that each had last.
CREATE TABLE term (action INTEGER PRIMARY KEY, title INTEGER NOT NULL) STRICT;

-- What memory keeps of things, so that names survive a restart.
CREATE TABLE thing (
    workspace TEXT NOT NULL,
    kind      TEXT NOT NULL,
    id        TEXT NOT NULL,
    name      TEXT,
    fields    TEXT NOT NULL,
    gone      INTEGER NOT NULL,
    seen      INTEGER NOT NULL,
    PRIMARY KEY (workspace, kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX thing_seen ON thing (seen);

-- Who may read. Only the hash of a secret is kept. workspaces: a JSON list, NULL means all.
CREATE TABLE token (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    sha256     BLOB NOT NULL UNIQUE,
    scopes     TEXT NOT NULL,
    workspaces TEXT,
    created    INTEGER NOT NULL,
    revoked    INTEGER
) STRICT;
