//! Checks of one action's meaning at load: traps, and names that nothing has.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Compiler, In, never, secrets};
use crate::problem::{Problem, nearest};
use crate::rules::entry::Bound;
use crate::rules::expression::{Expression, Trap, traps};
use crate::rules::ready::Action;
use crate::rules::route::is_name;
use crate::rules::template;
use crate::rules::written::{self, List, Said, Sentence, Target, With};

/// Names that every expression can ask for.
const CONTEXT: [&str; 24] = [
    "path",
    "query",
    "header",
    "input",
    "uploads",
    "upload",
    "status",
    "reply",
    "output",
    "error",
    "each",
    "index",
    "joined",
    "target",
    "actor",
    "workspace",
    "claim",
    "changed",
    "added",
    "removed",
    "claims",
    "range",
    "dict",
    "namespace",
];

/// A kind called like a name of the context would shadow it.
pub(crate) fn kind_name(compiler: &mut Compiler, here: In<'_>, name: &Said) {
    if CONTEXT.contains(&name.value.as_str()) && name.value != "workspace" || name.value == "token" {
        compiler.problems.push(
            Problem::error(
                "name-taken",
                format!("a kind cannot be called `{}`: expressions have a name like that", name.value),
            )
            .at(here.source, name.at.clone()),
        );
    }
    if !is_name(&name.value) {
        compiler.problem(
            here,
            name,
            "wrong-value",
            format!("`{}` cannot be a name in an expression (letters, digits, `_`)", name.value),
        );
    }
}

/// What `let` and `with` call a value would hide what everybody means by that name.
fn own_name(compiler: &mut Compiler, here: In<'_>, name: &Said) {
    if CONTEXT.contains(&name.value.as_str()) && name.value != "workspace" {
        let title = format!("a value cannot be called `{}`: expressions have a name like that", name.value);
        compiler.problem(here, name, "name-taken", title);
    } else if !is_name(&name.value) {
        let title = format!("`{}` cannot be a name in an expression (letters, digits, `_`)", name.value);
        compiler.problem(here, name, "wrong-value", title);
    }
}

/// A string of an action: what it is, and the expressions in it with their places.
pub(super) struct Written<'a> {
    pub(super) expression: &'a str,
    pub(super) at: Range<usize>,
    /// Its value is stored or shown.
    pub(super) is_value: bool,
    /// Whether it is a condition, in which `or` is what it says.
    pub(super) is_condition: bool,
}

/// All checks of one action.
pub(crate) fn action(
    compiler: &mut Compiler,
    here: In<'_>,
    shape: &written::Action,
    action: &Action,
    bounds: &[Bound],
) {
    let written = all_written(here, shape);
    for part in &written {
        for (trap, at) in traps(part.expression) {
            let at = part.at.start + at.start..part.at.start + at.end;
            match trap {
                Trap::Or if part.is_condition => {}
                Trap::Or => compiler.problems.push(or_in_value(here, at)),
                Trap::Order => compiler.problems.push(order(here, at)),
            }
        }
    }
    names(compiler, here, shape, action, bounds, &written);
    secrets::secrets(compiler, here, shape, &written);
    never::action(compiler, here, shape, action, bounds);
    let lets = shape.lets.iter().map(|(name, _)| name);
    for name in lets.chain(shape.with.iter().map(|(name, _)| name)) {
        own_name(compiler, here, name);
    }
    if action.join.is_none() && shape.by.is_some() {
        compiler.problem(here, &shape.verb, "missing-key", "`by` without `join`");
    }
    if action.join.is_some() && action.each.is_none() {
        compiler.problem(here, &shape.verb, "missing-key", "`join` without `each`");
    }
}

pub(super) fn or_in_value(here: In<'_>, at: Range<usize>) -> Problem {
    Problem::error("or-in-value", "`or` skips 0, false and \"\"")
        .at(here.source, at)
        .help("a list takes the first value that is there: `[\"a\", \"b\"]`")
}

pub(super) fn order(here: In<'_>, at: Range<usize>) -> Problem {
    Problem::error("order-of-missing", "a missing value is below everything")
        .at(here.source, at)
        .help("`x is below(400)`, `x is above(400)`: false where `x` is missing")
}

/// A job's `done` and `success` are conditions on the exchange that watches it; they know nothing of the rule.
pub(super) fn poll(compiler: &mut Compiler, here: In<'_>, polled: &List) {
    let of_a_poll = ["path", "query", "header", "input", "status", "reply", "output", "claims"];
    for said in polled {
        let before = compiler.problems.len();
        compiler.known_in(here, &vec![said.clone()], &of_a_poll, "a poll");
        // In a condition `or` is what it says.
        let said = compiler.problems.split_off(before);
        compiler.problems.extend(said.into_iter().filter(|problem| problem.code != "or-in-value"));
    }
}

fn all_written<'a>(here: In<'_>, shape: &'a written::Action) -> Vec<Written<'a>> {
    let mut all = Vec::new();
    let mut put = |said: &'a Said, is_value: bool, is_condition: bool| {
        let at = here.part(said, 0..said.value.len());
        all.push(Written { expression: &said.value, at, is_value, is_condition });
    };
    let mut lists: Vec<(&List, bool)> = vec![(&shape.each, false), (&shape.join, false), (&shape.in_workspace, true)];
    lists.extend(shape.job.iter().map(|job| (&job.id, true)));
    lists.extend(shape.lets.iter().map(|(_, list)| (list, true)));
    if let Target::Table { type_, id, name, .. } = &shape.target {
        lists.extend([(type_, false), (id, true), (name, true)]);
    }
    for (_, with) in &shape.with {
        match with {
            With::Id(id) => lists.push((id, true)),
            With::Table { type_, id, .. } => lists.extend([(type_, false), (id, true)]),
        }
    }
    for (list, is_value) in lists {
        list.iter().for_each(|said| put(said, is_value, false));
    }
    shape.condition.iter().chain(&shape.success).for_each(|said| put(said, false, true));
    for said in shape.message.iter().chain(&shape.message_failed).flat_map(Sentence::texts) {
        for (part, is_expression) in template::split(&said.value).unwrap_or_default() {
            if is_expression {
                let expression = said.value.get(part.clone()).unwrap_or("");
                all.push(Written { expression, at: here.part(said, part), is_value: true, is_condition: false });
            }
        }
    }
    all
}

/// Every name must be one that the place has.
fn names(
    compiler: &mut Compiler,
    here: In<'_>,
    shape: &written::Action,
    action: &Action,
    bounds: &[Bound],
    written: &[Written<'_>],
) {
    let mut known: BTreeSet<String> = action.lets.iter().map(|(name, _)| name.to_string()).collect();
    for name in compiler.things_of(action, bounds) {
        known.insert(format!("{name}_link"));
        known.insert(name);
    }
    let parameters: BTreeSet<&str> =
        bounds.iter().flat_map(|bound| bound.place.names().iter()).map(|name| &**name).collect();
    for part in written {
        let Ok(expression) = Expression::compile(part.expression) else { continue };
        for name in &expression.names {
            let mut words = name.split('.');
            let root = words.next().unwrap_or("");
            let at = part
                .expression
                .find(root)
                .map_or(part.at.clone(), |from| part.at.start + from..part.at.start + from + root.len());
            let needs = match root {
                "each" | "index" if action.each.is_none() => Some("each"),
                "joined" if action.join.is_none() => Some("join"),
                _ => None,
            };
            if let Some(key) = needs {
                compiler.problems.push(
                    Problem::error("not-here", format!("`{root}` is known only with `{key}`")).at(here.source, at),
                );
            } else if root == "path" {
                let Some(parameter) = words.next().filter(|word| !parameters.contains(word)) else { continue };
                if !bounds.is_empty() {
                    let problem = Problem::error("not-here", format!("no route of `when` has a `{{{parameter}}}`"))
                        .at(here.source, at);
                    let near = nearest(parameter, parameters.iter().copied());
                    compiler.problems.push(match near {
                        Some(near) => problem.help(format!("did you mean `path.{near}`?")),
                        None => problem,
                    });
                }
            } else if !CONTEXT.contains(&root) && !known.contains(root) {
                compiler.unknown_name(here, root, at, &known, &shape.verb.value);
            }
        }
    }
}

impl Compiler {
    /// The names of the things that an action has: on its routes, its target, its `with`.
    fn things_of(&self, action: &Action, bounds: &[Bound]) -> Vec<String> {
        let on_route = bounds.iter().flat_map(|bound| bound.on_route.iter().map(|on| on.kind));
        let targets = bounds.iter().filter_map(|bound| Some(bound.target?.0));
        let kinds = on_route.chain(targets).filter_map(|kind| self.kinds.get(kind)).map(|kind| kind.name.to_string());
        kinds.chain(action.with.iter().map(|with| with.name.to_string())).collect()
    }

    fn unknown_name(&mut self, here: In<'_>, name: &str, at: Range<usize>, known: &BTreeSet<String>, verb: &str) {
        let bare = name.strip_suffix("_link").unwrap_or(name);
        let problem = if self.kind_named.contains_key(bare) {
            Problem::error("not-here", format!("no `{bare}` is known in `{verb}`"))
                .at(here.source, at)
                .help(format!("neither its route, `target` nor `with` brings one: `with.{bare} = \"…\"` says whose"))
        } else {
            let problem = Problem::error("unknown-name", format!("nothing is called `{name}`")).at(here.source, at);
            let words =
                known.iter().map(String::as_str).chain(CONTEXT).chain(self.kind_named.keys().map(|name| &**name));
            let span = problem.place.as_ref().map_or(0..0, |place| place.span.clone());
            match (super::loose::dashed(&here.source.text, span), nearest(name, words)) {
                (Some(written), _) => problem.help(format!("a name with a dash is written `{written}`")),
                (None, Some(near)) => problem.help(format!("did you mean `{near}`?")),
                (None, None) => problem,
            }
        };
        self.problems.push(problem);
    }
}

/// The fields that `changed("f")`, `added("f")`, `removed("f")` ask for.
pub(crate) fn questions(shape: &written::Action) -> Vec<String> {
    let mut fields = Vec::new();
    let conditions = shape.condition.iter().chain(&shape.success).chain(&shape.each);
    for said in conditions.chain(shape.lets.iter().flat_map(|(_, list)| list)) {
        for word in ["changed(", "added(", "removed("] {
            for (at, _) in said.value.match_indices(word) {
                let rest = said.value.get(at + word.len()..).unwrap_or("").trim_start();
                let Some(quote) = rest.chars().next().filter(|quote| ['"', '\''].contains(quote)) else { continue };
                fields.extend(rest.get(1..).and_then(|rest| rest.split(quote).next()).map(str::to_owned));
            }
        }
    }
    fields
}
