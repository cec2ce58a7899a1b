//! The builder: agents and workflows. It saves on every change.

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{patch, post, put};
use serde_json::{Value, json};

use super::answer::{Answer, Input, Refusal, made, shown};
use super::auth::{Caller, Role};
use super::collection::{self, lay_over, readable};
use super::world::Platform;

/// The id of a thing in a workspace, from the path.
type Place = Path<(String, String)>;

pub(crate) fn routes() -> Router<Platform> {
    both("agents", "agent", "Untitled")
        .merge(both("workflows", "workflow", "Untitled Workflow"))
        .route("/workflows/{id}/blocks/{block}", put(save_block))
}

fn both(many: &'static str, one: &'static str, untitled: &'static str) -> Router<Platform> {
    let create = move |caller: Caller, State(platform): State<Platform>, Input(mut sent): Input| async move {
        caller.needs(Role::Editor)?;
        if sent.get("name").is_some_and(|name| name.as_str().is_none_or(str::is_empty)) {
            return Err(Refusal::bad("a name is a text that is not empty"));
        }
        sent.entry("name").or_insert_with(|| json!(untitled));
        let mut world = platform.world();
        let id = world.next_id();
        made(one, &world.workspace(&caller.workspace)?.add(many, id, Value::Object(sent)))
    };
    let edit = move |caller: Caller, State(platform): State<Platform>, Path((_, id)): Place, Input(sent): Input| async move {
        caller.needs(Role::Editor)?;
        let mut world = platform.world();
        let thing = world.workspace(&caller.workspace)?.one(many, &id)?;
        lay_over(thing, sent);
        shown(one, thing)
    };
    let delete = move |caller: Caller, State(platform): State<Platform>, Path((_, id)): Place| async move {
        collection::delete(&platform, &caller, many, &id, Role::Editor)
    };
    readable(many, one)
        .route(&format!("/{many}"), post(create))
        .route(&format!("/{many}/{{id}}"), patch(edit).delete(delete))
}

async fn save_block(
    caller: Caller,
    State(platform): State<Platform>,
    Path((_, id, block)): Path<(String, String, String)>,
    Input(sent): Input,
) -> Answer {
    caller.needs(Role::Editor)?;
    let mut world = platform.world();
    world.workspace(&caller.workspace)?.one("workflows", &id)?;
    let mut fields = sent;
    fields.insert("id".to_owned(), json!(block));
    shown("block", &fields)
}
