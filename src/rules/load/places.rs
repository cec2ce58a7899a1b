//! The places that routes of a file name: each under every prefix.

use std::ops::Range;
use std::sync::Arc;

use super::{Compiler, In};
use crate::problem::Problem;
use crate::rules::call::Sort;
use crate::rules::path::{Rank, Segment, Template};
use crate::rules::ready::Fetch;
use crate::rules::route::{CallName, Route, parse_route};
use crate::rules::written::{self, File, Said};

pub(super) enum Places {
    Paths { methods: Vec<Box<str>>, templates: Vec<Arc<Template>> },
    Call { sort: Sort, name: CallName },
}

impl Compiler {
    /// Routes to ask: each under every prefix.
    pub(super) fn fetch(&mut self, here: In<'_>, fetch: &written::Fetch) -> Fetch {
        match fetch {
            written::Fetch::Never => Fetch::Never,
            written::Fetch::Address => Fetch::Address,
            written::Fetch::Routes(routes) => {
                let mut paths = Vec::new();
                for said in routes {
                    match parse_route(&said.value) {
                        Ok(Route::Http { methods, path }) if methods.iter().all(|method| **method == *"GET") => {
                            self.templates(here, said, path.clone());
                            let path = said.value.get(path).unwrap_or("");
                            paths.extend(full_paths(here.file, path).into_iter().map(String::into_boxed_str));
                        }
                        Ok(_) => self.problem(here, said, "route", "a look-up is a GET"),
                        Err(wrong) => self.problem(here, said, "route", wrong.what),
                    }
                }
                Fetch::Routes(paths)
            }
        }
    }

    pub(super) fn places(&mut self, here: In<'_>, said: &Said) -> Option<Places> {
        match parse_route(&said.value) {
            Ok(Route::Http { methods, path }) => {
                let methods = if methods.is_empty() { vec![Box::from("")] } else { methods };
                Some(Places::Paths { methods, templates: self.templates(here, said, path) })
            }
            Ok(Route::Call { sort, name }) => Some(Places::Call { sort, name }),
            Err(wrong) => {
                let place = here.part(said, wrong.at);
                self.problems.push(Problem::error("route", wrong.what).at(here.source, place));
                None
            }
        }
    }

    /// The templates of a path: one under each prefix, or one from the root for `//path`.
    pub(super) fn templates(&mut self, here: In<'_>, said: &Said, at: Range<usize>) -> Vec<Arc<Template>> {
        let path = said.value.get(at.clone()).unwrap_or("");
        if !path.starts_with('/') {
            let place = here.part(said, at);
            self.problems.push(Problem::error("route", "a path begins with `/`").at(here.source, place));
            return Vec::new();
        }
        let mut templates = Vec::new();
        for full in full_paths(here.file, path) {
            match Template::parse(&full) {
                Ok(template) => templates.push(Arc::new(template)),
                Err(wrong) => {
                    // Counted from the end, where the path itself stands behind its prefix.
                    let shift =
                        |offset: usize| (at.start + path.len() + offset).saturating_sub(full.len()).max(at.start);
                    let place = here.part(said, shift(wrong.at.start)..shift(wrong.at.end));
                    self.problems.push(Problem::error("route", wrong.what).at(here.source, place));
                    break;
                }
            }
        }
        templates
    }
}

fn full_paths(file: &File, path: &str) -> Vec<String> {
    if let Some(rest) = path.strip_prefix('/').filter(|rest| rest.starts_with('/')) {
        return vec![rest.to_owned()];
    }
    if file.prefix.is_empty() {
        return vec![path.to_owned()];
    }
    let join = |prefix: &Said| {
        if path == "/" { prefix.value.clone() } else { format!("{}{path}", prefix.value.trim_end_matches('/')) }
    };
    file.prefix.iter().map(join).collect()
}

/// Shape with constrained parameters as free ones: `{id:[0-9]+}` stands where `{id}` does.
pub(super) fn loose_shape(segments: &[Segment]) -> String {
    let mut shape = String::new();
    for segment in segments {
        shape.push('/');
        match segment {
            Segment::Fixed(text) => shape.push_str(text),
            Segment::Free | Segment::Fitting { rank: Rank::Constrained, .. } => shape.push_str("{}"),
            Segment::Fitting { shape: text, .. } => shape.push_str(text),
            Segment::Tail => shape.push_str("{*}"),
        }
    }
    shape
}
