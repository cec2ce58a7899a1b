//! Values from outside the file: variables and flags.

use serde::Deserialize;

use super::{Config, bare_problem, split_suggestion};
use crate::problem::Problem;

/// What begins every variable that is ours.
const PREFIX: &str = "SIDETRAIL_";
/// No key: the token with which `query`, `tail` and `export` ask a running server.
const READERS_TOKEN: &str = "SIDETRAIL_TOKEN";

/// A value from outside the file, which wins over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// Who says so: `SIDETRAIL_PROXY__LISTEN`, `--listen`.
    pub origin: String,
    /// `["proxy", "listen"]`.
    pub path: Vec<String>,
    /// A TOML value, or the text itself where it is none.
    pub value: String,
}

impl Override {
    /// A flag that stands for a key.
    pub fn flag(origin: &str, section: &str, key: &str, value: impl Into<String>) -> Override {
        Override { origin: origin.to_owned(), path: vec![section.to_owned(), key.to_owned()], value: value.into() }
    }

    /// The variables that begin with `SIDETRAIL_`, as `SIDETRAIL_SECTION__KEY`.
    pub fn from_environment(variables: impl Iterator<Item = (String, String)>) -> Vec<Override> {
        let mut overrides: Vec<Override> = variables
            .filter_map(|(name, value)| {
                if name == READERS_TOKEN {
                    return None;
                }
                let path = name.strip_prefix(PREFIX)?.to_lowercase().split("__").map(str::to_owned).collect();
                Some(Override { origin: name, path, value })
            })
            .collect();
        overrides.sort_by(|a, b| a.origin.cmp(&b.origin));
        overrides
    }
}

/// Puts one override into the table, if it is a configuration by itself.
pub(super) fn apply(table: &mut toml::Table, one: &Override) -> Result<(), Problem> {
    let named = |message: &str| bare_problem(format!("`{}`: {message}", one.origin));
    if one.path.len() < 2 || one.path.iter().any(String::is_empty) {
        let help = format!("variables are called {PREFIX}SECTION__KEY, e.g. {PREFIX}PROXY__LISTEN");
        return Err(Problem { help: Some(help), ..named("names no section and key") });
    }
    let value = written_as_toml(&one.value);
    let mut alone = toml::Table::new();
    put(&mut alone, &one.path, value.clone());
    Config::deserialize(alone).map_err(|error| {
        let (message, help) = split_suggestion(error.message());
        Problem { help, ..named(&message) }
    })?;
    put(table, &one.path, value);
    Ok(())
}

/// Sets the value at a path, making the tables on the way.
fn put(table: &mut toml::Table, path: &[String], value: toml::Value) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        table.insert(first.clone(), value);
        return;
    }
    let inner = table.entry(first.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    if let Some(inner) = inner.as_table_mut() {
        put(inner, rest, value);
    }
}

/// `true`, `4000`, `["a", "b"]` are read as TOML; everything else is a text.
fn written_as_toml(text: &str) -> toml::Value {
    let parsed = format!("v = {text}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("v"));
    parsed.unwrap_or_else(|| toml::Value::String(text.to_owned()))
}
