//! Rules in the form in which they run: names resolved, texts and expressions
//! compiled, routes in one tree.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::call::Sort;
use super::expression::{Chain, Expression, dig};
use super::matcher::Matcher;
use super::path::Template;
use super::route::CallName;
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
}

impl Ready {
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
    pub(crate) failures: bool,
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

/// What happens at one template, method by method.
#[derive(Debug, Default)]
pub(crate) struct Leaf {
    pub(crate) methods: Vec<(Box<str>, usize)>,
    /// The entry of every other method.
    pub(crate) other: Option<usize>,
    /// Whether any action or `ignore` stands here, for whatever method.
    pub(crate) has_rules: bool,
}

/// What happens for one method at one template, or for one call of an endpoint.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub(crate) rules: Vec<Bound>,
    pub(crate) ignored: Option<Ignored>,
    pub(crate) teachers: Vec<Teacher>,
    pub(crate) learns: Vec<(usize, Arc<Place>)>,
    pub(crate) seen: Vec<(usize, Arc<Place>)>,
    pub(crate) endpoint: Option<usize>,
    pub(crate) wants_request: bool,
    pub(crate) wants_response: bool,
    /// What anything here asks for.
    pub(crate) asks: Asks,
}

/// A route that is left out.
#[derive(Clone, Debug)]
pub(crate) struct Ignored {
    pub(crate) why: Arc<str>,
    pub(crate) place: Arc<Place>,
}

/// Which facts somebody asks for, of those that are put together only then.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asks {
    pub(crate) query: bool,
    pub(crate) header: bool,
    pub(crate) reply: bool,
    pub(crate) claim: bool,
    pub(crate) actor: bool,
}

impl Asks {
    fn of(names: &[&str]) -> Asks {
        let any = |root: &str| names.iter().any(|name| name.split('.').next() == Some(root));
        Asks {
            query: any("query"),
            header: any("header"),
            reply: any("reply"),
            claim: any("claim"),
            actor: any("actor"),
        }
    }
}

impl Entry {
    pub(crate) fn has_rules(&self) -> bool {
        self.ignored.is_some() || !self.rules.is_empty()
    }

    /// Whether something looks on besides rules.
    pub(crate) fn watches(&self) -> bool {
        !self.teachers.is_empty() || self.watches_beside_kinds()
    }

    pub(crate) fn watches_beside_kinds(&self) -> bool {
        !self.learns.is_empty() || !self.seen.is_empty() || self.endpoint.is_some()
    }
}

/// Where something stands: a path template, or a call.
#[derive(Debug)]
pub(crate) enum Place {
    Path(Arc<Template>),
    Call(CallName),
}

impl Place {
    /// As it was written, with the prefix: `/documents/{id}`, or the name of a call.
    pub(crate) fn text(&self) -> &str {
        match self {
            Place::Path(template) => &template.text,
            Place::Call(name) => &name.text,
        }
    }

    pub(crate) fn names(&self) -> &Arc<[Arc<str>]> {
        match self {
            Place::Path(template) => &template.names,
            Place::Call(name) => &name.names,
        }
    }
}

/// An action at one of its places.
#[derive(Debug, Clone)]
pub(crate) struct Bound {
    pub(crate) action: usize,
    pub(crate) place: Arc<Place>,
    pub(crate) on_route: Vec<OnRoute>,
    /// The kind of its target, and where on the route that is.
    pub(crate) target: Option<(usize, Whose)>,
}

/// A kind whose address (or collection) begins a route.
#[derive(Clone, Debug)]
pub(crate) struct OnRoute {
    pub(crate) kind: usize,
    /// How many segments of the route are its address.
    pub(crate) segments: usize,
    pub(crate) whose: Whose,
}

/// How a kind stands on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Its address begins the route; `exact`: is the route. `id` counts the parameters before it.
    Address { id: usize, exact: bool },
    /// Its collection begins the route.
    Collection { exact: bool },
    /// It does not stand on the route.
    Elsewhere,
}

/// A kind at its address (with an id) or collection.
#[derive(Clone, Debug)]
pub(crate) struct Teacher {
    pub(crate) kind: usize,
    pub(crate) template: Arc<Template>,
    /// Which parameter is the id, where one is.
    pub(crate) id: Option<usize>,
    /// At its collection, not at its address.
    pub(crate) collection: bool,
}

/// An endpoint of GraphQL, JSON-RPC or both: its calls by their names.
#[derive(Debug, Default)]
pub(crate) struct Endpoint {
    pub(crate) path: String,
    pub(crate) graphql: bool,
    pub(crate) rpc: bool,
    mutations: Names,
    queries: Names,
    methods: Names,
}

impl Endpoint {
    pub(crate) fn at(path: &str) -> Endpoint {
        Endpoint { path: path.to_owned(), ..Endpoint::default() }
    }

    pub(crate) fn calls(&self, sort: Sort) -> &Names {
        match sort {
            Sort::Mutation => &self.mutations,
            Sort::Query => &self.queries,
            Sort::Rpc => &self.methods,
        }
    }

    pub(crate) fn calls_mut(&mut self, sort: Sort) -> &mut Names {
        match sort {
            Sort::Mutation => &mut self.mutations,
            Sort::Query => &mut self.queries,
            Sort::Rpc => &mut self.methods,
        }
    }

    /// Every entry, whatever its sort.
    pub(crate) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        let all = [&mut self.mutations, &mut self.queries, &mut self.methods].into_iter();
        all.flat_map(|names| names.exact.values_mut().chain(names.patterns.iter_mut().map(|(_, entry)| entry)))
    }

    /// Whether a rule says of a call that it does something.
    pub(crate) fn changes_something(&self) -> bool {
        !self.mutations.is_empty() || !self.methods.is_empty()
    }
}

/// Entries by the names of calls.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) exact: HashMap<Box<str>, Entry>,
    pub(crate) patterns: Vec<(CallName, Entry)>,
}

impl Names {
    /// The entry of a name: its own before a pattern's.
    pub(crate) fn find(&self, name: &str) -> Option<&Entry> {
        self.exact.get(name).or_else(|| {
            let fits = |known: &CallName| known.pattern.as_ref().is_some_and(|pattern| pattern.is_match(name));
            self.patterns.iter().find(|(known, _)| fits(known)).map(|(_, entry)| entry)
        })
    }

    /// The entry of a name as written, made where there is none.
    pub(crate) fn entry(&mut self, name: &CallName) -> &mut Entry {
        if name.pattern.is_none() {
            return self.exact.entry(name.text.clone()).or_default();
        }
        let at = match self.patterns.iter().position(|(known, _)| known.text == name.text) {
            Some(at) => at,
            None => {
                self.patterns.push((name.clone(), Entry::default()));
                self.patterns.sort_by_key(|(known, _)| (std::cmp::Reverse(known.text.len()), known.text.clone()));
                self.patterns.iter().position(|(known, _)| known.text == name.text).unwrap_or(0)
            }
        };
        self.patterns.get_mut(at).map(|(_, entry)| entry).expect("it was just put there")
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.patterns.is_empty()
    }
}
