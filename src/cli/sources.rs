//! What every command reads first: the configuration and the rule files, with their problems printed.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use crate::config::{Config, Override, Places};
use crate::problem::{self, Level, Problem};
use crate::rules::{self, RuleSet};

/// The file that is read when none is named and it is there.
const DEFAULT_FILE: &str = "config.toml";

/// How problems are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people, with the line and a caret.
    #[default]
    Human,
    /// One JSON array.
    Json,
}

/// Which configuration to read.
#[derive(clap::Args, Clone, Debug, Default)]
pub(crate) struct ConfigFile {
    /// The configuration [default: config.toml, where it exists]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

impl ConfigFile {
    /// The configuration: file, then environment, then `flags`.
    pub(crate) fn load(&self, flags: &[Override]) -> Result<Config, Vec<Problem>> {
        self.load_with_places(flags).map(|(config, _)| config)
    }

    /// The same, with where each value came from.
    pub(crate) fn load_with_places(&self, flags: &[Override]) -> Result<(Config, Places), Vec<Problem>> {
        let default = Path::new(DEFAULT_FILE);
        let file = self.config.as_deref().or_else(|| default.exists().then_some(default));
        // A variable that is not text is none of ours; `vars` would end the process over it.
        let variables = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let variables = variables.map(|(name, value)| (name, value.to_string_lossy().into_owned()));
        let mut overrides = Override::from_environment(variables);
        overrides.extend_from_slice(flags);
        Config::load_with_places(file, &overrides)
    }
}

/// Reads and compiles rules: the set and its warnings, or every problem.
pub(crate) fn load_rules(paths: &[PathBuf]) -> Result<(RuleSet, Vec<Problem>), Vec<Problem>> {
    let files = rules::read_files(paths)?;
    RuleSet::load(&files)
}

/// Prints problems on stderr for people.
pub(crate) fn print_problems(problems: &[Problem]) {
    if problems.is_empty() {
        return;
    }
    say!("{}", problem::print(problems, std::io::stderr().is_terminal()).trim_end_matches('\n'));
    let errors = problems.iter().filter(|problem| problem.level == Level::Error).count();
    let warnings = problems.len() - errors;
    say!("{}", counted(errors, warnings));
}

/// "2 errors, 1 warning".
pub(crate) fn counted(errors: usize, warnings: usize) -> String {
    let plural = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"))
}
