//! The rule files that ship: they load without a warning, every action has a
//! test, and every test is met.

use std::path::Path;
use std::sync::Arc;

use sidetrail::problem::{self, SourceFile};
use sidetrail::rules::{self, RuleSet};

#[test]
fn the_shipped_rules_meet_their_own_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let files = rules::read_files(&[folder]).unwrap_or_else(|wrong| panic!("{}", problem::print(&wrong, false)));
    let (set, warnings) = RuleSet::load(&files).unwrap_or_else(|wrong| panic!("{}", problem::print(&wrong, false)));
    assert!(warnings.is_empty(), "{}", problem::print(&warnings, false));
    assert!(set.untested().is_empty(), "{}", problem::print(&set.untested(), false));
    assert_eq!(set.actions().count(), 41 + 1, "the 41 and signing in");

    let results = set.run_cases(None);
    let unmet: Vec<_> = results.iter().filter_map(rules::CaseResult::to_problem).collect();
    assert!(unmet.is_empty(), "{}", problem::print(&unmet, false));
    assert!(results.len() > 90);
}

#[test]
fn every_example_of_the_manual_is_a_rule_file_whose_tests_are_met() {
    let manual = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/README.md")).unwrap();
    let examples: Vec<&str> = manual.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 7, "only {} examples", examples.len());
    for text in examples {
        let file = Arc::new(SourceFile { name: "manual.toml".to_owned(), text: text.to_owned() });
        let (set, warnings) =
            RuleSet::load(&[file]).unwrap_or_else(|wrong| panic!("{}", problem::print(&wrong, false)));
        let results = set.run_cases(None);
        let mut wrong = warnings;
        wrong.extend(results.iter().filter_map(rules::CaseResult::to_problem));
        assert!(!results.is_empty() && wrong.is_empty(), "{text}\n{}", problem::print(&wrong, false));
    }
}
