//! Settings: the workspace's own, handover, web chat, agents.

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post, put};
use serde_json::{Value, json};

use super::answer::{Answer, Input, Refusal, json, shown};
use super::auth::{Caller, Role};
use super::collection::lay_over;
use super::documents::file_names;
use super::world::{Platform, Thing};

pub(crate) fn routes() -> Router<Platform> {
    Router::new()
        .route("/", get(read_workspace).patch(edit_workspace))
        .route("/handover", get(read_handover).patch(edit_handover))
        .route("/handover/closing-days", put(edit_handover))
        .route("/web-chat", get(read_web_chat).put(edit_web_chat))
        .route("/web-chat/images", post(upload_image))
        .route("/agent-settings", get(read_agent_settings).patch(edit_agent_settings))
        .route("/agent-settings/sections/{section}", put(edit_section))
}

async fn read_workspace(caller: Caller, State(platform): State<Platform>) -> Answer {
    shown("workspace", &platform.world().workspace(&caller.workspace)?.settings)
}

async fn edit_workspace(caller: Caller, State(platform): State<Platform>, Input(sent): Input) -> Answer {
    caller.needs(Role::Admin)?;
    let mut world = platform.world();
    if let Some(slug) = sent.get("slug") {
        let others = world.workspaces.iter().filter(|(id, _)| **id != caller.workspace);
        if others.into_iter().any(|(_, other)| other.settings.get("slug") == Some(slug)) {
            return Err(Refusal::conflict("another workspace has this URL"));
        }
    }
    let workspace = world.workspace(&caller.workspace)?;
    lay_over(&mut workspace.settings, sent);
    shown("workspace", &workspace.settings)
}

async fn read_handover(caller: Caller, State(platform): State<Platform>) -> Answer {
    read(&caller, &platform, "handover")
}

async fn edit_handover(caller: Caller, State(platform): State<Platform>, Input(sent): Input) -> Answer {
    if sent.get("enabled").is_some_and(|enabled| !enabled.is_boolean()) {
        return Err(Refusal::bad("`enabled` is true or false"));
    }
    edit(&caller, &platform, "handover", sent)
}

async fn read_web_chat(caller: Caller, State(platform): State<Platform>) -> Answer {
    read(&caller, &platform, "webChat")
}

async fn edit_web_chat(caller: Caller, State(platform): State<Platform>, Input(sent): Input) -> Answer {
    edit(&caller, &platform, "webChat", sent)
}

async fn upload_image(caller: Caller, headers: HeaderMap, body: Body) -> Answer {
    caller.needs(Role::Admin)?;
    let names = file_names(&headers, body).await?;
    Ok(json(StatusCode::CREATED, &json!({"images": names})))
}

async fn read_agent_settings(caller: Caller, State(platform): State<Platform>) -> Answer {
    read(&caller, &platform, "agentSettings")
}

async fn edit_agent_settings(caller: Caller, State(platform): State<Platform>, Input(sent): Input) -> Answer {
    edit(&caller, &platform, "agentSettings", sent)
}

async fn edit_section(
    caller: Caller,
    State(platform): State<Platform>,
    Path((_, section)): Path<(String, String)>,
    Input(sent): Input,
) -> Answer {
    let mut whole = Thing::new();
    whole.insert(section, Value::Object(sent));
    edit(&caller, &platform, "agentSettings", whole)
}

fn read(caller: &Caller, platform: &Platform, name: &'static str) -> Answer {
    let mut world = platform.world();
    shown(name, world.workspace(&caller.workspace)?.single.entry(name).or_default())
}

fn edit(caller: &Caller, platform: &Platform, name: &'static str, sent: Thing) -> Answer {
    caller.needs(Role::Admin)?;
    let mut world = platform.world();
    let thing = world.workspace(&caller.workspace)?.single.entry(name).or_default();
    lay_over(thing, sent);
    shown(name, thing)
}
