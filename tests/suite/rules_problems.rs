//! What is printed for rule files that are wrong: every file of `tests/problems`, as people see it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use sidetrail::problem::{self, Problem, SourceFile};
use sidetrail::rules::RuleSet;

/// What `check` and `test` would print for one file.
fn printed(name: &str, text: String) -> String {
    let file = Arc::new(SourceFile { name: name.to_owned(), text });
    match RuleSet::load(&[file]) {
        Err(problems) => problem::print(&problems, false),
        Ok((set, warnings)) => {
            let failed: Vec<Problem> = set.run_cases(None).iter().filter_map(|case| case.to_problem()).collect();
            problem::print(&warnings, false) + &problem::print(&failed, false)
        }
    }
}

fn files() -> Vec<(String, String)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/problems");
    let mut files: Vec<(String, String)> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn every_mistake_is_printed_with_its_place_and_a_way_out() {
    let files = files();
    assert!(files.len() >= 15, "only {} files", files.len());
    for (name, text) in files {
        let shown = printed(&format!("rules/{name}.toml"), text);
        assert!(!shown.is_empty(), "{name} is not wrong");
        insta::with_settings!({ snapshot_path => "../problems", prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(name, shown);
        });
    }
}

#[test]
fn problems_as_json_have_line_and_column() {
    let text = files().into_iter().find(|(name, _)| name == "unbalanced_brace").unwrap().1;
    let file = Arc::new(SourceFile { name: "rules/a.toml".to_owned(), text });
    let problems = problem::to_json(&RuleSet::load(&[file]).unwrap_err());
    assert_eq!(problems[0]["code"], "unbalanced-brace");
    assert_eq!(problems[0]["place"]["file"], "rules/a.toml");
    assert_eq!((&problems[0]["place"]["line"], &problems[0]["place"]["column"]), (&8.into(), &26.into()));
}

/// A right file with pieces of it cut out, doubled or replaced.
fn broken() -> impl Strategy<Value = String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/rules");
    let text: String =
        ["beds.toml", "gardeners.toml"].map(|name| fs::read_to_string(directory.join(name)).unwrap()).join("\n");
    let pieces = prop::sample::select(vec![
        "", "\"", "{{", "}}", "[", "]", "= ", "'", "{", "\\", "\u{e9}", "\n", "or", "//", "0",
    ]);
    (0usize..600, 0usize..8, prop::collection::vec((any::<prop::sample::Index>(), 0usize..12, pieces), 1..4)).prop_map(
        move |(start, lines, edits)| {
            let all: Vec<&str> = text.lines().collect();
            let start = start % all.len();
            let end = (start + lines * 6 + 8).min(all.len());
            let mut part: Vec<char> = format!("category = \"X\"\n{}", all[start..end].join("\n")).chars().collect();
            for (at, length, piece) in edits {
                let at = at.index(part.len() + 1);
                let end = (at + length).min(part.len());
                part.splice(at..end, piece.chars());
            }
            part.into_iter().collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_file_makes_loading_or_printing_panic(text in broken()) {
        printed("rules/broken.toml", text);
    }
}
