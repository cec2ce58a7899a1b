//! `sidetrail fmt`: rule files in one layout.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::sources::{self, ConfigFile};
use super::{GOOD, NEGATIVE};
use crate::rules::{self, layout};

/// `fmt [PATH…]`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Rule files and folders, or `-` for stdin to stdout [default: those of the configuration]
    paths: Vec<PathBuf>,
    /// Change nothing; name the files that would change, exit 1 if there are any
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    file: ConfigFile,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    if let [one] = arguments.paths.as_slice()
        && one == Path::new("-")
    {
        return from_stdin(arguments.check);
    }
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
    let files = match rules::read_files(&paths) {
        Ok(files) => files,
        Err(problems) => {
            sources::print_problems(&problems);
            return Ok(NEGATIVE);
        }
    };
    let (mut changed, mut broken) = (0, 0);
    for file in &files {
        match layout::layout(&file.text) {
            Ok(text) if text == file.text => {}
            Ok(text) => {
                changed += 1;
                writeln!(std::io::stdout(), "{}", file.name)?;
                if !arguments.check {
                    write_whole(Path::new(&file.name), &text)
                        .with_context(|| format!("cannot write `{}`", file.name))?;
                }
            }
            Err(error) => {
                broken += 1;
                say!("{}: {error}; `sidetrail check` says where", file.name);
            }
        }
    }
    let verb = if arguments.check { "would change" } else { "changed" };
    let (count, plural) = (files.len(), if files.len() == 1 { "" } else { "s" });
    say!("{count} file{plural}, {changed} {verb}");
    Ok(if broken > 0 || (arguments.check && changed > 0) { NEGATIVE } else { GOOD })
}

fn from_stdin(check: bool) -> anyhow::Result<u8> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("cannot read stdin")?;
    match layout::layout(&text) {
        Ok(laid_out) if check => Ok(if laid_out == text { GOOD } else { NEGATIVE }),
        Ok(laid_out) => {
            std::io::stdout().write_all(laid_out.as_bytes())?;
            Ok(GOOD)
        }
        Err(error) => {
            say!("stdin: {error}; `sidetrail check` says where");
            Ok(NEGATIVE)
        }
    }
}

/// Beside the file first, then in its place: a full disk leaves the old text.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    // Where a name is a link, what it points at is written.
    let path = path.canonicalize()?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.join(format!(".{name}.{}", std::process::id()));
    let written = std::fs::write(&beside, text)
        .and_then(|()| std::fs::set_permissions(&beside, std::fs::metadata(&path)?.permissions()))
        .and_then(|()| std::fs::rename(&beside, &path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}
