//! Ends the making of an entry: what stands for any method is added to each, and which bodies it needs.

use super::bind::{Methods, Put};
use crate::rules::entry::{Entry, Leaf};
use crate::rules::ready::{Action, Kind, Learn};

/// Gives every method its own entry: what stands for any method is added to each.
pub(super) fn settle(methods: Methods, entries: &mut Vec<Entry>, actions: &[Action]) -> Leaf {
    let mut leaf = Leaf::default();
    let (any, named): (Vec<_>, Vec<_>) = methods.entries.into_iter().partition(|(method, _)| method.is_empty());
    let any = any.into_iter().next().map(|(_, entry)| entry);
    leaf.has_rules = any.iter().chain(named.iter().map(|(_, entry)| entry)).any(Entry::has_rules);
    for (method, mut entry) in named {
        if let Some(any) = &any {
            for bound in &any.rules {
                Put::Rule(bound.clone()).into_entry(&mut entry);
            }
            entry.ignored = entry.ignored.take().or_else(|| any.ignored.clone());
            entry.seen.extend(any.seen.iter().cloned());
            entry.learns.extend(any.learns.iter().cloned());
            entry.jobs.extend(any.jobs.iter().cloned());
        }
        want(&mut entry, &method, actions);
        entries.push(entry);
        leaf.methods.push((method, entries.len() - 1));
    }
    if let Some(mut entry) = any {
        want(&mut entry, "", actions);
        entries.push(entry);
        leaf.other = Some(entries.len() - 1);
    }
    leaf
}

/// The order in which a rule stands in files, or files in a folder, is nobody's order.
pub(super) fn sort(entry: &mut Entry, actions: &[Action], learns: &[Learn], kinds: &[Kind]) {
    entry.rules.sort_by_key(|bound| actions.get(bound.action).map(|action| (&action.key, bound.action)));
    let name = |learn: usize| kinds.get(learns.get(learn)?.kind).map(|kind| &kind.name);
    entry.learns.sort_by(|(a, at), (b, other)| (name(*a), at.text(), a).cmp(&(name(*b), other.text(), b)));
    entry.teachers.sort_by_key(|teacher| kinds.get(teacher.kind).map(|kind| &kind.name));
    entry.jobs.sort_by_key(|(number, _)| actions.get(*number).map(|action| (&action.key, *number)));
}

/// Which bodies an entry needs copied.
fn want(entry: &mut Entry, method: &str, actions: &[Action]) {
    let asks = |names: &[&str]| {
        entry
            .rules
            .iter()
            .filter_map(|bound| actions.get(bound.action))
            .any(|action| names.iter().any(|name| action.roots.contains(*name)))
    };
    let reads = ["GET", "HEAD"].contains(&method);
    let changed =
        entry.rules.iter().filter_map(|bound| actions.get(bound.action)).any(|action| !action.changed.is_empty());
    let named = entry.rules.iter().any(|bound| bound.target.is_some());
    let all = entry.watches_beside_kinds();
    let teaches = !entry.teachers.is_empty();
    entry.wants_request = all
        || changed
        || asks(&["input", "uploads", "upload", "changed", "added", "removed"])
        || ((teaches || named) && ["POST", "PUT", "PATCH"].contains(&method));
    entry.wants_response = all || asks(&["output", "error"]) || (teaches && method != "DELETE") || (named && !reads);
}
