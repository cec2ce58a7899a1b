//! Does an event satisfy a filter? The plain answer, on the event itself: for
//! events that no index covers yet, and for what an index only narrows down.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::event::{Actor, Event, Target};
use crate::record::query::{Clause, Field, Filter, Scope};
use crate::record::words::Phrase;

/// A filter made ready to be asked many times. The position bound (`upto`) is not part of it.
#[derive(Clone, Debug)]
pub(crate) struct Matcher {
    scope: Scope,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    tests: Vec<Test>,
}

#[derive(Clone, Debug)]
struct Test {
    field: Field,
    negated: bool,
    values: BTreeSet<String>,
    phrases: Vec<Phrase>,
}

impl Matcher {
    pub(crate) fn new(filter: &Filter) -> Matcher {
        let tests = filter.clauses.iter().map(Test::new).collect();
        Matcher { scope: filter.scope.clone(), since: filter.since, until: filter.until, tests }
    }

    pub(crate) fn accepts(&self, event: &Event) -> bool {
        sees(&self.scope, event)
            && self.since.is_none_or(|since| event.time >= since)
            && self.until.is_none_or(|until| event.time < until)
            && self.tests.iter().all(|test| test.accepts(event))
    }
}

/// Whether a scope may see an event at all.
pub(crate) fn sees(scope: &Scope, event: &Event) -> bool {
    match scope {
        Scope::All => true,
        Scope::Only(workspaces) => event.workspace.as_deref().is_some_and(|workspace| workspaces.contains(workspace)),
    }
}

impl Test {
    fn new(clause: &Clause) -> Test {
        let caseless = matches!(clause.field, Field::User | Field::Target);
        let values = clause.values.iter().map(|v| if caseless { v.to_lowercase() } else { v.clone() }).collect();
        let phrases = match clause.field {
            Field::Word => clause.values.iter().filter_map(|value| Phrase::parse(value)).collect(),
            _ => Vec::new(),
        };
        Test { field: clause.field, negated: clause.negated, values, phrases }
    }

    fn accepts(&self, event: &Event) -> bool {
        self.holds(event) != self.negated
    }

    fn holds(&self, event: &Event) -> bool {
        match self.field {
            Field::Workspace => event.workspace.as_deref().is_some_and(|name| self.values.contains(name)),
            Field::Category => self.values.contains(&*event.category),
            Field::Action => self.values.iter().any(|value| names_action(value, &event.action)),
            Field::User => names_actor(&self.values, &event.actor),
            Field::ActorKind => self.values.contains(event.actor.kind.word()),
            Field::Target => event.targets.iter().any(|target| names_target(&self.values, target)),
            Field::Outcome => self.values.contains(event.outcome.word()),
            Field::Ip => event.source.ip.is_some_and(|ip| self.values.contains(&ip.to_string())),
            Field::Request => event.request.as_ref().is_some_and(|request| self.values.contains(&request.id)),
            Field::Word => self.phrases.iter().any(|phrase| phrase.is_in(event)),
        }
    }
}

/// `document.tag_added` itself, or `document.*`.
pub(crate) fn names_action(value: &str, action: &str) -> bool {
    match value.strip_suffix('*') {
        Some(beginning) => action.starts_with(beginning),
        None => value == action,
    }
}

fn names_actor(values: &BTreeSet<String>, actor: &Actor) -> bool {
    [&actor.id, &actor.name, &actor.email].into_iter().flatten().any(|name| values.contains(&name.to_lowercase()))
}

fn names_target(values: &BTreeSet<String>, target: &Target) -> bool {
    target_keys(target).any(|key| values.contains(&key))
}

/// Everything that a clause on targets may call one, in lower case: id, name, `kind:id`, `kind:*`.
pub(crate) fn target_keys(target: &Target) -> impl Iterator<Item = String> {
    let kind = target.kind.to_lowercase();
    let id = target.id.as_ref().map(|id| id.to_lowercase());
    let both = id.as_ref().map(|id| format!("{kind}:{id}"));
    let name = target.name.as_ref().map(|name| name.to_lowercase());
    [id, both, name, Some(format!("{kind}:*"))].into_iter().flatten()
}
