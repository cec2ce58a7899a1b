//! `sidetrail draft`: rule files that a person would have begun.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};

use super::sources::{self, ConfigFile};
use super::{CONFIGURATION, GOOD, NEGATIVE};
use crate::authoring::draft::{self, Current, Draft};
use crate::authoring::openapi::Description;
use crate::capture::har;
use crate::problem::SourceFile;
use crate::rules::{self, RuleSet};

/// `draft FILE`
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A recording (`*.har`), or an API's description (OpenAPI 3.0 or 3.1, JSON or YAML)
    file: PathBuf,
    /// Write the files into this folder [default: all to stdout]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Rule files and folders that there are already [default: those of the configuration]
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Everything, also what the rules map already
    #[arg(long)]
    all: bool,
    /// Overwrite files that are there
    #[arg(long, requires = "out")]
    force: bool,
    #[command(flatten)]
    config: ConfigFile,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<u8> {
    let files = if arguments.all {
        Vec::new()
    } else {
        match current(arguments) {
            Ok(files) => files,
            Err(code) => return Ok(code),
        }
    };
    let rules = if arguments.all {
        None
    } else {
        match RuleSet::load(&files) {
            Ok((rules, _)) => Some(rules),
            Err(problems) => {
                sources::print_problems(&problems);
                return Ok(NEGATIVE);
            }
        }
    };
    let draft = read(&arguments.file, &Current { files: &files, rules: rules.as_ref() })?;
    match &arguments.out {
        Some(folder) => write_all(folder, &draft.files, arguments.force)?,
        None => print(&mut std::io::stdout().lock(), &draft)?,
    }
    say(&draft, arguments.out.as_deref());
    Ok(GOOD)
}

/// The files of the current rules; without any, nothing is mapped.
fn current(arguments: &Arguments) -> Result<Vec<Arc<SourceFile>>, u8> {
    let mut paths = arguments.rules.clone();
    if paths.is_empty() {
        match arguments.config.load(&[]) {
            Ok(config) => paths = config.rules.paths.into_iter().filter(|path| path.exists()).collect(),
            Err(problems) => {
                sources::print_problems(&problems);
                return Err(CONFIGURATION);
            }
        }
    }
    // Whoever begins has a folder with nothing in it.
    let empty = |path: &Path| std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    paths.retain(|path| !empty(path));
    rules::read_files(&paths).map_err(|problems| {
        sources::print_problems(&problems);
        NEGATIVE
    })
}

/// A recording by its ending or its beginning, else a description.
fn read(file: &Path, current: &Current<'_>) -> anyhow::Result<Draft> {
    let named = || format!("`{}`", file.display());
    let text = std::fs::read(file).with_context(named)?;
    let is_har = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("har"));
    if is_har || text.get(..200).unwrap_or(&text).windows(6).any(|word| word == b"\"log\":") {
        return Ok(draft::of_exchanges(&har::parse(&text).with_context(named)?, current));
    }
    let text = String::from_utf8(text).with_context(named)?;
    Ok(draft::of_description(&Description::parse(&text).with_context(named)?, current))
}

/// One file after the other, each with its name before it; then what is left out.
fn print(out: &mut impl Write, draft: &Draft) -> std::io::Result<()> {
    for (at, file) in draft.files.iter().enumerate() {
        let blank = if at == 0 { "" } else { "\n" };
        write!(out, "{blank}# {}\n{}", file.name, file.text)?;
    }
    for (at, (route, why)) in draft.left_out.iter().enumerate() {
        let blank = if at == 0 && !draft.files.is_empty() { "\n" } else { "" };
        writeln!(out, "{blank}# left out: {route}: {why}")?;
    }
    Ok(())
}

/// All files or none: a name that is taken is found before anything is written.
fn write_all(folder: &Path, files: &[SourceFile], force: bool) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let taken: Vec<String> = files
        .iter()
        .map(|file| folder.join(&file.name))
        .filter(|path| path.exists())
        .map(|path| path.display().to_string())
        .collect();
    if !force && !taken.is_empty() {
        bail!("nothing was written, for there is already {}; `--force` overwrites", taken.join(", "));
    }
    for file in files {
        let path = folder.join(&file.name);
        std::fs::write(&path, &file.text).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}

/// What was made, and what was not and why, on stderr.
fn say(draft: &Draft, folder: Option<&Path>) {
    for (route, why) in draft.left_out.iter().take(40) {
        say!("left out: {route}: {why}");
    }
    if draft.left_out.len() > 40 {
        say!("… and {} more", draft.left_out.len() - 40);
    }
    if draft.elsewhere > 0 {
        say!("{} requests went to other hosts, or to nothing that the platform knows", draft.elsewhere);
    }
    let place = folder.map(|folder| format!(" in `{}`", folder.display())).unwrap_or_default();
    say!(
        "{} routes without a rule: {} actions and {} ignored with {} kinds in {} files{place}; {} left out",
        draft.routes,
        draft.actions,
        draft.ignored,
        draft.kinds,
        draft.files.len(),
        draft.left_out.len()
    );
}
