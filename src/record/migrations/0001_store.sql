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
