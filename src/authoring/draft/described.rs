//! A description's operations, each with a sample made from its schemas and examples.

use serde_json::{Map, Value};

use super::clean;
use super::route::{Operation, Sample, Segment, segments_of};
use crate::authoring::openapi::{self, Description};

/// How deep a schema is followed: a name stands near the top.
const DEPTH: usize = 5;
/// Values that one sample holds at most; schemas may fan out without end.
const VALUES: usize = 600;
/// What stands for a text of which nothing else is known.
pub(super) const SOME_TEXT: &str = "text";

/// The operations, and the routes that rules cannot have.
pub(super) fn operations(description: &Description) -> (Vec<Operation>, Vec<String>) {
    let (mut operations, mut odd) = (Vec::new(), Vec::new());
    for described in description.operations() {
        let Some(segments) = segments_of(&described.path) else {
            if crate::ledger::Ledger::counts(&described.method) {
                odd.push(format!("{} {}", described.method, described.path));
            }
            continue;
        };
        let word = |key: &str| {
            let said = described.object.get(key).and_then(Value::as_str).unwrap_or_default();
            said.chars().take(160).collect::<String>()
        };
        let mut summary = word("summary");
        if summary.is_empty() {
            // The first sentence of the description is what a summary would be.
            let long = word("description");
            let first = long.split(['.', '\n']).next().unwrap_or_default();
            if first.len() < 70 {
                summary = first.to_owned();
            }
        }
        if summary.is_empty() {
            let name = super::words::words(&word("operationId"));
            let is_method =
                name.first().is_some_and(|word| ["get", "post", "put", "patch", "delete"].contains(&word.as_str()));
            if name.len() > 1 && !is_method && name.first().is_some_and(|verb| super::words::is_verb(verb)) {
                summary = name.join(" ");
            }
        }
        let sample = sample(description, &described, &segments);
        operations.push(Operation { method: described.method.clone(), segments, summary, sample });
    }
    (operations, odd)
}

fn sample(description: &Description, described: &openapi::Operation<'_>, segments: &[Segment]) -> Sample {
    let mut sample = Sample { status: 200, ..Sample::default() };
    for segment in segments {
        sample.path.push(match segment {
            Segment::Fixed(word) => word.clone(),
            Segment::Parameter(name) => parameter(described, name),
            Segment::Part(text) => text.replace(['{', '}'], ""),
        });
    }
    let maker = Maker { description };
    if let Some(body) = described.object.get("requestBody") {
        let content = description.resolve(body).get("content").and_then(Value::as_object);
        let (kind, media) = media_of(content);
        sample.is_form = kind.contains("form");
        sample.input = media.map(|media| maker.body(media)).unwrap_or_default();
    }
    let responses = described.object.get("responses").and_then(Value::as_object);
    let success = |code: &&String| code.starts_with('2');
    let code = responses.and_then(|responses| responses.keys().find(success).cloned());
    if let Some((responses, code)) = responses.zip(code.as_ref()) {
        sample.status = code.parse().unwrap_or(200);
        let response = responses.get(code).map(|response| description.resolve(response));
        let (_, media) = media_of(response.and_then(|response| response.get("content")).and_then(Value::as_object));
        sample.output = media.map(|media| maker.body(media)).unwrap_or_default();
    }
    sample
}

/// The JSON of a body's media types, else a form, else nothing.
fn media_of(content: Option<&Map<String, Value>>) -> (&str, Option<&Value>) {
    let kinds = || content.into_iter().flatten();
    let json = kinds().find(|(kind, _)| kind.contains("json") || kind.starts_with("*/*"));
    let found = json.or_else(|| kinds().find(|(kind, _)| kind.contains("form")));
    found.map_or(("", None), |(kind, media)| (kind.as_str(), Some(media)))
}

/// What stands for a parameter in a path.
fn parameter(described: &openapi::Operation<'_>, name: &str) -> String {
    let schema = described.parameter(name);
    let kind = schema.and_then(|schema| schema.get("type")).and_then(Value::as_str);
    let format = schema.and_then(|schema| schema.get("format")).and_then(Value::as_str);
    let plain = |text: &str| {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        !text.is_empty() && text.len() <= 40 && text.chars().all(fits) && clean::text(text) == text
    };
    let keys = ["/example", "/examples/0", "/enum/0", "/default"];
    let example = keys.into_iter().find_map(|key| match schema?.pointer(key)? {
        Value::String(text) if plain(text) => Some(text.clone()),
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        _ => None,
    });
    match (example, kind, format) {
        (Some(example), ..) => example,
        (None, Some("integer" | "number"), _) => "7".to_owned(),
        (None, _, Some("uuid")) => "0190b2f0-7c1e-7000-8000-000000000001".to_owned(),
        (None, Some("string"), _) => format!("{}-1", name.trim_matches('_').replace('_', "-").to_lowercase()),
        _ => "7".to_owned(),
    }
}

/// Makes values of schemas.
struct Maker<'a> {
    description: &'a Description,
}

impl Maker<'_> {
    fn body(&self, media: &Value) -> Value {
        let mut budget = VALUES;
        let made = media.get("schema").map(|schema| self.value(schema, DEPTH, &mut budget)).unwrap_or_default();
        if !made.is_null() && made != SOME_TEXT && made != Value::Object(Map::new()) {
            return made;
        }
        let example = media.get("example").or_else(|| {
            let first = media.get("examples")?.as_object()?.values().next()?;
            self.description.resolve(first).get("value")
        });
        example.map(|example| clean::body(example, DEPTH)).unwrap_or(made)
    }

    fn value(&self, schema: &Value, depth: usize, budget: &mut usize) -> Value {
        if depth == 0 || *budget == 0 {
            return Value::Null;
        }
        *budget -= 1;
        let schema = self.description.resolve(schema);
        let mut fields = Map::new();
        self.fields(schema, depth, budget, &mut fields);
        if !fields.is_empty() {
            return Value::Object(fields);
        }
        for key in ["oneOf", "anyOf", "allOf"] {
            let choices = schema.get(key).and_then(Value::as_array).into_iter().flatten();
            let made = choices.take(4).map(|choice| self.value(choice, depth, budget)).find(|made| !made.is_null());
            if let Some(made) = made {
                return made;
            }
        }
        let kind = match schema.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            // OpenAPI 3.1: `["string", "null"]`.
            Some(Value::Array(kinds)) => {
                kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default()
            }
            _ if schema.get("items").is_some() => "array",
            _ => "",
        };
        match kind {
            "array" => {
                let item = schema.get("items").map(|items| self.value(items, depth, budget)).unwrap_or_default();
                Value::Array(if item.is_null() { Vec::new() } else { vec![item] })
            }
            "integer" | "number" => Value::from(7),
            "boolean" => Value::from(true),
            "string" => text_of(schema),
            "object" => Value::Object(fields),
            _ => Value::Null,
        }
    }

    /// The properties of a schema and of all that it is made of.
    fn fields(&self, schema: &Value, depth: usize, budget: &mut usize, fields: &mut Map<String, Value>) {
        let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        for (name, property) in properties.take(200).filter(|(name, _)| name.len() <= 60) {
            if fields.contains_key(name) {
                continue;
            }
            let value = if clean::is_secret_field(name) {
                Value::from("redacted")
            } else {
                self.value(property, depth - 1, budget)
            };
            fields.insert(name.clone(), value);
        }
        let parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
        for part in parts.take(20) {
            if depth == 0 || *budget == 0 {
                return;
            }
            *budget -= 1;
            self.fields(self.description.resolve(part), depth, budget, fields);
        }
    }
}

/// A text: the example where it is short and harmless.
fn text_of(schema: &Value) -> Value {
    let example = schema.get("example").or_else(|| schema.pointer("/examples/0")).and_then(Value::as_str);
    let plain = |text: &&str| {
        !text.is_empty()
            && text.len() <= 40
            && !text.contains(['{', '}', '\\', '"', '\''])
            && clean::text(text) == **text
    };
    Value::from(example.filter(plain).unwrap_or(SOME_TEXT))
}
