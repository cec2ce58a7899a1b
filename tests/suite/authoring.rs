//! The tools of those who write rules, as people start them.

use std::io::Write;
use std::process::{Command, Stdio};

const UNTIDY: &str =
    "category='Things'\n\n\n[thing.made] # all of them\nmessage = \"made\"\nwhen=\"POST /things\"\ntarget = false\n";
const TIDY: &str = "category = 'Things'\n\n[thing.made]  # all of them\nwhen    = \"POST /things\"\ntarget  = false\nmessage = \"made\"\n";

#[test]
fn fmt_lays_files_out_and_only_says_so_when_it_checks() {
    let folder = tempfile::tempdir().unwrap();
    let (rules, broken) = (folder.path().join("things.toml"), folder.path().join("broken.toml"));
    std::fs::write(&rules, UNTIDY).unwrap();
    let fmt = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
        let output = command.current_dir(folder.path()).arg("fmt").args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, named, said) = fmt(&["--check", "."]);
    assert_eq!((code, named.trim(), said.trim()), (Some(1), "./things.toml", "1 file, 1 would change"));
    assert_eq!(std::fs::read_to_string(&rules).unwrap(), UNTIDY);
    assert_eq!(fmt(&["things.toml"]).0, Some(0));
    assert_eq!(std::fs::read_to_string(&rules).unwrap(), TIDY);
    assert_eq!(fmt(&["--check", "."]).0, Some(0));

    std::fs::write(&broken, "category = ").unwrap();
    let (code, _, said) = fmt(&["."]);
    assert_eq!(code, Some(1));
    assert!(said.contains("./broken.toml: it is not TOML"), "{said}");
    assert_eq!(std::fs::read_to_string(&broken).unwrap(), "category = ");
}

#[test]
fn fmt_is_a_filter_for_editors() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidetrail"));
    let mut child = command.args(["fmt", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(UNTIDY.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), TIDY);
}
