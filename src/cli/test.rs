//! `sidetrail test`: the tests inside the rule files.

use std::io::IsTerminal;
use std::path::PathBuf;

use super::sources::{self, ConfigFile};
use super::{GOOD, NEGATIVE};
use crate::problem::{self, Problem};
use crate::rules::CaseResult;

/// `test [PATH…]`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Rule files and folders [default: those of the configuration]
    paths: Vec<PathBuf>,
    /// Only tests whose action matches this regular expression
    #[arg(long, value_name = "RE")]
    run: Option<regex::Regex>,
    #[command(flatten)]
    file: ConfigFile,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let mut paths = arguments.paths.clone();
    if paths.is_empty() {
        match arguments.file.load(&[]) {
            Ok(config) => paths = config.rules.paths,
            Err(problems) => {
                sources::print_problems(&problems);
                return Ok(NEGATIVE);
            }
        }
    }
    let set = match sources::load_rules(&paths) {
        Ok((set, warnings)) => {
            sources::print_problems(&warnings);
            set
        }
        Err(problems) => {
            sources::print_problems(&problems);
            return Ok(NEGATIVE);
        }
    };
    let results = set.run_cases(arguments.run.as_ref());
    let failures: Vec<Problem> = results.iter().filter_map(CaseResult::to_problem).collect();
    eprint!("{}", problem::print(&failures, std::io::stderr().is_terminal()));
    println!("{} passed, {} failed", results.len() - failures.len(), failures.len());
    Ok(if failures.is_empty() { GOOD } else { NEGATIVE })
}
