//! Puts kinds, actions and the rest at their routes: one tree for paths, one
//! table for the fields of each GraphQL endpoint.

use std::collections::HashMap;
use std::sync::Arc;

use super::checks;
use super::compile::{Compiler, In};
use super::file::{self, File, List, Said};
use super::matcher::Matcher;
use super::ready::{
    Action, Bound, Endpoint, Entry, Fetch, Identity, Leaf, Learn, OnRoute, Place, Ready, Target, Teacher, Whose,
};
use super::route::{Rank, Route, Segment, Template, parse_route};
use crate::problem::Problem;

/// Methods at which an address teaches, and those of a collection.
const AT_ADDRESS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
const AT_COLLECTION: [&str; 4] = ["GET", "POST", "PUT", "PATCH"];

/// What is bound so far.
pub(crate) struct Binder {
    matcher: Matcher,
    leaves: Vec<Methods>,
    /// Kinds by the loose shape of their address or collection.
    standing: HashMap<String, Vec<(usize, Whose)>>,
    endpoints: Vec<Endpoint>,
    learns: Vec<Learn>,
    action_files: HashMap<Arc<str>, String>,
}

/// Entries by method; the empty word stands for any.
#[derive(Default)]
struct Methods {
    entries: Vec<(Box<str>, Entry)>,
}

impl Methods {
    fn entry(&mut self, method: &str) -> &mut Entry {
        let at = match self.entries.iter().position(|(known, _)| **known == *method) {
            Some(at) => at,
            None => {
                self.entries.push((method.into(), Entry::default()));
                self.entries.len() - 1
            }
        };
        self.entries.get_mut(at).map(|(_, entry)| entry).expect("it was just found or put there")
    }
}

impl Binder {
    pub(crate) fn new() -> Binder {
        Binder {
            matcher: Matcher::new(),
            leaves: Vec::new(),
            standing: HashMap::new(),
            endpoints: Vec::new(),
            learns: Vec::new(),
            action_files: HashMap::new(),
        }
    }

    pub(crate) fn name_action(&mut self, key: &Arc<str>, file: &str) {
        self.action_files.insert(Arc::clone(key), file.to_owned());
    }

    pub(crate) fn file_of(&self, key: &Arc<str>) -> Option<&str> {
        self.action_files.get(key).map(String::as_str)
    }

    fn leaf(&mut self, template: &Template) -> &mut Methods {
        let at = self.matcher.insert(template, self.leaves.len());
        if at == self.leaves.len() {
            self.leaves.push(Methods::default());
        }
        self.leaves.get_mut(at).expect("leaf numbers come from this list")
    }

    /// A kind stands at an address and, where its last segment is its id, at the collection before it.
    fn stand(&mut self, kind: usize, template: &Arc<Template>) {
        let id = template.names.len().checked_sub(1);
        let shape = loose_shape(&template.segments);
        self.standing.entry(shape).or_default().push((kind, Whose::Address { id: id.unwrap_or(0), exact: false }));
        let leaf = self.leaf(template);
        for method in AT_ADDRESS {
            let teacher = Teacher { kind, template: Arc::clone(template), id, collection: false };
            leaf.entry(method).teachers.push(teacher);
        }
        let Some((last, before)) = template.segments.split_last() else { return };
        if matches!(last, Segment::Fixed(_)) || before.is_empty() {
            return;
        }
        let names = template.names.iter().take(template.names.len().saturating_sub(1)).cloned().collect();
        let collection = Arc::new(Template { segments: before.to_vec(), names });
        self.standing.entry(loose_shape(before)).or_default().push((kind, Whose::Collection { exact: false }));
        let leaf = self.leaf(&collection);
        for method in AT_COLLECTION {
            let teacher = Teacher { kind, template: Arc::clone(&collection), id: None, collection: true };
            leaf.entry(method).teachers.push(teacher);
        }
    }

    /// The kinds whose address or collection begins a template, shallow first.
    fn on_route(&self, template: &Template) -> Vec<OnRoute> {
        let mut found = Vec::new();
        for segments in 1..=template.segments.len() {
            let begin = template.segments.get(..segments).unwrap_or(&template.segments);
            let Some(kinds) = self.standing.get(&loose_shape(begin)) else { continue };
            let exact = segments == template.segments.len();
            for (kind, whose) in kinds {
                let whose = match whose {
                    Whose::Address { id, .. } => Whose::Address { id: *id, exact },
                    _ => Whose::Collection { exact },
                };
                found.push(OnRoute { kind: *kind, segments, whose });
            }
        }
        found
    }

    /// The entries of a route, all methods and prefixes.
    fn each_entry(
        &mut self,
        compiler: &mut Compiler,
        here: In<'_>,
        said: &Said,
        mut put: impl FnMut(&Binder, &str, Arc<Place>) -> Option<Put>,
    ) {
        match compiler.places(here, said) {
            None => {}
            Some(Places::Field { mutation, name }) => {
                let Some(path) = here.file.graphql.as_ref() else {
                    let problem = Problem::error(
                        "no-endpoint",
                        "a `mutation` or `query` route needs `graphql = \"/path\"` at the top of the file",
                    );
                    return compiler.problems.push(problem.at(here.source, said.at.clone()));
                };
                let made = put(self, "POST", Arc::new(Place::Field(name.clone())));
                let endpoint = self.endpoint(compiler, here, path);
                let Some(endpoint) = endpoint.and_then(|at| self.endpoints.get_mut(at)) else { return };
                let fields = if mutation { &mut endpoint.mutations } else { &mut endpoint.queries };
                if let Some(made) = made {
                    made.into_entry(fields.entry(&name));
                }
            }
            Some(Places::Paths { methods, templates }) => {
                for template in templates {
                    let place = Arc::new(Place::Path(Arc::clone(&template)));
                    for method in &methods {
                        if let Some(made) = put(self, method, Arc::clone(&place)) {
                            made.into_entry(self.leaf(&template).entry(method));
                        }
                    }
                }
            }
        }
    }

    /// The endpoint at a path from the root, made where there is none.
    fn endpoint(&mut self, compiler: &mut Compiler, here: In<'_>, path: &Said) -> Option<usize> {
        if let Some(at) = self.endpoints.iter().position(|endpoint| endpoint.path == path.value) {
            return Some(at);
        }
        let template = match Template::parse(&path.value) {
            Ok(template) => template,
            Err(wrong) => {
                compiler.problem(here, path, "route", wrong.what);
                return None;
            }
        };
        self.endpoints.push(Endpoint { path: path.value.clone(), ..Endpoint::default() });
        let at = self.endpoints.len() - 1;
        for method in ["POST", "GET"] {
            self.leaf(&template).entry(method).endpoint = Some(at);
        }
        Some(at)
    }

    /// Puts an action at all its places.
    pub(crate) fn bind_action(
        &mut self,
        compiler: &mut Compiler,
        here: In<'_>,
        shape: &file::Action,
        number: usize,
        action: &Action,
    ) -> Vec<Bound> {
        let resource = compiler.kind_named.get(shape.resource.value.as_str()).copied();
        let mut bounds = Vec::new();
        for said in &shape.when {
            self.each_entry(compiler, here, said, |binder, method, place| {
                let on_route = match &*place {
                    Place::Path(template) => binder.on_route(template),
                    Place::Field(_) => Vec::new(),
                };
                let target = target_of(&action.target, &on_route, resource, method);
                let bound = Bound { action: number, place, on_route, target };
                bounds.push(bound.clone());
                Some(Put::Rule(bound))
            });
        }
        bounds
    }

    pub(crate) fn bind_seen(&mut self, compiler: &mut Compiler, here: In<'_>, when: &List, number: usize) {
        for said in when {
            self.each_entry(compiler, here, said, |_, _, place| Some(Put::Seen(number, place)));
        }
    }

    /// Resolves methods, looks for conflicts, and ends the making.
    pub(crate) fn finish(
        mut self,
        compiler: &mut Compiler,
        actions: Vec<Action>,
        identity: Identity,
    ) -> (Ready, Vec<Problem>) {
        let (mut leaves, mut entries) = (Vec::new(), Vec::new());
        for methods in std::mem::take(&mut self.leaves) {
            leaves.push(settle(methods, &mut entries, &actions));
        }
        for endpoint in &mut self.endpoints {
            for fields in [&mut endpoint.mutations, &mut endpoint.queries] {
                fields.exact.values_mut().chain(fields.patterns.iter_mut().map(|(_, entry)| entry)).for_each(|entry| {
                    checks::ambiguous(&mut compiler.problems, entry, &actions);
                });
            }
        }
        for entry in &entries {
            checks::ambiguous(&mut compiler.problems, entry, &actions);
        }
        let mut ready = Ready {
            kinds: std::mem::take(&mut compiler.kinds),
            kind_named: std::mem::take(&mut compiler.kind_named),
            actions,
            learns: self.learns,
            identity,
            matcher: self.matcher,
            leaves,
            entries,
            endpoints: self.endpoints,
        };
        ready.note_what_is_asked();
        checks::shadowed(&mut compiler.problems, &ready);
        (ready, std::mem::take(&mut compiler.problems))
    }
}

/// What is put into an entry.
enum Put {
    Rule(Bound),
    Ignore,
    Seen(usize, Arc<Place>),
    Learn(usize, Arc<Place>),
}

impl Put {
    fn into_entry(self, entry: &mut Entry) {
        match self {
            Put::Rule(bound) if entry.rules.iter().any(|other| other.action == bound.action) => {}
            Put::Rule(bound) => entry.rules.push(bound),
            Put::Ignore => entry.ignored = true,
            Put::Seen(number, place) => entry.seen.push((number, place)),
            Put::Learn(number, place) => entry.learns.push((number, place)),
        }
    }
}

enum Places {
    Paths { methods: Vec<Box<str>>, templates: Vec<Arc<Template>> },
    Field { mutation: bool, name: super::route::FieldName },
}

impl Compiler {
    /// Puts a file's kinds and ignores at their places.
    pub(crate) fn bind_kinds(&mut self, file: &File, binder: &mut Binder) {
        let Some(here) = In::of(file) else { return };
        if let Some(path) = &file.graphql {
            binder.endpoint(self, here, path);
        }
        for ignore in &file.ignore {
            for said in &ignore.when {
                binder.each_entry(self, here, said, |_, _, _| Some(Put::Ignore));
            }
        }
        for shape in &file.kinds {
            let Some(number) = self.kind_named.get(shape.name.value.as_str()).copied() else { continue };
            let mut addresses = Vec::new();
            for at in &shape.at {
                addresses.extend(self.templates(here, at, 0..at.value.len()));
            }
            for template in &addresses {
                binder.stand(number, template);
            }
            let fetch = self.fetch(here, &shape.fetch);
            if let Some(kind) = self.kinds.get_mut(number) {
                kind.addresses = addresses;
                kind.fetch = fetch;
            }
            for learn in &shape.learn {
                binder.learns.push(Learn {
                    kind: number,
                    each: self.chain(here, &learn.each),
                    id: learn.id.as_ref().map(|id| id.value.as_str().into()),
                    names: self.name_forms(here, &learn.names),
                    in_workspace: (!learn.in_workspace.is_empty()).then(|| self.chain(here, &learn.in_workspace)),
                });
                let at = binder.learns.len() - 1;
                for said in &learn.when {
                    binder.each_entry(self, here, said, |_, _, place| Some(Put::Learn(at, place)));
                }
            }
        }
    }

    /// Routes to ask: each under every prefix.
    fn fetch(&mut self, here: In<'_>, fetch: &file::Fetch) -> Fetch {
        match fetch {
            file::Fetch::Never => Fetch::Never,
            file::Fetch::Address => Fetch::Address,
            file::Fetch::Routes(routes) => {
                let mut paths = Vec::new();
                for said in routes {
                    match parse_route(&said.value) {
                        Ok(Route::Http { methods, path }) if methods.iter().all(|method| **method == *"GET") => {
                            self.templates(here, said, path.clone());
                            let path = said.value.get(path).unwrap_or("");
                            paths.extend(full_paths(here.file, path).into_iter().map(String::into_boxed_str));
                        }
                        Ok(_) => self.problem(here, said, "route", "a look-up is a GET"),
                        Err(wrong) => self.problem(here, said, "route", wrong.what),
                    }
                }
                Fetch::Routes(paths)
            }
        }
    }

    fn places(&mut self, here: In<'_>, said: &Said) -> Option<Places> {
        if said.value.starts_with("rpc ") {
            self.problems.push(
                Problem::error("not-in-this-version", "`rpc` routes are part of the language, but not of this version")
                    .at(here.source, said.at.clone()),
            );
            return None;
        }
        match parse_route(&said.value) {
            Ok(Route::Http { methods, path }) => {
                let methods = if methods.is_empty() { vec![Box::from("")] } else { methods };
                Some(Places::Paths { methods, templates: self.templates(here, said, path) })
            }
            Ok(Route::Field { mutation, name }) => Some(Places::Field { mutation, name }),
            Err(wrong) => {
                let place = here.part(said, wrong.at);
                self.problems.push(Problem::error("route", wrong.what).at(here.source, place));
                None
            }
        }
    }

    /// The templates of a path: one under each prefix, or one from the root for `//path`.
    fn templates(&mut self, here: In<'_>, said: &Said, at: std::ops::Range<usize>) -> Vec<Arc<Template>> {
        let path = said.value.get(at.clone()).unwrap_or("");
        if !path.starts_with('/') {
            let place = here.part(said, at);
            self.problems.push(Problem::error("route", "a path begins with `/`").at(here.source, place));
            return Vec::new();
        }
        let mut templates = Vec::new();
        for full in full_paths(here.file, path) {
            match Template::parse(&full) {
                Ok(template) => templates.push(Arc::new(template)),
                Err(wrong) => {
                    // Counted from the end, where the path itself stands behind its prefix.
                    let shift =
                        |offset: usize| (at.start + path.len() + offset).saturating_sub(full.len()).max(at.start);
                    let place = here.part(said, shift(wrong.at.start)..shift(wrong.at.end));
                    self.problems.push(Problem::error("route", wrong.what).at(here.source, place));
                    break;
                }
            }
        }
        templates
    }
}

fn full_paths(file: &File, path: &str) -> Vec<String> {
    if let Some(rest) = path.strip_prefix('/').filter(|rest| rest.starts_with('/')) {
        return vec![rest.to_owned()];
    }
    if file.prefix.is_empty() {
        return vec![path.to_owned()];
    }
    let join = |prefix: &Said| {
        if path == "/" { prefix.value.clone() } else { format!("{}{path}", prefix.value.trim_end_matches('/')) }
    };
    file.prefix.iter().map(join).collect()
}

/// Shape with constrained parameters as free ones: `{id:[0-9]+}` stands where `{id}` does.
fn loose_shape(segments: &[Segment]) -> String {
    let mut shape = String::new();
    for segment in segments {
        shape.push('/');
        match segment {
            Segment::Fixed(text) => shape.push_str(text),
            Segment::Free | Segment::Fitting { rank: Rank::Constrained, .. } => shape.push_str("{}"),
            Segment::Fitting { shape: text, .. } => shape.push_str(text),
            Segment::Tail => shape.push_str("{*}"),
        }
    }
    shape
}

/// The kind of an action's target and where on the route it stands.
fn target_of(target: &Target, on_route: &[OnRoute], resource: Option<usize>, method: &str) -> Option<(usize, Whose)> {
    let address = on_route.iter().rev().find(|on| matches!(on.whose, Whose::Address { .. }));
    let made = on_route.iter().rev().find(|on| on.whose == Whose::Collection { exact: true } && method == "POST");
    let stands = |kind: usize| {
        let whose = |on: &OnRoute| if on.kind == kind { Some(on.whose) } else { None };
        let address = on_route.iter().rev().filter(|on| matches!(on.whose, Whose::Address { .. })).find_map(whose);
        address.or_else(|| on_route.iter().rev().find_map(whose)).unwrap_or(Whose::Elsewhere)
    };
    match target {
        Target::Nothing => None,
        Target::OnRoute => made.or(address).map(|on| (on.kind, on.whose)),
        Target::Kind(kind) | Target::Table { kind: Some(kind), .. } => Some((*kind, stands(*kind))),
        Target::Table { kind: None, .. } => {
            let kind = resource.or_else(|| on_route.last().map(|on| on.kind))?;
            Some((kind, stands(kind)))
        }
    }
}

/// Gives every method its own entry: what stands for any method is added to each.
fn settle(methods: Methods, entries: &mut Vec<Entry>, actions: &[Action]) -> Leaf {
    let mut leaf = Leaf::default();
    let (any, named): (Vec<_>, Vec<_>) = methods.entries.into_iter().partition(|(method, _)| method.is_empty());
    let any = any.into_iter().next().map(|(_, entry)| entry);
    leaf.has_rules = any.iter().chain(named.iter().map(|(_, entry)| entry)).any(Entry::has_rules);
    for (method, mut entry) in named {
        if let Some(any) = &any {
            for bound in &any.rules {
                Put::Rule(bound.clone()).into_entry(&mut entry);
            }
            entry.ignored |= any.ignored;
            entry.seen.extend(any.seen.iter().cloned());
            entry.learns.extend(any.learns.iter().cloned());
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
