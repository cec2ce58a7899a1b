//! Reads rule files from disk.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::problem::{Problem, SourceFile};

/// Reads files (a `*.json` among them holds persisted queries), and of directories every `*.toml` in them, sorted by name. What cannot be read is a problem.
pub fn read_files(paths: &[PathBuf]) -> Result<Vec<Arc<SourceFile>>, Vec<Problem>> {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        match files_at(path) {
            Ok(found) if found.is_empty() => {
                problems.push(Problem::error("no-rules", format!("there is no `*.toml` in `{}`", path.display())));
            }
            Ok(found) => files.extend(found),
            Err((path, error)) => {
                let help = "make a folder `rules` with a file for each resource, or name others in `[rules] paths`; \
                            `sidetrail draft` begins them from a recording or an OpenAPI description";
                let title = format!("`{}` cannot be read: {error}", path.display());
                problems.push(Problem::error("unreadable", title).help(help));
            }
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

/// A number that changes when any of the files does, or another one comes or goes. Reads no contents: content that
/// changes within one tick of the file system's clock and keeps its length is not seen.
pub fn stamp(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        match names_at(path) {
            Ok(names) => names.iter().for_each(|name| {
                name.hash(&mut hasher);
                // Of a link what it points at: Kubernetes exchanges the link of a whole folder.
                if let Ok(facts) = fs::metadata(name) {
                    (facts.len(), facts.modified().ok(), facts.ino()).hash(&mut hasher);
                }
            }),
            Err((name, error)) => (name, error.kind().to_string()).hash(&mut hasher),
        }
    }
    hasher.finish()
}

fn files_at(path: &Path) -> Result<Vec<Arc<SourceFile>>, (PathBuf, std::io::Error)> {
    let mut files = Vec::new();
    for name in names_at(path)? {
        match fs::read_to_string(&name) {
            Ok(text) => files.push(Arc::new(SourceFile { name: name.display().to_string(), text })),
            Err(error) => return Err((name, error)),
        }
    }
    Ok(files)
}

/// The files that a path means, sorted.
fn names_at(path: &Path) -> Result<Vec<PathBuf>, (PathBuf, std::io::Error)> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| (path, error)
    };
    let mut names = vec![path.to_owned()];
    if fs::metadata(path).map_err(at(path))?.is_dir() {
        names.clear();
        for entry in fs::read_dir(path).map_err(at(path))? {
            let name = entry.map_err(at(path))?.path();
            let hidden = name.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if name.extension().is_some_and(|extension| extension == "toml") && !hidden {
                names.push(name);
            }
        }
        names.sort();
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stamp_changes_with_the_files_and_with_what_a_link_points_at() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for folder in ["one", "two"] {
            fs::create_dir(at(folder)).unwrap();
            fs::write(at(folder).join("a.toml"), folder).unwrap();
        }
        std::os::unix::fs::symlink(at("one"), at("now")).unwrap();
        let paths = [at("now")];
        let mut seen = vec![stamp(&paths)];
        let mut is_new = || {
            let now = stamp(&paths);
            let new = !seen.contains(&now);
            seen.push(now);
            new
        };
        assert!(!is_new());
        std::os::unix::fs::symlink(at("two"), at("next")).unwrap();
        fs::rename(at("next"), at("now")).unwrap();
        assert!(is_new(), "another folder");
        fs::write(at("two").join("a.toml"), "longer").unwrap();
        assert!(is_new(), "another content");
        fs::write(at("two").join("b.toml"), "").unwrap();
        assert!(is_new(), "another file");
        fs::remove_dir_all(at("two")).unwrap();
        assert!(is_new(), "nothing");
    }

    #[test]
    fn a_directory_gives_its_toml_files_sorted_and_a_missing_path_is_a_problem() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.toml", "a.toml", ".hidden.toml", "notes.md"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let names: Vec<String> =
            read_files(&[dir.path().to_owned()]).unwrap().iter().map(|file| file.name.clone()).collect();
        assert!(names.len() == 2 && names[0].ends_with("a.toml") && names[1].ends_with("b.toml"), "{names:?}");
        let problems = read_files(&[dir.path().join("missing")]).unwrap_err();
        assert!(problems[0].title.contains("missing"), "{problems:?}");
    }
}
