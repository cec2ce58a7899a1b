//! The configuration: composes each step's settings.
//!
//! Defaults < file < `SIDETRAIL_SECTION__KEY` < flags. Every mistake is found
//! at once and printed with its place: an unknown key, a value of the wrong
//! sort, an unknown `SIDETRAIL_` variable. Relative paths are relative to the
//! working directory.

mod overrides;
mod places;
mod sense;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use overrides::Override;
pub(crate) use places::Places;

use crate::memory::Memory;
use crate::problem::{self, Level, Place, Problem, SourceFile, nearest};
use crate::{capture, identity, read, record};

/// More mistakes than this in one file are not worth printing.
const MOST_PROBLEMS: usize = 100;

/// All of `config.toml`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The proxied side.
    pub proxy: capture::settings::Settings,
    /// Who is believed to be who.
    pub identity: identity::Settings,
    /// Where the rules are.
    pub rules: RulePaths,
    /// Where events are kept.
    pub store: record::Settings,
    /// The page and the API.
    pub read: read::Settings,
    /// What sidetrail says of itself on stderr.
    pub log: Log,
}

/// The `[rules]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RulePaths {
    /// Files, and folders whose `*.toml` are read.
    pub paths: Vec<PathBuf>,
    /// A second set that sees the same exchanges and records nothing; what it would say otherwise is told.
    pub shadow: Vec<PathBuf>,
    /// How many remembered names are kept; the least recently used goes first.
    pub memory_things: usize,
    /// How many bytes they may take, about.
    pub memory_bytes: usize,
    /// The guarantee of every rule: `outcome` is the one this version has.
    pub guarantee: Guarantee,
    /// The longest a look-up before a request may take, in ms; 0 turns look-ups off.
    pub fetch_timeout_ms: u64,
    /// How often it is looked whether the files changed, in ms; 0: only on SIGHUP and when asked.
    pub watch_ms: u64,
}

impl Default for RulePaths {
    fn default() -> RulePaths {
        RulePaths {
            paths: vec![PathBuf::from("rules")],
            shadow: Vec::new(),
            memory_things: Memory::DEFAULT_THINGS,
            memory_bytes: Memory::DEFAULT_BYTES,
            guarantee: Guarantee::Outcome,
            fetch_timeout_ms: 300,
            watch_ms: 1_000,
        }
    }
}

/// When an event must be on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarantee {
    /// Before the reply's last byte.
    Outcome,
}

impl<'de> Deserialize<'de> for Guarantee {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Guarantee, D::Error> {
        let word = String::deserialize(from)?;
        match word.as_str() {
            "outcome" => Ok(Guarantee::Outcome),
            "intent" | "async" => {
                Err(serde::de::Error::custom(format!("the guarantee `{word}` is not in this version: `outcome` is")))
            }
            _ => Err(serde::de::Error::custom(format!("`{word}` is no guarantee: `outcome` is the one there is"))),
        }
    }
}

/// The `[log]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, or a filter such as `info,sidetrail::record=debug`.
    #[serde(deserialize_with = "level")]
    pub level: String,
    /// One JSON object per line instead of text.
    pub json: bool,
}

/// A filter's parts are levels and `target=level`: a misspelt level would be taken for a target, and silence all else.
fn level<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    let is_level = |word: &str| word.trim().parse::<tracing::level_filters::LevelFilter>().is_ok();
    let wrong = text.split(',').find(|part| !is_level(part.rsplit_once('=').map_or(*part, |(_, level)| level)));
    match wrong {
        Some(part) => Err(serde::de::Error::custom(format!(
            "`{part}` is neither a level (error, warn, info, debug, trace, off) nor `target=level`"
        ))),
        None => Ok(text),
    }
}

impl Default for Log {
    fn default() -> Log {
        Log { level: "info".to_owned(), json: false }
    }
}

impl Config {
    /// Reads the file, then the overrides in their order. Every problem, or a configuration.
    pub fn load(file: Option<&Path>, overrides: &[Override]) -> Result<Config, Vec<Problem>> {
        Config::load_with_places(file, overrides).map(|(config, _)| config)
    }

    /// The same, with where each value came from.
    pub(crate) fn load_with_places(
        file: Option<&Path>,
        overrides: &[Override],
    ) -> Result<(Config, Places), Vec<Problem>> {
        let source = match file {
            Some(path) => read_source(path).map_err(|problem| vec![problem])?,
            None => SourceFile { name: "config.toml".to_owned(), text: String::new() },
        };
        Config::read(source, overrides)
    }

    /// The same from a text in memory.
    pub fn from_source(source: SourceFile, overrides: &[Override]) -> Result<Config, Vec<Problem>> {
        Config::read(source, overrides).map(|(config, _)| config)
    }

    fn read(source: SourceFile, overrides: &[Override]) -> Result<(Config, Places), Vec<Problem>> {
        let source = Arc::new(source);
        let (table, errors) = DeTable::parse_recoverable(&source.text);
        if !errors.is_empty() {
            return Err(errors.iter().map(|error| syntax_problem(error, &source)).collect());
        }
        let (table, mut problems) = weed::<Config>(table, &source);
        let places = Places::new(&source, table.get_ref(), overrides);
        let mut table = match toml::Table::deserialize(toml::Deserializer::from(table)) {
            Ok(table) => table,
            Err(error) => return Err(vec![value_problem(&error, &source)]),
        };
        for one in overrides {
            if let Err(problem) = overrides::apply(&mut table, one) {
                problems.push(problem);
            }
        }
        match Config::deserialize(table) {
            Ok(config) => {
                problems.extend(sense::findings(&config).into_iter().map(|finding| {
                    let key = if places.knows(finding.key) { finding.key } else { finding.or };
                    places.point(key, finding.problem)
                }));
                problem::sort(&mut problems);
                if problems.is_empty() { Ok((config, places)) } else { Err(problems) }
            }
            Err(error) => {
                problems.push(bare_problem(error.message().to_owned()));
                Err(problems)
            }
        }
    }
}

fn read_source(path: &Path) -> Result<SourceFile, Problem> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(SourceFile { name, text }),
        Err(error) => Err(Problem {
            code: "unreadable-file",
            level: Level::Error,
            title: format!("cannot read the configuration `{name}`: {error}"),
            place: None,
            label: String::new(),
            help: Some("name another with --config, or copy `config.toml` of the repository".to_owned()),
        }),
    }
}

/// Deserializes again and again, taking out the key that stands in the way each
/// time: serde reports one mistake, a person wants all of them.
fn weed<'i, T: DeserializeOwned>(
    mut table: Spanned<DeTable<'i>>,
    source: &Arc<SourceFile>,
) -> (Spanned<DeTable<'i>>, Vec<Problem>) {
    let mut problems = Vec::new();
    while problems.len() < MOST_PROBLEMS {
        let Err(error) = T::deserialize(toml::Deserializer::from(table.clone())) else { break };
        problems.push(value_problem(&error, source));
        let Some(span) = error.span() else { break };
        if !take_out(table.get_mut(), span.start) {
            break;
        }
    }
    (table, problems)
}

/// Removes the innermost entry that holds the byte `at`, in its key or its value.
fn take_out(table: &mut DeTable<'_>, at: usize) -> bool {
    let holds = |span: std::ops::Range<usize>| span.start <= at && at < span.end.max(span.start + 1);
    let mut deepest = None;
    for (key, value) in table.iter_mut() {
        let in_value = holds(value.span());
        if in_value
            && let DeValue::Table(inner) = value.get_mut()
            && take_out(inner, at)
        {
            return true;
        }
        if in_value || holds(key.span()) {
            deepest = Some(key.get_ref().to_string());
        }
    }
    if let Some(key) = deepest {
        return table.remove(key.as_str()).is_some();
    }
    // A heading's own span may not cover what stands below it: look inside every table.
    table.iter_mut().any(|(_, value)| match value.get_mut() {
        DeValue::Table(inner) => take_out(inner, at),
        _ => false,
    })
}

fn syntax_problem(error: &toml::de::Error, source: &Arc<SourceFile>) -> Problem {
    Problem {
        code: "toml-syntax",
        level: Level::Error,
        title: error.message().lines().next().unwrap_or("invalid TOML").to_owned(),
        place: error.span().map(|span| Place { file: source.clone(), span }),
        label: String::new(),
        help: None,
    }
}

fn value_problem(error: &toml::de::Error, source: &Arc<SourceFile>) -> Problem {
    let (title, help) = split_suggestion(error.message());
    let code = if error.message().starts_with("unknown field") { "unknown-key" } else { "bad-value" };
    let place = error.span().map(|span| Place { file: source.clone(), span });
    Problem { code, level: Level::Error, title, place, label: String::new(), help }
}

fn bare_problem(title: String) -> Problem {
    Problem { code: "bad-value", level: Level::Error, title, place: None, label: String::new(), help: None }
}

/// Serde's ``unknown field `x`, expected one of `a`, `b` `` as a title and a help that names the nearest.
fn split_suggestion(message: &str) -> (String, Option<String>) {
    if message == "invalid socket address syntax" {
        let help = "write an address and a port: `127.0.0.1:8080`, `[::1]:8080`, `0.0.0.0:8080` for all of the machine";
        return ("this is not an address with a port".to_owned(), Some(help.to_owned()));
    }
    let Some((unknown, expected)) = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once("`, "))
    else {
        return (message.to_owned(), None);
    };
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let help = match nearest(unknown, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", known.join(", ")),
    };
    (format!("unknown key `{unknown}`"), Some(help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, overrides: &[Override]) -> Result<Config, Vec<Problem>> {
        Config::from_source(SourceFile { name: "config.toml".to_owned(), text: text.to_owned() }, overrides)
    }

    fn variable(name: &str, value: &str) -> Vec<Override> {
        Override::from_environment([(name.to_owned(), value.to_owned())].into_iter())
    }

    #[test]
    fn every_mistake_of_a_file_is_reported_with_its_place() {
        let text = "[proxy]\nlisten = 7\nupstraem = \"http://127.0.0.1:1\"\n[stoer]\nurl = \"x\"\n[rules]\npaths = \"rules\"\n";
        let problems = load(text, &[]).unwrap_err();
        let mut lines: Vec<(usize, &str)> = problems
            .iter()
            .map(|p| (text[..p.place.as_ref().unwrap().span.start].matches('\n').count() + 1, p.code))
            .collect();
        lines.sort_unstable();
        assert_eq!(lines, [(2, "bad-value"), (3, "unknown-key"), (4, "unknown-key"), (7, "bad-value")]);
        let unknown = problems.iter().find(|p| p.title.contains("upstraem")).unwrap();
        assert_eq!(unknown.help.as_deref(), Some("did you mean `upstream`?"));
    }

    #[test]
    fn a_variable_wins_over_the_file_and_a_flag_over_both() {
        let mut overrides = variable("SIDETRAIL_STORE__URL", "sqlite:b.db");
        let text = "[store]\nurl = \"sqlite:a.db\"\n";
        assert_eq!(load(text, &[]).unwrap().store.url, "sqlite:a.db");
        assert_eq!(load(text, &overrides).unwrap().store.url, "sqlite:b.db");
        overrides.push(Override::flag("--store", "store", "url", "sqlite:c.db"));
        assert_eq!(load(text, &overrides).unwrap().store.url, "sqlite:c.db");
    }

    #[test]
    fn a_list_and_a_number_can_come_from_a_variable() {
        let paths = load("", &variable("SIDETRAIL_RULES__PATHS", "[\"a\", \"b\"]")).unwrap().rules.paths;
        assert_eq!(paths, [PathBuf::from("a"), PathBuf::from("b")]);
        assert_eq!(load("", &variable("SIDETRAIL_RULES__MEMORY_THINGS", "7")).unwrap().rules.memory_things, 7);
    }

    #[test]
    fn an_unknown_variable_is_named() {
        for (name, wanted) in [
            ("SIDETRAIL_PROXY__LISTENN", "unknown key `listenn`"),
            ("SIDETRAIL_LISTEN", "names no section and key"),
            ("SIDETRAIL_STOER__URL", "unknown key `stoer`"),
        ] {
            let problems = load("", &variable(name, "x")).unwrap_err();
            assert!(problems[0].title.contains(name) && problems[0].title.contains(wanted), "{}", problems[0].title);
        }
    }

    #[test]
    fn a_guarantee_of_a_later_version_is_refused_by_name() {
        let problems = load("[rules]\nguarantee = \"intent\"\n", &[]).unwrap_err();
        assert!(problems[0].title.contains("`intent` is not in this version"), "{}", problems[0].title);
    }

    #[test]
    fn the_shipped_configuration_says_the_defaults() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml");
        let shipped = Config::load(Some(&path), &[]).unwrap();
        assert_eq!(format!("{shipped:?}"), format!("{:?}", Config::default()));
    }
}
