//! Publishing a workspace: from one environment to the next.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::json;

use super::answer::{Answer, Input, Refusal, json};
use super::auth::{Caller, Role};
use super::world::Platform;

pub(crate) fn routes() -> Router<Platform> {
    Router::new().route("/publish", post(publish))
}

async fn publish(caller: Caller, State(platform): State<Platform>, input: Input) -> Answer {
    caller.needs(Role::Admin)?;
    let (from, environment) = match input.text("target")? {
        "next" => ("uat", "staging"),
        "production" => ("staging", "production"),
        other => return Err(Refusal::bad(format!("there is no environment `{other}`"))),
    };
    let mut world = platform.world();
    let workspace = world.workspace(&caller.workspace)?;
    if environment == "production" && workspace.version == 40 {
        return Err(Refusal::conflict("nothing is on staging yet"));
    }
    workspace.version += 1;
    let id = format!("pub_{}", workspace.version);
    let body = json!({"id": id, "from": from, "environment": environment, "version": workspace.version});
    Ok(json(StatusCode::OK, &json!({"publication": body})))
}
