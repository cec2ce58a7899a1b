//! GraphQL mutations and JSON-RPC methods of a recording.
//!
//! The engine itself reads the calls: a set with a rule for each name says what each was given and answered.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::actions::{Action, Ignore, Target};
use super::example::{Test, held};
use super::kinds::{self, Kind};
use super::phrase::Phrase;
use super::{body, clean, words};
use crate::exchange::Exchange;
use crate::memory::Memory;
use crate::problem::SourceFile;
use crate::rules::{Caller, Cover, RuleSet};

/// Names that are looked at: a platform has no more.
const MOST: usize = 2_000;
/// How deep values are looked at.
const DEPTH: usize = 5;

/// An endpoint: `graphql` or `rpc`, and its path.
type Endpoint = (&'static str, String);

/// One call that may change something.
struct Call {
    endpoint: Endpoint,
    name: String,
    input: Value,
    output: Value,
}

/// What a recording's calls became.
#[derive(Default)]
pub(super) struct Called {
    pub(super) actions: Vec<Action>,
    pub(super) ignores: Vec<(Ignore, Endpoint)>,
    pub(super) kinds: Vec<Kind>,
    pub(super) silent: Vec<String>,
}

/// The exchanges that are calls, by their places.
pub(super) fn places(exchanges: &[Exchange]) -> (HashSet<usize>, Vec<Endpoint>) {
    let (mut taken, mut endpoints) = (HashSet::new(), Vec::new());
    for (at, exchange) in exchanges.iter().enumerate().filter(|(_, exchange)| exchange.request.method == "POST") {
        let content = &exchange.request.body.content;
        // Whoever asks of every body what it is reads each of them once more: only what may be a call.
        let may = memchr::memmem::find(content, b"\"query\"").is_some()
            || memchr::memmem::find(content, b"\"method\"").is_some();
        if !may || content.len() > 256 * 1024 {
            continue;
        }
        let Ok(sent) = serde_json::from_slice::<Value>(content) else { continue };
        let first = sent.as_array().and_then(|calls| calls.first()).unwrap_or(&sent);
        let is_text = |key: &str| first.get(key).is_some_and(Value::is_string);
        let query = first.get("query").and_then(Value::as_str).unwrap_or_default().trim_start();
        let is_query =
            ["query", "mutation", "subscription", "fragment", "{", "#"].iter().any(|word| query.starts_with(word))
                && query.contains('{');
        let sort = if is_query {
            "graphql"
        } else if is_text("method") && first.get("jsonrpc").is_some() {
            "rpc"
        } else {
            continue;
        };
        taken.insert(at);
        let endpoint = (sort, exchange.request.path().to_owned());
        if !endpoints.contains(&endpoint) && super::route::segments_of(&endpoint.1).is_some() {
            endpoints.push(endpoint);
        }
    }
    (taken, endpoints)
}

/// What the calls of a recording become.
pub(super) fn called(
    exchanges: &[Exchange],
    endpoints: &[Endpoint],
    rules: Option<&RuleSet>,
    known: &[Kind],
) -> Called {
    let mut called = Called::default();
    let mut keys = HashSet::new();
    for endpoint in endpoints {
        for call in calls(exchanges, endpoint) {
            let sort = if call.endpoint.0 == "rpc" { "rpc" } else { "mutation" };
            if rules.is_some_and(|rules| rules.covers(sort, &call.name) != Cover::Unmapped) {
                continue;
            }
            call.become_of(sort, known, &mut called, &mut keys);
        }
    }
    called
}

/// The calls of an endpoint, one for each name: the one that was answered with the most.
fn calls(exchanges: &[Exchange], endpoint: &Endpoint) -> Vec<Call> {
    let head = format!("category = \"Calls\"\n{} = {}\n", endpoint.0, toml_edit::Value::from(endpoint.1.as_str()));
    let load = |text: String| {
        let file = Arc::new(SourceFile { name: "calls.toml".to_owned(), text });
        RuleSet::load(&[file]).ok().map(|(set, _)| set)
    };
    let of_endpoint = || exchanges.iter().filter(|exchange| exchange.request.path() == endpoint.1);
    let memory = Memory::new(16);
    let derive = |set: &RuleSet, exchange: &Exchange| {
        let found = set.find(&exchange.request.method, &exchange.request.target)?;
        Some(set.derive(found, exchange, &Caller::default(), &memory, &[]))
    };
    let Some(bare) = load(head.clone()) else { return Vec::new() };
    let mut names: Vec<String> = Vec::new();
    for called in of_endpoint().filter_map(|exchange| derive(&bare, exchange)).flat_map(|derived| derived.calls) {
        let plain = called.name.len() <= 100
            && called.name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_./-:$".contains(letter));
        if plain && !names.contains(&called.name) && names.len() < MOST {
            names.push(called.name);
        }
    }
    let sort = if endpoint.0 == "rpc" { "rpc" } else { "mutation" };
    let rules = names.iter().enumerate().map(|(at, name)| {
        format!("[call.c{at}]\nwhen = \"{sort} {name}\"\ntarget = false\nlet.given = \"input\"\nlet.answered = \"output\"\nmessage = \"x\"\n")
    });
    let Some(asking) = load(head + &rules.collect::<String>()) else { return Vec::new() };
    let mut best: BTreeMap<usize, Call> = BTreeMap::new();
    for event in of_endpoint().filter_map(|exchange| derive(&asking, exchange)).flat_map(|derived| derived.events) {
        let at = event.action.rsplit(".c").next().and_then(|at| at.parse::<usize>().ok());
        let Some((at, name)) = at.and_then(|at| Some((at, names.get(at)?))) else { continue };
        let detail = |key: &str| event.details.get(key).map(|value| clean::body(value, DEPTH)).unwrap_or_default();
        let call =
            Call { endpoint: endpoint.clone(), name: name.clone(), input: detail("given"), output: detail("answered") };
        if best.get(&at).is_none_or(|known| known.output.is_null() && !call.output.is_null()) {
            best.insert(at, call);
        }
    }
    best.into_values().collect()
}

/// Every plain field of a value, by its dotted path, shallow ones first.
fn fields(value: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    let mut waiting: Vec<(String, &Value)> = vec![(String::new(), value)];
    for _ in 0..3 {
        let mut next = Vec::new();
        for (path, value) in waiting {
            for (name, value) in value.as_object().into_iter().flatten() {
                if !name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') || name.is_empty() {
                    continue;
                }
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                if value.is_object() { next.push((path, value)) } else { found.push((path, value)) }
            }
        }
        waiting = next;
    }
    found
}

/// Where a value holds the id of a thing, and what it is.
fn id_in<'a>(value: &'a Value, noun: &str) -> Option<(String, &'a Value)> {
    let bare = noun.replace('_', "");
    let fits = |path: &str| {
        let last = path.rsplit('.').next().unwrap_or(path).replace('_', "").to_lowercase();
        last == "id" || last == format!("{bare}id") || last == format!("{bare}uuid")
    };
    fields(value).into_iter().find(|(path, value)| fits(path) && body::label(value).is_some())
}

/// Where a value holds the name of a thing.
fn name_in<'a>(value: &'a Value, noun: &str) -> Option<(String, &'a Value)> {
    let all = fields(value);
    let parents: Vec<&str> =
        all.iter().map(|(path, _)| path.rsplit_once('.').map_or("", |(parent, _)| parent)).collect();
    for parent in parents {
        let object = if parent.is_empty() {
            value.as_object()
        } else {
            value.pointer(&format!("/{}", parent.replace('.', "/"))).and_then(Value::as_object)
        };
        let Some(object) = object else { continue };
        if let Some(name) = body::name_field(&[object], noun).filter(|name| !name.contains('-')) {
            let path = if parent.is_empty() { name.clone() } else { format!("{parent}.{name}") };
            return object.get(&name).map(|value| (path, value));
        }
    }
    None
}

impl Call {
    fn become_of(&self, sort: &'static str, known: &[Kind], called: &mut Called, keys: &mut HashSet<String>) {
        let route = format!("{sort} {}", self.name);
        let own = words::words(&self.name);
        let is_verb = |word: &&String| words::is_verb(word) || words::is_looking(word);
        let verb = own.first().filter(is_verb).or_else(|| own.last().filter(is_verb));
        let Some(verb) = verb else { return called.silent.push(route) };
        let mut nouns: Vec<&str> = own.iter().map(String::as_str).filter(|word| *word != verb.as_str()).collect();
        nouns.truncate(4);
        let Some(noun) = words::name_of(&nouns.join("_")) else { return called.silent.push(route) };
        if words::is_looking(verb) {
            let ignore = Ignore { when: route, why: "reads".to_owned(), place: vec![words::plural(&noun)] };
            return called.ignores.push((ignore, self.endpoint.clone()));
        }
        let one = words::singular(&noun);
        let mut action = Action { when: vec![route], endpoint: Some(self.endpoint.clone()), ..Action::default() };
        action.place = vec![words::plural(&one)];
        let thing = if kinds::is_taken(&one) { format!("{one}_item") } else { one };
        let is_many = words::is_plural(&noun) && verb != "create";
        let shown = if is_many { noun.replace('_', " ") } else { thing.replace('_', " ") };
        let mut rest = shown.clone();
        if !is_many && let Some(target) = self.target(verb, &thing, &mut action.test) {
            action.target = Some(target);
            rest = format!("{shown} {{{{ {thing} }}}}");
            if !known.iter().chain(&called.kinds).any(|kind| kind.name == thing) {
                called.kinds.push(Kind { name: thing.clone(), ..Kind::default() });
            }
        }
        let phrase = Phrase::new(verb, &rest);
        let name = action.test.given.first().map(|(_, _, name)| name.clone()).or_else(|| name_said(&action.test));
        action.test.expect = phrase.message.replace(&format!("{{{{ {thing} }}}}"), &name.unwrap_or_default());
        (action.message, action.title) = (phrase.message, phrase.title);
        let past = words::name_of(&phrase.past).unwrap_or_default();
        let mut names = std::iter::once(past.clone()).chain((2..100).map(|number| format!("{past}_{number}")));
        let resource = if is_many { noun } else { thing };
        let Some(free) = names.find(|name| keys.insert(format!("{resource}.{name}"))) else { return };
        (action.resource, action.verb) = (resource, free);
        self.send(sort, &mut action.test);
        called.actions.push(action);
    }

    /// Which thing it was; the test is told what it needs to say so.
    fn target(&self, verb: &str, thing: &str, test: &mut Test) -> Option<Target> {
        let given = id_in(&self.input, thing);
        if let Some((path, id)) = given.filter(|_| verb != "create") {
            test.body = held(&path, id.clone());
            test.given.push((thing.to_owned(), body::label(id)?, format!("First {}", thing.replace('_', " "))));
            return Some(Target { kind: thing.to_owned(), id: vec![format!("input.{path}")], name: Vec::new() });
        }
        let (answered, told) = (id_in(&self.output, thing), name_in(&self.input, thing));
        let shown = name_in(&self.output, thing);
        let (place, value) = told
            .clone()
            .map(|(path, value)| (format!("input.{path}"), value))
            .or_else(|| shown.clone().map(|(path, value)| (format!("output.{path}"), value)))?;
        let name = clean::text(&body::label(value)?);
        let mut id = Vec::new();
        test.response = Value::Null;
        if let Some((path, value)) = answered {
            id.push(format!("output.{path}"));
            test.response = held(&path, value.clone());
        }
        if let Some((path, _)) = &told {
            test.body = held(path, Value::from(name.clone()));
        } else {
            merge(&mut test.response, held(place.strip_prefix("output.").unwrap_or(&place), Value::from(name.clone())));
        }
        test.named = true;
        test.is_form = false;
        test.expect = name;
        Some(Target { kind: thing.to_owned(), id, name: vec![place] })
    }

    /// The request and the answer of a test, from what the rule uses of them.
    fn send(&self, sort: &str, test: &mut Test) {
        (test.send, test.status) = (format!("POST {}", self.endpoint.1), 200);
        let (input, output) = (test.body.take(), test.response.take());
        if sort == "rpc" {
            let mut call = json!({ "jsonrpc": "2.0", "id": 1, "method": self.name });
            if let Some(call) = call.as_object_mut().filter(|_| !input.is_null()) {
                call.insert("params".to_owned(), input);
            }
            test.body = call;
            let result = if output.is_null() { Value::from(true) } else { output };
            test.response = json!({ "jsonrpc": "2.0", "id": 1, "result": result });
            return;
        }
        let arguments = input.as_object().map(|fields| {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}: {}", literal(value))).collect();
            format!("({})", fields.join(", "))
        });
        let chosen = output.as_object().map(selection).unwrap_or_default();
        let query = format!("mutation {{ {}{}{chosen} }}", self.name, arguments.unwrap_or_default());
        test.body = json!({ "query": query });
        test.response =
            json!({ "data": { self.name.as_str(): if output.is_null() { Value::from(true) } else { output } } });
    }
}

fn name_said(test: &Test) -> Option<String> {
    Some(test.expect.clone()).filter(|name| !name.is_empty())
}

/// Adds the fields of one value to those of another.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

/// A value as GraphQL writes it (specification section 2.9).
fn literal(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, value)| format!("{name}: {}", literal(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

/// The fields that are asked for.
fn selection(fields: &body::Object) -> String {
    let inner = |value: &Value| value.as_object().map(selection).unwrap_or_default();
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}{}", inner(value))).collect();
    format!(" {{ {} }}", fields.join(" "))
}
