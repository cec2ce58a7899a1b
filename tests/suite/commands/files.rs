//! `replay`, `test` and `token` as people start them.

use super::{RULES, ended, sidetrail};

/// A recording of each program, and what became of what it made, in its order.
const RECORDINGS: [(&str, &[&str]); 3] = [
    ("chrome", &["made Price list.pdf", "[Unknown] made Half.pdf"]),
    ("firefox", &["made Price list.pdf", "[Denied] made Secret.pdf"]),
    ("mitmproxy", &["made Price list.pdf", "[Failed] made Broken.pdf"]),
];

#[test]
fn a_recording_of_each_program_gives_its_events_and_no_credential() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.toml"), RULES).unwrap();
    for (program, made) in RECORDINGS {
        let file = format!("{}/tests/fixtures/har/{program}.har", env!("CARGO_MANIFEST_DIR"));
        for format in ["text", "ndjson", "csv"] {
            let output = sidetrail(folder.path(), &["replay", &file, "--rules", "rules.toml", "--format", format]);
            let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert_eq!(output.status.code(), Some(0), "{program}: {error}");
            assert!(!said.contains("secret-of"), "{program} {format} shows a credential: {said}");
            let lines: Vec<&str> = said.lines().skip(usize::from(format != "ndjson")).collect();
            assert_eq!(lines.len(), made.len(), "{program} {format}: {said}");
            for (line, made) in lines.iter().zip(made) {
                let plain = made.rsplit("] ").next().unwrap();
                let wanted = if format == "text" { made } else { plain };
                assert!(line.contains(wanted), "{program}: {line}");
            }
        }
    }
    let (code, said) = ended(folder.path(), &["replay", "rules.toml", "--rules", "rules.toml"]);
    assert!(code == Some(4) && said.contains("sidetrail:"), "{said}");
}

#[test]
fn the_tests_of_a_rule_file_pass_or_show_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let case = |expect: &str| {
        format!(
            "{RULES}\n[[thing.made.test]]\nsend = \"POST /things\"\nbody = {{ name = \"a\" }}\nstatus = 201\nexpect = \"{expect}\"\n"
        )
    };
    std::fs::write(folder.path().join("rules.toml"), case("made a")).unwrap();
    let passed = sidetrail(folder.path(), &["test", "rules.toml"]);
    assert_eq!(
        (passed.status.code(), passed.stdout),
        (Some(0), b"1 passed, 0 failed\n1 of 1 actions have a test\n".to_vec())
    );
    std::fs::write(folder.path().join("rules.toml"), case("made b")).unwrap();
    let (code, said) = ended(folder.path(), &["test", "rules.toml"]);
    assert!(
        code == Some(1) && said.contains("made a") && said.contains("made b") && said.contains("rules.toml:"),
        "{said}"
    );
    assert_eq!(ended(folder.path(), &["test", "rules.toml", "--run", "nothing"]).0, Some(0));
}

#[test]
fn a_token_is_shown_once_listed_without_its_secret_and_revoked_by_what_names_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let token = |arguments: &[&str]| {
        let output = sidetrail(folder.path(), &[&["token"][..], arguments, &["--store", "sqlite:log.db"]].concat());
        let (said, error) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        (output.status.code().unwrap(), said, error)
    };
    let (code, secret, _) = token(&["create", "--name", "anna", "--workspace", "39"]);
    assert!(code == 0 && secret.starts_with("st_"), "{secret}");
    assert_eq!(token(&["create", "--name", "1", "--scope", "read"]).0, 0);
    let (_, list, _) = token(&["list"]);
    assert!(list.contains("1\tanna\tread,export\t39\t") && list.contains("2\t1\tread\tall workspaces\t"), "{list}");
    assert!(!list.contains(secret.trim()));
    let (code, _, said) = token(&["revoke", "1"]);
    assert!(code == 2 && said.contains("`1` is the number of token 1 and the name of token 2"), "{said}");
    assert_eq!(token(&["revoke", "--id", "1"]).0, 0);
    assert_eq!(token(&["revoke", "--id", "1"]).0, 1, "it is dead already");
    assert_eq!(token(&["revoke", "nobody"]).0, 1);
    assert_eq!(token(&["create", "--name", "x", "--scope", "all"]).0, 2);
    assert_eq!(token(&["list"]).1.matches("revoked").count(), 1);
}
