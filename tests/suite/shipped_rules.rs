//! The rule files that ship: they load without a warning, every action has a
//! test, and every test is met.

use std::path::Path;

use sidetrail::problem;
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
