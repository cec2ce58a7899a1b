//! Checks of what stands outside actions: texts of kinds, `in_workspace`,
//! `[identity]`, and what tests name.

use std::ops::Range;

use super::{Compiler, In};
use crate::problem::{Problem, nearest};
use crate::rules::expression::{Expression, Trap, traps};
use crate::rules::template;
use crate::rules::written::{self, File, List, Said};

/// What an exchange has without any rule.
const OF_AN_EXCHANGE: [&str; 9] = ["path", "query", "header", "input", "status", "reply", "output", "claim", "claims"];
/// What a link knows.
const OF_A_LINK: [&str; 5] = ["id", "name", "path", "query", "workspace"];
/// Where a credential can be.
const OF_A_CREDENTIAL: [&str; 5] = ["bearer", "cookie", "header", "query", "input"];

/// The checks of one file, when all kinds are known.
pub(super) fn file(compiler: &mut Compiler, file: &File) {
    let Some(here) = In::of(file) else { return };
    compiler.known_in(here, &file.in_workspace, &OF_AN_EXCHANGE, "`in_workspace`");
    for kind in &file.kinds {
        compiler.known_in(here, &kind.type_, &OF_AN_EXCHANGE, "`type`");
        if let Some(link) = &kind.link {
            for (part, _) in template::split(&link.value).unwrap_or_default().into_iter().filter(|(_, value)| *value) {
                let inside = link.value.get(part.clone()).unwrap_or("").to_owned();
                let said = Said { value: inside, at: here.part(link, part) };
                compiler.known_in(here, &vec![said], &OF_A_LINK, "a link");
            }
        }
        for learn in &kind.learn {
            compiler.known_in(here, &learn.each, &OF_AN_EXCHANGE, "`learn`");
            compiler.known_in(here, &learn.in_workspace, &OF_AN_EXCHANGE, "`learn`");
        }
    }
    if let Some(identity) = &file.identity {
        compiler.known_in(here, &identity.credential, &OF_A_CREDENTIAL, "`credential`");
        compiler.known_in(here, &identity.actor, &["claim"], "`actor` of a token");
        for seen in &identity.seen {
            compiler.known_in(here, &seen.tokens, &OF_AN_EXCHANGE, "`tokens`");
            let mut of_seen = OF_AN_EXCHANGE.to_vec();
            of_seen.push("token");
            compiler.known_in(here, &seen.actor, &of_seen, "`actor`");
        }
    }
    for action in &file.actions {
        for test in &action.tests {
            compiler.given(here, test);
        }
    }
}

/// How a dotted name with a dash in it is written: `header.x-api-key` is a subtraction to Jinja.
pub(super) fn dashed(text: &str, at: Range<usize>) -> Option<String> {
    let is_part = |letter: char| letter.is_alphanumeric() || "_-.".contains(letter);
    let (before, after) = (text.get(..at.start)?, text.get(at.start..)?);
    let begins = before.trim_end_matches(is_part).len();
    let ends = at.start + after.find(|letter| !is_part(letter)).unwrap_or(after.len());
    let (root, rest) = text.get(begins..ends)?.split_once('.')?;
    (rest.contains('-') && !root.contains('-')).then(|| format!("{root}['{rest}']"))
}

impl Compiler {
    /// Expressions may ask only for names that their place has.
    pub(super) fn known_in(&mut self, here: In<'_>, list: &List, known: &[&str], place: &str) {
        for said in list {
            let Ok(expression) = Expression::compile(&said.value) else { continue };
            for name in &expression.names {
                let root = name.split('.').next().unwrap_or("");
                if known.contains(&root) {
                    continue;
                }
                let at = said.value.find(root).map_or(said.at.clone(), |from| here.part(said, from..from + root.len()));
                let problem = Problem::error("not-here", format!("{place} knows no `{root}`")).at(here.source, at);
                let span = problem.place.as_ref().map_or(0..0, |place| place.span.clone());
                self.problems.push(match (dashed(&here.source.text, span), nearest(root, known.iter().copied())) {
                    (Some(written), _) => problem.help(format!("a name with a dash is written `{written}`")),
                    (None, Some(near)) => problem.help(format!("did you mean `{near}`?")),
                    (None, None) => problem.help(format!("it knows {}", known.join(", "))),
                });
            }
            for (trap, at) in traps(&said.value) {
                let at = here.part(said, at);
                self.problems.push(match trap {
                    Trap::Or => super::checks::or_in_value(here, at),
                    Trap::Order => super::checks::order(here, at),
                });
            }
        }
    }

    /// What a test gives must be of a kind that there is.
    fn given(&mut self, here: In<'_>, test: &written::Test) {
        for (kind, _, _) in &test.given {
            let name = kind.split('/').next().unwrap_or(kind);
            if self.kind_named.contains_key(name) {
                continue;
            }
            let text = here.source.text.get(test.at.clone()).unwrap_or("");
            let at =
                text.find(name).map_or(test.at.clone(), |from| test.at.start + from..test.at.start + from + name.len());
            let problem = Problem::error("unknown-kind", format!("there is no kind `{name}`")).at(here.source, at);
            let near = nearest(name, self.kind_named.keys().map(|name| &**name));
            self.problems.push(match near {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem,
            });
        }
    }
}
