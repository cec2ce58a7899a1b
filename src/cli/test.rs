//! `sidetrail test`: the tests inside the rule files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::PathBuf;

use anyhow::Context;

use super::sources::{self, ConfigFile};
use super::{GOOD, NEGATIVE};
use crate::problem::{self, Problem};
use crate::rules::{CaseResult, RuleSet};

/// `test [PATH…]`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Rule files and folders [default: those of the configuration]
    paths: Vec<PathBuf>,
    /// Only tests whose action matches this regular expression
    #[arg(long, value_name = "RE")]
    run: Option<regex::Regex>,
    /// Also write the results as JUnit XML, for CI
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Exit 1 where fewer actions than this have a test, in percent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,
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
    if !failures.is_empty() {
        say!("{}", problem::print(&failures, std::io::stderr().is_terminal()).trim_end_matches('\n'));
    }
    if let Some(path) = &arguments.junit {
        std::fs::write(path, junit(&results)).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    writeln!(std::io::stdout(), "{} passed, {} failed", results.len() - failures.len(), failures.len())?;
    let is_covered = coverage(&set, arguments.min_coverage)?;
    Ok(if failures.is_empty() && is_covered { GOOD } else { NEGATIVE })
}

/// Says how many actions have a test; whether that is enough.
fn coverage(set: &RuleSet, least: Option<u8>) -> std::io::Result<bool> {
    let (all, untested) = (set.actions().count(), set.untested());
    let tested = all - untested.len();
    writeln!(std::io::stdout(), "{tested} of {all} actions have a test")?;
    // Exact, where a share of a hundred would round.
    let enough = least.is_none_or(|least| tested * 100 >= all * usize::from(least));
    if !enough {
        sources::print_problems(&untested);
        say!("fewer than {} % of the actions have a test", least.unwrap_or(0));
    }
    Ok(enough)
}

/// The results in the form that CI systems read: a suite for each file, a case for each test.
fn junit(results: &[CaseResult]) -> String {
    let mut files: BTreeMap<&str, Vec<&CaseResult>> = BTreeMap::new();
    for result in results {
        files.entry(&result.place.file.name).or_default().push(result);
    }
    let failed = |results: &[&CaseResult]| results.iter().filter(|result| !result.passed()).count();
    let all: Vec<&CaseResult> = results.iter().collect();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(xml, "<testsuites name=\"sidetrail\" tests=\"{}\" failures=\"{}\">", all.len(), failed(&all));
    for (file, results) in files {
        let (name, count, failures) = (escaped(file), results.len(), failed(&results));
        let _ = writeln!(xml, "  <testsuite name=\"{name}\" tests=\"{count}\" failures=\"{failures}\">");
        for result in results {
            let (line, _) = result.place.line_and_column();
            let _ = write!(xml, "    <testcase name=\"{}\" file=\"{name}\" line=\"{line}\"", escaped(&result.name));
            if result.passed() {
                xml.push_str("/>\n");
                continue;
            }
            let text: Vec<String> = result.differences.iter().map(ToString::to_string).collect();
            let _ = writeln!(xml, ">\n      <failure>{}</failure>\n    </testcase>", escaped(&text.join("\n")));
        }
        xml.push_str("  </testsuite>\n");
    }
    xml + "</testsuites>\n"
}

/// Text inside XML; what XML 1.0 cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(letter),
            letter if letter.is_control() => {}
            letter => out.push(letter),
        }
    }
    out
}
