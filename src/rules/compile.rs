//! From files to the form in which rules run.
//!
//! Order never matters: neither of files nor of rules. Everything wrong is
//! gathered; a set with an error is not used.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use super::bind::Binder;
use super::checks;
use super::expression::{Chain, Expression};
use super::file::{self, File, List, Said};
use super::ready::{Action, By, Fetch, Identity, Kind, NameForm, Ready, Seen, Target, With};
use super::template::{self, Text};
use crate::problem::{Problem, SourceFile, nearest};

/// Events of one request and one action, where the rule does not say.
const DEFAULT_MAX_EVENTS: usize = 500;

/// Names whose values no thing has a part in.
const OF_THE_EXCHANGE: [&str; 12] =
    ["path", "query", "header", "input", "uploads", "status", "reply", "output", "error", "claim", "each", "index"];

/// Whether `each` or `join` asks for more than the exchange.
fn each_asks_for_things(action: &Action) -> bool {
    let listed = action.each.iter().chain(&action.join);
    !listed.flat_map(Chain::roots).all(|root| OF_THE_EXCHANGE.contains(&root))
}

/// What is made while files are compiled.
pub(crate) struct Compiler {
    pub(crate) problems: Vec<Problem>,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) kind_named: HashMap<Arc<str>, usize>,
    default_workspace: Arc<Chain>,
}

/// Compiles files into one set.
pub(crate) fn compile(files: &[File], problems: Vec<Problem>) -> (Ready, Vec<Problem>) {
    let mut compiler = Compiler {
        problems,
        kinds: Vec::new(),
        kind_named: HashMap::new(),
        default_workspace: Arc::new(Chain(Expression::compile("path.workspace").into_iter().collect())),
    };
    for file in files {
        compiler.kinds_of(file);
    }
    let mut binder = Binder::new();
    for file in files {
        compiler.bind_kinds(file, &mut binder);
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
    fn kinds_of(&mut self, file: &File) {
        let Some(here) = In::of(file) else { return };
        let in_workspace = if file.in_workspace.is_empty() {
            Arc::clone(&self.default_workspace)
        } else {
            Arc::new(self.chain(here, &file.in_workspace))
        };
        for kind in &file.kinds {
            let name: Arc<str> = Arc::from(kind.name.value.as_str());
            checks::kind_name(self, here, &kind.name);
            if self.kind_named.contains_key(&name) {
                self.problem(here, &kind.name, "duplicate-kind", format!("the kind `{name}` stands twice"));
                continue;
            }
            let ready = self.kind(here, kind, &name, &in_workspace);
            self.kind_named.insert(name, self.kinds.len());
            self.kinds.push(ready);
        }
    }

    fn kind(&mut self, here: In<'_>, kind: &file::Kind, name: &Arc<str>, in_workspace: &Arc<Chain>) -> Kind {
        let fields = |list: &List, otherwise: Vec<String>| -> Vec<Box<str>> {
            let written: Vec<String> = list.iter().map(|said| said.value.clone()).collect();
            let used = if written.is_empty() { otherwise } else { written };
            used.into_iter().map(String::into_boxed_str).collect()
        };
        let field = |said: &Option<Said>, otherwise: &str| -> Box<str> {
            said.as_ref().map_or(otherwise, |said| said.value.as_str()).into()
        };
        let names = if kind.names.is_empty() {
            vec![NameForm::Field("name".into())]
        } else {
            self.name_forms(here, &kind.names)
        };
        Kind {
            name: Arc::clone(name),
            id: field(&kind.id, "id"),
            names,
            type_: self.chain(here, &kind.type_),
            one: fields(&kind.one, vec![name.to_string(), ".".to_owned()]),
            many: fields(&kind.many, vec![format!("{name}s"), ".".to_owned()]),
            sent: field(&kind.sent, "."),
            link: kind.link.as_ref().and_then(|link| self.text(here, link)),
            fetch: Fetch::Never,
            fields: BTreeSet::new(),
            in_workspace: Arc::clone(in_workspace),
            addresses: Vec::new(),
        }
    }

    pub(crate) fn name_forms(&mut self, here: In<'_>, names: &List) -> Vec<NameForm> {
        let mut forms = Vec::new();
        for said in names {
            if said.value.contains("{{") || said.value.contains("}}") {
                forms.extend(self.text(here, said).map(NameForm::Text));
            } else {
                forms.push(NameForm::Field(said.value.as_str().into()));
            }
        }
        forms
    }

    fn actions_of(&mut self, file: &File, actions: &mut Vec<Action>, binder: &mut Binder) {
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
            let action = self.action(here, shape, &key);
            let number = actions.len();
            let bounds = binder.bind_action(self, here, shape, number, &action);
            checks::action(self, here, shape, &action, &bounds);
            self.remember_fields(&action, shape, &bounds);
            actions.push(action);
        }
    }

    fn action(&mut self, here: In<'_>, shape: &file::Action, key: &Arc<str>) -> Action {
        let category = shape.category.as_ref().or(here.file.category.as_ref());
        if category.is_none() {
            self.problem(here, &shape.verb, "missing-key", format!("the action `{key}` has no `category`"));
        }
        let title = match &shape.title {
            Some(title) => title.value.clone(),
            None => format!("{} {}", shape.verb.value, shape.resource.value).replace('_', " "),
        };
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
            title: title.into(),
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
            message: shape.message.as_ref().and_then(|said| self.text(here, said)).unwrap_or_default(),
            message_failed: shape.message_failed.as_ref().and_then(|said| self.text(here, said)),
            max_events: shape.max_events.unwrap_or(DEFAULT_MAX_EVENTS),
            failures: shape.failures.or(here.file.failures).unwrap_or(true),
            roots: BTreeSet::new(),
            tests: shape.tests.clone(),
        };
        action.roots = roots_of(&action);
        action.each_asks_for_things = each_asks_for_things(&action);
        action
    }

    fn target(&mut self, here: In<'_>, target: &file::Target) -> Target {
        match target {
            file::Target::OnRoute => Target::OnRoute,
            file::Target::Nothing => Target::Nothing,
            file::Target::Kind(name) => self.kind_called(here, name).map_or(Target::Nothing, Target::Kind),
            file::Target::Table { kind, type_, id, name } => Target::Table {
                kind: kind.as_ref().and_then(|kind| self.kind_called(here, kind)),
                type_: self.chain(here, type_),
                id: self.chain(here, id),
                name: self.chain(here, name),
            },
        }
    }

    fn with(&mut self, here: In<'_>, shape: &file::Action) -> Vec<With> {
        let mut all = Vec::new();
        for (name, with) in &shape.with {
            let (kind, type_, id) = match with {
                file::With::Id(id) => (None, List::new(), id),
                file::With::Table { kind, type_, id } => (kind.as_ref(), type_.clone(), id),
            };
            let Some(kind) = self.kind_called(here, kind.unwrap_or(name)) else { continue };
            let (type_, id) = (self.chain(here, &type_), self.chain(here, id));
            all.push(With { name: name.value.as_str().into(), kind, type_, id });
        }
        all
    }

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

    /// Adds the fields that an action mentions to the kinds that it mentions them of.
    fn remember_fields(&mut self, action: &Action, shape: &file::Action, bounds: &[super::ready::Bound]) {
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
        for (kind, field) in mentioned {
            if let Some(kind) = self.kinds.get_mut(kind) {
                kind.fields.insert(field.into_boxed_str());
            }
        }
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

fn by(written: Option<&file::By>) -> By {
    match written {
        None => By::Id,
        Some(file::By::Index) => By::Index,
        Some(file::By::Fields(fields)) => By::Fields(
            fields.iter().map(|(ours, theirs)| (ours.value.as_str().into(), theirs.value.as_str().into())).collect(),
        ),
    }
}

/// Every dotted name that an action's expressions ask for.
pub(crate) fn names_of(action: &Action) -> BTreeSet<Box<str>> {
    let mut names: BTreeSet<Box<str>> = BTreeSet::new();
    let mut chains: Vec<&Chain> = vec![&action.in_workspace];
    chains.extend(action.each.iter().chain(&action.join));
    chains.extend(action.lets.iter().map(|(_, chain)| chain));
    chains.extend(action.with.iter().flat_map(|with| [&with.id, &with.type_]));
    if let Target::Table { type_, id, name, .. } = &action.target {
        chains.extend([type_, id, name]);
    }
    for chain in chains {
        names.extend(chain.names().map(Box::from));
    }
    let texts = std::iter::once(&action.message).chain(&action.message_failed);
    let single = texts.flat_map(Text::expressions).chain(&action.condition).chain(&action.success);
    for expression in single {
        names.extend(expression.names.iter().cloned());
    }
    names
}

fn roots_of(action: &Action) -> BTreeSet<Box<str>> {
    names_of(action).iter().filter_map(|name| name.split('.').next()).map(Box::from).collect()
}
