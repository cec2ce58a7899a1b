//! Opening the file: who may touch it, and how SQLite is set.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
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
        Some(("sqlite", path)) => {
            let path = path.strip_prefix("//").unwrap_or(path);
            let path = path.split('?').next().unwrap_or(path);
            match path {
                "" => Err(OpenError::Scheme { url: shown(url) }),
                ":memory:" => Err(OpenError::Memory { url: shown(url) }),
                path => Ok(PathBuf::from(path)),
            }
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

/// Whether the file can be written, or made where it is not there.
pub(crate) fn check_writable(path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::File { path: path.into(), source };
    if path.exists() {
        return OpenOptions::new().append(true).open(path).map(drop).map_err(failed);
    }
    // What SQLite puts beside the store needs the folder, too. Only trying tells whether it may be written.
    let trial = beside(path, &format!(".trial-{}", std::process::id()));
    OpenOptions::new().append(true).create_new(true).open(&trial).map_err(failed)?;
    std::fs::remove_file(&trial).map_err(failed)
}

/// Whether nobody writes to the store at this moment.
pub(crate) fn check_free(path: &Path) -> Result<(), OpenError> {
    let Ok(lock) = File::open(beside(path, ".lock")) else { return Ok(()) };
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.into() }),
        _ => Ok(()),
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

/// Begins the WAL anew once it is longer than `most` bytes; whether it is short now.
///
/// SQLite copies pages home by itself, but begins the WAL anew only when it meets
/// a moment without readers: exports without a pause would let it grow for ever.
/// Waits a little for readers that are in the middle of a question.
pub(crate) fn shorten_wal(conn: &Connection, most: u64, wait: Duration) -> rusqlite::Result<bool> {
    let length = || {
        let path = beside(Path::new(conn.path().unwrap_or_default()), "-wal");
        path.metadata().map_or(0, |meta| meta.len())
    };
    if length() <= most {
        return Ok(true);
    }
    let usual: i64 = conn.query_row("PRAGMA busy_timeout", (), |row| row.get(0))?;
    conn.busy_timeout(wait)?;
    let done = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get::<_, i64>(0));
    conn.busy_timeout(Duration::from_millis(u64::try_from(usual).unwrap_or(0)))?;
    Ok(done? == 0)
}

/// The files that a writer has open. SQLite goes on writing to a file that was
/// deleted or exchanged under it, and nobody would ever read it again.
pub(crate) struct OpenFiles(Vec<(PathBuf, Option<(u64, u64)>)>);

impl OpenFiles {
    /// Those of a store whose connection is open: the file and its WAL.
    pub(crate) fn of(path: &Path) -> OpenFiles {
        let paths = [path.to_path_buf(), beside(path, "-wal")];
        OpenFiles(paths.into_iter().map(|path| (path.clone(), number(&path))).collect())
    }

    /// Whether the paths still lead to them.
    pub(crate) fn are_there(&self) -> bool {
        self.0.iter().all(|(path, opened)| number(path) == *opened)
    }
}

/// Device and number of a file.
fn number(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wal_that_a_reader_holds_back_is_shortened_once_the_reader_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let usual = Duration::from_millis(1_234);
        let writer = open_writer(&path, usual).unwrap();
        writer.execute_batch("CREATE TABLE migration (x); PRAGMA wal_autocheckpoint = 10").unwrap();
        let reader = open_reader(&path).unwrap();
        let wal = || beside(&path, "-wal").metadata().unwrap().len();
        let most = 1 << 20;
        reader.execute_batch("BEGIN; SELECT * FROM migration").unwrap();
        for _ in 0..30 {
            writer.execute("INSERT INTO migration VALUES (zeroblob(100000))", ()).unwrap();
        }
        assert!(wal() > most, "{}", wal());
        let short = Duration::from_millis(20);
        assert!(!shorten_wal(&writer, most, short).unwrap());
        reader.execute_batch("COMMIT").unwrap();
        assert!(shorten_wal(&writer, most, short).unwrap());
        assert_eq!(wal(), 0);
        assert!(shorten_wal(&writer, most, short).unwrap());
        let wait: i64 = writer.query_row("PRAGMA busy_timeout", (), |row| row.get(0)).unwrap();
        assert_eq!(wait, 1_234);
    }
}
