//! Something wrong in a user's file: where, what, and the way out.
//!
//! Problems are values: they are gathered, all of them, and printed together
//! with file:line:col, the line, a caret and help. An error of running code is
//! something else (thiserror, one enum per module).

pub mod codes;

use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level as Shown, Renderer, Snippet};
use serde_json::{Value, json};

/// A user's file: its name as the user gave it, and its text.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Path as given on the command line or in the configuration.
    pub name: String,
    /// All of its text.
    pub text: String,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// Byte offsets into its text.
    pub span: Range<usize>,
}

impl Place {
    /// Line and column of its first character, both from 1; the column counts characters.
    pub fn line_and_column(&self) -> (usize, usize) {
        let before = self.file.text.get(..self.span.start).unwrap_or(&self.file.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before.get(line_start..).unwrap_or("").chars().count() + 1)
    }

    /// The span, moved inside the text and onto character borders, so that printing cannot fail.
    fn shown_span(&self) -> Range<usize> {
        let text = &self.file.text;
        let mut start = self.span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let mut end = self.span.end.clamp(start, text.len());
        while !text.is_char_boundary(end) {
            end += 1;
        }
        start..end
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing starts.
    Error,
    /// It works, but probably not as meant.
    Warning,
}

/// One thing wrong in a user's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Stable code: `unknown-key`.
    pub code: &'static str,
    /// How bad.
    pub level: Level,
    /// What is wrong, one line, lower-case, names in backticks.
    pub title: String,
    /// Where.
    pub place: Option<Place>,
    /// What stands beside the caret; may be empty.
    pub label: String,
    /// The way out.
    pub help: Option<String>,
}

impl Problem {
    /// Something that stops the start.
    pub fn error(code: &'static str, title: impl Into<String>) -> Problem {
        Problem { code, level: Level::Error, title: title.into(), place: None, label: String::new(), help: None }
    }

    /// Something that works, but probably not as meant.
    pub fn warning(code: &'static str, title: impl Into<String>) -> Problem {
        Problem { level: Level::Warning, ..Problem::error(code, title) }
    }

    /// `rules/a.toml:3:1: unknown key …`
    pub fn in_one_line(&self) -> String {
        match &self.place {
            Some(place) => {
                let (line, column) = place.line_and_column();
                format!("{}:{line}:{column}: {}", place.file.name, self.title)
            }
            None => self.title.clone(),
        }
    }

    /// The same, at a place.
    #[must_use]
    pub fn at(mut self, file: &Arc<SourceFile>, span: Range<usize>) -> Problem {
        self.place = Some(Place { file: Arc::clone(file), span });
        self
    }

    /// The same, with words beside the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Problem {
        self.label = label.into();
        self
    }

    /// The same, with a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }
}

/// Sorts problems as they are read: by file, then place, then code.
pub fn sort(problems: &mut [Problem]) {
    problems.sort_by(|a, b| {
        let key = |problem: &Problem| {
            problem.place.as_ref().map(|place| (place.file.name.clone(), place.span.start, place.span.end))
        };
        key(a).cmp(&key(b)).then_with(|| a.code.cmp(b.code)).then_with(|| a.title.cmp(&b.title))
    });
}

/// Problems for people: each with file:line:col, the line, a caret, and help. `colour` for a terminal.
pub fn print(problems: &[Problem], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for problem in problems {
        let level = match problem.level {
            Level::Error => Shown::ERROR,
            Level::Warning => Shown::WARNING,
        };
        let title = level.primary_title(&problem.title).id(problem.code);
        let mut group = match &problem.place {
            Some(place) => {
                let mut mark = AnnotationKind::Primary.span(place.shown_span());
                if !problem.label.is_empty() {
                    mark = mark.label(&problem.label);
                }
                title.element(Snippet::source(&place.file.text).path(&place.file.name).annotation(mark))
            }
            None => annotate_snippets::Group::with_title(title),
        };
        if let Some(help) = &problem.help {
            group = group.element(Shown::HELP.message(help));
        }
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    out
}

/// Problems for programs: a list of objects, places with line and column from 1.
pub fn to_json(problems: &[Problem]) -> Value {
    let one = |problem: &Problem| {
        let place = problem.place.as_ref().map(|place| {
            let (line, column) = place.line_and_column();
            json!({ "file": place.file.name, "line": line, "column": column,
                    "start": place.span.start, "end": place.span.end })
        });
        json!({
            "code": problem.code,
            "level": match problem.level { Level::Error => "error", Level::Warning => "warning" },
            "title": problem.title,
            "label": problem.label,
            "place": place,
            "help": problem.help,
        })
    };
    Value::Array(problems.iter().map(one).collect())
}

/// The known word that is nearest to one that is not known, if any is near enough to be meant.
pub fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|word| (strsim::damerau_levenshtein(unknown, word), word))
        .filter(|(distance, word)| *distance <= 1 + word.len().min(unknown.len()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Arc<SourceFile> {
        Arc::new(SourceFile { name: "rules/a.toml".to_owned(), text: "one = 1\nperché = \"x\"\n".to_owned() })
    }

    #[test]
    fn a_column_counts_characters() {
        let place = Place { file: file(), span: 18..21 };
        assert_eq!(place.line_and_column(), (2, 10));
    }

    #[test]
    fn a_problem_prints_with_its_place_a_caret_and_help() {
        let text =
            print(&[Problem::error("unknown-key", "unknown key `one`").at(&file(), 0..3).help("remove it")], false);
        for piece in ["error[unknown-key]", "rules/a.toml:1:1", "^^^", "help: remove it"] {
            assert!(text.contains(piece), "{piece} is not in\n{text}");
        }
    }

    #[test]
    fn a_span_beyond_the_text_or_inside_a_character_still_prints() {
        let text = print(&[Problem::error("x", "x").at(&file(), 14..900)], false);
        assert!(text.contains("a.toml:2"), "{text}");
    }

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        assert_eq!(nearest("mesage", ["message", "title"].into_iter()), Some("message"));
        assert_eq!(nearest("zzz", ["message", "title"].into_iter()), None);
    }
}
