//! Variables and secrets. A secret's value comes in and never goes out again.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{patch, post};
use serde_json::{Value, json};

use super::answer::{Answer, Input, Refusal, made, shown, text_of};
use super::auth::{Caller, Role};
use super::collection::{self, lay_over, readable};
use super::world::{Platform, Thing, World};

pub(crate) fn routes() -> Router<Platform> {
    readable("variables", "variable")
        .route("/variables", post(add_variable))
        .route("/variables/{id}", patch(edit_variable).delete(delete_variable))
        .merge(readable("secrets", "secret"))
        .route("/secrets", post(add_secret))
        .route("/secrets/{id}", axum::routing::delete(delete_secret))
        .route("/secrets/{id}/value", axum::routing::get(never_readable))
}

async fn add_variable(caller: Caller, State(platform): State<Platform>, Input(sent): Input) -> Answer {
    made("variable", &new_variable(&mut platform.world(), &caller, sent)?)
}

async fn edit_variable(
    caller: Caller,
    State(platform): State<Platform>,
    Path((_, id)): Path<(String, String)>,
    Input(sent): Input,
) -> Answer {
    shown("variable", &changed_variable(&mut platform.world(), &caller, &id, sent)?)
}

async fn delete_variable(
    caller: Caller,
    State(platform): State<Platform>,
    Path((_, id)): Path<(String, String)>,
) -> Answer {
    collection::delete(&platform, &caller, "variables", &id, Role::Editor)
}

async fn add_secret(caller: Caller, State(platform): State<Platform>, Input(sent): Input) -> Answer {
    made("secret", &new_secret(&mut platform.world(), &caller, &sent)?)
}

async fn delete_secret(
    caller: Caller,
    State(platform): State<Platform>,
    Path((_, id)): Path<(String, String)>,
) -> Answer {
    collection::delete(&platform, &caller, "secrets", &id, Role::Admin)
}

async fn never_readable(_caller: Caller) -> Answer {
    Err(Refusal::forbidden("a secret's value cannot be read"))
}

/// Makes a variable; REST and GraphQL alike.
pub(crate) fn new_variable(world: &mut World, caller: &Caller, sent: Thing) -> Result<Thing, Refusal> {
    caller.needs(Role::Editor)?;
    let name = text_of(&sent, "name")?.to_owned();
    if !name.starts_with(|first: char| first.is_alphabetic()) {
        return Err(Refusal::bad("a name begins with a letter"));
    }
    let id = world.next_id();
    let workspace = world.workspace(&caller.workspace)?;
    if workspace.has("variables", "name", &name) {
        return Err(Refusal::conflict(format!("there is a variable `{name}` already")));
    }
    Ok(workspace.add("variables", id, Value::Object(sent)))
}

/// Changes a variable; REST and GraphQL alike.
pub(crate) fn changed_variable(world: &mut World, caller: &Caller, id: &str, sent: Thing) -> Result<Thing, Refusal> {
    caller.needs(Role::Editor)?;
    let variable = world.workspace(&caller.workspace)?.one("variables", id)?;
    lay_over(variable, sent);
    Ok(variable.clone())
}

/// Makes a secret; REST and GraphQL alike. The sample forgets the value at once.
pub(crate) fn new_secret(world: &mut World, caller: &Caller, sent: &Thing) -> Result<Thing, Refusal> {
    caller.needs(Role::Admin)?;
    let name = text_of(sent, "name")?.to_owned();
    text_of(sent, "value")?;
    let visibility = sent.get("visibility").and_then(Value::as_str).unwrap_or("masked").to_owned();
    let id = world.next_id();
    let workspace = world.workspace(&caller.workspace)?;
    if workspace.has("secrets", "name", &name) {
        return Err(Refusal::conflict(format!("there is a secret `{name}` already")));
    }
    Ok(workspace.add("secrets", id, json!({"name": name, "visibility": visibility})))
}
