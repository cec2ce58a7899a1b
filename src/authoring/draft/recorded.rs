//! A recording's requests as operations: ids are folded into parameters, the best exchange of each is its sample.
//!
//! Secrets are taken out here: nothing behind this module has seen them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::body::{IDS, label};
use super::route::{Operation, Sample, Segment, segments_of};
use super::{clean, words};
use crate::exchange::{Body, Exchange};
use crate::ledger::fold;

/// How deep a body is looked at.
const DEPTH: usize = 6;
/// A body of more than this is not looked at: copies end there.
const LARGEST: usize = 256 * 1024;
/// Endings of what a page is made of.
const ASSETS: [&str; 14] = [
    ".js", ".css", ".map", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".ico", ".woff", ".woff2", ".ttf", ".webp", ".html",
];

/// What a recording gives.
#[derive(Default)]
pub(super) struct Recorded {
    pub(super) operations: Vec<Operation>,
    /// Requests to other hosts, and those that no server knew.
    pub(super) elsewhere: usize,
    /// Routes that rules cannot have.
    pub(super) odd: Vec<String>,
}

/// The operations of a recording. `taken` says which exchanges are calls of an endpoint.
pub(super) fn operations(exchanges: &[Exchange], taken: &HashSet<usize>) -> Recorded {
    let mut recorded = Recorded::default();
    let host = host_of(exchanges);
    let mut looked: Vec<(&Exchange, Value)> = Vec::new();
    for (at, exchange) in exchanges.iter().enumerate() {
        let path = exchange.request.path();
        let counts = crate::ledger::Ledger::counts(&exchange.request.method);
        let known = exchange.response.as_ref().is_some_and(|response| ![404, 405, 501].contains(&response.status));
        if exchange.request.headers.first("host") != host.as_deref() || !known {
            recorded.elsewhere += usize::from(counts);
        } else if !taken.contains(&at) && !ASSETS.iter().any(|end| path.ends_with(end)) {
            let output = exchange.response.as_ref().and_then(|response| json(&response.body)).unwrap_or_default();
            if counts || !output.is_null() {
                looked.push((exchange, output));
            }
        }
    }
    let known = ids_in_answers(&looked);
    let mut best: BTreeMap<(String, String), (usize, Operation)> = BTreeMap::new();
    let mut order = Vec::new();
    for (exchange, output) in looked {
        let method = exchange.request.method.clone();
        let Some((segments, path)) = template(exchange.request.path(), &known) else {
            recorded.odd.push(format!("{method} {}", clean::text(exchange.request.path())));
            continue;
        };
        let sample = sample(exchange, output, path);
        let worth = worth(&sample);
        let key = (method.clone(), super::route::shape(&segments));
        let operation = Operation { method, segments, summary: String::new(), sample };
        match best.get_mut(&key) {
            Some(known) if known.0 >= worth => {}
            Some(known) => *known = (worth, operation),
            None => {
                order.push(key.clone());
                best.insert(key, (worth, operation));
            }
        }
    }
    recorded.operations = order.iter().filter_map(|key| Some(best.remove(key)?.1)).collect();
    recorded.odd.sort();
    recorded.odd.dedup();
    recorded
}

/// The host that is asked to change the most: the platform, and nobody who only counts visitors.
fn host_of(exchanges: &[Exchange]) -> Option<String> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for exchange in exchanges {
        let Some(host) = exchange.request.headers.first("host") else { continue };
        let answered = exchange.response.as_ref().and_then(|response| response.headers.first("content-type"));
        let is_json = answered.is_some_and(|kind| kind.contains("json"));
        let paths = counts.entry(host).or_default();
        paths.0 += usize::from(is_json);
        paths.1 += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(host, _)| host.to_owned())
}

fn json(body: &Body) -> Option<Value> {
    if body.content.is_empty() || body.content.len() > LARGEST {
        return None;
    }
    serde_json::from_slice(&body.content).ok().filter(|value: &Value| value.is_object() || value.is_array())
}

/// How much a sample tells: a success before a failure, more fields before fewer, not beyond measure.
fn worth(sample: &Sample) -> usize {
    let succeeded = usize::from((200..400).contains(&sample.status)) * 1_000;
    let fields = |value: &Value| match value {
        Value::Object(fields) => fields.len().min(100),
        Value::Array(elements) => elements.len().min(5) + 1,
        _ => 0,
    };
    succeeded + fields(&sample.output) + fields(&sample.input)
}

/// The words that answers of a path show as ids of what is in it: `/tags` shows `red`, so `/tags/red` is one of them.
fn ids_in_answers(looked: &[(&Exchange, Value)]) -> HashSet<(String, String)> {
    let mut known = HashSet::new();
    for (exchange, output) in looked {
        let path = folded(exchange.request.path());
        for object in super::body::objects(output) {
            for (name, value) in object {
                let is_id = IDS.contains(&name.to_lowercase().as_str()) || name == "name";
                if let Some(id) = label(value).filter(|id| is_id && id.len() <= 100 && id.parse::<u64>().is_err()) {
                    known.insert((path.clone(), id));
                }
            }
        }
    }
    known
}

fn folded(path: &str) -> String {
    let path = path.trim_end_matches('/');
    path.split('/')
        .map(|segment| if fold(segment).starts_with('{') { "{}" } else { segment })
        .collect::<Vec<_>>()
        .join("/")
}

/// The template of a path and its segments as they were sent, without secrets.
fn template(path: &str, known: &HashSet<(String, String)>) -> Option<(Vec<Segment>, Vec<String>)> {
    let path = path.trim_end_matches('/');
    let (mut segments, mut sent, mut before, mut collection) = (Vec::new(), Vec::new(), String::new(), String::new());
    let mut used: BTreeSet<String> = BTreeSet::new();
    for part in path.split('/').skip(1) {
        let text = percent_decode_str(part).decode_utf8().ok()?.into_owned();
        let is_id = fold(part).starts_with('{')
            || text.contains(['{', '}'])
            || known.contains(&(before.clone(), text.clone()))
                && segments.last().is_some_and(|last| matches!(last, Segment::Fixed(_)));
        if is_id {
            let workspace = ["workspaces", "orgs", "organizations", "tenants"].contains(&collection.as_str());
            let singular = words::name_of(&words::singular(&collection)).unwrap_or_else(|| "id".to_owned());
            let first = used.iter().all(|name| name == "workspace");
            let wished = if workspace {
                "workspace"
            } else if first {
                "id"
            } else {
                singular.as_str()
            };
            let numbered = (2..50).map(|number| format!("{wished}_{number}"));
            let name = std::iter::once(wished.to_owned()).chain(numbered).find(|name| !used.contains(name))?;
            used.insert(name.clone());
            segments.push(Segment::Parameter(name));
            before.push_str("/{}");
            let clean = clean::text(&text);
            let kept = if clean == text { part.to_owned() } else { clean.replace([' ', '/', '?', '#', '%'], "-") };
            sent.push(kept);
        } else {
            // One fixed segment, in the form in which templates hold it.
            segments.extend(segments_of(&format!("/{text}")).filter(|one| one.len() == 1)?);
            before.push('/');
            before.push_str(part);
            sent.push(part.to_owned());
            collection = words::name_of(&text).unwrap_or_default();
        }
    }
    (segments.len() <= 20).then_some((segments, sent))
}

fn sample(exchange: &Exchange, output: Value, path: Vec<String>) -> Sample {
    let body = &exchange.request.body;
    let kind = exchange.request.headers.first("content-type").unwrap_or_default();
    let mut sample = Sample { path, recorded: true, ..Sample::default() };
    sample.status = exchange.response.as_ref().map_or(0, |response| response.status);
    sample.output = clean::body(&output, DEPTH);
    sample.files = body.parts.iter().filter_map(|part| part.filename.as_deref()).map(clean::text).take(3).collect();
    let fields = if kind.contains("urlencoded") {
        sample.is_form = true;
        let pairs = url::form_urlencoded::parse(&body.content).take(100);
        pairs.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))).collect::<Map<_, _>>()
    } else {
        sample.is_form = !body.parts.is_empty();
        let plain = body.parts.iter().filter_map(|part| Some((part.field.clone(), Value::from(part.text.clone()?))));
        plain.take(100).collect()
    };
    let input = if fields.is_empty() { json(body).unwrap_or_default() } else { Value::Object(fields) };
    sample.input = clean::body(&input, DEPTH);
    sample
}
