//! `sidetrail check`: the configuration and the rules, every problem at once.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

use super::sources::{self, ConfigFile, Format};
use super::{GOOD, NEGATIVE};
use crate::clock::Clock;
use crate::config::{Config, Places};
use crate::identity::{Identity, SettingsError};
use crate::problem::{self, Level, Problem};
use crate::read::settings::may_listen;
use crate::record::{self, OpenError, Store};
use crate::rules;

/// `check [PATH…]`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Rule files and folders [default: those of the configuration, which is checked too]
    paths: Vec<PathBuf>,
    /// Warnings are errors, and every action needs a test
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    file: ConfigFile,
    /// Print the JSON Schema of rule files, for editors, and check nothing
    #[arg(long)]
    schema: bool,
    /// How to print problems
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    if arguments.schema {
        writeln!(std::io::stdout(), "{:#}", rules::schema::schema())?;
        return Ok(GOOD);
    }
    let (actions, problems) = gather(arguments);
    match arguments.format {
        Format::Human => sources::print_problems(&problems),
        Format::Json => writeln!(std::io::stdout(), "{:#}", problem::to_json(&problems))?,
    }
    if problems.iter().any(|problem| problem.level == Level::Error) {
        return Ok(NEGATIVE);
    }
    say!("{actions} actions, no errors");
    Ok(GOOD)
}

/// How many actions there are, and every problem.
fn gather(arguments: &Arguments) -> (usize, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut paths = arguments.paths.clone();
    if paths.is_empty() || arguments.file.config.is_some() {
        match arguments.file.load_with_places(&[]) {
            Ok((config, places)) => {
                problems.extend(surroundings(&config, &places));
                if paths.is_empty() {
                    paths = config.rules.paths;
                }
            }
            Err(wrong) => problems.extend(wrong),
        }
    }
    // A broken configuration names no rules: those of the default place are checked all the same.
    if paths.is_empty() {
        paths = crate::config::RulePaths::default().paths;
    }
    let (actions, wrong) = match sources::load_rules(&paths) {
        Ok((set, mut warnings)) => {
            if arguments.strict {
                warnings.extend(set.untested());
            }
            (set.actions().count(), warnings)
        }
        Err(wrong) => (0, wrong),
    };
    problems.extend(wrong);
    if arguments.strict {
        problems.iter_mut().for_each(|problem| problem.level = Level::Error);
    }
    (actions, problems)
}

/// What `serve` would find unusable on this machine: keys, the store, an address that others reach.
fn surroundings(config: &Config, places: &Places) -> Vec<Problem> {
    let upstream = config.proxy.upstream.to_string();
    let identity = Identity::check(&config.identity, &upstream, &Clock::system()).into_iter();
    let mut problems: Vec<Problem> =
        identity.map(|error| places.point(key_of(&error, config), unusable(&error))).collect();
    match record::check(&config.store) {
        Ok(()) => {}
        // A check is made beside the running server more often than not.
        Err(error @ OpenError::InUse { .. }) => {
            let help = "`serve` starts once the other one has ended";
            problems.push(places.point("store.url", Problem::warning("store-in-use", error.to_string()).help(help)));
        }
        Err(error) => problems.push(places.point("store.url", unusable(&error))),
    }
    let store = Store::open_existing(&config.store).ok();
    let has_tokens = store.is_some_and(|store| store.has_tokens().unwrap_or(false));
    if let Err(error) = may_listen(config.read.listen, has_tokens) {
        problems.push(places.point("read.listen", unusable(&error)));
    }
    problems
}

/// The key that an error of `[identity]` is about.
fn key_of(error: &SettingsError, config: &Config) -> &'static str {
    let is_set = config.identity.jwt.as_ref().is_some_and(|jwt| jwt.jwks.is_some());
    match error {
        SettingsError::NoAlgorithms | SettingsError::OneKeySource => "identity.jwt",
        SettingsError::Algorithm(_) | SettingsError::MixedFamilies => "identity.jwt.algorithms",
        SettingsError::SecretInKeySet | SettingsError::Address(_) => "identity.jwt.jwks",
        SettingsError::Unreadable(..) | SettingsError::NoKey(_) if is_set => "identity.jwt.jwks",
        SettingsError::Unreadable(..) | SettingsError::NoKey(_) => "identity.jwt.key_file",
        SettingsError::MePath(_) => "identity.me.path",
        SettingsError::NoRandomness => "identity",
    }
}

/// An error as a problem; why it came about is its help.
fn unusable(error: &dyn Error) -> Problem {
    let (title, help) = (error.to_string(), error.source().map(ToString::to_string));
    Problem { help: help.filter(|why| !title.ends_with(why)), ..Problem::error("bad-value", title) }
}
