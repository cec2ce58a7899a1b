//! Reads rule files from disk.

use std::fs;
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
                problems.push(Problem::error("unreadable", format!("`{}` cannot be read: {error}", path.display())));
            }
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

fn files_at(path: &Path) -> Result<Vec<Arc<SourceFile>>, (PathBuf, std::io::Error)> {
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
    let mut files = Vec::new();
    for name in names {
        let text = fs::read_to_string(&name).map_err(at(&name))?;
        files.push(Arc::new(SourceFile { name: name.display().to_string(), text }));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

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
