//! Tokens of readers. Only the hash of a secret is ever here.
//!
//! Written by the command line beside a running server, through a connection of
//! its own; the server reads the table at each request, so a revoked token is
//! dead at once.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::record::StoreError;
use crate::record::canonical::Damaged;

/// What a token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Right {
    /// The page and the API.
    Read,
    /// Exports.
    Export,
    /// What changes the running server.
    Admin,
}

impl Right {
    /// Every right.
    pub const ALL: [Right; 3] = [Right::Read, Right::Export, Right::Admin];

    /// Its word: `read`.
    pub fn word(self) -> &'static str {
        match self {
            Right::Read => "read",
            Right::Export => "export",
            Right::Admin => "admin",
        }
    }

    /// The right of that word.
    pub fn from_word(word: &str) -> Option<Right> {
        Right::ALL.into_iter().find(|right| right.word() == word)
    }
}

/// A reader's token as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its number.
    pub id: i64,
    /// What its owner called it.
    pub name: String,
    /// What it allows.
    pub rights: BTreeSet<Right>,
    /// Whose events it may see; `None` means all.
    pub workspaces: Option<BTreeSet<String>>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was revoked, if it was.
    pub revoked: Option<Timestamp>,
}

const COLUMNS: &str = "id, name, scopes, workspaces, created, revoked";

/// The token of a secret's SHA-256, revoked or not.
pub(crate) fn by_hash(conn: &Connection, sha256: &[u8; 32]) -> Result<Option<Token>, StoreError> {
    let mut find = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM token WHERE sha256 = ?"))?;
    find.query_row([sha256.as_slice()], |row| Ok(read(row))).optional()?.transpose()
}

/// Every token, oldest first.
pub(crate) fn list(conn: &Connection) -> Result<Vec<Token>, StoreError> {
    let mut find = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM token ORDER BY id"))?;
    let mut rows = find.query(())?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

/// Adds a token.
pub(crate) fn create(
    conn: &Connection,
    name: &str,
    sha256: &[u8; 32],
    rights: &BTreeSet<Right>,
    workspaces: Option<&BTreeSet<String>>,
    now: Timestamp,
) -> Result<Token, StoreError> {
    let words: Vec<&str> = rights.iter().map(|right| right.word()).collect();
    let listed = workspaces.map(|names| serde_json::json!(names).to_string());
    conn.execute(
        "INSERT INTO token (name, sha256, scopes, workspaces, created) VALUES (?, ?, ?, ?, ?)",
        params![name, sha256.as_slice(), words.join(" "), listed, now.as_microsecond()],
    )?;
    Ok(Token {
        id: conn.last_insert_rowid(),
        name: name.to_owned(),
        rights: rights.clone(),
        workspaces: workspaces.cloned(),
        created: now,
        revoked: None,
    })
}

/// Revokes the tokens of that number or name; returns how many were alive.
pub(crate) fn revoke(conn: &Connection, which: &str, now: Timestamp) -> Result<usize, StoreError> {
    Ok(conn.execute(
        "UPDATE token SET revoked = ?1 WHERE (name = ?2 OR CAST(id AS TEXT) = ?2) AND revoked IS NULL",
        params![now.as_microsecond(), which],
    )?)
}

fn read(row: &Row<'_>) -> Result<Token, StoreError> {
    let rights: String = row.get(2)?;
    let listed: Option<String> = row.get(3)?;
    let time = |micros: i64| Timestamp::from_microsecond(micros).map_err(|_| Damaged);
    Ok(Token {
        id: row.get(0)?,
        name: row.get(1)?,
        rights: rights.split(' ').filter_map(Right::from_word).collect(),
        workspaces: listed.map(|text| serde_json::from_str(&text)).transpose().map_err(|_| Damaged)?,
        created: time(row.get(4)?)?,
        revoked: row.get::<_, Option<i64>>(5)?.map(time).transpose()?,
    })
}
