//! Rules in the form in which they run: names resolved, texts and expressions
//! compiled, routes in one tree.

use std::collections::{BTreeSet, HashMap};

use std::ops::Range;

use std::sync::Arc;

use jiff::SignedDuration;

use minijinja::Value;

use minijinja::value::ValueKind;

use super::entry::{Asks, Endpoint, Entry, Leaf};
use super::expression::{Chain, Expression, dig};

use super::matcher::Matcher;

use super::method::Override;
use super::path::Template;

use super::template::Text;

use super::written::Test;

use crate::problem::SourceFile;

/// Everything that was loaded.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) kind_named: HashMap<Arc<str>, usize>,
    pub(crate) actions: Vec<Action>,
    pub(crate) learns: Vec<Learn>,
    pub(crate) identity: Identity,
    pub(crate) matcher: Matcher,
    pub(crate) leaves: Vec<Leaf>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) endpoints: Vec<Endpoint>,
    /// Where a POST says which method it stands for.
    pub(crate) overrides: Vec<Override>,
}

impl Ready {
    /// The kind of people (`[identity].kind`).
    pub(crate) fn person(&self) -> Option<&Kind> {
        self.kinds.get(self.identity.kind?)
    }

    /// Notes at each entry the names that anything there asks for, so that nothing else is put together.
    pub(crate) fn note_what_is_asked(&mut self) {
        let Ready { kinds, actions, learns, identity, entries, endpoints, .. } = self;
        let of_calls = endpoints.iter_mut().flat_map(Endpoint::entries_mut);
        for entry in entries.iter_mut().chain(of_calls) {
            let mut names: Vec<&str> = Vec::new();
            for action in entry.rules.iter().filter_map(|bound| actions.get(bound.action)) {
                names.extend(action.roots.iter().map(|root| &**root));
            }
            let learns = entry.learns.iter().filter_map(|(learn, _)| learns.get(*learn));
            let mut watching: Vec<usize> = entry.teachers.iter().map(|teacher| teacher.kind).collect();
            for learn in learns {
                watching.push(learn.kind);
                names.extend(learn.each.names().chain(learn.in_workspace.iter().flat_map(Chain::names)));
            }
            for kind in watching.into_iter().filter_map(|kind| kinds.get(kind)) {
                names.extend(kind.in_workspace.names().chain(kind.type_.names()));
            }
            for seen in entry.seen.iter().filter_map(|(seen, _)| identity.seen.get(*seen)) {
                names.extend(seen.actor.names());
                names.extend(seen.tokens.iter().flat_map(|token| token.names.iter().map(|name| &**name)));
            }
            for job in entry.jobs.iter().filter_map(|(action, _)| actions.get(*action)?.job.as_ref()) {
                names.extend(job.names());
            }
            entry.asks = Asks::of(&names);
        }
    }
}

/// A thing with an address and a name.
#[derive(Debug, Default)]
pub(crate) struct Kind {
    pub(crate) name: Arc<str>,
    /// Dotted path of the id inside the thing.
    pub(crate) id: Box<str>,
    pub(crate) names: Vec<NameForm>,
    pub(crate) type_: Chain,
    pub(crate) one: Vec<Box<str>>,
    pub(crate) many: Vec<Box<str>>,
    /// Where a request holds it: the first place with an object. None: the whole of it.
    pub(crate) sent: Vec<Box<str>>,
    pub(crate) link: Option<Text>,
    pub(crate) fetch: Fetch,
    /// Fields that some rule mentions.
    pub(crate) fields: BTreeSet<Box<str>>,
    pub(crate) in_workspace: Arc<Chain>,
    /// Its addresses, by shape (`/documents/{}`).
    pub(crate) addresses: Vec<Arc<Template>>,
}

impl Kind {
    /// The object of a request that is a thing of this kind.
    pub(crate) fn sent_in(&self, input: &Value) -> Value {
        if self.sent.is_empty() {
            return input.clone();
        }
        let held = self.sent.iter().map(|path| dig(input, path));
        held.into_iter().find(|value| value.kind() == ValueKind::Map).unwrap_or_default()
    }

    /// The workspace itself: kept under its own id.
    pub(crate) fn is_workspace(&self) -> bool {
        &*self.name == "workspace"
    }
}

/// Where a thing's name is.
#[derive(Debug)]
pub(crate) enum NameForm {
    Field(Box<str>),
    Text(Text),
}

#[derive(Debug, Default)]
pub(crate) enum Fetch {
    #[default]
    Never,
    Address,
    /// Paths with `{parameters}`.
    Routes(Vec<Box<str>>),
}

#[derive(Debug)]
pub(crate) struct Learn {
    pub(crate) kind: usize,
    pub(crate) each: Chain,
    pub(crate) id: Option<Box<str>>,
    pub(crate) names: Vec<NameForm>,
    pub(crate) in_workspace: Option<Chain>,
}

/// A heading with `when` and `message`.
#[derive(Debug)]
pub(crate) struct Action {
    pub(crate) key: Arc<str>,
    pub(crate) category: Arc<str>,
    pub(crate) title: Arc<str>,
    pub(crate) source: Arc<SourceFile>,
    pub(crate) file: Arc<str>,
    /// Where its heading stands.
    pub(crate) at: Range<usize>,
    pub(crate) in_workspace: Arc<Chain>,
    pub(crate) condition: Option<Expression>,
    pub(crate) changed: Vec<Box<str>>,
    pub(crate) changes: Vec<Box<str>>,
    pub(crate) otherwise: bool,
    pub(crate) each: Option<Chain>,
    /// Whether `each` or `join` asks for more than the exchange: things, the target, what changed.
    pub(crate) each_asks_for_things: bool,
    pub(crate) join: Option<Chain>,
    pub(crate) by: By,
    pub(crate) target: Target,
    pub(crate) with: Vec<With>,
    pub(crate) lets: Vec<(Arc<str>, Chain)>,
    pub(crate) success: Option<Expression>,
    pub(crate) message: Text,
    pub(crate) message_failed: Option<Text>,
    pub(crate) translations: Vec<Translation>,
    pub(crate) failures: bool,
    pub(crate) job: Option<Job>,
    /// Within how long the same is said once.
    pub(crate) coalesce: Option<SignedDuration>,
    /// How many events one request may give.
    pub(crate) max_events: usize,
    /// The first words that its expressions ask for.
    pub(crate) roots: BTreeSet<Box<str>>,
    /// Nobody wrote its heading.
    pub(crate) generated: bool,
    /// It is a second form of the action before it.
    pub(crate) is_part: bool,
    pub(crate) tests: Vec<Test>,
}

impl Action {
    /// Whether it fires on every request of its route.
    pub(crate) fn is_unconditional(&self) -> bool {
        self.condition.is_none() && self.changed.is_empty() && self.each.is_none() && !self.otherwise
    }

    /// Whether its expressions ask for a name or for that name's link.
    pub(crate) fn asks_for(&self, name: &str) -> bool {
        self.roots.iter().any(|root| **root == *name || root.strip_suffix("_link") == Some(name))
    }
}

/// What an action says in another language.
#[derive(Debug)]
pub(crate) struct Translation {
    pub(crate) language: Arc<str>,
    pub(crate) title: Arc<str>,
    pub(crate) message: Text,
    pub(crate) message_failed: Option<Text>,
}

/// How one learns what becomes of something that ends later.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: Chain,
    pub(crate) done: Option<Expression>,
    pub(crate) success: Option<Expression>,
    pub(crate) give_up: SignedDuration,
}

impl Job {
    /// Every dotted name that a poll is asked for.
    fn names(&self) -> impl Iterator<Item = &str> {
        let both = self.done.iter().chain(&self.success);
        both.flat_map(|expression| expression.names.iter().map(|name| &**name))
    }
}

#[derive(Debug, Default)]
pub(crate) enum By {
    /// The field in which the kind has its id.
    #[default]
    Id,
    Index,
    /// Ours in `each`, theirs in the other list.
    Fields(Vec<(Box<str>, Box<str>)>),
}

#[derive(Debug)]
pub(crate) enum Target {
    /// The deepest kind on the route.
    OnRoute,
    Nothing,
    Kind(usize),
    /// The element itself is a thing of the kind, or the id of one.
    Element(usize),
    Table {
        kind: Option<usize>,
        type_: Chain,
        id: Chain,
        name: Chain,
    },
}

#[derive(Debug)]
pub(crate) struct With {
    pub(crate) name: Arc<str>,
    pub(crate) kind: usize,
    pub(crate) type_: Chain,
    pub(crate) id: Chain,
}

#[derive(Debug, Default)]
pub(crate) struct Identity {
    pub(crate) credential: Chain,
    pub(crate) actor: Chain,
    pub(crate) kind: Option<usize>,
    pub(crate) seen: Vec<Seen>,
}

#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) tokens: Vec<Expression>,
    pub(crate) actor: Chain,
}
