//! Something wrong in a user's file: where, what, and the way out.
//!
//! Problems are values: they are gathered, all of them, and printed together
//! with file:line:col, the line, a caret and help. An error of running code is
//! something else (thiserror, one enum per module).

use std::ops::Range;
use std::sync::Arc;

/// A user's file: its name as the user gave it, and its text.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path as given on the command line or in the configuration.
    pub name: String,
    /// All of its text.
    pub text: String,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// Byte offsets into its text.
    pub span: Range<usize>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing starts.
    Error,
    /// It works, but probably not as meant.
    Warning,
}

/// One thing wrong in a user's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Stable code: `unknown-key`.
    pub code: &'static str,
    /// How bad.
    pub level: Level,
    /// What is wrong, one line, lower-case, names in backticks.
    pub title: String,
    /// Where.
    pub place: Option<Place>,
    /// What stands beside the caret; may be empty.
    pub label: String,
    /// The way out.
    pub help: Option<String>,
}

/// The known word that is nearest to one that is not known, if any is near enough to be meant.
pub fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|word| (strsim::damerau_levenshtein(unknown, word), word))
        .filter(|(distance, word)| *distance <= 1 + word.len().min(unknown.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}
