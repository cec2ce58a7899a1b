//! Issues, and the conversations that they are about.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, patch, post};
use serde_json::{Value, json};

use super::answer::{Answer, Input, Refusal, download, json, made, shown};
use super::auth::{Caller, Role};
use super::collection::{self, lay_over, readable};
use super::world::{Platform, Thing};

pub(crate) fn routes() -> Router<Platform> {
    readable("issues", "issue")
        .route("/issues", post(create))
        .route("/issues/{id}", patch(edit).delete(delete))
        .route("/issues/{id}/comments", post(comment))
        .merge(readable("conversations", "conversation"))
        .route("/conversations/search", post(search))
        .route("/conversations/{id}/takeover", post(take_over))
        .route("/conversation-logs/export", get(export_logs).post(export_logs))
}

async fn create(caller: Caller, State(platform): State<Platform>, input: Input) -> Answer {
    caller.needs(Role::Editor)?;
    input.text("subject")?;
    let mut world = platform.world();
    let id = world.next_id();
    let workspace = world.workspace(&caller.workspace)?;
    workspace.last_issue += 1;
    let prefix = workspace.settings.get("issuePrefix").and_then(Value::as_str).unwrap_or("X");
    let identifier = format!("{prefix}-{}", workspace.last_issue);
    let mut fields = input.0;
    fields.insert("identifier".to_owned(), json!(identifier));
    made("issue", &workspace.add("issues", id, Value::Object(fields)))
}

async fn edit(
    caller: Caller,
    State(platform): State<Platform>,
    Path((_, id)): Path<(String, String)>,
    Input(sent): Input,
) -> Answer {
    caller.needs(Role::Editor)?;
    let mut world = platform.world();
    let issue = world.workspace(&caller.workspace)?.one("issues", &id)?;
    lay_over(issue, sent);
    shown("issue", issue)
}

async fn delete(caller: Caller, State(platform): State<Platform>, Path((_, id)): Path<(String, String)>) -> Answer {
    collection::delete(&platform, &caller, "issues", &id, Role::Editor)
}

async fn comment(
    caller: Caller,
    State(platform): State<Platform>,
    Path((_, id)): Path<(String, String)>,
    input: Input,
) -> Answer {
    input.text("text")?;
    let mut world = platform.world();
    world.workspace(&caller.workspace)?.one("issues", &id)?;
    Ok(json(StatusCode::CREATED, &json!({"comment": {"id": world.next_id().to_string()}})))
}

async fn search(caller: Caller, State(platform): State<Platform>, input: Input) -> Answer {
    let text = input.text("text")?.to_lowercase();
    let mut world = platform.world();
    let all = world.workspace(&caller.workspace)?.all("conversations").values();
    let found: Vec<&Thing> =
        all.filter(|one| Value::Object((*one).clone()).to_string().to_lowercase().contains(&text)).collect();
    Ok(json(StatusCode::OK, &json!({"conversations": found})))
}

async fn take_over(caller: Caller, State(platform): State<Platform>, Path((_, id)): Path<(String, String)>) -> Answer {
    caller.needs(Role::Editor)?;
    let mut world = platform.world();
    let conversation = world.workspace(&caller.workspace)?.one("conversations", &id)?;
    if conversation.get("status").and_then(Value::as_str) == Some("in_progress") {
        return Err(Refusal::conflict("somebody has taken over this chat already"));
    }
    conversation.insert("status".to_owned(), json!("in_progress"));
    conversation.insert("operator".to_owned(), json!({"id": caller.person.id, "email": caller.person.email}));
    shown("conversation", conversation)
}

async fn export_logs(caller: Caller) -> Answer {
    caller.needs(Role::Editor)?;
    let mut pieces = vec![Bytes::from_static(b"conversation,from,text\r\n")];
    pieces.extend((0..50).map(|line| Bytes::from(format!("1734638990,visitor,\"message {line}\"\r\n"))));
    download("text/csv; charset=utf-8", "conversation-logs.csv", pieces)
}
