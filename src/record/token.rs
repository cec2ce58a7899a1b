//! Tokens of readers. Only the hash of a secret is ever here.
//!
//! Written by the command line beside a running server, through a connection of
//! its own; the server reads the table at each request, so a revoked token is
//! dead at once.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

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

/// Which tokens are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one of this number.
    Id(i64),
    /// All of this name.
    Name(String),
    /// Those of this number or name, unless it is both.
    Either(String),
}

/// Why nothing was revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// One word, two tokens.
    #[error("`{word}` is the number of token {id} and the name of token {named}: say `--id {id}` or `--id {named}`")]
    Ambiguous {
        /// What was asked for.
        word: String,
        /// The token of that number.
        id: i64,
        /// A token of that name.
        named: i64,
    },
    /// The store does not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
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

/// Whether a token was ever made.
pub(crate) fn any(conn: &Connection) -> Result<bool, StoreError> {
    Ok(conn.prepare_cached("SELECT EXISTS (SELECT 1 FROM token)")?.query_row((), |row| row.get(0))?)
}

/// Revokes the tokens that are meant; returns how many were alive.
pub(crate) fn revoke(conn: &mut Connection, which: &Which, now: Timestamp) -> Result<usize, RevokeError> {
    let conn = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
    let of = |id: Option<i64>, name: Option<&str>| -> Result<Vec<i64>, StoreError> {
        let mut find =
            conn.prepare_cached("SELECT id FROM token WHERE (id = ?1 OR name = ?2) AND revoked IS NULL ORDER BY id")?;
        Ok(find.query_map((id, name), |row| row.get(0))?.collect::<Result<_, _>>()?)
    };
    let meant = match which {
        Which::Id(id) => of(Some(*id), None)?,
        Which::Name(name) => of(None, Some(name))?,
        Which::Either(word) => {
            let (by_id, by_name) = (of(word.parse().ok(), None)?, of(None, Some(word))?);
            if let (Some(id), Some(named)) = (by_id.first(), by_name.iter().find(|named| !by_id.contains(named))) {
                return Err(RevokeError::Ambiguous { word: word.clone(), id: *id, named: *named });
            }
            if by_id.is_empty() { by_name } else { by_id }
        }
    };
    for id in &meant {
        let revoked = conn.execute("UPDATE token SET revoked = ? WHERE id = ?", (now.as_microsecond(), id));
        revoked.map_err(StoreError::from)?;
    }
    conn.commit().map_err(StoreError::from)?;
    Ok(meant.len())
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
