//! From files to the form in which rules run.
//!
//! Order never matters: neither of files nor of rules. Everything wrong is
//! gathered; a set with an error is not used.

mod actions;
mod bind;
mod checks;
mod conflicts;
mod kinds;
mod loose;
mod never;
mod overlaps;
mod places;
mod secrets;
mod settle;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::expression::{Chain, Expression};
use super::method::{self, Override};
use super::ready::{Identity, Kind, Ready, Seen};
use super::template::{self, Text};
use super::written::{File, List, Said};
use crate::problem::{Problem, SourceFile, nearest};
use bind::Binder;

pub(crate) use secrets::is_secret;

/// What is made while files are compiled.
pub(crate) struct Compiler {
    pub(crate) problems: Vec<Problem>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) kind_named: HashMap<Arc<str>, usize>,
    pub(crate) overrides: Vec<Override>,
    default_workspace: Arc<Chain>,
}

/// Compiles files into one set.
pub(crate) fn compile(files: &[File], problems: Vec<Problem>) -> (Ready, Vec<Problem>) {
    let mut compiler = Compiler {
        problems,
        kinds: Vec::new(),
        kind_named: HashMap::new(),
        overrides: Vec::new(),
        default_workspace: Arc::new(Chain(Expression::compile("path.workspace").into_iter().collect())),
    };
    for file in files {
        compiler.kinds_of(file);
    }
    let mut binder = Binder::new();
    for file in files {
        compiler.bind_kinds(file, &mut binder);
    }
    for file in files {
        compiler.overrides_of(file);
        loose::file(&mut compiler, file);
    }
    let (mut actions, mut identity) = (Vec::new(), None);
    for file in files {
        compiler.actions_of(file, &mut actions, &mut binder);
        compiler.identity_of(file, &mut identity, &mut binder);
    }
    binder.finish(&mut compiler, actions, identity.unwrap_or_default())
}

/// A file while it is compiled: what places and texts are relative to.
#[derive(Clone, Copy)]
pub(crate) struct In<'a> {
    pub(crate) source: &'a Arc<SourceFile>,
    pub(crate) file: &'a File,
}

impl<'a> In<'a> {
    pub(crate) fn of(file: &'a File) -> Option<In<'a>> {
        Some(In { source: file.source.as_ref()?, file })
    }

    /// The place of a part of a text: exact where the text stands in the file as it is.
    pub(crate) fn part(&self, said: &Said, part: Range<usize>) -> Range<usize> {
        let raw = self.source.text.get(said.at.clone()).unwrap_or("");
        match raw.find(&said.value).filter(|_| !said.value.is_empty()) {
            Some(at) => said.at.start + at + part.start..said.at.start + at + part.end.max(part.start + 1),
            None => said.at.clone(),
        }
    }
}

impl Compiler {
    fn kind_called(&mut self, here: In<'_>, name: &Said) -> Option<usize> {
        let found = self.kind_named.get(name.value.as_str()).copied();
        if found.is_none() {
            let problem = Problem::error("unknown-kind", format!("there is no kind `{}`", name.value))
                .at(here.source, name.at.clone());
            let known: Vec<&str> = self.kind_named.keys().map(|name| &**name).collect();
            let problem = match nearest(&name.value, known.into_iter()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("a kind has a heading of its own: `[kind.{}]`", name.value)),
            };
            self.problems.push(problem);
        }
        found
    }

    fn overrides_of(&mut self, file: &File) {
        let Some(here) = In::of(file) else { return };
        for place in method::overrides(self, here, &file.method_override) {
            if !self.overrides.contains(&place) {
                self.overrides.push(place);
            }
        }
    }

    fn identity_of(&mut self, file: &File, found: &mut Option<Identity>, binder: &mut Binder) {
        let (Some(here), Some(shape)) = (In::of(file), &file.identity) else { return };
        if found.is_some() {
            self.problems.push(
                Problem::error("duplicate-identity", "`[identity]` stands in two files")
                    .at(here.source, 0..0)
                    .help("one rule set has one `[identity]`"),
            );
            return;
        }
        let kind = shape.kind.as_ref().and_then(|name| self.kind_called(here, name));
        let mut identity = Identity {
            credential: self.chain(here, &shape.credential),
            actor: self.chain(here, &shape.actor),
            kind,
            seen: Vec::new(),
        };
        for seen in &shape.seen {
            let tokens = self.chain(here, &seen.tokens).0;
            identity.seen.push(Seen { tokens, actor: self.chain(here, &seen.actor) });
            binder.bind_seen(self, here, &seen.when, identity.seen.len() - 1);
        }
        *found = Some(identity);
    }

    /// A list of expressions.
    pub(crate) fn chain(&mut self, here: In<'_>, list: &List) -> Chain {
        Chain(list.iter().filter_map(|said| self.expression(here, said)).collect())
    }

    pub(crate) fn expression(&mut self, here: In<'_>, said: &Said) -> Option<Expression> {
        match Expression::compile(&said.value) {
            Ok(expression) => Some(expression),
            Err(what) => {
                self.problem(here, said, "expression", format!("this expression cannot be read: {what}"));
                None
            }
        }
    }

    pub(crate) fn text(&mut self, here: In<'_>, said: &Said) -> Option<Text> {
        match Text::parse(&said.value) {
            Ok(text) => Some(text),
            Err(wrong) => {
                let unbalanced = wrong.what.starts_with("unbalanced");
                let place = here.part(said, wrong.at);
                let problem = match (unbalanced, template::split(&said.value).is_ok()) {
                    (true, _) => {
                        Problem::error("unbalanced-brace", wrong.what).help("a value stands between `{{` and `}}`")
                    }
                    (false, false) => {
                        Problem::error("block-in-text", wrong.what).help("say it with two actions and `if`")
                    }
                    (false, true) => {
                        Problem::error("expression", format!("this expression cannot be read: {}", wrong.what))
                    }
                };
                self.problems.push(problem.at(here.source, place));
                None
            }
        }
    }

    pub(crate) fn problem(&mut self, here: In<'_>, said: &Said, code: &'static str, title: impl Into<String>) {
        self.problems.push(Problem::error(code, title).at(here.source, said.at.clone()));
    }
}
