//! Rule files that a person would have begun, for the routes that the current rules leave unmapped: from a
//! description (OpenAPI) or a recording (HAR).
//!
//! Both become operations with a sample exchange each; list and detail routes give kinds, the rest actions. What is
//! written was loaded beside the current rules and its tests were run; what did not hold is left out and said.

mod actions;
mod body;
mod calls;
mod clean;
mod described;
mod example;
mod kinds;
mod looks;
mod phrase;
mod prove;
mod recorded;
mod route;
mod standing;
mod words;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::coverage;
use super::openapi::Description;
use crate::exchange::Exchange;
use crate::problem::SourceFile;
use crate::rules::{Cover, RuleSet};
use calls::Called;
use kinds::Kind;
use route::Operation;
use standing::Standing;
use write::Drafted;

/// What was drafted.
#[derive(Debug, Default)]
pub struct Draft {
    /// The files, by name (`documents.toml`).
    pub files: Vec<SourceFile>,
    /// Routes that change something and that the current rules leave unmapped.
    pub routes: usize,
    /// Things with an address.
    pub kinds: usize,
    /// Actions, those that `log` writes included.
    pub actions: usize,
    /// Routes that only look.
    pub ignored: usize,
    /// What has no rule: the route, and why.
    pub left_out: Vec<(String, String)>,
    /// Requests of a recording that went to other hosts, or that no server knew.
    pub elsewhere: usize,
}

/// The rules that there are already; drafts stand beside them.
#[derive(Default)]
pub struct Current<'a> {
    /// Their files.
    pub files: &'a [Arc<SourceFile>],
    /// The same, loaded; `None` where everything is to be drafted.
    pub rules: Option<&'a RuleSet>,
}

/// Drafts rules for a description.
pub fn of_description(description: &Description, current: &Current<'_>) -> Draft {
    let (operations, odd) = described::operations(description);
    draft(operations, odd, current, |_| Called::default())
}

/// Drafts rules for a recording.
pub fn of_exchanges(exchanges: &[Exchange], current: &Current<'_>) -> Draft {
    let (taken, endpoints) = calls::places(exchanges);
    let recorded = recorded::operations(exchanges, &taken);
    let calls = |kinds: &[Kind]| calls::called(exchanges, &endpoints, current.rules, kinds);
    Draft { elsewhere: recorded.elsewhere, ..draft(recorded.operations, recorded.odd, current, calls) }
}

fn draft(
    mut operations: Vec<Operation>,
    mut odd: Vec<String>,
    current: &Current<'_>,
    calls: impl FnOnce(&[Kind]) -> Called,
) -> Draft {
    odd.extend(route::normalise(&mut operations));
    let known: Vec<(String, Vec<String>)> = current.rules.map(known_kinds).unwrap_or_default();
    let kinds = kinds::kinds(&operations, &known);
    let keys: BTreeSet<String> =
        current.rules.map(|rules| rules.actions().map(|action| action.key.to_string()).collect()).unwrap_or_default();
    let unmapped: Vec<&Operation> =
        operations.iter().filter(|operation| is_unmapped(operation, current.rules)).collect();
    let mut routes = unmapped.len() + odd.len();
    let standing = Standing::of(&kinds);
    let made = actions::actions(unmapped.into_iter(), &standing, keys);
    let called = calls(&kinds);
    routes += called.actions.len() + called.ignores.len() + called.silent.len();
    let mut drafted =
        Drafted { kinds: kinds.clone(), actions: made.actions, ignores: made.ignores, ..Drafted::default() };
    drafted.kinds.extend(called.kinds);
    drafted.actions.extend(called.actions);
    for (ignore, endpoint) in called.ignores {
        drafted.endpoints.insert(ignore.when.clone(), endpoint);
        drafted.ignores.push(ignore);
    }
    let files = prove::prove(&mut drafted, if current.rules.is_some() { current.files } else { &[] });
    let silent = made.silent.into_iter().chain(called.silent);
    let mut left_out = drafted.out.clone();
    left_out.extend(silent.map(|route| (route, "nothing in it says what it does".to_owned())));
    left_out.extend(odd.into_iter().map(|route| (route, "no template can say its path".to_owned())));
    left_out.iter_mut().for_each(|(route, why)| {
        for text in [route, why] {
            *text = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(300).collect();
        }
    });
    let used = drafted.used_kinds();
    Draft {
        files: files.into_iter().map(|file| SourceFile { name: file.name, text: file.text }).collect(),
        routes,
        kinds: drafted.kinds.iter().filter(|kind| !kind.known && used.contains(&kind.name)).count(),
        actions: drafted.actions.len(),
        ignored: drafted.ignores.len(),
        left_out,
        elsewhere: 0,
    }
}

/// Whether an operation changes something and no rule stands there.
fn is_unmapped(operation: &Operation, rules: Option<&RuleSet>) -> bool {
    let Some(rules) = rules else { return operation.changes() };
    let by_sample = rules.covers(&operation.method, &operation.sent());
    operation.changes()
        && by_sample == Cover::Unmapped
        && coverage::cover(rules, &operation.method, &route::text(&operation.segments)) == Cover::Unmapped
}

/// The kinds of the current rules: names, and the shapes of their addresses.
fn known_kinds(rules: &RuleSet) -> Vec<(String, Vec<String>)> {
    let shape = |address: &str| route::segments_of(address).map(|segments| route::shape(&segments));
    rules
        .kinds()
        .map(|(name, addresses)| (name.to_owned(), addresses.iter().filter_map(|one| shape(one)).collect()))
        .collect()
}
