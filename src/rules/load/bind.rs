//! Puts kinds, actions and the rest at their routes: one tree for paths, one
//! table for the calls of each GraphQL or JSON-RPC endpoint.

use std::collections::HashMap;
use std::sync::Arc;

use super::places::{Places, loose_shape};
use super::{Compiler, In, conflicts, never, overlaps, settle};
use crate::problem::Problem;
use crate::rules::call::Sort;
use crate::rules::entry::{Bound, Endpoint, Entry, Ignored, OnRoute, Place, Teacher, Whose};
use crate::rules::matcher::Matcher;
use crate::rules::path::{Segment, Template};
use crate::rules::ready::{Action, Identity, Learn, Ready, Target};
use crate::rules::written::{self, File, List, Said};

/// Methods at which an address teaches, and those of a collection.
const AT_ADDRESS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

const AT_COLLECTION: [&str; 4] = ["GET", "POST", "PUT", "PATCH"];

/// What is bound so far.
pub(crate) struct Binder {
    matcher: Matcher,
    leaves: Vec<Methods>,
    /// Kinds by the loose shape of their address or collection.
    standing: HashMap<String, Vec<(Arc<str>, usize, Whose)>>,
    /// Kinds by the shape of their addresses.
    addresses: HashMap<String, usize>,
    endpoints: Vec<Endpoint>,
    learns: Vec<Learn>,
    action_files: HashMap<Arc<str>, String>,
}

/// Entries by method; the empty word stands for any.
#[derive(Default)]
pub(super) struct Methods {
    pub(super) entries: Vec<(Box<str>, Entry)>,
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
            addresses: HashMap::new(),
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

    /// The kind that stands at an address.
    fn at_address(&self, template: &Template) -> Option<usize> {
        self.addresses.get(&template.shape()).copied()
    }

    /// A kind stands at an address and, where its last segment is its id, at the collection before it.
    fn stand(&mut self, name: &str, kind: usize, template: &Arc<Template>) {
        let id = template.names.len().checked_sub(1);
        self.addresses.insert(template.shape(), kind);
        let shape = loose_shape(&template.segments);
        self.stands_at(shape, name, kind, Whose::Address { id: id.unwrap_or(0), exact: false });
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
        let collection = Arc::new(Template {
            text: template.text.rsplit_once('/').map_or("", |(before, _)| before).into(),
            segments: before.to_vec(),
            names,
        });
        self.stands_at(loose_shape(before), name, kind, Whose::Collection { exact: false });
        let leaf = self.leaf(&collection);
        for method in AT_COLLECTION {
            let teacher = Teacher { kind, template: Arc::clone(&collection), id: None, collection: true };
            leaf.entry(method).teachers.push(teacher);
        }
    }

    fn stands_at(&mut self, shape: String, name: &str, kind: usize, whose: Whose) {
        let standing = self.standing.entry(shape).or_default();
        standing.push((name.into(), kind, whose));
        // Where several fit alike, no file's name decides.
        standing.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    }

    /// The kinds whose address or collection begins a template, shallow first.
    fn on_route(&self, template: &Template) -> Vec<OnRoute> {
        let mut found = Vec::new();
        for segments in 1..=template.segments.len() {
            let begin = template.segments.get(..segments).unwrap_or(&template.segments);
            let Some(standing) = self.standing.get(&loose_shape(begin)) else { continue };
            let exact = segments == template.segments.len();
            for (_, kind, whose) in standing {
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
            Some(Places::Call { sort, name }) => {
                let (path, key) = match sort {
                    Sort::Rpc => (&here.file.rpc, "rpc"),
                    Sort::Mutation | Sort::Query => (&here.file.graphql, "graphql"),
                };
                let Some(path) = path else {
                    let route = if sort == Sort::Rpc { "an `rpc` route" } else { "a `mutation` or `query` route" };
                    let title = format!("{route} needs `{key} = \"/path\"` at the top of the file");
                    return compiler
                        .problems
                        .push(Problem::error("no-endpoint", title).at(here.source, said.at.clone()));
                };
                let made = put(self, "POST", Arc::new(Place::Call(name.clone())));
                let endpoint = self.endpoint(compiler, here, path);
                let Some(endpoint) = endpoint.and_then(|at| self.endpoints.get_mut(at)) else { return };
                if let Some(made) = made {
                    made.into_entry(endpoint.calls_mut(sort).entry(&name));
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
        self.endpoints.push(Endpoint::at(&path.value));
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
        shape: &written::Action,
        number: usize,
        action: &Action,
    ) -> Vec<Bound> {
        let resource = compiler.kind_named.get(shape.resource.value.as_str()).copied();
        let mut bounds = Vec::new();
        for said in &shape.when {
            self.each_entry(compiler, here, said, |binder, method, place| {
                let on_route = match &*place {
                    Place::Path(template) => binder.on_route(template),
                    Place::Call(_) => Vec::new(),
                };
                let target = target_of(&action.target, &on_route, resource, method);
                let bound = Bound { action: number, place, on_route, target };
                bounds.push(bound.clone());
                Some(Put::Rule(bound))
            });
        }
        for said in shape.job.iter().flat_map(|job| &job.watch) {
            let mut without_id = false;
            self.each_entry(compiler, here, said, |_, _, place| {
                without_id |= place.names().is_empty();
                Some(Put::Job(number, place))
            });
            if without_id {
                compiler.problems.push(
                    Problem::error("route", "the route of `watch` has no `{name}`")
                        .at(here.source, said.at.clone())
                        .help("its last `{name}` is the job's id: `watch = \"GET /jobs/{id}\"`"),
                );
            }
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
            leaves.push(settle::settle(methods, &mut entries, &actions));
        }
        for endpoint in &mut self.endpoints {
            for entry in endpoint.entries_mut() {
                settle::sort(entry, &actions, &self.learns, &compiler.kinds);
                conflicts::ambiguous(&mut compiler.problems, entry, &actions);
                never::beside(&mut compiler.problems, entry, &actions);
            }
        }
        for entry in &mut entries {
            settle::sort(entry, &actions, &self.learns, &compiler.kinds);
            conflicts::ambiguous(&mut compiler.problems, entry, &actions);
            never::beside(&mut compiler.problems, entry, &actions);
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
            overrides: std::mem::take(&mut compiler.overrides),
        };
        ready.note_what_is_asked();
        conflicts::shadowed(&mut compiler.problems, &ready);
        overlaps::overlaps(&mut compiler.problems, &ready);
        (ready, std::mem::take(&mut compiler.problems))
    }
}

/// What is put into an entry.
pub(super) enum Put {
    Rule(Bound),
    Ignore(Arc<str>, Arc<Place>),
    Seen(usize, Arc<Place>),
    Learn(usize, Arc<Place>),
    Job(usize, Arc<Place>),
}

impl Put {
    pub(super) fn into_entry(self, entry: &mut Entry) {
        match self {
            Put::Rule(bound) if entry.rules.iter().any(|other| other.action == bound.action) => {}
            Put::Rule(bound) => entry.rules.push(bound),
            Put::Ignore(why, place) => entry.ignored = Some(Ignored { why, place }),
            Put::Seen(number, place) => entry.seen.push((number, place)),
            Put::Learn(number, place) => entry.learns.push((number, place)),
            Put::Job(number, place) => entry.jobs.push((number, place)),
        }
    }
}

impl Compiler {
    /// Puts a file's kinds and ignores at their places.
    pub(crate) fn bind_kinds(&mut self, file: &File, binder: &mut Binder) {
        let Some(here) = In::of(file) else { return };
        for (path, is_rpc) in
            file.graphql.iter().map(|path| (path, false)).chain(file.rpc.iter().map(|path| (path, true)))
        {
            let endpoint = binder.endpoint(self, here, path).and_then(|at| binder.endpoints.get_mut(at));
            if let Some(endpoint) = endpoint {
                endpoint.rpc |= is_rpc;
                endpoint.graphql |= !is_rpc;
            }
        }
        for ignore in &file.ignore {
            let why: Arc<str> = ignore.why.as_str().into();
            for said in &ignore.when {
                binder.each_entry(self, here, said, |_, _, place| Some(Put::Ignore(Arc::clone(&why), place)));
            }
        }
        for shape in &file.kinds {
            let Some(number) = self.kind_named.get(shape.name.value.as_str()).copied() else { continue };
            let mut addresses = Vec::new();
            for at in &shape.at {
                addresses.extend(self.templates(here, at, 0..at.value.len()));
            }
            for template in &addresses {
                if let Some(other) = binder.at_address(template) {
                    let other = self.kinds.get(other).map(|kind| Arc::clone(&kind.name)).unwrap_or_default();
                    let title = format!("the kinds `{other}` and `{}` stand at one address", shape.name.value);
                    let problem = Problem::error("ambiguous", title).at(here.source, shape.name.at.clone());
                    self.problems.push(problem.help("one kind stands for many with `type`"));
                }
                binder.stand(&shape.name.value, number, template);
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
        Target::Element(kind) => Some((*kind, Whose::Elsewhere)),
        Target::Kind(kind) | Target::Table { kind: Some(kind), .. } => Some((*kind, stands(*kind))),
        Target::Table { kind: None, .. } => {
            let kind = resource.or_else(|| on_route.last().map(|on| on.kind))?;
            Some((kind, stands(kind)))
        }
    }
}
