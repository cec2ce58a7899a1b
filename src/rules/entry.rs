//! Entries: what happens for one method at one template, or for one call of an endpoint.

use std::collections::HashMap;
use std::sync::Arc;

use super::call::Sort;
use super::path::Template;
use super::route::CallName;

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
    /// Actions whose jobs are watched here.
    pub(crate) jobs: Vec<(usize, Arc<Place>)>,
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
    pub(crate) fn of(names: &[&str]) -> Asks {
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
        !self.learns.is_empty() || !self.seen.is_empty() || !self.jobs.is_empty() || self.endpoint.is_some()
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

    /// The template, where it is a path.
    pub(crate) fn template(&self) -> Option<&Template> {
        match self {
            Place::Path(template) => Some(template),
            Place::Call(_) => None,
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
