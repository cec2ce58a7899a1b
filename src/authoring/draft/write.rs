//! Rule files as a person would lay them out: one for each resource, `prefix` where routes begin alike.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::Value as Json;
use toml_edit::{Array, InlineTable, Key, Value};

use super::actions::{Action, Ignore};
use super::kinds::Kind;
use super::{route, words};
use crate::rules::layout;

/// A file with more than this is parted by the next word of its routes, where enough have it.
const LARGE: usize = 30;
/// What a part needs to be a file of its own.
const ENOUGH: usize = 4;
/// First words of a file that its own keys have.
const RESERVED: [&str; 11] = [
    "kind",
    "action",
    "identity",
    "category",
    "prefix",
    "graphql",
    "rpc",
    "in_workspace",
    "guarantee",
    "failures",
    "ignore",
];

/// Everything that is drafted; what failed is taken out of it.
#[derive(Default)]
pub(super) struct Drafted {
    pub(super) kinds: Vec<Kind>,
    pub(super) actions: Vec<Action>,
    pub(super) ignores: Vec<Ignore>,
    /// The endpoints of calls that are ignored, by their routes.
    pub(super) endpoints: BTreeMap<String, (&'static str, String)>,
    /// What was taken out: the route or name, and why.
    pub(super) out: Vec<(String, String)>,
}

/// A part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Item {
    Top,
    Kind(usize),
    Action(usize),
}

/// A file and where its parts stand in it.
pub(super) struct Written {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) parts: Vec<(Range<usize>, Item)>,
}

/// Which of everything a file holds.
#[derive(Default)]
struct Holds {
    kinds: Vec<usize>,
    actions: Vec<usize>,
    ignores: Vec<usize>,
}

impl Drafted {
    /// The files, by name.
    pub(super) fn write(&self) -> Vec<Written> {
        let mut files: BTreeMap<String, Holds> = BTreeMap::new();
        let mut places: Vec<(Vec<String>, Item, usize)> = Vec::new();
        let used = self.used_kinds();
        for (at, kind) in self.kinds.iter().enumerate().filter(|(_, kind)| !kind.known && used.contains(&kind.name)) {
            let mut place: Vec<String> =
                kind.address.iter().filter_map(|segment| segment.fixed().map(str::to_owned)).collect();
            if kind.address.is_empty() {
                place.push(words::plural(&kind.name));
            }
            places.push((place, Item::Kind(at), at));
        }
        places.extend(self.actions.iter().enumerate().map(|(at, action)| (action.place.clone(), Item::Action(at), at)));
        places.extend(self.ignores.iter().enumerate().map(|(at, ignore)| (ignore.place.clone(), Item::Top, at)));
        let names =
            names_of(&places.iter().map(|(place, _, _)| place.as_slice()).collect::<Vec<_>>(), self.has_workspace());
        for ((_, item, at), name) in places.iter().zip(names) {
            let holds = files.entry(name).or_default();
            match item {
                Item::Kind(_) => holds.kinds.push(*at),
                Item::Action(_) => holds.actions.push(*at),
                Item::Top => holds.ignores.push(*at),
            }
        }
        files.iter().map(|(name, holds)| self.file(name, holds)).collect()
    }

    fn has_workspace(&self) -> bool {
        self.actions.iter().any(|action| action.when.iter().any(|when| when.contains("/{workspace}/")))
    }

    /// Kinds that something is said of; of the others nobody would have begun.
    pub(super) fn used_kinds(&self) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        for action in &self.actions {
            let kinds = self.kinds.iter().map(|kind| kind.name.as_str());
            for name in kinds.filter(|name| {
                action.resource == *name
                    || action.message.contains(&format!("{{{{ {name} }}}}"))
                    || action.with.iter().any(|(with, _)| with == name)
                    || action.target.as_ref().is_some_and(|target| target.kind == *name)
            }) {
                used.insert(name.to_owned());
            }
        }
        used
    }

    fn file(&self, name: &str, holds: &Holds) -> Written {
        let mut file = Written { name: format!("{name}.toml"), text: String::new(), parts: Vec::new() };
        let routes = self.routes(holds);
        let prefix = prefix_of(&routes, name);
        file.part(Item::Top, &self.top(name, holds, &prefix));
        for (at, kind) in holds.kinds.iter().filter_map(|at| Some((*at, self.kinds.get(*at)?))) {
            file.part(Item::Kind(at), &self.kind(kind, &prefix));
        }
        for (at, action) in holds.actions.iter().filter_map(|at| Some((*at, self.actions.get(*at)?))) {
            file.part(Item::Action(at), &heading(action, &prefix));
        }
        file
    }

    /// The paths that a file names as its own.
    fn routes(&self, holds: &Holds) -> Vec<String> {
        let kinds = holds.kinds.iter().filter_map(|at| Some(route::text(&self.kinds.get(*at)?.address)));
        let kinds = kinds.filter(|path| !path.is_empty());
        let actions = holds.actions.iter().filter_map(|at| self.actions.get(*at)).flat_map(|action| &action.when);
        let ignores = holds.ignores.iter().filter_map(|at| Some(&self.ignores.get(*at)?.when));
        let path =
            |when: &String| when.split_once(' ').map(|(_, path)| path.to_owned()).filter(|path| path.starts_with('/'));
        kinds.chain(actions.chain(ignores).filter_map(path)).collect()
    }

    fn top(&self, name: &str, holds: &Holds, prefix: &str) -> String {
        let category = words::capital(&name.replace('_', " "));
        let mut text = line("category", &category);
        if !prefix.is_empty() {
            text.push_str(&line("prefix", prefix));
        }
        let mut endpoints: BTreeSet<&(&str, String)> =
            holds.actions.iter().filter_map(|at| self.actions.get(*at)?.endpoint.as_ref()).collect();
        let of_ignores = holds.ignores.iter().filter_map(|at| self.ignores.get(*at));
        endpoints.extend(of_ignores.filter_map(|ignore| self.endpoints.get(&ignore.when)));
        for (sort, path) in endpoints {
            text.push_str(&line(sort, path));
        }
        let ignores: Vec<String> = holds
            .ignores
            .iter()
            .filter_map(|at| self.ignores.get(*at))
            .map(|ignore| {
                format!("{{ when = {}, why = {} }}", quoted(&relative(&ignore.when, prefix)), quoted(&ignore.why))
            })
            .collect();
        text.push_str(&several("ignore", &ignores));
        text
    }

    fn kind(&self, kind: &Kind, prefix: &str) -> String {
        let mut text = format!("[kind.{}]\n", kind.name);
        if !kind.address.is_empty() {
            text.push_str(&line("at", &relative(&route::text(&kind.address), prefix)));
        }
        if let Some(id) = kind.id.as_ref().filter(|id| *id != "id") {
            text.push_str(&line("id", id));
        }
        if let Some(label) = kind.label.as_ref().filter(|label| *label != "name") {
            text.push_str(&line("name", label));
        }
        for (key, paths) in [("one", &kind.one), ("many", &kind.many)] {
            text.push_str(&chain(key, paths));
        }
        if let Some(sent) = &kind.sent {
            text.push_str(&line("sent", sent));
        }
        if !kind.learn.is_empty() {
            let routes: Vec<String> = kind.learn.iter().map(|path| relative(&format!("GET {path}"), prefix)).collect();
            let list = chain("when", &routes);
            text.push_str(&format!("learn = [{{ {} }}]\n", list.trim_end()));
        }
        if kind.fetch {
            text.push_str("fetch = true\n");
        }
        let logged = |verb: &&&str| {
            self.actions.iter().any(|action| action.logged && action.resource == kind.name && action.verb == ***verb)
        };
        let log: Vec<String> =
            ["created", "edited", "deleted"].iter().filter(logged).map(|verb| quoted(verb)).collect();
        if log.len() == 3 {
            text.push_str("log = true\n");
        } else if !log.is_empty() {
            text.push_str(&format!("log = [{}]\n", log.join(", ")));
        }
        text
    }
}

impl Written {
    /// Adds a part, laid out, with a blank line before it.
    fn part(&mut self, item: Item, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let start = self.text.len();
        // What is no TOML is found when it is loaded, at its place.
        self.text.push_str(&layout::layout(text).unwrap_or_else(|_| text.to_owned()));
        self.parts.push((start..self.text.len(), item));
    }
}

/// A heading with its test; only the test where `log` writes the action.
fn heading(action: &Action, prefix: &str) -> String {
    let long = if RESERVED.contains(&action.resource.as_str()) { "action." } else { "" };
    let name = format!("{long}{}.{}", action.resource, action.verb);
    let mut text = String::new();
    if !action.logged {
        text.push_str(&format!("[{name}]\n"));
        text.push_str(&line("title", &action.title));
        let routes: Vec<String> = action.when.iter().map(|when| relative(when, prefix)).collect();
        text.push_str(&chain("when", &routes));
        if let Some(target) = &action.target {
            let table = [("id", &target.id), ("name", &target.name)];
            let fields: Vec<String> = table
                .iter()
                .filter(|(_, list)| !list.is_empty())
                .map(|(key, list)| chain(key, list).trim_end().to_owned())
                .collect();
            text.push_str(&format!("target = {{ kind = {}, {} }}\n", quoted(&target.kind), fields.join(", ")));
        }
        for (name, value) in &action.with {
            text.push_str(&line(&format!("with.{name}"), value));
        }
        for (name, list) in &action.lets {
            text.push_str(&chain(&format!("let.{name}"), list));
        }
        text.push_str(&line("message", &action.message));
        if let Some(failed) = &action.message_failed {
            text.push_str(&line("message_failed", failed));
        }
        text.push('\n');
    }
    text.push_str(&format!("[[{name}.test]]\n"));
    test(action, &mut text);
    text
}

fn test(action: &Action, text: &mut String) {
    let test = &action.test;
    if !test.given.is_empty() {
        let given =
            test.given.iter().map(|(kind, id, name)| format!("{kind}.{} = {}", Key::new(id.as_str()), quoted(name)));
        text.push_str(&format!("given = {{ {} }}\n", given.collect::<Vec<_>>().join(", ")));
    }
    text.push_str(&line("send", &test.send));
    if let Some(body) = toml(&test.body) {
        text.push_str(&format!("{} = {body}\n", if test.is_form { "form" } else { "body" }));
    }
    if test.status != 200 {
        text.push_str(&format!("status = {}\n", test.status));
    }
    if let Some(response) = toml(&test.response) {
        text.push_str(&format!("response = {response}\n"));
    }
    if test.failed {
        text.push_str(&format!("expect = {{ message = {}, outcome = \"denied\" }}\n", quoted(&test.expect)));
    } else {
        text.push_str(&line("expect", &test.expect));
    }
}

/// A value as TOML can say it; nothing for null and what is empty.
fn toml(value: &Json) -> Option<Value> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(truth) => Value::from(*truth),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::from(number),
            None => Value::from(number.as_f64()?),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(elements) => Value::from(elements.iter().filter_map(toml).collect::<Array>()),
        Json::Object(fields) => {
            let fields = fields.iter().filter_map(|(name, value)| Some((Key::new(name.as_str()), toml(value)?)));
            Value::from(fields.collect::<InlineTable>())
        }
    })
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn line(key: &str, text: &str) -> String {
    format!("{key} = {}\n", quoted(text))
}

/// A text, or a list of them; nothing for none.
fn chain(key: &str, list: &[String]) -> String {
    match list {
        [] => String::new(),
        [one] => line(key, one),
        several => format!("{key} = [{}]\n", several.iter().map(|one| quoted(one)).collect::<Vec<_>>().join(", ")),
    }
}

/// A list of tables: one on the line, more over several.
fn several(key: &str, elements: &[String]) -> String {
    match elements {
        [] => String::new(),
        [one] => format!("{key} = [{one}]\n"),
        more => format!("{key} = [\n{}]\n", more.iter().map(|one| format!("    {one},\n")).collect::<String>()),
    }
}

/// A route behind the prefix, or from the root where it does not begin with it.
fn relative(route: &str, prefix: &str) -> String {
    let (method, path) = match route.split_once(' ') {
        Some((method, path)) => (format!("{method} "), path),
        None => (String::new(), route),
    };
    if prefix.is_empty() || !path.starts_with('/') {
        return route.to_owned();
    }
    match path.strip_prefix(prefix).filter(|rest| rest.starts_with('/')) {
        Some(rest) => format!("{method}{rest}"),
        None => format!("{method}/{path}"),
    }
}

/// What most routes of a file have before its own word.
fn prefix_of(routes: &[String], name: &str) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for path in routes {
        let segments: Vec<&str> = path.split('/').collect();
        let own = |segment: &&str| {
            words::name_of(segment).is_some_and(|word| word == name || name.ends_with(&format!("_{word}")))
        };
        let last = segments.len().saturating_sub(1);
        let at = segments.iter().position(own).filter(|at| *at > 0).unwrap_or(0).min(last);
        let before = segments.get(..at).unwrap_or_default().join("/");
        *counts.entry(before).or_default() += 1;
    }
    let best = counts.into_iter().max_by_key(|(prefix, count)| (*count, prefix.len()));
    best.map(|(prefix, _)| prefix).unwrap_or_default()
}

/// The file that each place belongs to.
fn names_of(places: &[&[String]], has_workspace: bool) -> Vec<String> {
    let is_version = |word: &String| {
        ["api", "rest", "web", "public"].contains(&word.as_str())
            || word.strip_prefix('v').is_some_and(|rest| rest.parse::<u16>().is_ok())
    };
    let common =
        ["workspaces", "orgs", "organizations", "organisations", "tenants", "teams", "accounts", "projects", "spaces"];
    let stripped: Vec<Vec<String>> = places
        .iter()
        .map(|place| {
            let mut rest: Vec<String> =
                place.iter().skip_while(|word| is_version(word)).filter_map(|word| words::name_of(word)).collect();
            if has_workspace && rest.len() > 1 && rest.first().is_some_and(|word| common.contains(&word.as_str())) {
                rest.remove(0);
            }
            rest
        })
        .collect();
    let mut names: Vec<String> =
        stripped.iter().map(|place| place.first().cloned().unwrap_or_else(|| "root".to_owned())).collect();
    for depth in 1..4 {
        let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
        names.iter().for_each(|name| *sizes.entry(name.clone()).or_default() += 1);
        let mut parts: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (place, name) in stripped.iter().zip(&names) {
            if let Some(word) = place.get(depth) {
                *parts.entry((name.clone(), word.clone())).or_default() += 1;
            }
        }
        let whole: BTreeSet<String> = names.iter().cloned().collect();
        for (place, name) in stripped.iter().zip(&mut names) {
            let Some(word) = place.get(depth) else { continue };
            let part = (name.clone(), word.clone());
            let many = parts.get(&part).copied().unwrap_or(0) >= ENOUGH;
            if many && sizes.get(name).copied().unwrap_or(0) > LARGE {
                let shared = whole.contains(word) || parts.keys().any(|(other, same)| same == word && other != name);
                *name = if shared { format!("{}_{word}", words::singular(name)) } else { word.clone() };
            }
        }
    }
    names
}
