//! Rules that stand in each other's way.

use std::ops::ControlFlow;

use crate::problem::Problem;
use crate::rules::entry::{Bound, Entry, Place};
use crate::rules::path::Segment;
use crate::rules::ready::{Action, Ready};

/// Two actions of one route that both always fire cannot be told apart; nor can an action and an `ignore`.
pub(crate) fn ambiguous(problems: &mut Vec<Problem>, entry: &Entry, actions: &[Action]) {
    let always: Vec<&Action> = entry
        .rules
        .iter()
        .filter_map(|bound| actions.get(bound.action))
        .filter(|action| action.is_unconditional())
        .collect();
    for pair in always.windows(2) {
        let [first, second] = pair else { continue };
        let title = format!("`{}` and `{}` both fire on every request of one route", first.key, second.key);
        let problem = Problem::error("ambiguous", title)
            .at(&second.source, second.at.clone())
            .help("give one of them `if`, `changed`, `each` or `otherwise`, or a narrower route");
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    if let (true, Some(action)) =
        (entry.ignored.is_some(), entry.rules.first().and_then(|bound| actions.get(bound.action)))
    {
        let problem = Problem::error("ambiguous", format!("the route of `{}` is also ignored", action.key))
            .at(&action.source, action.at.clone());
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
}

/// Warns where a rule takes an address from a general rule whose target is another kind.
pub(crate) fn shadowed(problems: &mut Vec<Problem>, ready: &Ready) {
    for leaf in &ready.leaves {
        for (method, entry) in &leaf.methods {
            let Some(bound) = ready.entries.get(*entry).and_then(|entry| entry.rules.first()) else { continue };
            let (Place::Path(template), Some(action)) = (&*bound.place, ready.actions.get(bound.action)) else {
                continue;
            };
            let sample = |segment: &Segment| match segment {
                Segment::Fixed(text) => format!("/{text}"),
                _ => "/\u{1}".to_owned(),
            };
            let path: String = template.segments.iter().map(sample).collect();
            let mut general = None;
            ready.matcher.walk(&path, &mut |leaf| {
                let entry =
                    ready.leaves.get(leaf).and_then(|leaf| leaf.methods.iter().find(|(other, _)| other == method));
                let other =
                    entry.and_then(|(_, entry)| ready.entries.get(*entry)).and_then(|entry| entry.rules.first());
                match other.filter(|other| other.action != bound.action) {
                    Some(other) => {
                        general = Some(other);
                        ControlFlow::Break(())
                    }
                    None => ControlFlow::Continue(()),
                }
            });
            let kind = |bound: &Bound| bound.target.map(|(kind, _)| kind);
            let Some(other) = general.filter(|other| kind(other) != kind(bound)) else { continue };
            let Some(other) = ready.actions.get(other.action) else { continue };
            problems.push(
                Problem::warning(
                    "shadowed",
                    format!("`{}` takes its address from the general rule `{}`", action.key, other.key),
                )
                .at(&action.source, action.at.clone())
                .help("events of the general rule stop here; use its template and an `if` to have both"),
            );
        }
    }
}
