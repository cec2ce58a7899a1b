//! Actions: from their shapes to what runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::SignedDuration;

use super::bind::Binder;
use super::{Compiler, In, checks, is_secret};
use crate::problem::Problem;
use crate::rules::entry::Bound;
use crate::rules::expression::Chain;
use crate::rules::ready::{Action, By, Job, Target, Translation, With};
use crate::rules::template::Text;
use crate::rules::written::{self, File, List, Said, Sentence};

/// Events of one request and one action, where the rule does not say.
const DEFAULT_MAX_EVENTS: usize = 500;

/// How long the end of a job is waited for, where the rule does not say.
const DEFAULT_GIVE_UP: SignedDuration = SignedDuration::from_hours(24);

/// Names whose values no thing has a part in.
const OF_THE_EXCHANGE: [&str; 12] =
    ["path", "query", "header", "input", "uploads", "status", "reply", "output", "error", "claim", "each", "index"];

/// Whether `each` or `join` asks for more than the exchange.
fn each_asks_for_things(action: &Action) -> bool {
    let listed = action.each.iter().chain(&action.join);
    !listed.flat_map(Chain::roots).all(|root| OF_THE_EXCHANGE.contains(&root))
}

impl Compiler {
    pub(super) fn actions_of(&mut self, file: &File, actions: &mut Vec<Action>, binder: &mut Binder) {
        let Some(here) = In::of(file) else { return };
        for shape in &file.actions {
            let key: Arc<str> = format!("{}.{}", shape.resource.value, shape.verb.value).into();
            if let Some(first) = binder.file_of(&key) {
                let title = format!("the action `{key}` stands twice");
                let problem = Problem::error("duplicate-action", title).at(here.source, shape.verb.at.clone());
                self.problems.push(problem.help(format!("the other one is in {first}")));
                continue;
            }
            binder.name_action(&key, &here.source.name);
            if shape.when.is_empty() {
                self.problem(here, &shape.verb, "missing-key", format!("the action `{key}` needs `when`"));
            }
            if shape.message.is_none() {
                self.problem(here, &shape.verb, "missing-key", format!("the action `{key}` needs `message`"));
            }
            for shape in std::iter::once(shape).chain(shape.also.as_deref()) {
                let action = self.action(here, shape, &key);
                let number = actions.len();
                let bounds = binder.bind_action(self, here, shape, number, &action);
                checks::action(self, here, shape, &action, &bounds);
                self.remember_fields(&action, shape, &bounds);
                actions.push(Action { is_part: actions.last().is_some_and(|before| before.key == key), ..action });
            }
        }
    }

    fn action(&mut self, here: In<'_>, shape: &written::Action, key: &Arc<str>) -> Action {
        let category = shape.category.as_ref().or(here.file.category.as_ref());
        if category.is_none() {
            self.problem(here, &shape.verb, "missing-key", format!("the action `{key}` has no `category`"));
        }
        let (title, translations) = self.sentences(here, shape);
        let in_workspace = match (&shape.in_workspace, &here.file.in_workspace) {
            (own, _) if !own.is_empty() => Arc::new(self.chain(here, own)),
            (_, file) if !file.is_empty() => Arc::new(self.chain(here, file)),
            _ => Arc::clone(&self.default_workspace),
        };
        let fields = |list: &List| list.iter().map(|said| said.value.as_str().into()).collect::<Vec<Box<str>>>();
        let changes = if shape.changes.is_empty() { &shape.changed } else { &shape.changes };
        let mut action = Action {
            key: Arc::clone(key),
            category: category.map_or("", |said| said.value.as_str()).into(),
            title,
            translations,
            source: Arc::clone(here.source),
            file: here.source.name.rsplit('/').next().unwrap_or("").into(),
            at: shape.verb.at.clone(),
            in_workspace,
            condition: shape.condition.as_ref().and_then(|said| self.expression(here, said)),
            changed: fields(&shape.changed),
            changes: fields(changes),
            otherwise: shape.otherwise,
            each: (!shape.each.is_empty()).then(|| self.chain(here, &shape.each)),
            each_asks_for_things: false,
            join: (!shape.join.is_empty()).then(|| self.chain(here, &shape.join)),
            by: by(shape.by.as_ref()),
            target: self.target(here, &shape.target),
            with: self.with(here, shape),
            lets: shape
                .lets
                .iter()
                .map(|(name, list)| (Arc::from(name.value.as_str()), self.chain(here, list)))
                .collect(),
            success: shape.success.as_ref().and_then(|said| self.expression(here, said)),
            message: shape
                .message
                .as_ref()
                .and_then(Sentence::first)
                .and_then(|said| self.text(here, said))
                .unwrap_or_default(),
            message_failed: main(shape, shape.message_failed.as_ref()).and_then(|said| self.text(here, said)),
            job: shape.job.as_ref().map(|job| self.job(here, job)),
            coalesce: shape.coalesce,
            max_events: shape.max_events.unwrap_or(DEFAULT_MAX_EVENTS),
            failures: shape.failures.or(here.file.failures).unwrap_or(true),
            generated: shape.generated,
            is_part: false,
            roots: BTreeSet::new(),
            tests: shape.tests.clone(),
        };
        action.roots = roots_of(&action);
        action.each_asks_for_things = each_asks_for_things(&action);
        action
    }

    /// The title, and what an event says in the languages beside its main one.
    fn sentences(&mut self, here: In<'_>, shape: &written::Action) -> (Arc<str>, Vec<Translation>) {
        let title: Arc<str> = match main(shape, shape.title.as_ref()) {
            Some(title) => title.value.as_str().into(),
            None => format!("{} {}", shape.verb.value, shape.resource.value).replace('_', " ").into(),
        };
        let Some(message) = &shape.message else { return (title, Vec::new()) };
        let languages: Vec<&Said> = message.languages().collect();
        for (key, other) in [("title", &shape.title), ("message_failed", &shape.message_failed)] {
            let Some(other) = other.as_ref().filter(|other| other.languages().next().is_some()) else { continue };
            for language in other.languages().filter(|language| message.in_language(&language.value).is_none()) {
                let title = format!("`message` has no `{}`, which `{key}` has", language.value);
                self.problem(here, language, "missing-language", title);
            }
            for language in languages.iter().filter(|language| other.in_language(&language.value).is_none()) {
                let title = format!("`{key}` has no `{}`, which `message` has", language.value);
                self.problem(here, language, "missing-language", title);
            }
        }
        let said = |sentence: &Option<Sentence>, language: &str| sentence.as_ref()?.in_language(language).cloned();
        let mut translations = Vec::new();
        for language in languages.into_iter().skip(1) {
            let text = message.in_language(&language.value).and_then(|said| self.text(here, said));
            let failed = said(&shape.message_failed, &language.value).and_then(|said| self.text(here, &said));
            translations.push(Translation {
                language: language.value.as_str().into(),
                title: said(&shape.title, &language.value).map_or_else(|| Arc::clone(&title), |said| said.value.into()),
                message: text.unwrap_or_default(),
                message_failed: failed,
            });
        }
        (title, translations)
    }

    fn job(&mut self, here: In<'_>, job: &written::Job) -> Job {
        let polled: List = job.done.iter().chain(&job.success).cloned().collect();
        checks::poll(self, here, &polled);
        Job {
            id: self.chain(here, &job.id),
            done: job.done.as_ref().and_then(|said| self.expression(here, said)),
            success: job.success.as_ref().and_then(|said| self.expression(here, said)),
            give_up: job.give_up.unwrap_or(DEFAULT_GIVE_UP),
        }
    }

    fn target(&mut self, here: In<'_>, target: &written::Target) -> Target {
        match target {
            written::Target::OnRoute => Target::OnRoute,
            written::Target::Nothing => Target::Nothing,
            written::Target::Element(name) => self.kind_called(here, name).map_or(Target::Nothing, Target::Element),
            written::Target::Kind(name) => self.kind_called(here, name).map_or(Target::Nothing, Target::Kind),
            written::Target::Table { kind, type_, id, name } => Target::Table {
                kind: kind.as_ref().and_then(|kind| self.kind_called(here, kind)),
                type_: self.chain(here, type_),
                id: self.chain(here, id),
                name: self.chain(here, name),
            },
        }
    }

    fn with(&mut self, here: In<'_>, shape: &written::Action) -> Vec<With> {
        let mut all = Vec::new();
        for (name, with) in &shape.with {
            let (kind, type_, id) = match with {
                written::With::Id(id) => (None, List::new(), id),
                written::With::Table { kind, type_, id } => (kind.as_ref(), type_.clone(), id),
            };
            let Some(kind) = self.kind_called(here, kind.unwrap_or(name)) else { continue };
            let (type_, id) = (self.chain(here, &type_), self.chain(here, id));
            all.push(With { name: name.value.as_str().into(), kind, type_, id });
        }
        all
    }

    /// Adds the fields that an action mentions to the kinds that it mentions them of.
    fn remember_fields(&mut self, action: &Action, shape: &written::Action, bounds: &[Bound]) {
        let targets: BTreeSet<usize> = bounds.iter().filter_map(|bound| Some(bound.target?.0)).collect();
        let mut mentioned: Vec<(usize, String)> = Vec::new();
        let asked = action.changed.iter().chain(&action.changes).map(|field| field.to_string());
        for field in asked.chain(checks::questions(shape)) {
            mentioned.extend(targets.iter().map(|kind| (*kind, field.clone())));
        }
        for name in names_of(action) {
            let mut words = name.split('.');
            let root = words.next().unwrap_or("");
            let field = words.find(|word| *word != "was");
            let Some(field) = field.filter(|field| !["id", "name", "type", "link"].contains(field)) else { continue };
            if root == "target" {
                mentioned.extend(targets.iter().map(|kind| (*kind, field.to_owned())));
            } else if let Some(with) = action.with.iter().find(|with| &*with.name == root) {
                mentioned.push((with.kind, field.to_owned()));
            } else if let Some(kind) = self.kind_named.get(root) {
                mentioned.push((*kind, field.to_owned()));
            }
        }
        // A secret is not kept for the sake of knowing whether it changed.
        mentioned.retain(|(_, field)| !field.rsplit('.').next().is_some_and(is_secret));
        for (kind, field) in mentioned {
            if let Some(kind) = self.kinds.get_mut(kind) {
                kind.fields.insert(field.into_boxed_str());
            }
        }
    }
}

/// A text in the main language of an action: the one in which its `message` is written first.
fn main<'a>(shape: &'a written::Action, sentence: Option<&'a Sentence>) -> Option<&'a Said> {
    let sentence = sentence?;
    let language = shape.message.as_ref().and_then(|message| message.languages().next());
    language.and_then(|language| sentence.in_language(&language.value)).or_else(|| sentence.first())
}

fn by(written: Option<&written::By>) -> By {
    match written {
        None => By::Id,
        Some(written::By::Index) => By::Index,
        Some(written::By::Fields(fields)) => By::Fields(
            fields.iter().map(|(ours, theirs)| (ours.value.as_str().into(), theirs.value.as_str().into())).collect(),
        ),
    }
}

/// Every dotted name that an action's expressions ask for.
pub(crate) fn names_of(action: &Action) -> BTreeSet<Box<str>> {
    let mut names: BTreeSet<Box<str>> = BTreeSet::new();
    let mut chains: Vec<&Chain> = vec![&action.in_workspace];
    chains.extend(action.each.iter().chain(&action.join));
    chains.extend(action.job.iter().map(|job| &job.id));
    chains.extend(action.lets.iter().map(|(_, chain)| chain));
    chains.extend(action.with.iter().flat_map(|with| [&with.id, &with.type_]));
    if let Target::Table { type_, id, name, .. } = &action.target {
        chains.extend([type_, id, name]);
    }
    for chain in chains {
        names.extend(chain.names().map(Box::from));
    }
    let translated = action.translations.iter().flat_map(|it| std::iter::once(&it.message).chain(&it.message_failed));
    let texts = std::iter::once(&action.message).chain(&action.message_failed).chain(translated);
    let single = texts.flat_map(Text::expressions).chain(&action.condition).chain(&action.success);
    for expression in single {
        names.extend(expression.names.iter().cloned());
    }
    names
}

fn roots_of(action: &Action) -> BTreeSet<Box<str>> {
    names_of(action).iter().filter_map(|name| name.split('.').next()).map(Box::from).collect()
}
