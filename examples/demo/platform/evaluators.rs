//! Evaluators: what rates the answers.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{get, post, put};
use serde_json::{Value, json};

use super::answer::{Answer, Input, Refusal, download, made, shown};
use super::auth::{Caller, Role};
use super::collection::{lay_over, readable};
use super::world::Platform;

pub(crate) fn routes() -> Router<Platform> {
    readable("evaluators", "evaluator")
        .route("/evaluators", post(add))
        .route("/evaluators/{id}", put(edit).patch(edit))
        .route("/evaluators/export", get(export).post(export))
}

async fn add(caller: Caller, State(platform): State<Platform>, input: Input) -> Answer {
    caller.needs(Role::Editor)?;
    let name = match input.text("kind")? {
        "builtin" => match input.text("template")? {
            "chat_success" => "Chat Success",
            "sentiment" => "Sentiment",
            other => return Err(Refusal::bad(format!("there is no template `{other}`"))),
        },
        _ => input.text("name")?,
    };
    let new = json!({
        "name": name, "type": input.0.get("type").and_then(Value::as_str).unwrap_or("score"),
        "active": false, "enabledFor": [],
    });
    let mut world = platform.world();
    let id = world.next_id();
    made("evaluator", &world.workspace(&caller.workspace)?.add("evaluators", id, new))
}

async fn edit(
    caller: Caller,
    State(platform): State<Platform>,
    Path((_, id)): Path<(String, String)>,
    Input(sent): Input,
) -> Answer {
    caller.needs(Role::Editor)?;
    let mut world = platform.world();
    let evaluator = world.workspace(&caller.workspace)?.one("evaluators", &id)?;
    lay_over(evaluator, sent);
    shown("evaluator", evaluator)
}

async fn export(caller: Caller, State(platform): State<Platform>) -> Answer {
    let mut world = platform.world();
    let mut pieces = vec![Bytes::from_static(b"id,name,type\r\n")];
    for evaluator in world.workspace(&caller.workspace)?.all("evaluators").values() {
        let cell = |field: &str| evaluator.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        pieces.push(Bytes::from(format!("{},\"{}\",{}\r\n", cell("id"), cell("name"), cell("type"))));
    }
    download("text/csv; charset=utf-8", "evaluators.csv", pieces)
}
