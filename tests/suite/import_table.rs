//! Who may import whom. A single crate has no layers that the compiler checks,
//! so this reads `src/**/*.rs` and holds the table; without it the table would
//! not outlive a month.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A module of the crate's root and the modules of the root that it may name.
const MODULES: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("problem", &["clock"]),
    ("exchange", &["clock"]),
    ("event", &["clock"]),
    ("ledger", &["clock"]),
    ("memory", &["clock"]),
    ("outgoing", &["clock", "exchange"]),
    ("capture", &["clock", "exchange"]),
    ("rules", &["clock", "event", "exchange", "memory", "problem"]),
    ("identity", &["clock", "event", "exchange", "memory", "outgoing", "problem"]),
    // Not `exchange`: raw bodies cannot reach the store.
    ("record", &["clock", "event", "ledger", "memory"]),
    ("read", &["clock", "event", "identity", "problem", "record"]),
    (
        "pipeline",
        &["capture", "clock", "event", "exchange", "identity", "ledger", "memory", "outgoing", "record", "rules"],
    ),
    ("config", &["capture", "identity", "memory", "problem", "read", "record", "rules"]),
    ("authoring", &["exchange", "ledger", "memory", "problem", "rules"]),
    (
        "cli",
        &[
            "authoring",
            "capture",
            "clock",
            "config",
            "event",
            "exchange",
            "identity",
            "ledger",
            "memory",
            "outgoing",
            "pipeline",
            "problem",
            "read",
            "record",
            "rules",
        ],
    ),
];

/// A crate and the only modules that may name it.
const CRATES: &[(&str, &[&str])] = &[
    ("httparse", &["capture"]),
    ("hyper", &["capture", "identity", "outgoing", "read"]),
    ("hyper_util", &["capture", "identity", "outgoing", "read"]),
    ("axum", &["read"]),
    ("askama", &["read"]),
    ("rusqlite", &["record"]),
    ("minijinja", &["rules"]),
    // `rules` is synchronous and pure.
    ("tokio", &["capture", "cli", "identity", "outgoing", "pipeline", "read", "record"]),
];

/// Files that stand above the table: they name every module.
const ROOTS: &[&str] = &["lib", "main"];

#[test]
fn nobody_imports_what_the_table_forbids() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    gather(&src, &mut files);
    assert!(files.len() > 10, "the sources were not found below {}", src.display());
    let mut report = String::new();
    for file in files {
        let relative = file.strip_prefix(&src).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        for (line, breach) in breaches(relative, &text) {
            writeln!(report, "src/{}:{line}: {breach}", relative.display()).unwrap();
        }
    }
    assert!(report.is_empty(), "the import table is broken:\n{report}");
}

#[test]
fn every_way_to_name_a_module_is_seen() {
    let found = |file: &str, text: &str| breaches(Path::new(file), text);
    assert_eq!(
        found("rules/file.rs", "use crate::record::Store;"),
        [(1, "`rules` may not import `record`".to_owned())]
    );
    assert_eq!(found("rules/file.rs", "\nuse crate::{event, record::{query::Scope}};").len(), 1);
    assert_eq!(found("rules/file.rs", "fn f() -> crate::event::Event { crate::read::x() }").len(), 1);
    assert_eq!(found("rules/file.rs", "use super::super::record;").len(), 1);
    assert_eq!(found("rules/file.rs", "mod tests { use super::super::record; }").len(), 0);
    assert_eq!(found("event.rs", "use super::memory::Thing;").len(), 1);
    assert_eq!(found("read/page.rs", "use crate::cli;").len(), 1);
    assert_eq!(found("record/mod.rs", "let a = axum::Router::new();").len(), 1);
    assert_eq!(found("record/mod.rs", "use {rusqlite::params, axum as web};").len(), 1);
    assert_eq!(found("rules/mod.rs", "use tokio;").len(), 1);
}

#[test]
fn what_only_looks_like_an_import_is_not_one() {
    let found = |text: &str| breaches(Path::new("rules/file.rs"), text);
    assert_eq!(found("pub(crate) fn record() {} // crate::record"), []);
    assert_eq!(found("//! crate::record\n/* use crate::read; */"), []);
    assert_eq!(found("let a = \"crate::record \\\" axum::\"; let b = r#\"crate::read \" \"#; let c = '\"';"), []);
    assert_eq!(found("fn f<'a>(x: &'a str) { self.tokio = x; crate::rules::axum::f() }"), []);
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The lines of a file that name what its module may not, and why.
fn breaches(relative: &Path, text: &str) -> Vec<(usize, String)> {
    let mut home: Vec<String> = relative.with_extension("").iter().map(|part| part.to_string_lossy().into()).collect();
    if home.last().is_some_and(|last| last == "mod") {
        home.pop();
    }
    let module = home[0].clone();
    if ROOTS.contains(&module.as_str()) {
        return Vec::new();
    }
    let Some((_, allowed)) = MODULES.iter().find(|(name, _)| *name == module) else {
        return vec![(1, format!("`{module}` is not in the table of {}", file!()))];
    };
    let mut found = Vec::new();
    for (line, name) in modules_named(&tokens(text), home.len()) {
        let known = MODULES.iter().any(|(module, _)| *module == name);
        if known && name != module && !allowed.contains(&name.as_str()) {
            found.push((line, format!("`{module}` may not import `{name}`")));
        }
    }
    for (line, name) in crates_named(&tokens(text)) {
        let only = CRATES.iter().find(|(krate, _)| *krate == name).map_or(&[][..], |(_, only)| only);
        if !only.contains(&module.as_str()) {
            found.push((line, format!("`{module}` may not use the crate `{name}`: only {only:?} may")));
        }
    }
    found
}

/// A word or a sign, and its line. Comments and literals are left out.
type Token = (usize, String);

fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let (mut index, mut line) = (0, 1);
    while index < chars.len() {
        let start = index;
        match at(index) {
            '/' if at(index + 1) == '/' => {
                while index < chars.len() && at(index) != '\n' {
                    index += 1
                }
            }
            '/' if at(index + 1) == '*' => {
                index += 2;
                while index < chars.len() && !(at(index) == '*' && at(index + 1) == '/') {
                    index += 1
                }
                index += 2;
            }
            'r' if raw_string_hashes(&chars[index..]).is_some() => {
                let hashes = raw_string_hashes(&chars[index..]).unwrap_or_default();
                index += hashes + 2;
                let closes = |index: usize| at(index) == '"' && (1..=hashes).all(|more| at(index + more) == '#');
                while index < chars.len() && !closes(index) {
                    index += 1
                }
                index += hashes + 1;
            }
            '"' => {
                index += 1;
                while index < chars.len() && at(index) != '"' {
                    index += if at(index) == '\\' { 2 } else { 1 }
                }
                index += 1;
            }
            // A character, not a lifetime: 'x' or '\…'.
            '\'' if at(index + 1) == '\\' || at(index + 2) == '\'' => {
                index += 2;
                while index < chars.len() && at(index) != '\'' {
                    index += 1
                }
                index += 1;
            }
            char if char.is_alphanumeric() || char == '_' => {
                while at(index).is_alphanumeric() || at(index) == '_' {
                    index += 1
                }
                tokens.push((line, chars[start..index].iter().collect()));
            }
            char => {
                index += 1;
                if !char.is_whitespace() {
                    tokens.push((line, char.to_string()));
                }
            }
        }
        line += chars[start..index.min(chars.len())].iter().filter(|char| **char == '\n').count();
    }
    tokens
}

/// How many `#` a raw string that begins here has.
fn raw_string_hashes(chars: &[char]) -> Option<usize> {
    let hashes = chars.iter().skip(1).take_while(|char| **char == '#').count();
    (chars.get(1 + hashes) == Some(&'"')).then_some(hashes)
}

/// The modules of the crate's root that are named by `crate::…` or by enough `super::`.
fn modules_named(tokens: &[Token], depth: usize) -> Vec<Token> {
    let word = |index: usize| tokens.get(index).map_or("", |(_, word)| word.as_str());
    let path_goes_on = |index: usize| word(index) == ":" && word(index + 1) == ":";
    let mut named = Vec::new();
    // How deep in braces each inline `mod` was opened: `super` in it means one level less.
    let (mut braces, mut inline) = (0_usize, Vec::new());
    let mut index = 0;
    while index < tokens.len() {
        match word(index) {
            "mod" if word(index + 2) == "{" => inline.push(braces),
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                inline.pop_if(|opened| *opened == braces);
            }
            "crate" if path_goes_on(index + 1) => named.extend(heads(tokens, index + 3)),
            "super" if index < 2 || word(index - 1) != ":" => {
                let mut supers = 1;
                while path_goes_on(index + 1) && word(index + 3) == "super" {
                    supers += 1;
                    index += 3;
                }
                if supers == depth + inline.len() && path_goes_on(index + 1) {
                    named.extend(heads(tokens, index + 3));
                }
            }
            _ => {}
        }
        index += 1;
    }
    named
}

/// The first words of a path, or of each path of a group `{a::b, c}`.
fn heads(tokens: &[Token], from: usize) -> Vec<Token> {
    let Some((_, first)) = tokens.get(from) else { return Vec::new() };
    if first != "{" {
        return vec![tokens[from].clone()];
    }
    let mut heads = Vec::new();
    let mut braces = 0_usize;
    let mut is_head = false;
    for token in &tokens[from..] {
        match token.1.as_str() {
            "{" => {
                braces += 1;
                is_head = braces == 1;
            }
            "}" if braces == 1 => break,
            "}" => braces -= 1,
            "," => is_head = braces == 1,
            _ if is_head => {
                heads.push(token.clone());
                is_head = false;
            }
            _ => {}
        }
    }
    heads
}

/// The crates of the table that are named: at the beginning of a path, or whole in a `use`.
fn crates_named(tokens: &[Token]) -> Vec<Token> {
    let word = |index: usize| tokens.get(index).map_or("", |(_, word)| word.as_str());
    let mut named = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let before = index.checked_sub(1).map_or("", word);
        let is_path = word(index + 1) == ":" && word(index + 2) == ":";
        let is_use = matches!(before, "use" | "crate") || (matches!(before, "{" | ",") && word(index + 1) == "as");
        let begins = !matches!(before, ":" | ".");
        if begins && (is_path || is_use) && CRATES.iter().any(|(krate, _)| *krate == token.1) {
            named.push(token.clone());
        }
    }
    named
}
