//! Rules that can never fire: somebody believes that they record something.

use std::sync::Arc;

use super::{Compiler, In};
use crate::problem::Problem;
use crate::rules::entry::{Bound, Entry};
use crate::rules::ready::Action;
use crate::rules::route::{Route, parse_route};
use crate::rules::scope::Frame;
use crate::rules::written;

/// What one action says that can never hold.
pub(super) fn action(
    compiler: &mut Compiler,
    here: In<'_>,
    shape: &written::Action,
    action: &Action,
    bounds: &[Bound],
) {
    let mut never = |why: &str, at| {
        let title = format!("`{}` can never fire: {why}", action.key);
        compiler.problems.push(Problem::error("never-fires", title).at(here.source, at));
    };
    if let (Some(condition), Some(said)) = (&action.condition, &shape.condition)
        && condition.names.is_empty()
        && !condition.value(&Arc::new(Frame::default())).is_true()
    {
        never("its `if` is always false", said.at.clone());
    }
    let Some(said) = shape.changed.first() else { return };
    if !bounds.is_empty() && bounds.iter().all(|bound| bound.target.is_none()) {
        never("`changed` asks for fields of its target, and it has none", said.at.clone());
    }
    let sends_nothing = |said: &written::Said| match parse_route(&said.value) {
        Ok(Route::Http { methods, .. }) => {
            !methods.is_empty() && methods.iter().all(|method| ["GET", "HEAD"].contains(&&**method))
        }
        _ => false,
    };
    if !shape.when.is_empty() && shape.when.iter().all(sends_nothing) {
        never("`changed` asks for fields that were sent, and a GET sends none", said.at.clone());
    }
}

/// An `otherwise` beside an action that always fires.
pub(super) fn beside(problems: &mut Vec<Problem>, entry: &Entry, actions: &[Action]) {
    let all = || entry.rules.iter().filter_map(|bound| actions.get(bound.action));
    let Some(always) = all().find(|action| action.is_unconditional()) else { return };
    for action in all().filter(|action| action.otherwise) {
        let title = format!("`{}` can never fire: `{}` always does on its route", action.key, always.key);
        let problem = Problem::error("never-fires", title).at(&action.source, action.at.clone());
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}
