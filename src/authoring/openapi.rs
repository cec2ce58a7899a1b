//! An API's description (OpenAPI 3.0 or 3.1, JSON or YAML) as its operations.
//!
//! Only what rules need is read: methods, paths, parameters, bodies. `$ref`s
//! inside the document are followed; others are not, and mean "anything".

use std::path::Path;

use serde_json::Value;

/// The methods of a path item (OpenAPI 3.1 §4.8.9).
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
/// `$ref`s that lead to each other are given up after so many.
const REFERENCES: usize = 32;

/// Why a description cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OpenApiError {
    /// The file.
    #[error("the description cannot be read")]
    File(#[from] std::io::Error),
    /// Neither JSON nor YAML.
    #[error("the description is neither JSON nor YAML: {0}")]
    Syntax(String),
    /// Some other document.
    #[error("`{0}` is missing: an OpenAPI description (3.0 or 3.1) has it")]
    NotOpenApi(&'static str),
    /// Another version.
    #[error("OpenAPI {0} is not read: 3.0 and 3.1 are")]
    Version(String),
}

/// A description.
#[derive(Debug)]
pub struct Description {
    root: Value,
    /// What stands before every path: the path of the first server.
    pub prefix: String,
}

/// One operation of a description.
#[derive(Debug)]
pub struct Operation<'a> {
    /// `DELETE`
    pub method: String,
    /// The path with the prefix: `/api/documents/{id}`.
    pub path: String,
    /// The operation itself.
    pub object: &'a Value,
    item: &'a Value,
    description: &'a Description,
}

impl Description {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Description, OpenApiError> {
        Description::parse(&std::fs::read_to_string(path)?)
    }

    /// Reads a text.
    pub fn parse(text: &str) -> Result<Description, OpenApiError> {
        let text = text.trim_start_matches('\u{feff}');
        let root: Value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| OpenApiError::Syntax(error.to_string()))?
        } else {
            yaml(text)?
        };
        // In YAML an unquoted 3.0 is a number.
        let version = match root.get("openapi") {
            Some(Value::String(version)) => version.clone(),
            Some(Value::Number(version)) => version.to_string(),
            _ if root.get("swagger").is_some() => return Err(OpenApiError::Version("2 (Swagger)".to_owned())),
            _ => return Err(OpenApiError::NotOpenApi("openapi")),
        };
        if !version.starts_with("3.") {
            return Err(OpenApiError::Version(version));
        }
        if !root.get("paths").is_some_and(Value::is_object) {
            return Err(OpenApiError::NotOpenApi("paths"));
        }
        let server = root.pointer("/servers/0/url").and_then(Value::as_str).unwrap_or_default();
        Ok(Description { prefix: path_of(server), root })
    }

    /// All operations, in the document's order.
    pub fn operations(&self) -> Vec<Operation<'_>> {
        let mut operations = Vec::new();
        let paths = self.root.get("paths").and_then(Value::as_object);
        for (path, item) in paths.into_iter().flatten() {
            let item = self.resolve(item);
            for method in METHODS {
                let Some(object) = item.get(method) else { continue };
                operations.push(Operation {
                    method: method.to_uppercase(),
                    path: format!("{}{}", self.prefix, path.split('?').next().unwrap_or_default()),
                    object,
                    item,
                    description: self,
                });
            }
        }
        operations
    }

    /// What a `$ref` points at; other values are themselves.
    pub fn resolve<'a>(&'a self, mut value: &'a Value) -> &'a Value {
        for _ in 0..REFERENCES {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else { return value };
            let Some(found) = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)) else {
                return &Value::Null;
            };
            value = found;
        }
        &Value::Null
    }
}

impl<'a> Operation<'a> {
    /// The schema of a path's parameter.
    pub fn parameter(&self, name: &str) -> Option<&'a Value> {
        let lists = [self.object, self.item].map(|holder| holder.get("parameters").and_then(Value::as_array));
        let mut all = lists.into_iter().flatten().flatten().map(|parameter| self.description.resolve(parameter));
        let is = |parameter: &&Value, key: &str, value: &str| parameter.get(key).and_then(Value::as_str) == Some(value);
        let found = all.find(|parameter| is(parameter, "in", "path") && is(parameter, "name", name))?;
        found.get("schema").map(|schema| self.description.resolve(schema))
    }

    /// A path that this operation answers to.
    pub fn sample(&self) -> String {
        let mut sample = String::new();
        let mut rest = self.path.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            sample.push_str(before);
            sample.push_str(&self.parameter(name).map_or_else(|| "1".to_owned(), sample_of));
            rest = after;
        }
        sample + rest
    }
}

fn yaml(text: &str) -> Result<Value, OpenApiError> {
    serde_saphyr::from_str(text).map_err(|error| {
        // Its second line begins the picture of the place.
        OpenApiError::Syntax(error.to_string().lines().next().unwrap_or_default().to_owned())
    })
}

/// A value of a simple schema, as it stands in a path.
fn sample_of(schema: &Value) -> String {
    let example =
        [schema.get("example"), schema.pointer("/examples/0"), schema.pointer("/enum/0"), schema.get("default")];
    for value in example.into_iter().flatten() {
        match value {
            Value::String(text) if !text.is_empty() && !text.contains(['/', '{', '?', '#', ' ']) => {
                return text.clone();
            }
            Value::Number(number) => return number.to_string(),
            _ => {}
        }
    }
    let word = |key: &str| schema.get(key).and_then(Value::as_str);
    match (word("type"), word("format")) {
        (_, Some("uuid")) => "0190b2f0-7c1e-7000-8000-000000000001".to_owned(),
        (_, Some("date")) => "2026-01-31".to_owned(),
        (_, Some("email")) => "anna@example.com".to_owned(),
        (Some("string"), _) => "abc".to_owned(),
        _ => "1".to_owned(),
    }
}

/// The path of a server's address, without a slash at its end. Variables in it mean nothing to us.
fn path_of(server: &str) -> String {
    let path = match server.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or_default(),
        None => server,
    };
    let path = path.trim_end_matches('/');
    if path.starts_with('/') && !path.contains('{') { path.to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r##"
openapi: 3.1.0
servers: [{ url: "https://api.example.com/v2/" }]
paths:
  /beds/{bed}/plants/{id}:
    parameters:
      - { name: bed, in: path, required: true, schema: { $ref: "#/components/schemas/Bed" } }
    get: { operationId: seePlant }
    delete:
      operationId: pullPlant
      parameters:
        - { name: id, in: path, required: true, schema: { type: string, format: uuid } }
  /beds: { $ref: "#/components/pathItems/Beds" }
components:
  schemas:
    Bed: { type: string, enum: [north, south] }
    Loop: { $ref: "#/components/schemas/Loop" }
  pathItems:
    Beds:
      post: { summary: Lay a bed }
"##;

    #[test]
    fn a_description_is_a_list_of_operations() {
        let description = Description::parse(TEXT).unwrap();
        let shown: Vec<String> = description
            .operations()
            .iter()
            .map(|one| format!("{} {} {}", one.method, one.path, one.sample()))
            .collect();
        assert_eq!(
            shown,
            [
                "GET /v2/beds/{bed}/plants/{id} /v2/beds/north/plants/1",
                "DELETE /v2/beds/{bed}/plants/{id} /v2/beds/north/plants/0190b2f0-7c1e-7000-8000-000000000001",
                "POST /v2/beds /v2/beds",
            ]
        );
        let looped = serde_json::json!({ "$ref": "#/components/schemas/Loop" });
        assert!(description.resolve(&looped).is_null());
    }

    #[test]
    fn what_is_no_description_is_refused() {
        let why = |text: &str| Description::parse(text).unwrap_err().to_string();
        assert_eq!(why("{\"a\": 1}"), "`openapi` is missing: an OpenAPI description (3.0 or 3.1) has it");
        assert_eq!(why("swagger: '2.0'"), "OpenAPI 2 (Swagger) is not read: 3.0 and 3.1 are");
        assert_eq!(why("openapi: 3.0.1"), "`paths` is missing: an OpenAPI description (3.0 or 3.1) has it");
        assert!(why("{\"a\":").starts_with("the description is neither JSON nor YAML"));
        assert!(why("a: [").starts_with("the description is neither JSON nor YAML"));
    }
}
