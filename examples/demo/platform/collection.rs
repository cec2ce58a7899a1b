//! What every collection has: a list, one thing, and deleting it.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, done, json, shown};
use super::auth::{Caller, Role};
use super::world::{Platform, Thing};

/// `GET /{many}` and `GET /{many}/{id}`.
pub(crate) fn readable(many: &'static str, one: &'static str) -> Router<Platform> {
    let list = move |caller: Caller, State(platform): State<Platform>| async move {
        let mut world = platform.world();
        let things: Vec<&Thing> = world.workspace(&caller.workspace)?.all(many).values().collect();
        Answer::Ok(json(StatusCode::OK, &json!({ many: things })))
    };
    let detail = move |caller: Caller, State(platform): State<Platform>, Path((_, id)): Path<(String, String)>| async move {
        shown(one, platform.world().workspace(&caller.workspace)?.one(many, &id)?)
    };
    Router::new().route(&format!("/{many}"), get(list)).route(&format!("/{many}/{{id}}"), get(detail))
}

/// Deletes one thing.
pub(crate) fn delete(platform: &Platform, caller: &Caller, many: &'static str, id: &str, role: Role) -> Answer {
    caller.needs(role)?;
    let mut world = platform.world();
    let gone = world.workspace(&caller.workspace)?.all(many).remove(id);
    gone.ok_or_else(|| Refusal::not_found(many.trim_end_matches('s'), id))?;
    done()
}

/// Lays the sent fields over a thing, but never its id.
pub(crate) fn lay_over(thing: &mut Thing, sent: Thing) {
    thing.extend(sent.into_iter().filter(|(field, _)| field != "id"));
}

/// The texts of a field that holds one or of a field that holds a list of them.
pub(crate) fn one_or_many(sent: &Thing, one: &str, many: &str) -> Result<Vec<String>, Refusal> {
    let texts: Vec<String> = match (sent.get(many), sent.get(one)) {
        (Some(Value::Array(list)), _) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        (_, Some(Value::String(text))) => vec![text.clone()],
        _ => Vec::new(),
    };
    if texts.is_empty() { Err(Refusal::bad(format!("`{one}` or `{many}` is missing"))) } else { Ok(texts) }
}
