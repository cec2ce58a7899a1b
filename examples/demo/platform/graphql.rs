//! The GraphQL endpoint: a few of the same actions. Always 200, errors beside
//! the data, several aliased fields in one request, batches.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use serde_json::{Map, Value, json};

use super::answer::{Answer, Refusal, json, text_of};
use super::auth::{Caller, Role, who};
use super::graphql_text::{Field, Operation, parse};
use super::variables::{changed_variable, new_secret, new_variable};
use super::world::{Platform, World};

pub(crate) fn routes() -> Router<Platform> {
    Router::new().route("/graphql", post(endpoint))
}

async fn endpoint(State(platform): State<Platform>, headers: HeaderMap, body: String) -> Answer {
    let body: Value = serde_json::from_str(&body).map_err(|error| Refusal::bad(format!("not JSON: {error}")))?;
    let mut world = platform.world();
    who(&headers, &world)?;
    let answer = match &body {
        Value::Array(batch) => batch.iter().map(|one| execute(&mut world, &headers, one)).collect(),
        one => execute(&mut world, &headers, one),
    };
    Ok(ok(&answer))
}

fn ok(body: &Value) -> Response {
    json(StatusCode::OK, body)
}

/// Runs one operation of a request and gives `{"data": …, "errors": …}`.
fn execute(world: &mut World, headers: &HeaderMap, request: &Value) -> Value {
    let text = request.get("query").and_then(Value::as_str).unwrap_or_default();
    let empty = json!({});
    let variables = request.get("variables").unwrap_or(&empty);
    let Operation { mutation, fields } = match parse(text, variables) {
        Ok(operation) => operation,
        Err(message) => return json!({"errors": [{"message": message}]}),
    };
    let mut data = Map::new();
    let mut errors = Vec::new();
    for field in fields {
        let result = resolve(world, headers, mutation, &field);
        data.insert(
            field.alias.clone(),
            result.unwrap_or_else(|refusal| {
                errors.push(json!({"message": refusal.detail(), "path": [field.alias]}));
                Value::Null
            }),
        );
    }
    if errors.is_empty() { json!({"data": data}) } else { json!({"data": data, "errors": errors}) }
}

fn resolve(world: &mut World, headers: &HeaderMap, mutation: bool, field: &Field) -> Result<Value, Refusal> {
    let workspace = text_of(&field.arguments, "workspace")?;
    let caller = Caller::of(headers, workspace, world)?;
    let mut arguments = field.arguments.clone();
    arguments.remove("workspace");
    let thing = match (mutation, field.name.as_str()) {
        (false, "variables") => {
            let things = world.workspace(workspace)?.all("variables").values();
            return Ok(things.map(|thing| pick(field, thing)).collect());
        }
        (true, "createVariable") => new_variable(world, &caller, arguments)?,
        (true, "updateVariable") => {
            let id = text_of(&arguments, "id")?.to_owned();
            changed_variable(world, &caller, &id, arguments)?
        }
        (true, "createSecret") => new_secret(world, &caller, &arguments)?,
        (true, "deleteVariable") => return deleted(world, &caller, "variables", Role::Editor, field),
        (true, "deleteSecret") => return deleted(world, &caller, "secrets", Role::Admin, field),
        (_, name) => return Err(Refusal::bad(format!("there is no field `{name}`"))),
    };
    Ok(pick(field, &thing))
}

fn deleted(
    world: &mut World,
    caller: &Caller,
    many: &'static str,
    role: Role,
    field: &Field,
) -> Result<Value, Refusal> {
    caller.needs(role)?;
    let id = text_of(&field.arguments, "id")?;
    let gone = world.workspace(&caller.workspace)?.all(many).remove(id);
    gone.map(|_| Value::Bool(true)).ok_or_else(|| Refusal::not_found(many.trim_end_matches('s'), id))
}

/// The fields that were asked for.
fn pick(field: &Field, thing: &Map<String, Value>) -> Value {
    let asked = field.selection.iter();
    Value::Object(asked.map(|name| (name.clone(), thing.get(name).cloned().unwrap_or_default())).collect())
}
