//! The words of a filter as a question to the word index.
//!
//! The index narrows down: what it names holds all words of a phrase, in any
//! order, and is looked at itself where that is not enough.

use std::collections::BTreeSet;

use rusqlite::Connection;

use crate::record::StoreError;
use crate::record::block::Column;
use crate::record::plan::Plan;
use crate::record::query::{Field, Filter};
use crate::record::words::Phrase;

/// Whole words that a beginning is turned into: asking for each streams, asking for a beginning reads
/// all of its events first.
const WORDS: usize = 256;
/// Numbers of a clause that are asked for in the index too; more are left to the columns.
const NUMBERS: usize = 16;

/// The question in FTS5's language; `None` where no word must be there.
pub(crate) fn expression(conn: &Connection, filter: &Filter, plan: &Plan) -> Result<Option<String>, StoreError> {
    let mut parts = Vec::new();
    for clause in filter.clauses.iter().filter(|clause| clause.field == Field::Word && !clause.negated) {
        let phrases: Vec<Phrase> = clause.values.iter().filter_map(|value| Phrase::parse(value)).collect();
        let asked: Vec<String> = phrases.iter().map(|phrase| of_phrase(conn, phrase)).collect::<Result<_, _>>()?;
        let asked: Vec<String> = asked.into_iter().filter(|part| !part.is_empty()).collect();
        // No value holds a word that occurs: `_` is no event's.
        parts.push(if asked.is_empty() { quoted("_") } else { any(&asked) });
    }
    if parts.is_empty() {
        return Ok(None);
    }
    for test in plan.columns.iter().filter(|test| !test.negated && (1..=NUMBERS).contains(&test.numbers.len())) {
        let letter = match test.column {
            Column::Log => 'l',
            Column::Category => 'c',
            Column::Actor => 'u',
            _ => continue,
        };
        let tokens: Vec<String> = test.numbers.iter().map(|number| quoted(&format!("_{letter}{number}"))).collect();
        parts.push(any(&tokens));
    }
    Ok(Some(parts.join(" AND ")))
}

/// Empty where one of its words occurs nowhere.
fn of_phrase(conn: &Connection, phrase: &Phrase) -> rusqlite::Result<String> {
    let Some((last, whole)) = phrase.0.split_last() else { return Ok(String::new()) };
    let mut parts: BTreeSet<String> = whole.iter().map(|word| quoted(word)).collect();
    let mut begins = conn.prepare_cached("SELECT text FROM word WHERE text >= ?1 AND text < ?2 LIMIT ?3")?;
    let limit = i64::try_from(WORDS + 1).unwrap_or(i64::MAX);
    let found: Vec<String> = begins
        .query_map((last, format!("{last}\u{10ffff}"), limit), |row| row.get::<_, String>(0))?
        .collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Ok(String::new());
    }
    if found.len() > WORDS {
        parts.insert(format!("{} *", quoted(last)));
    } else {
        let tokens: Vec<String> = found.iter().map(|word| quoted(word)).collect();
        parts.insert(any(&tokens));
    }
    let parts: Vec<String> = parts.into_iter().collect();
    Ok(format!("({})", parts.join(" AND ")))
}

fn any(parts: &[String]) -> String {
    format!("({})", parts.join(" OR "))
}

fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}
