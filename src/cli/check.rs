//! `sidetrail check`: the configuration and the rules, every problem at once.

use std::error::Error as _;
use std::path::PathBuf;

use super::sources::{self, ConfigFile, Format};
use super::{GOOD, NEGATIVE};
use crate::clock::Clock;
use crate::identity::{Identity, SettingsError};
use crate::problem::{self, Level, Problem};

/// `check [PATH…]`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Rule files and folders [default: those of the configuration, which is checked too]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    file: ConfigFile,
    /// How to print problems
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let (problems, summary) = match gather(arguments) {
        Ok((actions, warnings)) => (warnings, format!("{actions} actions, no errors")),
        Err(problems) => (problems, String::new()),
    };
    match arguments.format {
        Format::Human => sources::print_problems(&problems),
        Format::Json => println!("{:#}", problem::to_json(&problems)),
    }
    if problems.iter().any(|problem| problem.level == Level::Error) {
        return Ok(NEGATIVE);
    }
    eprintln!("{summary}");
    Ok(GOOD)
}

/// How many actions there are, and the warnings; or every problem.
fn gather(arguments: &Arguments) -> Result<(usize, Vec<Problem>), Vec<Problem>> {
    let mut problems = Vec::new();
    let mut paths = arguments.paths.clone();
    if paths.is_empty() || arguments.file.config.is_some() {
        match arguments.file.load(&[]) {
            Ok(config) => {
                problems.extend(Identity::offline(&config.identity, Clock::system()).err().map(unusable));
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
    match sources::load_rules(&paths) {
        Ok((set, warnings)) if problems.is_empty() => return Ok((set.actions().count(), warnings)),
        Ok((_, warnings)) => problems.extend(warnings),
        Err(wrong) => problems.extend(wrong),
    }
    Err(problems)
}

/// What `[identity]` names and `serve` could not use: a key that is not there, an algorithm that is none.
fn unusable(error: SettingsError) -> Problem {
    let help = error.source().map(ToString::to_string);
    Problem {
        code: "bad-value",
        level: Level::Error,
        title: error.to_string(),
        place: None,
        label: String::new(),
        help: help.filter(|why| !error.to_string().ends_with(why)),
    }
}
