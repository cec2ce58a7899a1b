//! Opening the file: who may touch it, and how SQLite is set.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::record::{OpenError, Settings};

/// How long a reader waits for a lock. Readers of a WAL hardly ever meet one.
const READER_WAIT: Duration = Duration::from_secs(2);

/// The path of a `sqlite:` address.
pub(crate) fn path(settings: &Settings) -> Result<PathBuf, OpenError> {
    let url = settings.url.as_str();
    match url.split_once(':') {
        Some(("sqlite", path)) if !path.is_empty() => {
            let path = path.strip_prefix("//").unwrap_or(path);
            Ok(PathBuf::from(path.split('?').next().unwrap_or(path)))
        }
        Some(("postgres" | "postgresql", _)) => Err(OpenError::Postgres),
        _ => Err(OpenError::Scheme { url: shown(url) }),
    }
}

/// An address without what may be a password.
fn shown(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
            format!("{scheme}://{rest}")
        }
        None => url.to_owned(),
    }
}

/// The name of a file that stands beside the store.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Takes the right to be the only writer of events; held as long as the file lives.
pub(crate) fn lock(path: &Path) -> Result<File, OpenError> {
    let lock = private(&beside(path, ".lock")).map_err(|source| OpenError::File { path: path.into(), source })?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.into() }),
        Err(TryLockError::Error(source)) => Err(OpenError::File { path: path.into(), source }),
    }
}

/// Opens or creates a file that only its owner may read; appends.
pub(crate) fn private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

/// The writer's connection. Creates the file.
pub(crate) fn open_writer(path: &Path, wait: Duration) -> Result<Connection, OpenError> {
    private(path).map_err(|source| OpenError::File { path: path.into(), source })?;
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(wait)?;
    // A file of another program must not be touched, not even its journal mode.
    let ours: bool = conn.query_row(
        "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema) OR EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'migration')",
        (),
        |row| row.get(0),
    )?;
    if !ours {
        return Err(OpenError::NotOurs);
    }
    conn.pragma_update(None, "journal_mode", "wal")?;
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "cache_size", -4_000)?;
    // 16 MB: each checkpoint costs two fsyncs and writes a page once, however often it changed.
    conn.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    conn.pragma_update(None, "journal_size_limit", 32 << 20)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

/// A connection that answers questions and cannot write.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    // Read-write flags: a WAL's index may have to be rebuilt by whoever comes first.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)
        .or_else(|_| Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY))?;
    conn.busy_timeout(READER_WAIT)?;
    conn.pragma_update(None, "query_only", true)?;
    conn.pragma_update(None, "cache_size", -2_000)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

/// A short-lived connection for a few small writes beside a running writer.
pub(crate) fn open_brief(path: &Path) -> Result<Connection, rusqlite::Error> {
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.pragma_update(None, "synchronous", "full")?;
    Ok(conn)
}
