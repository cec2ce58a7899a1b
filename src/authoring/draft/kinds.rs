//! Things: what list and detail routes show, with where its id and its name are.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::body::{self, Object};
use super::route::{Operation, Segment, shape, text};
use super::{clean, described, words};

/// Names that a kind may not have: expressions, or Jinja, have them.
const TAKEN: [&str; 46] = [
    "path",
    "query",
    "header",
    "input",
    "uploads",
    "upload",
    "status",
    "reply",
    "output",
    "error",
    "each",
    "index",
    "joined",
    "target",
    "actor",
    "claim",
    "changed",
    "added",
    "removed",
    "claims",
    "range",
    "dict",
    "namespace",
    "token",
    "true",
    "false",
    "none",
    "not",
    "and",
    "or",
    "in",
    "is",
    "if",
    "else",
    "for",
    "loop",
    "self",
    "super",
    "language",
    "mask",
    "json",
    "debug",
    "null",
    "id",
    "name",
    "type",
];

/// A thing with an address.
#[derive(Clone, Debug, Default)]
pub(super) struct Kind {
    /// `issue_comment`
    pub(super) name: String,
    pub(super) address: Vec<Segment>,
    /// Where its id is, when that is known.
    pub(super) id: Option<String>,
    /// What people call it by, when that is known.
    pub(super) label: Option<String>,
    pub(super) one: Vec<String>,
    pub(super) many: Vec<String>,
    pub(super) sent: Option<String>,
    pub(super) learn: Vec<String>,
    pub(super) fetch: bool,
    /// The current rules have it already.
    pub(super) known: bool,
    /// It is put into something and taken out of it, not made and changed: `PUT /members/{id}`.
    pub(super) member: bool,
    /// Names that a recording shows, by their ids.
    pub(super) seen: BTreeMap<String, String>,
    /// What a thing of it is called in tests.
    pub(super) example: String,
}

impl Kind {
    /// `issue comment`
    pub(super) fn words(&self) -> String {
        self.name.replace('_', " ")
    }

    /// What the thing with that id is called in tests.
    pub(super) fn called(&self, id: &str) -> &str {
        self.seen.get(id).filter(|name| !name.contains(['{', '}'])).map_or(&self.example, |name| name)
    }

    /// The segments before its id.
    pub(super) fn collection(&self) -> &[Segment] {
        self.address.get(..self.address.len().saturating_sub(1)).unwrap_or_default()
    }
}

/// An address before it is a kind: the operations at it and at its collection.
struct Found<'a> {
    address: &'a [Segment],
    at: Vec<&'a Operation>,
    of_all: Vec<&'a Operation>,
    below: usize,
}

/// All kinds; `known` are names and shapes of those that the current rules have.
pub(super) fn kinds(operations: &[Operation], known: &[(String, Vec<String>)]) -> Vec<Kind> {
    let found = addresses(operations);
    let mut used: BTreeSet<String> = known.iter().map(|(name, _)| name.clone()).collect();
    let mut kinds: Vec<Kind> = Vec::new();
    let (strong, weak): (Vec<&Found<'_>>, Vec<&Found<'_>>) = found.iter().partition(|found| found.is_strong());
    for (found, is_weak) in
        strong.into_iter().map(|found| (found, false)).chain(weak.into_iter().map(|found| (found, true)))
    {
        let Some(base) = base_name(found.address) else { continue };
        let mut kind = found.kind(&base);
        // Without a way to see it, it is a word in a path and no thing; where a kind is called so, it is one of those.
        if is_weak && (kind.id.is_none() || used.contains(&base)) {
            continue;
        }
        let own = shape(found.address);
        match known.iter().find(|(_, shapes)| shapes.contains(&own)) {
            Some((name, _)) => (kind.name, kind.known) = (name.clone(), true),
            None => kind.name = free_name(&base, found.address, &used),
        }
        used.insert(kind.name.clone());
        kind.settle();
        kinds.push(kind);
    }
    learn(operations, &mut kinds);
    kinds
}

/// Every address, the shallow ones first.
fn addresses(operations: &[Operation]) -> Vec<Found<'_>> {
    let mut by_shape: BTreeMap<(usize, String), Found<'_>> = BTreeMap::new();
    for operation in operations {
        for (at, segment) in operation.segments.iter().enumerate() {
            let address = operation.segments.get(..=at).unwrap_or_default();
            if segment.parameter().is_none() || at == 0 {
                continue;
            }
            let found = by_shape.entry((at, shape(address))).or_insert_with(|| Found {
                address,
                at: Vec::new(),
                of_all: Vec::new(),
                below: 0,
            });
            match operation.segments.get(at + 1) {
                None => found.at.push(operation),
                // `{owner}/{repo}` is one thing.
                Some(Segment::Parameter(_)) => {}
                Some(_) => found.below += 1,
            }
        }
    }
    for operation in operations {
        let own = format!("{}/{{}}", shape(&operation.segments));
        if let Some(found) = by_shape.get_mut(&(operation.segments.len(), own)) {
            found.of_all.push(operation);
        }
    }
    by_shape.into_values().collect()
}

/// What the thing at an address is called, from the last word before its id.
fn base_name(address: &[Segment]) -> Option<String> {
    let (last, before) = address.split_last()?;
    let is_version = |word: &str| word.strip_prefix('v').is_some_and(|rest| rest.parse::<u16>().is_ok());
    let word = match before.last() {
        Some(Segment::Fixed(word)) if !is_version(word) => words::singular(&words::name_of(word)?),
        _ => {
            let parameter = words::name_of(last.parameter()?)?;
            let ends =
                ["_id_or_slug", "_id_or_name", "_id", "_slug", "_name", "_number", "_key", "_uuid", "_code", "_sid"];
            let bare = ends.iter().find_map(|end| parameter.strip_suffix(end)).unwrap_or(&parameter);
            bare.to_owned()
        }
    };
    let odd = word.starts_with("by_")
        || words::is_verb(&word) && before.last().and_then(Segment::fixed) == Some(&word)
        || ["id", "by", "name", "slug", "me", "search", "key"].contains(&word.as_str());
    (!odd).then_some(word)
}

/// A name that nothing has: with its parents' before it, else with a word behind it.
fn free_name(base: &str, address: &[Segment], used: &BTreeSet<String>) -> String {
    let is_free = |name: &String| !used.contains(name) && !TAKEN.contains(&name.as_str()) && name.len() <= 60;
    let mut names = vec![base.to_owned()];
    let before: Vec<String> = address.iter().filter_map(Segment::fixed).filter_map(words::name_of).collect();
    let parents = before.iter().rev().skip(1).filter(|word| word.len() > 2 || !word.starts_with('v'));
    for parent in parents {
        let last = names.last().cloned().unwrap_or_default();
        names.push(format!("{}_{last}", words::singular(parent)));
    }
    if base == "token" {
        names.push("access_token".to_owned());
    }
    names.push(format!("{base}_item"));
    names.extend((2..1000).map(|number| format!("{base}_{number}")));
    names.into_iter().find(is_free).unwrap_or_else(|| base.to_owned())
}

impl<'a> Found<'a> {
    /// Whether it is surely a thing: one can look at it, or change it.
    fn is_strong(&self) -> bool {
        let shows = |operation: &&Operation| operation.method == "GET" || operation.method == "PATCH";
        self.at.iter().any(shows)
            || self.below > 0 && (!self.at.is_empty() || !self.of_all.is_empty())
            || self.of_all.iter().any(|operation| operation.method == "POST") && !self.at.is_empty()
    }

    fn kind(&self, base: &str) -> Kind {
        let mut kind = Kind { name: base.to_owned(), address: self.address.to_vec(), ..Kind::default() };
        let parameter = self.address.last().and_then(Segment::parameter).unwrap_or("id");
        let collection = self.address.iter().rev().nth(1).and_then(Segment::fixed).unwrap_or_default();
        let place = self.address.len() - 1;
        let own: Vec<&Object> = self.at.iter().flat_map(|operation| body::objects(&operation.sample.output)).collect();
        let listed: Vec<&Object> =
            self.of_all.iter().flat_map(|operation| body::objects(&operation.sample.output)).collect();
        kind.id = self.at.iter().find_map(|operation| {
            let sent = operation.sample.path.get(place).filter(|_| operation.sample.recorded)?;
            let sent = percent_encoding::percent_decode_str(sent).decode_utf8_lossy();
            body::id_seen(&body::objects(&operation.sample.output), &sent).or_else(|| body::id_seen(&listed, &sent))
        });
        if kind.id.is_none() {
            let is_number = self
                .at
                .iter()
                .filter_map(|operation| operation.sample.path.get(place))
                .any(|sent| sent.parse::<u64>().is_ok());
            let objects = if own.is_empty() { &listed } else { &own };
            kind.id = body::id_meant(objects, base, parameter, is_number)
                .or_else(|| body::id_meant(&listed, base, parameter, is_number));
        }
        let Some(id) = kind.id.clone() else { return self.with_sent(kind, &[]) };
        let mut shown: Vec<&Object> = Vec::new();
        for operation in self.at.iter().chain(&self.of_all) {
            let is_list = operation.segments.len() == place;
            let output = &operation.sample.output;
            let sent = operation.sample.path.get(place).filter(|_| operation.sample.recorded && !is_list);
            if is_list
                && operation.method == "GET"
                && let Some((path, object)) = body::many(output, base, collection, &id)
            {
                kind.many.push(path);
                shown.push(object);
            } else if (!is_list || operation.method == "POST")
                && let Some((path, object)) = body::one(output, base, &id, sent.map(String::as_str))
            {
                kind.one.push(path);
                shown.push(object);
            }
        }
        self.with_sent(kind, &shown)
    }

    /// What requests say of it: they may hold a name where no answer does.
    fn with_sent(&self, mut kind: Kind, shown: &[&Object]) -> Kind {
        let writes = |operation: &&&Operation| ["POST", "PUT", "PATCH"].contains(&operation.method.as_str());
        let inputs: Vec<&Value> =
            self.of_all.iter().chain(&self.at).filter(writes).map(|operation| &operation.sample.input).collect();
        kind.label = body::name_field(shown, &kind.name);
        if kind.label.is_none() {
            let told: Vec<&Object> = inputs.iter().flat_map(|input| body::objects(input)).collect();
            kind.label = body::name_field(&told, &kind.name);
        }
        if let Some(label) = &kind.label {
            kind.sent = inputs.iter().find_map(|input| body::sent(input, &kind.name, label));
            let said = shown.iter().find_map(|object| object.get(label)).and_then(Value::as_str);
            kind.example = said
                .filter(|text| *text != described::SOME_TEXT && !text.is_empty())
                .map(clean::text)
                .unwrap_or_default();
        }
        let makes = self.of_all.iter().any(|operation| operation.method == "POST");
        let is = |method: &str| self.at.iter().any(|operation| operation.method == method);
        let parameters = self.address.iter().filter(|segment| segment.parameter().is_some()).count();
        kind.member = !makes && !is("PATCH") && (is("PUT") && !is("POST") || !is("GET")) && parameters > 1;
        if let Some((id, label)) = kind.id.as_ref().zip(kind.label.as_ref()) {
            let recorded = self.at.iter().chain(&self.of_all).filter(|operation| operation.sample.recorded);
            let objects = recorded.flat_map(|operation| body::objects(&operation.sample.output));
            let pair = |object: &Object| Some((body::label(object.get(id)?)?, object.get(label)?.as_str()?.to_owned()));
            kind.seen = objects.filter_map(pair).take(200).collect();
        }
        let edits = |operation: &&Operation| operation.method != "GET" && operation.method != "HEAD";
        let looks = self.at.iter().any(|operation| operation.method == "GET");
        kind.fetch = looks && (self.at.iter().any(edits) || self.below > 0) && kind.id.is_some();
        kind
    }
}

impl Kind {
    /// What follows from its name.
    fn settle(&mut self) {
        self.fetch &= !clean::is_secret_kind(&self.name);
        let (one, many) = ([self.name.as_str(), "."], [format!("{}s", self.name), ".".to_owned()]);
        for paths in [&mut self.one, &mut self.many] {
            paths.sort_by_key(|path| path == ".");
            paths.dedup();
        }
        if self.one.iter().all(|path| one.contains(&path.as_str())) {
            self.one.clear();
        }
        if self.many.iter().all(|path| many.contains(path)) {
            self.many.clear();
        }
        if self.example.is_empty() {
            self.example = example(&self.name, self.label.as_deref().unwrap_or("name"));
        }
        self.example = self.example.replace(['{', '}'], "");
    }
}

/// What a thing may be called.
pub(super) fn example(kind: &str, label: &str) -> String {
    let label = label.replace(['_', '-'], "").to_lowercase();
    let words = kind.replace('_', " ");
    if label.contains("email") {
        "anna@example.com".to_owned()
    } else if label.contains("filename") {
        "manual.pdf".to_owned()
    } else if ["username", "login", "nickname"].contains(&label.as_str()) {
        "anna".to_owned()
    } else if ["slug", "key", "code", "identifier", "hostname", "domain", "path", "url"].contains(&label.as_str()) {
        format!("first-{}", words.replace(' ', "-"))
    } else {
        format!("First {words}")
    }
}

/// Other routes that show things of a kind: `/search/documents`, `/orgs/{org}/repos`, `/me`.
fn learn(operations: &[Operation], kinds: &mut [Kind]) {
    let standing: BTreeSet<String> =
        kinds.iter().flat_map(|kind| [shape(&kind.address), shape(kind.collection())]).collect();
    for operation in operations.iter().filter(|operation| operation.method == "GET" || !operation.changes()) {
        if operation.method != "GET" || standing.contains(&shape(&operation.segments)) {
            continue;
        }
        let Some((at, word)) = operation.last_word() else { continue };
        if at + 1 != operation.segments.len() {
            continue;
        }
        let Some(name) = words::name_of(word).map(|word| words::singular(&word)) else { continue };
        let own = matches!(name.as_str(), "me" | "self" | "user" | "profile" | "whoami" | "current");
        let above = at.checked_sub(1).and_then(|at| operation.segments.get(at)).and_then(Segment::fixed);
        let above = above.and_then(words::name_of).map(|word| words::singular(&word));
        let wished =
            if own && above.is_none() || name == "me" && !kinds.iter().any(|kind| Some(&kind.name) == above.as_ref()) {
                "user".to_owned()
            } else if own || ["search", "all", "list", "recent"].contains(&name.as_str()) {
                above.unwrap_or_default()
            } else {
                name
            };
        let Some(kind) = kinds.iter_mut().find(|kind| kind.name == wished && !kind.known) else { continue };
        let Some(id) = kind.id.clone() else { continue };
        let output = &operation.sample.output;
        let label = kind.label.clone().unwrap_or_else(|| "name".to_owned());
        let usual = |paths: &[String], other: String| {
            if paths.is_empty() { vec![other, ".".to_owned()] } else { paths.to_vec() }
        };
        let one = body::one(output, &kind.name, &id, None).filter(|(_, object)| object.contains_key(&label));
        let many = body::many(output, &kind.name, "", &id).filter(|(_, object)| object.contains_key(&label));
        let fits = one.is_some_and(|(path, _)| usual(&kind.one, kind.name.clone()).contains(&path))
            || many.is_some_and(|(path, _)| usual(&kind.many, format!("{}s", kind.name)).contains(&path));
        if fits && kind.learn.len() < 6 {
            kind.learn.push(text(&operation.segments));
        }
    }
}

/// Whether expressions have a name like that.
pub(super) fn is_taken(name: &str) -> bool {
    TAKEN.contains(&name)
}
