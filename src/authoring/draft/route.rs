//! What a description or a recording says, in one form: operations at templates, each with a sample exchange.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::words;

/// What a workspace's collection is called.
const WORKSPACES: [&str; 9] =
    ["workspaces", "orgs", "organizations", "organisations", "tenants", "teams", "accounts", "projects", "spaces"];
/// A longer segment is no word of an API.
const LONGEST: usize = 100;
/// Deeper paths are nobody's.
const DEEPEST: usize = 20;

/// One segment of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// Always the same text.
    Fixed(String),
    /// Any text.
    Parameter(String),
    /// A parameter with text around it, as it is written.
    Part(String),
}

/// A method at a template.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) method: String,
    pub(super) segments: Vec<Segment>,
    /// What the description calls it: "Publish a document".
    pub(super) summary: String,
    pub(super) sample: Sample,
}

/// An exchange that this operation gives.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    /// The segments of the path as they are sent.
    pub(super) path: Vec<String>,
    /// What is sent; null where nothing is.
    pub(super) input: Value,
    /// The files of a form.
    pub(super) files: Vec<String>,
    /// Whether `input` is a form.
    pub(super) is_form: bool,
    pub(super) status: u16,
    /// What is answered; null where nothing is.
    pub(super) output: Value,
    /// Whether it was recorded: then an id in the path is the one in the body.
    pub(super) recorded: bool,
}

impl Operation {
    /// Whether it changes something, as far as its method tells.
    pub(super) fn changes(&self) -> bool {
        crate::ledger::Ledger::counts(&self.method)
    }

    /// `POST /documents/{id}/publish`
    pub(super) fn route(&self) -> String {
        format!("{} {}", self.method, text(&self.segments))
    }

    /// The path that the sample sends to.
    pub(super) fn sent(&self) -> String {
        format!("/{}", self.sample.path.join("/"))
    }

    /// The last segment that is a word, and its place.
    pub(super) fn last_word(&self) -> Option<(usize, &str)> {
        let words = self.segments.iter().enumerate().rev();
        words.into_iter().find_map(|(at, segment)| segment.fixed().map(|word| (at, word)))
    }
}

impl Segment {
    pub(super) fn fixed(&self) -> Option<&str> {
        match self {
            Segment::Fixed(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn parameter(&self) -> Option<&str> {
        match self {
            Segment::Parameter(name) => Some(name),
            _ => None,
        }
    }
}

/// A template as rules write it.
pub(super) fn text(segments: &[Segment]) -> String {
    let mut text = String::new();
    for segment in segments {
        text.push('/');
        match segment {
            Segment::Fixed(word) | Segment::Part(word) => text.push_str(word),
            Segment::Parameter(name) => text.push_str(&format!("{{{name}}}")),
        }
    }
    text
}

/// A template without the names of its parameters.
pub(super) fn shape(segments: &[Segment]) -> String {
    let mut shape = String::new();
    for segment in segments {
        shape.push('/');
        match segment {
            Segment::Fixed(word) => shape.push_str(word),
            Segment::Parameter(_) => shape.push_str("{}"),
            Segment::Part(text) => {
                let mut inside = false;
                for letter in text.chars() {
                    inside = letter == '{' || inside && letter != '}';
                    if !inside || letter == '{' {
                        shape.push(letter);
                    }
                }
            }
        }
    }
    shape
}

/// Reads a path of a description; `None` where rules cannot have it.
pub(super) fn segments_of(path: &str) -> Option<Vec<Segment>> {
    let path = path.strip_prefix('/')?;
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut segments = Vec::new();
    for part in path.split('/').filter(|_| !path.is_empty()) {
        segments.push(segment_of(part)?);
    }
    (segments.len() <= DEEPEST).then_some(segments)
}

fn segment_of(part: &str) -> Option<Segment> {
    let plain = |text: &str| {
        !text.contains(['{', '}', '?', '#', '"', '\\', '|', '%', ' ']) && !text.chars().any(char::is_control)
    };
    if part.is_empty() || part.len() > LONGEST {
        return None;
    }
    if plain(part) {
        return Some(Segment::Fixed(part.to_owned()));
    }
    if let Some(name) = part.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).filter(|name| plain(name)) {
        return Some(Segment::Parameter(parameter_name(name)));
    }
    let (mut text, mut rest, mut names) = (String::new(), part, 0);
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        // Nothing between two parameters: where one ends, nobody could tell.
        if !plain(before) || !plain(name) || (before.is_empty() && names > 0) {
            return None;
        }
        names += 1;
        text.push_str(&format!("{before}{{{}}}", parameter_name(name)));
        rest = after;
    }
    plain(rest).then(|| Segment::Part(text + rest))
}

/// A parameter's name as templates can have it.
fn parameter_name(name: &str) -> String {
    let mut letters = name.bytes();
    let begins = letters.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if begins && letters.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') && name.len() <= 48 {
        return name.to_owned();
    }
    words::name_of(name).unwrap_or_else(|| "id".to_owned())
}

/// Makes one of what is one: the same parameter has one name in all templates, two operations of one shape are one,
/// and what begins most templates as a workspace is called so.
/// What comes back are routes that name a parameter twice.
pub(super) fn normalise(operations: &mut Vec<Operation>) -> Vec<String> {
    let workspace = workspace_of(operations);
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for operation in operations.iter_mut() {
        let mut used: BTreeSet<String> = BTreeSet::new();
        let shapes: Vec<String> =
            (0..operation.segments.len()).map(|at| shape(operation.segments.get(..=at).unwrap_or_default())).collect();
        let mut before = String::new();
        for (segment, shape) in operation.segments.iter_mut().zip(shapes) {
            match segment {
                Segment::Fixed(word) => before = words::singular(&words::name_of(word).unwrap_or_default()),
                Segment::Parameter(name) => {
                    let first = names.entry(shape.clone()).or_insert_with(|| {
                        let wished = if workspace.as_ref() == Some(&shape) { "workspace" } else { name.as_str() };
                        free(wished, &before, &used)
                    });
                    name.clone_from(first);
                    used.insert(name.clone());
                }
                Segment::Part(text) => {
                    for name in text.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
                        used.insert(name.to_owned());
                    }
                }
            }
        }
    }
    let (mut seen, mut odd) = (BTreeSet::new(), Vec::new());
    operations.retain(|operation| {
        let text = text(&operation.segments);
        let names: Vec<&str> = text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        let repeats = names.iter().collect::<BTreeSet<_>>().len() < names.len();
        if repeats && operation.changes() {
            odd.push(operation.route());
        }
        !repeats && seen.insert((operation.method.clone(), shape(&operation.segments)))
    });
    odd
}

/// A name that the path does not have yet.
fn free(wished: &str, before: &str, used: &BTreeSet<String>) -> String {
    let more = [wished.to_owned(), before.to_owned(), format!("{before}_{wished}")];
    let numbered = (2..100).map(|number| format!("{wished}_{number}"));
    let mut all = more.into_iter().filter(|name| !name.is_empty() && !name.starts_with('_')).chain(numbered);
    all.find(|name| !used.contains(name)).unwrap_or_else(|| wished.to_owned())
}

/// The shape of the workspace's address, where it begins most templates.
fn workspace_of(operations: &[Operation]) -> Option<String> {
    let shapes: BTreeSet<String> = operations.iter().map(|operation| shape(&operation.segments)).collect();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for shape in &shapes {
        let Some((before, _)) = shape.split_once("/{}") else { continue };
        if before.rsplit('/').next().is_some_and(|word| WORKSPACES.contains(&word)) {
            *counts.entry(format!("{before}/{{}}")).or_default() += 1;
        }
    }
    let (shape, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (count * 2 > shapes.len()).then_some(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations(routes: &[&str]) -> Vec<String> {
        let mut operations: Vec<Operation> = routes
            .iter()
            .filter_map(|route| {
                let (method, path) = route.split_once(' ')?;
                Some(Operation {
                    method: method.into(),
                    segments: segments_of(path)?,
                    summary: String::new(),
                    sample: Sample::default(),
                })
            })
            .collect();
        normalise(&mut operations);
        operations.iter().map(Operation::route).collect()
    }

    #[test]
    fn templates_of_one_shape_are_one_and_names_are_valid() {
        assert_eq!(
            operations(&[
                "GET /beds/{bed-id}",
                "PUT /beds/{id}",
                "PUT /beds/{bedId}",
                "DELETE /beds/{id}/plants/{bed_id}",
                "POST /files/{name}.json",
                "POST /a b",
                "POST /x//y",
                "POST /{a}{b}",
            ]),
            [
                "GET /beds/{bed_id}",
                "PUT /beds/{bed_id}",
                "DELETE /beds/{bed_id}/plants/{plant}",
                "POST /files/{name}.json"
            ]
        );
    }

    #[test]
    fn what_begins_most_templates_as_a_workspace_is_called_so() {
        assert_eq!(
            operations(&["GET /v1/orgs/{org}/beds", "PUT /v1/orgs/{org}/beds/{id}", "POST /login"]),
            ["GET /v1/orgs/{workspace}/beds", "PUT /v1/orgs/{workspace}/beds/{id}", "POST /login"]
        );
        assert_eq!(
            operations(&["GET /orgs/{org}", "PUT /beds/{id}", "POST /login"]),
            ["GET /orgs/{org}", "PUT /beds/{id}", "POST /login"]
        );
    }
}
