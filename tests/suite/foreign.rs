//! A platform that nobody here wrote: the rules for MLflow, and a day of its
//! own clients as a recording. MLflow itself is not needed.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sidetrail::authoring::coverage::Report;
use sidetrail::capture::har;
use sidetrail::problem;
use sidetrail::rules::{self, RuleSet};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/mlflow").join(name)
}

fn loaded() -> RuleSet {
    let files =
        rules::read_files(&[example("rules")]).unwrap_or_else(|wrong| panic!("{}", problem::print(&wrong, false)));
    let (set, warnings) = RuleSet::load(&files).unwrap_or_else(|wrong| panic!("{}", problem::print(&wrong, false)));
    assert!(warnings.is_empty(), "{}", problem::print(&warnings, false));
    set
}

#[test]
fn the_rules_for_a_foreign_platform_meet_their_own_tests() {
    let set = loaded();
    assert!(set.untested().is_empty(), "{}", problem::print(&set.untested(), false));
    let unmet: Vec<_> = set.run_cases(None).iter().filter_map(rules::CaseResult::to_problem).collect();
    assert!(unmet.is_empty(), "{}", problem::print(&unmet, false));
}

#[test]
fn nothing_that_a_foreign_client_changed_is_unmapped() {
    let exchanges = har::read(&example("day.har")).unwrap();
    let report = Report::of_exchanges(&loaded(), exchanges.iter());
    let unmapped: Vec<&str> = report.unmapped.iter().map(|row| row.route.as_str()).collect();
    assert_eq!(unmapped, [""; 0]);
    assert_eq!((report.mapped.len(), report.ignored.len()), (48, 5));
}

#[test]
fn the_day_of_a_foreign_client_reads_as_people_would_tell_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
    command.current_dir(folder.path()).arg("replay").arg(example("day.har")).arg("--rules").arg(example("rules"));
    let output = command.args(["--format", "ndjson"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(line).collect();
    insta::assert_snapshot!("a_day_of_mlflow", told.join("\n"));
}

fn line(event: &str) -> String {
    let event: Value = serde_json::from_str(event).unwrap();
    let said = |at: &str| event.pointer(at).and_then(Value::as_str).unwrap_or("(unknown)").to_owned();
    format!("{}: {} [{}]", said("/actor/id"), said("/message"), said("/outcome"))
}
